/* The cluster of a simulation and its load, from what the options name: made up, a snapshot,
 * traces. */
#include "balancer/tools/simulate/simulate.h"

#include "balancer/core/utilization.h"
#include "balancer/tools/snapshot_file.h"

#include <math.h>
#include <string.h>

/* What a machine of the traces gets where nothing says how large it is. */
#define TRACE_VCPUS 2.0
#define TRACE_MEMORY_MIB 4096.0

/* A file that is wrong is the caller's to correct (2); memory that ran out is not (1). */
static bool fail(struct ek_tool *tool, const struct ek_error *err)
{
    bool bad = err->code == EK_ERR_INVALID || err->code == EK_ERR_IO;

    tool->exit_status = ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s", err->message);
    return false;
}

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a cluster");
}

/* ---- a snapshot ---------------------------------------------------------------------------- */

static struct ek_sim_host_spec host_spec(const struct ek_host *host, const double *base)
{
    return (struct ek_sim_host_spec){.name = host->name,
                                     .cpu_cores = host->cpu_cores,
                                     .memory_mib = host->memory_mib,
                                     .link_in_mib_s = host->migration_mib_s,
                                     .link_out_mib_s = host->migration_mib_s,
                                     .base_cpu_cores = base[EK_CPU],
                                     .base_memory_mib = base[EK_MEMORY],
                                     .like = host};
}

static struct ek_sim_domain_spec domain_spec(const struct ek_domain *domain)
{
    return (struct ek_sim_domain_spec){.name = domain->name != NULL ? domain->name : domain->uuid,
                                       .uuid = domain->uuid,
                                       .host = domain->host,
                                       .vcpus = domain->vcpus,
                                       .memory_mib = domain->memory_mib,
                                       .rss_mib =
                                           fmin(ek_use(domain, EK_MEMORY), domain->memory_mib),
                                       .cpu_cores = ek_demand(domain, EK_CPU),
                                       .dirty_mib_s = domain->dirty_mib_s,
                                       .like = domain};
}

/* Hosts and domains as they stand in it; what hosts use beside their domains stays with them. */
static bool take_snapshot(struct ek_simulate_input *out, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = &out->snapshot;
    const struct ek_resources two = {.count = EK_RESOURCE_FURTHER};
    struct ek_generated *generated = &out->generated;
    double *base = ek_arena_alloc(&out->arena, snapshot->host_count * two.count, sizeof(*base));

    generated->hosts = ek_arena_alloc(&out->arena, snapshot->host_count, sizeof(*generated->hosts));
    generated->domains =
        ek_arena_alloc(&out->arena, snapshot->domain_count, sizeof(*generated->domains));
    if (base == NULL || generated->hosts == NULL || generated->domains == NULL) {
        return nomem(err);
    }
    ek_base_load(snapshot, &two, base);
    for (size_t h = 0; h < snapshot->host_count; h++) {
        generated->hosts[h] = host_spec(&snapshot->hosts[h], &base[h * two.count]);
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        generated->domains[d] = domain_spec(&snapshot->domains[d]);
    }
    generated->host_count = snapshot->host_count;
    generated->domain_count = snapshot->domain_count;
    return true;
}

/* ---- traces -------------------------------------------------------------------------------- */

static bool choose_layout(const char *name, enum ek_trace_layout *layout, struct ek_tool *tool)
{
    for (int i = 0; i < EK_TRACES_LAYOUT_COUNT; i++) {
        *layout = (enum ek_trace_layout)i;
        if (strcmp(ek_trace_layout_name(*layout), name) == 0) {
            return true;
        }
    }
    tool->exit_status = ek_tool_complain(
        EK_EXIT_USAGE, "--layout: found \"%s\", expected planetlab or bitbrains", name);
    return false;
}

/* A domain for each trace, where no snapshot says which there are. */
static bool take_machines(struct ek_simulate_input *out, struct ek_error *err)
{
    const struct ek_traces *traces = &out->traces;
    struct ek_sim_domain_spec *domains =
        ek_arena_alloc(&out->arena, traces->count, sizeof(*domains));

    if (domains == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < traces->count; i++) {
        const struct ek_trace *trace = &traces->items[i];
        domains[i] = (struct ek_sim_domain_spec){
            .name = trace->name,
            .vcpus = isnan(trace->vcpus) ? TRACE_VCPUS : trace->vcpus,
            .memory_mib = trace->memory_mib > 0 ? trace->memory_mib : TRACE_MEMORY_MIB};
    }
    out->generated.domains = domains;
    out->generated.domain_count = traces->count;
    return true;
}

/* Halves: traces stand in the order of their names. */
static struct ek_trace *trace_of(const struct ek_traces *traces, const char *name)
{
    size_t low = 0;
    size_t high = traces->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(traces->items[middle].name, name);
        if (order == 0) {
            return &traces->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Recorded is the used part of a machine; what a domain wants is that part of its own vCPUs. */
static bool make_series(struct ek_simulate_input *out, const char *folder, struct ek_error *err)
{
    const struct ek_generated *generated = &out->generated;
    struct ek_load_track *tracks =
        ek_arena_alloc(&out->arena, generated->domain_count, sizeof(*tracks));

    if (tracks == NULL) {
        return nomem(err);
    }
    for (size_t d = 0; d < generated->domain_count; d++) {
        const struct ek_sim_domain_spec *domain = &generated->domains[d];
        struct ek_trace *trace = trace_of(&out->traces, domain->name);
        if (trace == NULL || trace->taken) {
            return ek_error_set(
                err, EK_ERR_INVALID, "%s: found %s domain %s, expected one of its name alone",
                folder, trace == NULL ? "no file for the" : "one file for a second", domain->name);
        }
        trace->taken = true;
        for (size_t p = 0; p < trace->count; p++) {
            trace->points[p].cpu_cores *= (float)domain->vcpus;
        }
        tracks[d] = (struct ek_load_track){trace->points, trace->count};
    }
    out->series = (struct ek_load_series){.tracks = tracks,
                                          .track_count = (uint32_t)generated->domain_count,
                                          .repeat_ms = out->traces.length_ms};
    out->series_load = ek_load_series(&out->series);
    return true;
}

/* ---- whole --------------------------------------------------------------------------------- */

static bool read_files(struct ek_simulate_input *out, const struct ek_simulate_options *options,
                       struct ek_tool *tool)
{
    enum ek_trace_layout layout = EK_TRACES_PLANETLAB;
    struct ek_error err;

    if (options->layout != NULL && !choose_layout(options->layout, &layout, tool)) {
        return false;
    }
    if (options->traces_path != NULL &&
        !ek_traces_read(&out->traces, options->traces_path, layout, &err)) {
        return fail(tool, &err);
    }
    if (options->snapshot_path != NULL) {
        return (ek_snapshot_file_read(&out->snapshot, options->snapshot_path, &err) &&
                take_snapshot(out, &err)) ||
               fail(tool, &err);
    }
    return options->traces_path == NULL || take_machines(out, &err) || fail(tool, &err);
}

bool ek_simulate_input(struct ek_simulate_input *out, const struct ek_simulate_options *options,
                       struct ek_tool *tool)
{
    struct ek_simulation *simulation = &out->simulation;
    struct ek_generator generator = options->generator;
    struct ek_error err;
    bool traced = options->traces_path != NULL;

    memset(out, 0, sizeof(*out));
    if (!read_files(out, options, tool)) {
        return false;
    }
    if (traced && !options->days_given) {
        generator.duration_ms = out->traces.length_ms;
    }
    if (!ek_generate(&out->generated, &generator, &err) ||
        (traced && !make_series(out, options->traces_path, &err))) {
        return fail(tool, &err);
    }
    ek_simulation_defaults(simulation);
    simulation->seed = generator.seed;
    simulation->duration_ms = generator.duration_ms;
    simulation->cycle_ms = options->cycle_ms;
    simulation->hosts = out->generated.hosts;
    simulation->host_count = out->generated.host_count;
    simulation->domains = out->generated.domains;
    simulation->domain_count = out->generated.domain_count;
    simulation->load = traced ? &out->series_load : &out->generated.load;
    simulation->faults = out->generated.faults;
    simulation->fault_count = out->generated.fault_count;
    simulation->target_cpu = options->overload_cpu;
    simulation->target_memory = options->overload_memory;
    simulation->imbalance = options->imbalance;
    simulation->flap_ms = options->flap_ms;
    return true;
}

void ek_simulate_input_finish(struct ek_simulate_input *input)
{
    ek_generated_finish(&input->generated);
    ek_traces_finish(&input->traces);
    ek_snapshot_finish(&input->snapshot);
    ek_arena_finish(&input->arena);
    memset(input, 0, sizeof(*input));
}
