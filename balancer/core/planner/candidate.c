/* How possible moves are rated and ranked, the same for every policy. */
#include "balancer/core/migration_cost.h"
#include "balancer/core/noise.h"
#include "balancer/core/planner/search.h"

#include <assert.h>
#include <math.h>

/* Differences below this are rounding. */
#define EPSILON 1e-9

double ek_candidate_price(const struct ek_cluster *cluster, uint32_t domain, double mib_s)
{
    struct ek_cost cost = ek_migration_cost(&cluster->snapshot->domains[domain], mib_s,
                                            cluster->policy->max_downtime_ms);

    /* Both sides are ratios of the whole cluster, so that a price in score needs no unit. */
    return cluster->policy->cost_weight * cost.transfer_mib / cluster->total_memory_mib;
}

struct ek_candidate ek_candidate_from(const struct ek_search *search, const struct ek_score *now,
                                      uint32_t domain, uint32_t destination,
                                      const struct ek_score *after)
{
    const struct ek_cluster *cluster = search->cluster;
    const struct ek_host *hosts = cluster->snapshot->hosts;
    /* An undisturbed link: limits are the schedule's matter, and a ranking only needs them to be
     * alike for all candidates. The slower end decides; prices from home at its own rate are kept,
     * since most destinations are no slower, and mostly than any host. */
    double rate = hosts[destination].migration_mib_s;
    assert(cluster->total_memory_mib > 0 && rate > 0);
    bool slower = rate < search->fastest_mib_s &&
                  rate < hosts[cluster->snapshot->domains[domain].host].migration_mib_s;
    double price = slower ? ek_candidate_price(cluster, domain, rate) : search->price[domain];

    assert(now->overload >= 0 && after->overload >= 0);
    double gain = now->spread - after->spread;
    double soft = ek_cluster_soft_fall(cluster, domain, destination);
    /* Should rules choose among moves that level; what does not level earns nothing by them here,
     * so that they never outweigh it (plan_prefer.c moves for them alone). */
    if (!(gain > 0) && soft > 0) {
        soft = 0;
    }
    /* What would not pay for its copying need not be held against the noise as well. */
    bool doubtful = cluster->noisy && (gain > price || after->overload < now->overload);
    double noise =
        doubtful ? ek_noise_of_move(cluster, now->spread, domain, destination, EK_NONE) : 0;
    return (struct ek_candidate){.domain = domain,
                                 .destination = destination,
                                 .overload_fall = now->overload - after->overload,
                                 .gain = gain,
                                 .price = price,
                                 .noise = noise,
                                 .worth = gain + soft - price - noise};
}

struct ek_candidate ek_candidate_rate(const struct ek_search *search, uint32_t domain,
                                      uint32_t destination)
{
    const struct ek_score now = ek_cluster_score(search->cluster);
    const struct ek_score after = ek_cluster_score_after(search->cluster, domain, destination);

    return ek_candidate_from(search, &now, domain, destination, &after);
}

bool ek_candidate_relieves(const struct ek_candidate *candidate)
{
    return EK_RELIEF_WEIGHT * candidate->overload_fall + candidate->worth > 0;
}

/* Equal within rounding: sums kept incrementally differ in their last bits by history. In steps, so
 * that two which are equal to a third are equal to each other. */
static int order(double a, double b)
{
    if (fabs(a - b) <= EPSILON) {
        a = round(a / EPSILON);
        b = round(b / EPSILON);
    }
    return (a > b) - (a < b);
}

bool ek_candidate_better(const struct ek_search *search, const struct ek_candidate *a,
                         const struct ek_candidate *b)
{
    (void)search; /* only the assertions ask it */
    if (a->domain == EK_NONE || b->domain == EK_NONE) {
        return a->domain != EK_NONE;
    }
    assert(a->domain < search->cluster->snapshot->domain_count);
    assert(a->destination < search->cluster->snapshot->host_count);
    int by = order(a->overload_fall, b->overload_fall);
    by = by != 0 ? by : order(a->worth, b->worth);
    /* A snapshot is sorted: who comes first by index does so by UUID, or by name. */
    if (by == 0 && a->domain != b->domain) {
        return a->domain < b->domain;
    }
    return by > 0 || (by == 0 && a->destination < b->destination);
}
