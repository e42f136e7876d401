#include "tests/lib/planning.h"

#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <string.h>

void ek_planning_begin(struct ek_planning *planning, const char *cluster)
{
    memset(planning, 0, sizeof(*planning));
    ek_test_cluster(&planning->snapshot, cluster);
    planning->snapshot.taken_at_ms = 1000000;
    ek_policy_defaults(&planning->policy);
}

static void results_finish(struct ek_planning *planning)
{
    ek_schedule_finish(&planning->schedule);
    ek_plan_finish(&planning->plan);
    ek_evaluation_finish(&planning->evaluation);
}

void ek_planning_run(struct ek_planning *planning, const struct ek_cooldown *cooldown)
{
    struct ek_error err = {0};
    const struct ek_plan_request request = {.evaluation = &planning->evaluation,
                                            .balance = ek_policy_find(planning->policy.kind),
                                            .trials = planning->trials,
                                            .cooldown = cooldown};

    results_finish(planning);
    assert_true(ek_snapshot_check(&planning->snapshot, &err));
    assert_true(ek_snapshot_sort(&planning->snapshot, &err));
    assert_true(ek_evaluate(&planning->evaluation, &planning->snapshot, &planning->policy, &err));
    assert_true(ek_plan_make(&planning->plan, &request, &err));
    assert_true(ek_schedule_make(&planning->schedule, &planning->plan, &planning->policy, &err));
}

void ek_planning_end(struct ek_planning *planning)
{
    results_finish(planning);
    ek_snapshot_finish(&planning->snapshot);
}

void ek_planning_expect(const struct ek_planning *planning, const char *moves)
{
    struct ek_text text = {.used = 0};

    ek_test_print_moves(&planning->plan, &text);
    assert_string_equal(text.text, moves);
}

void ek_planning_expect_stuck(const struct ek_planning *planning, const char *unresolved)
{
    struct ek_text text = {.used = 0};

    ek_test_print_unresolved(&planning->plan, &text);
    assert_string_equal(text.text, unresolved);
}
