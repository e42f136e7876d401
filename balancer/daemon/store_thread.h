/* The store's thread: blocking Redis calls off the loop, in the order they were asked for.
 *
 * Any thread may ask. A job's `work` runs on the store's thread with the store; its `done` runs on
 * the loop's thread afterwards. Samples are dropped rather than queued without bound while Redis is
 * away. */
#ifndef EK_DAEMON_STORE_THREAD_H
#define EK_DAEMON_STORE_THREAD_H

#include "balancer/store/store.h"

#include <uv.h>

struct ek_store_thread;

struct ek_store_job {
    /* Fills the job's own result; false with err on failure. */
    bool (*work)(struct ek_store *store, struct ek_store_job *job, struct ek_error *err);
    /* Frees the job. `err` is NULL when the work was done. May be NULL for ek_store_thread_call. */
    void (*done)(struct ek_store_job *job, const struct ek_error *err);
    struct ek_store_job *next; /* the thread's own, as the rest */
    bool finished;
    bool ok;
    struct ek_error err;
};

/* What is done again and again while the loop is busy with one long step (a plan for a thousand
 * hosts takes seconds), on the store's thread. */
struct ek_store_chore {
    bool (*work)(struct ek_store *store, void *context); /* false: no more */
    void *context;                                       /* outlives the thread */
    int64_t period_ms;
    unsigned int times; /* at most: a loop that hangs for good is not to be covered up */
};

/* Takes the store over. NULL on error. */
struct ek_store_thread *ek_store_thread_create(uv_loop_t *loop, struct ek_store *store,
                                               struct ek_error *err);

/* Queues the job. False when `limit` jobs (0: no limit) are queued already: the caller keeps the
 * job. */
bool ek_store_thread_submit(struct ek_store_thread *thread, struct ek_store_job *job, size_t limit);

/* Runs the work on the store's thread and waits for it; from any thread but the loop's. */
bool ek_store_thread_call(struct ek_store_thread *thread, struct ek_store_job *job,
                          struct ek_error *err);

/* Begins the chore: first after one period, so that a loop which begins it anew in time never needs
 * it. In place of the one before; NULL: none. */
void ek_store_thread_chore(struct ek_store_thread *thread, const struct ek_store_chore *chore);

/* Ends after the queued jobs are done (their `done` is called from here), or have failed because
 * Redis is away; closes its handle, so the loop must run once more. */
void ek_store_thread_stop(struct ek_store_thread *thread);

/* After the loop has closed all handles. NULL is fine. */
void ek_store_thread_destroy(struct ek_store_thread *thread);

#endif
