#include "balancer/core/planner/plan.h"

#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/random.h"

#include <stdio.h>
#include <string.h>

static struct ek_planning it;
static struct ek_error err;

static int teardown(void **state)
{
    (void)state;
    ek_planning_end(&it);
    return 0;
}

static void plan(const char *cluster)
{
    ek_planning_begin(&it, cluster);
    ek_planning_run(&it, NULL);
}

/* ---- evacuation ------------------------------------------------------------------------------ */

/* Every domain of a host in maintenance leaves, the largest first. */
static void evacuation_empties_the_host_largest_first(void **state)
{
    (void)state;
    plan("h1 maintenance; h2; h3; a@h1 1v 1G 0c; b@h1 1v 4G 0c; c@h1 1v 2G 0c");
    ek_planning_expect(&it, "b h1->h2 evacuate\nc h1->h3 evacuate\na h1->h3 evacuate\n");
    assert_int_equal(it.plan.unresolved_count, 0);
}

/* Evacuation prefers hosts below their target. */
static void evacuation_prefers_hosts_below_target(void **state)
{
    (void)state;
    plan("h1 10c maintenance; h2 10c; h3 10c; a@h1 1v 1G 3c; b@h2 1v 1G 5c; c@h3 1v 8G 3.9c");
    ek_planning_expect(&it, "a h1->h3 evacuate\n");
    assert_null(strstr(it.plan.moves[0].reason, "no host stays below its target"));
}

/* When no host stays below its target, the target gives way and the reason says so. */
static void evacuation_says_when_the_target_gives_way(void **state)
{
    (void)state;
    plan("h1 10c maintenance; h2 10c; a@h1 1v 1G 3c; b@h2 1v 1G 5c");
    ek_planning_expect(&it, "a h1->h2 evacuate\n");
    assert_non_null(strstr(it.plan.moves[0].reason, "h1 is in maintenance"));
    assert_non_null(strstr(it.plan.moves[0].reason, "no host stays below its target"));
}

/* A large domain that needs the target to give way is placed before the small ones take its room.
 */
static void small_domains_leave_room_for_the_large(void **state)
{
    (void)state;
    plan("h1 64c 64G maintenance; h2 64c 40G; h3 64c 36G;"
         "big@h1 1v 36G 0c; s1@h1 1v 8G 0c; s2@h1 1v 8G 0c; s3@h1 1v 8G 0c");
    assert_int_equal(it.plan.unresolved_count, 0);
    ek_planning_expect(&it, "big h1->h2 evacuate\ns1 h1->h3 evacuate\ns2 h1->h3 evacuate\n"
                            "s3 h1->h3 evacuate\n");
}

/* Capacity never gives way: a domain that fits nowhere stays, with the first reason of each host.
 */
static void stuck_domains_list_every_host(void **state)
{
    (void)state;
    plan(
        "h1 64c 64G maintenance; h2 16G; h3 down; h4 maintenance; h5 net=; a@h1 1v 32G 0c net=br0");
    ek_planning_expect(&it, "");
    ek_planning_expect_stuck(
        &it, "a on h1: h2: 32768 MiB of memory needed, 15565 MiB may still be given; "
             "h3: host is down; h4: host is in maintenance; h5: no network br0 there\n");
}

/* What cannot move at all says why, once. */
static void immovable_domains_say_why(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance; h2; a@h1 immovable");
    it.snapshot.domains[0].immovable_reason = "has a host device";
    ek_planning_run(&it, NULL);
    ek_planning_expect_stuck(&it, "a on h1: has a host device\n");
}

/* What time will end is said to be so for now: a stale host, an unseen arrival, room that a running
 * move still holds. */
static void what_passes_is_for_now(void **state)
{
    static const char *const texts[] = {
        "h1 maintenance; h2 stale; a@h1",
        "h1 maintenance; h2; h3 down; a@h1; ?@h3->h2",
        "h1 maintenance; h2; h3 down; a@h1 1v 9G 0c; b@h2->h3 1v 9G 0c",
        "h1 stale maintenance; h2; a@h1",
    };
    static const char *const lasting[] = {
        "h1 maintenance; h2 down; a@h1",
        "h1 maintenance; h2; a@h1 1v 99G",
        "h1 maintenance; a@h1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        plan(texts[i]);
        assert_int_equal(it.plan.unresolved_count, 1);
        assert_true(it.plan.unresolved[0].for_now);
        ek_planning_end(&it);
    }
    for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++) {
        plan(lasting[i]);
        assert_int_equal(it.plan.unresolved_count, 1);
        assert_false(it.plan.unresolved[0].for_now);
        ek_planning_end(&it);
    }
}

/* The only other host, avoided after a failure, is so for now. */
static void an_avoided_host_is_for_now(void **state)
{
    struct ek_cooldown *cooldown = ek_cooldown_create();

    (void)state;
    ek_planning_begin(&it, "h1 maintenance; h2; a@h1");
    assert_true(ek_cooldown_failed(cooldown, &it.policy, "a", "h2", 1000000, &err));
    ek_planning_run(&it, cooldown);
    ek_planning_expect_stuck(
        &it, "a on h1 for now: h2: a move to that host failed lately (for another 80 s)\n");
    ek_cooldown_destroy(cooldown);
}

/* Who fits nowhere does not wait for balancing to make room: another one makes way for it. */
static void room_is_made_for_the_stuck(void **state)
{
    (void)state;
    plan("h1 32c 16G maintenance; h2 8c 16G; h3 32c 8G; a@h1 1v 12G 0c 1G; b@h2 1v 7G 7c 1G");
    ek_planning_expect(&it, "b h2->h3 evacuate\na h1->h2 evacuate\n");
    assert_int_equal(it.plan.unresolved_count, 0);
}

/* The number of moves is not limited for an evacuation. */
static void moves_per_plan_does_not_hold_evacuation(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance; h2; a@h1; b@h1; c@h1");
    it.policy.moves_per_plan = 1;
    ek_planning_run(&it, NULL);
    assert_int_equal(it.plan.move_count, 3);
}

/* A domain in flight is not moved again, and is not listed as stuck either. */
static void what_is_leaving_is_left_alone(void **state)
{
    (void)state;
    plan("h1 maintenance; h2; a@h1->h2");
    ek_planning_expect(&it, "");
    ek_planning_expect_stuck(&it, "");
}

/* ---- several hosts in maintenance ------------------------------------------------------------ */

static void plan_all_memory(const char *cluster, const char *begun,
                            const struct ek_cooldown *cooldown)
{
    ek_planning_begin(&it, cluster);
    it.policy.memory_reserve = 0;
    it.policy.memory_overcommit = 1;
    if (begun != NULL) {
        it.snapshot.hosts[ek_test_host(&it.snapshot, begun)].begun = true;
    }
    ek_planning_run(&it, cooldown);
}

/* Hosts that can each be emptied alone, and not together: one is. */
static void of_hosts_in_each_others_way_one_is_emptied(void **state)
{
    (void)state;
    plan_all_memory("h1 maintenance; h2 maintenance; h3 6G; a@h1 1v 3G 0c; b@h1 1v 2G 0c;"
                    "c@h2 1v 3G 0c; d@h2 1v 2G 0c",
                    NULL, NULL);
    ek_planning_expect(&it, "a h1->h3 evacuate\nb h1->h3 evacuate\n");
    ek_planning_end(&it);
    /* As many as can be. */
    plan_all_memory("h1 maintenance; h2 maintenance; h3 maintenance; h4 11G; a@h1 1v 3G 0c;"
                    "b@h1 1v 2G 0c; c@h2 1v 3G 0c; d@h2 1v 2G 0c; e@h3 1v 3G 0c; f@h3 1v 2G 0c",
                    NULL, NULL);
    assert_int_equal(it.plan.move_count, 4);
}

/* One that could not be emptied alone either is held first, and keeps no other one. */
static void who_cannot_be_emptied_alone_is_in_nobodys_way(void **state)
{
    static const char *const hopeless[] = {
        "h1 maintenance; h2 maintenance; h3 6G; a@h1 1v 5G 0c; b@h1 1v 2G 0c; c@h2 1v 3G 0c",
        "h1 maintenance; h2 maintenance; h3 6G; a@h1 1v 5G 0c; b@h1 1v 1M immovable; c@h2 1v 3G 0c",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++) {
        plan_all_memory(hopeless[i], NULL, NULL);
        ek_planning_expect(&it, "c h2->h3 evacuate\n");
        ek_planning_end(&it);
    }
}

/* What has begun is placed first, however large others are. */
static void what_has_begun_is_placed_first(void **state)
{
    (void)state;
    plan_all_memory("h1 maintenance; h2 maintenance; h3 3G; a@h1 1v 2G 0c; b@h2 1v 3G 0c", "h1",
                    NULL);
    ek_planning_expect(&it, "a h1->h3 evacuate\n");
    ek_planning_end(&it);
    plan_all_memory("h1 maintenance; h2 maintenance; h3 3G; a@h1 1v 2G 0c; b@h2 1v 3G 0c", NULL,
                    NULL);
    ek_planning_expect(&it, "b h2->h3 evacuate\n");
}

/* Nor does it stay because more others could leave instead. */
static void what_has_begun_is_not_traded_for_more_others(void **state)
{
    (void)state;
    plan_all_memory("h1 maintenance; h2 maintenance; h3 3G; a@h1 1v 3G 0c; b@h2 1v 1G 0c;"
                    "c@h2 1v 1G 0c",
                    "h1", NULL);
    ek_planning_expect(&it, "a h1->h3 evacuate\n");
    assert_true(it.plan.unresolved_count == 2 && it.plan.unresolved[0].for_now);
}

/* The room of one who waits after a failed move is kept as well: the other host says for whom. */
static void promised_room_is_kept_for_who_waits(void **state)
{
    static const char cluster[] = "h1 maintenance; h2 maintenance; h3 3G; a@h1 1v 2G 0c;"
                                  "b@h2 1v 2G 0c";
    struct ek_cooldown *cooldown = ek_cooldown_create();

    (void)state;
    plan_all_memory("h1", NULL, NULL); /* the policy */
    assert_true(ek_cooldown_failed(cooldown, &it.policy, "a", NULL, 1000000, &err));
    ek_planning_end(&it);
    plan_all_memory(cluster, "h1", cooldown);
    ek_planning_expect(&it, "");
    ek_planning_expect_stuck(
        &it, "b on h2 for now: its room is kept for h1, whose evacuation has begun\n"
             "a on h1 for now: waits after a failed move (for another 20 s)\n");
    ek_planning_end(&it);
    /* Nothing is kept for who has no place without the other one either. */
    plan_all_memory("h1 maintenance; h2 maintenance; h3 3G; a@h1 1v 4G 0c; b@h2 1v 2G 0c", "h1",
                    NULL);
    ek_planning_expect(&it, "b h2->h3 evacuate\n");
    ek_planning_end(&it);
    /* Nor for one whose room another one of its own host has. */
    plan_all_memory(
        "h1 maintenance; h2 maintenance; h3 5G; a@h1 1v 3G 0c block; b@h1 1v 3G 0c block;"
        "c@h2 1v 1G 0c",
        "h1", NULL);
    ek_planning_expect(&it, "c h2->h3 evacuate\n");
    ek_cooldown_destroy(cooldown);
}

/* ---- balance --------------------------------------------------------------------------------- */

static const char UNEVEN[] =
    "h1 10c 16G; h2 10c 16G; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";

/* A hot host gives a domain to a cold one, and the plan says from what to what. */
static void an_uneven_cluster_is_levelled(void **state)
{
    (void)state;
    plan(UNEVEN);
    ek_planning_expect(&it, "a h1->h2 balance\n");
    assert_string_equal(it.plan.moves[0].reason, "cpu of h1 65 % -> 35 %, of h2 0 % -> 30 %");
    assert_true(it.plan.after.score.spread < it.plan.before.score.spread);
    assert_near(it.plan.moves[0].gain, it.plan.before.score.spread - it.plan.after.score.spread,
                1e-9);
}

/* Nothing moves below the comfort threshold or below the trigger, and the summary says why. */
static void a_calm_cluster_is_left_alone(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 2c");
    ek_planning_expect(&it, "");
    assert_string_equal(it.plan.summary,
                        "nothing to move: every host is below the comfort threshold of 60 %");
    ek_planning_end(&it);
    plan("h1 10c; h2 10c; a@h1 1v 1G 6.5c; b@h2 1v 1G 5.5c");
    ek_planning_expect(&it, "");
    assert_string_equal(it.plan.summary,
                        "nothing to move: imbalance is below the trigger of 0.100");
}

/* A plan that brings less than min_gain is dropped as a whole. */
static void a_plan_below_min_gain_is_dropped(void **state)
{
    (void)state;
    ek_planning_begin(&it, UNEVEN);
    it.policy.min_gain = 0.999;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "");
    assert_non_null(strstr(it.plan.summary, "less than min_gain"));
    assert_near(it.plan.after.score.spread, it.plan.before.score.spread, 1e-9);
}

/* A move must earn more than its price. */
static void a_move_must_earn_its_price(void **state)
{
    (void)state;
    ek_planning_begin(&it, UNEVEN);
    it.policy.cost_weight = 100;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "");
    assert_non_null(strstr(it.plan.summary, "no move earns more than it costs"));
}

/* Where moves are free, one that only mirrors the cluster still earns nothing. */
static void rounding_earns_nothing(void **state)
{
    (void)state;
    for (int i = 1; i <= 60; i++) {
        struct ek_text text = {.used = 0};
        ek_text_add(&text, "h1 10c; h2 10c; h3 10c; x@h1 1v 1G 9c immovable;");
        for (int d = 0; d < 5; d++) {
            ek_text_add(&text, "d%d@h%d 1v 1G %.2fc 1M;", d, d < 3 ? 2 : 3, i * 0.02);
        }
        ek_planning_begin(&it, text.text);
        it.policy.cost_weight = 0;
        it.policy.min_gain = 0;
        ek_planning_run(&it, NULL);
        ek_planning_expect(&it, "");
        ek_planning_end(&it);
    }
}

/* Balancing is limited in its moves, and a domain moves at most once in a plan. */
static void a_plan_has_its_limits(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c; h2 10c; a@h1 1v 1G 2c; b@h1 1v 1G 2c; c@h1 1v 1G 2c;"
                           "d@h1 1v 1G 2c; e@h1 1v 1G 1c");
    it.policy.moves_per_plan = 1;
    ek_planning_run(&it, NULL);
    assert_int_equal(it.plan.move_count, 1);
}

/* What rests is not moved; what rests on a host in maintenance leaves all the same. */
static void resting_domains_do_not_balance(void **state)
{
    struct ek_cooldown *cooldown = ek_cooldown_create();

    (void)state;
    ek_planning_begin(&it, UNEVEN);
    for (size_t d = 0; d < it.snapshot.domain_count; d++) {
        assert_true(ek_cooldown_moved(cooldown, &it.policy, it.snapshot.domains[d].uuid,
                                      it.snapshot.taken_at_ms, &err));
    }
    ek_planning_run(&it, cooldown);
    ek_planning_expect(&it, "");
    it.snapshot.hosts[0].maintenance = true;
    ek_planning_run(&it, cooldown);
    assert_int_equal(it.plan.move_count, 3);
    ek_cooldown_destroy(cooldown);
}

/* With balancing held, or no policy, the plan evacuates and says why it does nothing else. */
static void held_balancing_still_evacuates(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; h3 10c maintenance; a@h1 1v 1G 9c; b@h1 1v 1G 1c; c@h3 1v 1G 1c");
    const struct ek_plan_request requests[] = {
        {.evaluation = &it.evaluation, .balance = &ek_policy_spread, .balance_held = "it is noon"},
        {.evaluation = &it.evaluation}};
    for (size_t i = 0; i < 2; i++) {
        ek_plan_finish(&it.plan);
        assert_true(ek_plan_make(&it.plan, &requests[i], &err));
        ek_planning_expect(&it, "c h3->h2 evacuate\n");
        assert_non_null(strstr(it.plan.summary, i == 0 ? "(it is noon)" : "(evacuation only)"));
    }
}

/* ---- the plan as a value --------------------------------------------------------------------- */

/* The same request gives the same id and the same moves in the same order. */
static void the_same_request_gives_the_same_plan(void **state)
{
    char id[EK_ID_SIZE];
    struct ek_text moves = {.used = 0};

    (void)state;
    plan(UNEVEN);
    memcpy(id, it.plan.id, sizeof(id));
    ek_test_print_moves(&it.plan, &moves);
    ek_planning_run(&it, NULL);
    assert_string_equal(it.plan.id, id);
    ek_planning_expect(&it, moves.text);
}

static void id_of(char *id, const struct ek_cooldown *cooldown, const char *held)
{
    struct ek_plan other;
    const struct ek_plan_request request = {.evaluation = &it.evaluation,
                                            .balance = &ek_policy_spread,
                                            .cooldown = cooldown,
                                            .balance_held = held};

    assert_true(ek_plan_make(&other, &request, &err));
    memcpy(id, other.id, EK_ID_SIZE);
    ek_plan_finish(&other);
}

/* Whatever a plan is made from changes its id: time, policy, rests, what holds it. */
static void different_requests_have_different_ids(void **state)
{
    struct ek_cooldown *cooldown = ek_cooldown_create();
    char ids[5][EK_ID_SIZE];

    (void)state;
    plan(UNEVEN);
    id_of(ids[0], NULL, NULL);
    id_of(ids[1], NULL, "held");
    assert_true(ek_cooldown_moved(cooldown, &it.policy, "a", 1000000, &err));
    id_of(ids[2], cooldown, NULL);
    it.snapshot.taken_at_ms++;
    id_of(ids[3], NULL, NULL);
    it.policy.memory_reserve += 0.01;
    id_of(ids[4], NULL, NULL);
    for (size_t a = 0; a < 5; a++) {
        for (size_t b = 0; b < a; b++) {
            assert_string_not_equal(ids[a], ids[b]);
        }
    }
    ek_cooldown_destroy(cooldown);
}

static void make_text(struct ek_snapshot *snapshot, struct ek_text *text)
{
    struct ek_policy policy;
    struct ek_evaluation evaluation;
    struct ek_plan made;

    ek_policy_defaults(&policy);
    ek_policy_set_aggressiveness(&policy, 4);
    assert_true(ek_snapshot_sort(snapshot, &err));
    assert_true(ek_evaluate(&evaluation, snapshot, &policy, &err));
    const struct ek_plan_request request = {
        .evaluation = &evaluation, .balance = &ek_policy_spread, .trials = 2000};
    assert_true(ek_plan_make(&made, &request, &err));
    ek_text_clear(text);
    ek_test_print_moves(&made, text);
    ek_text_add(text, "%a %a %zu stuck\n", made.after.score.overload, made.after.score.spread,
                made.unresolved_count);
    ek_plan_finish(&made);
    ek_evaluation_finish(&evaluation);
}

/* The order of hosts and domains in the snapshot changes nothing that matters. */
static void the_order_of_the_input_does_not_matter(void **state)
{
    static struct ek_text straight;
    static struct ek_text permuted;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct ek_random random = {seed};
        struct ek_snapshot snapshot;
        struct ek_snapshot other;
        ek_random_cluster(&snapshot, &random, 8);
        ek_random_permute(&other, &snapshot, &random);
        make_text(&snapshot, &straight);
        make_text(&other, &permuted);
        assert_string_equal(permuted.text, straight.text);
        ek_snapshot_finish(&other);
        ek_snapshot_finish(&snapshot);
    }
}

/* Nothing to plan for is a plan without moves, not an error. */
static void empty_clusters_have_empty_plans(void **state)
{
    static const char *const texts[] = {"", "h1", "h1 down; h2 down", "h1 maintenance",
                                        "h1 maintenance; h2 maintenance; a@h1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        plan(texts[i]);
        assert_int_equal(it.plan.move_count, 0);
        assert_int_equal(it.schedule.makespan_ms, 0);
        assert_true(strlen(it.plan.summary) > 0);
        ek_planning_end(&it);
    }
}

/* Five hundred stuck domains before a hundred hosts take memory in proportion, not squared. */
static void reasons_take_memory_in_proportion(void **state)
{
    static char text[64 * 1024];
    size_t used = 0;

    (void)state;
    for (int h = 1; h <= 100; h++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "h%d %s; ", h,
                                 h == 1 ? "maintenance" : "");
    }
    for (int d = 0; d < 500; d++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "d%d@h1 1v 99G;", d);
    }
    assert_true(used < sizeof(text));
    plan(text);
    assert_int_equal(it.plan.unresolved_count, 500);
    assert_true(it.plan.arena.bytes < 8 * 1024 * 1024);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evacuation_empties_the_host_largest_first),
        TEST(evacuation_prefers_hosts_below_target),
        TEST(evacuation_says_when_the_target_gives_way),
        TEST(small_domains_leave_room_for_the_large),
        TEST(stuck_domains_list_every_host),
        TEST(immovable_domains_say_why),
        TEST(what_passes_is_for_now),
        TEST(an_avoided_host_is_for_now),
        TEST(room_is_made_for_the_stuck),
        TEST(moves_per_plan_does_not_hold_evacuation),
        TEST(what_is_leaving_is_left_alone),
        TEST(of_hosts_in_each_others_way_one_is_emptied),
        TEST(who_cannot_be_emptied_alone_is_in_nobodys_way),
        TEST(what_has_begun_is_placed_first),
        TEST(what_has_begun_is_not_traded_for_more_others),
        TEST(promised_room_is_kept_for_who_waits),
        TEST(an_uneven_cluster_is_levelled),
        TEST(a_calm_cluster_is_left_alone),
        TEST(a_plan_below_min_gain_is_dropped),
        TEST(a_move_must_earn_its_price),
        TEST(rounding_earns_nothing),
        TEST(a_plan_has_its_limits),
        TEST(resting_domains_do_not_balance),
        TEST(held_balancing_still_evacuates),
        TEST(the_same_request_gives_the_same_plan),
        TEST(different_requests_have_different_ids),
        TEST(the_order_of_the_input_does_not_matter),
        TEST(empty_clusters_have_empty_plans),
        TEST(reasons_take_memory_in_proportion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
