/* Laws of the timetable: even spread, no drift, growing and bounded pauses. */
#include "collector/sampling/timetable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct ek_timetable table = {
    .start_ns = 1000, .period_ns = 400, .backoff_max_ns = 3200, .host_count = 4};

/* Hosts take equal steps through the first period. */
static void test_hosts_are_spread(void **state)
{
    (void)state;
    assert_int_equal(ek_timetable_next(&table, 0, 0), 1000);
    assert_int_equal(ek_timetable_next(&table, 1, 0), 1100);
    assert_int_equal(ek_timetable_next(&table, 3, 0), 1300);
}

/* However late a read ended, the next one is back on the host's grid; missed ones are not made up
 * for. */
static void test_late_reads_do_not_drift(void **state)
{
    (void)state;
    assert_int_equal(ek_timetable_next(&table, 1, 1101), 1500);
    assert_int_equal(ek_timetable_next(&table, 1, 1500), 1500);
    assert_int_equal(ek_timetable_next(&table, 1, 2777), 3100);
}

/* Each further failure doubles the pause, within a quarter of it, up to the longest. */
static void test_pauses_grow_to_a_bound(void **state)
{
    uint64_t lot = 42;

    (void)state;
    for (unsigned int failures = 1; failures < 100; failures++) {
        int64_t whole = failures < 4 ? 400 << (failures - 1) : 3200;
        int64_t pause = ek_timetable_retry(&table, failures, false, &lot, 5000) - 5000;
        assert_in_range(pause, whole * 3 / 4, whole * 5 / 4);
    }
}

/* Whether a host that could not be reached is back is looked at often: at first after an eighth of
 * a period, and never after more than five eighths. */
static void test_hosts_that_are_away_are_looked_after(void **state)
{
    uint64_t lot = 42;

    (void)state;
    for (unsigned int failures = 1; failures < 100; failures++) {
        int64_t whole = failures < 3 ? 50 << (failures - 1) : 200;
        int64_t pause = ek_timetable_retry(&table, failures, true, &lot, 5000) - 5000;
        assert_in_range(pause, whole * 3 / 4, whole * 5 / 4);
    }
}

/* When all hosts take as long as they may, half of the workers are free: in the example one begins
 * every 100 ns. With few hosts there is an end to patience, too. */
static void test_patience_leaves_half_the_workers_free(void **state)
{
    struct ek_timetable rare = table;

    (void)state;
    assert_int_equal(ek_timetable_patience(&table, 1), 50);
    assert_int_equal(ek_timetable_patience(&table, 4), 200);
    rare.period_ns = INT64_C(3600) * 1000 * 1000 * 1000;
    assert_int_equal(ek_timetable_patience(&rare, 4), 1000 * 1000 * 1000);
}

/* Equal seeds give equal pauses, and hosts that fail together do not come back together. */
static void test_jitter_is_seeded(void **state)
{
    uint64_t one = 7;
    uint64_t same = 7;
    uint64_t other = 8;
    int64_t pause = ek_timetable_retry(&table, 4, false, &one, 0);

    (void)state;
    assert_int_equal(pause, ek_timetable_retry(&table, 4, false, &same, 0));
    assert_int_not_equal(pause, ek_timetable_retry(&table, 4, false, &other, 0));
    assert_int_not_equal(pause, ek_timetable_retry(&table, 4, false, &one, 0));
}

/* Hints of one moment are one reading, a moment later; one that its turn would serve as soon costs
 * nothing. */
static void test_hints_are_served_a_moment_later(void **state)
{
    const int64_t ms = 1000 * 1000;
    struct ek_hints hints;
    int64_t at = 0;

    (void)state;
    ek_hints_init(&hints);
    assert_true(ek_hints_take(&hints, 1000 * ms, 9000 * ms, &at));
    assert_int_equal(at, 1200 * ms);
    ek_hints_read(&hints, false, at);
    assert_true(ek_hints_take(&hints, 1250 * ms, 9000 * ms, &at));
    assert_int_equal(at, 1700 * ms);
    unsigned int credit = hints.credit;
    assert_true(ek_hints_take(&hints, 8900 * ms, 9000 * ms, &at));
    assert_int_equal(at, 9000 * ms);
    assert_int_equal(hints.credit, credit);
}

/* However many hints come, readings out of turn are at most half as many as those in turn, and
 * four.
 */
static void test_hints_have_a_bound(void **state)
{
    const int64_t period = INT64_C(15) * 1000 * 1000 * 1000;
    struct ek_hints hints;
    int64_t at = 0;
    int extra = 0;

    (void)state;
    ek_hints_init(&hints);
    for (int64_t turn = 1; turn <= 100; turn++) {
        ek_hints_read(&hints, true, turn * period);
        int64_t now = turn * period;
        while (ek_hints_take(&hints, now, (turn + 1) * period, &at) && at < (turn + 1) * period) {
            ek_hints_read(&hints, false, at);
            now = at;
            extra++;
        }
    }
    assert_in_range(extra, 4 + 48, 4 + 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_are_spread),
        cmocka_unit_test(test_late_reads_do_not_drift),
        cmocka_unit_test(test_pauses_grow_to_a_bound),
        cmocka_unit_test(test_hosts_that_are_away_are_looked_after),
        cmocka_unit_test(test_patience_leaves_half_the_workers_free),
        cmocka_unit_test(test_jitter_is_seeded),
        cmocka_unit_test(test_hints_are_served_a_moment_later),
        cmocka_unit_test(test_hints_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
