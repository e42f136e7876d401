/* evenkeel hosts: how busy each host is, and how level they are together. */
#include "balancer/codec/writer.h"
#include "balancer/tools/maintenance.h"
#include "balancer/tools/table.h"

#include <inttypes.h>
#include <stdlib.h>

/* One mark for ten percent: finer ones would be noise at a look. Memory is shown in GiB, as hosts
 * are bought. */
enum { BAR_WIDTH = 10, MIB_PER_GIB = 1024 };

/* What the domains of a host are configured with. */
struct allocation {
    uint32_t domains;
    double vcpus;
    double memory_mib;
};

struct report {
    const struct ek_snapshot *snapshot;
    const struct ek_evaluation *evaluation;
    const struct ek_host_maintenance *maintenance; /* per host */
    struct allocation *allocated;                  /* per host */
};

/* Also of paused and of migrating domains: what is configured may be used at any moment. */
static void add_allocations(const struct ek_snapshot *snapshot, struct allocation *allocated)
{
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        allocated[domain->host].domains++;
        allocated[domain->host].vcpus += domain->vcpus;
        allocated[domain->host].memory_mib += domain->memory_mib;
    }
}

/* A host that was never seen has no figures: those in its place only keep the snapshot valid. */
static bool seen(const struct ek_host *host)
{
    return host->state != EK_HOST_DOWN;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* By resource name, so that a third resource needs no third field. */
static void write_pair(struct ek_json_writer *writer, const char *key,
                       const struct ek_resources *resources, const double *figures)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    for (unsigned int r = 0; r < resources->count; r++) {
        ek_json_put_number(writer, resources->names[r], figures[r]);
    }
    ek_json_end(writer, '}');
}

static char *write_hosts(const struct report *report)
{
    const struct ek_snapshot *snapshot = report->snapshot;
    const struct ek_resources *resources = &report->evaluation->policy->resources;
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", snapshot->taken_at_ms);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; h < snapshot->host_count; h++) {
        ek_json_break(&writer);
        ek_json_begin(&writer, '{');
        ek_json_put_host(&writer, &snapshot->hosts[h]);
        if (seen(&snapshot->hosts[h])) {
            write_pair(&writer, "utilization", resources,
                       &report->evaluation->utilization[h * resources->count]);
            ek_json_put_integer(&writer, "domains", report->allocated[h].domains);
            ek_json_put_number(&writer, "allocated_vcpus", report->allocated[h].vcpus);
            ek_json_put_number(&writer, "allocated_mib", report->allocated[h].memory_mib);
        }
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    write_pair(&writer, "imbalance", resources, report->evaluation->levels.imbalance);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- table --------------------------------------------------------------------------------- */

/* Colours by the policy's target_max, not by fixed figures: what is too much is the operator's to
 * say. Yellow from 80 % of it, while there is still time. */
static void add_utilization(struct ek_table *table, const struct report *report, size_t host,
                            enum ek_resource resource)
{
    double used = report->evaluation
                      ->utilization[host * report->evaluation->policy->resources.count + resource];
    double target = report->evaluation->policy->target_max[resource];
    char bar[EK_BAR_SIZE];

    ek_table_cell(table,
                  used > target         ? EK_COLOUR_BAD
                  : used > 0.8 * target ? EK_COLOUR_WARN
                                        : EK_COLOUR_GOOD,
                  "%s %3.0f %%", ek_bar(used, BAR_WIDTH, bar), 100 * used);
}

static void add_figures(struct ek_table *table, const struct report *report, size_t h)
{
    const struct ek_host *host = &report->snapshot->hosts[h];
    const struct allocation *allocated = &report->allocated[h];

    if (!seen(host)) {
        /* One for each column from CPU to ALLOC GIB: a row that lacks a cell would shift all that
         * follow. */
        for (int i = 0; i < 7; i++) {
            ek_table_cell(table, EK_COLOUR_FAINT, "-");
        }
        return;
    }
    add_utilization(table, report, h, EK_CPU);
    add_utilization(table, report, h, EK_MEMORY);
    ek_table_number(table, host->cpu_cores, 0);
    ek_table_number(table, host->memory_mib / MIB_PER_GIB, 1);
    ek_table_number(table, allocated->domains, 0);
    ek_table_number(table, allocated->vcpus, 0);
    ek_table_number(table, allocated->memory_mib / MIB_PER_GIB, 1);
}

/* State and maintenance are two things: a host in maintenance is up. */
static bool print_hosts(const struct report *report)
{
    static const struct ek_column columns[] = {
        {"HOST", false},     {"STATE", false},       {"CPU", false},    {"MEMORY", false},
        {"CORES", true},     {"MEM GIB", true},      {"DOMAINS", true}, {"VCPUS", true},
        {"ALLOC GIB", true}, {"MAINTENANCE", false},
    };
    struct ek_table table = EK_TABLE(columns);
    const double *imbalance = report->evaluation->levels.imbalance;

    for (size_t h = 0; h < report->snapshot->host_count; h++) {
        const struct ek_host *host = &report->snapshot->hosts[h];
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", host->name);
        ek_table_cell(&table, host->state == EK_HOST_UP ? EK_COLOUR_GOOD : EK_COLOUR_BAD, "%s",
                      ek_host_state_name(host->state));
        add_figures(&table, report, h);
        ek_host_maintenance_cell(&table, &report->maintenance[h]);
    }
    if (!ek_table_print(&table, stdout)) {
        return false;
    }
    (void)printf("\nimbalance (0 is level): cpu %.3f, memory %.3f\n", imbalance[EK_CPU],
                 imbalance[EK_MEMORY]);
    return true;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int show(struct ek_tool *tool, struct ek_view *view)
{
    struct ek_arena *arena = &view->arena;
    struct ek_evaluation evaluation;
    struct ek_policy policy;
    struct ek_rules rules = {.items = NULL};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    /* The balancer's own evaluation, of the newest samples: what is, and not what is expected,
     * which the trigger is compared with (`evenkeel plan`). */
    ek_tool_read_policy(tool, &policy, &rules);
    if (!ek_evaluate(&evaluation, &view->snapshot, &policy, &err)) {
        ek_rules_finish(&rules);
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    struct report report = {
        .snapshot = &view->snapshot,
        .evaluation = &evaluation,
        .maintenance = ek_host_maintenance_read(tool, view->maintenance, arena, &err),
        .allocated = ek_arena_alloc(arena, view->snapshot.host_count, sizeof(*report.allocated)),
    };
    if (report.maintenance == NULL || report.allocated == NULL) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s",
                                  report.maintenance == NULL ? err.message : "out of memory");
    } else {
        add_allocations(&view->snapshot, report.allocated);
        status = tool->json             ? ek_tool_print_json(write_hosts(&report))
                 : print_hosts(&report) ? EK_EXIT_DONE
                                        : EK_EXIT_FAILED;
    }
    ek_evaluation_finish(&evaluation);
    ek_rules_finish(&rules);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    return ek_view_run(tool, argc, argv, show);
}

const struct ek_verb ek_verb_hosts = {
    .name = "hosts",
    .arguments = "",
    .help = "utilization of every host, and the imbalance",
    .details =
        "CPU and MEMORY are what runs on a host over what it has; VCPUS and ALLOC GIB are what "
        "its\n"
        "domains are configured with. The imbalance is the standard deviation of the utilization\n"
        "over the hosts that are up and not in maintenance.\n",
    .run = run,
};
