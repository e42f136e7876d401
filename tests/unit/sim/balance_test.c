/* The engine's balancing, told as stories in the simulated cluster. */
#include "story.h"

/* All load on one host is levelled, and stays so: the last 23 hours of a day see no move. */
static void test_levelled_and_stays_so(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*9@h1 2v 2G 0.9c");

    (void)state;
    until(it, EK_WORLD_DAY_MS);
    assert_int_equal(residents(it, "h1"), 3);
    assert_int_equal(residents(it, "h2"), 3);
    assert_int_equal(residents(it, "h3"), 3);
    assert_int_equal(ended(it, EK_MOVE_DONE), 6);
    assert_true(ek_world_counters(it).last_start_ms < EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levelled_and_stays_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
