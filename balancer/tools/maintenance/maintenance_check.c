/* evenkeel maintenance check: what emptying hosts would take, before a key is set. */
#include "balancer/codec/preflight.h"
#include "balancer/core/plural.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/tools/plan_input.h"

#include <inttypes.h>
#include <string.h>

/* Hosts that are listed for each domain that cannot leave; the document has all. */
enum { HOSTS_SHOWN = 8, NAMES_SHOWN = 50 };

/* What is shown: the hosts that were asked for, the moves that they need. By index. */
struct view {
    const struct ek_preflight *preflight;
    const struct ek_pace_choice *choice;
    const struct ek_policy *policy;
    bool *asked;
    bool *wanted;
};

static const char *name_of(const struct ek_plan *plan, uint32_t domain)
{
    const struct ek_domain *it = &plan->snapshot->domains[domain];

    return it->name == NULL ? it->uuid : it->name;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void print_eta(const struct ek_eta *eta)
{
    char likely[EK_SPAN_SIZE];
    char low[EK_SPAN_SIZE];
    char high[EK_SPAN_SIZE];

    (void)printf("about %s, between %s and %s",
                 ek_span_about(eta->likely_ms, EK_ROUND_NEAR, likely),
                 ek_span_about(eta->low_ms, EK_ROUND_DOWN, low),
                 ek_span_about(eta->high_ms, EK_ROUND_UP, high));
}

static void print_flights(const struct ek_preflight_host *it)
{
    if (it->leaving > 0) {
        (void)printf("; %" PRIu32 " of them leave%s already", it->leaving,
                     it->leaving == 1 ? "s" : "");
    }
    if (it->arriving > 0) {
        (void)printf("; %" PRIu32 " migration%s still run%s there", it->arriving,
                     ek_plural(it->arriving), it->arriving == 1 ? "s" : "");
    }
}

/* Last, and by their own metadata: the time is without them. */
static void print_stops(const struct ek_preflight_host *it)
{
    if (it->feasible && it->saved + it->shut_down > 0) {
        (void)printf("; %" PRIu32 " will be saved, %" PRIu32 " shut down, last", it->saved,
                     it->shut_down);
    }
}

static void print_host(const struct ek_plan *plan, const struct ek_preflight_host *it)
{
    const char *host = plan->snapshot->hosts[it->host].name;

    if (it->problem != NULL) {
        (void)printf("%s: whether it can be emptied cannot be told: %s\n", host, it->problem);
        return;
    }
    if (it->domains + it->arriving == 0) {
        (void)printf("%s is empty already\n", host);
        return;
    }
    if (it->feasible) {
        (void)printf("%s can be emptied: %" PRIu32 " domain%s", host, it->domains,
                     ek_plural(it->domains));
        if (it->domains + it->arriving > it->saved + it->shut_down) {
            (void)printf(", ");
            print_eta(&it->eta);
        }
    } else {
        (void)printf("%s cannot be emptied: %" PRIu32 " of %" PRIu32 " domain%s cannot leave", host,
                     it->stuck, it->domains, ek_plural(it->domains));
    }
    print_flights(it);
    print_stops(it);
    (void)printf("\n");
}

static void print_slack(const struct ek_pace_host *it, enum ek_pace pace)
{
    int64_t slack_ms = ek_pace_slack_ms(it, pace);
    char span[EK_SPAN_SIZE];

    ek_terminal_print(stdout, slack_ms < 0 ? EK_COLOUR_WARN : EK_COLOUR_NONE,
                      slack_ms < 0 ? "misses its deadline by %s" : "%s before its deadline",
                      ek_span_about(slack_ms < 0 ? -slack_ms : slack_ms,
                                    slack_ms < 0 ? EK_ROUND_UP : EK_ROUND_DOWN, span));
    (void)printf(" at pace %s", ek_pace_name(pace));
}

/* The pace that a deadline needs, and what the gentler one would have meant. */
static bool print_pace(const struct view *view, const struct ek_preflight_host *host)
{
    const struct ek_pace_host *it = ek_pace_find(view->choice, host->host);
    const struct ek_limits limits = ek_pace_limits(view->policy, view->choice->pace);
    enum ek_pace gentler = ek_pace_gentler(view->choice);
    struct ek_arena arena = {.newest = NULL};
    const char *allowed = ek_limits_text(&limits, &arena);

    if (it != NULL && host->problem == NULL && it->likely_ms[view->choice->pace] > 0 &&
        allowed != NULL) {
        (void)printf("  ");
        print_slack(it, view->choice->pace);
        (void)printf(" (%s)\n", allowed);
        if (gentler != view->choice->pace) {
            (void)printf("  ");
            print_slack(it, gentler);
            (void)printf("\n");
        }
    }
    ek_arena_finish(&arena);
    return allowed != NULL;
}

static bool print_hosts(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;
    bool ok = true;

    for (size_t i = 0; ok && i < preflight->host_count; i++) {
        if (view->asked[preflight->hosts[i].host]) {
            print_host(preflight->plan, &preflight->hosts[i]);
            ok = print_pace(view, &preflight->hosts[i]);
        }
    }
    return ok;
}

static void add_move(struct ek_table *table, const struct ek_preflight *preflight, uint32_t index)
{
    const struct ek_plan *plan = preflight->plan;
    const struct ek_plan_move *move = &plan->moves[index];
    const struct ek_slot *slot = &preflight->schedule->slots[index];

    ek_table_cell(table, EK_COLOUR_NONE, "%s", name_of(plan, move->domain));
    ek_table_cell(table, EK_COLOUR_NONE, "%s -> %s", plan->snapshot->hosts[move->source].name,
                  plan->snapshot->hosts[move->destination].name);
    ek_table_number(table, (double)slot->start_ms / 1000, 1);
    ek_table_number(table, (double)slot->duration_ms / 1000, 1);
    ek_table_number(table, slot->cost.transfer_mib, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s%s", move->reason,
                  slot->cost.converges ? "" : "; is not expected to converge");
}

static bool print_moves(const struct view *view)
{
    static const struct ek_column columns[] = {{"DOMAIN", false},  {"MOVE", false},
                                               {"STARTS S", true}, {"TAKES S", true},
                                               {"MIB", true},      {"REASON", false}};
    const struct ek_schedule *schedule = view->preflight->schedule;
    struct ek_table table = EK_TABLE(columns);
    size_t count = 0;

    for (size_t i = 0; i < schedule->slot_count; i++) {
        if (view->wanted[schedule->order[i]]) {
            add_move(&table, view->preflight, schedule->order[i]);
            count++;
        }
    }
    if (count == 0) {
        return true;
    }
    (void)printf("\n");
    return ek_table_print(&table, stdout);
}

/* Whether it could go to a host that is to be emptied, too, by the same question. */
static bool is_in_its_own_way(const struct view *view, const struct ek_preflight_stuck *it)
{
    return it->relaxation.text != NULL && it->relaxation.host != EK_NONE &&
           view->asked[it->relaxation.host] && view->asked[it->host] &&
           (it->relaxation.lifted & (1U << EK_BLOCK_MAINTENANCE)) != 0;
}

/* No maintenance has to end that has not begun: the host has to be left out of the question. */
static void print_way_out(const struct view *view, const struct ek_preflight_stuck *it)
{
    const char *text = it->relaxation.text;
    const struct ek_host *hosts = view->preflight->plan->snapshot->hosts;
    char ends[EK_TEXT_SIZE];

    if (is_in_its_own_way(view, it)) {
        const char *host = hosts[it->relaxation.host].name;
        (void)snprintf(ends, sizeof(ends), "maintenance of %s has to end", host);
        const char *at = strstr(text, ends);
        if (at != NULL) {
            ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-9s %.*s%s has to stay in use%s\n",
                              "would do", (int)(at - text), text, host, at + strlen(ends));
            return;
        }
    }
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-9s %s\n", "would do", text);
}

static void print_stuck(const struct view *view, const struct ek_preflight_stuck *it)
{
    const struct ek_plan *plan = view->preflight->plan;
    const struct ek_host *hosts = plan->snapshot->hosts;
    size_t shown = it->refusal_count > HOSTS_SHOWN ? HOSTS_SHOWN : it->refusal_count;

    ek_terminal_print(stdout, EK_COLOUR_NONE, "\n%s cannot leave %s%s\n", name_of(plan, it->domain),
                      hosts[it->host].name, it->for_now ? " for now" : "");
    if (it->reason != NULL) {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-9s %s\n", "reason", it->reason);
    }
    for (size_t i = 0; i < shown; i++) {
        ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-9s %s: %s\n", i == 0 ? "blocked" : "",
                          hosts[it->refusals[i].host].name, it->refusals[i].reason);
    }
    if (it->refusal_count > shown) {
        (void)printf("  %-9s and %zu host%s more, see --json\n", "", it->refusal_count - shown,
                     ek_plural(it->refusal_count - shown));
    }
    print_way_out(view, it);
}

/* What else the estimate rests on. */
static void print_notes(const struct view *view)
{
    uint32_t unmeasured = 0;

    for (size_t i = 0; i < view->preflight->host_count; i++) {
        const struct ek_preflight_host *it = &view->preflight->hosts[i];
        unmeasured += view->asked[it->host] ? it->unmeasured : 0;
        if (!view->asked[it->host]) {
            (void)printf("\n%s is in maintenance, too; they are planned together\n",
                         view->preflight->plan->snapshot->hosts[it->host].name);
        }
    }
    if (unmeasured > 0) {
        (void)printf("\nhow fast %" PRIu32 " of these domains write%s memory is not known, and "
                     "counts as not at all, at worst as half of the link\n",
                     unmeasured, unmeasured == 1 ? "s" : "");
    }
}

static bool print_all(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;

    if (!print_hosts(view) || !print_moves(view)) {
        return false;
    }
    for (size_t i = 0; i < preflight->stuck_count; i++) {
        if (view->asked[preflight->stuck[i].host]) {
            print_stuck(view, &preflight->stuck[i]);
        }
    }
    print_notes(view);
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Whether all that were asked for can be emptied, or that is known of none of them yet. */
static bool may_begin(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;
    bool may = true;

    for (size_t i = 0; i < preflight->host_count; i++) {
        const struct ek_preflight_host *it = &preflight->hosts[i];
        may = may && (!view->asked[it->host] || it->feasible || it->waits || it->problem != NULL);
    }
    return may;
}

/* "h1, h2 and h3 cannot be emptied together"; false: it is none of that. */
static bool complain_of_all(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;
    const char *names[NAMES_SHOWN];
    char text[300];
    size_t count = 0;
    bool together = false;

    for (size_t i = 0; i < preflight->stuck_count; i++) {
        together = together || is_in_its_own_way(view, &preflight->stuck[i]);
    }
    for (size_t i = 0; i < preflight->host_count && count < NAMES_SHOWN; i++) {
        if (view->asked[preflight->hosts[i].host]) {
            names[count++] = preflight->plan->snapshot->hosts[preflight->hosts[i].host].name;
        }
    }
    if (together) {
        ek_tool_list_names(names, count, text, sizeof(text));
        (void)ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                               "%s cannot be emptied together: leave one out, or empty them one "
                               "after the other",
                               text);
    }
    return together;
}

static int complain_of_infeasible(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;

    if (complain_of_all(view)) {
        return EK_EXIT_NOT_POSSIBLE;
    }
    for (size_t i = 0; i < preflight->host_count; i++) {
        const struct ek_preflight_host *it = &preflight->hosts[i];
        if (view->asked[it->host] && !it->feasible) {
            return ek_tool_complain(EK_EXIT_NOT_POSSIBLE, "%s cannot be emptied%s%s",
                                    preflight->plan->snapshot->hosts[it->host].name,
                                    it->problem == NULL ? "" : ": ",
                                    it->problem == NULL ? "" : it->problem);
        }
    }
    return EK_EXIT_DONE;
}

static int complain_of_late(const struct view *view)
{
    const struct ek_snapshot *snapshot = view->preflight->plan->snapshot;
    char span[EK_SPAN_SIZE];

    for (size_t i = 0; i < view->choice->host_count; i++) {
        const struct ek_pace_host *it = &view->choice->hosts[i];
        int64_t slack_ms = ek_pace_slack_ms(it, view->choice->pace);
        if (view->asked[it->host] && it->likely_ms[view->choice->pace] > 0 && slack_ms < 0) {
            return ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                                    "%s would be empty %s after its deadline, at pace %s, the "
                                    "steepest there is",
                                    snapshot->hosts[it->host].name,
                                    ek_span_about(-slack_ms, EK_ROUND_UP, span),
                                    ek_pace_name(view->choice->pace));
        }
    }
    return EK_EXIT_DONE;
}

static char *write_view(const struct view *view)
{
    return ek_codec_write_preflight(view->preflight, view->choice, view->policy, view->asked,
                                    view->wanted);
}

static int show(const struct ek_tool *tool, const struct view *view)
{
    int status = EK_EXIT_DONE;

    if (tool->json) {
        status = ek_tool_print_json(write_view(view));
    } else if (!print_all(view)) {
        status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    status = status == EK_EXIT_DONE ? complain_of_infeasible(view) : status;
    return status == EK_EXIT_DONE ? complain_of_late(view) : status;
}

/* The verdict and what is in the way, without the moves; a document is handed on. */
static int foresee(const struct ek_tool *tool, const struct view *view,
                   struct ek_foresight *foresight)
{
    const struct ek_preflight *preflight = view->preflight;

    foresight->may_begin = may_begin(view);
    if (tool->json) {
        foresight->json = write_view(view);
        return foresight->json == NULL ? ek_tool_complain(EK_EXIT_FAILED, "out of memory")
                                       : EK_EXIT_DONE;
    }
    if (!print_hosts(view)) {
        return ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    for (size_t i = 0; i < preflight->stuck_count; i++) {
        if (view->asked[preflight->stuck[i].host]) {
            print_stuck(view, &preflight->stuck[i]);
        }
    }
    return EK_EXIT_DONE;
}

/* `foresight` NULL: all of it is shown. */
static int look(const struct ek_tool *tool, const struct ek_plan_input *in,
                struct ek_foresight *foresight)
{
    struct ek_schedule schedule = {.plan = NULL};
    struct ek_preflight preflight = {.plan = NULL};
    struct ek_pace_choice choice = {.hosts = NULL};
    struct ek_arena arena = {.newest = NULL};
    struct ek_error err;
    struct view view = {
        .preflight = &preflight,
        .choice = &choice,
        .policy = &in->policy,
        .asked = ek_arena_alloc(&arena, in->snapshot->host_count, sizeof(bool)),
        .wanted = ek_arena_alloc(&arena, in->plan.move_count, sizeof(bool)),
    };
    int status = EK_EXIT_FAILED;
    bool made = (view.asked != NULL && view.wanted != NULL) ||
                ek_error_set(&err, EK_ERR_NOMEM, "out of memory");

    made = made &&
           ek_pace_choose(&choice, &schedule, &in->plan, &in->policy, in->request.pace, &err) &&
           ek_preflight_make(&preflight, &in->plan, &schedule, &in->request, &err);
    for (size_t i = 0; made && i < in->evacuate_count; i++) {
        view.asked[ek_snapshot_find_host(in->snapshot, in->evacuate[i])] = true;
    }
    if (made) {
        ek_preflight_moves(&preflight, view.asked, view.wanted);
        status = foresight == NULL ? show(tool, &view) : foresee(tool, &view, foresight);
    } else {
        (void)ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    ek_preflight_finish(&preflight);
    ek_pace_choice_finish(&choice);
    ek_schedule_finish(&schedule);
    ek_arena_finish(&arena);
    return status;
}

static bool prepare(struct ek_tool *tool, struct ek_plan_input *in, const char *word)
{
    in->evacuate_word = word;
    /* Balancing may take room or make some; neither is promised. Failures, circuits and what is
     * blocked count as the balancer counts them. */
    in->balance_held = "only hosts are emptied";
    in->with_rests = true;
    in->as_far = true;
    return ek_plan_input_make(in, tool);
}

int ek_maintenance_check(struct ek_tool *tool, struct ek_plan_input *in)
{
    return prepare(tool, in, "maintenance check") ? look(tool, in, NULL) : tool->exit_status;
}

int ek_maintenance_foresee(struct ek_tool *tool, struct ek_plan_input *in,
                           struct ek_foresight *foresight)
{
    return prepare(tool, in, "maintenance enter") ? look(tool, in, foresight) : tool->exit_status;
}
