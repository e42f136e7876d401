/* Evaluation: the numbers of a cluster as it is, which trigger, plan and status all quote. */
#include "balancer/core/evaluate.h"

#include "balancer/core/spare.h"

#include <assert.h>
#include <string.h>

/* A host that was filled exactly to its target is not above it. */
#define SLACK 1e-9

/* By name among equals, so that the same cluster in another order gives the same document. */
static bool hotter(const struct ek_snapshot *snapshot, const struct ek_hottest *a,
                   const struct ek_hottest *b)
{
    assert(a->host != EK_NONE);
    if (b->host == EK_NONE || a->utilization > b->utilization) {
        return true;
    }
    return !(a->utilization < b->utilization) &&
           strcmp(snapshot->hosts[a->host].name, snapshot->hosts[b->host].name) < 0;
}

struct ek_levels ek_levels_of(const struct ek_cluster *cluster)
{
    struct ek_levels levels = {.hottest = {.host = EK_NONE}, .score = ek_cluster_score(cluster)};

    levels.broken = (uint32_t)ek_rule_set_broken(&cluster->rules);
    levels.violations = levels.broken;
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        levels.imbalance[r] = ek_cluster_imbalance(cluster, (enum ek_resource)r);
    }
    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        for (unsigned int r = 0; cluster->hosts[h].counted && r < cluster->resource_count; r++) {
            double u = ek_cluster_utilization(cluster, h, (enum ek_resource)r);
            struct ek_hottest seen = {h, (enum ek_resource)r, u};
            /* Counted by pairs: a host that is hot in CPU and memory is two things to cure. */
            levels.violations += u > cluster->policy->target_max[r] + SLACK ? 1 : 0;
            if (hotter(cluster->snapshot, &seen, &levels.hottest)) {
                levels.hottest = seen;
            }
        }
    }
    return levels;
}

/* All hosts, also those that do not count: status shows them. */
static bool fill(struct ek_evaluation *out, const struct ek_cluster *cluster, struct ek_error *err)
{
    size_t hosts = cluster->snapshot->host_count;

    out->utilization =
        ek_arena_alloc(&out->arena, hosts * cluster->resource_count, sizeof(*out->utilization));
    if (out->utilization == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the evaluation");
    }
    for (uint32_t h = 0; h < hosts; h++) {
        for (unsigned int r = 0; r < cluster->resource_count; r++) {
            out->utilization[h * cluster->resource_count + r] =
                ek_cluster_utilization(cluster, h, (enum ek_resource)r);
        }
    }
    out->rule_problems = cluster->rules.problems;
    out->rule_problem_count = cluster->rules.problem_count;
    for (size_t d = 0; d < cluster->snapshot->domain_count; d++) {
        out->maintenance_left += cluster->snapshot->hosts[cluster->host_of[d]].maintenance ? 1 : 0;
    }
    return true;
}

/* Whether the guests of lost hosts would find room; not asked for the default, which spares none.
 */
static bool ask_spare(struct ek_evaluation *out, struct ek_cluster *cluster, struct ek_error *err)
{
    struct ek_spare spare;
    size_t count = (size_t)cluster->policy->spare_hosts;

    if (count == 0) {
        return true;
    }
    if (!ek_spare_init(&spare, cluster, err)) {
        return false;
    }
    out->spare_lacks = !ek_spare_bears(&spare, count, NULL, false);
    return true;
}

bool ek_evaluate(struct ek_evaluation *out, const struct ek_snapshot *snapshot,
                 const struct ek_policy *policy, struct ek_error *err)
{
    memset(out, 0, sizeof(*out));
    assert(ek_snapshot_sorted(snapshot));
    if (!ek_cluster_init(&out->cluster, snapshot, policy, err)) {
        return false;
    }
    /* Borrowed: copying 200,000 domains in each cycle would cost more than evaluating them. */
    out->snapshot = snapshot;
    out->policy = policy;
    out->levels = ek_levels_of(&out->cluster);
    if (!fill(out, &out->cluster, err) || !ask_spare(out, &out->cluster, err)) {
        ek_evaluation_finish(out);
        return false;
    }
    return true;
}

void ek_evaluation_finish(struct ek_evaluation *evaluation)
{
    ek_cluster_finish(&evaluation->cluster);
    ek_arena_finish(&evaluation->arena);
    memset(evaluation, 0, sizeof(*evaluation));
}
