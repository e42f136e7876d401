/* pack: free whole hosts. See pack.md. */
#include "balancer/core/spare.h"
#include "policies/policy_ops.h"
#include "policies/relief.h"
#include "policies/steps.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations below this are rounding. */
#define SLACK 1e-9

/* Pairs of domain and host that may be looked at for one attempt: some tenths of a second. */
#define LOOKS 20000000

/* So many numbers of hosts are tried to be freed at once. */
enum { TOGETHER = 6 };

/* A host that could be freed, by all that can be told of it alone. */
struct source {
    uint32_t host;
    double price; /* of copying all its domains */
    size_t domains;
    double takes[EK_RESOURCE_MAX]; /* what its domains take along */
};

/* A domain that needs a place. */
struct guest {
    uint32_t domain;
    double size; /* the largest part of a mean host that it takes, over all resources */
};

struct packing {
    struct ek_steps steps;
    struct ek_spare spare;
    double mean[EK_RESOURCE_MAX]; /* capacity of a host that counts */
    struct source *sources;
    size_t source_count;
    struct guest *guests;
    size_t freed; /* hosts, by the steps of now */
    struct ek_choice *best;
    size_t best_count;
    size_t best_freed;
    double best_price;
};

/* So far below its target a host is left, so that what grows a little is no overload at once, whose
 * relief would take a freed host into use again. */
static double margin(const struct ek_policy *policy)
{
    return policy->trigger_imbalance / 2;
}

static bool used(const struct ek_cluster *cluster, uint32_t host)
{
    return cluster->hosts[host].counted &&
           (cluster->hosts[host].memory_mib > SLACK || cluster->hosts[host].vcpus > SLACK);
}

/* ---- wants ----------------------------------------------------------------------------------- */

/* The used host with least allocated memory whose guests would fit on the other used hosts if they
 * could be divided; EK_NONE: no host can be freed, whatever is tried. */
static uint32_t first_to_free(const struct ek_cluster *cluster)
{
    double memory = 0;
    double vcpus = 0;
    uint32_t first = EK_NONE;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        memory += used(cluster, h) ? fmax(0, ek_constraint_memory_room(cluster, h)) : 0;
        vcpus += used(cluster, h) ? fmax(0, ek_constraint_vcpu_room(cluster, h)) : 0;
    }
    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        double others = memory - fmax(0, ek_constraint_memory_room(cluster, h));
        double other_vcpus = vcpus - fmax(0, ek_constraint_vcpu_room(cluster, h));
        if (used(cluster, h) && cluster->hosts[h].memory_mib <= others + SLACK &&
            cluster->hosts[h].vcpus <= other_vcpus + SLACK &&
            (first == EK_NONE || cluster->hosts[h].memory_mib < cluster->hosts[first].memory_mib)) {
            first = h;
        }
    }
    return first;
}

static bool wants(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size)
{
    assert(why_size > 0);
    if (cluster->policy->aggressiveness <= 1 || ek_relief_worst(cluster).host != EK_NONE) {
        return ek_policy_hotspot.wants(cluster, levels, why, why_size);
    }
    uint32_t first = first_to_free(cluster);
    if (first == EK_NONE) {
        (void)snprintf(why, why_size, "no host in use has guests that the others had room for");
        return false;
    }
    (void)snprintf(why, why_size, "%s holds %.0f MiB of guests, for which others in use have room",
                   cluster->snapshot->hosts[first].name, cluster->hosts[first].memory_mib);
    return true;
}

/* ---- which hosts ----------------------------------------------------------------------------- */

/* Whether a host is worth the copying: its share of all memory exceeds the price. */
static bool source_of(const struct packing *packing, uint32_t host, struct source *source)
{
    const struct ek_search *search = packing->steps.search;
    const struct ek_cluster *cluster = search->cluster;
    double memory_mib = 0;

    *source = (struct source){.host = host};
    for (uint32_t d = search->first[host]; d != EK_NONE; d = search->next[d]) {
        if (!ek_steps_may_leave(&packing->steps, d)) {
            return false;
        }
        for (unsigned int r = 0; r < cluster->resource_count; r++) {
            source->takes[r] += ek_cluster_demand(cluster, d, (enum ek_resource)r);
        }
        source->domains++;
        source->price += search->price[d];
        memory_mib += cluster->snapshot->domains[d].memory_mib;
    }
    /* What else takes room there, in flight or a copy, would keep it from being empty. */
    return used(cluster, host) && !cluster->hosts[host].unseen_arrival &&
           fabs(cluster->hosts[host].memory_mib - memory_mib) < SLACK * (1 + memory_mib) &&
           source->price < cluster->snapshot->hosts[host].memory_mib / cluster->total_memory_mib;
}

static int order(double a, double b)
{
    return (a > b) - (a < b);
}

static int price_cmp(const void *left, const void *right)
{
    const struct source *a = left;
    const struct source *b = right;
    int by = order(a->price, b->price);

    return by != 0 ? by : (a->host > b->host) - (a->host < b->host);
}

static int domains_cmp(const void *left, const void *right)
{
    const struct source *a = left;
    const struct source *b = right;

    return a->domains != b->domains ? (a->domains > b->domains) - (a->domains < b->domains)
                                    : price_cmp(left, right);
}

/* ---- one host, or several -------------------------------------------------------------------- */

static int guest_cmp(const void *left, const void *right)
{
    const struct guest *a = left;
    const struct guest *b = right;
    int by = order(b->size, a->size);

    return by != 0 ? by : (a->domain > b->domain) - (a->domain < b->domain);
}

static struct guest guest_of(const struct packing *packing, uint32_t domain)
{
    const struct ek_cluster *cluster = packing->steps.search->cluster;
    struct guest guest = {.domain = domain};

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double takes = ek_cluster_demand(cluster, domain, (enum ek_resource)r);
        guest.size = fmax(guest.size, packing->mean[r] > 0 ? takes / packing->mean[r] : 0);
    }
    return guest;
}

/* Whether enough is left for the loss of hosts. */
static bool spare_is_left(struct packing *packing)
{
    const struct ek_cluster *cluster = packing->steps.search->cluster;
    size_t count = (size_t)cluster->policy->spare_hosts;
    uint64_t work = cluster->snapshot->domain_count;

    if (count == 0) {
        return true;
    }
    packing->steps.looks -= work < packing->steps.looks ? work : packing->steps.looks;
    return ek_spare_bears(&packing->spare, count, packing->steps.closed, true);
}

/* Frees these hosts, all or none: all their guests find a place, the largest first. */
static bool free_hosts(struct packing *packing, const struct source *sources, size_t count)
{
    struct ek_steps *steps = &packing->steps;
    size_t mark = steps->count;
    size_t guests = 0;
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        steps->closed[sources[i].host] = true;
        for (uint32_t d = steps->search->first[sources[i].host]; d != EK_NONE;
             d = steps->search->next[d]) {
            packing->guests[guests++] = guest_of(packing, d);
        }
    }
    if (guests > 0) {
        qsort(packing->guests, guests, sizeof(*packing->guests), guest_cmp);
    }
    ok = guests <= steps->limit - mark;
    for (size_t i = 0; ok && i < guests; i++) {
        ok = ek_steps_may_leave(steps, packing->guests[i].domain) &&
             ek_steps_place(steps, packing->guests[i].domain);
    }
    ok = ok && spare_is_left(packing);
    for (size_t i = 0; !ok && i < count; i++) {
        steps->closed[sources[i].host] = false;
    }
    if (!ok) {
        ek_steps_pop(steps, mark); /* half an emptied host is worth nothing */
    }
    packing->freed += ok ? count : 0;
    return ok;
}

/* Keeps the steps of now if more hosts are freed by them than before, or as many for less; the
 * model is as it was before them. */
static void settle(struct packing *packing)
{
    struct ek_steps *steps = &packing->steps;
    double price = ek_steps_price(steps, 0);

    if (packing->freed > packing->best_freed ||
        (packing->freed == packing->best_freed && price < packing->best_price - SLACK)) {
        memcpy(packing->best, steps->choices, steps->count * sizeof(*packing->best));
        packing->best_count = steps->count;
        packing->best_freed = packing->freed;
        packing->best_price = price;
    }
    ek_steps_pop(steps, 0);
    for (size_t i = 0; i < packing->source_count; i++) {
        steps->closed[packing->sources[i].host] = false;
    }
    packing->freed = 0;
}

/* One host after the other, in this order. A host that has taken somebody in is not freed. */
static void free_in_turn(struct packing *packing, int (*cmp)(const void *, const void *))
{
    if (packing->source_count > 0) {
        qsort(packing->sources, packing->source_count, sizeof(*packing->sources), cmp);
    }
    packing->steps.looks = LOOKS;
    for (size_t i = 0; i < packing->source_count; i++) {
        (void)free_hosts(packing, &packing->sources[i], 1);
    }
    settle(packing);
}

/* How many of the cheapest hosts could be freed if guests could be divided: no more can be. */
static size_t at_most(const struct packing *packing)
{
    const struct ek_cluster *cluster = packing->steps.search->cluster;
    const struct ek_policy *policy = cluster->policy;
    double left[EK_RESOURCE_MAX] = {0};
    size_t domains = 0;
    size_t count = 0;
    bool ok = true;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
            double most = (policy->target_max[r] - margin(policy)) *
                          ek_cluster_capacity(cluster, h, (enum ek_resource)r);
            left[r] += used(cluster, h) ? fmax(0, most - cluster->hosts[h].load[r]) : 0;
        }
    }
    for (; ok && count < packing->source_count; count += ok ? 1 : 0) {
        const struct source *source = &packing->sources[count];
        domains += source->domains;
        ok = domains <= packing->steps.limit;
        for (unsigned int r = 0; r < cluster->resource_count; r++) {
            double most = (policy->target_max[r] - margin(policy)) *
                          ek_cluster_capacity(cluster, source->host, (enum ek_resource)r);
            /* Its own room goes, and its guests want some of the others'. */
            left[r] -= fmax(0, most - cluster->hosts[source->host].load[r]) + source->takes[r];
            ok = ok && left[r] >= -SLACK * (1 + most);
        }
    }
    return count;
}

/* Several hosts at once: guests of all of them in order of size pack better than host by host. */
static void free_together(struct packing *packing)
{
    qsort(packing->sources, packing->source_count, sizeof(*packing->sources), price_cmp);
    size_t most = at_most(packing);

    packing->steps.looks = LOOKS;
    for (size_t i = 0; i < TOGETHER && most > packing->best_freed; i++, most--) {
        if (free_hosts(packing, packing->sources, most)) {
            settle(packing);
            return;
        }
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool begin(struct packing *packing, struct ek_search *search, size_t limit,
                  struct ek_choice *choices, struct ek_error *err)
{
    struct ek_cluster *cluster = search->cluster;
    struct ek_arena *arena = &cluster->arena;
    size_t hosts = cluster->snapshot->host_count;

    packing->sources = ek_arena_alloc(arena, hosts, sizeof(*packing->sources));
    packing->guests =
        ek_arena_alloc(arena, cluster->snapshot->domain_count, sizeof(*packing->guests));
    packing->best = ek_arena_alloc(arena, limit, sizeof(*packing->best));
    if (packing->sources == NULL || packing->guests == NULL || packing->best == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory while planning");
    }
    if (!ek_steps_init(&packing->steps, search, choices, limit, err) ||
        !ek_spare_init(&packing->spare, cluster, err)) {
        return false;
    }
    packing->steps.fit = EK_FIT_FULLEST;
    packing->steps.margin = margin(cluster->policy);
    packing->best_price = INFINITY;
    for (uint32_t h = 0; h < hosts; h++) {
        struct source source;
        /* What is free stays free. */
        packing->steps.closed[h] = packing->steps.empty[h];
        for (unsigned int r = 0; cluster->hosts[h].counted && r < cluster->resource_count; r++) {
            packing->mean[r] +=
                ek_cluster_capacity(cluster, h, (enum ek_resource)r) / (double)hosts;
        }
        if (source_of(packing, h, &source)) {
            packing->sources[packing->source_count++] = source;
        }
    }
    return true;
}

static bool choose(struct ek_search *search, struct ek_choice *choices, size_t limit, size_t *count,
                   struct ek_error *err)
{
    struct packing packing = {.freed = 0};

    if (!begin(&packing, search, limit, choices, err)) {
        return false;
    }
    *count = 0;
    if (packing.source_count > 0) {
        free_in_turn(&packing, price_cmp);
        free_in_turn(&packing, domains_cmp);
        free_together(&packing);
        for (; *count < packing.best_count; (*count)++) {
            ek_steps_push(&packing.steps, packing.best[*count].domain,
                          packing.best[*count].destination);
        }
    }
    return true;
}

static const char *reason(const struct ek_search *search, const struct ek_candidate *chosen,
                          struct ek_arena *arena)
{
    const struct ek_cluster *cluster = search->cluster;
    uint32_t source = cluster->host_of[chosen->domain];

    assert(source != chosen->destination);
    return ek_arena_printf(
        arena, "frees %s; cpu of %s %.0f %% -> %.0f %%, memory %.0f %% -> %.0f %%",
        cluster->snapshot->hosts[source].name, cluster->snapshot->hosts[chosen->destination].name,
        100 * ek_cluster_utilization(cluster, chosen->destination, EK_CPU),
        100 * ek_cluster_utilization_with(cluster, chosen->destination, EK_CPU, chosen->domain, 1),
        100 * ek_cluster_utilization(cluster, chosen->destination, EK_MEMORY),
        100 * ek_cluster_utilization_with(cluster, chosen->destination, EK_MEMORY, chosen->domain,
                                          1));
}

const struct ek_policy_ops ek_policy_pack = {
    .name = "pack",
    .kind = EK_MOVE_BALANCE,
    .before = &ek_policy_hotspot,
    .chooses = "moves what ends an overload or frees a host whole",
    .quiet = "no host can be emptied whole below the targets of the others and worth the copying",
    .wants = wants,
    .choose = choose,
    .reason = reason};
