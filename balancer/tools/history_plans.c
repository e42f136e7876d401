/* evenkeel history --plans: every plan with its fate, its promise, and what came of it. With
 * --shadow those that were recommended alone: what the balancer would have done. */
#include "balancer/tools/history.h"

#include "balancer/tools/table.h"
#include "balancer/view/documents.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A plan has two entries in the stream, seldom more; the stream holds about 10,000. */
enum { ENTRIES_PER_PLAN = 4, MOST_ENTRIES = 10500 };

/* ---- one plan -------------------------------------------------------------------------------- */

static bool complain(struct ek_tool *tool, const struct ek_error *err)
{
    tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err->message);
    return false;
}

static bool read_promise(struct ek_tool *tool, struct ek_history_plan *plan)
{
    struct ek_error err;
    char name[EK_ID_SIZE + 16];
    char *json = NULL;

    (void)snprintf(name, sizeof(name), "plan:%s", plan->id);
    if (!ek_store_get_plan(tool->store, plan->id, &json, &err)) {
        return complain(tool, &err);
    }
    plan->has_promise =
        json != NULL && ek_codec_read_promise(&plan->promise, json, strlen(json), name, &err);
    if (json != NULL && !plan->has_promise) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
    }
    free(json);
    return true;
}

static bool read_verified(struct ek_tool *tool, struct ek_history_plan *plan)
{
    struct ek_error err;
    char name[EK_ID_SIZE + 16];

    (void)snprintf(name, sizeof(name), "verified:%s", plan->id);
    if (!ek_store_get_verified(tool->store, plan->id, &plan->verified_json, &err)) {
        return complain(tool, &err);
    }
    if (plan->verified_json != NULL &&
        !ek_codec_read_verified(&plan->verified, plan->verified_json, strlen(plan->verified_json),
                                name, &err)) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
        ek_history_plan_finish(plan);
    }
    return true;
}

bool ek_history_plan_read(struct ek_tool *tool, struct ek_history_plan *plan)
{
    return read_promise(tool, plan) && read_verified(tool, plan);
}

void ek_history_plan_finish(struct ek_history_plan *plan)
{
    free(plan->verified_json);
    plan->verified_json = NULL;
}

void ek_history_plan_write(struct ek_json_writer *writer, const struct ek_history_plan *plan)
{
    const struct ek_plan_promise *promise = &plan->promise;

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "id", plan->id);
    if (plan->fate[0] != '\0') {
        ek_json_put_text(writer, "opening", plan->opening);
        ek_json_put_text(writer, "fate", plan->fate);
        ek_json_put_integer(writer, "made_at_ms", plan->made_at_ms);
        ek_json_put_integer(writer, "fate_at_ms", plan->fate_at_ms);
    }
    if (plan->has_promise) {
        ek_json_put_text(writer, "policy", promise->policy);
        ek_json_put_text(writer, "summary", promise->summary);
        ek_json_put_integer(writer, "moves", (int64_t)promise->moves);
        ek_json_put_number(writer, "makespan_s", promise->seconds);
        ek_json_put_figures(writer, "before", &promise->resources, promise->before);
        ek_json_put_figures(writer, "after", &promise->resources, promise->after);
    }
    if (plan->verified_json != NULL) {
        ek_json_key(writer, "verified");
        ek_json_raw(writer, plan->verified_json);
    }
    ek_json_end(writer, '}');
}

/* ---- the list -------------------------------------------------------------------------------- */

static struct ek_history_plan *find(struct ek_history_plan *plans, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(plans[i].id, id) == 0) {
            return &plans[i];
        }
    }
    return NULL;
}

/* Entries come newest first: the first of a plan is its fate, the last its opening. */
static size_t group(const struct ek_plan_fate *fates, size_t count, struct ek_history_plan *plans)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        struct ek_history_plan *plan = find(plans, found, fates[i].id);
        if (plan == NULL) {
            plan = &plans[found++];
            memcpy(plan->id, fates[i].id, sizeof(plan->id));
            memcpy(plan->fate, fates[i].fate, sizeof(plan->fate));
            plan->fate_at_ms = fates[i].at_ms;
        }
        memcpy(plan->opening, fates[i].fate, sizeof(plan->opening));
        plan->made_at_ms = fates[i].at_ms;
    }
    return found;
}

static size_t keep(struct ek_history_plan *plans, size_t count, size_t limit, bool shadow)
{
    size_t kept = 0;

    for (size_t i = 0; i < count && kept < limit; i++) {
        if (!shadow || strcmp(plans[i].opening, "recommended") == 0) {
            plans[kept++] = plans[i];
        }
    }
    return kept;
}

static int value_cmp(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

double ek_history_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), value_cmp);
    return count == 0       ? NAN
           : count % 2 == 1 ? values[count / 2]
                            : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* "0.344 -> 0.021" of the resource that is least level before. */
static void add_imbalance(struct ek_table *table, const struct ek_resources *resources,
                          const double *before, const double *after)
{
    unsigned int worst = 0;

    for (unsigned int r = 1; r < resources->count; r++) {
        worst = before[r] > before[worst] ? r : worst;
    }
    ek_table_cell(table, EK_COLOUR_NONE, "%s %.3f -> %.3f", resources->names[worst], before[worst],
                  after[worst]);
}

static void add_row(struct ek_table *table, const struct ek_history_plan *plan)
{
    bool over = strcmp(plan->opening, plan->fate) != 0;
    const struct ek_verified *verified = plan->verified_json == NULL ? NULL : &plan->verified;
    char when[EK_SPAN_SIZE];

    ek_table_cell(table, EK_COLOUR_NONE, "%s", ek_time(plan->made_at_ms, when));
    ek_table_cell(table, EK_COLOUR_NONE, "%s", plan->id);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", plan->fate);
    ek_table_cell(table, EK_COLOUR_NONE, "%s",
                  over ? ek_span(plan->fate_at_ms - plan->made_at_ms, when) : "-");
    ek_table_number(table, plan->has_promise ? (double)plan->promise.moves : NAN, 0);
    ek_table_number(table, plan->has_promise ? plan->promise.seconds : NAN, 1);
    ek_table_number(table, verified == NULL ? NAN : (double)verified->length_ms / 1000, 1);
    if (plan->has_promise) {
        add_imbalance(table, &plan->promise.resources, plan->promise.before, plan->promise.after);
    } else {
        ek_table_cell(table, EK_COLOUR_NONE, "-");
    }
    ek_table_number(table, verified == NULL ? NAN : verified->predicted_gain, 3);
    ek_table_number(table, verified == NULL ? NAN : verified->gain, 3);
    ek_table_cell(table, EK_COLOUR_NONE, "%s", plan->has_promise ? plan->promise.summary : "-");
}

static bool print_plans(const struct ek_history_plan *plans, size_t count, bool shadow)
{
    static const struct ek_column columns[] = {
        {"MADE", false}, {"PLAN", false},   {"FATE", false},    {"AFTER", false},
        {"MOVES", true}, {"SECONDS", true}, {"REAL", true},     {"PREDICTED", false},
        {"FALL", true},  {"REAL", true},    {"SUMMARY", false},
    };
    struct ek_table table = EK_TABLE(columns);

    if (count == 0) {
        (void)puts(shadow ? "nothing was recommended yet" : "no plan yet");
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        add_row(&table, &plans[i]);
    }
    return ek_table_print(&table, stdout);
}

static char *write_plans(const struct ek_history_plan *plans, size_t count)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "plans");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        ek_history_plan_write(&writer, &plans[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

int ek_history_plans(struct ek_tool *tool, size_t limit, bool shadow)
{
    struct ek_plan_fate *fates = NULL;
    struct ek_error err;
    size_t count = 0;
    /* What was only recommended may be rare among what was carried out: then all are looked at. */
    size_t entries =
        shadow || limit > MOST_ENTRIES / ENTRIES_PER_PLAN ? MOST_ENTRIES : ENTRIES_PER_PLAN * limit;

    if (!ek_store_recent_fates(tool->store, entries, &fates, &count, &err)) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    struct ek_history_plan *plans = calloc(count + 1, sizeof(*plans));
    if (plans == NULL) {
        free(fates);
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    count = keep(plans, group(fates, count, plans), limit, shadow);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = ek_history_plan_read(tool, &plans[i]);
    }
    int status = !ok                                 ? tool->exit_status
                 : tool->json                        ? ek_tool_print_json(write_plans(plans, count))
                 : print_plans(plans, count, shadow) ? EK_EXIT_DONE
                                                     : EK_EXIT_FAILED;
    for (size_t i = 0; i < count; i++) {
        ek_history_plan_finish(&plans[i]);
    }
    free(plans);
    free(fates);
    return status;
}
