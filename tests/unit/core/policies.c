/* spread and drain as policies: what they want, and what they choose next. */
#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <string.h>

static struct ek_snapshot snapshot;
static struct ek_policy policy;
static struct ek_cluster cluster;
static struct ek_levels levels;
static bool settled[16];

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    memset(settled, 0, sizeof(settled));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    return 0;
}

static void model(const char *text)
{
    struct ek_error err = {0};

    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    ek_test_cluster(&snapshot, text);
    assert_true(ek_snapshot_sort(&snapshot, &err));
    assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
    levels = ek_levels_of(&cluster);
}

static void wants(const struct ek_policy_ops *ops, bool wanted, const char *why)
{
    char text[200];

    assert_int_equal(ops->wants(&cluster, &levels, text, sizeof(text)), wanted);
    assert_string_equal(text, why);
}

/* "a->h2", or "" when no move pays. */
static void next(const struct ek_policy_ops *ops, const char *expected)
{
    struct ek_search search;
    struct ek_error err = {0};

    assert_true(ek_search_init(&search, &cluster, NULL, &err));
    memcpy(search.settled, settled, snapshot.domain_count * sizeof(*settled));
    struct ek_candidate chosen = ops->next(&search);
    struct ek_text text = {.used = 0};

    if (chosen.domain != EK_NONE) {
        ek_text_add(&text, "%s->%s", snapshot.domains[chosen.domain].name,
                    snapshot.hosts[chosen.destination].name);
    }
    assert_string_equal(text.text, expected);
}

/* A name of a policy leads to it. */
static void policies_are_found(void **state)
{
    (void)state;
    assert_ptr_equal(ek_policy_find(EK_POLICY_SPREAD), &ek_policy_spread);
    assert_string_equal(ek_policy_spread.name, ek_policy_kind_name(EK_POLICY_SPREAD));
    assert_int_equal(ek_policy_drain.kind, EK_MOVE_EVACUATE);
}

/* Hosts that nobody sees are not called comfortable; nor are those that take no part. */
static void nothing_seen_is_no_comfort(void **state)
{
    static const struct {
        const char *cluster;
        const char *why;
    } cases[] = {
        {"h1 down; h2 stale", "no host can be seen"},
        {"h1 maintenance; h2 down", "no host is up that is to be levelled"},
        {"h1 10c; h2 down", "every host is below the comfort threshold of 60 %"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        model(cases[i].cluster);
        assert_false(ek_policy_wants(&ek_policy_spread, &cluster, &levels, text, sizeof(text)));
        assert_string_equal(text, cases[i].why);
    }
}

/* spread wants to act on a host above its target, naming what is above it and not what is merely
 * higher. */
static void spread_names_what_is_above_its_target(void **state)
{
    (void)state;
    model("h1 10c 10G; h2 10c 10G; a@h1 1v 8G 7.5c; b@h2 1v 1G 1c");
    wants(&ek_policy_spread, true, "cpu of h1 is at 75 %, above its target");
}

/* spread wants to act on imbalance above the trigger, above the comfort threshold alone. */
static void spread_wants_above_trigger_and_comfort(void **state)
{
    (void)state;
    model("h1 10c; h2 10c; a@h1 1v 1G 6.5c; b@h2 1v 1G 4c");
    wants(&ek_policy_spread, true, "imbalance of cpu is 0.125, above the trigger of 0.100");
    model("h1 10c; h2 10c; a@h1 1v 1G 5.5c; b@h2 1v 1G 3c");
    wants(&ek_policy_spread, false, "every host is below the comfort threshold of 60 %");
    model("h1 10c; h2 10c; a@h1 1v 1G 6.5c; b@h2 1v 1G 5c");
    wants(&ek_policy_spread, false, "imbalance is below the trigger of 0.100");
}

/* A resource without weight is no reason to act. */
static void spread_passes_over_what_has_no_weight(void **state)
{
    (void)state;
    policy.weight[EK_CPU] = 0;
    model("h1 10c; h2 10c; a@h1 1v 1G 6.5c; b@h2 1v 1G 1c");
    wants(&ek_policy_spread, false, "imbalance is below the trigger of 0.100");
}

/* At aggressiveness 1 spread wants nothing, whatever the load. */
static void spread_sleeps_at_level_one(void **state)
{
    (void)state;
    ek_policy_set_aggressiveness(&policy, 1);
    model("h1 10c; h2 10c; a@h1 1v 1G 9c; b@h1 1v 1G 1c");
    wants(&ek_policy_spread, false, "aggressiveness 1 moves for must rules and maintenance only");
}

/* Overload comes before balance: the move that ends most of it is chosen. */
static void spread_ends_overload_first(void **state)
{
    (void)state;
    model("h1 10c; h2 10c; a@h1 1v 13G 1c; b@h1 1v 1G 2c; c@h1 1v 1G 5.5c immovable");
    next(&ek_policy_spread, "b->h2");
}

/* Among equal moves UUID and host name decide. */
static void spread_is_decided_by_names(void **state)
{
    (void)state;
    model("h1 10c; h3 10c; h2 10c; b@h1 1v 1G 3c; a@h1 1v 1G 3c; c@h1 1v 1G 3c");
    next(&ek_policy_spread, "a->h2");
    settled[ek_test_domain(&snapshot, "a")] = true;
    next(&ek_policy_spread, "b->h2");
}

/* spread lifts no host above its target, and moves nothing to a host that is not in use. */
static void spread_stays_below_the_target(void **state)
{
    (void)state;
    model("h1 10c; h2 10c; h3 10c maintenance; h4 10c stale; a@h1 1v 1G 9c; b@h2 1v 1G 1c");
    next(&ek_policy_spread, "");
}

/* drain wants to act while anything is on a host in maintenance. */
static void drain_wants_empty_hosts(void **state)
{
    (void)state;
    model("h1 maintenance; h2; a@h1; b@h1; c@h2");
    wants(&ek_policy_drain, true, "2 domains are on hosts in maintenance");
    model("h1 maintenance; h2; c@h2");
    wants(&ek_policy_drain, false, "0 domains are on hosts in maintenance");
}

/* drain passes over a domain that fits nowhere and goes on with the next largest. */
static void drain_passes_over_what_fits_nowhere(void **state)
{
    (void)state;
    model("h1 64c 64G maintenance; h2; a@h1 1v 1G 0c; b@h1 1v 2G 0c; c@h1 1v 32G 0c");
    next(&ek_policy_drain, "b->h2");
    settled[ek_test_domain(&snapshot, "b")] = true;
    next(&ek_policy_drain, "a->h2");
    settled[ek_test_domain(&snapshot, "a")] = true;
    next(&ek_policy_drain, "");
}

/* drain makes the least overload and then the best balance. */
static void drain_chooses_the_best_host(void **state)
{
    (void)state;
    model("h1 10c maintenance; h2 10c; h3 10c; a@h1 1v 1G 2c; b@h2 1v 1G 4c; c@h3 1v 1G 1c");
    next(&ek_policy_drain, "a->h3");
    model("h1 10c maintenance; h2 10c; h3 10c; a@h1 1v 1G 4c; b@h2 1v 1G 6c; c@h3 1v 1G 5c");
    next(&ek_policy_drain, "a->h3");
}

/* Each level of aggressiveness is at least as eager as the one below it. */
static void levels_grow_more_eager(void **state)
{
    struct ek_policy next_level = policy;

    (void)state;
    for (int level = 1; level < 5; level++) {
        ek_policy_set_aggressiveness(&policy, level);
        ek_policy_set_aggressiveness(&next_level, level + 1);
        assert_true(next_level.trigger_imbalance < policy.trigger_imbalance);
        assert_true(next_level.trigger_comfort < policy.trigger_comfort);
        assert_true(next_level.min_gain < policy.min_gain);
        assert_true(next_level.cost_weight <= policy.cost_weight);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(policies_are_found),
        TEST(nothing_seen_is_no_comfort),
        TEST(spread_names_what_is_above_its_target),
        TEST(spread_wants_above_trigger_and_comfort),
        TEST(spread_passes_over_what_has_no_weight),
        TEST(spread_sleeps_at_level_one),
        TEST(spread_ends_overload_first),
        TEST(spread_is_decided_by_names),
        TEST(spread_stays_below_the_target),
        TEST(drain_wants_empty_hosts),
        TEST(drain_passes_over_what_fits_nowhere),
        TEST(drain_chooses_the_best_host),
        TEST(levels_grow_more_eager),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
