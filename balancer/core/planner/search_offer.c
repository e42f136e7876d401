#include "balancer/core/planner/search_offer.h"

#include <assert.h>
#include <math.h>

/* What ranks as equal (candidate.c) and half as much again, so that rounding here decides nothing:
 * who is no worse than that is rated in full. */
#define MARGIN 1.5e-9

/* One domain that is offered. */
struct offer {
    struct ek_departure departure;
    bool preferring; /* should rules may add to what a move is worth: no bound but "it levels" */
    double limit;    /* an arrival that leaves no less variance and relieves no more is no better */
};

static bool prefers(const struct ek_search *search, uint32_t domain)
{
    const struct ek_cluster *cluster = search->cluster;
    size_t rules = 0;

    return cluster->soft_unit > 0 && ek_rule_set_rules_of(&cluster->rules, domain, &rules) != NULL;
}

/* Most destinations are no better than the best so far, which the variance tells without a root:
 * worth is below the best one's when spread is above `now - price - best`. A slower link makes the
 * price higher, never lower. */
static double variance_limit(const struct ek_search *search, uint32_t domain,
                             const struct ek_candidate *best)
{
    double now = search->level.variance;

    if (best->domain == EK_NONE || prefers(search, domain)) {
        return now;
    }
    double spread = search->now.spread - search->price[domain] - best->worth + MARGIN;
    double limit = spread > 0 ? spread * spread * search->cluster->weights : 0;
    /* Without relief a move has to level: what does not pays for nobody. */
    return best->overload_fall > 0 || limit < now ? limit : now;
}

/* Where a move at the domain's lowest price that adds no overload does not pay, none does that
 * leaves more variance: whatever pays, pays all the more for a larger relief and a larger worth. */
static void tighten(const struct ek_search *search, struct offer *offer,
                    const struct ek_candidate *candidate, double variance)
{
    double lowest = candidate->gain - search->price[candidate->domain];

    if (!offer->preferring && candidate->overload_fall >= 0 && candidate->worth >= lowest &&
        variance < offer->limit) {
        offer->limit = variance;
    }
}

/* Rating comes before the constraints: most candidates are no better than the best so far. */
static void offer_to(struct ek_search *search, struct offer *offer, uint32_t target, ek_pays *pays,
                     struct ek_candidate *best)
{
    uint32_t domain = offer->departure.domain;

    if (search->cluster->host_of[domain] == target) {
        return;
    }
    struct ek_level level = ek_cluster_arrive(search->cluster, &offer->departure, target);
    double fall = search->level.overload - level.overload;
    search->ratings += fall > 0 || level.variance < search->level.variance ? 1 : 0;
    if (level.variance >= offer->limit && !(fall > 0 && fall > best->overload_fall)) {
        return;
    }
    struct ek_score after = ek_cluster_score_of(search->cluster, level);
    struct ek_candidate candidate = ek_candidate_from(search, &search->now, domain, target, &after);
    if (!pays(&candidate)) {
        tighten(search, offer, &candidate, level.variance);
    } else if (ek_candidate_better(search, &candidate, best) &&
               ek_constraint_pair(search->cluster, search->cooldown, domain, target,
                                  EK_PURPOSE_BALANCE) == EK_BLOCK_NONE) {
        *best = candidate;
        offer->limit = variance_limit(search, domain, best);
    }
}

/* ---- the ideal ----------------------------------------------------------------------------- */

struct ek_search_ideal ek_search_idealise(const struct ek_search *search, const uint32_t *hosts,
                                          size_t count)
{
    const struct ek_cluster *cluster = search->cluster;
    struct ek_search_ideal ideal = {.version = search->version};

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double used = INFINITY;
        double largest = 0;
        double smallest = INFINITY;
        for (size_t i = 0; i < count; i++) {
            double size = ek_cluster_capacity(cluster, hosts[i], (enum ek_resource)r);
            double u = ek_cluster_utilization(cluster, hosts[i], (enum ek_resource)r);
            used = size > 0 && u < used ? u : used;
            largest = size > largest ? size : largest;
            smallest = size > 0 && size < smallest ? size : smallest;
        }
        ideal.utilization[r] = largest > 0 ? used : 0;
        ideal.largest[r] = largest;
        ideal.smallest[r] = smallest;
    }
    return ideal;
}

/* How much of the ideal host a demand takes: of hosts of several sizes that which levels most. A
 * host at u that takes p more changes the sums by p and p^2 + 2pu; the variance after that is least
 * where it reaches the mean of all. Hosts that have none of it admit nobody who needs it. */
static double best_part(const struct ek_search_ideal *ideal, unsigned int r, double demand,
                        double sum, double hosts)
{
    double least = ideal->largest[r] > 0 ? demand / ideal->largest[r] : 0;
    double most = least;

    if (ideal->largest[r] > ideal->smallest[r]) {
        most = demand / ideal->smallest[r];
    }
    if (most > least) {
        double wanted = hosts > 1 ? (sum - hosts * ideal->utilization[r]) / (hosts - 1) : most;
        least = wanted > least ? wanted : least;
        least = least < most ? least : most;
    }
    return least;
}

/* No arrival at a host of the ideal leaves less variance. */
static double least_variance(const struct ek_cluster *cluster, const struct ek_search_ideal *ideal,
                             const struct ek_departure *departure)
{
    const double *demand = &cluster->demand[(size_t)departure->domain * cluster->resource_count];
    double least = 0;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double hosts = cluster->counted[r];
        if (hosts > 0) {
            double part = best_part(ideal, r, demand[r], departure->sum[r], hosts);
            double mean = (departure->sum[r] + part) / hosts;
            double square = departure->square[r] + part * (part + 2 * ideal->utilization[r]);
            least += cluster->policy->weight[r] * (square / hosts - mean * mean);
        }
    }
    return least;
}

/* Whether the domain could move anywhere better than *best, had it the ideal host. */
static bool worth_a_try(const struct ek_search *search, const struct ek_search_ideal *ideal,
                        const struct offer *offer, ek_pays *pays)
{
    const struct ek_cluster *cluster = search->cluster;
    uint32_t domain = offer->departure.domain;

    /* Who leaves an overloaded host is wanted for that, too. */
    if (offer->departure.overload < cluster->overload || offer->preferring) {
        return true;
    }
    double variance = least_variance(cluster, ideal, &offer->departure);
    if (variance >= offer->limit) {
        return false;
    }
    const struct ek_level level = {search->level.overload, variance > 0 ? variance : 0};
    struct ek_score after = ek_cluster_score_of(cluster, level);
    double gain = search->now.spread - after.spread + MARGIN;
    return pays(&(struct ek_candidate){
        .domain = domain, .gain = gain, .worth = gain - search->price[domain]});
}

void ek_search_offer(struct ek_search *search, uint32_t domain, const uint32_t *hosts, size_t count,
                     const struct ek_search_ideal *ideal, ek_pays *pays, struct ek_candidate *best)
{
    struct offer offer = {.departure = ek_cluster_depart(search->cluster, domain),
                          .preferring = prefers(search, domain),
                          .limit = variance_limit(search, domain, best)};

    assert(ideal == NULL || ideal->version == search->version);
    search->ratings++;
    if (ideal != NULL && !worth_a_try(search, ideal, &offer, pays)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        offer_to(search, &offer, hosts[i], pays, best);
    }
}
