/* The cluster as the balancer would see it now (balancer/view), as verbs read it. */
#ifndef EK_TOOLS_VIEW_H
#define EK_TOOLS_VIEW_H

#include "balancer/core/evaluate.h"
#include "balancer/tools/tool.h"
#include "balancer/view/view.h"

/* Reads samples, maintenance keys and moves, and assembles them. What is wrong with single samples
 * and domains is warned of on standard error. False: it has complained, return tool->exit_status.
 * The caller owns the result: ek_view_finish. */
bool ek_view_gather(struct ek_view *view, struct ek_tool *tool);

/* "cannot reach h3 port 16514: Connection refused, 4 s ago", why a host is not up; false: that is
 * not known. */
bool ek_view_why_not_up(const struct ek_view *view, size_t host, char *out, size_t size);

/* Whether one of these records is of that move of the plan: then it waits no more. */
bool ek_view_has_begun(const struct ek_move_record *records, size_t count, const char *plan_id,
                       uint32_t seq);

/* A cell with what a host's domains and itself want of a resource over what it has, as bar and
 * figure: by the evaluation's policy red above its target_max, yellow from 80 % of it. */
struct ek_table;
void ek_view_demand_cell(struct ek_table *table, const struct ek_evaluation *evaluation,
                         size_t host, enum ek_resource resource, int bar_width);

/* Writes what the balancer expects of each domain into the snapshot, if it has said so; else the
 * newest samples stand alone, which is warned of when it is a failure. */
void ek_view_expect(struct ek_view *view, const struct ek_tool *tool,
                    const struct ek_policy *policy);

/* A verb without options that shows the cluster: opens, gathers, shows, finishes. Returns the exit
 * status. */
int ek_view_run(struct ek_tool *tool, int argc, char **argv,
                int (*show)(struct ek_tool *tool, struct ek_view *view));

/* As ek_view_read_stopped(). */
bool ek_view_stopped(struct ek_tool *tool, struct ek_host_maintenance *items, size_t count,
                     struct ek_arena *arena, struct ek_error *err);

/* Reads that host's maintenance status. *there is false when there is none. Strings are owned by
 * the arena. False with a message in `err`: it cannot be read. */
bool ek_view_maintenance_status(struct ek_tool *tool, const char *host,
                                struct ek_maintenance_status *out, bool *there,
                                struct ek_arena *arena, struct ek_error *err);

/* The balancer's word on itself. *there is false when no balancer runs. */
bool ek_view_balancer(struct ek_tool *tool, struct ek_balancer_status *out, bool *there,
                      struct ek_error *err);

#endif
