/* When each host is to be read: spread over the period, and later after failures. Pure. */
#ifndef EK_COLLECTOR_TIMETABLE_H
#define EK_COLLECTOR_TIMETABLE_H

#include <stddef.h>
#include <stdint.h>

struct ek_timetable {
    int64_t start_ns;
    int64_t period_ns;
    int64_t backoff_max_ns; /* the longest pause before a host that fails is tried again */
    size_t host_count;
};

/* The first time at or after `now_ns` that lies on the host's grid start + period * (host /
 * host_count + k): a late read does not shift those that follow, and missed ones are not made up
 * for. */
int64_t ek_timetable_next(const struct ek_timetable *table, size_t host, int64_t now_ns);

/* When to try a host again after `failures` (>= 1) failed reads in a row: period * 2^(failures -
 * 1), at most backoff_max_ns, three quarters to five quarters of it by lot. `lot` is the lot's
 * state, a seed at first: equal seeds give equal times. */
int64_t ek_timetable_retry(const struct ek_timetable *table, unsigned int failures, uint64_t *lot,
                           int64_t now_ns);

#endif
