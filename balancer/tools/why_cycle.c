/* evenkeel why --cycle: what came of the last cycles and what it was decided by, as the balancer
 * put it down then. Nothing is worked out anew: a plan that is made now may be another. */
#include "balancer/tools/why.h"

#include "balancer/codec/cycle.h"
#include "balancer/codec/writer.h"
#include "balancer/core/plural.h"
#include "balancer/tools/table.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As many as are kept, about. */
enum { MOST = 2000, LABEL = 12 };

struct account {
    struct ek_cycle cycle;
    int64_t number;
    const char *json; /* as it was recorded */
};

struct accounts {
    char **jsons;
    size_t json_count;
    struct account *items; /* newest first */
    size_t count;
};

static void finish(struct accounts *it)
{
    ek_store_free_texts(it->jsons, it->json_count);
    free(it->items);
}

/* One that cannot be read, such as a newer balancer's, is passed over with a warning. */
static bool read_accounts(struct ek_tool *tool, struct accounts *it, size_t limit)
{
    struct ek_error err;

    if (!ek_store_recent_cycles(tool->store, limit, &it->jsons, &it->json_count, &err)) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
        return false;
    }
    it->items = calloc(it->json_count + 1, sizeof(*it->items));
    if (it->items == NULL) {
        tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
        return false;
    }
    for (size_t i = 0; i < it->json_count; i++) {
        struct account *account = &it->items[it->count];
        account->json = it->jsons[i];
        if (ek_codec_read_cycle(&account->cycle, &account->number, it->jsons[i],
                                strlen(it->jsons[i]), "cycles", &err)) {
            it->count++;
        } else {
            (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
        }
    }
    return true;
}

/* ---- one cycle ------------------------------------------------------------------------------- */

static void line(const char *label, const char *text)
{
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-*s %s\n", LABEL, label, text);
}

/* What came of it, in a few words. */
static const char *outcome(const struct ek_cycle *cycle, char out[200])
{
    switch (cycle->end) {
    case EK_CYCLE_HELD:
        return "nothing was planned, the balancer held";
    case EK_CYCLE_UNDER_WAY:
        (void)snprintf(out, 200, "nothing was planned anew, plan %s is under way",
                       cycle->plan_id[0] == '\0' ? "(ended)" : cycle->plan_id);
        return out;
    case EK_CYCLE_QUIET:
        return "nothing to move";
    case EK_CYCLE_STANDS:
        (void)snprintf(out, 200, "plan %s, which was shown before, still stands", cycle->plan_id);
        return out;
    case EK_CYCLE_RECOMMENDED:
    case EK_CYCLE_PROPOSED:
    case EK_CYCLE_STARTED:
        (void)snprintf(out, 200, "plan %s was %s", cycle->plan_id, ek_cycle_end_name(cycle->end));
        return out;
    case EK_CYCLE_END_COUNT:
        break;
    }
    return "";
}

static const char *because(const struct ek_cycle *cycle)
{
    return cycle->end == EK_CYCLE_HELD ? cycle->holding
           : cycle->summary[0] != '\0' ? cycle->summary
                                       : "moves of an earlier plan still wait or run";
}

static void show_trigger(const struct ek_cycle *cycle)
{
    char text[2 * EK_TEXT_SIZE];

    if (!cycle->asked) {
        (void)snprintf(text, sizeof(text), "was not asked%s%s",
                       cycle->balance_held[0] == '\0' ? "" : ": ", cycle->balance_held);
    } else {
        (void)snprintf(text, sizeof(text), "wants %s: %s", cycle->wants ? "moves" : "none",
                       cycle->trigger);
    }
    line("trigger", text);
    (void)snprintf(text, sizeof(text), "%d of %d cycle%s in a row have wanted moves",
                   cycle->sustained, cycle->sustained_cycles,
                   ek_plural((size_t)cycle->sustained_cycles));
    line("sustained", text);
}

static void show_levels(const struct ek_cycle *cycle)
{
    char text[4 * EK_TEXT_SIZE] = "no host was seen that is to be levelled";
    size_t used = 0;

    for (unsigned int r = 0; cycle->hottest_host[0] != '\0' && r < cycle->resources.count; r++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %.3f",
                                 r == 0 ? "imbalance of" : ", of", cycle->resources.names[r],
                                 cycle->imbalance[r]);
    }
    if (cycle->hottest_host[0] != '\0') {
        (void)snprintf(text + used, sizeof(text) - used, " (trigger %.3f)",
                       cycle->trigger_imbalance);
    }
    line("levels", text);
    if (cycle->hottest_host[0] != '\0') {
        (void)snprintf(text, sizeof(text), "%s of %s at %.0f %%; comfort is below %.0f %%",
                       cycle->hottest_resource, cycle->hottest_host,
                       100 * cycle->hottest_utilization, 100 * cycle->trigger_comfort);
        line("hottest", text);
    }
    if (!isnan(cycle->offered_gain)) {
        (void)snprintf(text, sizeof(text),
                       "the best moves bring %.1f %% of the score; min_gain is %.1f %%",
                       100 * cycle->offered_gain, 100 * cycle->min_gain);
        line("gain", text);
    }
}

static void show_domains(const struct ek_cycle *cycle)
{
    char text[2 * EK_TEXT_SIZE];
    char when[EK_SPAN_SIZE];

    if (cycle->resting > 0) {
        (void)snprintf(text, sizeof(text), "%u domain%s, the first until %s: %s", cycle->resting,
                       ek_plural(cycle->resting), ek_time(cycle->rests_until_ms, when),
                       cycle->rests_first);
        line("resting", text);
    }
    if (cycle->blocked > 0) {
        (void)snprintf(text, sizeof(text), "%u domain%s for `evenkeel resolve`", cycle->blocked,
                       cycle->blocked == 1 ? " waits" : "s wait");
        line("unresolved", text);
    }
    if (cycle->stuck > 0) {
        (void)snprintf(text, sizeof(text), "%u domain%s cannot leave a host in maintenance",
                       cycle->stuck, ek_plural(cycle->stuck));
        line("stuck", text);
    }
    (void)snprintf(text, sizeof(text), "%u run%s, %u wait%s", cycle->running,
                   cycle->running == 1 ? "s" : "", cycle->waiting, cycle->waiting == 1 ? "s" : "");
    line("moves", text);
    (void)snprintf(text, sizeof(text), "%u of %u up, %u in maintenance; %u domain%s",
                   cycle->hosts_up, cycle->hosts, cycle->hosts_in_maintenance, cycle->domains,
                   ek_plural(cycle->domains));
    line("hosts", text);
}

static void show_account(const struct account *account)
{
    const struct ek_cycle *cycle = &account->cycle;
    char when[EK_SPAN_SIZE];
    char what[200];

    (void)printf("cycle %lld, %s: %s\n", (long long)account->number, ek_time(cycle->at_ms, when),
                 outcome(cycle, what));
    line("because", because(cycle));
    show_trigger(cycle);
    show_levels(cycle);
    if (cycle->holding[0] != '\0' && cycle->end != EK_CYCLE_HELD) {
        line("holding", cycle->holding);
    }
    if (cycle->paused[0] != '\0') {
        line("paused", cycle->paused);
    }
    if (cycle->closed[0] != '\0') {
        line("window", cycle->closed);
    }
    if (cycle->circuits[0] != '\0') {
        line("circuits", cycle->circuits);
    }
    show_domains(cycle);
}

/* ---- several cycles -------------------------------------------------------------------------- */

static bool is_alike(const struct ek_cycle *a, const struct ek_cycle *b)
{
    return a->end == b->end && strcmp(a->plan_id, b->plan_id) == 0 &&
           strcmp(because(a), because(b)) == 0;
}

/* Cycles that came to the same stand in one row. */
static bool show_table(const struct accounts *it)
{
    static const struct ek_column columns[] = {
        {"FROM", false}, {"TO", false},   {"CYCLES", true},
        {"END", false},  {"PLAN", false}, {"BECAUSE", false},
    };
    struct ek_table table = EK_TABLE(columns);
    char when[EK_SPAN_SIZE];

    for (size_t i = 0, next = 0; i < it->count; i = next) {
        const struct ek_cycle *cycle = &it->items[i].cycle;
        for (next = i + 1; next < it->count && is_alike(cycle, &it->items[next].cycle);) {
            next++;
        }
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_time(it->items[next - 1].cycle.at_ms, when));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_time(cycle->at_ms, when));
        ek_table_number(&table, (double)(next - i), 0);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", ek_cycle_end_name(cycle->end));
        ek_table_cell(&table, EK_COLOUR_NONE, "%s",
                      cycle->plan_id[0] == '\0' ? "-" : cycle->plan_id);
        ek_table_cell(&table, EK_COLOUR_NONE, "%s", because(cycle));
    }
    return ek_table_print(&table, stdout);
}

/* The records as they are, so that no second form has to be kept. */
static char *write_accounts(const struct accounts *it)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "cycles");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < it->count; i++) {
        ek_json_break(&writer);
        ek_json_raw(&writer, it->items[i].json);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- the question ---------------------------------------------------------------------------- */

/* A short number counts cycles, anything else is a plan's id; false: it is neither. */
static bool take_word(const char *word, size_t *limit, const char **plan)
{
    char *end = NULL;

    *limit = 1;
    *plan = NULL;
    if (word == NULL) {
        return true;
    }
    errno = 0;
    long number = strtol(word, &end, 10);
    if (isdigit((unsigned char)word[0]) && *end == '\0' && strlen(word) <= 4) {
        *limit = (size_t)number;
        return number >= 1 && number <= MOST;
    }
    *limit = MOST;
    *plan = word;
    return strlen(word) < EK_ID_SIZE && word[0] != '\0';
}

/* The cycle that made the plan is the oldest that names it. */
static bool keep_only(struct accounts *it, const char *plan)
{
    for (size_t i = it->count; i > 0; i--) {
        if (strcmp(it->items[i - 1].cycle.plan_id, plan) == 0) {
            it->items[0] = it->items[i - 1];
            it->count = 1;
            return true;
        }
    }
    return false;
}

static int show(struct ek_tool *tool, struct accounts *it, const char *plan)
{
    if (it->count == 0) {
        return ek_tool_complain(EK_EXIT_NOT_POSSIBLE, "no cycle is recorded here yet");
    }
    if (plan != NULL && !keep_only(it, plan)) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "why: found no recorded cycle of a plan \"%s\"; about the newest "
                                "%d cycles are kept",
                                plan, MOST);
    }
    if (tool->json) {
        return ek_tool_print_json(write_accounts(it));
    }
    if (it->count > 1) {
        return show_table(it) ? EK_EXIT_DONE : EK_EXIT_FAILED;
    }
    show_account(&it->items[0]);
    return EK_EXIT_DONE;
}

int ek_why_cycle(struct ek_tool *tool, const char *word)
{
    struct accounts it = {.jsons = NULL};
    const char *plan = NULL;
    size_t limit = 1;

    if (!take_word(word, &limit, &plan)) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "why: found \"%s\", expected a number of cycles from 1 to %d or "
                                "the id of a plan",
                                word, MOST);
    }
    int status = ek_tool_open(tool) && read_accounts(tool, &it, limit) ? show(tool, &it, plan)
                                                                       : tool->exit_status;
    finish(&it);
    return status;
}
