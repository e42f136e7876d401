#include "balancer/daemon/store_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
    struct ek_store_job *first;
    struct ek_store_job **last;
    size_t count;
};

struct ek_store_thread {
    struct ek_store *store;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;   /* something to do, or to stop */
    pthread_cond_t finished; /* a waiter's job is done */
    struct queue todo;
    struct queue done;
    struct ek_store_chore chore; /* times 0: none */
    struct timespec chore_at;    /* CLOCK_MONOTONIC */
    bool stop;
    uv_async_t async;
};

static void queue_add(struct queue *queue, struct ek_store_job *job)
{
    job->next = NULL;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    *queue->last = job;
    queue->last = &job->next;
    queue->count++;
}

static struct ek_store_job *queue_take(struct queue *queue)
{
    struct ek_store_job *job = queue->first;

    if (job != NULL) {
        queue->first = job->next;
        queue->count--;
    }
    return job;
}

static bool is_away(const struct ek_store_job *job)
{
    return !job->ok && (job->err.code == EK_ERR_UNAVAILABLE || job->err.code == EK_ERR_TIMEOUT);
}

static void chore_later(struct ek_store_thread *thread)
{
    const int64_t ms = thread->chore.period_ms;

    (void)clock_gettime(CLOCK_MONOTONIC, &thread->chore_at);
    thread->chore_at.tv_sec += ms / 1000;
    thread->chore_at.tv_nsec += ms % 1000 * 1000000;
    if (thread->chore_at.tv_nsec >= 1000000000) {
        thread->chore_at.tv_sec++;
        thread->chore_at.tv_nsec -= 1000000000;
    }
}

static bool chore_due(const struct ek_store_thread *thread)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return thread->chore.times > 0 && !thread->stop &&
           (now.tv_sec > thread->chore_at.tv_sec ||
            (now.tv_sec == thread->chore_at.tv_sec && now.tv_nsec >= thread->chore_at.tv_nsec));
}

/* The loop may begin another chore meanwhile, which counts then. */
static void chore_do(struct ek_store_thread *thread)
{
    const struct ek_store_chore chore = thread->chore;

    thread->chore.times--;
    chore_later(thread);
    (void)pthread_mutex_unlock(&thread->mutex);
    bool more = chore.work(thread->store, chore.context);
    (void)pthread_mutex_lock(&thread->mutex);
    if (!more && thread->chore.times == chore.times - 1) {
        thread->chore.times = 0;
    }
}

static void wait_for_work(struct ek_store_thread *thread)
{
    if (thread->chore.times > 0) {
        (void)pthread_cond_timedwait(&thread->wanted, &thread->mutex, &thread->chore_at);
    } else {
        (void)pthread_cond_wait(&thread->wanted, &thread->mutex);
    }
}

static void *thread_main(void *argument)
{
    struct ek_store_thread *thread = argument;
    struct ek_error away = {0};

    (void)pthread_mutex_lock(&thread->mutex);
    while (!thread->stop || thread->todo.first != NULL) {
        if (chore_due(thread)) {
            chore_do(thread);
        }
        struct ek_store_job *job = queue_take(&thread->todo);
        if (job == NULL) {
            if (!thread->stop) {
                wait_for_work(thread);
            }
            continue;
        }
        if (thread->stop && away.code != EK_ERR_NONE) {
            job->ok = false; /* a stop does not wait for one time-out after the other */
            job->err = away;
        } else {
            (void)pthread_mutex_unlock(&thread->mutex);
            job->ok = job->work(thread->store, job, &job->err);
            (void)pthread_mutex_lock(&thread->mutex);
            away = is_away(job) ? job->err : (struct ek_error){0};
        }
        if (job->done != NULL) {
            queue_add(&thread->done, job);
            (void)uv_async_send(&thread->async);
        } else {
            job->finished = true; /* the caller's stack may hold it: not touched any more */
            (void)pthread_cond_broadcast(&thread->finished);
        }
    }
    (void)pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

static void deliver(struct ek_store_thread *thread)
{
    struct ek_store_job *job = NULL;

    do {
        (void)pthread_mutex_lock(&thread->mutex);
        job = queue_take(&thread->done);
        (void)pthread_mutex_unlock(&thread->mutex);
        if (job != NULL) {
            job->done(job, job->ok ? NULL : &job->err);
        }
    } while (job != NULL);
}

static void on_async(uv_async_t *async)
{
    deliver(async->data);
}

struct ek_store_thread *ek_store_thread_create(uv_loop_t *loop, struct ek_store *store,
                                               struct ek_error *err)
{
    struct ek_store_thread *thread = calloc(1, sizeof(*thread));
    pthread_condattr_t monotonic;

    if (thread == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the store's thread");
        return NULL;
    }
    thread->store = store;
    (void)pthread_mutex_init(&thread->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&thread->wanted, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_cond_init(&thread->finished, NULL);
    thread->async.data = thread;
    if (uv_async_init(loop, &thread->async, on_async) != 0 ||
        pthread_create(&thread->thread, NULL, thread_main, thread) != 0) {
        (void)ek_error_set(err, EK_ERR_IO, "cannot start the store's thread");
        free(thread);
        return NULL;
    }
    return thread;
}

bool ek_store_thread_submit(struct ek_store_thread *thread, struct ek_store_job *job, size_t limit)
{
    bool taken = false;

    (void)pthread_mutex_lock(&thread->mutex);
    if (!thread->stop && (limit == 0 || thread->todo.count < limit)) {
        queue_add(&thread->todo, job);
        (void)pthread_cond_signal(&thread->wanted);
        taken = true;
    }
    (void)pthread_mutex_unlock(&thread->mutex);
    return taken;
}

void ek_store_thread_chore(struct ek_store_thread *thread, const struct ek_store_chore *chore)
{
    (void)pthread_mutex_lock(&thread->mutex);
    thread->chore = chore == NULL ? (struct ek_store_chore){.times = 0} : *chore;
    chore_later(thread);
    (void)pthread_cond_signal(&thread->wanted);
    (void)pthread_mutex_unlock(&thread->mutex);
}

bool ek_store_thread_call(struct ek_store_thread *thread, struct ek_store_job *job,
                          struct ek_error *err)
{
    job->done = NULL;
    job->finished = false;
    if (!ek_store_thread_submit(thread, job, 0)) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "the daemon is stopping");
    }
    (void)pthread_mutex_lock(&thread->mutex);
    while (!job->finished) {
        (void)pthread_cond_wait(&thread->finished, &thread->mutex);
    }
    (void)pthread_mutex_unlock(&thread->mutex);
    if (!job->ok) {
        *err = job->err;
    }
    return job->ok;
}

void ek_store_thread_stop(struct ek_store_thread *thread)
{
    (void)pthread_mutex_lock(&thread->mutex);
    thread->stop = true;
    (void)pthread_cond_signal(&thread->wanted);
    (void)pthread_mutex_unlock(&thread->mutex);
    (void)pthread_join(thread->thread, NULL);
    deliver(thread);
    uv_close((uv_handle_t *)&thread->async, NULL);
}

void ek_store_thread_destroy(struct ek_store_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    ek_store_destroy(thread->store);
    (void)pthread_mutex_destroy(&thread->mutex);
    (void)pthread_cond_destroy(&thread->wanted);
    (void)pthread_cond_destroy(&thread->finished);
    free(thread);
}
