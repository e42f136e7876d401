/* A referee for plans: replays plan and schedule on the snapshot and finds what is not allowed.
 *
 * It shares no code with the planner, on purpose: every figure is added up anew from the snapshot,
 * slowly and simply. */
#ifndef EK_TESTS_LIB_REFEREE_H
#define EK_TESTS_LIB_REFEREE_H

#include "balancer/core/schedule/schedule.h"
#include "tests/lib/text.h"

/* The cluster's levels as the contract defines them. */
struct ek_referee_levels {
    double imbalance[EK_RESOURCE_MAX];
    double overload;
    double spread;
};

/* Levels with every domain on `place[domain]`; base loads are those of the snapshot's placement. */
struct ek_referee_levels ek_referee_levels(const struct ek_snapshot *snapshot,
                                           const struct ek_policy *policy, const uint32_t *place);

/* Adds one line to `complaints` for each breach: a move that may not be, room or limits exceeded at
 * an instant, a dependency that was not waited for, a plan that made things worse, a domain left in
 * maintenance without a word, a makespan below its bound. */
void ek_referee_judge(const struct ek_plan *plan, const struct ek_schedule *schedule,
                      const struct ek_policy *policy, struct ek_text *complaints);

#endif
