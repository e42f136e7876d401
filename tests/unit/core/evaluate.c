#include "balancer/core/evaluate.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>

static struct ek_snapshot snapshot;
static struct ek_policy policy;
static struct ek_evaluation evaluation;

static void evaluate(const char *cluster)
{
    struct ek_error err = {0};

    ek_policy_defaults(&policy);
    ek_test_cluster(&snapshot, cluster);
    assert_true(ek_snapshot_sort(&snapshot, &err));
    assert_true(ek_evaluate(&evaluation, &snapshot, &policy, &err));
}

static int teardown(void **state)
{
    (void)state;
    ek_evaluation_finish(&evaluation);
    ek_snapshot_finish(&snapshot);
    return 0;
}

/* The hottest is the highest utilization of any resource of a host in use. */
static void hottest_is_over_all_resources(void **state)
{
    (void)state;
    evaluate("h1 10c 10G; h2 10c 10G; h3 10c 10G maintenance;"
             "a@h1 1v 1G 5c; b@h2 1v 6G 1c; c@h3 1v 1G 9c");
    assert_int_equal(evaluation.levels.hottest.host, 1);
    assert_int_equal(evaluation.levels.hottest.resource, EK_MEMORY);
    assert_near(evaluation.levels.hottest.utilization, 0.6, 1e-9);
}

/* Of equally hot hosts the first by name is named, wherever it stands. */
static void equally_hot_hosts_go_by_name(void **state)
{
    (void)state;
    evaluate("h2 10c 10G; h1 10c 10G; a@h1 1v 1G 5c; b@h2 1v 1G 5c");
    assert_string_equal(snapshot.hosts[evaluation.levels.hottest.host].name, "h1");
}

/* Violations are the (host, resource) pairs above their target; on it is not above it. */
static void violations_are_pairs_above_target(void **state)
{
    (void)state;
    evaluate("h1 10c 10G; h2 10c 10G; h3 10c 10G maintenance;"
             "a@h1 1v 9G 8c; b@h2 1v 1G 7c; c@h3 1v 9G 9c");
    assert_int_equal(evaluation.levels.violations, 2);
}

/* A host that small domains fill exactly to its target is not above it, whatever rounding says. */
static void rounding_makes_no_violation(void **state)
{
    (void)state;
    evaluate("h1 1c; a@h1 1v 1G 0.1c; b@h1 1v 1G 0.2c; c@h1 1v 1G 0.4c; h2 1c; d@h2 1v 1G 0.7c;"
             "h3 1c; e@h3 1v 1G 0.3c; f@h3 1v 1G 0.1c; g@h3 1v 1G 0.1c; h@h3 1v 1G 0.1c;"
             "i@h3 1v 1G 0.1c");
    assert_int_equal(evaluation.levels.violations, 0);
}

/* Utilization is base and demand over capacity, for every host, in use or not. */
static void utilization_is_load_over_capacity(void **state)
{
    (void)state;
    evaluate("h1 10c 10G used=4c; h2 10c 10G maintenance; a@h1 1v 2G 3c; b@h2 1v 1G 5c");
    assert_near(evaluation.utilization[EK_CPU], 0.4, 1e-9);
    assert_near(evaluation.utilization[EK_MEMORY], 0.2, 1e-9);
    assert_near(evaluation.utilization[EK_RESOURCE_FURTHER + EK_CPU], 0.5, 1e-9);
    assert_int_equal(evaluation.maintenance_left, 1);
}

/* Imbalance stays within 0..0.5 even for the most uneven cluster of hosts below their capacity. */
static void imbalance_is_at_most_a_half(void **state)
{
    (void)state;
    evaluate("h1 10c; h2 10c; a@h1 10v 1G 10c");
    assert_near(evaluation.levels.imbalance[EK_CPU], 0.5, 1e-9);
}

/* With no host in use nothing is hottest and nothing is uneven. */
static void nothing_to_evaluate_is_level(void **state)
{
    (void)state;
    evaluate("h1 8c down; h2 8c maintenance; a@h2 2v 2G 2c");
    assert_int_equal(evaluation.levels.hottest.host, EK_NONE);
    assert_near(evaluation.levels.imbalance[EK_CPU], 0, 0);
    assert_int_equal(evaluation.levels.violations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hottest_is_over_all_resources, teardown),
        cmocka_unit_test_teardown(equally_hot_hosts_go_by_name, teardown),
        cmocka_unit_test_teardown(violations_are_pairs_above_target, teardown),
        cmocka_unit_test_teardown(rounding_makes_no_violation, teardown),
        cmocka_unit_test_teardown(utilization_is_load_over_capacity, teardown),
        cmocka_unit_test_teardown(imbalance_is_at_most_a_half, teardown),
        cmocka_unit_test_teardown(nothing_to_evaluate_is_level, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
