/* evenkeel history: plans, what they promised and what came of them. */
#ifndef EK_TOOLS_HISTORY_H
#define EK_TOOLS_HISTORY_H

#include "balancer/codec/outcome.h"
#include "balancer/codec/writer.h"
#include "balancer/tools/tool.h"

/* A plan as far as Redis still has it. */
struct ek_history_plan {
    char id[EK_ID_SIZE];
    char opening[16]; /* its first fate: recommended, proposed, started; "": not known */
    char fate[16];    /* its newest */
    int64_t made_at_ms;
    int64_t fate_at_ms;
    bool has_promise; /* the plan itself is there */
    struct ek_plan_promise promise;
    char *verified_json; /* NULL: its result was not verified, or not yet */
    struct ek_verified verified;
};

/* Reads plan and verification of `plan->id`; what cannot be read is warned of and left out. False:
 * it has complained, return tool->exit_status. The plan owns what it holds:
 * ek_history_plan_finish. */
bool ek_history_plan_read(struct ek_tool *tool, struct ek_history_plan *plan);
void ek_history_plan_finish(struct ek_history_plan *plan);

/* As an element of a list. */
void ek_history_plan_write(struct ek_json_writer *writer, const struct ek_history_plan *plan);

/* Lists the newest `limit` plans; `shadow`: those that were only recommended. Returns the exit
 * status. */
int ek_history_plans(struct ek_tool *tool, size_t limit, bool shadow);

/* The middle of `count` values, which are put in order; NAN: there are none. */
double ek_history_median(double *values, size_t count);

#endif
