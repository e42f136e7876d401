/* Plans for random clusters before a referee that shares no code with the planner. */
#include "balancer/core/schedule.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"
#include "tests/lib/referee.h"

enum { CLUSTERS = 3000, MAX_HOSTS = 12 };

/* Policies that differ in what binds: limits, eagerness, price. */
static struct ek_policy policy_make(struct ek_random *random)
{
    struct ek_policy policy;

    ek_policy_defaults(&policy);
    ek_policy_set_aggressiveness(&policy, 1 + (int)ek_random_below(random, 5));
    policy.limit_cluster = 1 + (int)ek_random_below(random, 6);
    policy.limit_host_in = 1 + (int)ek_random_below(random, 2);
    policy.limit_host_out = 1 + (int)ek_random_below(random, 2);
    policy.cpu_overcommit = 1 + ek_random_below(random, 3);
    return policy;
}

static void judge(uint64_t seed, struct ek_text *complaints)
{
    struct ek_random random = {seed};
    struct ek_error err = {0};
    struct ek_snapshot snapshot;
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
    const struct ek_policy policy = policy_make(&random);

    ek_random_cluster(&snapshot, &random, MAX_HOSTS);
    assert_true(ek_snapshot_check(&snapshot, &err));
    assert_true(ek_evaluate(&evaluation, &snapshot, &policy, &err));
    const struct ek_plan_request request = {.evaluation = &evaluation,
                                            .balance = ek_policy_find(policy.kind)};
    assert_true(ek_plan_make(&plan, &request, &err));
    assert_true(ek_schedule_make(&schedule, &plan, &policy, &err));
    ek_referee_judge(&plan, &schedule, &policy, complaints);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    ek_snapshot_finish(&snapshot);
}

/* Whatever the cluster, the plan breaks nothing at any instant and never makes it worse. */
static void plans_stand_before_the_referee(void **state)
{
    static struct ek_text complaints;

    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        ek_text_clear(&complaints);
        judge(seed, &complaints);
        if (complaints.used > 0) {
            fail_msg("seed %llu:\n%s", (unsigned long long)seed, complaints.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_stand_before_the_referee)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
