/* One record of libvirt's bulk statistics as a domain's reading. */
#ifndef EK_COLLECTOR_DOMAIN_STATS_H
#define EK_COLLECTOR_DOMAIN_STATS_H

#include "balancer/core/error.h"
#include "collector/sampling/reading.h"

#include <libvirt/libvirt.h>

/* Fills all but the facts, of which vcpus alone is set: the number online now, NAN when the record
 * does not say. Figures that are absent (a job of the domain was running, NOWAIT) are unknown or
 * NAN. Strings live in the arena. Errors: NOMEM; REMOTE when not even name and UUID can be had. */
bool ek_domain_stats_read(struct ek_domain_reading *out, const virDomainStatsRecord *record,
                          struct ek_arena *arena, struct ek_error *err);

/* Whether the domain looks like one end of a migration: just being started or received, paused for
 * a migration, or running here while its memory still comes in (post-copy). Of such a domain
 * nothing that may wait for its job (virDomainGetXMLDesc) must be asked: the answer can take 30 s.
 */
bool ek_domain_stats_in_transit(const struct ek_domain_reading *domain);

/* Whether it is just being started, be it for a guest that boots or for one that comes in. */
bool ek_domain_stats_starting(const struct ek_domain_reading *domain);

#endif
