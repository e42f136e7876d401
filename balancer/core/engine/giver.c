/* Givers: the hosts on the wrong side of the mean, while the policy wants moves at all. */
#include "balancer/core/engine/giver.h"

#include "balancer/core/evaluate.h"
#include "policies/policy_ops.h"

#include <assert.h>

/* A host at the mean is not above it, whatever the last digit says. */
#define SLACK 1e-9

/* Whether the host stands above the mean of those that count, or above its target, in a resource
 * that moves can earn something in. */
static bool is_high(const struct ek_cluster *cluster, uint32_t host, bool *above_target)
{
    bool high = false;

    *above_target = false;
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double u = ek_cluster_utilization(cluster, host, (enum ek_resource)r);
        double mean = cluster->counted[r] > 0 ? cluster->sum[r] / cluster->counted[r] : u;
        *above_target = *above_target || u > cluster->policy->target_max[r] + SLACK;
        high = high || (cluster->policy->weight[r] > 0 && u > mean + SLACK);
    }
    return high;
}

static bool gives(const struct ek_cluster *cluster, uint32_t host, bool wanted)
{
    const struct ek_host *it = &cluster->snapshot->hosts[host];
    bool above_target = false;

    if (it->state != EK_HOST_UP || it->maintenance) {
        return it->state == EK_HOST_UP;
    }
    if (!wanted || !cluster->hosts[host].counted) {
        return false;
    }
    bool high = is_high(cluster, host, &above_target);
    return above_target || high != (cluster->policy->kind == EK_POLICY_PACK);
}

bool ek_givers(const struct ek_snapshot *snapshot, const struct ek_policy *policy, bool *givers,
               struct ek_error *err)
{
    struct ek_cluster cluster;
    char why[EK_TEXT_SIZE];

    assert(ek_snapshot_sorted(snapshot));
    if (!ek_cluster_init(&cluster, snapshot, policy, err)) {
        return false;
    }
    struct ek_levels levels = ek_levels_of(&cluster);
    bool wanted =
        ek_policy_wants(ek_policy_find(policy->kind), &cluster, &levels, why, sizeof(why));
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        givers[h] = gives(&cluster, h, wanted);
    }
    ek_cluster_finish(&cluster);
    return true;
}
