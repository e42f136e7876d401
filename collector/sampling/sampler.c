/* A reading and the rates since the one before, as the sample that goes to Redis. */
#include "collector/sampling/sampler.h"

#include <math.h>
#include <string.h>

/* One pass, no state but the rates: what a reading says goes through, what it does not say is NAN,
 * which ek_demand() and the codec know as "not known". */

void ek_sampler_init(struct ek_sampler *sampler, const char *host, const char *collector,
                     int64_t period_ms)
{
    *sampler = (struct ek_sampler){.host = host, .collector = collector, .period_ms = period_ms};
    ek_rates_init(&sampler->rates, period_ms);
}

static void fill_host(struct ek_host *host, const struct ek_reading *reading, double used_cores,
                      struct ek_pressure pressure)
{
    *host = (struct ek_host){
        .state = EK_HOST_UP,
        .cpu_cores = reading->cpu_cores,
        .memory_mib = reading->memory_mib,
        .cpu_used_cores = used_cores,
        .memory_used_mib = reading->memory_used_mib,
        /* The link's speed is configuration, which the balancer puts in its place when it assembles
         * a snapshot. */
        .migration_mib_s = EK_DEFAULT_MIGRATION_MIB_S,
        .networks = reading->facts.networks,
        .storages = reading->facts.storages,
        .hypervisor = reading->facts.hypervisor,
        .cpu_model = reading->facts.cpu_model,
        .uuid = reading->facts.uuid,
        .pressure = pressure,
        .numa_cells = reading->facts.numa_cells,
        .storage_pools = reading->facts.storage_pools,
    };
}

/* A driver that died leaves its last figures in libvirt for good: only a fresh one counts. */
static double guest_memory_used(const struct ek_domain_reading *reading, bool fresh)
{
    double used = reading->guest_available_mib - reading->guest_usable_mib;

    return fresh && !isnan(used) ? fmax(0.0, used) : NAN;
}

/* By the age on a clock that never jumps, so that it stands in the right place beside the sample's
 * own time even when the wall's clock was set meanwhile. 0: never. */
static int64_t measured_at_ms(const struct ek_reading *reading,
                              const struct ek_domain_reading *domain)
{
    int64_t age_ms = (reading->monotonic_ns - domain->dirty_at_ns) / 1000000;

    return domain->dirty_at_ns == 0 ? 0 : reading->taken_at_ms - age_ms;
}

/* A thousandth is more than such a figure is good for, and its digits would be most of the sample.
 */
static double rounded(double mib_s)
{
    return round(mib_s * 1000) / 1000;
}

/* Rates of cards and disks are further resources by name (utilization.h): with a label of that name
 * at the hosts, a policy can watch and level them. What is not known is left out. */
static bool fill_flows(struct ek_domain *domain, const struct ek_domain_rates *rates,
                       struct ek_arena *arena)
{
    const struct {
        const char *name;
        double mib_s;
    } flows[] = {{"net_rx_mib_s", rates->net_rx_mib_s},
                 {"net_tx_mib_s", rates->net_tx_mib_s},
                 {"disk_read_mib_s", rates->disk_read_mib_s},
                 {"disk_write_mib_s", rates->disk_write_mib_s}};
    size_t room = sizeof(flows) / sizeof(flows[0]);
    struct ek_quantity *items = ek_arena_alloc(arena, room, sizeof(*items));
    size_t count = 0;

    for (size_t i = 0; items != NULL && i < room; i++) {
        if (!isnan(flows[i].mib_s)) {
            items[count++] =
                (struct ek_quantity){.name = flows[i].name, .used = rounded(flows[i].mib_s)};
        }
    }
    domain->resources = (struct ek_quantities){.items = items, .count = count};
    return items != NULL;
}

static void fill_domain(struct ek_domain *domain, const struct ek_domain_reading *reading,
                        const struct ek_domain_rates *rates)
{
    const struct ek_domain_facts *facts = &reading->facts;

    *domain = (struct ek_domain){
        .uuid = reading->uuid,
        .name = reading->name,
        /* A sample has one host; its domains' index is given when samples are put together. */
        .host = 0,
        .paused = reading->paused,
        .incoming = reading->incoming,
        .vcpus = facts->vcpus,
        .memory_mib = reading->memory_mib,
        .cpu_used_cores = rates->cpu_used_cores,
        .cpu_steal = rates->cpu_steal,
        .memory_used_mib = guest_memory_used(reading, rates->guest_memory_fresh),
        /* Huge pages are in no process's RSS, and all of the guest's are taken from the start. */
        .memory_rss_mib = facts->huge_pages ? fmax(reading->memory_rss_mib, reading->memory_mib)
                                            : reading->memory_rss_mib,
        .emulator_mib = facts->emulator_mib,
        .evacuation = facts->evacuation,
        .dirty_mib_s = reading->dirty_mib_s,
        .swap_in_mib_s = isnan(rates->swap_in_mib_s) ? 0 : rounded(rates->swap_in_mib_s),
        .pressure = rates->pressure,
        .local_disk_mib = facts->local_disk_mib,
        .movable = facts->movable,
        .immovable_reason = facts->immovable_reason,
        .labels = facts->labels,
        .rules = facts->rules,
        .networks = facts->networks,
        .storages = facts->storages,
        .devices = facts->devices,
        .machine = facts->machine,
        .cpu_model = facts->cpu_model,
    };
}

static bool fill_sample(struct ek_sampler *sampler, const struct ek_reading *reading,
                        struct ek_sample *out, struct ek_error *err)
{
    size_t count = reading->domain_count;
    struct ek_domain_rates *rates = ek_arena_alloc(&out->arena, count, sizeof(*rates));
    double used_cores = NAN;

    out->domains = ek_arena_alloc(&out->arena, count, sizeof(*out->domains));
    out->collector = ek_arena_strdup(&out->arena, sampler->collector);
    const char *name = ek_arena_strdup(&out->arena, sampler->host);
    if (rates == NULL || out->domains == NULL || out->collector == NULL || name == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a sample of %zu domains", count);
    }
    if (!ek_rates_update(&sampler->rates, reading, &used_cores, rates, err)) {
        return false;
    }
    fill_host(&out->host, reading, used_cores, ek_rates_pressure(&sampler->rates, reading));
    out->host.name = name;
    for (size_t i = 0; i < count; i++) {
        fill_domain(&out->domains[i], &reading->domains[i], &rates[i]);
        out->domains[i].dirty_measured_at_ms = measured_at_ms(reading, &reading->domains[i]);
        if (!fill_flows(&out->domains[i], &rates[i], &out->arena)) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a sample of %zu domains",
                                count);
        }
    }
    out->domain_count = count;
    out->taken_at_ms = reading->taken_at_ms;
    out->period_ms = sampler->period_ms;
    return true;
}

bool ek_sampler_take(struct ek_sampler *sampler, struct ek_reading *reading, struct ek_sample *out,
                     struct ek_error *err)
{
    memset(out, 0, sizeof(*out));
    /* Names and facts stay where the reading put them: the arena changes hands instead of being
     * copied. */
    out->arena = reading->arena;
    reading->arena = (struct ek_arena){0};
    bool done = fill_sample(sampler, reading, out, err);
    ek_reading_finish(reading);
    if (!done) {
        (void)ek_error_wrap(err, "%s", sampler->host);
        ek_arena_finish(&out->arena);
        memset(out, 0, sizeof(*out));
    }
    return done;
}

void ek_sampler_finish(struct ek_sampler *sampler)
{
    ek_rates_finish(&sampler->rates);
}
