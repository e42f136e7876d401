/* evenkeel history: the newest moves, and how they ended. */
#include "balancer/codec/writer.h"
#include "balancer/tools/table.h"
#include "balancer/tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* 20 fill a screen; the journal's list of recent moves holds 10,000. */
enum { DEFAULT_COUNT = 20, MAX_COUNT = 10000 };

static bool take_count(struct ek_tool *tool, int argc, char **argv, size_t *count)
{
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "n:", NULL)) > 0) {
        /* strtol takes blanks and signs before the digits and anything behind them: both ends are
         * looked at. */
        char *end = NULL;
        long number = strtol(optarg, &end, 10);
        if (end == optarg || *end != '\0' || number < 1 || number > MAX_COUNT) {
            tool->exit_status =
                ek_tool_complain(EK_EXIT_USAGE, "-n: found \"%s\", expected a number from 1 to %d",
                                 optarg, MAX_COUNT);
            return false;
        }
        *count = (size_t)number;
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* Records as the journal has them, so that no second form has to be kept. */
static char *write_moves(const struct ek_move_record *records, size_t count)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "moves");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_json_break(&writer);
        ek_json_write_record(&writer, &records[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* Bad is only what blocks its domain and waits for a person; a move that was rolled back harmed
 * nobody. */
static enum ek_colour colour_of(enum ek_move_state state)
{
    if (!ek_move_state_terminal(state)) {
        return EK_COLOUR_STRONG;
    }
    return state == EK_MOVE_DONE         ? EK_COLOUR_GOOD
           : ek_move_state_blocks(state) ? EK_COLOUR_BAD
                                         : EK_COLOUR_WARN;
}

/* How long it took is known once it is over; a downtime means something only if the domain moved.
 */
static void add_row(struct ek_table *table, const struct ek_move_record *record)
{
    const struct ek_move_order *order = &record->order;
    bool over = ek_move_state_terminal(record->state) && record->started_at_ms > 0;
    bool done = record->state == EK_MOVE_DONE;
    char when[EK_SPAN_SIZE];

    ek_table_cell(
        table, EK_COLOUR_NONE, "%s",
        ek_time(record->started_at_ms > 0 ? record->started_at_ms : record->planned_at_ms, when));
    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  order->name[0] != '\0' ? order->name : order->domain);
    ek_table_cell(table, EK_COLOUR_NONE, "%s -> %s", order->source, order->destination);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_kind_name(order->kind));
    ek_table_cell(table, colour_of(record->state), "%s", ek_move_state_name(record->state));
    ek_table_number(table,
                    over ? (double)(record->updated_at_ms - record->started_at_ms) / 1000 : NAN, 1);
    ek_table_number(table, done && record->downtime_ms > 0 ? (double)record->downtime_ms : NAN, 0);
    ek_table_number(table, record->transferred_mib > 0 ? record->transferred_mib : NAN, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", record->error[0] != '\0' ? record->error : "-");
    /* Last, since it is the longest: why the planner wanted it. */
    ek_table_cell(table, EK_COLOUR_NONE, "%s", order->reason);
}

static bool print_moves(const struct ek_move_record *records, size_t count)
{
    static const struct ek_column columns[] = {
        {"STARTED", false}, {"DOMAIN", false}, {"MOVE", false},       {"KIND", false},
        {"STATE", false},   {"SECONDS", true}, {"DOWNTIME MS", true}, {"MIB", true},
        {"ERROR", false},   {"REASON", false},
    };
    struct ek_table table = EK_TABLE(columns);

    /* A sentence instead of bare titles, which would look as if something went wrong. */
    if (count == 0) {
        (void)puts("no move yet");
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        add_row(&table, &records[i]);
    }
    return ek_table_print(&table, stdout);
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_move_record *records = NULL;
    size_t limit = DEFAULT_COUNT;
    size_t count = 0;
    struct ek_error err;

    if (!take_count(tool, argc, argv, &limit) || !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    if (!ek_store_recent_moves(tool->store, limit, &records, &count, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    int status = tool->json                    ? ek_tool_print_json(write_moves(records, count))
                 : print_moves(records, count) ? EK_EXIT_DONE
                                               : EK_EXIT_FAILED;
    free(records);
    return status;
}

const struct ek_verb ek_verb_history = {
    .name = "history",
    .arguments = " [-n N]",
    .help = "the newest moves, how they ended, and why they were made",
    .details = "  -n N   so many (default 20)\n",
    .run = run,
};
