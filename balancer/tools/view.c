/* The view (balancer/view) for verbs: complaints go where theirs go. */
#include "balancer/tools/view.h"

#include "balancer/tools/table.h"

#include <string.h>

static void warn(void *context, const char *text)
{
    (void)context;
    (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", text);
}

bool ek_view_gather(struct ek_view *view, struct ek_tool *tool)
{
    const struct ek_view_source source = {
        .store = tool->store, .config = &tool->config, .warn = warn};
    struct ek_error err;

    if (ek_view_read(view, &source, &err)) {
        return true;
    }
    tool->exit_status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    return false;
}

/* What is wrong with single samples is said by verbs that show them. */
static void keep_quiet(void *context, const char *text)
{
    (void)context;
    (void)text;
}

bool ek_view_stopped(struct ek_tool *tool, struct ek_host_maintenance *items, size_t count,
                     struct ek_arena *arena, struct ek_error *err)
{
    const struct ek_view_source source = {
        .store = tool->store, .config = &tool->config, .warn = keep_quiet};

    return ek_view_read_stopped(&source, items, count, arena, err);
}

bool ek_view_why_not_up(const struct ek_view *view, size_t host, char *out, size_t size)
{
    const struct ek_unsampled *it = ek_view_unsampled(view, host);
    char span[EK_SPAN_SIZE];

    if (it == NULL) {
        return false;
    }
    int64_t age_ms = view->snapshot.taken_at_ms - it->at_ms;
    (void)snprintf(out, size, "%s, %s ago", it->error,
                   ek_span(age_ms > 0 ? age_ms - age_ms % 1000 : 0, span));
    return true;
}

bool ek_view_has_begun(const struct ek_move_record *records, size_t count, const char *plan_id,
                       uint32_t seq)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].order.seq == seq && strcmp(records[i].order.plan_id, plan_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Colours by the policy's target_max, not by fixed figures: what is too much is the operator's to
 * say. Yellow while there is still time. */
void ek_view_demand_cell(struct ek_table *table, const struct ek_evaluation *evaluation,
                         size_t host, enum ek_resource resource, int bar_width)
{
    const struct ek_policy *policy = evaluation->policy;
    double demand = evaluation->utilization[host * policy->resources.count + resource];
    double target = policy->target_max[resource];
    char bar[EK_BAR_SIZE];

    ek_table_cell(table,
                  demand > target         ? EK_COLOUR_BAD
                  : demand > 0.8 * target ? EK_COLOUR_WARN
                                          : EK_COLOUR_GOOD,
                  "%s %3.0f %%", ek_bar(demand, bar_width, bar), 100 * demand);
}

bool ek_view_maintenance_status(struct ek_tool *tool, const char *host,
                                struct ek_maintenance_status *out, bool *there,
                                struct ek_arena *arena, struct ek_error *err)
{
    return ek_view_read_maintenance_status(tool->store, host, out, there, arena, err);
}

bool ek_view_balancer(struct ek_tool *tool, struct ek_balancer_status *out, bool *there,
                      struct ek_error *err)
{
    return ek_view_read_balancer(tool->store, out, there, err);
}

int ek_view_run(struct ek_tool *tool, int argc, char **argv,
                int (*show)(struct ek_tool *tool, struct ek_view *view))
{
    struct ek_view view;

    if (!ek_tool_no_options(tool, argc, argv, 0) || !ek_tool_open(tool) ||
        !ek_view_gather(&view, tool)) {
        return tool->exit_status;
    }
    int status = show(tool, &view);
    ek_view_finish(&view);
    return status;
}
