#include "balancer/core/cooldown.h"

#include "tests/lib/cmocka.h"

#include <string.h>

#define MINUTE_MS ((int64_t)60 * 1000)
#define DAY_MS (24 * 60 * MINUTE_MS)

static struct ek_policy policy;
static struct ek_cooldown *cooldown;
static struct ek_error err;

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    cooldown = ek_cooldown_create();
    return cooldown == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_cooldown_destroy(cooldown);
    return 0;
}

static int64_t rest_after_move(int64_t now_ms)
{
    assert_true(ek_cooldown_moved(cooldown, &policy, "a", now_ms, &err));
    return ek_cooldown_find(cooldown, "a")->until_ms - now_ms;
}

/* A domain that moved rests for the cooldown, twice as long with each move within a week. */
static void repeated_moves_rest_longer(void **state)
{
    (void)state;
    assert_int_equal(rest_after_move(1 * DAY_MS), 30 * MINUTE_MS);
    assert_int_equal(rest_after_move(2 * DAY_MS), 60 * MINUTE_MS);
    assert_int_equal(rest_after_move(3 * DAY_MS), 120 * MINUTE_MS);
    assert_int_equal(rest_after_move(11 * DAY_MS), 30 * MINUTE_MS);
}

/* What an operator asked for is no repeat, and shortens no rest. */
static void displaced_domains_rest_once(void **state)
{
    (void)state;
    for (int i = 1; i < 5; i++) {
        assert_true(ek_cooldown_displaced(cooldown, &policy, "a", i * DAY_MS, &err));
        assert_int_equal(ek_cooldown_find(cooldown, "a")->until_ms, i * DAY_MS + 30 * MINUTE_MS);
    }
    assert_int_equal(rest_after_move(5 * DAY_MS), 30 * MINUTE_MS);
    assert_int_equal(rest_after_move(5 * DAY_MS + 1), 60 * MINUTE_MS);
    assert_true(ek_cooldown_displaced(cooldown, &policy, "a", 5 * DAY_MS + 2, &err));
    assert_int_equal(ek_cooldown_find(cooldown, "a")->until_ms, 5 * DAY_MS + 1 + 60 * MINUTE_MS);
}

/* However often it moves, it rests for a week at most. */
static void rest_is_a_week_at_most(void **state)
{
    int64_t rest_ms = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        rest_ms = rest_after_move(DAY_MS + i);
    }
    assert_int_equal(rest_ms, 7 * DAY_MS);
}

/* Failures wait twice as long each time, for an hour at most, and a success forgives them. */
static void failures_back_off(void **state)
{
    static const int64_t expected_s[] = {20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600};

    (void)state;
    for (size_t i = 0; i < sizeof(expected_s) / sizeof(expected_s[0]); i++) {
        assert_true(ek_cooldown_failed(cooldown, &policy, "a", NULL, 5000, &err));
        assert_int_equal(ek_cooldown_find(cooldown, "a")->failed_until_ms - 5000,
                         expected_s[i] * 1000);
    }
    assert_true(ek_cooldown_moved(cooldown, &policy, "a", 6000, &err));
    assert_int_equal(ek_cooldown_find(cooldown, "a")->failures, 0);
    assert_int_equal(ek_cooldown_find(cooldown, "a")->failed_until_ms, 0);
}

/* For an hour it is known for one that does not converge; that alone keeps it from nothing. */
static void a_laggard_is_known_for_an_hour(void **state)
{
    (void)state;
    assert_true(ek_cooldown_lagged(cooldown, "a", 5000, &err));
    const struct ek_rest *rest = ek_cooldown_find(cooldown, "a");
    assert_int_equal(rest->lags_until_ms, 5000 + 3600 * 1000);
    assert_int_equal(rest->until_ms, 0);
    assert_int_equal(rest->failed_until_ms, 0);
    ek_cooldown_expire(cooldown, rest->lags_until_ms);
    assert_non_null(ek_cooldown_find(cooldown, "a"));
}

/* A destination at fault is avoided four times as long as the domain waits; a success forgets it.
 */
static void a_culprit_is_avoided_longer(void **state)
{
    (void)state;
    assert_true(ek_cooldown_failed(cooldown, &policy, "a", "h2", 5000, &err));
    assert_string_equal(ek_cooldown_find(cooldown, "a")->avoid, "h2");
    assert_int_equal(ek_cooldown_find(cooldown, "a")->avoid_until_ms, 5000 + 4 * policy.backoff_ms);
    assert_true(ek_cooldown_moved(cooldown, &policy, "a", 6000, &err));
    assert_string_equal(ek_cooldown_find(cooldown, "a")->avoid, "");
}

/* Nothing is known of a domain that never moved, and nothing by a cooldown that is not there. */
static void nothing_is_known_of_others(void **state)
{
    (void)state;
    (void)rest_after_move(DAY_MS);
    assert_null(ek_cooldown_find(cooldown, "b"));
    assert_null(ek_cooldown_find(NULL, "a"));
    ek_cooldown_destroy(NULL);
}

/* Rests that ended a week ago are forgotten, blocked domains never. */
static void old_rests_are_forgotten(void **state)
{
    (void)state;
    (void)rest_after_move(DAY_MS);
    assert_true(ek_cooldown_block(cooldown, "b", true, &err));
    ek_cooldown_expire(cooldown, 8 * DAY_MS + 30 * MINUTE_MS);
    assert_non_null(ek_cooldown_find(cooldown, "a"));
    ek_cooldown_expire(cooldown, 8 * DAY_MS + 30 * MINUTE_MS + 1);
    assert_null(ek_cooldown_find(cooldown, "a"));
    ek_cooldown_expire(cooldown, 1000 * DAY_MS);
    assert_true(ek_cooldown_find(cooldown, "b")->blocked);
}

/* What is exported, in the order of the UUIDs, makes the same cooldown again. */
static void exported_rests_come_back(void **state)
{
    struct ek_rest rests[2];
    struct ek_cooldown *again = ek_cooldown_create();

    (void)state;
    assert_true(ek_cooldown_failed(cooldown, &policy, "b", "h9", 5000, &err));
    (void)rest_after_move(DAY_MS);
    assert_int_equal(ek_cooldown_export(cooldown, NULL, 0), 2);
    assert_int_equal(ek_cooldown_export(cooldown, rests, 2), 2);
    assert_string_equal(rests[0].domain, "a");
    for (size_t i = 0; i < 2; i++) {
        assert_true(ek_cooldown_import(again, &rests[i], &err));
        assert_memory_equal(ek_cooldown_find(again, rests[i].domain), &rests[i], sizeof(rests[i]));
    }
    ek_cooldown_destroy(again);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(repeated_moves_rest_longer),  TEST(displaced_domains_rest_once),
        TEST(rest_is_a_week_at_most),      TEST(failures_back_off),
        TEST(a_culprit_is_avoided_longer), TEST(a_laggard_is_known_for_an_hour),
        TEST(nothing_is_known_of_others),  TEST(old_rests_are_forgotten),
        TEST(exported_rests_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
