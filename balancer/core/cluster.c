/* The working model: sums are kept per resource, so that standard deviations after one more move
 * come from two hosts' differences and not from all hosts. See docs/planner.md for the score. */
#include "balancer/core/cluster.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* max(0, x) without a call: a plan asks for it millions of times. NAN cannot come here. */
static double positive(double value)
{
    return value > 0 ? value : 0;
}

/* Above the target only: a host far below it does not pay for one above it. */
static double excess(double utilization, double target)
{
    return positive(utilization - target);
}

/* Adds (sign 1) or removes (sign -1) a counted host's part of the sums. */
static void account(struct ek_cluster *cluster, uint32_t host, double sign)
{
    assert(host < cluster->snapshot->host_count);
    if (!cluster->hosts[host].counted) {
        return;
    }
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double u = ek_cluster_utilization(cluster, host, (enum ek_resource)r);
        cluster->sum[r] += sign * u;
        cluster->square[r] += sign * u * u;
        cluster->overload += sign * excess(u, cluster->policy->target_max[r]);
    }
}

/* Allocation, not use: what a domain may take is what must fit, hard, at every instant. */
static void allocate(struct ek_host_load *host, const struct ek_domain *domain, double sign)
{
    host->memory_mib += sign * domain->memory_mib;
    host->vcpus += sign * domain->vcpus;
}

/* Of further resources there is no allocation but what is taken; whose load counts on another host
 * keeps it here all the same. */
static void hold(struct ek_cluster *cluster, uint32_t host, uint32_t domain)
{
    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        cluster->hosts[host].held[r] += ek_cluster_demand(cluster, domain, (enum ek_resource)r);
    }
}

double ek_cluster_noise(const struct ek_cluster *cluster, uint32_t domain,
                        enum ek_resource resource)
{
    /* Of further resources only what is allotted is known, which does not jump about. */
    return resource < EK_RESOURCE_FURTHER
               ? ek_domain_outlook(&cluster->snapshot->domains[domain], resource)->noise
               : 0;
}

/* Divided here, once for each change: rating a move asks for it millions of times. */
static void gauge(struct ek_cluster *cluster, uint32_t h)
{
    size_t first = (size_t)h * cluster->resource_count;

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        double capacity = cluster->capacity[first + r];
        assert(cluster->hosts[h].load[r] >= 0);
        cluster->utilization[first + r] = capacity > 0 ? cluster->hosts[h].load[r] / capacity : 0;
    }
}

/* Load follows use, which is what balance is about. Never below zero, since taking away what was
 * added may leave a hair below, and a square root is taken later. */
static void place(struct ek_cluster *cluster, uint32_t d, uint32_t h, double sign)
{
    struct ek_host_load *host = &cluster->hosts[h];
    const double *demand = &cluster->demand[(size_t)d * cluster->resource_count];

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        host->load[r] = positive(host->load[r] + sign * demand[r]);
    }
    for (unsigned int r = 0; cluster->noisy && r < cluster->resource_count; r++) {
        double noise = ek_cluster_noise(cluster, d, (enum ek_resource)r);
        host->variance[r] = positive(host->variance[r] + sign * noise * noise);
    }
    gauge(cluster, h);
}

/* A domain in flight is where it will be: planning by the source would send it, or a second one,
 * after a decision that is already made. Its memory is held on both ends until the move has
 * ended. */
static void settle_in_flight(struct ek_cluster *cluster)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        assert(flight->source < snapshot->host_count);
        assert(flight->destination < snapshot->host_count);
        assert(flight->source != flight->destination);
        if (flight->domain == EK_NONE) {
            cluster->hosts[flight->destination].unseen_arrival = true;
            continue;
        }
        assert(!cluster->in_flight[flight->domain]);
        cluster->in_flight[flight->domain] = true;
        cluster->host_of[flight->domain] = flight->destination;
        const struct ek_domain *domain = &snapshot->domains[flight->domain];
        /* A sample may already show it on the destination: the other end is the one not yet
         * allocated. */
        uint32_t other = domain->host == flight->destination ? flight->source : flight->destination;
        allocate(&cluster->hosts[other], domain, 1);
        hold(cluster, ek_rule_set_other_host(snapshot, flight), flight->domain);
    }
}

/* As much as copying two average domains costs: enough to move one of them for a rule, too little
 * to undo what levels the hosts. Where copying is cheaper than at cost_weight 1 a rule is not. */
static double soft_unit(const struct ek_cluster *cluster)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    double memory_mib = 0;

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        memory_mib += snapshot->domains[d].memory_mib;
    }
    if (!ek_rule_set_prefers(&cluster->rules) || !(cluster->total_memory_mib > 0)) {
        return 0;
    }
    return 2 * fmax(1, cluster->policy->cost_weight) * memory_mib / (double)snapshot->domain_count /
           cluster->total_memory_mib;
}

static bool noisy(const struct ek_cluster *cluster)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool found = false;

    for (size_t d = 0; !found && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        found = domain->cpu_outlook.noise > 0 || domain->memory_outlook.noise > 0;
    }
    return found && cluster->policy->noise_sigma > 0;
}

/* In this order: host_of must stand before loads are placed, and loads before they are summed. */
static void fill(struct ek_cluster *cluster, const double *base)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        memcpy(cluster->hosts[h].load, base + h * cluster->resource_count,
               cluster->resource_count * sizeof(*base));
        /* A host in maintenance or without fresh figures would pull the mean to where nothing can
         * go. */
        cluster->hosts[h].counted =
            host->state == EK_HOST_UP && !host->maintenance &&
            ek_rule_set_ignored_host(&cluster->rules, (uint32_t)h) == EK_NONE;
        for (unsigned int r = 0; r < cluster->resource_count; r++) {
            bool has = cluster->capacity[h * cluster->resource_count + r] > 0;
            cluster->counted[r] += cluster->hosts[h].counted && has ? 1 : 0;
        }
        cluster->total_memory_mib += host->state == EK_HOST_UP ? host->memory_mib : 0;
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        assert(snapshot->domains[d].host < snapshot->host_count);
        cluster->host_of[d] = snapshot->domains[d].host;
        allocate(&cluster->hosts[snapshot->domains[d].host], &snapshot->domains[d], 1);
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        const struct ek_copy *copy = &snapshot->copies[c];
        assert(copy->host < snapshot->host_count && copy->domain < snapshot->domain_count);
        allocate(&cluster->hosts[copy->host], &snapshot->domains[copy->domain], 1);
        hold(cluster, copy->host, copy->domain);
    }
    settle_in_flight(cluster);
    cluster->noisy = noisy(cluster);
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        place(cluster, (uint32_t)d, cluster->host_of[d], 1);
    }
    for (size_t h = 0; h < snapshot->host_count; h++) {
        gauge(cluster, (uint32_t)h); /* also those where no domain is */
        account(cluster, (uint32_t)h, 1);
    }
}

/* Read off the snapshot once: rating a move asks for them millions of times. */
static void measure(struct ek_cluster *cluster)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    const struct ek_resources *resources = &cluster->policy->resources;
    double *capacity = cluster->capacity;
    double *demand = cluster->demand;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        *capacity++ = ek_capacity(host, EK_CPU);
        *capacity++ = ek_capacity(host, EK_MEMORY);
        for (unsigned int r = EK_RESOURCE_FURTHER; r < resources->count; r++) {
            *capacity++ = ek_capacity_of(host, resources->names[r]);
        }
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        *demand++ = ek_demand(domain, EK_CPU);
        *demand++ = ek_demand(domain, EK_MEMORY);
        for (unsigned int r = EK_RESOURCE_FURTHER; r < resources->count; r++) {
            *demand++ = ek_demand_of(domain, resources->names[r]);
        }
    }
}

/* One arena for the model: planning, scheduling and each dispatch build one and drop it whole. */
bool ek_cluster_init(struct ek_cluster *cluster, const struct ek_snapshot *snapshot,
                     const struct ek_policy *policy, struct ek_error *err)
{
    memset(cluster, 0, sizeof(*cluster));
    assert(snapshot != NULL && policy != NULL);
    cluster->snapshot = snapshot;
    cluster->policy = policy;
    struct ek_arena *arena = &cluster->arena;
    cluster->hosts = ek_arena_alloc(arena, snapshot->host_count, sizeof(*cluster->hosts));
    cluster->host_of = ek_arena_alloc(arena, snapshot->domain_count, sizeof(*cluster->host_of));
    cluster->in_flight = ek_arena_alloc(arena, snapshot->domain_count, sizeof(bool));
    cluster->resource_count = policy->resources.count;
    assert(cluster->resource_count >= EK_RESOURCE_FURTHER);
    assert(cluster->resource_count <= EK_RESOURCE_MAX);
    size_t host_figures = snapshot->host_count * cluster->resource_count;
    size_t domain_figures = snapshot->domain_count * cluster->resource_count;
    cluster->capacity = ek_arena_alloc(arena, host_figures, sizeof(double));
    cluster->demand = ek_arena_alloc(arena, domain_figures, sizeof(double));
    cluster->utilization = ek_arena_alloc(arena, host_figures, sizeof(double));
    double *base = ek_arena_alloc(arena, host_figures, sizeof(*base));
    if (cluster->hosts == NULL || cluster->capacity == NULL || cluster->demand == NULL ||
        cluster->utilization == NULL || cluster->host_of == NULL || cluster->in_flight == NULL ||
        base == NULL) {
        ek_cluster_finish(cluster);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a model of %zu domains",
                            snapshot->domain_count);
    }
    if (!ek_rule_set_init(&cluster->rules, policy->rules, snapshot, err)) {
        ek_cluster_finish(cluster);
        return false;
    }
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        cluster->weights += policy->weight[r];
    }
    measure(cluster);
    ek_base_load(snapshot, &policy->resources, base);
    fill(cluster, base);
    cluster->soft_unit = soft_unit(cluster);
    return true;
}

static void *duplicate(struct ek_arena *arena, const void *from, size_t count, size_t size)
{
    void *copy = ek_arena_alloc(arena, count, size);

    return copy == NULL || count == 0 ? copy : memcpy(copy, from, count * size);
}

bool ek_cluster_copy(struct ek_cluster *out, const struct ek_cluster *from, struct ek_error *err)
{
    size_t hosts = from->snapshot->host_count;
    size_t domains = from->snapshot->domain_count;
    struct ek_arena *arena = &out->arena;

    *out = *from;
    *arena = (struct ek_arena){.newest = NULL};
    if (!ek_rule_set_copy(&out->rules, &from->rules, err)) {
        memset(out, 0, sizeof(*out));
        return false;
    }
    out->hosts = duplicate(arena, from->hosts, hosts, sizeof(*out->hosts));
    out->utilization = duplicate(arena, from->utilization, hosts * from->resource_count,
                                 sizeof(*out->utilization));
    out->host_of = duplicate(arena, from->host_of, domains, sizeof(*out->host_of));
    if (out->hosts == NULL || out->utilization == NULL || out->host_of == NULL) {
        ek_cluster_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a model of %zu domains", domains);
    }
    return true;
}

void ek_cluster_finish(struct ek_cluster *cluster)
{
    ek_rule_set_finish(&cluster->rules);
    ek_arena_finish(&cluster->arena);
    memset(cluster, 0, sizeof(*cluster));
}

void ek_cluster_move(struct ek_cluster *cluster, uint32_t domain, uint32_t destination)
{
    uint32_t source = cluster->host_of[domain];

    assert(!cluster->in_flight[domain]);
    assert(destination < cluster->snapshot->host_count);
    /* Out of the sums, change, into the sums: the sums hold whole hosts, never halves. */
    assert(source < cluster->snapshot->host_count && source != destination);
    account(cluster, source, -1);
    account(cluster, destination, -1);
    allocate(&cluster->hosts[source], &cluster->snapshot->domains[domain], -1);
    allocate(&cluster->hosts[destination], &cluster->snapshot->domains[domain], 1);
    place(cluster, domain, source, -1);
    place(cluster, domain, destination, 1);
    cluster->host_of[domain] = destination;
    ek_rule_set_move(&cluster->rules, domain, destination);
    account(cluster, source, 1);
    account(cluster, destination, 1);
}

double ek_cluster_demand(const struct ek_cluster *cluster, uint32_t domain,
                         enum ek_resource resource)
{
    return cluster->demand[(size_t)domain * cluster->resource_count + resource];
}

double ek_cluster_capacity(const struct ek_cluster *cluster, uint32_t host,
                           enum ek_resource resource)
{
    return cluster->capacity[(size_t)host * cluster->resource_count + resource];
}

double ek_cluster_utilization(const struct ek_cluster *cluster, uint32_t host,
                              enum ek_resource resource)
{
    assert(host < cluster->snapshot->host_count);
    return cluster->utilization[(size_t)host * cluster->resource_count + resource];
}

double ek_cluster_utilization_with(const struct ek_cluster *cluster, uint32_t host,
                                   enum ek_resource resource, uint32_t domain, double sign)
{
    double capacity = ek_cluster_capacity(cluster, host, resource);
    double load =
        cluster->hosts[host].load[resource] + sign * ek_cluster_demand(cluster, domain, resource);

    return capacity > 0 ? positive(load) / capacity : 0;
}

/* Variance from sums; rounding may leave it a hair below zero. */
static double variance(double count, double sum, double square)
{
    return count > 0 ? positive(square / count - (sum / count) * (sum / count)) : 0.0;
}

double ek_cluster_imbalance(const struct ek_cluster *cluster, enum ek_resource resource)
{
    return sqrt(
        variance(cluster->counted[resource], cluster->sum[resource], cluster->square[resource]));
}

/* Weights of 0 switch a resource off; all of them 0 leaves nothing to level. */
struct ek_level ek_cluster_level(const struct ek_cluster *cluster)
{
    struct ek_level level = {.overload = positive(cluster->overload)};

    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        level.variance += cluster->policy->weight[r] *
                          variance(cluster->counted[r], cluster->sum[r], cluster->square[r]);
    }
    return level;
}

struct ek_score ek_cluster_score_of(const struct ek_cluster *cluster, struct ek_level level)
{
    double weights = cluster->weights;

    return (struct ek_score){.overload = level.overload,
                             .spread = weights > 0 ? sqrt(level.variance / weights) : 0.0};
}

struct ek_score ek_cluster_score(const struct ek_cluster *cluster)
{
    struct ek_score score = ek_cluster_score_of(cluster, ek_cluster_level(cluster));

    score.soft = cluster->soft_unit * ek_rule_set_should_cost(&cluster->rules);
    return score;
}

double ek_cluster_soft_fall(const struct ek_cluster *cluster, uint32_t domain, uint32_t destination)
{
    return cluster->soft_unit > 0
               ? -cluster->soft_unit *
                     ek_rule_set_should_delta(&cluster->rules, domain, destination)
               : 0;
}

/* What one host adds to the sums, and what it will add when the domain has come (sign 1) or gone
 * (sign -1). */
struct change {
    double before;
    double after;
    double overload;
};

static inline struct change change_of(const struct ek_cluster *cluster, uint32_t host,
                                      unsigned int r, uint32_t domain, double sign)
{
    size_t at = (size_t)host * cluster->resource_count + r;
    double demand = cluster->demand[(size_t)domain * cluster->resource_count + r];
    double capacity = cluster->capacity[at];
    double target = cluster->policy->target_max[r];
    double before = cluster->utilization[at];
    double load = positive(cluster->hosts[host].load[r] + sign * demand);
    double after = capacity > 0 ? load / capacity : 0;

    return (struct change){before, after, excess(after, target) - excess(before, target)};
}

/* `count` is the number of resources: a constant for the two that are always there makes straight
 * code of the loop, and half of the time that rating takes. */
static inline struct ek_departure depart(const struct ek_cluster *cluster, uint32_t domain,
                                         unsigned int count)
{
    struct ek_departure sums;
    uint32_t source = cluster->host_of[domain];
    bool counted = cluster->hosts[source].counted;

    sums.domain = domain;
    sums.overload = cluster->overload;
    for (unsigned int r = 0; r < count; r++) {
        sums.sum[r] = cluster->sum[r];
        sums.square[r] = cluster->square[r];
        if (counted) {
            struct change it = change_of(cluster, source, r, domain, -1);
            sums.sum[r] += it.after - it.before;
            sums.square[r] += it.after * it.after - it.before * it.before;
            sums.overload += it.overload;
        }
    }
    return sums;
}

struct ek_departure ek_cluster_depart(const struct ek_cluster *cluster, uint32_t domain)
{
    assert(domain < cluster->snapshot->domain_count);
    return cluster->resource_count == EK_RESOURCE_FURTHER
               ? depart(cluster, domain, EK_RESOURCE_FURTHER)
               : depart(cluster, domain, cluster->resource_count);
}

static inline struct ek_level arrive(const struct ek_cluster *cluster,
                                     const struct ek_departure *departure, uint32_t destination,
                                     unsigned int count)
{
    struct ek_level level = {.overload = departure->overload};
    bool counted = cluster->hosts[destination].counted;

    for (unsigned int r = 0; r < count; r++) {
        double sum = departure->sum[r];
        double square = departure->square[r];
        if (counted) {
            struct change it = change_of(cluster, destination, r, departure->domain, 1);
            sum += it.after - it.before;
            square += it.after * it.after - it.before * it.before;
            level.overload += it.overload;
        }
        level.variance += cluster->policy->weight[r] * variance(cluster->counted[r], sum, square);
    }
    level.overload = positive(level.overload);
    return level;
}

struct ek_level ek_cluster_arrive(const struct ek_cluster *cluster,
                                  const struct ek_departure *departure, uint32_t destination)
{
    /* Only these two hosts change; every other one's part of the sums stays as it is. Were they the
     * same, its utilization would be counted twice. */
    assert(cluster->host_of[departure->domain] != destination);
    return cluster->resource_count == EK_RESOURCE_FURTHER
               ? arrive(cluster, departure, destination, EK_RESOURCE_FURTHER)
               : arrive(cluster, departure, destination, cluster->resource_count);
}

struct ek_score ek_cluster_score_after(const struct ek_cluster *cluster, uint32_t domain,
                                       uint32_t destination)
{
    struct ek_departure departure = ek_cluster_depart(cluster, domain);

    struct ek_score score =
        ek_cluster_score_of(cluster, ek_cluster_arrive(cluster, &departure, destination));
    score.soft = cluster->soft_unit * ek_rule_set_should_cost(&cluster->rules) -
                 ek_cluster_soft_fall(cluster, domain, destination);
    return score;
}
