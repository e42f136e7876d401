/* A goal's beginning: the model of the cluster, laid out anew. */
#include "balancer/core/planner/goal.h"

#include <assert.h>
#include <string.h>

/* Overload below this is rounding. */
#define ROUNDING 1e-9

/* Pairs of domain and host whose admission is kept; beyond, it is asked for each time. */
#define MOST_PAIRS (8U << 20)

static bool allocate(struct ek_goal *goal)
{
    struct ek_cluster *cluster = goal->search->cluster;
    struct ek_arena *arena = &cluster->arena;
    size_t hosts = cluster->snapshot->host_count;
    size_t domains = cluster->snapshot->domain_count;

    goal->hosts = ek_arena_alloc(arena, hosts, sizeof(*goal->hosts));
    goal->start = ek_arena_alloc(arena, hosts, sizeof(*goal->start));
    goal->scratch = ek_arena_alloc(arena, hosts, sizeof(*goal->scratch));
    goal->domains = ek_arena_alloc(arena, domains, sizeof(*goal->domains));
    goal->open = ek_arena_alloc(arena, hosts, sizeof(*goal->open));
    goal->free = ek_arena_alloc(arena, domains, sizeof(*goal->free));
    goal->first = ek_arena_alloc(arena, hosts + 1, sizeof(*goal->first));
    goal->moved = ek_arena_alloc(arena, domains, sizeof(*goal->moved));
    bool keep = hosts == 0 || domains <= MOST_PAIRS / hosts;
    goal->admitted = keep ? ek_arena_alloc(arena, hosts * domains, 1) : NULL;
    if (cluster->noisy && keep) {
        goal->doubts = ek_arena_alloc(arena, hosts * domains, sizeof(*goal->doubts));
        for (size_t i = 0; goal->doubts != NULL && i < hosts * domains; i++) {
            goal->doubts[i] = -1;
        }
    }
    return (!cluster->noisy || !keep || goal->doubts != NULL) && goal->hosts != NULL &&
           goal->start != NULL && goal->scratch != NULL && goal->domains != NULL &&
           goal->open != NULL && goal->free != NULL && goal->first != NULL && goal->moved != NULL &&
           (!keep || goal->admitted != NULL);
}

static void fill_host(struct ek_goal *goal, uint32_t h)
{
    const struct ek_cluster *cluster = goal->search->cluster;
    struct ek_goal_host *host = &goal->hosts[h];

    for (unsigned int r = 0; r < goal->resources; r++) {
        double capacity = ek_cluster_capacity(cluster, h, (enum ek_resource)r);
        host->use[r] = ek_cluster_utilization(cluster, h, (enum ek_resource)r);
        host->share[r] = capacity > 0 ? 1 / capacity : 0;
    }
    /* No more than this may be given, and less than nothing where the input breaks it. */
    host->memory_mib = ek_constraint_memory_room(cluster, h);
    host->vcpus = ek_constraint_vcpu_room(cluster, h);
    if (cluster->hosts[h].counted && !cluster->hosts[h].unseen_arrival) {
        goal->open[goal->open_count++] = h;
    }
    double mib_s = cluster->snapshot->hosts[h].migration_mib_s;
    double other_mib_s = cluster->snapshot->hosts[0].migration_mib_s;
    goal->even_links = goal->even_links && !(mib_s < other_mib_s) && !(mib_s > other_mib_s);
}

static void fill_domain(struct ek_goal *goal, uint32_t d)
{
    const struct ek_cluster *cluster = goal->search->cluster;
    const struct ek_rule_set *rules = &cluster->rules;
    const struct ek_domain *from = &cluster->snapshot->domains[d];
    struct ek_goal_domain *domain = &goal->domains[d];

    for (unsigned int r = 0; r < goal->resources; r++) {
        domain->demand[r] = ek_cluster_demand(cluster, d, (enum ek_resource)r);
    }
    domain->memory_mib = from->memory_mib;
    domain->vcpus = from->vcpus;
    domain->home = domain->host = cluster->host_of[d];
    domain->at = EK_NONE;
    domain->ruled = rules->rule_count > 0 && rules->first[d] < rules->first[d + 1];
    domain->wished = domain->ruled && cluster->soft_unit > 0;
}

/* The domains of each host behind one another, host by host. */
static void fill_free(struct ek_goal *goal)
{
    const struct ek_search *search = goal->search;
    const struct ek_cluster *cluster = search->cluster;
    const size_t hosts = cluster->snapshot->host_count;
    const uint32_t domains = (uint32_t)cluster->snapshot->domain_count;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t d = 0; d < domains; d++) {
            uint32_t home = cluster->host_of[d];
            if (!search->movable[d] || search->settled[d] || !cluster->hosts[home].counted) {
                continue;
            }
            if (pass == 0) {
                goal->first[home + 1]++;
                goal->free_count++;
            } else {
                goal->free[goal->first[home]++] = d;
            }
        }
        for (size_t h = 0; pass == 0 && h < hosts; h++) {
            goal->first[h + 1] += goal->first[h];
        }
    }
    /* Filling has moved each beginning to its end. */
    memmove(goal->first + 1, goal->first, hosts * sizeof(*goal->first));
    goal->first[0] = 0;
}

static void weigh_resources(struct ek_goal *goal)
{
    const struct ek_cluster *cluster = goal->search->cluster;
    const struct ek_policy *policy = cluster->policy;
    double all = 0;

    for (unsigned int r = 0; r < goal->resources; r++) {
        all += policy->weight[r];
    }
    for (unsigned int r = 0; r < goal->resources; r++) {
        /* As in constraint.c: of cpu and memory more may be used than there is, of others not. */
        bool bounded = r >= EK_RESOURCE_FURTHER && policy->target_max[r] > 1;
        goal->most[r] = bounded ? 1 : policy->target_max[r];
        if (all > 0 && cluster->counted[r] > 0) {
            goal->of_square[r] = policy->weight[r] / all / cluster->counted[r];
            goal->of_sum[r] = goal->of_square[r] / cluster->counted[r];
        }
    }
    goal->overloads = cluster->overload > ROUNDING;
}

bool ek_goal_init(struct ek_goal *goal, struct ek_search *search, uint32_t limit,
                  struct ek_error *err)
{
    const struct ek_snapshot *snapshot = search->cluster->snapshot;

    memset(goal, 0, sizeof(*goal));
    goal->search = search;
    goal->resources = search->cluster->resource_count;
    goal->limit = limit;
    goal->even_links = true;
    goal->dear = 1;
    if (!allocate(goal)) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the goal of a plan");
    }
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        fill_host(goal, h);
    }
    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        fill_domain(goal, d);
    }
    memcpy(goal->start, goal->hosts, snapshot->host_count * sizeof(*goal->start));
    fill_free(goal);
    weigh_resources(goal);
    ek_goal_clear(goal);
    return true;
}
