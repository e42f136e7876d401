#include "balancer/daemon/watch.h"

#include "balancer/daemon/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* How long one wait lasts: bounds the time that a stop takes. */
enum { WAIT_MS = 1000 };

struct ek_watch {
    struct ek_watch_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool stop;
    uv_async_t async;
};

/* Waits a second unless a stop comes; true: stop. */
static bool pause_or_stop(struct ek_watch *watch)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* the clock of watch->stopped */
    until.tv_sec += 1;
    (void)pthread_mutex_lock(&watch->mutex);
    if (!watch->stop) {
        (void)pthread_cond_timedwait(&watch->stopped, &watch->mutex, &until);
    }
    bool stop = watch->stop;
    (void)pthread_mutex_unlock(&watch->mutex);
    return stop;
}

static bool must_stop(struct ek_watch *watch)
{
    (void)pthread_mutex_lock(&watch->mutex);
    bool stop = watch->stop;
    (void)pthread_mutex_unlock(&watch->mutex);
    return stop;
}

static void *thread_main(void *argument)
{
    struct ek_watch *watch = argument;
    bool failing = false;

    while (!must_stop(watch)) {
        struct ek_error err = {0};
        bool changed = false;
        bool ok = watch->options.wait(watch->options.store, WAIT_MS, &changed, &err);
        if (!ok && !failing) {
            ek_log(EK_LOG_WARNING, "%s: %s", watch->options.without, err.message);
        }
        failing = !ok;
        if (changed) {
            (void)uv_async_send(&watch->async);
        }
        if (!ok && pause_or_stop(watch)) {
            break;
        }
    }
    return NULL;
}

static void on_async(uv_async_t *async)
{
    struct ek_watch *watch = async->data;

    watch->options.changed(watch->options.context);
}

/* By default a condition waits on the wall clock: one that is set back by an hour would keep keys
 * and commands unheard for as long. */
static void init_locks(struct ek_watch *watch)
{
    pthread_condattr_t monotonic;

    (void)pthread_mutex_init(&watch->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->stopped, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

struct ek_watch *ek_watch_start(uv_loop_t *loop, const struct ek_watch_options *options,
                                struct ek_error *err)
{
    struct ek_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL || options->store == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a watcher of Redis");
        ek_store_destroy(options->store);
        free(watch);
        return NULL;
    }
    watch->options = *options;
    watch->async.data = watch;
    init_locks(watch);
    if (uv_async_init(loop, &watch->async, on_async) != 0 ||
        pthread_create(&watch->thread, NULL, thread_main, watch) != 0) {
        (void)ek_error_set(err, EK_ERR_IO, "cannot start a watcher of Redis");
        ek_store_destroy(options->store);
        free(watch);
        return NULL;
    }
    return watch;
}

void ek_watch_stop(struct ek_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&watch->mutex);
    watch->stop = true;
    (void)pthread_cond_signal(&watch->stopped);
    (void)pthread_mutex_unlock(&watch->mutex);
    (void)pthread_join(watch->thread, NULL);
    uv_close((uv_handle_t *)&watch->async, NULL);
}

void ek_watch_destroy(struct ek_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    ek_store_destroy(watch->options.store);
    (void)pthread_mutex_destroy(&watch->mutex);
    (void)pthread_cond_destroy(&watch->stopped);
    free(watch);
}
