/* evenkeel status: what the balancer does, what moves, what an operator should know. */
#include "balancer/codec/plan.h"
#include "balancer/core/plural.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/view/documents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One mark for each ten percent that is copied. */
enum { BAR_WIDTH = 10 };

/* A plan of more moves is seen in part; so many records tell which of them have begun. */
enum { OFFERED_SHOWN = 50, RECENT = 200 };

/* Everything is read before anything is printed: a failure half way leaves no half report. */
struct report {
    const struct ek_tool *tool;
    struct ek_status_report seen;
};

/* ---- the balancer -------------------------------------------------------------------------- */

/* Which moves of the plan wait; what is shown of it may be a part. */
static void print_offer(const struct report *report)
{
    const struct ek_balancer_status *balancer = &report->seen.balancer;
    bool approves = balancer->offer_lapses_at_ms > 0;
    char span[EK_SPAN_SIZE];

    if (balancer->offered == 0) {
        return;
    }
    if (!approves) {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "recommends  plan %s: %" PRId64 " move%s\n",
                          balancer->offer_id, balancer->offered,
                          ek_plural((size_t)balancer->offered));
        return;
    }
    ek_terminal_print(
        stdout, EK_COLOUR_WARN,
        "approval    %" PRId64 " move%s for `evenkeel approve %s`, for another %s\n",
        balancer->offered, balancer->offered == 1 ? " waits" : "s wait", balancer->offer_id,
        ek_span(balancer->offer_lapses_at_ms - report->seen.view->snapshot.taken_at_ms, span));
}

/* The status has a time to live of several cycles: one that is older than two was missed once. */
static void print_balancer(const struct report *report)
{
    const struct ek_balancer_status *balancer = &report->seen.balancer;
    int64_t now_ms = report->seen.view->snapshot.taken_at_ms;
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
    if (balancer->policy_file[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "policy      %s\n", balancer->policy_file);
    }
    if (balancer->holding[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "holding     %s\n", balancer->holding);
    }
    /* Where evacuations are closed as well, it holds for that reason. */
    if (balancer->closed[0] != '\0' && strcmp(balancer->closed, balancer->holding) != 0) {
        ek_terminal_print(stdout, EK_COLOUR_WARN, "holding     balancing: %s\n", balancer->closed);
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
    print_offer(report);
}

/* The moves of an offer that have not begun, with what `approve --move` takes where it can be
 * approved. */
static bool print_offered(const struct report *report)
{
    bool approves = report->seen.balancer.offer_lapses_at_ms > 0;
    const struct ek_column columns[] = {{approves ? "PROPOSED" : "RECOMMENDED", false},
                                        {"DOMAIN", false},
                                        {"MOVE", false},
                                        {"KIND", false}};
    static struct ek_plan_line lines[OFFERED_SHOWN];
    const char *plan = report->seen.balancer.offer_id;
    struct ek_table table = EK_TABLE(columns);
    struct ek_move_record *recent = NULL;
    struct ek_error err = {0};
    size_t recent_count = 0;
    size_t count = 0;
    char *json = NULL;

    if (!report->seen.has_balancer || report->seen.balancer.offered == 0) {
        return true;
    }
    bool ok = ek_store_get_plan(report->tool->store, plan, &json, &err) &&
              (json == NULL || ek_codec_read_plan_lines(lines, OFFERED_SHOWN, &count, json,
                                                        strlen(json), "plan", &err)) &&
              ek_store_recent_moves(report->tool->store, RECENT, &recent, &recent_count, &err);
    free(json);
    if (!ok) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
    }
    for (size_t i = 0; ok && i < count; i++) {
        if (ek_view_has_begun(recent, recent_count, plan, lines[i].seq)) {
            continue;
        }
        ek_table_cell(&table, EK_COLOUR_NONE, "%s-%u", plan, (unsigned int)lines[i].seq);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", lines[i].name);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s -> %s", lines[i].source, lines[i].destination);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", lines[i].kind);
    }
    free(recent);
    if (count > 0 && ok) {
        (void)putchar('\n');
    }
    return !ok || count == 0 || ek_table_print(&table, stdout);
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
    char way[EK_WAY_SIZE];

    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_domain(order));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_way(order, way));
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

    if (report->seen.view->open_count == 0) {
        return true;
    }
    for (size_t i = 0; i < report->seen.view->open_count; i++) {
        add_move(&table, &report->seen.view->open[i]);
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
    char way[EK_WAY_SIZE];

    if (report->seen.blocking_count == 0) {
        return;
    }
    (void)putchar('\n');
    ek_terminal_print(
        stdout, EK_COLOUR_BAD,
        "domains whose last move ended without a clear outcome; they are left alone:\n");
    for (size_t i = 0; i < report->seen.blocking_count; i++) {
        const struct ek_move_record *record = &report->seen.blocking[i];
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %s, %s, %s since %s (move %s)%s%s\n",
                          ek_move_domain(&record->order), ek_move_way(&record->order, way),
                          ek_move_state_name(record->state), ek_time(record->updated_at_ms, when),
                          record->order.id, record->error[0] == '\0' ? "" : ": ", record->error);
    }
    const struct ek_move_order *first = &report->seen.blocking[0].order;
    ek_terminal_print(stdout, EK_COLOUR_NONE,
                      "  what is known, and what may be done:  evenkeel resolve %s\n",
                      first->name[0] != '\0' ? first->name : first->domain);
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* Whose it is: that collector ended, or does not reach it. */
static void print_sampler(const struct report *report, const char *host)
{
    char collector[EK_SAMPLER_SIZE];
    struct ek_error ignored;

    if (ek_store_get_sampler(report->tool->store, host, collector, &ignored) &&
        collector[0] != '\0') {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "; the collector %s took the last one",
                          collector);
    }
}

static void print_hosts_not_up(const struct report *report)
{
    const struct ek_snapshot *snapshot = &report->seen.view->snapshot;
    char span[EK_SPAN_SIZE];
    char why[2 * EK_TEXT_SIZE];

    /* A blank line before the first one only: no heading without hosts below it. */
    for (size_t h = 0, shown = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        if (host->state == EK_HOST_UP) {
            continue;
        }
        ek_terminal_print(stdout, EK_COLOUR_BAD, "%shost %s is %s: ", shown++ == 0 ? "\n" : "",
                          host->name, ek_host_state_name(host->state));
        if (host->sampled_at_ms == 0) {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "no sample of it is there");
        } else {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "its newest sample is %s old",
                              ek_span(snapshot->taken_at_ms - host->sampled_at_ms, span));
        }
        print_sampler(report, host->name);
        if (ek_view_why_not_up(report->seen.view, h, why, sizeof(why))) {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "; %s", why);
        }
        (void)putchar('\n');
    }
}

static bool print_maintenance(const struct report *report)
{
    size_t count = report->seen.view->snapshot.host_count;

    for (size_t h = 0; h < count; h++) {
        if (report->seen.maintenance[h].key.wanted) {
            (void)putchar('\n');
            return ek_host_maintenance_print(report->seen.maintenance, count, stdout);
        }
    }
    return true;
}

static bool print_report(const struct report *report)
{
    const struct ek_tool *tool = report->tool;

    if (report->seen.has_balancer) {
        print_balancer(report);
    } else {
        print_no_balancer(report);
    }
    /* What failed is said at once and the rest is printed all the same: an operator in trouble
     * needs it most. */
    bool done = print_moves(report);
    done = print_offered(report) && done;
    print_foreign(&report->seen.view->snapshot);
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
    struct report report = {.tool = tool,
                            .seen = {.redis_cli = tool->redis_cli,
                                     .key_prefix = tool->config.redis.key_prefix,
                                     .view = view}};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    report.seen.maintenance = ek_host_maintenance_read(tool, view->maintenance, &view->arena, &err);
    if (report.seen.maintenance == NULL ||
        !ek_view_balancer(tool, &report.seen.balancer, &report.seen.has_balancer, &err) ||
        !ek_store_blocking_moves(tool->store, &report.seen.blocking, &report.seen.blocking_count,
                                 &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    ek_host_maintenance_warn_of_strays(tool, &view->arena);
    if (tool->json) {
        status = ek_tool_print_json(ek_view_write_status(&report.seen));
    } else {
        status = print_report(&report) ? EK_EXIT_DONE : EK_EXIT_FAILED;
    }
    free(report.seen.blocking);
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
