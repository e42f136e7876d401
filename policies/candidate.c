/* How possible moves are rated and ranked, the same for every policy. */
#include "balancer/core/migration_cost.h"
#include "policies/policy_ops.h"

#include <assert.h>
#include <string.h>

/* Differences below this are rounding. */
#define EPSILON 1e-9

struct ek_candidate ek_candidate_rate(const struct ek_search *search, uint32_t domain,
                                      uint32_t destination)
{
    const struct ek_cluster *cluster = search->cluster;
    const struct ek_domain *it = &cluster->snapshot->domains[domain];
    struct ek_score now = ek_cluster_score(cluster);
    struct ek_score after = ek_cluster_score_after(cluster, domain, destination);
    double rate = ek_migration_bandwidth(cluster->snapshot, cluster->host_of[domain], destination);
    struct ek_cost cost = ek_migration_cost(it, rate, cluster->policy->max_downtime_ms);
    assert(cluster->total_memory_mib > 0 && rate > 0);
    double price = cluster->policy->cost_weight * cost.transfer_mib / cluster->total_memory_mib;

    return (struct ek_candidate){.domain = domain,
                                 .destination = destination,
                                 .overload_fall = now.overload - after.overload,
                                 .gain = now.spread - after.spread,
                                 .worth = now.spread - after.spread - price};
}

static int order(double a, double b)
{
    return (a > b + EPSILON) - (b > a + EPSILON);
}

bool ek_candidate_better(const struct ek_search *search, const struct ek_candidate *a,
                         const struct ek_candidate *b)
{
    const struct ek_snapshot *snapshot = search->cluster->snapshot;

    assert(a->domain != EK_NONE);
    if (b->domain == EK_NONE) {
        return true;
    }
    int by = order(a->overload_fall, b->overload_fall);
    by = by != 0 ? by : order(a->worth, b->worth);
    by =
        by != 0 ? by : strcmp(snapshot->domains[b->domain].uuid, snapshot->domains[a->domain].uuid);
    by = by != 0
             ? by
             : strcmp(snapshot->hosts[b->destination].name, snapshot->hosts[a->destination].name);
    return by > 0;
}
