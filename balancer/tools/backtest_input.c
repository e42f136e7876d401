#include "balancer/tools/backtest_input.h"

#include "balancer/core/utilization.h"
#include "balancer/tools/history_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A domain that was not seen for so long before the end is gone: longer than any collector pauses.
 */
enum { GONE_MS = 600000 };

/* A step that is smaller than what is kept tells nothing; it would only cost memory. */
#define CPU_STEP 0.005F
#define MEMORY_STEP 0.5F

struct ek_backtest_host {
    struct ek_history_host facts;
    uint32_t index;
    double base_cpu; /* sums over samples */
    double base_memory;
    size_t cpu_samples;
    size_t memory_samples;
    UT_hash_handle hh;
};

struct ek_backtest_domain {
    struct ek_domain facts; /* as it was seen first */
    uint32_t host;
    int64_t first_ms;
    int64_t last_ms;
    struct ek_load_point *points; /* times are Unix ms while they are read */
    size_t count;
    size_t room;
    UT_hash_handle hh;
};

struct reading {
    struct ek_backtest_input *input;
    struct ek_error *err;
    int64_t first_ms;
    int64_t last_ms;
};

static bool no_memory(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a history");
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct ek_backtest_host *host_of(struct ek_backtest_input *input,
                                        const struct ek_sample *sample)
{
    struct ek_backtest_host *host = NULL;
    const struct ek_history_host facts = {.host = sample->host,
                                          .collector = sample->collector,
                                          .period_ms = (double)sample->period_ms};

    HASH_FIND_STR(input->hosts, sample->host.name, host);
    if (host != NULL) {
        return host;
    }
    host = ek_arena_alloc(&input->arena, 1, sizeof(*host));
    if (host == NULL || !ek_facts_copy(&ek_history_hosts, &input->texts, &host->facts, &facts)) {
        return NULL;
    }
    host->index = (uint32_t)HASH_COUNT(input->hosts);
    HASH_ADD_KEYPTR(hh, input->hosts, host->facts.host.name, strlen(host->facts.host.name), host);
    return host->hh.tbl == NULL ? NULL : host;
}

static void add_base(double used, double of_domains, double *sum, size_t *samples)
{
    if (!isnan(used)) {
        *sum += fmax(0, used - of_domains);
        ++*samples;
    }
}

/* What the host uses beside its domains. */
static void add_host(struct ek_backtest_host *host, const struct ek_sample *sample)
{
    double cpu = 0;
    double memory = 0;

    for (size_t d = 0; d < sample->domain_count; d++) {
        cpu += ek_use(&sample->domains[d], EK_CPU);
        memory += ek_use(&sample->domains[d], EK_MEMORY);
    }
    add_base(sample->host.cpu_used_cores, cpu, &host->base_cpu, &host->cpu_samples);
    add_base(sample->host.memory_used_mib, memory, &host->base_memory, &host->memory_samples);
}

static struct ek_backtest_domain *domain_of(struct ek_backtest_input *input, const char *uuid,
                                            int64_t at_ms)
{
    struct ek_backtest_domain *domain = NULL;

    HASH_FIND_STR(input->domains, uuid, domain);
    if (domain != NULL) {
        return domain;
    }
    const char *key = ek_history_intern(&input->texts, uuid);
    domain = ek_arena_alloc(&input->arena, 1, sizeof(*domain));
    if (domain == NULL || key == NULL) {
        return NULL;
    }
    domain->first_ms = INT64_MAX;
    domain->last_ms = at_ms;
    HASH_ADD_KEYPTR(hh, input->domains, key, strlen(key), domain);
    return domain->hh.tbl == NULL ? NULL : domain;
}

static bool same_load(const struct ek_load_point *a, const struct ek_load_point *b)
{
    bool same_memory = (isnan(a->memory_mib) && isnan(b->memory_mib)) ||
                       fabsf(a->memory_mib - b->memory_mib) < MEMORY_STEP;

    return fabsf(a->cpu_cores - b->cpu_cores) < CPU_STEP && same_memory;
}

/* Between two points of one block a domain may have been elsewhere, but then it has points there.
 */
static bool add_point(struct ek_backtest_domain *domain, const struct ek_load_point *point)
{
    if (domain->count == domain->room) {
        size_t room = 2 * domain->room + 16;
        struct ek_load_point *points = realloc(domain->points, room * sizeof(*points));
        if (points == NULL) {
            return false;
        }
        domain->points = points;
        domain->room = room;
    }
    domain->points[domain->count++] = *point;
    return true;
}

static bool add_domain(struct ek_backtest_input *input, const struct ek_backtest_host *host,
                       const struct ek_domain *seen, int64_t at_ms)
{
    const struct ek_load_point point = {
        .at_ms = at_ms,
        .cpu_cores = (float)ek_demand_sampled(seen, EK_CPU),
        .memory_mib = (float)ek_demand_sampled(seen, EK_MEMORY),
    };
    struct ek_backtest_domain *domain = domain_of(input, seen->uuid, at_ms);

    if (domain == NULL) {
        return false;
    }
    if (at_ms < domain->first_ms) {
        domain->first_ms = at_ms;
        domain->host = host->index;
        memset(&domain->facts, 0, sizeof(domain->facts));
        if (!ek_facts_copy(&ek_history_domains, &input->texts, &domain->facts, seen)) {
            return false;
        }
        domain->facts.dirty_mib_s = seen->dirty_mib_s;
        domain->facts.local_disk_mib = seen->local_disk_mib;
    }
    domain->last_ms = at_ms > domain->last_ms ? at_ms : domain->last_ms;
    return isnan(point.cpu_cores) || add_point(domain, &point);
}

/* A copy that comes in is no domain yet: its source has it. */
static bool add_sample(struct reading *reading, const struct ek_sample *sample)
{
    struct ek_backtest_host *host = host_of(reading->input, sample);
    bool done = host != NULL;

    if (done) {
        add_host(host, sample);
    }
    for (size_t d = 0; done && d < sample->domain_count; d++) {
        done = sample->domains[d].incoming ||
               add_domain(reading->input, host, &sample->domains[d], sample->taken_at_ms);
    }
    reading->first_ms =
        sample->taken_at_ms < reading->first_ms ? sample->taken_at_ms : reading->first_ms;
    reading->last_ms =
        sample->taken_at_ms > reading->last_ms ? sample->taken_at_ms : reading->last_ms;
    return done;
}

static bool add_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct reading *reading = context;
    bool done = true;

    for (size_t i = 0; done && i < ek_history_block_count(block); i++) {
        struct ek_sample sample;
        done = ek_history_block_sample(block, i, &sample, err);
        if (done) {
            done = add_sample(reading, &sample) || no_memory(err);
            ek_sample_finish(&sample);
        }
    }
    return done;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int compare_points(const void *a, const void *b)
{
    const struct ek_load_point *left = a;
    const struct ek_load_point *right = b;

    return left->at_ms == right->at_ms ? 0 : left->at_ms < right->at_ms ? -1 : 1;
}

/* By time, since hosts come one after the other; without points that change nothing. */
static void tidy(struct ek_backtest_domain *domain, int64_t begin_ms)
{
    size_t kept = 0;

    if (domain->count > 0) {
        qsort(domain->points, domain->count, sizeof(*domain->points), compare_points);
    }
    for (size_t i = 0; i < domain->count; i++) {
        struct ek_load_point point = domain->points[i];
        point.at_ms -= begin_ms;
        if (kept > 0 && point.at_ms == domain->points[kept - 1].at_ms) {
            continue; /* two hosts told of it at once */
        }
        if (kept == 0 || !same_load(&point, &domain->points[kept - 1])) {
            domain->points[kept++] = point;
        }
    }
    domain->count = kept;
}

static bool make_hosts(struct ek_backtest_input *input)
{
    size_t count = HASH_COUNT(input->hosts);
    struct ek_sim_host_spec *specs = ek_arena_alloc(&input->arena, count, sizeof(*specs));

    if (specs == NULL) {
        return false;
    }
    for (struct ek_backtest_host *host = input->hosts; host != NULL; host = host->hh.next) {
        const struct ek_host *facts = &host->facts.host;
        specs[host->index] = (struct ek_sim_host_spec){
            .name = facts->name,
            .cpu_cores = facts->cpu_cores,
            .memory_mib = facts->memory_mib,
            .link_in_mib_s = facts->migration_mib_s,
            .link_out_mib_s = facts->migration_mib_s,
            .base_cpu_cores = host->base_cpu / fmax(1, (double)host->cpu_samples),
            .base_memory_mib = host->base_memory / fmax(1, (double)host->memory_samples),
            .like = facts,
        };
    }
    input->simulation.hosts = specs;
    input->simulation.host_count = count;
    return true;
}

static struct ek_sim_domain_spec spec_of(const struct ek_backtest_domain *domain)
{
    const struct ek_domain *facts = &domain->facts;
    const struct ek_load_point *first = domain->count > 0 ? &domain->points[0] : NULL;
    double memory_mib =
        first != NULL && first->memory_mib > 0 ? (double)first->memory_mib : facts->memory_mib;

    return (struct ek_sim_domain_spec){.name = facts->name != NULL ? facts->name : facts->uuid,
                                       .uuid = facts->uuid,
                                       .host = domain->host,
                                       .vcpus = facts->vcpus,
                                       .memory_mib = facts->memory_mib,
                                       .rss_mib = fmin(memory_mib, facts->memory_mib),
                                       .dirty_mib_s = facts->dirty_mib_s,
                                       .like = facts};
}

static bool make_domains(struct ek_backtest_input *input, int64_t begin_ms, int64_t end_ms)
{
    size_t count = HASH_COUNT(input->domains);
    struct ek_sim_domain_spec *specs = ek_arena_alloc(&input->arena, count, sizeof(*specs));
    struct ek_load_track *tracks = ek_arena_alloc(&input->arena, count, sizeof(*tracks));
    struct ek_world_fault *ends = ek_arena_alloc(&input->arena, count, sizeof(*ends));
    uint32_t d = 0;

    if (specs == NULL || tracks == NULL || ends == NULL) {
        return false;
    }
    for (struct ek_backtest_domain *it = input->domains; it != NULL; it = it->hh.next, d++) {
        tidy(it, begin_ms);
        specs[d] = spec_of(it);
        tracks[d] = (struct ek_load_track){it->points, it->count};
        if (it->last_ms < end_ms - GONE_MS) {
            ends[input->simulation.fault_count++] =
                (struct ek_world_fault){EK_WORLD_GUEST_OFF, d, it->last_ms - begin_ms, 0};
        }
    }
    input->series = (struct ek_load_series){.tracks = tracks, .track_count = d};
    input->load = ek_load_series(&input->series);
    input->simulation.domains = specs;
    input->simulation.domain_count = count;
    input->simulation.load = &input->load;
    input->simulation.faults = ends;
    return true;
}

bool ek_backtest_read(struct ek_backtest_input *input, const char *path, int64_t cycle_ms,
                      struct ek_error *err)
{
    struct reading reading = {.input = input, .err = err, .first_ms = INT64_MAX, .last_ms = 0};
    struct ek_simulation *simulation = &input->simulation;

    memset(input, 0, sizeof(*input));
    if (!ek_history_file_read(path, add_block, &reading, err)) {
        return false;
    }
    if (input->domains == NULL || reading.last_ms - reading.first_ms < 2 * cycle_ms) {
        return ek_error_set(
            err, EK_ERR_INVALID, "%s: found %s, expected domains over %lld s or more", path,
            input->domains == NULL ? "no domain" : "less time", (long long)(2 * cycle_ms / 1000));
    }
    ek_simulation_defaults(simulation);
    simulation->begin_ms = reading.first_ms;
    simulation->duration_ms = (reading.last_ms - reading.first_ms) / cycle_ms * cycle_ms;
    simulation->cycle_ms = cycle_ms;
    simulation->noise = 0; /* the samples have theirs */
    return (make_hosts(input) && make_domains(input, reading.first_ms, reading.last_ms)) ||
           no_memory(err);
}

void ek_backtest_finish(struct ek_backtest_input *input)
{
    for (struct ek_backtest_domain *it = input->domains; it != NULL; it = it->hh.next) {
        free(it->points);
    }
    HASH_CLEAR(hh, input->domains);
    HASH_CLEAR(hh, input->hosts);
    ek_history_texts_finish(&input->texts);
    ek_arena_finish(&input->arena);
    memset(input, 0, sizeof(*input));
}
