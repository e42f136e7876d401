/* The life of one move, from an order to a verified outcome: a step machine without I/O and clock.
 *
 * A driver feeds inputs and carries out the action that each step returns; the executor does so
 * with threads and blocking calls, the simulator in virtual time. One action is outstanding at a
 * time; the migrate call alone runs beside the others, from EK_LIFE_MIGRATE until the driver feeds
 * EK_LIFE_MIGRATE_ENDED.
 *
 * What a driver does with an action:
 *   1. `journal` is set: write life->record, expecting the record it wrote last (none before the
 * first). The effect must not begin before that write is confirmed. FENCED or CONFLICT: drop the
 * life.
 *   2. `note` is not empty: pass it to the journal's notes, best effort.
 *   3. Carry out `kind` and feed what its comment names. A call that takes longer than `timeout_ms`
 * is given up: feed a result with failure LOST, or two unreachable ends. `cancel` and `shutdown` of
 * an input tell what is wanted by now; a wait ends early, with EK_LIFE_TIMER, when one of them
 * becomes wanted.
 *
 * A stop (a domain that is saved or shut down where it runs) has a life with the same actions and
 * fewer states: life_stop.c.
 *
 * The state changes in one place, which asserts the table of balancer/core/move_state.h. The result
 * of a migrate call is never the truth: a good one, too, is followed by reading both ends
 * (migrator/verdict.h).
 *
 * Time is Unix milliseconds from a clock that does not jump: a monotonic one, anchored once. */
#ifndef EK_MIGRATOR_LIFE_H
#define EK_MIGRATOR_LIFE_H

#include "balancer/core/move.h"
#include "balancer/core/move_timing.h"
#include "migrator/hypervisor.h"
#include "migrator/verdict.h"

#include <stdbool.h>
#include <stdint.h>

/* Used for an order's limits that are 0. */
enum { EK_LIFE_COPY_MS = 300000, EK_LIFE_PROGRESS_MS = 150000 };

/* Before its end a move's link is as good as free for the next one, which needs about that long
 * until its first byte flows: prechecks, preparations, the start of QEMU on the destination (1 to
 * 2 s in the lab), and up to one period of looks at the progress. */
enum { EK_LIFE_ENDING_MS = 2000 };

enum ek_life_input_kind {
    EK_LIFE_START,         /* the first step */
    EK_LIFE_TIMER,         /* the time to wait for has come, or something is wanted */
    EK_LIFE_RESULT,        /* of the call that the last action asked for */
    EK_LIFE_PROGRESS,      /* `progress`; NULL when it could not be read */
    EK_LIFE_OBSERVATION,   /* `source` and `destination` */
    EK_LIFE_MIGRATE_ENDED, /* `result` of the migrate call; only while a wait, or one of the calls
                              WATCH, TUNE and ABORT, is outstanding */
};

/* Pointers are read during the step only. */
struct ek_life_input {
    enum ek_life_input_kind kind;
    enum ek_abort cancel; /* why the move is not wanted any more; NONE: it is */
    const char *withheld; /* why no attempt may begin after one that failed; NULL: it may */
    bool shutdown;        /* the driver wants to stop; the move itself may go on */
    bool limited;         /* a limit of the bandwidth was given since the order */
    uint64_t limit_mib_s; /* the newest; 0: unlimited */
    const struct ek_call_result *result;
    const struct ek_findings *findings; /* of a precheck that passed; NULL: nothing is needed */
    bool found;                         /* of a preparation: nothing had to be made */
    const struct ek_job_progress *progress;
    const struct ek_observation *source;
    const struct ek_observation *destination;
};

enum ek_life_action_kind {
    EK_LIFE_GO_ON,    /* nothing but the journal; feed EK_LIFE_TIMER at once */
    EK_LIFE_PRECHECK, /* call; feed RESULT with its findings */
    EK_LIFE_PREPARE,  /* call, for the preparation that is BEGUN; feed RESULT */
    EK_LIFE_MIGRATE,  /* begin the call (of a stop: the one that stops), then as EK_LIFE_WAIT */
    EK_LIFE_WAIT,     /* feed TIMER at wake_at_ms, or MIGRATE_ENDED before it */
    EK_LIFE_WATCH,    /* call progress; feed PROGRESS, or drop it for MIGRATE_ENDED */
    EK_LIFE_TUNE,     /* call with `tuning`; feed RESULT, or drop it for MIGRATE_ENDED */
    EK_LIFE_ABORT,    /* the same */
    EK_LIFE_OBSERVE,  /* call; feed OBSERVATION */
    EK_LIFE_SEARCH,   /* call; no life asks for it, an operator's resolve does */
    EK_LIFE_RESUME_SOURCE, /* call; feed RESULT; the same for the next four */
    EK_LIFE_RESUME_DESTINATION,
    EK_LIFE_DESTROY_SOURCE,
    EK_LIFE_DESTROY_DESTINATION,
    EK_LIFE_RESUME_POSTCOPY,
    EK_LIFE_UNPREPARE, /* call; feed RESULT */
    EK_LIFE_POST,      /* call; feed RESULT */
    EK_LIFE_FINISH,    /* the record is terminal: ek_life_outcome(), then no more steps */
    EK_LIFE_HALT,      /* stop driving; the record stays open and is adopted later */
};

struct ek_life_action {
    enum ek_life_action_kind kind;
    bool journal;       /* write life->record before anything else */
    int64_t wake_at_ms; /* of MIGRATE and WAIT */
    int64_t timeout_ms; /* of calls */
    struct ek_tuning tuning;
    const char *step; /* a word for the note, static */
    char note[EK_TEXT_SIZE];
};

/* What the looks at the progress say of one attempt's copying. */
struct ek_convergence {
    struct ek_job_progress seen; /* the newest */
    double sampled_mib_s;        /* the dirty rate by sampling; 0: not known */
    double least_round_mib;      /* the smallest size of an iteration at its beginning */
    int64_t improved_ms;         /* when it last came nearer to its end */
    int improved_iteration;      /* in which iteration */
    int64_t data_ms;             /* when bytes were last seen to flow */
    int stalled;                 /* iterations that were not smaller than the least before */
    int64_t downtime_ms;         /* as we set it; 0: not yet */
    int64_t tune_after_ms;       /* when a tuning that was refused may be tried again */
};

/* One move's life. Only `record` is for others to read; copy it freely, it holds no pointers. */
struct ek_life {
    struct ek_move_record record;
    struct ek_move_timing timing;
    int64_t now_ms;

    /* what is wanted, what is known of this attempt */
    enum ek_abort cancel;
    bool adopted;              /* begun by an earlier run of ours: never retried */
    bool issued;               /* the migrate call may have been made */
    int64_t issuable_until_ms; /* ... or an earlier run may still make it; 0: it cannot */
    bool call_out;             /* it has not returned to us */
    enum ek_failure failure;   /* why the attempt ended, for the retry */
    bool at_fault;             /* the destination, for the outcome */

    /* copying */
    int64_t copy_until_ms;
    int64_t hard_until_ms;
    int64_t next_poll_ms;
    int64_t state_since_ms;
    int64_t inactive_since_ms; /* no job although the call is out; 0: there is one */
    struct ek_convergence convergence;
    unsigned int
        signs; /* 1 << enum ek_sign_kind: what this attempt told so far; see ek_life_sign */
    bool limited;
    uint64_t limit_mib_s;
    bool tuning_out; /* the call that is outstanding sets this: */
    struct ek_tuning tuning;
    uint64_t tuning_limit_mib_s;
    int aborts;
    int64_t abort_at_ms;    /* 0: none is asked for in this attempt */
    bool post_copy_refused; /* the host cannot do it: this attempt is aborted as without it */

    /* reconciling */
    const struct ek_verdict_row *row;
    int64_t row_since_ms;
    int64_t reconcile_since_ms;
    int repairs;
    bool repair_failed;    /* the last one: the next is not made at once */
    int64_t call_ended_ms; /* when the migrate call returned to us; 0: it did not */
    int64_t waited_ms;     /* from then until the destination was resumed by us: downtime, too */

    enum ek_move_state after; /* what follows unprepare */
    int posts;
    int64_t wait_until_ms;
    unsigned int stop_sight; /* of a stop: what was seen, since row_since_ms (life_stop.c) */
};

/* A new life for an order; the record is `planned`. Nothing is done before EK_LIFE_START. */
void ek_life_begin(struct ek_life *life, const struct ek_move_order *order,
                   const struct ek_move_timing *timing, int64_t epoch, int64_t now_ms);

/* A life that goes on from an open record of an earlier run, or of another balancer: it is claimed
 * for `epoch`, both hosts are asked, and nothing is begun anew. The driver's first write expects
 * `record`. */
void ek_life_adopt(struct ek_life *life, const struct ek_move_record *record,
                   const struct ek_move_timing *timing, int64_t epoch, int64_t now_ms);

/* The next action. Not to be called after FINISH or HALT. */
struct ek_life_action ek_life_step(struct ek_life *life, const struct ek_life_input *input,
                                   int64_t now_ms);

/* After a step: what `life` tells that is not in `told`, its `signs` before the step; takes it over
 * into `told`. False: nothing more. */
bool ek_life_sign(const struct ek_life *life, unsigned int *told, struct ek_sign *sign);

/* How it ended, after FINISH. */
void ek_life_outcome(const struct ek_life *life, struct ek_outcome *outcome);

const char *ek_life_action_name(enum ek_life_action_kind kind);

#endif
