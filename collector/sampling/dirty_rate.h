/* Which domains' dirty rates are measured when, and what came of it: the memory of one host. Pure.
 *
 * libvirt measures on request only, for a second, and a request costs the guest's monitor a turn:
 * so only domains that may be moved are measured, few of them at once, each seldom. A result stands
 * until the next one, for a day at most, and only as long as the domain has the same id. */
#ifndef EK_COLLECTOR_DIRTY_RATE_H
#define EK_COLLECTOR_DIRTY_RATE_H

#include "collector/sampling/reading.h"

enum {
    EK_DIRTY_AT_ONCE = 4, /* measurements of one host that are under way */
    EK_DIRTY_SECONDS = 1, /* of one measurement */
};

struct ek_dirty_entry;

/* Embedded; owned by one thread at a time. */
struct ek_dirty_rates {
    int64_t every_ns;               /* 0: nothing is ever measured */
    struct ek_dirty_entry *entries; /* uthash by UUID */
    size_t pending;                 /* of them: under way */
};

/* What is to be measured next. */
struct ek_dirty_choice {
    const char *uuid; /* the reading's */
    int id;
};

void ek_dirty_init(struct ek_dirty_rates *rates, int64_t every_ms);

/* Takes in a reading: forgets what is not there any more or has another id, gives up what brought
 * no result for a minute, and says each domain's dirty rate in it. Results that came with this
 * reading go in before (ek_dirty_result). */
void ek_dirty_fill(struct ek_dirty_rates *rates, struct ek_reading *reading);

/* The domains to measure now: those that run, may be moved, answered in this reading, and were not
 * asked within the interval; first those that were never asked or longest ago, then those with most
 * resident memory. Returns how many, as many as may still be under way at most. */
size_t ek_dirty_choose(const struct ek_dirty_rates *rates, const struct ek_reading *reading,
                       struct ek_dirty_choice chosen[EK_DIRTY_AT_ONCE]);

/* A measurement was asked for at that time of the monotonic clock. False: out of memory, it is not
 * to be asked for. */
bool ek_dirty_begin(struct ek_dirty_rates *rates, const char *uuid, int id, int64_t now_ns);

/* Whether one of that domain is under way. */
bool ek_dirty_pending(const struct ek_dirty_rates *rates, const char *uuid);

/* One that is under way has ended, with a rate in MiB/s or with none (NAN): then the rate before it
 * stands. */
void ek_dirty_result(struct ek_dirty_rates *rates, const char *uuid, double mib_s);

void ek_dirty_finish(struct ek_dirty_rates *rates);

#endif
