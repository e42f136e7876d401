/* spread: level every resource over all hosts. See spread.md. */
#include "balancer/core/noise.h"
#include "policies/policy_ops.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Overload that falls by less, and worth of less, is rounding and no relief. */
#define RELIEF 1e-6

/* No host that counts: nothing to level, and nothing is uncomfortable. */
static bool comfortable(const struct ek_cluster *cluster, const struct ek_levels *levels)
{
    return levels->hottest.host == EK_NONE ||
           levels->hottest.utilization < cluster->policy->trigger_comfort;
}

/* What stands highest above its target; equal ones: the first by name. EK_NONE: nothing does. */
static struct ek_hottest worst_violation(const struct ek_cluster *cluster)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    struct ek_hottest worst = {.host = EK_NONE};
    double above = RELIEF;

    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        for (unsigned int r = 0; cluster->hosts[h].counted && r < cluster->resource_count; r++) {
            double u = ek_cluster_utilization(cluster, h, (enum ek_resource)r);
            /* The distance from its own target counts: 80 % of memory may be well where 80 % of CPU
             * is not. */
            double by = u - cluster->policy->target_max[r];
            bool equal = worst.host != EK_NONE && !(by < above) && !(by > above) &&
                         strcmp(snapshot->hosts[h].name, snapshot->hosts[worst.host].name) < 0;
            if (by > above || equal) {
                above = by;
                worst = (struct ek_hottest){h, (enum ek_resource)r, u};
            }
        }
    }
    return worst;
}

static bool wants(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size)
{
    const struct ek_policy *policy = cluster->policy;

    /* Asked for here, since an overloaded host triggers whatever the thresholds are. */
    assert(why_size > 0);
    if (policy->aggressiveness <= 1) {
        (void)snprintf(why, why_size, "aggressiveness 1 moves for must rules and maintenance only");
        return false;
    }
    /* Before comfort: a host above its target is no comfort, however idle the mean is. */
    const struct ek_hottest worst = worst_violation(cluster);
    if (worst.host != EK_NONE) {
        (void)snprintf(why, why_size, "%s of %s is at %.0f %%, above its target",
                       policy->resources.names[worst.resource],
                       cluster->snapshot->hosts[worst.host].name, 100 * worst.utilization);
        return true;
    }
    if (comfortable(cluster, levels)) {
        (void)snprintf(why, why_size, "every host is below the comfort threshold of %.0f %%",
                       100 * policy->trigger_comfort);
        return false;
    }
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        /* A resource without weight earns nothing by moving, so it must not ask for moves. */
        double beyond = ek_noise_beyond(cluster, (enum ek_resource)r, levels->imbalance[r]);
        if (policy->weight[r] > 0 && beyond > policy->trigger_imbalance) {
            (void)snprintf(why, why_size, "imbalance of %s is %.3f, above the trigger of %.3f",
                           policy->resources.names[r], levels->imbalance[r],
                           policy->trigger_imbalance);
            return true;
        }
    }
    (void)snprintf(why, why_size, "imbalance is below the trigger of %.3f",
                   policy->trigger_imbalance);
    return false;
}

/* Relief of overload counts many times what levelling does, and yet must earn its cost; all else
 * must earn it by levelling and may not add overload. */
static bool pays(const struct ek_candidate *candidate)
{
    return candidate->overload_fall > RELIEF
               ? ek_candidate_relieves(candidate)
               : candidate->overload_fall > -RELIEF && candidate->worth > RELIEF;
}

static struct ek_candidate next(struct ek_search *search)
{
    struct ek_candidate best = ek_search_best(search, pays);

    assert(best.domain == EK_NONE || pays(&best));
    return best;
}

/* The resource in which the source stands highest above its destination is why the domain leaves.
 */
static const char *reason(const struct ek_search *search, const struct ek_candidate *chosen,
                          struct ek_arena *arena)
{
    const struct ek_cluster *cluster = search->cluster;
    uint32_t source = cluster->host_of[chosen->domain];
    enum ek_resource worst = EK_CPU;
    double fall = 0;

    assert(source != chosen->destination);
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double there = ek_cluster_utilization(cluster, chosen->destination, resource);
        double step = ek_cluster_utilization(cluster, source, resource) - there;
        if (cluster->policy->weight[r] > 0 && step > fall) {
            fall = step;
            worst = resource;
        }
    }
    /* Among moves that level, should rules may have decided for this one. */
    uint32_t mended =
        ek_rule_set_mended(&cluster->rules, EK_SHOULD, chosen->domain, chosen->destination);
    return ek_arena_printf(
        arena, "%s%s of %s %.0f %% -> %.0f %%, of %s %.0f %% -> %.0f %%%s%s",
        pays(chosen) ? "" : "pays together with other moves; ",
        cluster->policy->resources.names[worst], cluster->snapshot->hosts[source].name,
        100 * ek_cluster_utilization(cluster, source, worst),
        100 * ek_cluster_utilization_with(cluster, source, worst, chosen->domain, -1),
        cluster->snapshot->hosts[chosen->destination].name,
        100 * ek_cluster_utilization(cluster, chosen->destination, worst),
        100 * ek_cluster_utilization_with(cluster, chosen->destination, worst, chosen->domain, 1),
        mended == EK_NONE ? "" : "; mends should rule ",
        mended == EK_NONE ? "" : ek_rule_set_rule(&cluster->rules, mended)->name);
}

const struct ek_policy_ops ek_policy_spread = {.name = "spread",
                                               .kind = EK_MOVE_BALANCE,
                                               .quiet = "no move earns more than it costs",
                                               .wants = wants,
                                               .pays = pays,
                                               .next = next,
                                               .reason = reason};
