/* The worker pool: reads every host once per period and hands each sample on.
 *
 * Reads are blocking and may hang for as long as they like; the pool's promises:
 *   - the hosts' reads are spread over the period (host i at i/n of it), so that no burst arises;
 *   - a host whose read still runs is not read again: a hung host costs one thread;
 *   - a read that takes long, be it long before its deadline (ek_timetable_patience), does not
 *     count against `max_workers`, and neither does one of a host that failed before: they have
 *     threads of their own, as many as there are such hosts, so that the hosts that answer are
 *     served on time;
 *   - a failed host is tried again later and later, one that cannot be reached about twice per
 *     period, with seeded jitter;
 *   - a host of which the port hints is read at once, within bounds (timetable.h);
 *   - callbacks never overlap, and none comes after ek_pool_stop() has returned.
 * Nothing polls: threads sleep on condition variables until the next time in the timetable. */
#ifndef EK_COLLECTOR_POOL_H
#define EK_COLLECTOR_POOL_H

#include "balancer/core/snapshot.h"
#include "collector/port.h"

#include <stdint.h>

struct ek_pool;

/* A host's newest sample, or NULL and why there is none; called from the pool's threads. The
 * callback may take the sample over: copy the struct and zero *sample; else it is freed after the
 * call. A read that has run longer than the deadline is reported once, as TIMEOUT, while it goes
 * on; when it ends after all, what it brought is reported as well. Must not call the pool. */
typedef void ek_pool_result(void *context, size_t host, struct ek_sample *sample,
                            const struct ek_error *err);

/* What an operator should know of although no sample has failed, as a sentence: that what a port
 * does after a sample (ek_collector_port.after) has run longer than the deadline, once each time;
 * that no thread can be had for hosts that are due, once a minute. From the pool's threads, never
 * while another callback runs. Must not call the pool. */
typedef void ek_pool_warning(void *context, const struct ek_error *err);

struct ek_pool_config {
    struct ek_collector_port port;
    const char *const *hosts; /* names, in the port's order; copied */
    size_t host_count;
    const char *collector; /* whose samples these are, "hostname:pid"; copied */
    int64_t period_ms;
    int64_t deadline_ms;      /* > 0; when a read, or what follows it, counts as hung */
    int64_t backoff_max_ms;   /* longest pause of a host that refuses; at least a period */
    unsigned int max_workers; /* > 0; hosts that are read in their turn at once */
    uint64_t seed;            /* of the jitter */
    ek_pool_result *result;
    ek_pool_warning *warn;
    void *context;
    /* Called once when no thread uses the port any more, from ek_pool_destroy or, when a read
     * hangs, from its thread at whatever time it ends; frees what port.context points to. May be
     * NULL. */
    void (*release)(void *port_context);
};

/* Starts reading. Errors: NOMEM; INVALID for a config without hosts, period, deadline or workers;
 * IO when no thread can be had; `release` is not called on error. */
struct ek_pool *ek_pool_create(const struct ek_pool_config *config, struct ek_error *err);

/* Starts no more reads and waits up to `wait_ms` for those that run. False: some hang still. No
 * callback comes after it returned. May be called again, to wait longer. Not from a callback. */
bool ek_pool_stop(struct ek_pool *pool, int64_t wait_ms);

/* Stops without waiting and frees; takes NULL. What hung reads still use lives on until the last of
 * them ends. */
void ek_pool_destroy(struct ek_pool *pool);

/* Reads a host out of turn and at once, because its owner knows that something has changed there:
 * no hint of the port's is as sure, and none of their store is taken. A read that is under way
 * began before and is followed by another one; a host that fails keeps its pause. From any thread,
 * not from a callback. */
void ek_pool_hasten(struct ek_pool *pool, size_t host);

/* Whose reads came out of turn, because of hints; for statistics and tests. */
unsigned int ek_pool_hinted(struct ek_pool *pool);

/* How many threads read or could: at most one for each host, and of those that do not up to
 * `max_workers`; for statistics and tests. */
unsigned int ek_pool_workers(struct ek_pool *pool);

#endif
