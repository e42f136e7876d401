/* Demand, capacity and what a host uses by itself: the definitions of docs/planner.md, in one
 * place. */
#include "balancer/core/utilization.h"

#include <assert.h>
#include <math.h>
#include <string.h>

double ek_capacity(const struct ek_host *host, enum ek_resource resource)
{
    assert(resource < EK_RESOURCE_FURTHER);
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
    assert(resource < EK_RESOURCE_FURTHER);
    return resource == EK_CPU ? &domain->cpu_outlook : &domain->memory_outlook;
}

static const struct ek_quantity *find(const struct ek_quantities *quantities, const char *name)
{
    for (size_t i = 0; i < quantities->count; i++) {
        if (strcmp(quantities->items[i].name, name) == 0) {
            return &quantities->items[i];
        }
    }
    return NULL;
}

/* Digits with or without a fraction, whatever the locale; all else is 0: no quantity. */
static double quantity(const char *text)
{
    double value = 0;
    double place = 1;
    bool fraction = false;

    for (; *text != '\0'; text++) {
        if (*text == '.' && !fraction) {
            fraction = true;
        } else if (*text < '0' || *text > '9') {
            return 0;
        } else if (fraction) {
            place /= 10;
            value += place * (*text - '0');
        } else {
            value = 10 * value + (*text - '0');
        }
    }
    return isfinite(value) ? value : 0;
}

static double labelled(const struct ek_labels *labels, const char *key)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->items[i].key, key) == 0) {
            return quantity(labels->items[i].value);
        }
    }
    return 0;
}

double ek_capacity_of(const struct ek_host *host, const char *resource)
{
    const struct ek_quantity *sampled = find(&host->resources, resource);

    return sampled != NULL ? sampled->capacity : labelled(&host->labels, resource);
}

double ek_demand_of(const struct ek_domain *domain, const char *resource)
{
    const struct ek_quantity *sampled = find(&domain->resources, resource);

    return sampled != NULL ? sampled->used : labelled(&domain->labels, resource);
}

/* What a host uses in all; NAN: not known. */
static double use_of(const struct ek_host *host, const struct ek_resources *resources,
                     unsigned int resource)
{
    if (resource < EK_RESOURCE_FURTHER) {
        return resource == EK_CPU ? host->cpu_used_cores : host->memory_used_mib;
    }
    const struct ek_quantity *sampled = find(&host->resources, resources->names[resource]);
    return sampled != NULL ? sampled->used : NAN;
}

void ek_base_load(const struct ek_snapshot *snapshot, const struct ek_resources *resources,
                  double *base)
{
    unsigned int count = resources->count;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        for (unsigned int r = 0; r < count; r++) {
            base[h * count + r] = use_of(&snapshot->hosts[h], resources, r);
        }
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        assert(domain->host < snapshot->host_count);
        for (unsigned int r = 0; r < count; r++) {
            /* What is left is the host's own, which stays when domains leave: storage daemons, the
             * kernel. Below 0 (samples of two moments) there is none. */
            base[domain->host * count + r] -= r < EK_RESOURCE_FURTHER
                                                  ? ek_use(domain, (enum ek_resource)r)
                                                  : ek_demand_of(domain, resources->names[r]);
        }
    }
    for (size_t i = 0; i < snapshot->host_count * count; i++) {
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
    for (size_t i = 0; i < host->resources.count; i++) {
        struct ek_quantity *it = &host->resources.items[i];
        if (!isnan(it->used)) {
            it->used = fmax(0.0, it->used + sign * ek_demand_of(domain, it->name));
        }
    }
}
