/* evenkeel history: the newest moves, and how they ended. */
#include "balancer/tools/history.h"

#include "balancer/core/plural.h"
#include "balancer/tools/table.h"
#include "balancer/tools/tool.h"
#include "balancer/view/documents.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 20 fill a screen; the journal's list of recent moves holds 10,000. */
enum { DEFAULT_COUNT = 20, MAX_COUNT = 10000 };

enum { PLANS = 'p', SHADOW = 's' };

struct request {
    size_t count;
    bool plans;
    bool shadow;
};

static bool take_options(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    static const struct option own[] = {{"plans", no_argument, NULL, PLANS},
                                        {"shadow", no_argument, NULL, SHADOW},
                                        {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "n:", own)) > 0) {
        if (option != 'n') {
            request->plans = true;
            request->shadow = request->shadow || option == SHADOW;
            continue;
        }
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
        request->count = (size_t)number;
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 0);
}

/* ---- how good the predictions were ----------------------------------------------------------- */

/* Real over predicted: the median of those that are known, and of how many. */
struct ratio {
    double median;
    size_t count;
};

/* What plans lowered the imbalance by, all together: a plan that promised next to nothing can come
 * out many times over, or the other way round, and has harmed nobody. */
struct fall {
    double real;
    double predicted;
    size_t plans;
};

/* Of promises below it no ratio is made: the noise of the samples is as large. */
#define LEAST_RATIO_OF 0.01

struct accuracy {
    struct ratio seconds;
    struct ratio downtime;
    struct ratio mib;
    struct ratio gain;             /* of plans */
    struct fall fall;              /* likewise, of all that were verified */
    struct ek_history_plan *plans; /* that the moves belong to, newest first */
    size_t plan_count;
    double *values; /* scratch */
};

static double seconds_of(const struct ek_move_record *record)
{
    double predicted_ms = (double)record->order.predicted_duration_ms;
    double real_ms = (double)(record->updated_at_ms - record->started_at_ms);

    return predicted_ms > 0 && record->started_at_ms > 0 ? real_ms / predicted_ms : NAN;
}

static double downtime_of(const struct ek_move_record *record)
{
    double predicted_ms = (double)record->order.predicted_downtime_ms;

    return predicted_ms > 0 && record->downtime_ms > 0 ? (double)record->downtime_ms / predicted_ms
                                                       : NAN;
}

static double mib_of(const struct ek_move_record *record)
{
    double predicted_mib = record->order.predicted_transfer_mib;

    return predicted_mib > 0 && record->transferred_mib > 0
               ? record->transferred_mib / predicted_mib
               : NAN;
}

/* Of moves that ended well: what was rolled back took the time of something else. */
static struct ratio measure(const struct ek_move_record *records, size_t count, double *values,
                            double (*ratio_of)(const struct ek_move_record *record))
{
    size_t known = 0;

    for (size_t i = 0; i < count; i++) {
        double value = records[i].state == EK_MOVE_DONE ? ratio_of(&records[i]) : NAN;
        if (!isnan(value)) {
            values[known++] = value;
        }
    }
    return (struct ratio){ek_history_median(values, known), known};
}

static bool has_plan(const struct accuracy *it, const char *id)
{
    for (size_t i = 0; i < it->plan_count; i++) {
        if (strcmp(it->plans[i].id, id) == 0) {
            return true;
        }
    }
    return id[0] == '\0';
}

/* False: it has complained. */
static bool judge(struct ek_tool *tool, const struct ek_move_record *records, size_t count,
                  struct accuracy *it)
{
    size_t known = 0;

    it->plans = calloc(count + 1, sizeof(*it->plans));
    it->values = calloc(count + 1, sizeof(*it->values));
    if (it->plans == NULL || it->values == NULL) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
        return false;
    }
    it->seconds = measure(records, count, it->values, seconds_of);
    it->downtime = measure(records, count, it->values, downtime_of);
    it->mib = measure(records, count, it->values, mib_of);
    for (size_t i = 0; i < count; i++) {
        struct ek_history_plan *plan = &it->plans[it->plan_count];
        if (has_plan(it, records[i].order.plan_id)) {
            continue;
        }
        (void)snprintf(plan->id, sizeof(plan->id), "%s", records[i].order.plan_id);
        it->plan_count++;
        if (!ek_history_plan_read(tool, plan)) {
            return false;
        }
        if (plan->verified_json == NULL) {
            continue;
        }
        it->fall.real += plan->verified.gain;
        it->fall.predicted += plan->verified.predicted_gain;
        it->fall.plans++;
        if (plan->verified.predicted_gain >= LEAST_RATIO_OF) {
            it->values[known++] = plan->verified.gain / plan->verified.predicted_gain;
        }
    }
    it->gain = (struct ratio){ek_history_median(it->values, known), known};
    return true;
}

static void accuracy_finish(struct accuracy *it)
{
    for (size_t i = 0; i < it->plan_count; i++) {
        ek_history_plan_finish(&it->plans[i]);
    }
    free(it->plans);
    free(it->values);
}

/* ---- showing --------------------------------------------------------------------------------- */

static void write_ratio(struct ek_json_writer *writer, const char *key, const char *of,
                        struct ratio ratio)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    ek_json_put_number(writer, "median", ratio.median); /* left out where there is none */
    ek_json_put_integer(writer, of, (int64_t)ratio.count);
    ek_json_end(writer, '}');
}

/* Records as the journal has them, so that no second form has to be kept. */
static char *write_moves(const struct ek_move_record *records, size_t count,
                         const struct accuracy *accuracy)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_view_put_moves(&writer, "moves", records, count);
    ek_json_break(&writer);
    ek_json_key(&writer, "plans");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < accuracy->plan_count; i++) {
        ek_history_plan_write(&writer, &accuracy->plans[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_break(&writer);
    ek_json_key(&writer, "real_over_predicted");
    ek_json_begin(&writer, '{');
    write_ratio(&writer, "seconds", "moves", accuracy->seconds);
    write_ratio(&writer, "downtime", "moves", accuracy->downtime);
    write_ratio(&writer, "mib", "moves", accuracy->mib);
    write_ratio(&writer, "gain", "plans", accuracy->gain);
    ek_json_end(&writer, '}');
    ek_json_break(&writer);
    ek_json_key(&writer, "imbalance_fall");
    ek_json_begin(&writer, '{');
    ek_json_put_number(&writer, "predicted", accuracy->fall.predicted);
    ek_json_put_number(&writer, "real", accuracy->fall.real);
    ek_json_put_integer(&writer, "plans", (int64_t)accuracy->fall.plans);
    ek_json_end(&writer, '}');
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

/* 0: nothing was predicted. */
static void add_predicted(struct ek_table *table, double figure, int decimals)
{
    ek_table_number(table, figure > 0 ? figure : NAN, decimals);
}

/* How long it took is known once it is over; a downtime means something only if the domain moved.
 */
static void add_row(struct ek_table *table, const struct ek_move_record *record)
{
    const struct ek_move_order *order = &record->order;
    bool over = ek_move_state_terminal(record->state) && record->started_at_ms > 0;
    bool done = record->state == EK_MOVE_DONE;
    char when[EK_SPAN_SIZE];
    char way[EK_WAY_SIZE];

    ek_table_cell(
        table, EK_COLOUR_NONE, "%s",
        ek_time(record->started_at_ms > 0 ? record->started_at_ms : record->planned_at_ms, when));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_domain(order));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_way(order, way));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_move_kind_name(order->kind));
    ek_table_cell(table, colour_of(record->state), "%s", ek_move_state_name(record->state));
    ek_table_number(table,
                    over ? (double)(record->updated_at_ms - record->started_at_ms) / 1000 : NAN, 1);
    add_predicted(table, (double)order->predicted_duration_ms / 1000, 1);
    ek_table_number(table, done && record->downtime_ms > 0 ? (double)record->downtime_ms : NAN, 0);
    add_predicted(table, (double)order->predicted_downtime_ms, 0);
    ek_table_number(table, record->transferred_mib > 0 ? record->transferred_mib : NAN, 0);
    add_predicted(table, order->predicted_transfer_mib, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", record->error[0] != '\0' ? record->error : "-");
    /* Last, since it is the longest: why the planner wanted it. */
    ek_table_cell(table, EK_COLOUR_NONE, "%s", order->reason);
}

static size_t add_ratio(char *text, size_t used, size_t size, const char *what, struct ratio ratio)
{
    return ratio.count == 0
               ? used
               : used + (size_t)snprintf(text + used, size - used, "%s%s %.2f (of %zu)",
                                         used == 0 ? "" : ", ", what, ratio.median, ratio.count);
}

static void print_fall(const struct fall *fall)
{
    if (fall->plans > 0) {
        (void)printf("imbalance: %s by %.3f, was predicted to %s by %.3f (%zu plan%s)\n",
                     fall->real < 0 ? "rose" : "fell", fabs(fall->real),
                     fall->predicted < 0 ? "rise" : "fall", fabs(fall->predicted), fall->plans,
                     ek_plural(fall->plans));
    }
}

static void print_accuracy(const struct accuracy *accuracy)
{
    char text[300] = "";
    size_t used = add_ratio(text, 0, sizeof(text), "seconds", accuracy->seconds);

    used = add_ratio(text, used, sizeof(text), "downtime", accuracy->downtime);
    used = add_ratio(text, used, sizeof(text), "MiB", accuracy->mib);
    if (used > 0) {
        (void)printf("\nreal over predicted, median of moves: %s\n", text);
    } else if (accuracy->fall.plans > 0) {
        (void)putchar('\n');
    }
    print_fall(&accuracy->fall);
}

static bool print_moves(const struct ek_move_record *records, size_t count,
                        const struct accuracy *accuracy)
{
    static const struct ek_column columns[] = {
        {"STARTED", false},  {"DOMAIN", false}, {"MOVE", false},     {"KIND", false},
        {"STATE", false},    {"SECONDS", true}, {"PREDICTED", true}, {"DOWNTIME MS", true},
        {"PREDICTED", true}, {"MIB", true},     {"PREDICTED", true}, {"ERROR", false},
        {"REASON", false},
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
    if (!ek_table_print(&table, stdout)) {
        return false;
    }
    print_accuracy(accuracy);
    return true;
}

static int show_moves(struct ek_tool *tool, size_t limit)
{
    struct accuracy accuracy = {.plan_count = 0};
    struct ek_move_record *records = NULL;
    size_t count = 0;
    struct ek_error err;

    if (!ek_store_recent_moves(tool->store, limit, &records, &count, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    int status = !judge(tool, records, count, &accuracy) ? tool->exit_status
                 : tool->json ? ek_tool_print_json(write_moves(records, count, &accuracy))
                 : print_moves(records, count, &accuracy) ? EK_EXIT_DONE
                                                          : EK_EXIT_FAILED;
    accuracy_finish(&accuracy);
    free(records);
    return status;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct request request = {.count = DEFAULT_COUNT};

    if (!take_options(tool, argc, argv, &request) || !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    return request.plans ? ek_history_plans(tool, request.count, request.shadow)
                         : show_moves(tool, request.count);
}

const struct ek_verb ek_verb_history = {
    .name = "history",
    .arguments = " [-n N] [--plans | --shadow]",
    .help = "the newest moves and plans: why, what was predicted, and what came of it",
    .details =
        "  -n N      so many (default 20)\n"
        "  --plans   plans instead of moves: their fate, what they promised, what was verified\n"
        "  --shadow  of them those that were only recommended: what would have been done\n",
    .run = run,
};
