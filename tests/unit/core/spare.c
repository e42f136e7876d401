/* Spare capacity: whether lost hosts' guests find room. */
#include "balancer/core/spare.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"

/* Whether the loss of `count` hosts of that cluster is borne, under the default capacity. */
static bool borne(const char *text, size_t count, bool only_used)
{
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    struct ek_cluster cluster;
    struct ek_spare spare;
    struct ek_error err = {0};

    ek_policy_defaults(&policy);
    ek_test_cluster(&snapshot, text);
    assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
    assert_true(ek_spare_init(&spare, &cluster, &err));
    bool bears = ek_spare_bears(&spare, count, NULL, only_used);
    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    return bears;
}

/* The loss of no host is borne, that of all hosts is not, unless nobody is there. */
static void none_and_all(void **state)
{
    (void)state;
    assert_true(borne("h1 4c 8G; a@h1 1v 7G", 0, false));
    assert_false(borne("h1 4c 8G; a@h1 1v 7G", 1, false));
    assert_true(borne("h1 4c 8G; h2 4c 8G", 5, false));
}

/* Room is what arrivals may take: memory less the reserve, vCPUs times the overcommit. */
static void room_is_that_of_arrivals(void **state)
{
    (void)state;
    assert_true(borne("h1 4c 10G; h2 4c 10G; a@h1 1v 5G; b@h2 1v 4.5G", 1, false));
    assert_false(borne("h1 4c 10G; h2 4c 10G; a@h1 1v 5G; b@h2 1v 5G", 1, false));
    assert_false(borne("h1 4c 10G; h2 4c 10G; a@h1 9v 1G; b@h2 9v 1G", 1, false));
}

/* Room in pieces is none for a guest that is larger than each. */
static void a_guest_is_not_divided(void **state)
{
    (void)state;
    assert_false(
        borne("h1 4c 10G; h2 4c 10G; h3 4c 10G; a@h1 1v 6G; b@h2 1v 5G; c@h3 1v 5G", 1, false));
}

/* Those with most vCPUs are lost as well as those with most memory. */
static void the_worst_loss_counts(void **state)
{
    (void)state;
    assert_false(borne("h1 4c 10G; h2 1c 10G; a@h1 8v 1G; b@h2 1v 3G", 1, false));
}

/* Hosts in maintenance, and with only_used those that stand empty, take nobody in. */
static void some_hosts_take_nobody_in(void **state)
{
    (void)state;
    assert_false(borne("h1 4c 10G; h2 4c 10G maintenance; a@h1 1v 1G", 1, false));
    assert_true(borne("h1 4c 10G; h2 4c 10G; a@h1 1v 1G", 1, false));
    assert_false(borne("h1 4c 10G; h2 4c 10G; a@h1 1v 1G", 1, true));
}

/* A plan says when the loss could not be borne, and whether it was the plan that took the room. */
static void a_plan_says_what_it_leaves(void **state)
{
    struct ek_planning planning;

    (void)state;
    ek_planning_begin(&planning, "h1 10c 10G maintenance; h2 10c 10G; h3 10c 10G; a@h1 1v 4G 1c "
                                 "2G; b@h2 1v 4G 1c 2G; c@h3 1v 4G 1c 2G");
    planning.policy.spare_hosts = 1;
    ek_planning_run(&planning, NULL);
    assert_string_equal(planning.plan.summary,
                        "1 move to empty hosts in maintenance, 0 domains cannot leave; 0 moves to "
                        "balance (every host is below the comfort threshold of 60 %); the loss of "
                        "1 host could not be borne any more after it");
    ek_planning_end(&planning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_and_all),
        cmocka_unit_test(room_is_that_of_arrivals),
        cmocka_unit_test(a_guest_is_not_divided),
        cmocka_unit_test(the_worst_loss_counts),
        cmocka_unit_test(some_hosts_take_nobody_in),
        cmocka_unit_test(a_plan_says_what_it_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
