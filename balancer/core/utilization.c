/* Demand, capacity and what a host uses by itself: the definitions of docs/planner.md, in one
 * place. */
#include "balancer/core/utilization.h"

#include <assert.h>
#include <math.h>

const char *ek_resource_name(enum ek_resource resource)
{
    static const char *const names[EK_RESOURCE_COUNT] = {[EK_CPU] = "cpu", [EK_MEMORY] = "memory"};

    assert((unsigned int)resource < EK_RESOURCE_COUNT);
    return names[resource];
}

double ek_capacity(const struct ek_host *host, enum ek_resource resource)
{
    assert((unsigned int)resource < EK_RESOURCE_COUNT);
    return resource == EK_CPU ? host->cpu_cores : host->memory_mib;
}

static double allocation(const struct ek_domain *domain, enum ek_resource resource)
{
    return resource == EK_CPU ? domain->vcpus : domain->memory_mib;
}

/* NAN: not known. */
static double use_sampled(const struct ek_domain *domain, enum ek_resource resource)
{
    /* fmax passes over NAN. */
    return resource == EK_CPU ? domain->cpu_used_cores
                              : fmax(domain->memory_used_mib, domain->memory_rss_mib);
}

double ek_use(const struct ek_domain *domain, enum ek_resource resource)
{
    double used = use_sampled(domain, resource);
    const struct ek_outlook *outlook = ek_domain_outlook(domain, resource);

    /* Without any figure the allocation: too careful rather than too full. What is expected is
     * nearer to the truth, for a domain that has just come and has no rate yet. */
    if (isnan(used)) {
        return outlook->known ? outlook->demand : allocation(domain, resource);
    }
    return used;
}

double ek_demand_sampled(const struct ek_domain *domain, enum ek_resource resource)
{
    double used = use_sampled(domain, resource);

    /* Steal is demand that was not met: it would be used on a host that has it. A busy QEMU thread
     * can lift use above the vCPUs; waiting for a CPU cannot. */
    if (resource == EK_CPU && !isnan(used) && domain->cpu_steal > 0) {
        return fmax(used, fmin(domain->vcpus, used + domain->cpu_steal * domain->vcpus));
    }
    return used;
}

double ek_demand(const struct ek_domain *domain, enum ek_resource resource)
{
    const struct ek_outlook *outlook = ek_domain_outlook(domain, resource);
    double sampled = outlook->known ? outlook->demand : ek_demand_sampled(domain, resource);

    return isnan(sampled) ? allocation(domain, resource) : sampled;
}

const struct ek_outlook *ek_domain_outlook(const struct ek_domain *domain,
                                           enum ek_resource resource)
{
    assert((unsigned int)resource < EK_RESOURCE_COUNT);
    return resource == EK_CPU ? &domain->cpu_outlook : &domain->memory_outlook;
}

void ek_base_load(const struct ek_snapshot *snapshot, double *base)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        base[h * EK_RESOURCE_COUNT + EK_CPU] = snapshot->hosts[h].cpu_used_cores;
        base[h * EK_RESOURCE_COUNT + EK_MEMORY] = snapshot->hosts[h].memory_used_mib;
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        assert(domain->host < snapshot->host_count);
        for (unsigned int r = 0; r < EK_RESOURCE_COUNT; r++) {
            /* What is left is the host's own, which stays when domains leave: storage daemons, the
             * kernel. Below 0 (samples of two moments) there is none. */
            base[domain->host * EK_RESOURCE_COUNT + r] -= ek_use(domain, (enum ek_resource)r);
        }
    }
    for (size_t i = 0; i < snapshot->host_count * EK_RESOURCE_COUNT; i++) {
        base[i] = fmax(0.0, base[i]); /* NAN, a use that is not known, becomes 0 */
    }
}

void ek_use_shift(struct ek_host *host, const struct ek_domain *domain, double sign)
{
    assert(sign >= -1 && sign <= 1);

    /* Not known stays not known: a sum with a guess in it would pass for a measurement. */
    if (!isnan(host->cpu_used_cores)) {
        host->cpu_used_cores = fmax(0.0, host->cpu_used_cores + sign * ek_use(domain, EK_CPU));
    }
    if (!isnan(host->memory_used_mib)) {
        host->memory_used_mib = fmax(0.0, host->memory_used_mib + sign * ek_use(domain, EK_MEMORY));
    }
}
