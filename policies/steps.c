#include "policies/steps.h"

#include <assert.h>
#include <math.h>

/* A host that was filled exactly to its target is not above it. */
#define SLACK 1e-9

/* A place for a domain, with what decides between places. */
struct place {
    uint32_t host; /* EK_NONE: there is none */
    bool empty;
    double harm; /* to should rules */
    double peak; /* the largest utilization of its target, over all resources */
};

bool ek_steps_init(struct ek_steps *steps, struct ek_search *search, struct ek_choice *choices,
                   size_t limit, struct ek_error *err)
{
    struct ek_cluster *cluster = search->cluster;
    const struct ek_snapshot *snapshot = cluster->snapshot;

    *steps = (struct ek_steps){.search = search, .choices = choices, .limit = limit};
    steps->closed = ek_arena_alloc(&cluster->arena, snapshot->host_count, sizeof(bool));
    steps->empty = ek_arena_alloc(&cluster->arena, snapshot->host_count, sizeof(bool));
    if (steps->closed == NULL || steps->empty == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory while planning");
    }
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        /* Whoever leaves in flight, and the copy of a domain, still takes room there. */
        steps->empty[h] = search->first[h] == EK_NONE && cluster->hosts[h].memory_mib < SLACK &&
                          cluster->hosts[h].vcpus < SLACK;
    }
    return true;
}

void ek_steps_push(struct ek_steps *steps, uint32_t domain, uint32_t destination)
{
    uint32_t source = steps->search->cluster->host_of[domain];

    assert(steps->count < steps->limit);
    steps->choices[steps->count++] = (struct ek_choice){domain, source, destination};
    ek_search_move(steps->search, domain, destination);
}

void ek_steps_pop(struct ek_steps *steps, size_t count)
{
    assert(count <= steps->count);
    while (steps->count > count) {
        const struct ek_choice *last = &steps->choices[--steps->count];
        ek_search_undo(steps->search, last->domain, last->source);
    }
}

double ek_steps_price(const struct ek_steps *steps, size_t mark)
{
    double price = 0;

    for (size_t i = mark; i < steps->count; i++) {
        price += steps->search->price[steps->choices[i].domain];
    }
    return price;
}

bool ek_steps_may_leave(const struct ek_steps *steps, uint32_t domain)
{
    return steps->search->movable[domain] && !steps->search->settled[domain];
}

/* 1: one resource would be exactly at its target less the margin. */
static double peak_with(const struct ek_steps *steps, uint32_t host, uint32_t domain)
{
    const struct ek_cluster *cluster = steps->search->cluster;
    double peak = 0;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double ceiling = cluster->policy->target_max[r] - steps->margin;
        double with = ek_cluster_utilization_with(cluster, host, (enum ek_resource)r, domain, 1);
        peak = fmax(peak, ceiling > 0 ? with / ceiling : INFINITY);
    }
    return peak;
}

static bool better(const struct ek_steps *steps, const struct place *a, const struct place *b)
{
    if (b->host == EK_NONE || a->empty != b->empty) {
        return b->host == EK_NONE || b->empty;
    }
    if (a->harm < b->harm || a->harm > b->harm) {
        return a->harm < b->harm;
    }
    return steps->fit == EK_FIT_COOLEST ? a->peak < b->peak : a->peak > b->peak;
}

/* What can be told by a few divisions comes before the rules. */
static void offer(struct ek_steps *steps, uint32_t domain, uint32_t host, struct place *best)
{
    struct ek_search *search = steps->search;
    struct place place = {.host = host,
                          .empty = steps->keep_empty && steps->empty[host],
                          .peak = peak_with(steps, host, domain)};

    if (place.peak > 1 + SLACK || (best->host != EK_NONE && place.empty && !best->empty)) {
        return;
    }
    place.harm = ek_rule_set_should_delta(&search->cluster->rules, domain, host);
    if (better(steps, &place, best) &&
        ek_constraint_pair(search->cluster, search->cooldown, domain, host, EK_PURPOSE_BALANCE) ==
            EK_BLOCK_NONE) {
        *best = place;
    }
}

uint32_t ek_steps_destination(struct ek_steps *steps, uint32_t domain)
{
    const struct ek_cluster *cluster = steps->search->cluster;
    uint32_t hosts = (uint32_t)cluster->snapshot->host_count;
    struct place best = {.host = EK_NONE};

    if (steps->looks < hosts) {
        return EK_NONE;
    }
    steps->looks -= hosts;
    for (uint32_t h = 0; h < hosts; h++) {
        if (cluster->hosts[h].counted && !steps->closed[h] && cluster->host_of[domain] != h) {
            offer(steps, domain, h, &best);
        }
    }
    return best.host;
}

bool ek_steps_place(struct ek_steps *steps, uint32_t domain)
{
    uint32_t host = steps->count < steps->limit ? ek_steps_destination(steps, domain) : EK_NONE;

    if (host == EK_NONE) {
        return false;
    }
    ek_steps_push(steps, domain, host);
    return true;
}

/* ---- making room --------------------------------------------------------------------------- */

/* Whether the domain might fit on the host if the other one were not there; cheap, and never false
 * where it would fit. */
static bool might_fit(const struct ek_steps *steps, uint32_t domain, uint32_t host, uint32_t other)
{
    const struct ek_cluster *cluster = steps->search->cluster;
    const struct ek_domain *in = &cluster->snapshot->domains[domain];
    const struct ek_domain *out = &cluster->snapshot->domains[other];

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        double most = (cluster->policy->target_max[r] - steps->margin) *
                      ek_cluster_capacity(cluster, host, resource);
        double load = cluster->hosts[host].load[r] + ek_cluster_demand(cluster, domain, resource);
        if (load - ek_cluster_demand(cluster, other, resource) > most * (1 + SLACK)) {
            return false;
        }
    }
    return in->memory_mib - out->memory_mib <= ek_constraint_memory_room(cluster, host) + SLACK &&
           in->vcpus - out->vcpus <= ek_constraint_vcpu_room(cluster, host) + SLACK;
}

/* Whether the domain would fit on the host once the other one has gone to `refuge`; the steps are
 * made. */
static bool exchange(struct ek_steps *steps, uint32_t domain, uint32_t host, uint32_t other,
                     uint32_t refuge)
{
    struct ek_search *search = steps->search;
    size_t mark = steps->count;

    ek_steps_push(steps, other, refuge);
    if (ek_constraint_pair(search->cluster, search->cooldown, domain, host, EK_PURPOSE_BALANCE) ==
            EK_BLOCK_NONE &&
        peak_with(steps, host, domain) <= 1 + SLACK) {
        ek_steps_push(steps, domain, host);
        return true;
    }
    ek_steps_pop(steps, mark);
    return false;
}

/* What room and rules of the moment forbid may change; all else stays. */
static bool room_is_missing(const struct ek_steps *steps, uint32_t domain, uint32_t host)
{
    const struct ek_search *search = steps->search;
    enum ek_block block =
        ek_constraint_pair(search->cluster, search->cooldown, domain, host, EK_PURPOSE_BALANCE);

    return block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_TARGET ||
           block == EK_BLOCK_RESOURCE || block == EK_BLOCK_RULE || block == EK_BLOCK_NONE;
}

/* The cheapest exchange on one host: `best` is made better if it can be. */
static void seek_on(struct ek_steps *steps, uint32_t domain, uint32_t host, struct ek_choice *best,
                    double *price)
{
    struct ek_search *search = steps->search;
    size_t mark = steps->count;
    uint32_t next = EK_NONE;

    for (uint32_t d = search->first[host]; d != EK_NONE && steps->looks > 0; d = next) {
        next = search->next[d]; /* trying it relinks the list */
        steps->looks--;
        bool dearer = search->price[d] > *price || (search->price[d] >= *price && d > best->domain);
        if (!ek_steps_may_leave(steps, d) || dearer || !might_fit(steps, domain, host, d)) {
            continue;
        }
        uint32_t refuge = ek_steps_destination(steps, d);
        if (refuge != EK_NONE && exchange(steps, domain, host, d, refuge)) {
            ek_steps_pop(steps, mark);
            *best = (struct ek_choice){d, host, refuge};
            *price = search->price[d];
        }
    }
}

bool ek_steps_make_room(struct ek_steps *steps, uint32_t domain)
{
    const struct ek_cluster *cluster = steps->search->cluster;
    struct ek_choice best = {.domain = EK_NONE};
    double price = INFINITY;

    if (steps->count + 2 > steps->limit) {
        return false;
    }
    for (uint32_t h = 0; h < cluster->snapshot->host_count && steps->looks > 0; h++) {
        steps->looks--;
        if (cluster->hosts[h].counted && !steps->closed[h] && cluster->host_of[domain] != h &&
            room_is_missing(steps, domain, h)) {
            seek_on(steps, domain, h, &best, &price);
        }
    }
    return best.domain != EK_NONE &&
           exchange(steps, domain, best.source, best.domain, best.destination);
}
