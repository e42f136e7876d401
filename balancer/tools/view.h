/* The cluster as the balancer would see it now: assembled from Redis as each cycle does it. */
#ifndef EK_TOOLS_VIEW_H
#define EK_TOOLS_VIEW_H

#include "balancer/core/engine.h"
#include "balancer/tools/tool.h"

struct ek_view {
    struct ek_snapshot snapshot;        /* hosts by name, domains by UUID */
    struct ek_maintenance *maintenance; /* one per host; owned by `arena` */
    struct ek_move_record *open;        /* moves that are not over */
    size_t open_count;
    struct ek_arena arena;
};

/* Reads samples, maintenance keys and moves, and assembles them. What is wrong with single samples
 * and domains is warned of on standard error. False: it has complained, return tool->exit_status.
 * The caller owns the result: ek_view_finish. */
bool ek_view_gather(struct ek_view *view, struct ek_tool *tool);

/* Writes what the balancer expects of each domain into the snapshot, if it has said so; else the
 * newest samples stand alone, which is warned of when it is a failure. */
void ek_view_expect(struct ek_view *view, const struct ek_tool *tool,
                    const struct ek_policy *policy);

/* A verb without options that shows the cluster: opens, gathers, shows, finishes. Returns the exit
 * status. */
int ek_view_run(struct ek_tool *tool, int argc, char **argv,
                int (*show)(struct ek_tool *tool, struct ek_view *view));
void ek_view_finish(struct ek_view *view);

/* Reads that host's maintenance status. *there is false when there is none. Strings are owned by
 * the arena. False with a message in `err`: it cannot be read. */
bool ek_view_maintenance_status(struct ek_tool *tool, const char *host,
                                struct ek_maintenance_status *out, bool *there,
                                struct ek_arena *arena, struct ek_error *err);

/* The balancer's word on itself. *there is false when no balancer runs. */
struct ek_balancer_status;
bool ek_view_balancer(struct ek_tool *tool, struct ek_balancer_status *out, bool *there,
                      struct ek_error *err);

#endif
