/* Hosts in maintenance, as tables and JSON show them. */
#include "balancer/tools/maintenance/maintenance.h"

#include <string.h>

struct ek_host_maintenance *ek_host_maintenance_read(struct ek_tool *tool,
                                                     const struct ek_maintenance *keys,
                                                     struct ek_arena *arena, struct ek_error *err)
{
    return ek_view_read_maintenance(tool->store, &tool->config, keys, arena, err);
}

void ek_host_maintenance_warn_of_strays(struct ek_tool *tool, struct ek_arena *arena)
{
    const char **names = ek_tool_host_names(tool, arena);
    char strays[300];
    char known[300] = "";
    struct ek_error err;

    if (names == NULL ||
        !ek_store_stray_maintenance(tool->store, names, tool->config.host_count, strays,
                                    sizeof(strays), &err) ||
        strays[0] == '\0') {
        return;
    }
    ek_tool_list_names(names, tool->config.host_count, known, sizeof(known));
    (void)ek_tool_complain(EK_EXIT_DONE,
                           "warning: a maintenance key is set for %s, which is no host and does "
                           "nothing; hosts are: %s",
                           strays, known);
}

/* "wanted": the key is set, and no balancer has spoken yet. */
static const char *state_text(const struct ek_host_maintenance *item)
{
    return item->has_status ? ek_maintenance_state_name(item->status.state) : "wanted";
}

/* Neither good nor bad while it is under way; blocked and infeasible need somebody to look. */
static enum ek_colour state_colour(const struct ek_host_maintenance *item)
{
    if (!item->has_status || item->status.state == EK_MAINTENANCE_EVACUATING) {
        return EK_COLOUR_STRONG;
    }
    return item->status.state == EK_MAINTENANCE_EVACUATED ? EK_COLOUR_GOOD : EK_COLOUR_WARN;
}

/* What a deadline makes of it: nothing, unless it takes more than the limits. */
static const char *pace_text(const struct ek_host_maintenance *item, char *out, size_t size)
{
    const struct ek_maintenance_status *status = &item->status;
    bool raised = item->has_status && status->deadline_ms != 0 && status->pace != EK_PACE_LIMITS &&
                  status->state == EK_MAINTENANCE_EVACUATING;

    (void)snprintf(out, size, raised ? ", pace %s%s" : "%s%s",
                   raised ? ek_pace_name(status->pace) : "",
                   raised && status->slack_ms < 0 ? ", late" : "");
    return out;
}

/* The reason is the operator's own text, whatever it holds: the table cleans it. */
void ek_host_maintenance_cell(struct ek_table *table, const struct ek_host_maintenance *item)
{
    const char *reason = item->key.reason;
    char pace[40];

    if (!item->key.wanted) {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
        return;
    }
    ek_table_cell(table, state_colour(item), "%s%s%s%s", state_text(item),
                  pace_text(item, pace, sizeof(pace)), reason[0] == '\0' ? "" : ": ", reason);
}

/* An ETA below 0 is "not known". */
static void add_row(struct ek_table *table, const struct ek_host_maintenance *item)
{
    const struct ek_maintenance_status *status = &item->status;
    char span[EK_SPAN_SIZE];

    ek_table_cell(table, EK_COLOUR_NONE, "%s", item->host);
    ek_table_cell(table, state_colour(item), "%s", state_text(item));
    if (item->has_status && ek_maintenance_counted(status)) {
        ek_table_cell(table, EK_COLOUR_NONE, "%u", (unsigned int)status->domains_left);
    } else {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
    }
    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  item->has_status && status->eta_ms >= 0 ? ek_span(status->eta_ms, span) : "-");
    ek_table_cell(table, EK_COLOUR_NONE, "%s", item->key.reason);
}

/* Under the table and not in it: each is a sentence, and would stretch a column for all. */
static void print_blockers(const struct ek_host_maintenance *item, FILE *out)
{
    char span[EK_SPAN_SIZE];

    if (item->key.fault[0] != '\0') {
        ek_terminal_print(out, EK_COLOUR_WARN, "  %s: its key is not understood in full: %s\n",
                          item->host, item->key.fault);
    }
    if (item->has_status && item->status.state == EK_MAINTENANCE_PREFLIGHT) {
        ek_terminal_print(out, EK_COLOUR_WARN,
                          "  %s: the balancer only recommends (mode of policy.yaml): nothing is "
                          "moved\n",
                          item->host);
    }
    if (item->has_status && item->status.deadline_ms != 0) {
        int64_t slack_ms = item->status.slack_ms;
        ek_terminal_print(
            out, slack_ms < 0 ? EK_COLOUR_WARN : EK_COLOUR_NONE, "  %s: %s %s, at pace %s\n",
            item->host, slack_ms < 0 ? "will miss its deadline by" : "slack until its deadline:",
            ek_span(slack_ms < 0 ? -slack_ms : slack_ms, span), ek_pace_name(item->status.pace));
    }
    for (size_t i = 0; item->has_status && i < item->status.stop_count; i++) {
        const struct ek_stop_note *it = &item->status.stops[i];
        bool saves = it->kind == EK_MOVE_SAVE;
        ek_terminal_print(out, EK_COLOUR_NONE, "  %s: %s %s\n", item->host, it->name,
                          it->running ? saves ? "is being saved" : "is being shut down"
                          : saves     ? "will be saved, last"
                                      : "will be shut down, last");
    }
    for (size_t i = 0; item->has_status && i < item->status.blocker_count; i++) {
        const struct ek_blocker *blocker = &item->status.blockers[i];
        /* A blocker without a domain concerns the host as a whole. */
        const char *name = blocker->name[0] != '\0' ? blocker->name : blocker->domain;
        ek_terminal_print(out, EK_COLOUR_NONE, "  %s: %s%s%s\n", item->host, name,
                          name[0] == '\0' ? "" : ": ", blocker->reason);
        if (blocker->relaxation != NULL) {
            ek_terminal_print(out, EK_COLOUR_FAINT, "    would do: %s\n", blocker->relaxation);
        }
    }
}

void ek_host_maintenance_print_stopped(const struct ek_host_maintenance *item, FILE *out)
{
    char when[EK_SPAN_SIZE];

    for (size_t i = 0; i < item->stopped_count; i++) {
        const struct ek_stopped *it = &item->stopped[i];
        ek_terminal_print(out, EK_COLOUR_NONE,
                          "  %s: %s was %s there at %s, and is not started by us: %s\n", item->host,
                          it->name, it->kind == EK_MOVE_SAVE ? "saved" : "shut down",
                          ek_time(it->at_ms, when), it->start);
    }
}

bool ek_host_maintenance_print(const struct ek_host_maintenance *items, size_t count, FILE *out)
{
    static const struct ek_column columns[] = {{"HOST", false},
                                               {"STATE", false},
                                               {"DOMAINS LEFT", true},
                                               {"ETA", true},
                                               {"REASON", false}};
    struct ek_table table = EK_TABLE(columns);

    for (size_t h = 0; h < count; h++) {
        if (items[h].key.wanted) {
            add_row(&table, &items[h]);
        }
    }
    if (!ek_table_print(&table, out)) {
        return false;
    }
    for (size_t h = 0; h < count; h++) {
        print_blockers(&items[h], out);
    }
    return true;
}
