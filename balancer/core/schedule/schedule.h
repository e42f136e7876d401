/* SCHEDULE: when each move of a plan may start, under concurrency limits, links and transient room.
 *
 * No waves: a stream that starts each move as soon as limits, links and room allow. A move runs at
 * the rate of its slower end or not at all: as many share a link as find their full rate on it. A
 * domain occupies its configured memory and vCPUs on both hosts from start to end; at one instant
 * ends come before starts. */
#ifndef EK_CORE_SCHEDULE_H
#define EK_CORE_SCHEDULE_H

#include "balancer/core/pace.h"
#include "balancer/core/planner/plan.h"

struct ek_slot {
    int64_t start_ms; /* from the plan's dispatch */
    int64_t duration_ms;
    double rate_mib_s;   /* what it takes of both links and of the cluster's bandwidth meanwhile */
    struct ek_cost cost; /* at that rate; the plan's, unless the pace gives it more */
    const uint32_t
        *depends_on; /* seqs of moves that must have ended: they free the room needed here */
    size_t depends_count;
};

struct ek_schedule {
    const struct ek_plan *plan; /* borrowed */
    enum ek_pace pace;          /* of what leaves hosts with deadlines */
    struct ek_slot *slots;      /* slots[i] belongs to plan->moves[i] */
    size_t slot_count;
    uint32_t
        *order; /* indices of moves by start: who dispatches in this order gets this schedule */
    int64_t makespan_ms;
    int64_t lower_bound_ms; /* largest of any link's bytes over its rate and the longest move */
    struct ek_arena arena;
};

/* The shortest schedule that a fixed budget of orders finds, the plan's own among them; the work is
 * O(moves x log moves) for each. Every move of the plan must be feasible after those before it.
 * Error: NOMEM. The caller owns the result. */
bool ek_schedule_make(struct ek_schedule *out, const struct ek_plan *plan,
                      const struct ek_policy *policy, struct ek_error *err);

/* The same at that pace, with those costs of the moves, by their places in the plan (NULL: the
 * plan's). A move that the pace does not bind starts only where the policy's limits and bandwidths
 * leave it room beside all that runs. */
bool ek_schedule_make_at(struct ek_schedule *out, const struct ek_plan *plan,
                         const struct ek_policy *policy, enum ek_pace pace,
                         const struct ek_cost *costs, struct ek_error *err);
void ek_schedule_finish(struct ek_schedule *schedule);

#endif
