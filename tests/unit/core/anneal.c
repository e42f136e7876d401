/* Annealing and polishing: what they find, and what they never do. */
#include "balancer/core/planner/anneal.h"

#include "balancer/core/planner/polish.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/random.h"

static struct ek_policy policy;
static struct ek_snapshot snapshot;
static struct ek_cluster cluster;
static struct ek_search search;
static struct ek_goal goal;
static struct ek_error err;

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    return 0;
}

static void begin(uint32_t limit)
{
    assert_true(ek_snapshot_sort(&snapshot, &err));
    assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
    assert_true(ek_search_init(&search, &cluster, NULL, &err));
    assert_true(ek_goal_init(&goal, &search, limit, &err));
}

/* The least cost of all ways to move up to `left` domains, those from the `from`th on. */
static double least(uint32_t from, uint32_t left)
{
    double best = goal.cost;

    for (uint32_t i = from; left > 0 && i < goal.free_count; i++) {
        for (uint32_t h = 0; h < goal.open_count; h++) {
            uint32_t home = goal.domains[goal.free[i]].home;
            struct ek_trial trial = {.shifts = {{goal.free[i], goal.open[h]}}, .count = 1};
            if (goal.open[h] == home || !ek_goal_weigh(&goal, &trial) ||
                !ek_goal_admits(&goal, &trial)) {
                continue;
            }
            ek_goal_make(&goal, &trial);
            double cost = least(i + 1, left - 1);
            best = cost < best ? cost : best;
            ek_goal_put(&goal, &(struct ek_shift){goal.free[i], home}, 1);
        }
    }
    return best;
}

/* Polishing a goal of three moves finds what trying out all of them finds. */
static void three_moves_are_the_best_there_are(void **state)
{
    (void)state;
    policy.cost_weight = 0.01;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct ek_random random = {seed};
        ek_random_cluster(&snapshot, &random, 4);
        begin(3);
        double best = least(0, 3);
        assert_true(ek_polish(&goal, 10000000, false, &err));
        /* It may be better: least() tries no exchange of hosts that are full. */
        assert_true(goal.cost <= best + 1e-6);
        ek_goal_clear(&goal);
        teardown(NULL);
    }
}

/* Never worse than it began, however short it is kept; and the same each time. */
static void it_never_ends_worse(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct ek_random random = {seed};
        double costs[2];
        ek_random_cluster(&snapshot, &random, 20);
        for (int i = 0; i < 2; i++) {
            begin(1 + (uint32_t)(seed % 20));
            double before = goal.cost;
            assert_true(ek_anneal(&goal, seed, &err));
            assert_true(goal.cost <= before + 1e-9);
            costs[i] = goal.cost;
            ek_goal_clear(&goal);
            ek_cluster_finish(&cluster);
        }
        assert_memory_equal(&costs[0], &costs[1], sizeof(costs[0]));
        teardown(NULL);
    }
}

/* No move of the result could stay away at no loss. */
static void every_move_earns_its_price(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct ek_random random = {seed};
        ek_random_cluster(&snapshot, &random, 20);
        begin(40);
        assert_true(ek_anneal(&goal, 3000, &err));
        for (uint32_t i = 0; i < goal.moved_count; i++) {
            uint32_t domain = goal.moved[i];
            struct ek_trial home = {.shifts = {{domain, goal.domains[domain].home}}, .count = 1};
            assert_false(ek_goal_weigh(&goal, &home) &&
                         ek_goal_below(&goal, &home, goal.cost - 1e-9) &&
                         ek_goal_admits(&goal, &home));
        }
        ek_goal_clear(&goal);
        teardown(NULL);
    }
}

static void plan(int moves, const char *text, const char *expected)
{
    struct ek_planning it;

    ek_planning_begin(&it, text);
    it.policy.moves_per_plan = moves;
    it.policy.cost_weight = 0;
    it.policy.trigger_imbalance = 0;
    it.policy.memory_reserve = 0;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, expected);
    ek_planning_end(&it);
}

/* Two small ones for a large one: no single move and no exchange of two levels both resources. */
static void two_change_places_with_one(void **state)
{
    (void)state;
    plan(3,
         "h1 10c 64G; h2 10c 64G; a@h1 1v 8G 2c; b@h1 1v 8G 2c; y@h1 1v 16G 4c immovable;"
         "x@h2 1v 16G 0c; z@h2 1v 16G 0c immovable",
         "a h1->h2 balance\nx h2->h1 balance\nb h1->h2 balance\n");
}

/* Of domains that only their names tell apart the first moves. */
static void the_first_of_alike_domains_moves(void **state)
{
    (void)state;
    plan(
        10,
        "h1 10c; h2 10c; d@h1 1v 1G 3c; c@h1 1v 1G 3c; b@h2 1v 1G 0c; a@h1 1v 1G 3c; e@h1 1v 1G 3c",
        "a h1->h2 balance\nc h1->h2 balance\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_moves_are_the_best_there_are), TEST(it_never_ends_worse),
        TEST(every_move_earns_its_price),         TEST(two_change_places_with_one),
        TEST(the_first_of_alike_domains_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
