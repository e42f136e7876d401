/* The frame: who balances and what holds it, what moves, what waits, the hosts. Moves come before
 * hosts: on a small terminal it is the end that is cut. */
#include "balancer/tools/terminal.h"
#include "balancer/tools/top.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { BAR_WIDTH = 20, SHORT_BAR = 10, LINE_SIZE = 1200 };

struct frame {
    const struct ek_top *top;
    bool colours;
    FILE *out;
};

static void line(const struct frame *frame, enum ek_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As ek_terminal_print, but the stream is not where it ends up. */
static void line(const struct frame *frame, enum ek_colour colour, const char *format, ...)
{
    enum ek_colour used = frame->colours ? colour : EK_COLOUR_NONE;
    char text[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ek_terminal_clean(text);
    (void)fprintf(frame->out, "%s%s%s\n", ek_colour_begin(used), text, ek_colour_end(used));
}

static void print_balancer(const struct frame *frame)
{
    const struct ek_balancer_status *balancer = &frame->top->balancer;
    char when[EK_SPAN_SIZE];

    (void)ek_time(frame->top->view.snapshot.taken_at_ms, when);
    if (!frame->top->has_balancer) {
        line(frame, EK_COLOUR_BAD, "evenkeel  %s  no balancer leads here", when);
        return;
    }
    line(frame, EK_COLOUR_STRONG, "evenkeel  %s  %s leads (epoch %" PRId64 "), %s, policy %s", when,
         balancer->identity, balancer->epoch, balancer->mode, balancer->policy);
    if (balancer->holding[0] != '\0') {
        line(frame, EK_COLOUR_WARN, "holding   %s", balancer->holding);
    }
    if (balancer->paused[0] != '\0') {
        line(frame, EK_COLOUR_WARN, "paused    %s", balancer->paused);
    }
    line(frame, EK_COLOUR_NONE, "cycle     %" PRId64 ": %s", balancer->cycles,
         balancer->summary[0] == '\0' ? "none yet" : balancer->summary);
}

/* ---- moves ---------------------------------------------------------------------------------- */

static const char *limit_text(double limit_mib_s, char *out, size_t size)
{
    if (limit_mib_s > 0) {
        (void)snprintf(out, size, "%.0f MiB/s", limit_mib_s);
        return out;
    }
    return "unlimited";
}

/* The budget: what the policy allows, and what is in use of it. */
static void print_budget(const struct frame *frame)
{
    const struct ek_policy *policy = &frame->top->policy;
    double rate_mib_s = 0;
    char cluster[32];
    char host[32];

    for (size_t i = 0; i < frame->top->view.open_count; i++) {
        rate_mib_s += frame->top->view.open[i].rate_mib_s;
    }
    line(frame, EK_COLOUR_NONE,
         "moves     %zu of %d run, %d in and %d out per host, %" PRId64
         " wait; %.0f MiB/s, of %s in all and %s per host",
         frame->top->view.open_count, policy->limit_cluster, policy->limit_host_in,
         policy->limit_host_out, frame->top->has_balancer ? frame->top->balancer.waiting : 0,
         rate_mib_s, limit_text(policy->bandwidth_cluster_mib_s, cluster, sizeof(cluster)),
         limit_text(policy->bandwidth_per_host_mib_s, host, sizeof(host)));
}

static void add_move(struct ek_table *table, const struct ek_move_record *record)
{
    char bar[EK_BAR_SIZE];
    char span[EK_SPAN_SIZE];
    char way[EK_WAY_SIZE];

    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_domain(&record->order));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_way(&record->order, way));
    ek_table_cell(table, EK_COLOUR_STRONG, "%s", ek_move_state_name(record->state));
    ek_table_cell(table, EK_COLOUR_GOOD, "%s %3.0f %%", ek_bar(record->progress, BAR_WIDTH, bar),
                  100 * record->progress);
    ek_table_number(table, record->rate_mib_s > 0 ? record->rate_mib_s : NAN, 0);
    if (record->order.bandwidth_mib_s > 0) {
        ek_table_cell(table, EK_COLOUR_NONE, "%" PRIu64, record->order.bandwidth_mib_s);
    } else {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
    }
    ek_table_number(table, record->dirty_mib_s > 0 ? record->dirty_mib_s : NAN, 0);
    ek_table_number(table, record->transferred_mib, 0);
    ek_table_number(table, record->iteration > 0 ? (double)record->iteration : NAN, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  record->eta_ms >= 0 ? ek_span(record->eta_ms, span) : "-");
    ek_table_number(table, record->attempt, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_kind_name(record->order.kind));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", record->order.id);
    ek_table_cell(table, EK_COLOUR_WARN, "%s", record->error);
}

static void print_moves(const struct frame *frame)
{
    static const struct ek_column columns[] = {
        {"DOMAIN", false}, {"MOVE", false},       {"STATE", false},  {"PROGRESS", false},
        {"MIB/S", true},   {"OF", true},          {"DIRTY", true},   {"MIB", true},
        {"ROUND", true},   {"ETA", true},         {"ATTEMPT", true}, {"KIND", false},
        {"ID", false},     {"LAST ERROR", false},
    };
    struct ek_table table = EK_TABLE(columns);

    if (frame->top->view.open_count == 0) {
        return;
    }
    table.painted = frame->colours;
    for (size_t i = 0; i < frame->top->view.open_count; i++) {
        add_move(&table, &frame->top->view.open[i]);
    }
    (void)fputc('\n', frame->out);
    (void)ek_table_print(&table, frame->out);
}

static void print_waiting(const struct frame *frame)
{
    const struct ek_top *top = frame->top;

    if (top->waiting_count == 0) {
        return;
    }
    (void)fputc('\n', frame->out);
    line(frame, EK_COLOUR_STRONG, "WAITING");
    for (size_t i = 0; i < top->waiting_count; i++) {
        const struct ek_plan_line *move = &top->waiting[i];
        line(frame, EK_COLOUR_NONE, "%s  %s -> %s  %s", move->name, move->source, move->destination,
             move->kind);
    }
    if (top->balancer.waiting > (int64_t)top->waiting_count) {
        line(frame, EK_COLOUR_FAINT, "and %" PRId64 " more",
             top->balancer.waiting - (int64_t)top->waiting_count);
    }
}

static void print_blocked(const struct frame *frame)
{
    const struct ek_top *top = frame->top;

    if (top->blocking_count > 0) {
        (void)fputc('\n', frame->out);
    }
    for (size_t i = 0; i < top->blocking_count; i++) {
        line(frame, EK_COLOUR_BAD, "left alone: %s, its move %s ended as %s: evenkeel resolve %s",
             ek_move_domain(&top->blocking[i].order), top->blocking[i].order.id,
             ek_move_state_name(top->blocking[i].state), ek_move_domain(&top->blocking[i].order));
    }
}

/* ---- hosts ---------------------------------------------------------------------------------- */

static void add_demand(struct ek_table *table, const struct ek_top *top, size_t host,
                       enum ek_resource resource)
{
    if (top->view.snapshot.hosts[host].state == EK_HOST_DOWN) {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
    } else {
        ek_view_demand_cell(table, &top->evaluation, host, resource, SHORT_BAR);
    }
}

/* What comes and goes now, and how fast. */
static void add_traffic(struct ek_table *table, const struct ek_top *top, const char *host)
{
    unsigned int moves[2] = {0, 0};
    double rate_mib_s[2] = {0, 0};

    for (size_t i = 0; i < top->view.open_count; i++) {
        const struct ek_move_record *record = &top->view.open[i];
        bool out = strcmp(record->order.source, host) == 0;
        if (ek_move_stops(record->order.kind)) {
            continue; /* it uses no link */
        }
        if (out || strcmp(record->order.destination, host) == 0) {
            moves[out]++;
            rate_mib_s[out] += record->rate_mib_s;
        }
    }
    for (int out = 0; out < 2; out++) {
        if (moves[out] == 0) {
            ek_table_cell(table, EK_COLOUR_FAINT, "-");
        } else {
            ek_table_cell(table, EK_COLOUR_NONE, "%u, %.0f MiB/s", moves[out], rate_mib_s[out]);
        }
    }
}

static void print_hosts(const struct frame *frame)
{
    static const struct ek_column columns[] = {
        {"HOST", false}, {"STATE", false}, {"CPU DEMAND", false},  {"MEMORY DEMAND", false},
        {"IN", false},   {"OUT", false},   {"MAINTENANCE", false},
    };
    const struct ek_snapshot *snapshot = &frame->top->view.snapshot;
    struct ek_table table = EK_TABLE(columns);

    table.painted = frame->colours;
    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", host->name);
        ek_table_cell(&table, host->state == EK_HOST_UP ? EK_COLOUR_GOOD : EK_COLOUR_BAD, "%s",
                      ek_host_state_name(host->state));
        add_demand(&table, frame->top, h, EK_CPU);
        add_demand(&table, frame->top, h, EK_MEMORY);
        add_traffic(&table, frame->top, host->name);
        ek_host_maintenance_cell(&table, &frame->top->maintenance[h]);
    }
    (void)fputc('\n', frame->out);
    (void)ek_table_print(&table, frame->out);
}

static void print_why_not_up(const struct frame *frame)
{
    const struct ek_view *view = &frame->top->view;
    char why[2 * EK_TEXT_SIZE];

    for (size_t h = 0, shown = 0; h < view->snapshot.host_count; h++) {
        if (ek_view_why_not_up(view, h, why, sizeof(why))) {
            if (shown++ == 0) {
                (void)fputc('\n', frame->out);
            }
            line(frame, EK_COLOUR_BAD, "%s is not sampled: %s", view->snapshot.hosts[h].name, why);
        }
    }
}

void ek_top_print(const struct ek_top *top, bool colours, FILE *out)
{
    const struct frame frame = {top, colours, out};

    print_balancer(&frame);
    print_budget(&frame);
    print_moves(&frame);
    print_waiting(&frame);
    print_blocked(&frame);
    print_hosts(&frame);
    print_why_not_up(&frame);
}

/* ---- cutting -------------------------------------------------------------------------------- */

/* How many bytes stand at `at` that take no column: a colour sequence, or the rest of a character
 * of several bytes. */
static size_t without_width(const char *at)
{
    size_t length = 0;

    if (*at == '\033') {
        length = 1 + strcspn(at, "m\n");
        return at[length - 1] == '\n' || at[length - 1] == '\0' ? length - 1 : length;
    }
    while (((unsigned char)at[length] & 0xC0) == 0x80) {
        length++;
    }
    return length;
}

/* Sequences behind the edge are printed all the same: the last of them ends the colour. */
static void print_line(const char *text, size_t length, int columns, FILE *out)
{
    const char *end = text + length;
    int used = 0;

    while (text < end) {
        size_t bare = without_width(text);
        bool sequence = *text == '\033';
        if (bare == 0) {
            bare = 1;
            used++;
        }
        if (sequence || used <= columns) {
            (void)fwrite(text, 1, bare, out);
        }
        text += bare;
    }
}

static int count_lines(const char *text)
{
    int lines = 0;

    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

void ek_top_print_cut(const char *text, int columns, int rows, const char *end, FILE *out)
{
    int lines = count_lines(text);
    int shown = lines <= rows ? lines : rows - 1;

    for (int i = 0; i < shown; i++) {
        size_t length = strcspn(text, "\n");
        print_line(text, length, columns, out);
        (void)fputs(end, out);
        text += length + 1;
    }
    if (shown < lines) {
        char rest[64];
        int length = snprintf(rest, sizeof(rest), "... and %d more lines", lines - shown);
        print_line(rest, (size_t)length, columns, out);
        (void)fputs(end, out);
    }
}
