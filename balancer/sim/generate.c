/* Making up a cluster: sizes, shares of the load, places, misfortunes. Each thing is drawn from a
 * stream of its own, so that one more host does not change the other hosts' weather. */
#include "balancer/sim/generate.h"

#include "balancer/sim/random.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define YEAR_DAYS 365.0

/* A host's own kernel, libvirtd and caches. */
#define BASE_CORES 0.5
#define BASE_MIB 2048.0

/* What nobody allocates at first: the default policy's reserve and overcommit. */
#define FILL 0.95
#define VCPUS_PER_CORE 4.0

enum { SIZE_STREAM = 101, SHARE_STREAM, PLACE_STREAM, SHAPE_STREAM, FAULT_STREAM };

/* A common size of domains; of a hundred so many have it. */
struct size {
    double vcpus;
    double memory_gib;
    int64_t weight;
};

static const struct size sizes[] = {
    {1, 2, 20}, {2, 4, 30}, {2, 8, 10}, {4, 8, 20}, {4, 16, 10}, {8, 16, 7}, {8, 32, 3},
};

void ek_generator_defaults(struct ek_generator *generator)
{
    struct ek_simulation simulation;

    ek_simulation_defaults(&simulation);
    *generator = (struct ek_generator){.seed = simulation.seed,
                                       .begin_ms = simulation.begin_ms,
                                       .duration_ms = simulation.duration_ms,
                                       .hosts = 100,
                                       .domains = 2000,
                                       .host_cores = 32,
                                       .host_memory_mib = 256.0 * 1024,
                                       /* 10 Gbit/s of payload. */
                                       .link_mib_s = 10 * EK_DEFAULT_MIGRATION_MIB_S,
                                       .load = 0.35,
                                       .swing = 0.5,
                                       .bursts = 0.14,
                                       .failures = 2,
                                       .losses = 0.2};
}

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a cluster");
}

/* One stream for each thing and purpose. */
static struct ek_random stream(const struct ek_generator *generator, uint64_t purpose,
                               uint64_t index)
{
    return ek_random_stream(generator->seed + index * 0x9e3779b97f4a7c15U, purpose);
}

/* ---- hosts and domains --------------------------------------------------------------------- */

static bool make_hosts(struct ek_generated *out, const struct ek_generator *generator)
{
    out->hosts = ek_arena_alloc(&out->arena, generator->hosts, sizeof(*out->hosts));
    for (uint32_t h = 0; out->hosts != NULL && h < generator->hosts; h++) {
        const char *name = ek_arena_printf(&out->arena, "host-%04u", (unsigned int)h + 1);
        if (name == NULL) {
            return false;
        }
        out->hosts[h] = (struct ek_sim_host_spec){
            .name = name,
            .cpu_cores = generator->host_cores,
            .memory_mib = generator->host_memory_mib,
            .link_in_mib_s = generator->link_mib_s,
            .link_out_mib_s = generator->link_mib_s,
            .base_cpu_cores = fmin(BASE_CORES, generator->host_cores / 16),
            .base_memory_mib = fmin(BASE_MIB, generator->host_memory_mib / 16)};
        out->host_count++;
    }
    return out->hosts != NULL;
}

static const struct size *size_of(struct ek_random *random)
{
    int64_t left = ek_random_between(random, 0, 99);
    size_t i = 0;

    for (; left >= sizes[i].weight; i++) {
        left -= sizes[i].weight;
        assert(i + 1 < sizeof(sizes) / sizeof(sizes[0]));
    }
    return &sizes[i];
}

static bool make_domains(struct ek_generated *out, const struct ek_generator *generator)
{
    out->domains = ek_arena_alloc(&out->arena, generator->domains, sizeof(*out->domains));
    for (uint32_t d = 0; out->domains != NULL && d < generator->domains; d++) {
        struct ek_random random = stream(generator, SIZE_STREAM, d);
        const struct size *size = size_of(&random);
        double memory_mib = 1024 * size->memory_gib;
        const char *name = ek_arena_printf(&out->arena, "vm-%05u", (unsigned int)d + 1);
        if (name == NULL) {
            return false;
        }
        /* Most want little of what they have, a few nearly all of it. */
        double share = ek_random_unit(&random);
        out->domains[d] = (struct ek_sim_domain_spec){
            .name = name,
            .vcpus = size->vcpus,
            .memory_mib = memory_mib,
            .rss_mib = memory_mib * (0.4 + 0.5 * ek_random_unit(&random)),
            .cpu_cores = size->vcpus * (0.02 + 0.7 * share * share * share)};
        out->domain_count++;
    }
    return out->domains != NULL;
}

/* ---- places -------------------------------------------------------------------------------- */

struct room {
    double memory_mib;
    double vcpus;
};

static bool takes(struct room *room, const struct ek_sim_domain_spec *domain)
{
    if (room->memory_mib < domain->memory_mib || room->vcpus < domain->vcpus) {
        return false;
    }
    room->memory_mib -= domain->memory_mib;
    room->vcpus -= domain->vcpus;
    return true;
}

static bool no_room(const struct ek_generated *out, size_t domain, struct ek_error *err)
{
    double wanted_mib = 0;
    double there_mib = 0;

    for (size_t d = 0; d < out->domain_count; d++) {
        wanted_mib += out->domains[d].memory_mib;
    }
    for (size_t h = 0; h < out->host_count; h++) {
        there_mib += FILL * (out->hosts[h].memory_mib - out->hosts[h].base_memory_mib);
    }
    return ek_error_set(err, EK_ERR_INVALID,
                        "domain %zu of %zu finds no host with room: the domains have %.0f GiB of "
                        "memory, expected less than what %zu hosts offer, %.0f GiB",
                        domain + 1, out->domain_count, wanted_mib / 1024, out->host_count,
                        there_mib / 1024);
}

/* Of two random hosts the one with more memory free, as schedulers place; or the next one that has
 * room. EK_NONE: none has. */
static uint32_t place(struct room *rooms, size_t host_count,
                      const struct ek_sim_domain_spec *domain, struct ek_random *random)
{
    size_t first = (size_t)ek_random_between(random, 0, (int64_t)host_count - 1);
    size_t other = (size_t)ek_random_between(random, 0, (int64_t)host_count - 1);
    size_t tried = 0;

    first = rooms[other].memory_mib > rooms[first].memory_mib ? other : first;
    while (tried < host_count && !takes(&rooms[(first + tried) % host_count], domain)) {
        tried++;
    }
    return tried < host_count ? (uint32_t)((first + tried) % host_count) : EK_NONE;
}

static bool place_domains(struct ek_generated *out, const struct ek_generator *generator,
                          struct ek_error *err)
{
    struct ek_random random = stream(generator, PLACE_STREAM, 0);
    struct room *rooms = ek_arena_alloc(&out->arena, out->host_count, sizeof(*rooms));

    if (rooms == NULL) {
        return nomem(err);
    }
    for (size_t h = 0; h < out->host_count; h++) {
        const struct ek_sim_host_spec *host = &out->hosts[h];
        rooms[h] = (struct room){FILL * (host->memory_mib - host->base_memory_mib),
                                 VCPUS_PER_CORE * host->cpu_cores};
    }
    for (size_t d = 0; d < out->domain_count; d++) {
        out->domains[d].host = place(rooms, out->host_count, &out->domains[d], &random);
        if (out->domains[d].host == EK_NONE) {
            return no_room(out, d, err);
        }
    }
    return true;
}

/* ---- load ---------------------------------------------------------------------------------- */

/* So that all domains together want the share of all cores that is asked for. */
static double scale_of(const struct ek_generated *out, const struct ek_generator *generator)
{
    double wanted = 0;
    double cores = 0;

    for (size_t d = 0; d < out->domain_count; d++) {
        wanted += out->domains[d].cpu_cores;
    }
    for (size_t h = 0; h < out->host_count; h++) {
        cores += out->hosts[h].cpu_cores;
    }
    return isnan(generator->load) || !(wanted > 0) ? 1 : generator->load * cores / wanted;
}

static struct ek_load_day_domain shape_of(const struct ek_generator *generator,
                                          const struct ek_sim_domain_spec *spec, uint32_t index,
                                          double scale)
{
    struct ek_random random = stream(generator, SHAPE_STREAM, index);
    int64_t kind = ek_random_between(&random, 0, 9);
    int64_t off_ms = ek_random_between(&random, -2 * EK_WORLD_HOUR_MS, 2 * EK_WORLD_HOUR_MS);
    struct ek_load_day_domain shape = {.key = ek_random_next(&random),
                                       .mean_cores = scale * spec->cpu_cores,
                                       .vcpus = spec->vcpus,
                                       .swing = generator->swing,
                                       .peak_ms = 14 * EK_WORLD_HOUR_MS + off_ms,
                                       .weekend = 1,
                                       .bursts_per_day = generator->bursts,
                                       .memory_mib = spec->rss_mib,
                                       .dirty_mib_s_core = 40 * ek_random_unit(&random)};

    if (kind < 6) {
        shape.weekend = 1 - generator->swing;
    } else if (kind < 8) {
        shape.peak_ms = 2 * EK_WORLD_HOUR_MS + off_ms; /* backups, reports */
    } else {
        shape.swing = generator->swing / 5;
    }
    return shape;
}

static bool make_load(struct ek_generated *out, const struct ek_generator *generator)
{
    double scale = scale_of(out, generator);

    out->loads = ek_arena_alloc(&out->arena, out->domain_count, sizeof(*out->loads));
    for (uint32_t d = 0; out->loads != NULL && d < out->domain_count; d++) {
        out->loads[d] = shape_of(generator, &out->domains[d], d, scale);
    }
    out->day = (struct ek_load_day){.begin_ms = generator->begin_ms,
                                    .domains = out->loads,
                                    .domain_count = (uint32_t)out->domain_count};
    out->load = ek_load_day(&out->day);
    return out->loads != NULL;
}

/* ---- misfortunes --------------------------------------------------------------------------- */

/* What befalls one host, day by day; with `faults` NULL it is only counted. A host that is lost has
 * no further days. */
static size_t befall(const struct ek_generator *generator, uint32_t host,
                     struct ek_world_fault *faults)
{
    struct ek_random random = stream(generator, FAULT_STREAM, host);
    size_t count = 0;
    bool lost = false;

    for (int64_t day_ms = 0; !lost && day_ms < generator->duration_ms; day_ms += EK_WORLD_DAY_MS) {
        double fate = YEAR_DAYS * ek_random_unit(&random);
        int64_t at_ms = day_ms + ek_random_between(&random, 0, EK_WORLD_DAY_MS - 1);
        int64_t lasts_ms =
            ek_random_between(&random, 15 * EK_WORLD_MINUTE_MS, 2 * EK_WORLD_HOUR_MS);
        lost = fate < generator->losses;
        if (fate >= generator->losses + generator->failures || at_ms >= generator->duration_ms) {
            continue;
        }
        if (faults != NULL) {
            faults[count] = (struct ek_world_fault){.kind = EK_WORLD_HOST_CRASH,
                                                    .subject = host,
                                                    .at_ms = at_ms,
                                                    .lasts_ms = lost ? 0 : lasts_ms};
        }
        count++;
    }
    return count;
}

static bool make_faults(struct ek_generated *out, const struct ek_generator *generator)
{
    size_t count = 0;

    for (uint32_t h = 0; h < out->host_count; h++) {
        count += befall(generator, h, NULL);
    }
    out->faults = ek_arena_alloc(&out->arena, count, sizeof(*out->faults));
    for (uint32_t h = 0; out->faults != NULL && h < out->host_count; h++) {
        out->fault_count += befall(generator, h, &out->faults[out->fault_count]);
    }
    return out->faults != NULL;
}

/* ---- whole --------------------------------------------------------------------------------- */

static bool make_cluster(struct ek_generated *out, const struct ek_generator *generator,
                         struct ek_error *err)
{
    bool whole = out->host_count > 0;

    return whole || (((make_hosts(out, generator) &&
                       (out->domain_count > 0 || make_domains(out, generator))) ||
                      nomem(err)) &&
                     place_domains(out, generator, err));
}

bool ek_generate(struct ek_generated *out, const struct ek_generator *generator,
                 struct ek_error *err)
{
    return make_cluster(out, generator, err) &&
           ((make_load(out, generator) && make_faults(out, generator)) || nomem(err));
}

void ek_generated_finish(struct ek_generated *generated)
{
    ek_arena_finish(&generated->arena);
    memset(generated, 0, sizeof(*generated));
}
