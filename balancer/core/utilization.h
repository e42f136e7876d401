/* Utilization: from a snapshot's figures to demand and load per resource.
 *
 * A host's utilization of a resource is (base + sum of its domains' demand) / capacity, where
 * base = max(0, host used - sum of its domains' used) is what the host itself uses and keeps. Base
 * comes from what was seen (ek_use), demand looks ahead (ek_demand). */
#ifndef EK_CORE_UTILIZATION_H
#define EK_CORE_UTILIZATION_H

#include "balancer/core/snapshot.h"

/* CPU in cores and memory in MiB are always there; what policy.yaml names beside them follows. */
enum ek_resource { EK_CPU, EK_MEMORY, EK_RESOURCE_FURTHER, EK_RESOURCE_MAX = 8 };

enum { EK_RESOURCE_NAME_SIZE = 32 };

/* What is levelled, by name. A further resource is any quantity that hosts have and domains take:
 * network or disk rates, licences, GPUs; its unit is the operator's. */
struct ek_resources {
    unsigned int count; /* at least 2 */
    char names[EK_RESOURCE_MAX][EK_RESOURCE_NAME_SIZE];
};

/* What a host offers: cores, or MiB; never reduced by reserve or overcommit. */
double ek_capacity(const struct ek_host *host, enum ek_resource resource);

/* What a host has of a further resource: what its sample says, else its label of that name where
 * that is a number above 0, else 0: it has none. */
double ek_capacity_of(const struct ek_host *host, const char *resource);

/* What a domain takes of it: what its sample says, else its label of that name where that is a
 * number above 0, else 0. */
double ek_demand_of(const struct ek_domain *domain, const char *resource);

/* What a domain was seen to use, in cores or MiB: a part of what its host uses. CPU: its use, else
 * its vCPUs. Memory: the larger of used and resident, whichever are known, else the configured
 * size. */
double ek_use(const struct ek_domain *domain, enum ek_resource resource);

/* What a domain wants, and takes along when it moves, in cores or MiB: its outlook where there is
 * one, else what one sample tells. That is its use, and of CPU also what it waited for:
 * min(vcpus, used + steal * vcpus), never less than used. */
double ek_demand(const struct ek_domain *domain, enum ek_resource resource);

/* The same from the sample alone; NAN: the sample does not know it. */
double ek_demand_sampled(const struct ek_domain *domain, enum ek_resource resource);

/* What is expected of it. */
const struct ek_outlook *ek_domain_outlook(const struct ek_domain *domain,
                                           enum ek_resource resource);

/* base of every host, `resources->count` doubles per host at [host * count + resource]. A host
 * whose use is not known has base 0. */
void ek_base_load(const struct ek_snapshot *snapshot, const struct ek_resources *resources,
                  double *base);

/* Adds (sign 1) or takes (sign -1) what a domain uses to what the host is known to use, for a
 * sample that does not show yet that the domain has come or gone; else base would change. */
void ek_use_shift(struct ek_host *host, const struct ek_domain *domain, double sign);

#endif
