/* hotspot: touch only what is above its target. See hotspot.md. */
#include "policies/policy_ops.h"
#include "policies/relief.h"

#include <assert.h>
#include <stdio.h>

/* Pairs of domain and host that may be looked at for one plan: some tenths of a second. */
#define LOOKS 20000000

static bool wants(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size)
{
    const struct ek_hottest worst = ek_relief_worst(cluster);

    (void)levels;
    assert(why_size > 0);
    if (cluster->policy->aggressiveness <= 1) {
        (void)snprintf(why, why_size, "aggressiveness 1 moves for maintenance only");
        return false;
    }
    if (worst.host == EK_NONE) {
        (void)snprintf(why, why_size, "no host is above its target");
        return false;
    }
    (void)snprintf(why, why_size, "%s of %s is at %.0f %%, above its target",
                   cluster->policy->resources.names[worst.resource],
                   cluster->snapshot->hosts[worst.host].name, 100 * worst.utilization);
    return true;
}

static bool choose(struct ek_search *search, struct ek_choice *choices, size_t limit, size_t *count,
                   struct ek_error *err)
{
    struct ek_steps steps;

    bool ok = ek_steps_init(&steps, search, choices, limit, err);
    steps.looks = LOOKS;
    steps.keep_empty = search->cluster->policy->kind == EK_POLICY_PACK;
    ok = ok && ek_relief(&steps, err);
    *count = ok ? steps.count : 0;
    return ok;
}

const struct ek_policy_ops ek_policy_hotspot = {
    .name = "hotspot",
    .kind = EK_MOVE_BALANCE,
    .chooses = "moves the fewest domains that end an overload",
    .quiet = "no domain of it fits on another host below the target",
    .wants = wants,
    .choose = choose,
    .reason = ek_relief_reason};
