/* Every policy that policy.yaml can name, one line each. */
#include "policies/policy_ops.h"

#include <assert.h>
#include <stdio.h>

const struct ek_policy_ops *ek_policy_find(enum ek_policy_kind kind)
{
    static const struct ek_policy_ops *const policies[] = {
        [EK_POLICY_SPREAD] = &ek_policy_spread,
        [EK_POLICY_HOTSPOT] = &ek_policy_hotspot,
        [EK_POLICY_PACK] = &ek_policy_pack,
    };

    assert((unsigned int)kind < sizeof(policies) / sizeof(policies[0]));
    assert(policies[kind] != NULL);
    return policies[kind];
}

/* A cluster that nobody sees must not be called a level one. */
bool ek_policy_wants(const struct ek_policy_ops *ops, const struct ek_cluster *cluster,
                     const struct ek_levels *levels, char *why, size_t why_size)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool seen = false;

    assert(ops != NULL && ops->wants != NULL);
    if (levels->hottest.host != EK_NONE) {
        return ops->wants(cluster, levels, why, why_size);
    }
    for (size_t h = 0; h < snapshot->host_count; h++) {
        seen = seen || snapshot->hosts[h].state == EK_HOST_UP;
    }
    (void)snprintf(why, why_size, "%s",
                   seen ? "no host is up that is to be levelled" : "no host can be seen");
    return false;
}
