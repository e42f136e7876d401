/* When each host is to be read: spread over the period, and later after failures. Pure. */
#ifndef EK_COLLECTOR_TIMETABLE_H
#define EK_COLLECTOR_TIMETABLE_H

#include <stdbool.h>
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

/* How long one host's read may keep others from being read when `workers` may run at once: half of
 * what each would have if all took equally long, and at most a second. So not even hosts that
 * follow one another in the timetable, and all hang, ever delay one that answers. In nanoseconds.
 */
int64_t ek_timetable_patience(const struct ek_timetable *table, size_t workers);

/* When to try a host again after `failures` (>= 1) failed reads in a row: period * 2^(failures -
 * 1), at most backoff_max_ns, three quarters to five quarters of it by lot. One that is `away`,
 * that could not be reached, after an eighth of that, at most half a period: to look is cheap, and
 * with the time that a look takes it shall be sampled within a period after its return. `lot` is
 * the lot's state, a seed at first: equal seeds give equal times. */
int64_t ek_timetable_retry(const struct ek_timetable *table, unsigned int failures, bool away,
                           uint64_t *lot, int64_t now_ns);

/* Readings out of turn, which hints ask for. A migration gives half a dozen hints on each of its
 * hosts and a drain a hundred: they may not cost more than half as much again as the timetable, so
 * every reading in turn earns the right to half a one out of turn, up to four in store. */
struct ek_hints {
    unsigned int credit; /* in halves of a reading */
    int64_t read_at_ns;  /* when the host was read last; 0: never */
};

/* A full store. */
void ek_hints_init(struct ek_hints *hints);

/* The host was read, in turn or not. */
void ek_hints_read(struct ek_hints *hints, bool in_turn, int64_t now_ns);

/* When to read the host because of a hint: a moment later, so that hints of one moment cost one
 * reading, and not sooner than half a second after the reading before. False: nothing is in store,
 * its next turn must do. Takes one from the store when that time is before `due_ns`; else *at_ns is
 * due_ns. */
bool ek_hints_take(struct ek_hints *hints, int64_t now_ns, int64_t due_ns, int64_t *at_ns);

#endif
