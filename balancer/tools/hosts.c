/* evenkeel hosts: how busy each host is, and how level they are together. */
#include "balancer/tools/host_facts.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/tools/table.h"
#include "balancer/view/documents.h"

#include <inttypes.h>
#include <stdlib.h>

/* One mark for ten percent: finer ones would be noise at a look. Memory is shown in GiB, as hosts
 * are bought. */
enum { BAR_WIDTH = 10, MIB_PER_GIB = 1024 };

struct report {
    const struct ek_view *view;
    const struct ek_snapshot *snapshot; /* the view's */
    const struct ek_evaluation *evaluation;
    const struct ek_host_maintenance *maintenance; /* per host */
    const struct ek_allocation *allocated;         /* per host */
    uint32_t only;                                 /* the host that was named; EK_NONE: all */
};

static bool is_shown(const struct report *report, size_t host)
{
    return report->only == EK_NONE || report->only == host;
}

/* ---- table --------------------------------------------------------------------------------- */

static void add_figures(struct ek_table *table, const struct report *report, size_t h)
{
    const struct ek_host *host = &report->snapshot->hosts[h];
    const struct ek_allocation *allocated = &report->allocated[h];

    if (!ek_view_seen(host)) {
        /* One for each column from CPU to ALLOC GIB: a row that lacks a cell would shift all that
         * follow. */
        for (int i = 0; i < 7; i++) {
            ek_table_cell(table, EK_COLOUR_FAINT, "-");
        }
        return;
    }
    ek_view_demand_cell(table, report->evaluation, h, EK_CPU, BAR_WIDTH);
    ek_view_demand_cell(table, report->evaluation, h, EK_MEMORY, BAR_WIDTH);
    ek_table_number(table, host->cpu_cores, 0);
    ek_table_number(table, host->memory_mib / MIB_PER_GIB, 1);
    ek_table_number(table, allocated->domains, 0);
    ek_table_number(table, allocated->vcpus, 0);
    ek_table_number(table, allocated->memory_mib / MIB_PER_GIB, 1);
}

/* Below the table: an error is longer than any column should be. */
static void print_why_not_up(const struct report *report)
{
    char why[2 * EK_TEXT_SIZE];

    for (size_t h = 0, shown = 0; h < report->snapshot->host_count; h++) {
        if (ek_view_why_not_up(report->view, h, why, sizeof(why))) {
            ek_terminal_print(stdout, EK_COLOUR_BAD,
                              "%s%s is not sampled: ", shown++ == 0 ? "\n" : "",
                              report->snapshot->hosts[h].name);
            ek_terminal_print(stdout, EK_COLOUR_NONE, "%s\n", why);
        }
    }
}

/* More than all of it is no mistake of ours, and the figure alone would look like one. */
static void explain_demand(const struct report *report)
{
    const struct ek_evaluation *evaluation = report->evaluation;
    bool above = false;

    for (size_t h = 0; h < report->snapshot->host_count; h++) {
        above = above ||
                (is_shown(report, h) && ek_view_seen(&report->snapshot->hosts[h]) &&
                 evaluation->utilization[h * evaluation->policy->resources.count + EK_CPU] > 1);
    }
    if (above) {
        (void)puts("\nCPU demand above 100 %: what is used, and what domains wait for");
    }
}

/* State and maintenance are two things: a host in maintenance is up. */
static bool print_hosts(const struct report *report)
{
    static const struct ek_column columns[] = {
        {"HOST", false},          {"STATE", false}, {"CPU DEMAND", false},
        {"MEMORY DEMAND", false}, {"CORES", true},  {"MEM GIB", true},
        {"DOMAINS", true},        {"VCPUS", true},  {"ALLOC GIB", true},
        {"MAINTENANCE", false},
    };
    struct ek_table table = EK_TABLE(columns);
    const double *imbalance = report->evaluation->levels.imbalance;

    for (size_t h = 0; h < report->snapshot->host_count; h++) {
        const struct ek_host *host = &report->snapshot->hosts[h];
        if (!is_shown(report, h)) {
            continue;
        }
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", host->name);
        ek_table_cell(&table, host->state == EK_HOST_UP ? EK_COLOUR_GOOD : EK_COLOUR_BAD, "%s",
                      ek_host_state_name(host->state));
        add_figures(&table, report, h);
        ek_host_maintenance_cell(&table, &report->maintenance[h]);
    }
    if (!ek_table_print(&table, stdout)) {
        return false;
    }
    explain_demand(report);
    if (report->only != EK_NONE) {
        return ek_host_facts_print(&report->snapshot->hosts[report->only], stdout);
    }
    if (report->evaluation->levels.hottest.host == EK_NONE) {
        (void)puts("\nthe imbalance is not known: no host is seen that is to be levelled");
    } else {
        (void)printf("\nimbalance (0 is level): cpu %.3f, memory %.3f\n", imbalance[EK_CPU],
                     imbalance[EK_MEMORY]);
    }
    print_why_not_up(report);
    return true;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int show(struct ek_tool *tool, struct ek_view *view, uint32_t only)
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
        .view = view,
        .snapshot = &view->snapshot,
        .evaluation = &evaluation,
        .maintenance = ek_host_maintenance_read(tool, view->maintenance, arena, &err),
        .allocated = ek_view_allocations(&view->snapshot, arena),
        .only = only,
    };
    if (report.maintenance == NULL || report.allocated == NULL) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s",
                                  report.maintenance == NULL ? err.message : "out of memory");
    } else {
        status =
            tool->json
                ? ek_tool_print_json(ek_view_write_hosts(view, &evaluation, report.allocated, only))
            : print_hosts(&report) ? EK_EXIT_DONE
                                   : EK_EXIT_FAILED;
    }
    ek_evaluation_finish(&evaluation);
    ek_rules_finish(&rules);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_view view;
    int status;

    if (!ek_tool_no_options(tool, argc, argv, 1) || !ek_tool_open(tool) ||
        !ek_view_gather(&view, tool)) {
        return tool->exit_status;
    }
    const char *name = argc > optind ? argv[optind] : NULL;
    uint32_t only = name == NULL ? EK_NONE : ek_snapshot_find_host(&view.snapshot, name);
    if (name != NULL && only == EK_NONE) {
        status = ek_tool_unknown_host(tool, name);
    } else {
        status = show(tool, &view, only);
    }
    ek_view_finish(&view);
    return status;
}

const struct ek_verb ek_verb_hosts = {
    .name = "hosts",
    .arguments = " [HOST]",
    .help = "demand and size of every host, and the imbalance; what one host is and has",
    .details =
        "CPU DEMAND and MEMORY DEMAND are what a host and its domains want over what it has: of\n"
        "CPU what they use and, of domains, the time that they wait for one, so that it may be\n"
        "above 100 %; of memory the larger of used and resident. `domains` shows both of each.\n"
        "VCPUS and ALLOC GIB are what its domains are configured with. The imbalance is the\n"
        "standard deviation of these figures over the hosts that are up and not in maintenance.\n"
        "\n"
        "Of one HOST also its hypervisor, networks, NUMA cells and storage pools. FREE GIB is\n"
        "without buffers and cache; a pool's figures are as of libvirt's last look at it\n"
        "(`virsh pool-refresh`).\n",
    .run = run,
};
