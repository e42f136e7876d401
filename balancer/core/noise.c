/* The statistics of moving: a difference that chance explains is no reason to copy memory. */
#include "balancer/core/noise.h"

#include <assert.h>
#include <math.h>

/* A score below this is level within rounding: no move gains anything there. */
#define LEVEL 1e-9

/* Of the host's utilization, without a domain's own part. */
static double variance(const struct ek_cluster *cluster, uint32_t host, enum ek_resource resource,
                       double own)
{
    double capacity = ek_capacity(&cluster->snapshot->hosts[host], resource);

    return cluster->hosts[host].counted
               ? fmax(0.0, cluster->hosts[host].variance[resource] - own) / (capacity * capacity)
               : 0.0;
}

double ek_noise_beyond(const struct ek_cluster *cluster, enum ek_resource resource,
                       double imbalance)
{
    double explained = 0;

    if (!cluster->noisy || !(cluster->counted > 0)) {
        return imbalance;
    }
    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        explained += variance(cluster, h, resource, 0);
    }
    /* The mean is what noise adds to sigma^2 on the average, sqrt(2 / n) of it how far that goes
     * from sample to sample. */
    explained /= cluster->counted;
    explained *= 1 + cluster->policy->noise_sigma * sqrt(2 / cluster->counted);
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
    const struct ek_domain *goes = &cluster->snapshot->domains[domain];
    double noise = ek_domain_outlook(goes, resource)->noise;
    struct load load = {.demand = ek_demand(goes, resource), .out = noise * noise};

    if (back != EK_NONE) {
        const struct ek_domain *comes = &cluster->snapshot->domains[back];
        noise = ek_domain_outlook(comes, resource)->noise;
        load.demand -= ek_demand(comes, resource);
        load.back = noise * noise;
    }
    return load;
}

double ek_noise_of_move(const struct ek_cluster *cluster, double spread, uint32_t domain,
                        uint32_t destination, uint32_t back)
{
    const struct ek_policy *policy = cluster->policy;
    const struct ek_host *hosts = cluster->snapshot->hosts;
    uint32_t source = cluster->host_of[domain];
    double sum = 0;
    double weights = 0;

    assert(source != destination && spread >= 0);
    for (unsigned int r = 0; cluster->noisy && r < EK_RESOURCE_COUNT; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        const struct load load = load_of(cluster, resource, domain, back);
        double sizes =
            ek_capacity(&hosts[source], resource) * ek_capacity(&hosts[destination], resource);
        double others = variance(cluster, source, resource, load.out) +
                        variance(cluster, destination, resource, load.back);
        sum += policy->weight[r] * policy->weight[r] *
               (load.demand * load.demand + load.out + load.back) / sizes * others;
        weights += policy->weight[r];
    }
    return sum > 0 ? policy->noise_sigma * sqrt(sum) /
                         (cluster->counted * fmax(spread, LEVEL) * weights)
                   : 0.0;
}
