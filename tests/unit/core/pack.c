/* pack as a policy: which hosts it frees, and what it leaves alone. */
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

static void begin(const char *cluster)
{
    ek_planning_end(&planning);
    ek_planning_begin(&planning, cluster);
    planning.policy.kind = EK_POLICY_PACK;
}

static void moves(const char *expected)
{
    ek_planning_run(&planning, NULL);
    ek_planning_expect(&planning, expected);
}

/* The host that is cheapest to empty is freed, its domains go to the fullest host that takes them.
 */
static void it_frees_the_cheapest_host(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 6G 1c; b@h2 1v 5G 1c; c@h3 1v 1G 1c");
    moves("c h3->h1 balance\n");
    assert_string_equal(planning.plan.moves[0].reason,
                        "frees h3; cpu of h1 10 % -> 20 %, memory 60 % -> 70 %");
    assert_string_equal(planning.plan.policy, "pack");
}

/* A host is freed wholly or not at all: no domain leaves where another one has no place. */
static void it_frees_wholly_or_not_at_all(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c; b@h2 1v 1G 1c; c@h2 1v 1G 5.5c");
    moves("");
    begin(
        "h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c immovable; b@h2 1v 1G 1c; c@h2 1v 1G 1c immovable");
    moves("");
}

/* Nothing is lifted above its target less half of trigger.imbalance. */
static void it_stays_below_the_targets(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c; b@h2 1v 4.5G 1c");
    moves("");
    begin("h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c; b@h2 1v 4G 1c");
    moves("a h1->h2 balance\n");
}

/* What is packed is left alone. */
static void it_leaves_a_packed_cluster_alone(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 8G 1c; b@h2 1v 8G 1c");
    moves("");
    assert_string_equal(planning.plan.summary,
                        "nothing to move: no host in use has guests that the others had room for");
}

/* An empty host takes nobody in when hosts are freed ... */
static void it_leaves_empty_hosts_empty(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 7G 1c; b@h3 1v 4G 1c");
    moves("");
}

/* ... but when an overload cannot be ended otherwise. */
static void it_ends_overload_first(void **state)
{
    (void)state;
    begin("h1 10c 20G; h2 10c 20G; h3 10c 20G; a@h1 1v 1G 4c; b@h1 1v 1G 4c; c@h2 1v 2G 4c");
    moves("a h1->h3 balance\n");
    begin("h1 10c 20G; h2 10c 20G; h3 10c 20G; a@h1 1v 1G 4c; b@h1 1v 1G 4c; c@h2 1v 2G 2c");
    moves("a h1->h2 balance\n");
}

/* A host that costs more to copy than it has memory is not worth it; cost_weight says how much. */
static void it_weighs_the_copying(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c disk=9G; b@h2 1v 3G 1c disk=9G");
    moves("");
    begin("h1 10c 10G; h2 10c 10G; a@h1 1v 4G 1c disk=9G; b@h2 1v 3G 1c disk=9G");
    planning.policy.cost_weight = 0.5;
    moves("b h2->h1 balance\n");
}

/* Within moves_per_plan it frees what fits into it whole. */
static void it_keeps_to_the_limit(void **state)
{
    (void)state;
    begin("h1 10c 20G; h2 10c 20G; h3 10c 20G; a@h1 1v 6G 1c; a2@h1 1v 2G 1c; b@h2 1v 1G 1c; c@h2 "
          "1v 1G 1c; d@h3 1v 3G 1c");
    planning.policy.moves_per_plan = 1;
    moves("d h3->h1 balance\n");
}

/* Several hosts at once pack better: host by host the small domains take the place of the large. */
static void it_frees_as_many_as_it_can(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; h4 10c 10G; a@h1 1v 5G 1c immovable; b@h2 1v 4G 1c "
          "immovable; c@h3 1v 2G 1c; d@h4 1v 3G 1c; e@h4 1v 2G 1c");
    moves("d h4->h1 balance\nc h3->h2 balance\ne h4->h2 balance\n");
}

/* With a host to spare the guests of the fullest one still find room on those in use. */
static void it_keeps_hosts_to_spare(void **state)
{
    (void)state;
    const char *cluster = "h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 3G 1c; b@h2 1v 3G 1c; c@h3 "
                          "1v 3G 1c";
    begin(cluster);
    moves("a h1->h2 balance\n");
    begin(cluster);
    planning.policy.spare_hosts = 1;
    moves("a h1->h2 balance\n");
    begin(cluster);
    planning.policy.spare_hosts = 2;
    moves("");
}

/* What is packed stays so: planning again for the result moves nothing. */
static void it_does_not_undo_itself(void **state)
{
    (void)state;
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 6G 1c; b@h2 1v 5G 1c; c@h3 1v 1G 1c");
    moves("c h3->h1 balance\n");
    begin("h1 10c 10G; h2 10c 10G; h3 10c 10G; a@h1 1v 6G 1c; b@h2 1v 5G 1c; c@h1 1v 1G 1c");
    moves("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_frees_the_cheapest_host, teardown),
        cmocka_unit_test_teardown(it_frees_wholly_or_not_at_all, teardown),
        cmocka_unit_test_teardown(it_stays_below_the_targets, teardown),
        cmocka_unit_test_teardown(it_leaves_a_packed_cluster_alone, teardown),
        cmocka_unit_test_teardown(it_leaves_empty_hosts_empty, teardown),
        cmocka_unit_test_teardown(it_ends_overload_first, teardown),
        cmocka_unit_test_teardown(it_weighs_the_copying, teardown),
        cmocka_unit_test_teardown(it_keeps_to_the_limit, teardown),
        cmocka_unit_test_teardown(it_frees_as_many_as_it_can, teardown),
        cmocka_unit_test_teardown(it_keeps_hosts_to_spare, teardown),
        cmocka_unit_test_teardown(it_does_not_undo_itself, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
