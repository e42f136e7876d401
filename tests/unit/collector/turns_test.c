/* Which reads ask for everything. */
#include "collector/sampling/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ek_domain_reading web = {.uuid = "a", .id = 3, .state_reason = 257};
static struct ek_domain_reading both[2] = {{.uuid = "a", .id = 3, .state_reason = 257},
                                           {.uuid = "b", .id = 4, .state_reason = 257}};

static bool next(struct ek_turns *turns, struct ek_domain_reading *domains, size_t count)
{
    const struct ek_reading reading = {.domains = domains, .domain_count = count};
    bool all = ek_turns_all(turns);

    ek_turns_note(turns, &reading);
    return all;
}

/* Every fourth, once the first two have shown what there is. */
static void every_fourth(void **state)
{
    static const bool expected[] = {true,  true,  true, false, true,  false,
                                    false, false, true, false, false, false};
    struct ek_turns turns = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(next(&turns, &web, 1), expected[i]);
    }
}

/* After that the two that give a new domain its rates. */
static void two_after_an_arrival(void **state)
{
    struct ek_turns turns = {0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        (void)next(&turns, &web, 1);
    }
    assert_false(next(&turns, both, 2));
    assert_true(next(&turns, both, 2));
    assert_true(next(&turns, both, 2));
    assert_true(next(&turns, both, 2)); /* the eighth */
    assert_false(next(&turns, both, 2));
}

/* The order in which domains are told of is not news; a pause and another run are. */
static void only_what_counts_is_news(void **state)
{
    struct ek_domain_reading turned[2] = {both[1], both[0]};
    struct ek_turns turns = {0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        (void)next(&turns, both, 2);
    }
    (void)next(&turns, turned, 2);
    assert_false(ek_turns_all(&turns));
    turned[0].state_reason = 770;
    (void)next(&turns, turned, 2);
    assert_true(ek_turns_all(&turns));
    struct ek_turns again = turns;
    again.all_until = 0;
    turned[1].id = 9;
    (void)next(&again, turned, 2);
    assert_true(again.all_until > again.reads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fourth),
        cmocka_unit_test(two_after_an_arrival),
        cmocka_unit_test(only_what_counts_is_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
