/* Near matches: what a mistyped key was meant to be. */
#include "support.h"

#include <limits.h>

/* Inserting, deleting, changing and swapping letters cost one each. */
static void distances(void **state)
{
    (void)state;
    assert_int_equal(ek_near_distance("trigger", "trigger"), 0);
    assert_int_equal(ek_near_distance("triger", "trigger"), 1);
    assert_int_equal(ek_near_distance("triggger", "trigger"), 1);
    assert_int_equal(ek_near_distance("tricger", "trigger"), 1);
    assert_int_equal(ek_near_distance("trigegr", "trigger"), 1);
    assert_int_equal(ek_near_distance("", "abc"), 3);
    assert_int_equal(ek_near_distance("abc", ""), 3);
    assert_int_equal(ek_near_distance("kitten", "sitting"), 3);
}

/* What is longer than any key is far from all, whatever it begins with. */
static void long_texts_are_far(void **state)
{
    (void)state;
    assert_int_equal(ek_near_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"),
                     INT_MAX);
    assert_false(ek_near("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"));
}

/* A suggestion needs two thirds of the letters: no guess is better than a wrong one. */
static void far_texts_suggest_nothing(void **state)
{
    (void)state;
    assert_true(ek_near("intervall", "intervals"));
    assert_false(ek_near("frequency", "intervals"));
    assert_false(ek_near("xy", "log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(long_texts_are_far),
        cmocka_unit_test(far_texts_suggest_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
