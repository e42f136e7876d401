/* Threads around the port: hosts are read in time although single reads may hang for good. */
#include "collector/pool.h"

#include "collector/clock.h"
#include "collector/sampler.h"
#include "collector/timetable.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* One dispatcher thread follows the timetable: it queues the hosts that are due, starts workers as
 * they are needed and reports overdue reads. Workers take hosts from the queue. Threads are
 * detached and counted, since one that hangs in libvirt cannot be joined; the last one out of an
 * abandoned pool frees it.
 *
 * Locks: `reporting` is held around every callback; `lock` guards all else and may be taken inside
 * `reporting`, never the other way round. */

/* libvirt, GnuTLS and the resolver stay far below; thousands of hosts hang at small cost. */
enum { STACK_BYTES = 256 * 1024 };

enum work { WAITING, QUEUED, READING };

/* Guarded by the pool's lock, but for the sampler, which belongs to the worker while the host is
 * READING. */
struct host {
    enum work work;
    int64_t due_ns;      /* WAITING: when to queue it */
    int64_t deadline_ns; /* READING: when its read counts as hung */
    bool overdue;        /* READING: beyond the deadline, reported or about to be */
    bool hinted;         /* the read that is due, queued or running is out of turn */
    bool hinted_again;   /* READING: a hint came meanwhile, what it is about may be missed */
    bool hastened_again; /* READING: the same by ek_pool_hasten */
    struct ek_hints hints;
    unsigned int failures;
    uint64_t lot;
    size_t next_queued;
    struct ek_sampler sampler; /* of the worker that reads the host */
};

struct ek_pool {
    struct ek_pool_config config;
    struct ek_timetable table;
    struct host *hosts;
    struct ek_arena arena; /* names */

    pthread_mutex_t reporting;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a host was queued */
    pthread_cond_t
        changed; /* for the dispatcher: something fell due earlier; for stop: a thread ended */
    size_t queue_first;
    size_t queue_last;
    size_t queued;
    unsigned int threads; /* workers and dispatcher */
    unsigned int workers;
    unsigned int idle;
    unsigned int overdue;
    unsigned int hinted; /* reads out of turn, ever */
    int64_t wake_ns;     /* when the dispatcher wakes by itself */
    bool stopping;
    bool abandoned;
};

static void port_listen(struct ek_pool *pool, bool wanted);

/* Only when no thread is left, hence without a lock. Hints come from threads of the port's: it is
 * silenced first. */
static void pool_free(struct ek_pool *pool)
{
    port_listen(pool, false);
    if (pool->config.release != NULL) {
        pool->config.release(pool->config.port.context);
    }
    for (size_t i = 0; i < pool->config.host_count; i++) {
        ek_sampler_finish(&pool->hosts[i].sampler);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_mutex_destroy(&pool->reporting);
    ek_arena_finish(&pool->arena);
    free(pool->hosts);
    free(pool);
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

static bool thread_start(struct ek_pool *pool, void *(*entry)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    /* Failing to set an attribute leaves the default, which is larger: no harm. */
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals belong to the program's main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, entry, pool) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    /* With the lock held, so that the new thread cannot leave before it was counted. */
    pool->threads += started ? 1 : 0;
    return started;
}

/* A list through the hosts by index: each is in the queue at most once, so that nothing has to be
 * allocated. */
static void queue_push(struct ek_pool *pool, size_t index)
{
    pool->hosts[index].work = QUEUED;
    if (pool->queued == 0) {
        pool->queue_first = index;
    } else {
        pool->hosts[pool->queue_last].next_queued = index;
    }
    pool->queue_last = index;
    pool->queued++;
    (void)pthread_cond_signal(&pool->work);
}

static size_t queue_pop(struct ek_pool *pool)
{
    size_t index = pool->queue_first;

    pool->queue_first = pool->hosts[index].next_queued;
    pool->queued--;
    return index;
}

/* Has a waiting host read earlier than in its turn; with the lock held. A host that fails is tried
 * when its pause is over and not before. */
static void host_hurry(struct ek_pool *pool, struct host *host, int64_t now_ns)
{
    int64_t at_ns = 0;

    if (host->failures > 0 || host->hinted ||
        !ek_hints_take(&host->hints, now_ns, host->due_ns, &at_ns) || at_ns >= host->due_ns) {
        return;
    }
    host->due_ns = at_ns;
    host->hinted = true;
    pool->hinted++;
    if (at_ns < pool->wake_ns) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* The same for the pool's owner: at once, and whatever is in store. */
static void host_hasten(struct ek_pool *pool, struct host *host)
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
    struct host *host = &pool->hosts[index];
    if (!pool->stopping && host->work == WAITING) {
        host_hurry(pool, host, ek_monotonic_ns());
    } else if (host->work == READING) {
        host->hinted_again = true;
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* After a read, with the lock held. */
static void host_settle(struct ek_pool *pool, size_t index, bool done)
{
    struct host *host = &pool->hosts[index];
    int64_t now_ns = ek_monotonic_ns();

    pool->overdue -= host->overdue ? 1 : 0;
    host->overdue = false;
    host->work = WAITING;
    host->failures = done ? 0 : host->failures + 1;
    host->due_ns = done ? ek_timetable_next(&pool->table, index, now_ns)
                        : ek_timetable_retry(&pool->table, host->failures, &host->lot, now_ns);
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
    /* The dispatcher sleeps until the next thing that it knew of; this one is earlier. */
    if (host->due_ns < pool->wake_ns) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* The read is over and reported, what the port does after it begins: its deadline is its own. With
 * the lock held. */
static void host_extend(struct ek_pool *pool, size_t index)
{
    struct host *host = &pool->hosts[index];

    pool->overdue -= host->overdue ? 1 : 0;
    host->overdue = false;
    host->deadline_ns = ek_monotonic_ns() + pool->config.deadline_ms * EK_NS_PER_MS;
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
        host_extend(pool, index);
    } else {
        host_settle(pool, index, done);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_mutex_unlock(&pool->reporting);
    ek_sample_finish(&sample);
    if (more) {
        config->port.after(config->port.context, index);
        (void)pthread_mutex_lock(&pool->lock);
        host_settle(pool, index, true);
        (void)pthread_mutex_unlock(&pool->lock);
    }
}

/* Overdue workers have stand-ins, which leave again when the hung reads are over. */
static unsigned int workers_allowed(const struct ek_pool *pool)
{
    unsigned int hung = pool->overdue;

    if (hung > pool->config.max_hung) {
        hung = pool->config.max_hung;
    }
    return pool->config.max_workers + hung;
}

static void *worker_main(void *context)
{
    struct ek_pool *pool = context;

    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping && pool->workers <= workers_allowed(pool)) {
        if (pool->queued == 0) {
            pool->idle++;
            (void)pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
            continue;
        }
        /* The deadline counts from here, not from the queue: waiting for a worker is not the host's
         * fault. */
        size_t index = queue_pop(pool);
        pool->hosts[index].work = READING;
        pool->hosts[index].deadline_ns =
            ek_monotonic_ns() + pool->config.deadline_ms * EK_NS_PER_MS;
        if (pool->hosts[index].deadline_ns < pool->wake_ns) {
            (void)pthread_cond_broadcast(&pool->changed);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        host_read(pool, index);
        (void)pthread_mutex_lock(&pool->lock);
    }
    pool->workers--;
    /* It may have been woken for a host that it now leaves to another. */
    (void)pthread_cond_signal(&pool->work);
    thread_leave(pool);
    return NULL;
}

/* A worker for what is queued beyond the idle ones, as far as the bound allows. */
static void start_workers(struct ek_pool *pool)
{
    for (size_t i = pool->idle; i < pool->queued && pool->workers < workers_allowed(pool); i++) {
        if (!thread_start(pool, worker_main)) {
            return; /* those that run go on; the next round tries again */
        }
        pool->workers++;
    }
}

/* Tells of a read that has passed its deadline, unless it ended meanwhile. Takes and drops the
 * lock. */
static void report_overdue(struct ek_pool *pool, size_t index)
{
    struct ek_error err = {0};

    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_mutex_lock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
    /* Between the two locks the read may have come to its end and reported itself. */
    bool still = pool->hosts[index].overdue && !pool->stopping;
    (void)pthread_mutex_unlock(&pool->lock);
    if (still) {
        (void)ek_error_set(&err, EK_ERR_TIMEOUT, "%s: no sample within %lld ms, still waiting",
                           pool->config.hosts[index], (long long)pool->config.deadline_ms);
        pool->config.result(pool->config.context, index, NULL, &err);
    }
    (void)pthread_mutex_unlock(&pool->reporting);
    (void)pthread_mutex_lock(&pool->lock);
}

/* Looks after one host; when there is something to do for it next (INT64_MAX: not by the clock). */
static int64_t host_advance(struct ek_pool *pool, size_t index, int64_t now_ns)
{
    struct host *host = &pool->hosts[index];

    if (host->work == WAITING) {
        if (host->due_ns > now_ns) {
            return host->due_ns;
        }
        queue_push(pool, index);
    } else if (host->work == READING && !host->overdue) {
        if (host->deadline_ns > now_ns) {
            return host->deadline_ns;
        }
        host->overdue = true;
        pool->overdue++;
        report_overdue(pool, index);
        return now_ns; /* the lock was dropped: look again at all */
    }
    return INT64_MAX;
}

/* Looks at all hosts each time: a thousand comparisons per wake-up cost less than a heap that has
 * to be kept right. */
static void *dispatcher_main(void *context)
{
    struct ek_pool *pool = context;

    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        int64_t now_ns = ek_monotonic_ns();
        int64_t next_ns = INT64_MAX;
        for (size_t i = 0; i < pool->config.host_count && !pool->stopping; i++) {
            int64_t host_ns = host_advance(pool, i, now_ns);
            next_ns = host_ns < next_ns ? host_ns : next_ns;
        }
        start_workers(pool);
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

static bool config_check(const struct ek_pool_config *config, struct ek_error *err)
{
    if (config->host_count == 0 || config->period_ms <= 0 || config->deadline_ms <= 0 ||
        config->max_workers == 0) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "found %zu hosts, a period of %lld ms, a deadline of %lld ms and %u "
                            "workers, expected more than none of each",
                            config->host_count, (long long)config->period_ms,
                            (long long)config->deadline_ms, config->max_workers);
    }
    return true;
}

/* Threads outlive the caller's configuration, hung ones even the pool's owner. */
static bool config_copy(struct ek_pool *pool, const struct ek_pool_config *config)
{
    const char **names = ek_arena_alloc(&pool->arena, config->host_count, sizeof(*names));

    pool->config = *config;
    pool->config.hosts = names;
    pool->config.collector = ek_arena_strdup(&pool->arena, config->collector);
    pool->hosts = calloc(config->host_count, sizeof(*pool->hosts));
    if (names == NULL || pool->config.collector == NULL || pool->hosts == NULL) {
        return false;
    }
    for (size_t i = 0; i < config->host_count; i++) {
        names[i] = ek_arena_strdup(&pool->arena, config->hosts[i]);
        if (names[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void hosts_init(struct ek_pool *pool)
{
    const struct ek_pool_config *config = &pool->config;

    pool->table = (struct ek_timetable){.start_ns = ek_monotonic_ns(),
                                        .period_ns = config->period_ms * EK_NS_PER_MS,
                                        .backoff_max_ns = config->backoff_max_ms * EK_NS_PER_MS,
                                        .host_count = config->host_count};
    /* A failing host is never asked more often than one that answers. */
    if (pool->table.backoff_max_ns < pool->table.period_ns) {
        pool->table.backoff_max_ns = pool->table.period_ns;
    }
    for (size_t i = 0; i < config->host_count; i++) {
        struct host *host = &pool->hosts[i];
        host->due_ns = ek_timetable_next(&pool->table, i, pool->table.start_ns);
        host->lot = config->seed + i;
        ek_hints_init(&host->hints);
        ek_sampler_init(&host->sampler, config->hosts[i], config->collector, config->period_ms);
    }
}

/* CLOCK_MONOTONIC for both: with the default a step of the wall clock would let all waits end at
 * once, or none. */
static void locks_init(struct ek_pool *pool)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->changed, &monotonic);
    (void)pthread_cond_init(&pool->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_mutex_init(&pool->reporting, NULL);
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
    if (!config_check(config, err)) {
        return NULL;
    }
    struct ek_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL || !config_copy(pool, config)) {
        if (pool != NULL) {
            ek_arena_finish(&pool->arena);
            free(pool->hosts);
            free(pool);
        }
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a pool of %zu hosts",
                           config->host_count);
        return NULL;
    }
    hosts_init(pool);
    locks_init(pool);
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
    struct host *it = &pool->hosts[host];
    if (it->work == WAITING) {
        host_hasten(pool, it);
    }
    it->hastened_again = it->work == READING;
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
