/* The timers that libvirt wants to be called by: when the next is due, and which are.
 *
 * A plain table without lock, thread or clock: the event loop around it
 * (collector/libvirt/event_loop.h) has those. Times are milliseconds of one monotonic clock. */
#ifndef EK_COLLECTOR_TIMERS_H
#define EK_COLLECTOR_TIMERS_H

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

struct ek_timer;

struct ek_timers {
    struct ek_timer *by_id;
    struct ek_timer **heap; /* all, the one to be looked at next first */
    size_t count;
    size_t room;
    struct ek_timer *due;     /* found due and not dispatched yet */
    struct ek_timer *removed; /* whose owners have not got their data back yet */
    int last_id;
};

/* "No timer is due, whatever the time." */
#define EK_TIMERS_QUIET INT64_MAX

/* One callback that is due. */
struct ek_timer_call {
    virEventTimeoutCallback function;
    int id;
    void *opaque;
};

/* The new timer's id, above 0; -1 when memory runs out. `period_ms`: every so often from now on; 0:
 * at once, and then each millisecond; below 0: never, until it is updated. */
int ek_timers_add(struct ek_timers *timers, int period_ms, int64_t now_ms,
                  virEventTimeoutCallback function, void *opaque, virFreeCallback release);

/* The period begins anew; an id that is not there is passed over. */
void ek_timers_update(struct ek_timers *timers, int id, int period_ms, int64_t now_ms);

/* False when there is no such timer. No call of it is taken after this one; what its owner gave is
 * handed back by ek_timers_take_removed(). */
bool ek_timers_remove(struct ek_timers *timers, int id);

/* None is due before: may be too early, never too late. */
int64_t ek_timers_quiet_until_ms(const struct ek_timers *timers);

/* Finds all that are due: those that are added or updated from now on wait for the next time. */
void ek_timers_note(struct ek_timers *timers, int64_t now_ms);

/* Takes the next call that is due; false when none is. */
bool ek_timers_take_call(struct ek_timers *timers, struct ek_timer_call *call);

/* Takes the data of a removed timer, with the function that releases it (may be NULL). */
bool ek_timers_take_removed(struct ek_timers *timers, virFreeCallback *release, void **opaque);

#endif
