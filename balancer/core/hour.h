/* One hour of a host: its samples go in, what the hour was like comes out (profile.h).
 *
 * A domain's CPU is what it used and what it waited for, its memory the larger of used and resident
 * (ek_demand_sampled); the host's are what it used. A domain counts if at least half of the host's
 * samples of that hour have it: one that moves counts where it was longer. */
#ifndef EK_CORE_HOUR_H
#define EK_CORE_HOUR_H

#include "balancer/core/profile.h"

struct ek_seen;

/* Zeroed it is empty. */
struct ek_hour {
    int64_t hour;         /* since 1970; of the first sample that went in */
    struct ek_seen *seen; /* malloc'ed */
    size_t count;
    size_t room;
    size_t samples;
};

/* Adds a sample of that hour. Error: NOMEM; nothing of it is added then. */
bool ek_hour_add(struct ek_hour *hour, const struct ek_sample *sample, struct ek_error *err);

/* What the hour was like, the host first, then domains by UUID: room for ek_hour_room() of them.
 * Returns how many there are; the hour is empty afterwards. */
size_t ek_hour_room(const struct ek_hour *hour);
size_t ek_hour_close(struct ek_hour *hour, struct ek_hour_figures *figures);

/* Frees what it owns. */
void ek_hour_finish(struct ek_hour *hour);

#endif
