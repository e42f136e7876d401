/* Threads and lists of the executor: who runs, who may join, who frees. What a life does is in
 * life*.c, how a call is made in executor_call.c. */
#include "migrator/executor.h"

#include "migrator/executor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- time ---------------------------------------------------------------------------------- */

enum { LONGEST_WAIT_MS = 1000 }; /* the clock is the caller's: never trust one wait for long */

int64_t ek_executor_now(const struct ek_executor *executor)
{
    return executor->options.now_ms(executor->options.clock_context);
}

/* Waits are on the monotonic clock, while deadlines are on the caller's: in the simulator and in
 * tests the two run at different paces. */
static struct timespec monotonic_in(int64_t ms)
{
    struct timespec when;

    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += (time_t)(ms / 1000);
    when.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (when.tv_nsec >= 1000000000L) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000L;
    }
    return when;
}

/* By default a condition waits on the wall clock, and a step of that would end all waits or none.
 */
static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    bool done;

    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return done;
}

void ek_executor_wait(struct mover *mover, int64_t until_ms)
{
    int64_t left_ms = until_ms - ek_executor_now(mover->executor);
    struct timespec when;

    /* The caller asks its own condition again, whatever woke it. */
    if (left_ms <= 0) {
        return;
    }
    when = monotonic_in(left_ms < LONGEST_WAIT_MS ? left_ms : LONGEST_WAIT_MS);
    pthread_cond_timedwait(&mover->wake, &mover->executor->mutex, &when);
}

/* ---- threads and references ---------------------------------------------------------------- */

/* Nobody owns a detached thread: the last one that uses the executor frees it, which may be long
 * after its owner let go. */
void ek_executor_unref(struct ek_executor *executor)
{
    bool last;

    pthread_mutex_lock(&executor->mutex);
    last = --executor->refs == 0;
    pthread_mutex_unlock(&executor->mutex);
    if (last) {
        pthread_cond_destroy(&executor->idle);
        pthread_mutex_destroy(&executor->mutex);
        free(executor);
    }
}

/* A mover is shared by its life's thread and its calls; a call that hangs keeps it. */
void ek_executor_unref_mover(struct mover *mover)
{
    bool last;

    pthread_mutex_lock(&mover->executor->mutex);
    last = --mover->refs == 0;
    pthread_mutex_unlock(&mover->executor->mutex);
    if (last) {
        pthread_cond_destroy(&mover->wake);
        free(mover);
    }
}

bool ek_executor_spawn(struct ek_executor *executor, void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool done;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_mutex_lock(&executor->mutex);
    /* Before the thread exists: it might end before this function goes on. */
    executor->refs++;
    pthread_mutex_unlock(&executor->mutex);
    done = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
           pthread_attr_setstacksize(&attributes, EK_EXECUTOR_STACK_BYTES) == 0 &&
           pthread_create(&thread, &attributes, body, argument) == 0;
    pthread_attr_destroy(&attributes);
    if (!done) {
        ek_executor_unref(executor);
    }
    return done;
}

/* ---- moves --------------------------------------------------------------------------------- */

struct mover *ek_executor_mover(struct ek_executor *executor, struct ek_error *err)
{
    struct mover *mover = calloc(1, sizeof(*mover));

    if (mover == NULL || !init_condition(&mover->wake)) {
        free(mover);
        ek_error_set(err, EK_ERR_NOMEM, "no memory for a move");
        return NULL;
    }
    mover->executor = executor;
    /* The life's thread's own. */
    mover->refs = 1;
    return mover;
}

/* Compared with what is shown, not with the life itself: that belongs to its thread. */
static bool may_join(const struct ek_executor *executor, const struct mover *mover,
                     struct ek_error *err)
{
    const struct ek_move_order *order = &mover->life.record.order;

    if (executor->stopping) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "the executor is shutting down");
    }
    for (const struct mover *other = executor->movers; other != NULL; other = other->next) {
        if (strcmp(other->shown.order.id, order->id) == 0) {
            return ek_error_set(err, EK_ERR_CONFLICT, "move %s runs already", order->id);
        }
        /* Two moves of one domain would read each other's mark and call it their own. */
        if (strcmp(other->shown.order.domain, order->domain) == 0) {
            return ek_error_set(err, EK_ERR_CONFLICT, "domain %s is moved already, by move %s",
                                order->name, other->shown.order.id);
        }
    }
    return true;
}

/* In order of their start, which is the order in which they are listed. */
static void append(struct ek_executor *executor, struct mover *mover)
{
    struct mover **end = &executor->movers;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = mover;
}

bool ek_executor_must_halt(const struct mover *mover)
{
    return mover->executor->stopping || mover->forgotten;
}

void ek_executor_take_out(struct ek_executor *executor, const struct mover *mover)
{
    struct mover **place = &executor->movers;

    while (*place != NULL && *place != mover) {
        place = &(*place)->next;
    }
    if (*place != NULL) {
        *place = mover->next;
    }
}

/* Takes the mover over, also when it fails. */
static bool join(struct ek_executor *executor, struct mover *mover, struct ek_error *err)
{
    bool joined;

    /* Without the lock: nobody else knows the mover yet. */
    mover->shown = mover->life.record;
    pthread_mutex_lock(&executor->mutex);
    joined = may_join(executor, mover, err);
    if (joined) {
        append(executor, mover);
        executor->lives++;
    }
    pthread_mutex_unlock(&executor->mutex);
    if (joined && ek_executor_spawn(executor, ek_executor_drive, mover)) {
        return true;
    }
    if (joined) {
        pthread_mutex_lock(&executor->mutex);
        ek_executor_take_out(executor, mover);
        executor->lives--;
        pthread_mutex_unlock(&executor->mutex);
        ek_error_set(err, EK_ERR_NOMEM, "no thread for move %s", mover->life.record.order.id);
    }
    ek_executor_unref_mover(mover);
    return false;
}

bool ek_executor_start(struct ek_executor *executor, const struct ek_move_order *order,
                       int64_t epoch, struct ek_error *err)
{
    struct mover *mover = ek_executor_mover(executor, err);

    if (mover == NULL) {
        return false;
    }
    ek_life_begin(&mover->life, order, &executor->options.timing, epoch, ek_executor_now(executor));
    return join(executor, mover, err);
}

bool ek_executor_adopt(struct ek_executor *executor, const struct ek_move_record *record,
                       int64_t epoch, struct ek_error *err)
{
    struct mover *mover;

    if (ek_move_state_terminal(record->state)) {
        return ek_error_set(err, EK_ERR_INVALID, "move %s ended as %s and cannot be adopted",
                            record->order.id, ek_move_state_name(record->state));
    }
    mover = ek_executor_mover(executor, err);
    if (mover == NULL) {
        return false;
    }
    /* As it was found: the first write claims it, and expects exactly this. */
    mover->written = *record;
    mover->is_written = true;
    ek_life_adopt(&mover->life, record, &executor->options.timing, epoch,
                  ek_executor_now(executor));
    return join(executor, mover, err);
}

/* With the mutex held; NULL: none of that id runs. */
static struct mover *find(struct ek_executor *executor, const char *id)
{
    struct mover *mover = executor->movers;

    while (mover != NULL && strcmp(mover->shown.order.id, id) != 0) {
        mover = mover->next;
    }
    return mover;
}

/* A wish only: the life reads it at its next step and decides whether that is still possible. */
bool ek_executor_cancel(struct ek_executor *executor, const char *id, enum ek_abort why)
{
    struct mover *mover;

    pthread_mutex_lock(&executor->mutex);
    mover = find(executor, id);
    if (mover != NULL) {
        mover->cancel = why;
        pthread_cond_broadcast(&mover->wake);
    }
    pthread_mutex_unlock(&executor->mutex);
    return mover != NULL;
}

void ek_executor_limit(struct ek_executor *executor, const char *id, uint64_t bandwidth_mib_s)
{
    struct mover *mover;

    pthread_mutex_lock(&executor->mutex);
    mover = find(executor, id);
    if (mover != NULL) {
        mover->limited = true;
        mover->limit_mib_s = bandwidth_mib_s;
        mover->limit_is_news = true;
        pthread_cond_broadcast(&mover->wake);
    }
    pthread_mutex_unlock(&executor->mutex);
}

/* No news: it is asked for only when an attempt is about to begin. */
void ek_executor_withhold(struct ek_executor *executor, const char *id, const char *why)
{
    struct mover *mover;

    pthread_mutex_lock(&executor->mutex);
    mover = find(executor, id);
    if (mover != NULL) {
        (void)snprintf(mover->withheld, sizeof(mover->withheld), "%s", why == NULL ? "" : why);
    }
    pthread_mutex_unlock(&executor->mutex);
}

/* Gives the reference back. */
static void disown(struct mover *mover)
{
    const struct ek_hypervisor *port = mover->executor->options.hypervisor;
    struct ek_move_record record;

    pthread_mutex_lock(&mover->executor->mutex);
    record = mover->shown;
    pthread_mutex_unlock(&mover->executor->mutex);
    port->disown(port->context, &record);
    ek_executor_unref_mover(mover);
}

void ek_executor_forget(struct ek_executor *executor)
{
    struct mover *mover;

    pthread_mutex_lock(&executor->mutex);
    for (mover = executor->movers; mover != NULL; mover = mover->next) {
        mover->forgotten = true;
        mover->refs++; /* for disown */
        pthread_cond_broadcast(&mover->wake);
    }
    mover = executor->movers;
    executor->movers = NULL;
    pthread_mutex_unlock(&executor->mutex);
    while (mover != NULL) {
        struct mover *next = mover->next; /* nobody changes a list that was let go */

        disown(mover);
        mover = next;
    }
}

size_t ek_executor_running(struct ek_executor *executor, struct ek_move_record *out,
                           size_t capacity)
{
    size_t count = 0;

    pthread_mutex_lock(&executor->mutex);
    for (const struct mover *mover = executor->movers; mover != NULL; mover = mover->next) {
        /* The count goes on, so that a caller learns how much room it lacked. */
        if (count < capacity) {
            out[count] = mover->shown;
        }
        count++;
    }
    pthread_mutex_unlock(&executor->mutex);
    return count;
}

/* ---- beginning and end --------------------------------------------------------------------- */

struct ek_executor *ek_executor_create(const struct ek_executor_options *options,
                                       struct ek_error *err)
{
    struct ek_executor *executor = calloc(1, sizeof(*executor));

    if (executor == NULL || pthread_mutex_init(&executor->mutex, NULL) != 0) {
        free(executor);
        ek_error_set(err, EK_ERR_NOMEM, "no memory for the executor");
        return NULL;
    }
    if (!init_condition(&executor->idle)) {
        pthread_mutex_destroy(&executor->mutex);
        free(executor);
        ek_error_set(err, EK_ERR_NOMEM, "no memory for the executor");
        return NULL;
    }
    executor->options = *options;
    /* The owner's. */
    executor->refs = 1;
    return executor;
}

bool ek_executor_shutdown(struct ek_executor *executor, int64_t wait_ms)
{
    struct timespec until = monotonic_in(wait_ms);
    bool quiet;
    int waited = 0;

    pthread_mutex_lock(&executor->mutex);
    executor->stopping = true;
    for (struct mover *mover = executor->movers; mover != NULL; mover = mover->next) {
        pthread_cond_broadcast(&mover->wake);
    }
    /* Lives end by themselves, for HALT leaves their records open. Calls are not waited for: a
     * migration may take an hour, and goes on in libvirt without us. */
    while (executor->lives > 0 && waited == 0) {
        waited = pthread_cond_timedwait(&executor->idle, &executor->mutex, &until);
    }
    quiet = executor->lives == 0 && executor->calls == 0;
    pthread_mutex_unlock(&executor->mutex);
    return quiet;
}

void ek_executor_destroy(struct ek_executor *executor)
{
    if (executor != NULL) {
        ek_executor_shutdown(executor, 0);
        ek_executor_unref(executor);
    }
}
