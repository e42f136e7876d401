/* evenkeel domains: where each domain is, what it uses, whether it can move. */
#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A domain to be shown, with what its place in the order needs. */
struct row {
    const struct ek_domain *domain;
    const char *destination; /* NULL: it does not migrate now */
};

static bool take_host(struct ek_tool *tool, int argc, char **argv, const char **host)
{
    static const struct option own[] = {{"host", required_argument, NULL, 'H'}, {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        *host = optarg;
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* By host as evenkeel.yaml lists them, then by name. UUIDs decide between equal names, so that two
 * runs print the same. */
static int compare_rows(const void *left, const void *right)
{
    const struct ek_domain *a = ((const struct row *)left)->domain;
    const struct ek_domain *b = ((const struct row *)right)->domain;
    int order = (a->host > b->host) - (a->host < b->host);

    order = order != 0 ? order : strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->uuid, b->uuid);
}

/* The domains on `host` (all when it is EK_NONE), by host and name: the snapshot has them by UUID.
 */
static struct row *make_rows(const struct ek_snapshot *snapshot, uint32_t host,
                             struct ek_arena *arena, size_t *count)
{
    struct row *rows = ek_arena_alloc(arena, snapshot->domain_count, sizeof(*rows));

    *count = 0;
    for (size_t d = 0; rows != NULL && d < snapshot->domain_count; d++) {
        struct row row = {.domain = &snapshot->domains[d]};
        /* A migrating domain is still on its source: where it goes stands in the list of moves. */
        for (size_t i = 0; i < snapshot->in_flight_count; i++) {
            if (snapshot->in_flight[i].domain == d) {
                row.destination = snapshot->hosts[snapshot->in_flight[i].destination].name;
            }
        }
        if (host == EK_NONE || row.domain->host == host) {
            rows[(*count)++] = row;
        }
    }
    /* qsort must not be given NULL or what an empty list has. */
    if (*count > 0) {
        qsort(rows, *count, sizeof(*rows), compare_rows);
    }
    return rows;
}

/* The contract's form of a domain, with its host's name in place of an index. */
static char *write_domains(const struct ek_snapshot *snapshot, const struct row *rows, size_t count)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", snapshot->taken_at_ms);
    ek_json_key(&writer, "domains");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_json_break(&writer);
        ek_json_write_domain(&writer, rows[i].domain, snapshot->hosts[rows[i].domain->host].name);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* A move under way says more than whether one would be possible; paused domains move and stay
 * paused. */
static void add_movable(struct ek_table *table, const struct row *row)
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

static bool print_domains(const struct ek_snapshot *snapshot, const struct row *rows, size_t count)
{
    static const struct ek_column columns[] = {
        {"DOMAIN", false},    {"HOST", false},       {"VCPUS", true},
        {"CORES USED", true}, {"USED MIB", true},    {"OF MIB", true},
        {"RESIDENT", true},   {"DIRTY MIB/S", true}, {"MOVABLE", false},
    };
    struct ek_table table = EK_TABLE(columns);

    for (size_t i = 0; i < count; i++) {
        const struct ek_domain *domain = rows[i].domain;
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", domain->name);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", snapshot->hosts[domain->host].name);
        ek_table_number(&table, domain->vcpus, 0);
        ek_table_number(&table, domain->cpu_used_cores, 2);
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
    struct row *rows = make_rows(snapshot, index, &view->arena, &count);
    if (rows == NULL) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    if (tool->json) {
        return ek_tool_print_json(write_domains(snapshot, rows, count));
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
    .details = "  --host H   only those on that host\n",
    .run = run,
};
