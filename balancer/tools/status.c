/* evenkeel status: what the balancer does, what moves, what an operator should know. */
#include "balancer/codec/status.h"
#include "balancer/tools/maintenance.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One mark for each ten percent that is copied. */
enum { BAR_WIDTH = 10 };

/* Everything is read before anything is printed: a failure half way leaves no half report. */
struct report {
    const struct ek_tool *tool;
    const struct ek_view *view;
    bool has_balancer;
    struct ek_balancer_status balancer;
    const struct ek_host_maintenance *maintenance; /* per host */
    struct ek_move_record *blocking;
    size_t blocking_count;
};

/* ---- JSON ---------------------------------------------------------------------------------- */

/* As the journal has them: whoever reads history's document reads this one. */
static void write_moves(struct ek_json_writer *writer, const char *key,
                        const struct ek_move_record *records, size_t count)
{
    ek_json_break(writer);
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_json_write_record(writer, &records[i]);
    }
    ek_json_end(writer, ']');
}

/* Only the exceptions: in a cluster that is well the list is empty, which a check can ask for. */
static void write_hosts_not_up(struct ek_json_writer *writer, const struct ek_snapshot *snapshot)
{
    ek_json_break(writer);
    ek_json_key(writer, "hosts_not_up");
    ek_json_begin(writer, '[');
    for (size_t h = 0; h < snapshot->host_count; h++) {
        if (snapshot->hosts[h].state != EK_HOST_UP) {
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "name", snapshot->hosts[h].name);
            ek_json_put_text(writer, "state", ek_host_state_name(snapshot->hosts[h].state));
            ek_json_put_integer(writer, "sampled_at_ms", snapshot->hosts[h].sampled_at_ms);
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}

/* As in the snapshot's in_flight, with the domain's name: migrations that are no moves of ours. */
static void write_foreign(struct ek_json_writer *writer, const struct ek_snapshot *snapshot)
{
    ek_json_break(writer);
    ek_json_key(writer, "foreign");
    ek_json_begin(writer, '[');
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->foreign) {
            ek_json_begin(writer, '{');
            ek_json_put_text(writer, "domain", snapshot->domains[flight->domain].uuid);
            ek_json_put_text(writer, "name", snapshot->domains[flight->domain].name);
            ek_json_put_text(writer, "source", snapshot->hosts[flight->source].name);
            ek_json_put_text(writer, "destination", snapshot->hosts[flight->destination].name);
            ek_json_put_integer(writer, "started_at_ms", flight->started_at_ms);
            ek_json_end(writer, '}');
        }
    }
    ek_json_end(writer, ']');
}

static char *write_report(const struct report *report)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", report->view->snapshot.taken_at_ms);
    ek_json_put_text(&writer, "redis_cli", report->tool->redis_cli);
    ek_json_put_text(&writer, "key_prefix", report->tool->config.redis.key_prefix);
    if (report->has_balancer) {
        ek_json_break(&writer);
        ek_json_key(&writer, "balancer");
        ek_json_write_status(&writer, &report->balancer);
    }
    write_moves(&writer, "running", report->view->open, report->view->open_count);
    write_moves(&writer, "blocked", report->blocking, report->blocking_count);
    write_foreign(&writer, &report->view->snapshot);
    write_hosts_not_up(&writer, &report->view->snapshot);
    ek_json_break(&writer);
    ek_json_key(&writer, "maintenance");
    ek_json_begin(&writer, '[');
    for (size_t h = 0; h < report->view->snapshot.host_count; h++) {
        if (report->maintenance[h].key.wanted) {
            ek_host_maintenance_write(&writer, &report->maintenance[h]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- the balancer -------------------------------------------------------------------------- */

/* The status has a time to live of several cycles: one that is older than two was missed once. */
static void print_balancer(const struct report *report)
{
    const struct ek_balancer_status *balancer = &report->balancer;
    int64_t now_ms = report->view->snapshot.taken_at_ms;
    int64_t age_ms = now_ms - balancer->at_ms;
    bool late = age_ms > 2 * report->tool->config.evaluate_ms;
    /* The balancer's last word on a plan outlives the plan. */
    const char *plan = balancer->running + balancer->waiting > 0 ? balancer->plan_id : "";
    char up[EK_SPAN_SIZE];
    char age[EK_SPAN_SIZE];

    ek_terminal_print(
        stdout, EK_COLOUR_NONE, "balancer    %s, evenkeeld %s, %s (epoch %" PRId64 "), up %s\n",
        balancer->identity, balancer->version, balancer->leading ? "leads" : "does not lead",
        balancer->epoch, ek_span(now_ms - balancer->started_at_ms, up));
    /* Whole seconds: tenths change between two looks and mean nothing. */
    ek_terminal_print(stdout, late ? EK_COLOUR_WARN : EK_COLOUR_NONE, "heard of    %s ago%s\n",
                      ek_span(age_ms - age_ms % 1000, age),
                      late ? ", which is longer than a cycle takes" : "");
    ek_terminal_print(stdout, EK_COLOUR_NONE, "mode        %s, policy %s\n", balancer->mode,
                      balancer->policy);
    if (balancer->holding[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "holding     %s\n", balancer->holding);
    }
    if (balancer->paused[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "paused      %s; `evenkeel resume` ends it\n",
                          balancer->paused);
    }
    if (balancer->circuits[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "circuits    %s\n", balancer->circuits);
    }
    ek_terminal_print(stdout, EK_COLOUR_NONE, "last cycle  %" PRId64 ": %s\n", balancer->cycles,
                      balancer->summary[0] == '\0' ? "none yet" : balancer->summary);
    ek_terminal_print(stdout, EK_COLOUR_NONE,
                      "moves       %" PRId64 " running, %" PRId64 " waiting%s%s\n",
                      balancer->running, balancer->waiting, plan[0] == '\0' ? "" : ", plan ", plan);
}

/* With the way to that Redis: as often as not it is the wrong one that was asked. */
static void print_no_balancer(const struct report *report)
{
    ek_terminal_print(stdout, EK_COLOUR_BAD,
                      "balancer    none: no evenkeeld balances here (it has left no status in "
                      "Redis, %s)\n",
                      report->tool->redis_cli);
}

/* ---- moves --------------------------------------------------------------------------------- */

static void add_move(struct ek_table *table, const struct ek_move_record *record)
{
    const struct ek_move_order *order = &record->order;
    char bar[EK_BAR_SIZE];
    char span[EK_SPAN_SIZE];

    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  order->name[0] != '\0' ? order->name : order->domain);
    ek_table_cell(table, EK_COLOUR_NONE, "%s -> %s", order->source, order->destination);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_kind_name(order->kind));
    ek_table_cell(table, EK_COLOUR_STRONG, "%s", ek_move_state_name(record->state));
    ek_table_cell(table, EK_COLOUR_NONE, "%s %3.0f %%", ek_bar(record->progress, BAR_WIDTH, bar),
                  100 * record->progress);
    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  record->eta_ms >= 0 ? ek_span(record->eta_ms, span) : "-");
    ek_table_number(table, record->attempt, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", order->id); /* what `abort` takes */
    ek_table_cell(table, EK_COLOUR_WARN, "%s", record->error);
}

/* The title line is left out when nothing moves. */
static bool print_moves(const struct report *report)
{
    static const struct ek_column columns[] = {
        {"DOMAIN", false}, {"MOVE", false},     {"KIND", false},
        {"STATE", false},  {"PROGRESS", false}, {"ETA", true},
        {"ATTEMPT", true}, {"ID", false},       {"LAST ERROR", false},
    };
    struct ek_table table = EK_TABLE(columns);

    if (report->view->open_count == 0) {
        return true;
    }
    for (size_t i = 0; i < report->view->open_count; i++) {
        add_move(&table, &report->view->open[i]);
    }
    (void)putchar('\n');
    return ek_table_print(&table, stdout);
}

/* Nothing is known of them but that they run: no progress, no end. */
static void print_foreign(const struct ek_snapshot *snapshot)
{
    for (size_t f = 0, shown = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->foreign) {
            ek_terminal_print(
                stdout, EK_COLOUR_WARN, "%s%s is being moved from %s to %s by somebody else\n",
                shown++ == 0 ? "\n" : "", snapshot->domains[flight->domain].name,
                snapshot->hosts[flight->source].name, snapshot->hosts[flight->destination].name);
        }
    }
}

/* What to do is said with the first of them. */
static void print_blocked(const struct report *report)
{
    char when[EK_SPAN_SIZE];

    if (report->blocking_count == 0) {
        return;
    }
    (void)putchar('\n');
    ek_terminal_print(
        stdout, EK_COLOUR_BAD,
        "domains whose last move ended without a clear outcome; they are left alone:\n");
    for (size_t i = 0; i < report->blocking_count; i++) {
        const struct ek_move_record *record = &report->blocking[i];
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %s, %s -> %s, %s since %s (move %s)%s%s\n",
                          record->order.name[0] != '\0' ? record->order.name : record->order.domain,
                          record->order.source, record->order.destination,
                          ek_move_state_name(record->state), ek_time(record->updated_at_ms, when),
                          record->order.id, record->error[0] == '\0' ? "" : ": ", record->error);
    }
    const struct ek_move_order *first = &report->blocking[0].order;
    ek_terminal_print(stdout, EK_COLOUR_NONE,
                      "  what is known, and what may be done:  evenkeel resolve %s\n",
                      first->name[0] != '\0' ? first->name : first->domain);
}

/* ---- hosts --------------------------------------------------------------------------------- */

static void print_hosts_not_up(const struct report *report)
{
    const struct ek_snapshot *snapshot = &report->view->snapshot;
    char span[EK_SPAN_SIZE];

    /* A blank line before the first one only: no heading without hosts below it. */
    for (size_t h = 0, shown = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        if (host->state == EK_HOST_UP) {
            continue;
        }
        ek_terminal_print(stdout, EK_COLOUR_BAD, "%shost %s is %s: ", shown++ == 0 ? "\n" : "",
                          host->name, ek_host_state_name(host->state));
        if (host->sampled_at_ms == 0) {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "no sample of it is there\n");
        } else {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "its newest sample is %s old\n",
                              ek_span(snapshot->taken_at_ms - host->sampled_at_ms, span));
        }
    }
}

static bool print_maintenance(const struct report *report)
{
    size_t count = report->view->snapshot.host_count;

    for (size_t h = 0; h < count; h++) {
        if (report->maintenance[h].key.wanted) {
            (void)putchar('\n');
            return ek_host_maintenance_print(report->maintenance, count, stdout);
        }
    }
    return true;
}

static bool print_report(const struct report *report)
{
    const struct ek_tool *tool = report->tool;

    if (report->has_balancer) {
        print_balancer(report);
    } else {
        print_no_balancer(report);
    }
    /* What failed is said at once and the rest is printed all the same: an operator in trouble
     * needs it most. */
    bool done = print_moves(report);
    print_foreign(&report->view->snapshot);
    print_blocked(report);
    print_hosts_not_up(report);
    done = print_maintenance(report) && done;
    ek_terminal_print(stdout, EK_COLOUR_NONE,
                      "\nto empty a host:   redis-cli %s SET %smaintenance:<host> ''\n"
                      "to use it again:   redis-cli %s DEL %smaintenance:<host>\n",
                      tool->redis_cli, tool->key_prefix, tool->redis_cli, tool->key_prefix);
    return done;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int show(struct ek_tool *tool, struct ek_view *view)
{
    struct report report = {.tool = tool, .view = view};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    report.maintenance = ek_host_maintenance_read(tool, view->maintenance, &view->arena, &err);
    if (report.maintenance == NULL ||
        !ek_view_balancer(tool, &report.balancer, &report.has_balancer, &err) ||
        !ek_store_blocking_moves(tool->store, &report.blocking, &report.blocking_count, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    ek_host_maintenance_warn_of_strays(tool, &view->arena);
    if (tool->json) {
        status = ek_tool_print_json(write_report(&report));
    } else {
        status = print_report(&report) ? EK_EXIT_DONE : EK_EXIT_FAILED;
    }
    free(report.blocking);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    return ek_view_run(tool, argc, argv, show);
}

const struct ek_verb ek_verb_status = {
    .name = "status",
    .arguments = "",
    .help = "what the balancer does, what moves, and how to empty a host",
    .details = "Who leads and since when, why it holds, its last cycle, running moves, hosts that "
               "are not\n"
               "up or in maintenance, and domains whose last move had no clear outcome.\n",
    .run = run,
};
