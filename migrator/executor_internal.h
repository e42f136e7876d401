/* What the executor's files share. One mutex guards all that more than one thread touches; it is
 * held for moments and never during a call of a port or a listener. */
#ifndef EK_MIGRATOR_EXECUTOR_INTERNAL_H
#define EK_MIGRATOR_EXECUTOR_INTERNAL_H

#include "migrator/executor.h"

#include <pthread.h>

struct mover;

struct ek_executor {
    struct ek_executor_options options;
    pthread_mutex_t mutex;
    pthread_cond_t idle;  /* a life's thread ended */
    struct mover *movers; /* in order of their start */
    unsigned int lives;   /* threads that drive, and tasks */
    unsigned int calls;   /* threads inside a port's call */
    unsigned int refs;    /* the owner's, and one for each thread */
    bool stopping;
};

/* A call of the hypervisor's port on its own thread. Everything is in it by value, so that one that
 * is given up can go on alone. Guarded by the mutex: `done`, `given_up`, `refs`. The rest belongs
 * to the call's thread until `done`. */
struct call {
    struct mover *mover;
    enum ek_life_action_kind kind;
    struct ek_move_record record;
    struct ek_tuning tuning;
    int64_t decided_ms; /* when its life asked for it; 0: no life did */
    struct ek_call_result result;
    struct ek_findings findings;
    bool found;
    struct ek_job_progress progress;
    struct ek_observation source;
    struct ek_observation destination;
    struct ek_elsewhere elsewhere;
    bool done;
    bool given_up;
    unsigned int refs;
};

/* A move that is driven. The life is its thread's alone. Guarded: `cancel`, the limit, `withheld`,
 * `forgotten`, `shown`, `refs`, `next`, `call`s' flags. */
struct mover {
    struct ek_executor *executor;
    struct mover *next;
    pthread_cond_t wake;
    struct ek_life life;
    struct ek_move_record written; /* as the journal has it */
    bool is_written;
    enum ek_abort cancel;
    enum ek_abort told_cancel;
    bool limited; /* a limit was given: the newest */
    uint64_t limit_mib_s;
    bool limit_is_news;          /* and the life was not told yet */
    char withheld[EK_TEXT_SIZE]; /* why it may make no new attempt; "": it may */
    char told_withheld[EK_TEXT_SIZE];
    bool forgotten;              /* its record is another's by now, or another life's */
    struct ek_move_record shown; /* for ek_executor_running */
    int64_t decided_ms;          /* when the life was last stepped: its record may wait for long */
    struct call *migrate;        /* out, or ended and not yet told; the life's thread's */
    unsigned int refs;
};

/* Owned by the caller, who unrefs it; not in the list. */
struct mover *ek_executor_mover(struct ek_executor *executor, struct ek_error *err);

int64_t ek_executor_now(const struct ek_executor *executor);

/* Waits for the mover's condition, at most until clock time `until_ms`, with the mutex held. */
void ek_executor_wait(struct mover *mover, int64_t until_ms);

/* Whether its life is to be left where it is; with the mutex held. */
bool ek_executor_must_halt(const struct mover *mover);

/* Out of the list; with the mutex held. */
void ek_executor_take_out(struct ek_executor *executor, const struct mover *mover);

void ek_executor_unref_mover(struct mover *mover);

/* A detached thread with the executor's stack size; takes a reference of the executor for it. */
bool ek_executor_spawn(struct ek_executor *executor, void *(*body)(void *), void *argument);

/* Gives a thread's reference of the executor back, and perhaps its memory. */
void ek_executor_unref(struct ek_executor *executor);

/* The life's thread: steps until the life ends or is dropped. Argument: struct mover. */
void *ek_executor_drive(void *argument);

/* Carries the action out, as far as it is a call or a wait, and fills the input to feed next;
 * `call` keeps what the input points to until ek_executor_release. */
struct call *ek_executor_perform(struct mover *mover, const struct ek_life_action *action,
                                 struct ek_life_input *input);
void ek_executor_release(struct mover *mover, struct call *call);

#endif
