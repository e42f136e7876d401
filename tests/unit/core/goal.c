/* Goals: what is weighed, what must hold at the end. */
#include "balancer/core/planner/goal.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
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

static void begin_text(uint32_t limit, const char *text)
{
    ek_test_cluster(&snapshot, text);
    begin(limit);
}

static struct ek_shift to(const char *domain, const char *host)
{
    return (struct ek_shift){ek_test_domain(&snapshot, domain), ek_test_host(&snapshot, host)};
}

static struct ek_trial one(const char *domain, const char *host)
{
    return (struct ek_trial){.shifts = {to(domain, host)}, .count = 1};
}

static struct ek_trial two(const char *a, const char *at, const char *b, const char *bt)
{
    return (struct ek_trial){.shifts = {to(a, at), to(b, bt)}, .count = 2};
}

/* The cost as the model has it: after the same moves, made there. */
static double cost_in_model(void)
{
    double cost = 0;

    for (uint32_t i = 0; i < goal.moved_count; i++) {
        uint32_t domain = goal.moved[i];
        cost += ek_candidate_rate(&search, domain, goal.domains[domain].host).price;
    }
    for (uint32_t i = 0; i < goal.moved_count; i++) {
        ek_cluster_move(&cluster, goal.moved[i], goal.domains[goal.moved[i]].host);
    }
    struct ek_score score = ek_cluster_score(&cluster);
    for (uint32_t i = 0; i < goal.moved_count; i++) {
        ek_cluster_move(&cluster, goal.moved[i], goal.domains[goal.moved[i]].home);
    }
    return cost + EK_RELIEF_WEIGHT * score.overload + score.spread + score.soft;
}

/* Whatever is changed in whatever order, a goal's cost is that of the model after its moves, which
 * knows no noise. */
static void costs_are_those_of_the_model(void **state)
{
    (void)state;
    policy.noise_sigma = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct ek_random random = {seed};
        ek_random_cluster(&snapshot, &random, 8);
        begin(1000);
        for (int i = 0; i < 40 && goal.free_count > 0; i++) {
            struct ek_trial trial = {.count = 1};
            uint32_t domain = goal.free[ek_random_below(&random, goal.free_count)];
            uint32_t host = goal.open[ek_random_below(&random, goal.open_count)];
            trial.shifts[0] = (struct ek_shift){domain, host};
            if (goal.domains[domain].host != host && ek_goal_weigh(&goal, &trial)) {
                ek_goal_make(&goal, &trial);
            }
        }
        /* The rules of the cluster follow the goal; here there are none. */
        assert_near(ek_goal_cost_without_noise(&goal), cost_in_model(), 1e-9);
        ek_goal_clear(&goal);
        teardown(NULL);
    }
}

/* An arrival needs memory, vCPUs and a load that stays within the target; a departure nothing. */
static void arrivals_need_room(void **state)
{
    (void)state;
    policy.memory_reserve = 0;
    begin_text(10, "h1 10c 32G; h2 10c 8G; h3 1c 32G; h4 10c 32G;"
                   "a@h1 5v 9G 1c 1G; b@h1 1v 1G 2c; c@h4 1v 1G 6c");
    struct ek_trial memory = one("a", "h2");
    struct ek_trial vcpus = one("a", "h3");
    struct ek_trial load = one("b", "h4");
    struct ek_trial fits = one("b", "h2");
    assert_false(ek_goal_weigh(&goal, &memory));
    assert_false(ek_goal_weigh(&goal, &vcpus));
    assert_false(ek_goal_weigh(&goal, &load));
    assert_true(ek_goal_weigh(&goal, &fits));
}

/* Two that change places need no room beyond each other's. */
static void an_exchange_is_weighed_as_a_whole(void **state)
{
    (void)state;
    policy.memory_reserve = 0;
    begin_text(10, "h1 10c 8G; h2 10c 8G; a@h1 1v 6G 4c 1G; b@h2 1v 6G 1c 1G");
    struct ek_trial alone = one("a", "h2");
    struct ek_trial both = two("a", "h2", "b", "h1");
    assert_false(ek_goal_weigh(&goal, &alone));
    assert_true(ek_goal_weigh(&goal, &both));
}

/* A goal has no more moves than its limit; a domain that goes elsewhere is no further move. */
static void moves_are_limited(void **state)
{
    (void)state;
    begin_text(1, "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 1c; b@h1 1v 1G 1c");
    struct ek_trial first = one("a", "h2");
    struct ek_trial second = one("b", "h2");
    struct ek_trial elsewhere = one("a", "h3");
    assert_true(ek_goal_weigh(&goal, &first));
    ek_goal_make(&goal, &first);
    assert_false(ek_goal_weigh(&goal, &second));
    assert_true(ek_goal_weigh(&goal, &elsewhere));
}

/* What is home again costs nothing, to the bit. */
static void a_cleared_goal_is_as_at_first(void **state)
{
    (void)state;
    begin_text(10, "h1 7c; h2 9c; h3 11c; a@h1 1v 1G 0.7c; b@h1 1v 1G 0.1c");
    double cost = goal.cost;
    struct ek_trial trial = two("a", "h2", "b", "h3");
    assert_true(ek_goal_weigh(&goal, &trial));
    ek_goal_make(&goal, &trial);
    ek_goal_clear(&goal);
    assert_memory_equal(&goal.cost, &cost, sizeof(cost));
    assert_int_equal(goal.moved_count, 0);
}

/* Whoever goes first matters: were x on h2 first, y could never come, nor z leave. */
static void an_order_is_searched_for(void **state)
{
    uint32_t order[EK_GOAL_ORDERED];

    (void)state;
    policy.memory_reserve = 0;
    begin_text(10, "h1 10c 16G; h2 10c 8G; h3 10c 8G;"
                   "x@h1 1v 4G 1c 1G; y@h3 1v 4G 1c 1G; z@h2 1v 4G 1c 1G; w@h3 1v 4G 1c 1G");
    const struct ek_shift moves[] = {to("x", "h2"), to("y", "h2"), to("z", "h3")};
    ek_goal_put(&goal, moves, 3);
    assert_true(ek_goal_orderable(&goal, order));
    assert_int_equal(order[0], ek_test_domain(&snapshot, "y"));
    assert_int_equal(order[1], ek_test_domain(&snapshot, "z"));
    assert_int_equal(order[2], ek_test_domain(&snapshot, "x"));
}

/* A ring of full hosts has no order. */
static void a_full_ring_has_no_order(void **state)
{
    (void)state;
    policy.memory_reserve = 0;
    begin_text(10, "h1 10c 8G; h2 10c 8G; a@h1 1v 6G 1c 1G; b@h2 1v 6G 1c 1G; c@h2 1v 1G 0c");
    struct ek_trial ring = two("a", "h2", "b", "h1");
    assert_true(ek_goal_orderable(&goal, NULL));
    assert_true(ek_goal_weigh(&goal, &ring));
    ek_goal_make(&goal, &ring);
    assert_false(ek_goal_orderable(&goal, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(costs_are_those_of_the_model),      TEST(arrivals_need_room),
        TEST(an_exchange_is_weighed_as_a_whole), TEST(moves_are_limited),
        TEST(a_cleared_goal_is_as_at_first),     TEST(an_order_is_searched_for),
        TEST(a_full_ring_has_no_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
