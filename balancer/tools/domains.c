/* evenkeel domains: where each domain is, what it uses, whether it can move. */
#include "balancer/core/utilization.h"
#include "balancer/tools/table.h"
#include "balancer/tools/view.h"
#include "balancer/view/documents.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool take_host(struct ek_tool *tool, int argc, char **argv, const char **host)
{
    static const struct option own[] = {{"host", required_argument, NULL, 'H'}, {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        *host = optarg;
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* A move under way says more than whether one would be possible; paused domains move and stay
 * paused. */
static void add_movable(struct ek_table *table, const struct ek_domain_row *row)
{
    const struct ek_domain *domain = row->domain;
    const char *why = domain->immovable_reason == NULL ? "" : domain->immovable_reason;

    if (row->destination != NULL) {
        ek_table_cell(table, EK_COLOUR_STRONG, "migrates to %s", row->destination);
    } else if (!domain->movable) {
        ek_table_cell(table, EK_COLOUR_WARN, "no%s%s", why[0] == '\0' ? "" : ": ", why);
    } else {
        ek_table_cell(table, EK_COLOUR_NONE, domain->paused ? "yes, paused" : "yes");
    }
}

static bool print_domains(const struct ek_snapshot *snapshot, const struct ek_domain_row *rows,
                          size_t count)
{
    static const struct ek_column columns[] = {
        {"DOMAIN", false},      {"HOST", false},    {"VCPUS", true},  {"CORES USED", true},
        {"CORES DEMAND", true}, {"USED MIB", true}, {"OF MIB", true}, {"RESIDENT", true},
        {"DIRTY MIB/S", true},  {"MOVABLE", false},
    };
    struct ek_table table = EK_TABLE(columns);

    for (size_t i = 0; i < count; i++) {
        const struct ek_domain *domain = rows[i].domain;
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", domain->name);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", snapshot->hosts[domain->host].name);
        ek_table_number(&table, domain->vcpus, 0);
        ek_table_number(&table, domain->cpu_used_cores, 2);
        ek_table_number(&table, ek_demand(domain, EK_CPU), 2);
        ek_table_number(&table, domain->memory_used_mib, 0);
        ek_table_number(&table, domain->memory_mib, 0);
        ek_table_number(&table, domain->memory_rss_mib, 0);
        /* Without a time 0 is "not measured": only those that may be moved are. */
        bool measured = domain->dirty_mib_s > 0 || domain->dirty_measured_at_ms > 0;
        ek_table_number(&table, measured ? domain->dirty_mib_s : NAN, 1);
        add_movable(&table, &rows[i]);
    }
    return ek_table_print(&table, stdout);
}

static int show(struct ek_tool *tool, struct ek_view *view, const char *host)
{
    const struct ek_snapshot *snapshot = &view->snapshot;
    /* Looked up in the snapshot, whose hosts are those of the configuration, down ones included. */
    uint32_t index = host == NULL ? EK_NONE : ek_snapshot_find_host(snapshot, host);
    size_t count = 0;

    if (host != NULL && index == EK_NONE) {
        return ek_tool_unknown_host(tool, host);
    }
    struct ek_domain_row *rows = ek_view_domain_rows(snapshot, index, &view->arena, &count);
    if (rows == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    if (tool->json) {
        return ek_tool_print_json(ek_view_write_domains(snapshot, rows, count));
    }
    return print_domains(snapshot, rows, count) ? EK_EXIT_DONE : EK_EXIT_FAILED;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_view view;
    const char *host = NULL;

    if (!take_host(tool, argc, argv, &host) || !ek_tool_open(tool) ||
        !ek_view_gather(&view, tool)) {
        return tool->exit_status;
    }
    int status = show(tool, &view, host);
    ek_view_finish(&view);
    return status;
}

const struct ek_verb ek_verb_domains = {
    .name = "domains",
    .arguments = " [--host H]",
    .help = "every domain: where it is, what it uses, whether it can move",
    .details =
        "  --host H   only those on that host\n"
        "\n"
        "CORES DEMAND is what a domain used and the time that its vCPUs waited for a CPU (steal);\n"
        "without figures it is its vCPUs. Its demand of memory is the larger of USED MIB and\n"
        "RESIDENT. `hosts` adds these up, and what each host uses by itself.\n",
    .run = run,
};
