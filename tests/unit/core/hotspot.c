/* hotspot as a policy: what it moves, what it leaves alone. */
#include "policies/steps.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"

#include <string.h>

static struct ek_planning planning;

static int teardown(void **state)
{
    (void)state;
    ek_planning_end(&planning);
    return 0;
}

static void moves(const char *cluster, const char *expected)
{
    ek_planning_begin(&planning, cluster);
    planning.policy.kind = EK_POLICY_HOTSPOT;
    ek_planning_run(&planning, NULL);
    ek_planning_expect(&planning, expected);
}

/* A cluster that is uneven but nowhere above a target is left alone. */
static void it_levels_nothing(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 3.4c; b@h1 1v 1G 3.5c", "");
    assert_string_equal(planning.plan.summary, "nothing to move: no host is above its target");
    assert_string_equal(planning.plan.policy, "hotspot");
}

/* It stops when the overload has ended: what would level further stays. */
static void it_stops_at_the_target(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 2G 2c",
          "a h1->h2 balance\n");
}

/* One large domain rather than two small ones, although they are cheaper to copy. */
static void it_moves_the_fewest(void **state)
{
    (void)state;
    moves("h1 10c 16G; h2 10c 16G; a@h1 1v 4G 3c; b@h1 1v 1G 1.5c; c@h1 1v 1G 1.5c; d@h1 1v 1G 3c "
          "immovable",
          "a h1->h2 balance\n");
}

/* Of sets with as many domains the cheapest, here two of which neither is enough. */
static void it_moves_the_cheapest_of_them(void **state)
{
    (void)state;
    moves("h1 10c 32G; h2 10c 32G; a@h1 1v 6G 2c; b@h1 1v 5G 2c; c@h1 1v 1G 1.5c; d@h1 1v 2G "
          "1.5c; e@h1 1v 1G 3c immovable",
          "c h1->h2 balance\nd h1->h2 balance\n");
}

/* A set ends the overload of all resources, not of the worst alone. */
static void it_ends_every_overload_of_a_host(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 3c; b@h1 1v 4G 0.1c; c@h1 1v 5G 5c immovable",
          "a h1->h2 balance\nb h1->h2 balance\n");
}

/* The domain goes where it leaves most room below the targets. */
static void it_chooses_the_coolest_host(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 1G 5c immovable; b@h1 1v 1G 3c; c@h2 1v 1G "
          "2c; d@h3 "
          "1v 1G 1c; e@h3 1v 1G 4c immovable",
          "b h1->h2 balance\n");
}

/* No move makes another host hot: an overload that nobody can take stays, and the plan says so. */
static void it_makes_no_new_hotspot(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 4c; b@h1 1v 1G 4c; c@h2 1v 1G 4c immovable", "");
    assert_string_equal(planning.plan.summary,
                        "nothing to move: cpu of h1 is at 80 %, above its target, but no domain of "
                        "it fits on another host below the target");
}

/* Where no host takes the domain, another one makes room for it elsewhere. */
static void it_makes_room(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 1G 4c; b@h1 1v 1G 4c immovable; c@h2 1v 1G "
          "2c; d@h2 1v 1G 2c; e@h3 1v 1G 4.9c immovable",
          "c h2->h3 balance\na h1->h2 balance\n");
    assert_string_equal(planning.plan.moves[0].reason,
                        "makes room on h2; cpu of h2 40 % -> 20 %, of h3 49 % -> 69 %");
    assert_int_equal(planning.plan.after.violations, 0);
}

/* An overload that cannot be ended is lessened. */
static void it_lessens_what_it_cannot_end(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 8c immovable; b@h1 1v 1G 1c; c@h2 1v 1G 1c",
          "b h1->h2 balance\n");
}

/* More domains than sets are looked for: the largest go first, until few are left to choose from.
 */
static void it_moves_many_where_many_are_needed(void **state)
{
    (void)state;
    moves("h1 10c 64G; h2 10c 64G; a@h1 1v 1G 1c; b@h1 1v 1G 1c; c@h1 1v 1G 1c; d@h1 1v 1G 1c; "
          "e@h1 1v 1G 1c; f@h1 1v 1G 1c; g@h1 1v 1G 7c immovable",
          "a h1->h2 balance\nb h1->h2 balance\nc h1->h2 balance\nd h1->h2 balance\n"
          "e h1->h2 balance\nf h1->h2 balance\n");
}

/* Must rules bind, should rules decide between hosts. */
static void it_keeps_rules(void **state)
{
    (void)state;
    moves("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 1G 4c "
          "rule=avoid+hosts=h2+enforcement=should; b@h1 1v 2G 4c; c@h3 1v 1G 2c",
          "a h1->h3 balance\n");
    ek_planning_end(&planning);
    moves("h1 10c 10G; h2 10c 10G; a@h1 1v 1G 4c rule=pin+hosts=h1; b@h1 1v 2G 4c",
          "b h1->h2 balance\n");
}

/* No more moves than a plan may have. */
static void it_keeps_to_the_limit(void **state)
{
    (void)state;
    ek_planning_begin(&planning, "h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 1G 4c; b@h1 1v 1G "
                                 "4c; c@h2 1v 1G 4c; d@h2 1v 1G 4.1c");
    planning.policy.kind = EK_POLICY_HOTSPOT;
    planning.policy.moves_per_plan = 1;
    ek_planning_run(&planning, NULL);
    ek_planning_expect(&planning, "c h2->h3 balance\n");
}

/* At aggressiveness 1 nothing moves, however hot a host is. */
static void it_sleeps_at_level_one(void **state)
{
    (void)state;
    ek_planning_begin(&planning, "h1 10c 10G; h2 10c 10G; a@h1 1v 1G 4c; b@h1 1v 1G 4c");
    planning.policy.kind = EK_POLICY_HOTSPOT;
    ek_policy_set_aggressiveness(&planning.policy, 1);
    ek_planning_run(&planning, NULL);
    ek_planning_expect(&planning, "");
}

/* Looking for room that nobody can make is counted, domain by domain, and ends with the budget. */
static void making_room_is_bounded(void **state)
{
    struct ek_error err = {0};
    struct ek_evaluation evaluation;
    struct ek_cluster cluster;
    struct ek_search search;
    struct ek_steps steps;
    struct ek_choice choices[4];

    (void)state;
    ek_planning_begin(&planning, "h1 10c 16G; h2 10c 16G; h3 10c 16G; a@h1 1v 4G 9c; b@h2 1v 1G 4c;"
                                 "c@h2 1v 1G 4c; d@h3 1v 1G 4c; e@h3 1v 1G 4c");
    assert_true(ek_evaluate(&evaluation, &planning.snapshot, &planning.policy, &err));
    assert_true(ek_cluster_copy(&cluster, &evaluation.cluster, &err));
    assert_true(ek_search_init(&search, &cluster, NULL, &err));
    assert_true(ek_steps_init(&steps, &search, choices, 4, &err));
    steps.looks = 1000;
    assert_false(ek_steps_make_room(&steps, 0));
    assert_int_equal(steps.looks, 1000 - 3 - 4); /* hosts, and the domains of two of them */
    steps.looks = 3;
    assert_false(ek_steps_make_room(&steps, 0));
    assert_int_equal(steps.looks, 0);
    ek_cluster_finish(&cluster);
    ek_evaluation_finish(&evaluation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_levels_nothing, teardown),
        cmocka_unit_test_teardown(it_stops_at_the_target, teardown),
        cmocka_unit_test_teardown(it_moves_the_fewest, teardown),
        cmocka_unit_test_teardown(it_moves_the_cheapest_of_them, teardown),
        cmocka_unit_test_teardown(it_ends_every_overload_of_a_host, teardown),
        cmocka_unit_test_teardown(it_chooses_the_coolest_host, teardown),
        cmocka_unit_test_teardown(it_makes_no_new_hotspot, teardown),
        cmocka_unit_test_teardown(it_makes_room, teardown),
        cmocka_unit_test_teardown(it_lessens_what_it_cannot_end, teardown),
        cmocka_unit_test_teardown(it_moves_many_where_many_are_needed, teardown),
        cmocka_unit_test_teardown(making_room_is_bounded, teardown),
        cmocka_unit_test_teardown(it_keeps_rules, teardown),
        cmocka_unit_test_teardown(it_keeps_to_the_limit, teardown),
        cmocka_unit_test_teardown(it_sleeps_at_level_one, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
