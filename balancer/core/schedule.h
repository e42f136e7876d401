/* SCHEDULE: when each move of a plan may start, under concurrency limits, links and transient room.
 *
 * No waves: a stream that starts each move as soon as limits, links and room allow. A domain
 * occupies its configured memory and vCPUs on both hosts from start to end; at one instant ends
 * come before starts. */
#ifndef EK_CORE_SCHEDULE_H
#define EK_CORE_SCHEDULE_H

#include "balancer/core/plan.h"

struct ek_slot {
    int64_t start_ms; /* from the plan's dispatch */
    int64_t duration_ms;
    const uint32_t
        *depends_on; /* seqs of moves that must have ended: they free the room needed here */
    size_t depends_count;
};

struct ek_schedule {
    const struct ek_plan *plan; /* borrowed */
    struct ek_slot *slots;      /* slots[i] belongs to plan->moves[i] */
    size_t slot_count;
    int64_t makespan_ms;
    int64_t lower_bound_ms; /* largest of any link's bytes over its rate and the longest move */
    struct ek_arena arena;
};

/* Error: NOMEM. The caller owns the result. */
bool ek_schedule_make(struct ek_schedule *out, const struct ek_plan *plan,
                      const struct ek_policy *policy, struct ek_error *err);
void ek_schedule_finish(struct ek_schedule *schedule);

#endif
