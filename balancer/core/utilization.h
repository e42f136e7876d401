/* Utilization: from a snapshot's figures to demand and load per resource.
 *
 * A host's utilization of a resource is (base + sum of its domains' demand) / capacity, where
 * base = max(0, host used - sum of its domains' used) is what the host itself uses and keeps. Base
 * comes from what was seen (ek_use), demand looks ahead (ek_demand). */
#ifndef EK_CORE_UTILIZATION_H
#define EK_CORE_UTILIZATION_H

#include "balancer/core/snapshot.h"

enum ek_resource { EK_CPU, EK_MEMORY, EK_RESOURCE_COUNT };

const char *ek_resource_name(enum ek_resource resource);

/* What a host offers: cores, or MiB; never reduced by reserve or overcommit. */
double ek_capacity(const struct ek_host *host, enum ek_resource resource);

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

/* base of every host, `EK_RESOURCE_COUNT` doubles per host at [host * EK_RESOURCE_COUNT +
 * resource]; `base` has room for host_count * EK_RESOURCE_COUNT. A host whose use is not known has
 * base 0. */
void ek_base_load(const struct ek_snapshot *snapshot, double *base);

/* Adds (sign 1) or takes (sign -1) what a domain uses to what the host is known to use, for a
 * sample that does not show yet that the domain has come or gone; else base would change. */
void ek_use_shift(struct ek_host *host, const struct ek_domain *domain, double sign);

#endif
