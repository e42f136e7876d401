/* drain: empty the hosts that are in maintenance. See drain.md. */
#include "policies/policy_ops.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A domain that may not move now is no candidate: the planner lists it with its reason. */
static bool must_leave(const struct ek_search *search, uint32_t domain)
{
    const struct ek_cluster *cluster = search->cluster;

    return !search->settled[domain] &&
           cluster->snapshot->hosts[cluster->host_of[domain]].maintenance &&
           ek_constraint_domain(cluster, search->cooldown, domain, EK_PURPOSE_EVACUATE) ==
               EK_BLOCK_NONE;
}

static bool wants(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size)
{
    uint32_t left = 0;

    /* How level the cluster is does not matter to somebody who wants to switch a host off. */
    (void)levels;
    for (uint32_t d = 0; d < cluster->snapshot->domain_count; d++) {
        /* By the model, not by the snapshot: what is in flight from there has left already. */
        left += cluster->snapshot->hosts[cluster->host_of[d]].maintenance ? 1 : 0;
    }
    assert(why_size > 0);
    (void)snprintf(why, why_size, "%u domain%s on hosts in maintenance", (unsigned int)left,
                   left == 1 ? " is" : "s are");
    return left > 0;
}

static void offer(const struct ek_search *search, uint32_t domain, uint32_t host,
                  enum ek_purpose purpose, struct ek_candidate *best)
{
    if (ek_constraint_pair(search->cluster, search->cooldown, domain, host, purpose) ==
        EK_BLOCK_NONE) {
        struct ek_candidate candidate = ek_candidate_rate(search, domain, host);
        *best = ek_candidate_better(search, &candidate, best) ? candidate : *best;
    }
}

/* The best destination of one domain for this purpose; overload and score after it decide. */
static struct ek_candidate place(const struct ek_search *search, uint32_t domain,
                                 enum ek_purpose purpose)
{
    struct ek_candidate best = {.domain = EK_NONE};

    for (uint32_t h = 0; h < search->cluster->snapshot->host_count; h++) {
        offer(search, domain, h, purpose, &best);
    }
    assert(best.domain == EK_NONE || best.domain == domain);
    best.beyond_target = purpose == EK_PURPOSE_EVACUATE_FORCED;
    return best;
}

/* The largest first: what is hardest to place finds the most room. Equal ones by UUID. */
static bool before(const struct ek_domain *a, const struct ek_domain *b)
{
    if (a->memory_mib > b->memory_mib || a->memory_mib < b->memory_mib) {
        return a->memory_mib > b->memory_mib;
    }
    return strcmp(a->uuid, b->uuid) < 0;
}

/* target_max gives way at once for a domain that needs it: were the smaller ones placed first, they
 * would take the room that only the largest host has. */
struct ek_candidate ek_drain_place(struct ek_search *search, uint32_t domain)
{
    struct ek_candidate best = {.domain = EK_NONE};

    ek_search_targets(search);
    for (size_t t = 0; !search->exact && t < search->target_count; t++) {
        offer(search, domain, search->targets[t], EK_PURPOSE_EVACUATE, &best);
    }
    if (best.domain == EK_NONE) {
        best = place(search, domain, EK_PURPOSE_EVACUATE);
    }

    return best.domain != EK_NONE ? best : place(search, domain, EK_PURPOSE_EVACUATE_FORCED);
}

/* Domains in order of size; only one that no host takes makes way for a smaller one. */
static struct ek_candidate next(struct ek_search *search)
{
    const struct ek_domain *domains = search->cluster->snapshot->domains;
    struct ek_candidate best = {.domain = EK_NONE};

    for (uint32_t d = 0; d < search->cluster->snapshot->domain_count; d++) {
        if (must_leave(search, d) &&
            (best.domain == EK_NONE || before(&domains[d], &domains[best.domain]))) {
            struct ek_candidate candidate = ek_drain_place(search, d);
            best = candidate.domain == EK_NONE ? best : candidate;
        }
    }
    return best;
}

static const char *reason(const struct ek_search *search, const struct ek_candidate *chosen,
                          struct ek_arena *arena)
{
    const struct ek_cluster *cluster = search->cluster;
    /* Read before the move is made: afterwards the source would be the destination. */
    uint32_t source = cluster->host_of[chosen->domain];

    assert(cluster->snapshot->hosts[source].maintenance && source != chosen->destination);
    return ek_arena_printf(arena, "%s is in maintenance; memory of %s %.0f %% -> %.0f %%%s",
                           cluster->snapshot->hosts[source].name,
                           cluster->snapshot->hosts[chosen->destination].name,
                           100 * ek_cluster_utilization(cluster, chosen->destination, EK_MEMORY),
                           100 * ek_cluster_utilization_with(cluster, chosen->destination,
                                                             EK_MEMORY, chosen->domain, 1),
                           chosen->beyond_target ? " (no host stays below its target)" : "");
}

const struct ek_policy_ops ek_policy_drain = {
    .name = "drain", .kind = EK_MOVE_EVACUATE, .wants = wants, .next = next, .reason = reason};
