#include "balancer/core/swap.h"

#include "balancer/core/noise.h"

#include <math.h>
#include <string.h>

/* So many hosts of each end are looked at: an exchange between two middling hosts brings little. */
enum { HOT = 8, COOL = 16 };

/* An exchange must earn more than rounding. */
#define RELIEF 1e-6

struct best {
    double worth;
    double overload_fall;
    struct ek_choice pair[2];
};

static double heat(const struct ek_cluster *cluster, uint32_t host)
{
    double heat = 0;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        heat += cluster->policy->weight[r] *
                fmax(0, ek_cluster_utilization(cluster, host, (enum ek_resource)r));
    }
    return heat;
}

/* The `room` hottest (sign 1) or coolest (sign -1) hosts that count; equal ones by name. */
static size_t extremes(const struct ek_cluster *cluster, double sign, uint32_t *list, size_t room)
{
    size_t count = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        size_t at = count;
        while (at > 0) {
            double by = sign * (heat(cluster, h) - heat(cluster, list[at - 1]));
            bool first =
                by > 0 || (!(by < 0) && strcmp(cluster->snapshot->hosts[h].name,
                                               cluster->snapshot->hosts[list[at - 1]].name) < 0);
            if (!first) {
                break;
            }
            at--;
        }
        if (!cluster->hosts[h].counted || at >= room) {
            continue;
        }
        count = count < room ? count + 1 : room;
        memmove(&list[at + 1], &list[at], (count - at - 1) * sizeof(*list));
        list[at] = h;
    }
    return count;
}

static bool may_go(const struct ek_search *search, uint32_t domain, uint32_t host)
{
    return ek_constraint_pair(search->cluster, search->cooldown, domain, host,
                              EK_PURPOSE_BALANCE) == EK_BLOCK_NONE;
}

/* Whether each fits where the other leaves; the model is as it was afterwards. */
static bool fits(struct ek_search *search, uint32_t a, uint32_t host_a, uint32_t b, uint32_t host_b)
{
    struct ek_cluster *cluster = search->cluster;

    ek_cluster_move(cluster, b, host_a);
    bool ok = may_go(search, a, host_b);
    ek_cluster_move(cluster, b, host_b);
    if (ok) {
        ek_cluster_move(cluster, a, host_b);
        ok = may_go(search, b, host_a);
        ek_cluster_move(cluster, a, host_a);
    }
    return ok;
}

static bool free_to_go(const struct ek_search *search, uint32_t domain)
{
    return search->movable[domain] && !search->settled[domain];
}

/* Of both moves: what is uncertain is the difference that changes hosts, not each half of it. */
static double worth_of(const struct ek_search *search, const struct ek_candidate *there,
                       const struct ek_candidate *back)
{
    const struct ek_cluster *cluster = search->cluster;
    double worth = there->worth + there->noise + back->worth + back->noise;

    return cluster->noisy && worth > 0
               ? worth - ek_noise_of_move(cluster, ek_cluster_score(cluster).spread, there->domain,
                                          there->destination, back->domain)
               : worth;
}

/* All exchanges of domain a for one of host_b. */
static void exchange(struct ek_search *search, uint32_t a, uint32_t host_b, struct best *best)
{
    struct ek_cluster *cluster = search->cluster;
    uint32_t host_a = cluster->host_of[a];
    struct ek_candidate there = ek_candidate_rate(search, a, host_b);

    for (uint32_t b = search->first[host_b]; b != EK_NONE; b = search->next[b]) {
        if (!free_to_go(search, b)) {
            continue;
        }
        ek_cluster_move(cluster, a, host_b);
        struct ek_candidate back = ek_candidate_rate(search, b, host_a);
        ek_cluster_move(cluster, a, host_a);
        search->ratings++;
        double overload_fall = there.overload_fall + back.overload_fall;
        double worth = worth_of(search, &there, &back);
        bool better =
            (overload_fall > best->overload_fall + RELIEF &&
             EK_RELIEF_WEIGHT * overload_fall + worth > 0) ||
            (overload_fall > best->overload_fall - RELIEF && worth > best->worth + RELIEF);
        if (better && fits(search, a, host_a, b, host_b)) {
            *best = (struct best){worth, overload_fall, {{a, host_a, host_b}, {b, host_b, host_a}}};
        }
    }
}

bool ek_swap_best(struct ek_search *search, struct ek_choice pair[2])
{
    uint32_t hot[HOT + 1];
    uint32_t cool[COOL + 1];
    size_t hots = extremes(search->cluster, 1, hot, HOT);
    size_t cools = extremes(search->cluster, -1, cool, COOL);
    struct best best = {.pair = {{.domain = EK_NONE}}};

    for (size_t h = 0; h < hots; h++) {
        for (uint32_t a = search->first[hot[h]]; a != EK_NONE; a = search->next[a]) {
            for (size_t c = 0; free_to_go(search, a) && c < cools; c++) {
                if (cool[c] != hot[h]) {
                    exchange(search, a, cool[c], &best);
                }
            }
        }
    }
    if (best.pair[0].domain == EK_NONE) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        pair[i] = best.pair[i];
        ek_search_move(search, pair[i].domain, pair[i].destination);
    }
    return true;
}
