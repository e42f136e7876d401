/* One look at Redis for one frame. */
#include "balancer/tools/top.h"

#include <stdlib.h>
#include <string.h>

/* RECENT records tell which moves of a plan have begun; a plan of more moves is long over by then.
 * LINES of a plan are read. */
enum { RECENT = 200, LINES = 200 };

static void take_waiting(struct ek_top *top, const struct ek_plan_line *lines, size_t count,
                         const struct ek_move_record *recent, size_t recent_count)
{
    for (size_t i = 0; i < count && top->waiting_count < EK_TOP_WAITING; i++) {
        if (!ek_view_has_begun(recent, recent_count, top->balancer.plan_id, lines[i].seq)) {
            top->waiting[top->waiting_count++] = lines[i];
        }
    }
}

/* The balancer counts what waits; the plan and the journal together say which moves these are. */
static bool read_waiting(struct ek_top *top, struct ek_store *store, struct ek_error *err)
{
    struct ek_plan_line *lines = ek_arena_alloc(&top->view.arena, LINES, sizeof(*lines));
    struct ek_move_record *recent = NULL;
    size_t recent_count = 0;
    size_t count = 0;
    char *json = NULL;
    char *fate = NULL;

    if (lines == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the plan");
    }
    bool done = ek_store_get_latest_plan(store, &json, &fate, err) &&
                (json == NULL ||
                 ek_codec_read_plan_lines(lines, LINES, &count, json, strlen(json), "plan", err)) &&
                ek_store_recent_moves(store, RECENT, &recent, &recent_count, err);
    if (done) {
        take_waiting(top, lines, count, recent, recent_count);
    }
    free(recent);
    free(json);
    free(fate);
    return done;
}

static bool read_rest(struct ek_top *top, struct ek_tool *tool, struct ek_error *err)
{
    top->maintenance = ek_host_maintenance_read(tool, top->view.maintenance, &top->view.arena, err);
    return top->maintenance != NULL &&
           ek_view_balancer(tool, &top->balancer, &top->has_balancer, err) &&
           ek_store_blocking_moves(tool->store, &top->blocking, &top->blocking_count, err) &&
           (!top->has_balancer || top->balancer.waiting == 0 ||
            read_waiting(top, tool->store, err)) &&
           ek_evaluate(&top->evaluation, &top->view.snapshot, &top->policy, err);
}

bool ek_top_read(struct ek_top *top, struct ek_tool *tool)
{
    struct ek_error err;

    memset(top, 0, sizeof(*top));
    top->tool = tool;
    if (!ek_view_gather(&top->view, tool)) {
        return false;
    }
    ek_tool_read_policy(tool, &top->policy, &top->rules);
    if (read_rest(top, tool, &err)) {
        return true;
    }
    ek_top_finish(top);
    tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    return false;
}

void ek_top_finish(struct ek_top *top)
{
    ek_evaluation_finish(&top->evaluation);
    ek_rules_finish(&top->rules);
    free(top->blocking);
    ek_view_finish(&top->view);
    memset(top, 0, sizeof(*top));
}
