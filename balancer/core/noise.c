/* The statistics of moving: a difference that chance explains is no reason to copy memory. */
#include "balancer/core/noise.h"

#include <assert.h>
#include <math.h>

/* A score below this is level within rounding: no move gains anything there. */
#define LEVEL 1e-9

/* Of the host's utilization, without `own` of its load's variance. */
static double variance(const struct ek_cluster *cluster, uint32_t host, enum ek_resource resource,
                       double own)
{
    double capacity = ek_cluster_capacity(cluster, host, resource);

    return cluster->hosts[host].counted && capacity > 0
               ? fmax(0.0, cluster->hosts[host].variance[resource] - own) / (capacity * capacity)
               : 0.0;
}

double ek_noise_beyond(const struct ek_cluster *cluster, enum ek_resource resource,
                       double imbalance)
{
    double hosts = cluster->counted[resource];
    double explained = 0;

    if (!cluster->noisy || !(hosts > 0)) {
        return imbalance;
    }
    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        explained += variance(cluster, h, resource, 0);
    }
    /* The mean is what noise adds to sigma^2 on the average, sqrt(2 / n) of it how far that goes
     * from sample to sample. */
    explained *= (1 + cluster->policy->noise_sigma * sqrt(2 / hosts)) / hosts;
    return sqrt(fmax(0.0, imbalance * imbalance - explained));
}

/* What goes from the source to the destination, less what comes back, of one resource. */
struct load {
    double demand;
    double out; /* variances */
    double back;
};

static struct load load_of(const struct ek_cluster *cluster, enum ek_resource resource,
                           uint32_t domain, uint32_t back)
{
    double noise = ek_cluster_noise(cluster, domain, resource);
    struct load load = {.demand = ek_cluster_demand(cluster, domain, resource),
                        .out = noise * noise};

    if (back != EK_NONE) {
        noise = ek_cluster_noise(cluster, back, resource);
        load.demand -= ek_cluster_demand(cluster, back, resource);
        load.back = noise * noise;
    }
    return load;
}

/* The variance of one resource's product of what changes hosts and of the difference between them.
 */
static double part(const struct ek_cluster *cluster, enum ek_resource resource, uint32_t domain,
                   uint32_t destination, uint32_t back)
{
    uint32_t source = cluster->host_of[domain];
    const struct load load = load_of(cluster, resource, domain, back);
    double sizes = ek_cluster_capacity(cluster, source, resource) *
                   ek_cluster_capacity(cluster, destination, resource);
    double others = variance(cluster, source, resource, load.out) +
                    variance(cluster, destination, resource, load.back);

    return sizes > 0 ? (load.demand * load.demand + load.out + load.back) / sizes * others : 0.0;
}

double ek_noise_of_move(const struct ek_cluster *cluster, double spread, uint32_t domain,
                        uint32_t destination, uint32_t back)
{
    const struct ek_policy *policy = cluster->policy;
    double sum = 0;
    double weights = 0;

    assert(cluster->host_of[domain] != destination && spread >= 0);
    for (unsigned int r = 0; cluster->noisy && r < cluster->resource_count; r++) {
        double hosts = fmax(1, cluster->counted[r]);
        double weight = policy->weight[r] / hosts;
        sum += weight * weight * part(cluster, (enum ek_resource)r, domain, destination, back);
        weights += policy->weight[r];
    }
    return sum > 0 ? policy->noise_sigma * sqrt(sum) / (fmax(spread, LEVEL) * weights) : 0.0;
}
