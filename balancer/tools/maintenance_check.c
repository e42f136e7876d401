/* evenkeel maintenance check: what emptying hosts would take, before a key is set. */
#include "balancer/codec/preflight.h"
#include "balancer/core/plural.h"
#include "balancer/tools/maintenance.h"
#include "balancer/tools/plan_input.h"

#include <inttypes.h>

/* Hosts that are listed for each domain that cannot leave; the document has all. */
enum { HOSTS_SHOWN = 8 };

/* What is shown: the hosts that were asked for, the moves that they need. By index. */
struct view {
    const struct ek_preflight *preflight;
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
    ek_table_number(table, move->cost.transfer_mib, 0);
    ek_table_cell(table, EK_COLOUR_NONE, "%s%s", move->reason,
                  move->cost.converges ? "" : "; is not expected to converge");
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

static void print_stuck(const struct ek_plan *plan, const struct ek_preflight_stuck *it)
{
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
        (void)printf("  %-9s and %zu hosts more, see --json\n", "", it->refusal_count - shown);
    }
    ek_terminal_print(stdout, EK_COLOUR_NONE, "  %-9s %s\n", "would do", it->relaxation.text);
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

    for (size_t i = 0; i < preflight->host_count; i++) {
        if (view->asked[preflight->hosts[i].host]) {
            print_host(preflight->plan, &preflight->hosts[i]);
        }
    }
    if (!print_moves(view)) {
        return false;
    }
    for (size_t i = 0; i < preflight->stuck_count; i++) {
        if (view->asked[preflight->stuck[i].host]) {
            print_stuck(preflight->plan, &preflight->stuck[i]);
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

static int complain_of_infeasible(const struct view *view)
{
    const struct ek_preflight *preflight = view->preflight;

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

static int show(const struct ek_tool *tool, const struct view *view)
{
    int status = EK_EXIT_DONE;

    if (tool->json) {
        status = ek_tool_print_json(
            ek_codec_write_preflight(view->preflight, view->asked, view->wanted));
    } else if (!print_all(view)) {
        status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    }
    return status == EK_EXIT_DONE ? complain_of_infeasible(view) : status;
}

/* The verdict and what is in the way, without the moves; a document is handed on. */
static int foresee(const struct ek_tool *tool, const struct view *view,
                   struct ek_foresight *foresight)
{
    const struct ek_preflight *preflight = view->preflight;

    foresight->may_begin = may_begin(view);
    if (tool->json) {
        foresight->json = ek_codec_write_preflight(preflight, view->asked, view->wanted);
        return foresight->json == NULL ? ek_tool_complain(EK_EXIT_FAILED, "out of memory")
                                       : EK_EXIT_DONE;
    }
    for (size_t i = 0; i < preflight->host_count; i++) {
        if (view->asked[preflight->hosts[i].host]) {
            print_host(preflight->plan, &preflight->hosts[i]);
        }
    }
    for (size_t i = 0; i < preflight->stuck_count; i++) {
        if (view->asked[preflight->stuck[i].host]) {
            print_stuck(preflight->plan, &preflight->stuck[i]);
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
    struct ek_arena arena = {.newest = NULL};
    struct ek_error err;
    struct view view = {
        .preflight = &preflight,
        .asked = ek_arena_alloc(&arena, in->snapshot->host_count, sizeof(bool)),
        .wanted = ek_arena_alloc(&arena, in->plan.move_count, sizeof(bool)),
    };
    int status = EK_EXIT_FAILED;
    bool made = (view.asked != NULL && view.wanted != NULL) ||
                ek_error_set(&err, EK_ERR_NOMEM, "out of memory");

    made = made && ek_schedule_make(&schedule, &in->plan, &in->policy, &err) &&
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
