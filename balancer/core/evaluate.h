/* EVALUATION: how level the cluster is, said in the contract's numbers. */
#ifndef EK_CORE_EVALUATE_H
#define EK_CORE_EVALUATE_H

#include "balancer/core/cluster.h"

struct ek_hottest {
    uint32_t host; /* EK_NONE: no host counts */
    enum ek_resource resource;
    double utilization;
};

/* `before` and `after` of a plan. */
struct ek_levels {
    double imbalance[EK_RESOURCE_MAX]; /* population standard deviation, 0..0.5 */
    struct ek_hottest hottest;         /* equal ones: the first by name */
    uint32_t violations;               /* broken must rules, and (host, resource)
                                          pairs above target_max */
    uint32_t broken;                   /* the broken must rules among them */
    struct ek_score score;
};

struct ek_evaluation {
    const struct ek_snapshot *snapshot; /* borrowed; must outlive the evaluation */
    const struct ek_policy *policy;     /* borrowed */
    struct ek_levels levels;
    struct ek_cluster cluster;                   /* the model, for later stages to copy */
    double *utilization;                         /* [host * policy->resources.count + resource] */
    const struct ek_rule_problem *rule_problems; /* the most serious first */
    size_t rule_problem_count;
    bool spare_lacks;          /* capacity.spare_hosts: their loss could not be borne now */
    uint32_t maintenance_left; /* movable or not: domains on hosts in maintenance */
    struct ek_arena arena;
};

/* Levels of a model in its present state. */
struct ek_levels ek_levels_of(const struct ek_cluster *cluster);

/* Error: NOMEM. The caller owns the result. */
bool ek_evaluate(struct ek_evaluation *out, const struct ek_snapshot *snapshot,
                 const struct ek_policy *policy, struct ek_error *err);
void ek_evaluation_finish(struct ek_evaluation *evaluation);

#endif
