/* Every policy that policy.yaml can name, one line each. */
#include "policies/policy_ops.h"

#include <assert.h>

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
