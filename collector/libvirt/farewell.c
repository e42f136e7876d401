/* A last round of all hosts, by a few threads. */
#include "collector/libvirt/farewell.h"

#include "collector/clock.h"
#include "collector/pool/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A round trip each is a few milliseconds, and a thousand hosts shall be done within a second. */
enum { THREADS = 32 };

/* Its users are whoever called and the threads; the last one frees it. */
struct round {
    struct ek_farewell_work work;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a thread has */
    size_t next;
    size_t threads;
    bool left; /* the caller waits no longer */
};

static void round_free(struct round *round)
{
    (void)pthread_cond_destroy(&round->ended);
    (void)pthread_mutex_destroy(&round->lock);
    free(round);
}

static void *thread_main(void *context)
{
    struct round *round = context;

    (void)pthread_mutex_lock(&round->lock);
    while (round->next < round->work.count) {
        size_t index = round->next++;
        (void)pthread_mutex_unlock(&round->lock);
        round->work.each(round->work.context, index);
        (void)pthread_mutex_lock(&round->lock);
    }
    bool last = round->threads == 1;
    if (last) { /* nobody else is at it: the lock is only the caller's to wait for */
        round->work.finish(round->work.context);
    }
    round->threads--;
    bool mine = last && round->left;
    (void)pthread_cond_broadcast(&round->ended);
    (void)pthread_mutex_unlock(&round->lock);
    if (mine) {
        round_free(round);
    }
    return NULL;
}

static struct round *round_create(const struct ek_farewell_work *work)
{
    struct round *round = calloc(1, sizeof(*round));
    pthread_condattr_t monotonic;

    if (round != NULL) {
        round->work = *work;
        (void)pthread_condattr_init(&monotonic);
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&round->ended, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
        (void)pthread_mutex_init(&round->lock, NULL);
    }
    return round;
}

static bool do_all_here(const struct ek_farewell_work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        work->each(work->context, i);
    }
    work->finish(work->context);
    return true;
}

bool ek_farewell(const struct ek_farewell_work *work, int64_t wait_ms)
{
    struct timespec until = ek_timespec(ek_monotonic_ns() + wait_ms * EK_NS_PER_MS);
    struct round *round = round_create(work);
    int waited = 0;

    if (round == NULL) {
        return do_all_here(work);
    }
    (void)pthread_mutex_lock(&round->lock);
    while (round->threads < THREADS && round->threads < work->count &&
           ek_thread_start(thread_main, round)) {
        round->threads++;
    }
    bool begun = round->threads > 0;
    while (round->threads > 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&round->ended, &round->lock, &until);
    }
    bool ended = round->threads == 0;
    round->left = true;
    (void)pthread_mutex_unlock(&round->lock);
    if (ended) {
        round_free(round);
    }
    return begun ? ended : do_all_here(work);
}
