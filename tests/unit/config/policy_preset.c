/* The policy without a file, and its presets (balancer/core/policy.c). */
#include "support.h"

static void assert_thresholds(const struct ek_policy *policy, double imbalance, double comfort,
                              double min_gain, double cost_weight)
{
    assert_true(policy->trigger_imbalance == imbalance);
    assert_true(policy->trigger_comfort == comfort);
    assert_true(policy->min_gain == min_gain);
    assert_true(policy->cost_weight == cost_weight);
}

/* A policy that nobody wrote moves nothing by itself. */
static void defaults_only_recommend(void **state)
{
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    assert_int_equal(policy.mode, EK_MODE_RECOMMEND);
    assert_int_equal(policy.aggressiveness, 3);
    assert_thresholds(&policy, 0.10, 0.60, 0.10, 1.0);
}

/* Each level sets its four thresholds; 2 to 5 are the documented ones. */
static void levels_set_thresholds(void **state)
{
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    ek_policy_set_aggressiveness(&policy, 2);
    assert_thresholds(&policy, 0.20, 0.80, 0.15, 2.0);
    ek_policy_set_aggressiveness(&policy, 3);
    assert_thresholds(&policy, 0.10, 0.60, 0.10, 1.0);
    ek_policy_set_aggressiveness(&policy, 4);
    assert_thresholds(&policy, 0.05, 0.40, 0.05, 0.5);
    ek_policy_set_aggressiveness(&policy, 5);
    assert_thresholds(&policy, 0.02, 0.00, 0.01, 0.1);
    assert_int_equal(policy.aggressiveness, 5);
}

/* No cluster can exceed the thresholds of level 1: no standard deviation of 0..1 is above one half.
 */
static void level_one_never_triggers(void **state)
{
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    ek_policy_set_aggressiveness(&policy, 1);
    assert_true(policy.trigger_imbalance >= 0.5);
    assert_true(policy.trigger_comfort >= 1.0);
}

/* A level changes thresholds alone. */
static void levels_leave_the_rest(void **state)
{
    struct ek_policy before;
    struct ek_policy after;

    (void)state;
    ek_policy_defaults(&before);
    memcpy(&after, &before, sizeof(after));
    ek_policy_set_aggressiveness(&after, 5);
    ek_policy_set_aggressiveness(&after, 3);
    assert_memory_equal(&before, &after, sizeof(before));
}

/* The table's texts of defaults and the core's defaults are the same policy. What the file has
 * beside the policy is empty by default, but for the timezone. */
static void schema_has_the_same_defaults(void **state)
{
    struct ek_policy core;
    struct ek_policy table;

    (void)state;
    ek_policy_defaults(&core);
    memcpy(&table, &core, sizeof(table));
    for (size_t i = 0; i < ek_policy_schema.count; i++) {
        const struct ek_schema_row *row = &ek_policy_schema.rows[i];
        bool no_memory;
        unsigned char *field = (unsigned char *)&table + row->offset;
        assert_non_null(row->fallback);
        if (row->offset >= sizeof(table)) {
            continue; /* a text of the file's, which the calendar and the rules are made of */
        }
        assert_true(ek_value_parse(row, row->fallback, field, NULL, &no_memory));
        if (memcmp(&core, &table, sizeof(core)) != 0) {
            fail_msg("%s has another default in core/policy.c than %s", row->path, row->fallback);
        }
    }
    assert_int_equal(core.calendar.window_count + core.calendar.blackout_count, 0);
    assert_int_equal(core.calendar.timezone, EK_TIMEZONE_UTC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_only_recommend),      cmocka_unit_test(levels_set_thresholds),
        cmocka_unit_test(level_one_never_triggers),     cmocka_unit_test(levels_leave_the_rest),
        cmocka_unit_test(schema_has_the_same_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
