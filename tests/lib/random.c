#include "tests/lib/random.h"

#include "tests/lib/cmocka.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(struct ek_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint32_t ek_random_below(struct ek_random *random, uint32_t below)
{
    return (uint32_t)(next(random) % below);
}

double ek_random_real(struct ek_random *random)
{
    return (double)(next(random) >> 11) * 0x1p-53;
}

static bool chance(struct ek_random *random, double probability)
{
    return ek_random_real(random) < probability;
}

static struct ek_strings networks(struct ek_snapshot *out, struct ek_random *random, double second)
{
    const char **items = ek_arena_alloc(&out->arena, 2, sizeof(*items));

    assert_non_null(items);
    items[0] = "br0";
    items[1] = "br1";
    return (struct ek_strings){
        .items = items, .count = chance(random, second) ? 2 : 1, .given = true};
}

static struct ek_host host_make(struct ek_snapshot *out, struct ek_random *random, uint32_t index)
{
    double cores = 4 << ek_random_below(random, 3);
    struct ek_host host = {.name = ek_arena_printf(&out->arena, "h%02u", (unsigned int)index),
                           .cpu_cores = cores,
                           .memory_mib = cores * 2048,
                           .cpu_used_cores = NAN,
                           .memory_used_mib = NAN,
                           .maintenance = chance(random, 0.15),
                           .migration_mib_s = chance(random, 0.3) ? 1100 : 110,
                           .networks = networks(out, random, 0.8)};

    assert_non_null(host.name);
    host.partial = host.maintenance && index % 2 == 1;
    if (chance(random, 0.1)) {
        host.state = chance(random, 0.5) ? EK_HOST_STALE : EK_HOST_DOWN;
    }
    return host;
}

static struct ek_domain domain_make(struct ek_snapshot *out, struct ek_random *random,
                                    uint32_t index)
{
    double vcpus = 1 << ek_random_below(random, 3);
    double memory = 512 << ek_random_below(random, 4);
    struct ek_domain domain = {
        .uuid = ek_arena_printf(&out->arena, "d%04u", (unsigned int)index),
        .host = ek_random_below(random, (uint32_t)out->host_count),
        .vcpus = vcpus,
        .memory_mib = memory,
        .cpu_used_cores = chance(random, 0.1) ? NAN : vcpus * ek_random_real(random),
        .cpu_steal = NAN,
        .memory_used_mib = chance(random, 0.5) ? NAN : memory * ek_random_real(random),
        .memory_rss_mib = chance(random, 0.2) ? NAN : memory * ek_random_real(random),
        .dirty_mib_s = chance(random, 0.3) ? 150 * ek_random_real(random) : 0,
        .local_disk_mib = chance(random, 0.1) ? 4096 : 0,
        .movable = chance(random, 0.95),
        .networks = networks(out, random, 0.1)};

    /* Half of the domains stand on the first hosts, so that there is something to level. */
    domain.host = chance(random, 0.5) ? domain.host / 2 : domain.host;
    domain.cpu_steal = chance(random, 0.1) ? 0.5 * ek_random_real(random) : NAN;
    if (chance(random, 0.2)) {
        domain.cpu_outlook =
            (struct ek_outlook){true, vcpus * ek_random_real(random), 0.1 * ek_random_real(random)};
        domain.memory_outlook = (struct ek_outlook){true, memory * ek_random_real(random), 0};
    }
    domain.name = domain.uuid;
    assert_non_null(domain.uuid);
    return domain;
}

static void own_use(struct ek_snapshot *out, struct ek_random *random)
{
    for (uint32_t h = 0; h < out->host_count; h++) {
        struct ek_host *host = &out->hosts[h];
        if (host->state == EK_HOST_DOWN || chance(random, 0.3)) {
            continue;
        }
        host->cpu_used_cores = 0.1 * host->cpu_cores;
        host->memory_used_mib = 0.05 * host->memory_mib;
        for (size_t d = 0; d < out->domain_count; d++) {
            const struct ek_domain *domain = &out->domains[d];
            if (domain->host == h && !isnan(domain->cpu_used_cores)) {
                host->cpu_used_cores += domain->cpu_used_cores;
                host->memory_used_mib += domain->memory_mib / 2;
            }
        }
    }
}

/* Hosts hardly larger than what stands on them: room is found only where something leaves. */
static void tighten(struct ek_snapshot *out, struct ek_random *random)
{
    for (uint32_t h = 0; h < out->host_count; h++) {
        double memory = 0;
        for (size_t d = 0; d < out->domain_count; d++) {
            memory += out->domains[d].host == h ? out->domains[d].memory_mib : 0;
        }
        out->hosts[h].memory_mib = (memory + 2048) * (1 + 0.3 * ek_random_real(random));
    }
}

void ek_random_cluster(struct ek_snapshot *out, struct ek_random *random, uint32_t max_hosts)
{
    memset(out, 0, sizeof(*out));
    out->taken_at_ms = 1000000;
    out->host_count = 2 + ek_random_below(random, max_hosts - 1);
    uint32_t domains = ek_random_below(random, (uint32_t)out->host_count * 8 + 1);
    out->hosts = ek_arena_alloc(&out->arena, out->host_count, sizeof(*out->hosts));
    out->domains = ek_arena_alloc(&out->arena, domains, sizeof(*out->domains));
    out->in_flight = ek_arena_alloc(&out->arena, domains, sizeof(*out->in_flight));
    assert_true(out->hosts != NULL && out->domains != NULL && out->in_flight != NULL);
    for (uint32_t h = 0; h < out->host_count; h++) {
        out->hosts[h] = host_make(out, random, h);
    }
    for (uint32_t i = 0; i < domains; i++) {
        struct ek_domain domain = domain_make(out, random, i);
        uint32_t other = ek_random_below(random, (uint32_t)out->host_count);
        if (out->hosts[domain.host].state == EK_HOST_DOWN) {
            continue; /* nothing is known of such a host's domains */
        }
        if (chance(random, 0.02) && other != domain.host) {
            out->in_flight[out->in_flight_count++] = (struct ek_in_flight){
                .domain = (uint32_t)out->domain_count, .source = domain.host, .destination = other};
        }
        out->domains[out->domain_count++] = domain;
    }
    if (chance(random, 0.5)) {
        tighten(out, random);
    }
    own_use(out, random);
}

/* order[i]: where the i-th of the copy stood (Fisher, Yates). */
static uint32_t *shuffle(struct ek_snapshot *out, size_t count, struct ek_random *random)
{
    uint32_t *order = ek_arena_alloc(&out->arena, count, sizeof(*order));

    assert_non_null(order);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = ek_random_below(random, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    return order;
}

static struct ek_quantities quantity(struct ek_snapshot *out, double capacity, double used)
{
    struct ek_quantity *item = ek_arena_alloc(&out->arena, 1, sizeof(*item));

    assert_non_null(item);
    *item = (struct ek_quantity){"gpu", capacity, used};
    return (struct ek_quantities){item, 1};
}

void ek_random_resources(struct ek_policy *policy, struct ek_random *random,
                         struct ek_snapshot *snapshot)
{
    if (chance(random, 0.6)) {
        return;
    }
    unsigned int at = policy->resources.count++;
    memcpy(policy->resources.names[at], "gpu", sizeof("gpu"));
    policy->weight[at] = chance(random, 0.5) ? 0 : ek_random_real(random);
    policy->target_max[at] = chance(random, 0.5) ? 1 : 0.8;
    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        double capacity = chance(random, 0.3) ? 0 : 4 + ek_random_below(random, 12);
        double used = chance(random, 0.7) ? NAN : capacity * ek_random_real(random);
        snapshot->hosts[h].resources = quantity(snapshot, capacity, used);
    }
    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        if (chance(random, 0.3)) {
            double used = 1 + ek_random_below(random, 3);
            snapshot->domains[d].resources = quantity(snapshot, 0, used);
        }
    }
}

/* The inverse of an order: where the i-th has gone. */
static uint32_t *inverse(struct ek_snapshot *out, const uint32_t *order, size_t count)
{
    uint32_t *place = ek_arena_alloc(&out->arena, count, sizeof(*place));

    assert_non_null(place);
    for (uint32_t i = 0; i < count; i++) {
        place[order[i]] = i;
    }
    return place;
}

void ek_random_permute(struct ek_snapshot *out, const struct ek_snapshot *in,
                       struct ek_random *random)
{
    *out = *in; /* strings stay the original's */
    memset(&out->arena, 0, sizeof(out->arena));
    const uint32_t *hosts = shuffle(out, in->host_count, random);
    const uint32_t *domains = shuffle(out, in->domain_count, random);
    const uint32_t *host_at = inverse(out, hosts, in->host_count);
    const uint32_t *domain_at = inverse(out, domains, in->domain_count);
    out->hosts = ek_arena_alloc(&out->arena, in->host_count, sizeof(*out->hosts));
    out->domains = ek_arena_alloc(&out->arena, in->domain_count, sizeof(*out->domains));
    out->in_flight = ek_arena_alloc(&out->arena, in->in_flight_count, sizeof(*out->in_flight));
    assert_true(out->hosts != NULL && out->domains != NULL && out->in_flight != NULL);
    for (size_t h = 0; h < in->host_count; h++) {
        out->hosts[h] = in->hosts[hosts[h]];
    }
    for (size_t d = 0; d < in->domain_count; d++) {
        out->domains[d] = in->domains[domains[d]];
        out->domains[d].host = host_at[out->domains[d].host];
    }
    for (size_t f = 0; f < in->in_flight_count; f++) {
        const struct ek_in_flight *flight = &in->in_flight[f];
        out->in_flight[f] = (struct ek_in_flight){
            .domain = flight->domain == EK_NONE ? EK_NONE : domain_at[flight->domain],
            .source = host_at[flight->source],
            .destination = host_at[flight->destination]};
    }
}
