/* Threads around the port: hosts are read in time although single reads may hang for good. */
#include "collector/pool/pool.h"

#include "collector/clock.h"
#include "collector/pool/pool_parts.h"
#include "collector/pool/thread.h"

#include <errno.h>
#include <pthread.h>

/* One dispatcher thread follows the timetable: it queues the hosts that are due, starts workers as
 * they are needed and reports overdue reads. Workers take hosts from the queue. Threads are
 * detached and counted, since one that hangs in libvirt cannot be joined; the last one out of an
 * abandoned pool frees it.
 *
 * A host is overdue twice: soon, it gives its place up and others are read in its stead, which
 * nobody is told of (ek_timetable_patience); late, at its deadline, that is an error of the host.
 *
 * Locks: `reporting` is held around every callback; `lock` guards all else and may be taken inside
 * `reporting`, never the other way round. */

/* Of threads that cannot be had: the machine may have others to spare soon, people not. */
#define TRY_AGAIN_NS (INT64_C(1000) * EK_NS_PER_MS)
#define WARN_AGAIN_NS (INT64_C(60) * TRY_AGAIN_NS)

static void port_listen(struct ek_pool *pool, bool wanted);

/* Only when no thread is left, hence without a lock. Hints come from threads of the port's: it is
 * silenced first. */
static void pool_free(struct ek_pool *pool)
{
    port_listen(pool, false);
    if (pool->config.release != NULL) {
        pool->config.release(pool->config.port.context);
    }
    ek_pool_parts_destroy(pool);
}

/* The end of every thread, with the lock held: gives it back. */
static void thread_leave(struct ek_pool *pool)
{
    pool->threads--;
    /* Decided under the lock: after it is given back the owner, or another last thread, may free
     * the pool at any moment. */
    bool last = pool->threads == 0 && pool->abandoned;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
    if (last) {
        pool_free(pool);
    }
}

/* With the lock held, so that the new thread cannot leave before it was counted. */
static bool thread_start(struct ek_pool *pool, void *(*entry)(void *))
{
    bool started = ek_thread_start(entry, pool);

    pool->threads += started ? 1 : 0;
    return started;
}

/* Another turn may begin. */
static void place_leave(struct ek_pool *pool, struct ek_pool_host *host)
{
    if (host->placed) {
        host->placed = false;
        ek_places_leave(&pool->places);
        (void)pthread_cond_signal(&pool->work);
    }
}

/* The dispatcher sleeps until the next thing that it knew of: something may be earlier. */
static void wake_by(struct ek_pool *pool, int64_t at_ns)
{
    if (at_ns < pool->wake_ns) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* A worker begins to read, or to do what follows: each has a deadline of its own. It counts from
 * here, not from the queue: waiting for a worker is not the host's fault. */
static void host_begin(struct ek_pool *pool, struct ek_pool_host *host, enum ek_pool_work work)
{
    int64_t now_ns = ek_monotonic_ns();

    host->overdue = false;
    host->work = work;
    host->place_ns = now_ns + pool->patience_ns;
    host->deadline_ns = now_ns + pool->config.deadline_ms * EK_NS_PER_MS;
    wake_by(pool, host->placed ? host->place_ns : host->deadline_ns);
}

static bool is_busy(const struct ek_pool_host *host)
{
    return host->work == READING || host->work == FOLLOWING;
}

/* Has a waiting host read earlier than in its turn; with the lock held. A host that fails is tried
 * when its pause is over and not before. */
static void host_hurry(struct ek_pool *pool, struct ek_pool_host *host, int64_t now_ns)
{
    int64_t at_ns = 0;

    if (host->failures > 0 || host->hinted ||
        !ek_hints_take(&host->hints, now_ns, host->due_ns, &at_ns) || at_ns >= host->due_ns) {
        return;
    }
    host->due_ns = at_ns;
    host->hinted = true;
    pool->hinted++;
    wake_by(pool, at_ns);
}

/* The same for the pool's owner: at once, and whatever is in store. */
static void host_hasten(struct ek_pool *pool, struct ek_pool_host *host)
{
    if (host->failures == 0) {
        host->due_ns = ek_monotonic_ns();
        host->hinted = true;
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* The port's hint, from any thread. */
static void pool_hint(void *receiver, size_t index)
{
    struct ek_pool *pool = receiver;

    (void)pthread_mutex_lock(&pool->lock);
    struct ek_pool_host *host = &pool->hosts[index];
    if (!pool->stopping && host->work == WAITING) {
        host_hurry(pool, host, ek_monotonic_ns());
    } else if (is_busy(host)) {
        host->hinted_again = true;
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* After a read, with the lock held. `err`: why it failed, NULL when it did not. */
static void host_settle(struct ek_pool *pool, size_t index, const struct ek_error *err)
{
    struct ek_pool_host *host = &pool->hosts[index];
    int64_t now_ns = ek_monotonic_ns();

    pool->busy--;
    place_leave(pool, host);
    host->work = WAITING;
    host->failures = err == NULL ? 0 : host->failures + 1;
    if (err == NULL) {
        host->due_ns = ek_timetable_next(&pool->table, index, now_ns);
    } else {
        /* Else it answers, and refuses. */
        bool away = err->code == EK_ERR_UNAVAILABLE || err->code == EK_ERR_TIMEOUT;
        host->due_ns = ek_timetable_retry(&pool->table, host->failures, away, &host->lot, now_ns);
    }
    ek_hints_read(&host->hints, !host->hinted, now_ns);
    host->hinted = false;
    if (host->hinted_again) {
        host_hurry(pool, host, now_ns);
    }
    host->hinted_again = false;
    if (host->hastened_again) {
        host_hasten(pool, host);
    }
    host->hastened_again = false;
    wake_by(pool, host->due_ns);
}

static void host_read(struct ek_pool *pool, size_t index)
{
    const struct ek_pool_config *config = &pool->config;
    struct ek_reading reading = {0};
    struct ek_sample sample = {0};
    struct ek_error err = {0};
    /* Without any lock: this is what may hang. */
    bool done = config->port.read(config->port.context, index, &reading, &err) &&
                ek_sampler_take(&pool->hosts[index].sampler, &reading, &sample, &err);

    (void)pthread_mutex_lock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
    /* Asked behind `reporting`: once stop() has held that lock, no callback begins any more. */
    bool wanted = !pool->stopping;
    (void)pthread_mutex_unlock(&pool->lock);
    if (wanted) {
        config->result(config->context, index, done ? &sample : NULL, done ? NULL : &err);
    }
    bool more = wanted && done && config->port.after != NULL;
    (void)pthread_mutex_lock(&pool->lock);
    if (more) {
        host_begin(pool, &pool->hosts[index], FOLLOWING);
    } else {
        host_settle(pool, index, done ? NULL : &err);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_mutex_unlock(&pool->reporting);
    ek_sample_finish(&sample);
    if (more) {
        config->port.after(config->port.context, index);
        (void)pthread_mutex_lock(&pool->lock);
        host_settle(pool, index, NULL);
        (void)pthread_mutex_unlock(&pool->lock);
    }
}

/* Drops the lock meanwhile. */
static void worker_read(struct ek_pool *pool)
{
    bool placed = false;
    size_t index = ek_places_take(&pool->places, &placed);

    pool->busy++;
    pool->hosts[index].placed = placed;
    host_begin(pool, &pool->hosts[index], READING);
    (void)pthread_mutex_unlock(&pool->lock);
    host_read(pool, index);
    (void)pthread_mutex_lock(&pool->lock);
}

static void *worker_main(void *context)
{
    struct ek_pool *pool = context;

    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        if (ek_places_ready(&pool->places) > 0) {
            worker_read(pool);
        } else if (pool->workers - pool->busy > pool->config.max_workers) {
            break; /* a stand-in, or one for trials, that is not needed any more */
        } else {
            (void)pthread_cond_wait(&pool->work, &pool->lock);
        }
    }
    pool->workers--;
    thread_leave(pool);
    return NULL;
}

/* Around a callback of the dispatcher's, which has the lock: gives it back, and takes it again. */
static void report_begin(struct ek_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_mutex_lock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
}

static void report_end(struct ek_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
}

/* `index`: whose read, or what followed it, has passed its deadline. Drops the lock meanwhile. */
static void report_overdue(struct ek_pool *pool, size_t index)
{
    const struct ek_pool_config *config = &pool->config;
    const char *name = config->hosts[index];
    struct ek_error err = {0};

    report_begin(pool);
    /* Between the two locks it may have come to its end, and have reported that. */
    bool still = pool->hosts[index].overdue && !pool->stopping;
    bool following = pool->hosts[index].work == FOLLOWING;
    (void)pthread_mutex_unlock(&pool->lock);
    if (still && following) { /* no fault of its sample, which is there */
        (void)ek_error_set(&err, EK_ERR_TIMEOUT,
                           "%s: what follows a sample has no end within %lld ms, no other is taken "
                           "before that",
                           name, (long long)config->deadline_ms);
        config->warn(config->context, &err);
    } else if (still) {
        (void)ek_error_set(&err, EK_ERR_TIMEOUT, "%s: no sample within %lld ms, still waiting",
                           name, (long long)config->deadline_ms);
        config->result(config->context, index, NULL, &err);
    }
    report_end(pool);
}

/* No thread could be had: whoever hangs now has no stand-in, and the others wait. When to try
 * again. Drops the lock meanwhile when it tells of it. */
static int64_t report_shortage(struct ek_pool *pool, int64_t now_ns)
{
    struct ek_error err = {0};
    unsigned int workers = pool->workers;
    size_t waiting = ek_places_ready(&pool->places) - (workers - pool->busy);

    if (pool->warned_ns != 0 && now_ns - pool->warned_ns < WARN_AGAIN_NS) {
        return now_ns + TRY_AGAIN_NS;
    }
    pool->warned_ns = now_ns;
    report_begin(pool);
    bool wanted = !pool->stopping;
    (void)pthread_mutex_unlock(&pool->lock);
    if (wanted) {
        (void)ek_error_set(&err, EK_ERR_IO,
                           "cannot start another thread: %u are there to read hosts, hosts that "
                           "are due and wait: %zu",
                           workers, waiting);
        pool->config.warn(pool->config.context, &err);
    }
    report_end(pool);
    return now_ns; /* the lock was dropped: look again at all */
}

/* A worker for whatever may be read beyond the idle ones: at most one for each host. When to try
 * again what failed (INT64_MAX: nothing did). */
static int64_t start_workers(struct ek_pool *pool, int64_t now_ns)
{
    while (pool->workers - pool->busy < ek_places_ready(&pool->places)) {
        if (!thread_start(pool, worker_main)) {
            return report_shortage(pool, now_ns);
        }
        pool->workers++;
    }
    return INT64_MAX;
}

/* Looks after one host; when there is something to do for it next (INT64_MAX: not by the clock). */
static int64_t host_advance(struct ek_pool *pool, size_t index, int64_t now_ns)
{
    struct ek_pool_host *host = &pool->hosts[index];

    if (host->work == WAITING) {
        if (host->due_ns > now_ns) {
            return host->due_ns;
        }
        host->work = QUEUED;
        ek_places_queue(&pool->places, index, host->failures > 0);
        (void)pthread_cond_signal(&pool->work);
    } else if (host->placed && host->place_ns > now_ns) {
        return host->place_ns;
    } else if (is_busy(host) && !host->overdue) {
        place_leave(pool, host);
        if (host->deadline_ns > now_ns) {
            return host->deadline_ns;
        }
        host->overdue = true;
        report_overdue(pool, index);
        return now_ns; /* the lock was dropped: look again at all */
    }
    return INT64_MAX;
}

/* Looks at all hosts each time: a thousand comparisons per wake-up cost less than a heap that has
 * to be kept right. When to look again. */
static int64_t hosts_advance(struct ek_pool *pool)
{
    int64_t now_ns = ek_monotonic_ns();
    int64_t next_ns = INT64_MAX;

    for (size_t i = 0; i < pool->config.host_count && !pool->stopping; i++) {
        int64_t host_ns = host_advance(pool, i, now_ns);
        next_ns = host_ns < next_ns ? host_ns : next_ns;
    }
    int64_t again_ns = start_workers(pool, now_ns);
    return again_ns < next_ns ? again_ns : next_ns;
}

static void *dispatcher_main(void *context)
{
    struct ek_pool *pool = context;

    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        int64_t next_ns = hosts_advance(pool);
        pool->wake_ns = next_ns;
        if (pool->stopping) {
            break;
        }
        if (next_ns == INT64_MAX) {
            (void)pthread_cond_wait(&pool->changed, &pool->lock);
        } else {
            struct timespec until = ek_timespec(next_ns);
            (void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
        }
    }
    thread_leave(pool);
    return NULL;
}

static void port_listen(struct ek_pool *pool, bool wanted)
{
    const struct ek_collector_port *port = &pool->config.port;

    if (port->listen != NULL) {
        port->listen(port->context, wanted ? pool_hint : NULL, wanted ? pool : NULL);
    }
}

struct ek_pool *ek_pool_create(const struct ek_pool_config *config, struct ek_error *err)
{
    struct ek_pool *pool = ek_pool_parts_create(config, err);

    if (pool == NULL) {
        return NULL;
    }
    port_listen(pool, true);
    (void)pthread_mutex_lock(&pool->lock);
    bool started = thread_start(pool, dispatcher_main);
    (void)pthread_mutex_unlock(&pool->lock);
    if (!started) {
        port_listen(pool, false);
        /* The port stays the caller's when nothing was created. */
        pool->config.release = NULL;
        pool_free(pool);
        (void)ek_error_set(err, EK_ERR_IO, "cannot start a thread for the collector's pool");
        return NULL;
    }
    return pool;
}

bool ek_pool_stop(struct ek_pool *pool, int64_t wait_ms)
{
    struct timespec until = ek_timespec(ek_monotonic_ns() + wait_ms * EK_NS_PER_MS);
    int waited = 0;

    /* Behind `reporting`, so that no callback that began earlier is still under way on return. */
    (void)pthread_mutex_lock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->reporting);
    while (pool->threads > 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    }
    bool ended = pool->threads == 0;
    (void)pthread_mutex_unlock(&pool->lock);
    return ended;
}

void ek_pool_destroy(struct ek_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)ek_pool_stop(pool, 0);
    (void)pthread_mutex_lock(&pool->lock);
    pool->abandoned = true;
    bool last = pool->threads == 0;
    (void)pthread_mutex_unlock(&pool->lock);
    if (last) {
        pool_free(pool);
    }
}

void ek_pool_hasten(struct ek_pool *pool, size_t host)
{
    (void)pthread_mutex_lock(&pool->lock);
    struct ek_pool_host *it = &pool->hosts[host];
    if (it->work == WAITING) {
        host_hasten(pool, it);
    }
    it->hastened_again = is_busy(it);
    (void)pthread_mutex_unlock(&pool->lock);
}

unsigned int ek_pool_hinted(struct ek_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    unsigned int hinted = pool->hinted;
    (void)pthread_mutex_unlock(&pool->lock);
    return hinted;
}

unsigned int ek_pool_workers(struct ek_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    unsigned int workers = pool->workers;
    (void)pthread_mutex_unlock(&pool->lock);
    return workers;
}
