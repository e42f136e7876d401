/* What a live migration will cost: the pre-copy model.
 *
 * Rounds of t = left / bandwidth; in each the guest dirties dirty * t, at most what it has
 * resident; until what is left can be sent within max_downtime (docs/planner.md; the model of
 * Clark et al., NSDI 2005). */
#ifndef EK_CORE_MIGRATION_COST_H
#define EK_CORE_MIGRATION_COST_H

#include "balancer/core/policy.h"
#include "balancer/core/snapshot.h"

/* No duration is longer: longer than any operator waits, and thousands add up within int64_t. */
#define EK_FOREVER_MS 1e14

struct ek_cost {
    double transfer_mib; /* all rounds, local disks included, times the learned factor */
    int64_t duration_ms; /* at least 1 */
    int64_t downtime_ms;
    bool converges; /* false: the guest dirties memory faster than the link; auto-converge or abort
                     */
};

/* The cost at `bandwidth_mib_s` > 0. When the model does not converge, duration and bytes are those
 * after 30 rounds, which is where an operator would give up. */
struct ek_cost ek_migration_cost(const struct ek_domain *domain, double bandwidth_mib_s,
                                 int64_t max_downtime_ms);

/* What one migration between the two hosts gets, in MiB/s: the slower of their links, within the
 * policy's bandwidths; what leaves a host with a deadline may get more (pace.h). */
double ek_migration_rate(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                         uint32_t source, uint32_t destination);

/* How long one attempt may take: the larger of timeout_min and timeout_per_gib times what is to be
 * copied. */
int64_t ek_migration_timeout_ms(const struct ek_domain *domain, const struct ek_policy *policy);

#endif
