/* The working model that the planner moves domains about in: loads and allocations per host, kept
 * incrementally, so that a candidate costs O(resources) and never O(hosts).
 *
 * Private to the planning stages; nothing of it outlives a plan. */
#ifndef EK_CORE_CLUSTER_H
#define EK_CORE_CLUSTER_H

#include "balancer/core/policy.h"
#include "balancer/core/rules/rule_set.h"
#include "balancer/core/snapshot.h"
#include "balancer/core/utilization.h"

/* What is added up of each host. */
struct ek_host_load {
    double load[EK_RESOURCE_MAX];     /* base + settled domains' demand, in cores, MiB, ... */
    double variance[EK_RESOURCE_MAX]; /* of the demand of what is settled, in its unit squared; kept
                                         where it counts: `noisy` */
    double memory_mib;                /* configured memory of all that is there or arriving */
    double vcpus;
    double held[EK_RESOURCE_MAX]; /* of further resources: by those in flight from here, and by
                                     copies, whose load counts on another host */
    bool counted;        /* up, not in maintenance, not left alone: part of the imbalance */
    bool unseen_arrival; /* a move ends here that no sample shows: admit nothing */
};

/* The quantities that every objective is made of. Lower is better, overload first. */
struct ek_score {
    double overload; /* sum over counted hosts and resources of utilization above target_max */
    double spread;   /* sqrt(sum of w * sigma^2 / sum of w), docs/planner.md */
    double soft;     /* what broken should rules cost, in units of spread */
};

struct ek_cluster {
    const struct ek_snapshot *snapshot; /* borrowed */
    const struct ek_policy *policy;     /* borrowed */
    struct ek_host_load *hosts;
    uint32_t *host_of;               /* per domain: where it is in this model */
    bool *in_flight;                 /* per domain */
    bool noisy;                      /* the policy heeds noise, and some demand has some */
    unsigned int resource_count;     /* of the policy */
    double *capacity;                /* [host * resource_count + resource]; 0: it has none */
    double *demand;                  /* [domain * resource_count + resource] */
    double *utilization;             /* [host * resource_count + resource]: load over capacity */
    double counted[EK_RESOURCE_MAX]; /* counted hosts that have the resource */
    double total_memory_mib;         /* of all up hosts: the scale of a move's cost */
    double sum[EK_RESOURCE_MAX];     /* of the counted hosts' utilization ... */
    double square[EK_RESOURCE_MAX];  /* ... and of its square */
    double overload;
    double soft_unit;         /* what a broken should rule of weight 1 costs, docs/planner.md */
    double weights;           /* of all resources together */
    struct ek_rule_set rules; /* of the policy and of the domains; settled as host_of says */
    struct ek_arena arena;
};

/* Builds the model: an in-flight domain's load is on its destination, its allocation on both hosts.
 * Error: NOMEM. */
bool ek_cluster_init(struct ek_cluster *cluster, const struct ek_snapshot *snapshot,
                     const struct ek_policy *policy, struct ek_error *err);
void ek_cluster_finish(struct ek_cluster *cluster);

/* The same model once more, to move domains about in; a tenth of the work of building it. What
 * never changes is borrowed from `from`, which must outlive the copy. Error: NOMEM. */
bool ek_cluster_copy(struct ek_cluster *out, const struct ek_cluster *from, struct ek_error *err);

/* Moves load, allocation and rules of a domain; it must not be in flight. */
void ek_cluster_move(struct ek_cluster *cluster, uint32_t domain, uint32_t destination);

/* What the domain takes of a resource. */
double ek_cluster_demand(const struct ek_cluster *cluster, uint32_t domain,
                         enum ek_resource resource);

/* Standard deviation of that from sample to sample; 0: none, or not known. */
double ek_cluster_noise(const struct ek_cluster *cluster, uint32_t domain,
                        enum ek_resource resource);

/* What the host has of a resource; 0: none. */
double ek_cluster_capacity(const struct ek_cluster *cluster, uint32_t host,
                           enum ek_resource resource);

/* 0 on a host that has nothing of the resource. */
double ek_cluster_utilization(const struct ek_cluster *cluster, uint32_t host,
                              enum ek_resource resource);

/* The same if the domain were added to (sign 1) or taken from (sign -1) the host. */
double ek_cluster_utilization_with(const struct ek_cluster *cluster, uint32_t host,
                                   enum ek_resource resource, uint32_t domain, double sign);

/* Population standard deviation over the counted hosts; 0 when there are none. */
double ek_cluster_imbalance(const struct ek_cluster *cluster, enum ek_resource resource);

struct ek_score ek_cluster_score(const struct ek_cluster *cluster);

/* The score after that move, without making it. O(resources). */
struct ek_score ek_cluster_score_after(const struct ek_cluster *cluster, uint32_t domain,
                                       uint32_t destination);

/* By how much that move would lower the cost of should rules, in units of the score; below 0: by
 * how much it would raise it. O(rules of the domain). */
double ek_cluster_soft_fall(const struct ek_cluster *cluster, uint32_t domain,
                            uint32_t destination);
/* ---- many destinations of one domain: what its leaving changes is worked out once -------------
 */

/* The sums without the domain; valid until the next change of the model. */
struct ek_departure {
    uint32_t domain;
    double overload;
    double sum[EK_RESOURCE_MAX];
    double square[EK_RESOURCE_MAX];
};

/* What the score is made of, without its root. */
struct ek_level {
    double overload; /* as in the score */
    double variance; /* sum of w * sigma^2: spread is the root of it over cluster->weights */
};

struct ek_level ek_cluster_level(const struct ek_cluster *cluster);
struct ek_departure ek_cluster_depart(const struct ek_cluster *cluster, uint32_t domain);
struct ek_level ek_cluster_arrive(const struct ek_cluster *cluster,
                                  const struct ek_departure *departure, uint32_t destination);
struct ek_score ek_cluster_score_of(const struct ek_cluster *cluster, struct ek_level level);

#endif
