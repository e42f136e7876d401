/* From a cluster written as text to its plan and schedule, in one call. */
#ifndef EK_TESTS_LIB_PLANNING_H
#define EK_TESTS_LIB_PLANNING_H

#include "balancer/core/schedule/schedule.h"

struct ek_planning {
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    uint64_t trials; /* as in a plan's request; 0 unless the test sets it */
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
};

/* Reads the text; the policy is the default one, and may be changed before ek_planning_run. */
void ek_planning_begin(struct ek_planning *planning, const char *cluster);

/* Plans and schedules; balancing is not held. `cooldown` may be NULL. May be called again. */
void ek_planning_run(struct ek_planning *planning, const struct ek_cooldown *cooldown);

void ek_planning_end(struct ek_planning *planning);

/* Compares the plan's moves, as ek_test_print_moves prints them. */
void ek_planning_expect(const struct ek_planning *planning, const char *moves);

/* Compares the domains that cannot leave, as ek_test_print_unresolved prints them. */
void ek_planning_expect_stuck(const struct ek_planning *planning, const char *unresolved);

#endif
