/* Laws of the timetable: even spread, no drift, growing and bounded pauses. */
#include "collector/timetable.h"

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
        int64_t pause = ek_timetable_retry(&table, failures, &lot, 5000) - 5000;
        assert_in_range(pause, whole * 3 / 4, whole * 5 / 4);
    }
}

/* Equal seeds give equal pauses, and hosts that fail together do not come back together. */
static void test_jitter_is_seeded(void **state)
{
    uint64_t one = 7;
    uint64_t same = 7;
    uint64_t other = 8;
    int64_t pause = ek_timetable_retry(&table, 4, &one, 0);

    (void)state;
    assert_int_equal(pause, ek_timetable_retry(&table, 4, &same, 0));
    assert_int_not_equal(pause, ek_timetable_retry(&table, 4, &other, 0));
    assert_int_not_equal(pause, ek_timetable_retry(&table, 4, &one, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_are_spread),
        cmocka_unit_test(test_late_reads_do_not_drift),
        cmocka_unit_test(test_pauses_grow_to_a_bound),
        cmocka_unit_test(test_jitter_is_seeded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
