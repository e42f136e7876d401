/* Relief: ending overload with the fewest moves. What `hotspot` is for, and what `pack` does
 * before anything else. */
#ifndef EK_POLICIES_RELIEF_H
#define EK_POLICIES_RELIEF_H

#include "balancer/core/evaluate.h"
#include "policies/steps.h"

/* What stands highest above its target, of the hosts that count; equal ones: the first. EK_NONE:
 * nothing does. */
struct ek_hottest ek_relief_worst(const struct ek_cluster *cluster);

/* Whether the host is above a target in some resource. */
bool ek_relief_hot(const struct ek_cluster *cluster, uint32_t host);

/* Takes the steps that end the overload of every host where that can be done, of each with as few
 * domains as possible and of those sets the cheapest that was found; where it cannot be ended whole
 * it is lessened. Error: NOMEM. */
bool ek_relief(struct ek_steps *steps, struct ek_error *err);

/* "cpu of h1 93 % -> 71 %, of h2 20 % -> 42 %": of the resource in which the source stands highest
 * above its target. Owned by the arena; NULL: out of memory. */
const char *ek_relief_reason(const struct ek_search *search, const struct ek_candidate *chosen,
                             struct ek_arena *arena);

#endif
