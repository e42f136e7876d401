/* Plans under placement rules: what they keep, repair, prefer and leave alone. */
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/rules_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ek_planning it;
static struct ek_rules rules;

static int teardown(void **state)
{
    (void)state;
    ek_planning_end(&it);
    ek_rules_finish(&rules);
    return 0;
}

static void begin(const char *cluster, const char *text)
{
    ek_planning_end(&it);
    ek_rules_finish(&rules);
    ek_planning_begin(&it, cluster);
    ek_test_rules(&rules, text);
    it.policy.rules = &rules;
}

static void plan(const char *cluster, const char *text)
{
    begin(cluster, text);
    ek_planning_run(&it, NULL);
}

static void says(const char *text)
{
    if (strstr(it.plan.moves[0].reason, text) == NULL) {
        fail_msg("%s", it.plan.moves[0].reason);
    }
}

/* ---- hosts that are left alone --------------------------------------------------------------- */

/* A host that a rule leaves alone is not counted: however hot it is, nothing moves. */
static void ignored_hosts_are_not_counted(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; a@h1 1v 1G 5c; b@h1 1v 1G 4.9c", "lab ignore - on=h1");
    ek_planning_expect(&it, "");
    assert_true(it.plan.before.imbalance[EK_CPU] < 1e-9);
    assert_int_equal(it.plan.before.violations, 0);
}

/* It takes nobody in, neither for balance nor from a host in maintenance, and the reason names the
 * rule. */
static void ignored_hosts_are_no_destination(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; h3 10c; a@h1 1v 1G 4c; b@h1 1v 1G 4c", "lab ignore - on=h3");
    ek_planning_expect(&it, "a h1->h2 balance\n");
    plan("h1 maintenance; h3; a@h1 1v 1G 0c", "lab ignore - on=h3");
    ek_planning_expect_stuck(&it, "a on h1: h3: rule lab leaves h3 alone\n");
}

/* An operator's maintenance empties it all the same. */
static void maintenance_empties_an_ignored_host(void **state)
{
    (void)state;
    plan("h1 maintenance; h2; a@h1 1v 1G 0c", "lab ignore - on=h1");
    ek_planning_expect(&it, "a h1->h2 evacuate\n");
}

/* ---- must rules that the input breaks -------------------------------------------------------- */

/* A broken must rule is mended by one move, at every aggressiveness, and the reason names the rule.
 */
static void broken_rules_are_mended(void **state)
{
    (void)state;
    begin("h1; h2; h3; web-1@h3 1v 2G 0c; web-2@h3 1v 1G 0c", "web-apart anti_affinity web-*");
    for (int level = 1; level <= 5; level++) {
        ek_policy_set_aggressiveness(&it.policy, level);
        ek_planning_run(&it, NULL);
        assert_int_equal(it.plan.move_count, 1);
        assert_int_equal(it.plan.moves[0].kind, EK_MOVE_RULE);
        assert_int_equal(it.plan.after.violations, 0);
    }
    says("must rule web-apart: web-2 leaves h3, where web-1 is");
}

/* Of two that could go the cheaper one does. */
static void the_cheaper_move_mends(void **state)
{
    (void)state;
    begin("h1; h2; a@h1 1v 6G 0c; b@h1 1v 1G 0c", "apart anti_affinity a,b");
    ek_policy_set_aggressiveness(&it.policy, 1);
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "b h1->h2 rule\n");
}

/* One move that mends two rules is chosen before two moves. */
static void the_fewest_moves_mend(void **state)
{
    (void)state;
    plan("h1; h2; h3; a@h1 1v 1G 0c; b@h1 1v 4G 0c; c@h1 1v 1G 0c",
         "x anti_affinity a,b; y anti_affinity b,c");
    assert_int_equal(it.plan.move_count, 1);
    assert_string_equal(it.snapshot.domains[it.plan.moves[0].domain].name, "b");
}

/* A resting domain is moved for a must rule, one that failed lately waits. */
static void rest_does_not_hold_a_repair(void **state)
{
    struct ek_cooldown *cooldown = ek_cooldown_create();
    struct ek_error err = {0};

    (void)state;
    begin("h1; h2; a@h1 1v 1G 0c", "home pin a on=h2");
    assert_true(ek_cooldown_moved(cooldown, &it.policy, "a", 999000, &err));
    ek_planning_run(&it, cooldown);
    ek_planning_expect(&it, "a h1->h2 rule\n");
    says("must rule home: a leaves h1, which is none of its hosts");
    assert_true(ek_cooldown_failed(cooldown, &it.policy, "a", NULL, 999000, &err));
    ek_planning_run(&it, cooldown);
    ek_planning_expect(&it, "");
    assert_int_equal(it.plan.stuck_count, 0);
    assert_true(it.plan.unresolved_count == 1 && it.plan.unresolved[0].for_now);
    ek_cooldown_destroy(cooldown);
}

/* target_max gives way when nothing else does, and the reason says so. */
static void target_gives_way_to_must_rules_last(void **state)
{
    (void)state;
    begin("h1 10c; h2 10c; a@h1 1v 1G 6c; b@h2 1v 1G 3c; c@h1 1v 1G 0c", "apart anti_affinity a,c");
    ek_policy_set_aggressiveness(&it.policy, 1);
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "c h1->h2 rule\n");
    assert_null(strstr(it.plan.moves[0].reason, "no host stays below its target"));
    begin("h1 10c; h2 10c; a@h1 1v 1G 6c; b@h2 1v 1G 3c", "home pin a on=h2");
    ek_policy_set_aggressiveness(&it.policy, 1);
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "a h1->h2 rule\n");
    says("no host stays below its target");
}

/* What cannot be mended is listed with the rule and the first reason of each host; it keeps no host
 * from being empty. */
static void what_cannot_be_mended_is_listed(void **state)
{
    (void)state;
    plan("h1; h2 2G; a@h1 1v 4G 0c; b@h1 1v 8G 0c", "apart anti_affinity a,b");
    ek_planning_expect(&it, "");
    ek_planning_expect_stuck(&it, "a on h1: must rule apart: h2: 4096 MiB of memory needed, 1946 "
                                  "MiB may still be given\n");
    assert_int_equal(it.plan.stuck_count, 0);
}

/* Repairs count towards moves_per_plan; what is left comes with a later plan. */
static void repairs_are_limited(void **state)
{
    (void)state;
    begin("h1; h2; a@h1 1v 1G 0c; b@h1 1v 1G 0c; c@h1 1v 1G 0c", "home pin * on=h2");
    it.policy.moves_per_plan = 2;
    ek_planning_run(&it, NULL);
    assert_int_equal(it.plan.move_count, 2);
    assert_int_equal(it.plan.unresolved_count, 1);
    assert_non_null(strstr(it.plan.unresolved[0].reason, "in a later plan"));
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* A group that must stay together leaves a host in maintenance for one other, where all have room.
 */
static void groups_leave_together(void **state)
{
    (void)state;
    plan("h1 maintenance; h2 6G; h3 9G; a@h1 1v 3G 0c; b@h1 1v 4G 0c", "near affinity a,b");
    ek_planning_expect(&it, "b h1->h3 evacuate\na h1->h3 evacuate\n");
    assert_int_equal(it.plan.after.violations, 0);
}

/* The same in racks: any hosts of one rack. */
static void groups_leave_for_one_rack(void **state)
{
    (void)state;
    plan("h1 maintenance label=rack:r1; h2 5G label=rack:r2; h3 5G label=rack:r3;"
         "h4 5G label=rack:r3; a@h1 1v 4G 0c; b@h1 1v 4G 0c",
         "near affinity a,b by=rack");
    ek_planning_expect(&it, "a h1->h3 evacuate\nb h1->h4 evacuate\n");
}

/* Who is bound to somebody who cannot leave stays, and the reason says so. */
static void groups_stay_with_whom_cannot_leave(void **state)
{
    (void)state;
    plan("h1 maintenance; h2; a@h1 1v 1G 0c; b@h1 1v 1G 0c immovable", "near affinity a,b");
    ek_planning_expect(&it, "");
    ek_planning_expect_stuck(
        &it, "a on h1: h2: must rule near: b is on h1\nb on h1: cannot be migrated\n");
}

/* A split group is brought together at the least price. */
static void split_groups_are_joined(void **state)
{
    (void)state;
    plan("h1; h2; h3; a@h1 1v 4G 0c; b@h2 1v 1G 0c; c@h3 1v 1G 0c", "near affinity a,b,c");
    ek_planning_expect(&it, "b h2->h1 rule\nc h3->h1 rule\n");
    says("must rule near: b joins a on h1");
    assert_int_equal(it.plan.after.violations, 0);
}

/* A group one of whose domains is pinned elsewhere follows it. */
static void groups_follow_who_is_pinned(void **state)
{
    (void)state;
    plan("h1; h2; a@h1 1v 1G 0c; b@h1 1v 2G 0c", "near affinity a,b; home pin a on=h2");
    ek_planning_expect(&it, "b h1->h2 rule\na h1->h2 rule\n");
    assert_int_equal(it.plan.after.violations, 0);
    assert_int_equal(it.plan.unresolved_count, 0);
}

/* ---- making room ----------------------------------------------------------------------------- */

/* Who fits nowhere gets room: another domain moves out of its way first. */
static void others_make_room_for_an_evacuation(void **state)
{
    (void)state;
    plan("h1 maintenance; h2 9G; h3 5G; big@h1 1v 8G 0c; s@h2 1v 3G 0c", "");
    ek_planning_expect(&it, "s h2->h3 evacuate\nbig h1->h2 evacuate\n");
    says("makes room for big");
    assert_int_equal(it.plan.unresolved_count, 0);
}

/* Also when that one needs room itself. */
static void room_is_made_in_chains(void **state)
{
    (void)state;
    plan("h1 maintenance; h2 9G; h3 6G; h4 3G; big@h1 1v 8G 0c; m@h2 1v 4G 0c; s@h3 1v 2G 0c", "");
    ek_planning_expect(&it, "s h3->h4 evacuate\nm h2->h3 evacuate\nbig h1->h2 evacuate\n");
}

/* Several small ones go when no single one is large enough. */
static void several_make_room(void **state)
{
    (void)state;
    plan("h1 maintenance; h2 9G; h3 3G; h4 3G; big@h1 1v 8G 0c; s@h2 1v 2G 0c; t@h2 1v 2G 0c", "");
    assert_int_equal(it.plan.move_count, 3);
    assert_int_equal(it.plan.stuck_count, 0);
}

/* Two full hosts swap through a third: each domain is pinned to where the other one is. */
static void full_hosts_swap_through_a_third(void **state)
{
    (void)state;
    plan("h1 5G; h2 5G; h3 5G; a@h1 1v 4G 0c; b@h2 1v 4G 0c", "x pin a on=h2; y pin b on=h1");
    assert_int_equal(it.plan.move_count, 3);
    assert_int_equal(it.plan.moves[0].kind, EK_MOVE_PARK);
    assert_int_equal(it.plan.after.violations, 0);
    assert_int_equal(it.plan.unresolved_count, 0);
}

/* One who must go where another one stands waits on a third host until that one has come to where
 * it was. */
static void a_detour_lets_the_other_one_in(void **state)
{
    (void)state;
    begin("h1 5G; h2 5G; h3 3G; a@h1 1v 2G 0c; x@h1 1v 1G 0c immovable; b@h2 1v 3500M 0c",
          "home pin a on=h2; off avoid b on=h3");
    it.policy.target_max[EK_MEMORY] = 1;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "a h1->h3 park\nb h2->h1 rule\na h3->h2 rule\n");
    assert_int_equal(it.plan.after.violations, 0);
}

/* ---- should rules ---------------------------------------------------------------------------- */

/* Among destinations of like worth the one that keeps a should rule is taken. */
static void should_rules_choose_among_equals(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; h3 10c; a@h1 1v 1G 4c; b@h1 1v 1G 4c; z@h3 1v 1G 0c",
         "near affinity a,z should; near2 affinity b,z should");
    assert_int_equal(it.plan.moves[0].destination, 2);
}

/* A level cluster moves a domain for a should rule that pays its price, and not again. */
static void should_rules_earn_a_move(void **state)
{
    (void)state;
    plan("h1; h2; app@h1 1v 2G 0c; cache@h2 1v 1G 0c; x@h2 1v 3G 0c",
         "app-with-cache affinity app,cache should");
    ek_planning_expect(&it, "cache h2->h1 rule\n");
    says("should rule app-with-cache: cache joins app on h1");
    plan("h1; h2; app@h1 1v 2G 0c; cache@h1 1v 1G 0c; x@h2 1v 3G 0c",
         "app-with-cache affinity app,cache should");
    ek_planning_expect(&it, "");
}

/* A domain many times as large as the others is too dear for one should rule; weight pays for it.
 */
static void should_rules_must_pay(void **state)
{
    static const char cluster[] =
        "h1 64G; h2 64G; big@h1 1v 40G 0c; a@h1 1v 1G 0c; b@h1 1v 1G 0c; c@h1 1v 1G 0c;"
        "d@h2 1v 1G 0c; e@h2 1v 1G 0c; f@h2 1v 1G 0c; g@h2 1v 1G 0c";

    (void)state;
    begin(cluster, "off avoid big on=h1 should");
    it.policy.trigger_imbalance = 0.5;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "");
    begin(cluster, "off avoid big on=h1 should weight=10");
    it.policy.trigger_imbalance = 0.5;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "big h1->h2 rule\n");
}

/* For a should rule no host is made less level than the trigger allows. */
static void should_rules_do_not_unlevel(void **state)
{
    (void)state;
    plan("h1 10c; h2 10c; a@h1 1v 1G 4c; b@h2 1v 1G 2.5c", "near affinity a,b should weight=1000");
    ek_planning_expect(&it, "");
}

/* Under pack no empty host is filled for a should rule. */
static void pack_keeps_hosts_empty_for_no_should_rule(void **state)
{
    (void)state;
    begin("h1; h2; a@h1 1v 1G 0c; b@h1 1v 1G 0c", "apart anti_affinity a,b should");
    ek_planning_run(&it, NULL);
    assert_int_equal(it.plan.move_count, 1);
    it.policy.kind = EK_POLICY_PACK;
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "");
}

/* While figures are in motion should rules wait; at aggressiveness 1 they never move anything. */
static void should_rules_wait(void **state)
{
    (void)state;
    begin("h1; h2; a@h1 1v 1G 0c; b@h2 1v 1G 0c", "near affinity a,b should");
    ek_policy_set_aggressiveness(&it.policy, 1);
    ek_planning_run(&it, NULL);
    ek_planning_expect(&it, "");
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

/* ---- many at once ------------------------------------------------------------------------------
 */

enum { HOSTS = 120, HOPELESS = 150, HOPEFUL = 120 };

/* Each hopeless group has two members that cannot move and one that can; each hopeful one has two
 * that can. */
static char *many_groups(void)
{
    size_t size = 100 * (HOSTS + 3 * HOPELESS + 2 * HOPEFUL);
    char *text = malloc(size);
    size_t used = 0;

    assert_non_null(text);
    for (int h = 0; h < HOSTS; h++) {
        used +=
            (size_t)snprintf(text + used, size - used, "%sh%03d 64c 64G", h == 0 ? "" : "; ", h);
    }
    for (int g = 0; g < HOPELESS; g++) {
        for (int m = 0; m < 3; m++) {
            used += (size_t)snprintf(text + used, size - used,
                                     "; a%03d-%d@h%03d 1v 1G .1c%s rule=affinity+group=a%03d", g, m,
                                     (g + 7 * m) % HOSTS, m < 2 ? " immovable" : "", g);
        }
    }
    for (int g = 0; g < HOPEFUL; g++) {
        for (int m = 0; m < 2; m++) {
            used += (size_t)snprintf(text + used, size - used,
                                     "; b%03d-%d@h%03d 1v 1G .1c rule=affinity+group=b%03d", g, m,
                                     (g + m) % HOSTS, g);
        }
    }
    assert_true(used < size);
    return text;
}

/* Many groups that find no place keep no other group from finding one, although they are asked
 * first and the work is bounded. */
static void hopeless_groups_keep_nobody_waiting(void **state)
{
    char *text = many_groups();

    (void)state;
    ek_planning_begin(&it, text);
    free(text);
    it.policy.moves_per_plan = 10000;
    ek_planning_run(&it, NULL);
    /* Who is alone in a hopeless group joins one of the others or stays; none of them counts. */
    size_t found = 0;
    for (size_t i = 0; i < it.plan.move_count; i++) {
        found += it.snapshot.domains[it.plan.moves[i].domain].name[0] == 'b' ? 1 : 0;
    }
    assert_int_equal(found, HOPEFUL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hopeless_groups_keep_nobody_waiting),
        TEST(ignored_hosts_are_not_counted),
        TEST(ignored_hosts_are_no_destination),
        TEST(maintenance_empties_an_ignored_host),
        TEST(broken_rules_are_mended),
        TEST(the_cheaper_move_mends),
        TEST(the_fewest_moves_mend),
        TEST(rest_does_not_hold_a_repair),
        TEST(target_gives_way_to_must_rules_last),
        TEST(what_cannot_be_mended_is_listed),
        TEST(repairs_are_limited),
        TEST(groups_leave_together),
        TEST(groups_leave_for_one_rack),
        TEST(groups_stay_with_whom_cannot_leave),
        TEST(split_groups_are_joined),
        TEST(groups_follow_who_is_pinned),
        TEST(others_make_room_for_an_evacuation),
        TEST(room_is_made_in_chains),
        TEST(several_make_room),
        TEST(full_hosts_swap_through_a_third),
        TEST(a_detour_lets_the_other_one_in),
        TEST(should_rules_choose_among_equals),
        TEST(should_rules_earn_a_move),
        TEST(should_rules_must_pay),
        TEST(should_rules_do_not_unlevel),
        TEST(pack_keeps_hosts_empty_for_no_should_rule),
        TEST(should_rules_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
