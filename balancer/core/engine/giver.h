/* Which hosts the balancer would move domains from, as things stand: what is costly to know of a
 * domain is worth knowing there. */
#ifndef EK_CORE_GIVER_H
#define EK_CORE_GIVER_H

#include "balancer/core/policy.h"
#include "balancer/core/snapshot.h"

/* Sets givers[h] for each host of the snapshot, which is sorted: it is up, and in maintenance, or
 * counts and the policy wants moves and it stands on the side of the mean from which the policy
 * takes: above it in a resource of weight, or above a target; of `pack`, which empties hosts, not
 * above it in any. No plan is made: a domain there may stay after all, and one that a must rule
 * moves may be elsewhere. Error: NOMEM. */
bool ek_givers(const struct ek_snapshot *snapshot, const struct ek_policy *policy, bool *givers,
               struct ek_error *err);

#endif
