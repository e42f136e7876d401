/* The policy engine: events with their time go in, wanted effects come out. No clock, no I/O.
 *
 *     SNAPSHOT -> evaluate -> EVALUATION -> plan -> PLAN -> schedule -> SCHEDULE -> START effects
 *     OUTCOME  -> verify, learn, cooldown -> next START effects of the plan, or a new plan next
 * cycle
 *
 * The daemon, the simulator and the tests run this same engine. The order of effects is: all
 * RECORD_*, then REPLY, ABORT, LIMIT, START, then at most one WAKE; they must be carried out in
 * that order, and what follows the records only after every record before it is written. An engine
 * is used by one thread at a time. */
#ifndef EK_CORE_ENGINE_H
#define EK_CORE_ENGINE_H

#include "balancer/core/command.h"
#include "balancer/core/cooldown.h"
#include "balancer/core/engine/cycle.h"
#include "balancer/core/evaluate.h"
#include "balancer/core/move.h"
#include "balancer/core/planner/plan.h"
#include "balancer/core/schedule/schedule.h"
#include "balancer/core/verify.h"

/* ---- events ---------------------------------------------------------------------------------- */

enum ek_event_kind {
    EK_EVENT_POLICY,   /* the policy was loaded or reloaded */
    EK_EVENT_SNAPSHOT, /* a new cycle */
    EK_EVENT_OUTCOME,  /* a move ended */
    EK_EVENT_ADOPT,    /* a move of an earlier run is still under way: it counts against the limits;
                        * once is enough */
    EK_EVENT_BLOCK,    /* a domain whose last outcome is not known */
    EK_EVENT_HOLD,     /* start nothing new until EK_EVENT_RELEASE; running moves go on */
    EK_EVENT_RELEASE,  /* what waited meanwhile is dropped, an operator's order, too; the next
                        * snapshot plans anew, and nothing starts before it */
    EK_EVENT_COMMAND,  /* an operator's; answered by exactly one REPLY. Not RESOLVE */
    EK_EVENT_UNBLOCK,  /* a domain that an operator has resolved */
    EK_EVENT_SIGN,     /* what a running move tells before its end */
    EK_EVENT_KEY_ENDED, /* a host's maintenance was ended; it may be wanted again by now, and the
                         * next snapshot says so: then it is another one */
};

struct ek_event {
    enum ek_event_kind kind;
    int64_t now_ms;
    int local_offset_min; /* of SNAPSHOT: how far local time is ahead of UTC then (calendar.h) */
    union {
        const struct ek_policy *policy; /* copied */
        struct ek_snapshot *snapshot;   /* its content is taken over; the caller's is emptied */
        const struct ek_outcome *outcome;
        const struct ek_move_order *adopt;
        const char *block; /* UUID */
        const char *hold;  /* why; copied */
        const struct ek_command *command;
        const char *unblock; /* UUID */
        const struct ek_sign *sign;
        const char *key_ended; /* the host's name */
    } u;
};

/* ---- effects --------------------------------------------------------------------------------- */

enum ek_effect_kind {
    EK_EFFECT_RECORD_PLAN,        /* a plan with its schedule, and what becomes of it */
    EK_EFFECT_RECORD_FATE,        /* what became of a plan that was recorded before */
    EK_EFFECT_RECORD_VERIFIED,    /* what a plan promised, and what came of it */
    EK_EFFECT_RECORD_EVENT,       /* one line of audit */
    EK_EFFECT_RECORD_MAINTENANCE, /* the status of a host whose maintenance is wanted, or has ended
                                   */
    EK_EFFECT_REPLY,              /* to a command */
    EK_EFFECT_ABORT,              /* a running move is to stop; its outcome follows */
    EK_EFFECT_LIMIT,              /* another share of the bandwidth for a running move */
    EK_EFFECT_START,
    EK_EFFECT_WAKE, /* a snapshot is wanted at that time, sooner than the next cycle */
};

enum ek_maintenance_state {
    EK_MAINTENANCE_ENDED,      /* no longer wanted: the status is to be deleted */
    EK_MAINTENANCE_PREFLIGHT,  /* wanted, but the mode does not act */
    EK_MAINTENANCE_EVACUATING, /* domains are leaving, or wait for their turn */
    EK_MAINTENANCE_EVACUATED,  /* a fresh sample shows no running or paused domain */
    EK_MAINTENANCE_BLOCKED,    /* some cannot leave now: stale host, rest, unresolved move */
    EK_MAINTENANCE_INFEASIBLE, /* some fit nowhere */
};

const char *ek_maintenance_state_name(enum ek_maintenance_state state);

struct ek_blocker {
    const char *domain; /* UUID */
    const char *name;
    const char *reason;
    const char *relaxation;      /* the least that would let it leave; NULL: not known */
    const char *relaxation_host; /* where it could go then; NULL: to none that is known */
};

/* Whether the host can be emptied, by the newest preflight. */
enum ek_feasibility {
    EK_FEASIBILITY_UNKNOWN, /* time decides, or nobody can look */
    EK_FEASIBLE,
    EK_NOT_FEASIBLE,
};

/* A domain that is, or will be, saved or shut down since its own metadata say so. */
struct ek_stop_note {
    const char *domain; /* UUID */
    const char *name;
    enum ek_move_kind kind; /* EK_MOVE_SAVE or EK_MOVE_SHUTDOWN */
    bool running;           /* it is being stopped now; else when all others have left */
};

struct ek_maintenance_status {
    const char *host;
    enum ek_maintenance_state state;
    uint32_t domains_left;
    enum ek_feasibility feasibility;
    int64_t eta_ms;      /* from now; -1: not known, and then neither are the ends of its range */
    int64_t eta_low_ms;  /* at the earliest */
    int64_t eta_high_ms; /* at the latest */
    int64_t deadline_ms; /* 0: none */
    int64_t slack_ms;    /* what will be left until the deadline; below 0: it will be late */
    enum ek_pace pace;   /* that it is emptied at; of one with a deadline */
    int64_t promised_at_ms; /* when the preflight was made that they come from; 0: none was */
    const struct ek_blocker *blockers;
    size_t blocker_count;
    const char *const *order; /* names of the domains in the order in which they are to start */
    size_t order_count;
    const struct ek_stop_note *stops; /* those that are stopped last, as far as they are there */
    size_t stop_count;
};

/* Whether domains_left was counted: of a host that nobody can look at no domain is known, and 0
 * must not be taken for an empty one. */
bool ek_maintenance_counted(const struct ek_maintenance_status *status);

struct ek_effect {
    enum ek_effect_kind kind;
    union {
        struct {
            const struct ek_plan *plan;
            const struct ek_schedule *schedule;
            const char *fate; /* "recommended", "proposed", "started" */
            /* What it was made from, beside the plan's snapshot and what the engine keeps; with
             * wishes by ek_plan_bring, without (NULL) by ek_plan_make. */
            const struct ek_plan_request *request;
            const struct ek_plan_wish *wishes;
            size_t wish_count;
        } plan;
        struct {
            const char *plan_id;
            const char *fate; /* "started": it was proposed, and is approved. "done", "failed",
                               * "cancelled", "abandoned", "rejected", "lapsed": once, when none of
                               * its moves waits, runs or is offered any more */
        } fate;
        const struct ek_verified *verified; /* owned by the arena */
        struct {
            const char *kind; /* a word: "plan", "move", "holding", ... */
            const char *subject;
            const char *text;
            bool warning; /* somebody should do something about it */
        } event;
        struct ek_maintenance_status maintenance;
        struct {
            char command_id[EK_ID_SIZE];
            enum ek_error_code code; /* EK_ERR_NONE: done */
            const char *text;        /* a whole sentence for the operator */
        } reply;
        struct {
            char id[EK_ID_SIZE]; /* of the move */
            enum ek_abort why;
        } abort;
        struct {
            char id[EK_ID_SIZE];      /* of the move */
            uint64_t bandwidth_mib_s; /* 0: unlimited */
        } limit;
        struct ek_move_order start;
        int64_t wake_at_ms;
    } u;
};

/* Strings and arrays belong to the arena, plans and schedules to the engine: both are valid until
 * the next step or finish. */
struct ek_effects {
    struct ek_effect *items;
    size_t count;
    size_t room;
    struct ek_arena arena;
};

void ek_effects_finish(struct ek_effects *effects);

/* ---- the engine ------------------------------------------------------------------------------ */

struct ek_engine;

/* NULL: out of memory. Starts with the default policy, no snapshot, not holding. */
struct ek_engine *ek_engine_create(void);
void ek_engine_destroy(struct ek_engine *engine);

/* One event; `effects` is emptied and filled. Error: NOMEM (the event may have been applied in
 * part, `effects` is empty and nothing of it counts as started; the next snapshot repairs it). */
bool ek_engine_step(struct ek_engine *engine, const struct ek_event *event,
                    struct ek_effects *effects, struct ek_error *err);

/* For status: what is running and waiting, why it holds (NULL: it does not), the last summary.
 * Valid until the next step. */
struct ek_engine_view {
    const struct ek_move_order *running;
    size_t running_count;
    size_t waiting_count;       /* moves of the present plan that have not started */
    const char *plan_id;        /* "" when there is no plan */
    const char *offer_id;       /* of the plan of which moves are only shown; "": none */
    size_t offered_count;       /* these moves */
    int64_t offer_lapses_at_ms; /* when nobody can approve it any more; 0: nobody can anyway */
    const char *holding;
    const char *paused; /* why nothing is balanced until an operator resumes; NULL: it is */
    const char *closed; /* why the calendar lets nothing be balanced now; NULL: it does */
    const char *summary;
    const char *circuits; /* those that are open or on trial, "; " between them; "": none */
    const struct ek_levels *levels;     /* of the newest snapshot; NULL: none yet */
    const struct ek_snapshot *snapshot; /* the newest; NULL: none yet */
};
struct ek_engine_view ek_engine_view(const struct ek_engine *engine);

/* The account of the newest cycle, for the record; NULL: there was none. Valid until the next. */
const struct ek_cycle *ek_engine_cycle(const struct ek_engine *engine);

/* Moves that are running, or ended lately, and migrations of others, for the assembly of the next
 * snapshot: fills at most
 * `room`, returns how many there are. Strings are valid until the next step. */
size_t ek_engine_known_moves(const struct ek_engine *engine, struct ek_known_move *out,
                             size_t room);

/* Why a move that runs may make no new attempt now, should its present one fail; NULL: it may. What
 * is asked is what would keep such a move from its start. Valid until the next step. */
const char *ek_engine_withholds(const struct ek_engine *engine, const struct ek_move_order *order);

/* The engine's rests, to be kept over a restart. */
struct ek_cooldown *ek_engine_cooldown(struct ek_engine *engine);

#endif
