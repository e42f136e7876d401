/* What each kind of rule forbids, allows and counts. */
#include "balancer/core/rules/rule_set.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"

#include <math.h>
#include <string.h>

static struct ek_snapshot snapshot;
static struct ek_rules rules;
static struct ek_rule_set set;

static int teardown(void **state)
{
    (void)state;
    ek_rule_set_finish(&set);
    ek_rules_finish(&rules);
    ek_snapshot_finish(&snapshot);
    return 0;
}

static void model(const char *cluster, const char *text)
{
    struct ek_error err;

    ek_test_cluster(&snapshot, cluster);
    ek_test_rules(&rules, text);
    assert_true(ek_rule_set_init(&set, &rules, &snapshot, &err));
}

static uint32_t block(const char *domain, const char *host)
{
    return ek_rule_set_block(&set, ek_test_domain(&snapshot, domain),
                             ek_test_host(&snapshot, host));
}

static uint32_t transit(const char *domain, const char *host)
{
    return ek_rule_set_transit_block(&set, ek_test_domain(&snapshot, domain),
                                     ek_test_host(&snapshot, host));
}

static void move(const char *domain, const char *host)
{
    ek_rule_set_move(&set, ek_test_domain(&snapshot, domain), ek_test_host(&snapshot, host));
}

static void explains(const char *domain, const char *host, const char *expected)
{
    struct ek_arena arena = {0};
    const char *text = ek_rule_explain(&set, 0, ek_test_domain(&snapshot, domain),
                                       ek_test_host(&snapshot, host), &arena);

    assert_string_equal(text, expected);
    ek_arena_finish(&arena);
}

/* The names of the offenders, with blanks between them. */
static void offenders(const char *expected)
{
    uint32_t found[16];
    struct ek_text text = {.used = 0};
    size_t count = ek_rule_set_offenders(&set, EK_MUST, found);

    for (size_t i = 0; i < count; i++) {
        ek_text_add(&text, "%s%s", i == 0 ? "" : " ", snapshot.domains[found[i]].name);
    }
    assert_string_equal(text.text, expected);
}

/* Without rules nothing is forbidden and nothing broken. */
static void no_rules_forbid_nothing(void **state)
{
    (void)state;
    model("h1; h2; a@h1; b@h1", "");
    assert_int_equal(block("a", "h2"), EK_NONE);
    assert_int_equal(transit("a", "h2"), EK_NONE);
    assert_int_equal(ek_rule_set_ignored(&set, 0), EK_NONE);
    move("a", "h2");
    assert_int_equal(ek_rule_set_broken(&set), 0);
    offenders("");
}

/* No member goes where another is, but where none is. */
static void anti_affinity_keeps_apart(void **state)
{
    (void)state;
    model("h1; h2; h3; web-1@h1; web-2@h2; db@h2", "apart anti_affinity web-*");
    assert_int_equal(block("web-1", "h2"), 0);
    assert_int_equal(block("web-1", "h3"), EK_NONE);
    assert_int_equal(block("db", "h1"), EK_NONE);
    explains("web-1", "h2", "must rule apart: web-2 is on h2");
    move("web-2", "h3");
    assert_int_equal(block("web-1", "h2"), EK_NONE);
    assert_int_equal(block("web-1", "h3"), 0);
}

/* Racks are groups: inside its own a member may move; a host without a rack is a group alone. */
static void anti_affinity_over_racks(void **state)
{
    (void)state;
    model("h1 label=rack:r1; h2 label=rack:r1; h3 label=rack:r2; h4 label=rack:r2; h5; h6;"
          "a@h1; b@h3",
          "apart anti_affinity a,b by=rack");
    assert_int_equal(block("a", "h2"), EK_NONE);
    assert_int_equal(block("a", "h4"), 0);
    assert_int_equal(block("a", "h5"), EK_NONE);
    explains("a", "h4", "must rule apart: b is on h3, in the same rack");
    move("b", "h6");
    assert_int_equal(block("a", "h4"), EK_NONE);
    assert_int_equal(block("a", "h5"), EK_NONE);
    assert_int_equal(block("a", "h6"), 0);
}

/* What the input breaks is counted, blocks no repair, and is not passed on. */
static void broken_anti_affinity_may_be_repaired(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h1; c@h2", "apart anti_affinity a,b,c");
    assert_int_equal(ek_rule_set_broken(&set), 1);
    offenders("a b");
    assert_int_equal(block("a", "h2"), 0);
    assert_int_equal(block("a", "h3"), EK_NONE);
    assert_true(ek_rule_set_must_delta(&set, 0, 2) == -1);
    assert_true(ek_rule_set_must_delta(&set, 0, 1) == 0);
    move("a", "h3");
    assert_int_equal(ek_rule_set_broken(&set), 0);
    assert_true(ek_rule_set_must_cost(&set) == 0);
    offenders("");
}

/* In transit a domain counts on both hosts. */
static void anti_affinity_counts_in_transit(void **state)
{
    (void)state;
    model("h1; h2; h3; h4; a@h1; b@h2; c@h3->h4", "apart anti_affinity a,b,c");
    assert_int_equal(transit("a", "h3"), 0);
    assert_int_equal(transit("a", "h4"), 0);
    explains("a", "h3", "must rule apart: another of its domains is on its way");
    ek_rule_set_vacate(&set, 2, 2);
    assert_int_equal(transit("a", "h3"), EK_NONE);
    ek_rule_set_occupy(&set, 1, 2);
    assert_int_equal(transit("a", "h3"), 0);
    assert_int_equal(transit("a", "h2"), 0);
    ek_rule_set_vacate(&set, 1, 2);
    move("b", "h3");
    assert_int_equal(transit("a", "h2"), EK_NONE);
}

/* A settled placement may not split a group; a step of a plan may. */
static void affinity_binds_settled_placements(void **state)
{
    (void)state;
    model("h1; h2; app@h1; cache@h1", "near affinity app,cache");
    assert_int_equal(block("app", "h2"), 0);
    assert_int_equal(transit("app", "h2"), EK_NONE);
    explains("app", "h2", "must rule near: cache is on h1");
    move("app", "h2");
    assert_int_equal(ek_rule_set_broken(&set), 1);
    assert_int_equal(block("cache", "h2"), EK_NONE);
    move("cache", "h2");
    assert_int_equal(ek_rule_set_broken(&set), 0);
}

/* A split group may come together, and may not be split further. */
static void split_affinity_may_not_get_worse(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h1; c@h2; d@h2", "near affinity a,b,c,d");
    assert_int_equal(block("a", "h2"), EK_NONE);
    assert_int_equal(block("a", "h3"), 0);
    offenders("a b c d");
    move("a", "h2");
    assert_int_equal(block("c", "h1"), 0);
    assert_int_equal(block("b", "h3"), EK_NONE);
    move("b", "h2");
    assert_int_equal(ek_rule_set_broken(&set), 0);
}

/* Affinity over racks lets a group move inside its rack. */
static void affinity_over_racks(void **state)
{
    (void)state;
    model("h1 label=rack:r1; h2 label=rack:r1; h3 label=rack:r2; a@h1; b@h1",
          "near affinity a,b by=rack");
    assert_int_equal(block("a", "h2"), EK_NONE);
    assert_int_equal(block("a", "h3"), 0);
    explains("a", "h3", "must rule near: b is on h1, in another rack");
}

/* A pin keeps domains on its hosts; off them already, they may go anywhere. */
static void pins_hold(void **state)
{
    (void)state;
    model("h1; h2; h3 label=gpu:yes; h4; in@h1; out@h4", "home pin in,out on=h1,label:gpu=yes");
    assert_int_equal(block("in", "h2"), 0);
    assert_int_equal(transit("in", "h2"), 0);
    assert_int_equal(block("in", "h3"), EK_NONE);
    assert_int_equal(block("out", "h2"), EK_NONE);
    assert_int_equal(ek_rule_set_broken(&set), 1);
    explains("in", "h2", "must rule home: h2 is none of its hosts");
    offenders("out");
    move("out", "h3");
    assert_int_equal(ek_rule_set_broken(&set), 0);
    assert_int_equal(block("out", "h4"), 0);
}

/* A host to be avoided takes in nobody; who is there may leave. */
static void avoided_hosts_are_avoided(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h2", "off avoid * on=h2");
    assert_int_equal(block("a", "h2"), 0);
    assert_int_equal(transit("a", "h2"), 0);
    assert_int_equal(block("a", "h3"), EK_NONE);
    assert_int_equal(block("b", "h1"), EK_NONE);
    explains("a", "h2", "must rule off: h2 is to be avoided");
    offenders("b");
}

/* A spread keeps its number of groups, and gives up those beyond it. */
static void spread_keeps_its_groups(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h2; c@h3", "wide spread a,b,c at_least=2");
    assert_int_equal(block("a", "h2"), EK_NONE);
    move("a", "h2");
    assert_int_equal(block("c", "h2"), 0);
    assert_int_equal(block("c", "h1"), EK_NONE);
    assert_int_equal(block("b", "h3"), EK_NONE);
    explains("c", "h2", "must rule wide: its domains need 2 different hosts");
    move("c", "h2");
    assert_int_equal(ek_rule_set_broken(&set), 1);
    offenders("a b c");
}

/* Two moves that are fine one by one may not run at once when either end breaks the spread. */
static void spread_counts_all_that_moves(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h2; c@h3", "wide spread a,b,c at_least=2");
    assert_int_equal(transit("a", "h2"), EK_NONE);
    ek_rule_set_occupy(&set, 0, 1);
    assert_int_equal(transit("c", "h2"), 0);
    assert_int_equal(transit("c", "h1"), 0);
    ek_rule_set_vacate(&set, 0, 1);
    move("a", "h2");
    assert_int_equal(transit("c", "h1"), EK_NONE);
}

/* At most one group for each domain is demanded of a spread. */
static void spread_asks_for_what_can_be(void **state)
{
    (void)state;
    model("h1; h2; a@h1; b@h2", "wide spread a,b at_least=3");
    assert_int_equal(ek_rule_set_broken(&set), 0);
    assert_int_equal(block("a", "h2"), 0);
}

/* Ignored domains are told with their rule; they belong to no other count. */
static void ignored_domains_have_their_rule(void **state)
{
    (void)state;
    model("h1; h2; a@h1 label=pinned:true; b@h1", "alone ignore label:pinned=true");
    assert_int_equal(ek_rule_set_ignored(&set, 0), 0);
    assert_int_equal(ek_rule_set_ignored(&set, 1), EK_NONE);
    explains("a", "h2", "rule alone leaves it alone");
    assert_int_equal(ek_rule_set_broken(&set), 0);
}

/* A host that a rule leaves alone is told with the first such rule; it has no domains to miss. */
static void ignored_hosts_have_their_rule(void **state)
{
    (void)state;
    model("h1; h2 label=rack:lab; a@h1", "x ignore - on=label:rack=lab; y ignore - on=h2");
    assert_int_equal(ek_rule_set_ignored_host(&set, 0), EK_NONE);
    assert_int_equal(ek_rule_set_ignored_host(&set, 1), 0);
    assert_int_equal(ek_rule_set_ignored(&set, 0), EK_NONE);
    assert_int_equal(set.problem_count, 0);
}

/* Should rules forbid nothing; what they cost is their weight times how far they are from kept. */
static void should_rules_cost(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h1; c@h1",
          "apart anti_affinity * should weight=3; off avoid c on=h2 should");
    assert_int_equal(block("a", "h1"), EK_NONE);
    assert_int_equal(block("c", "h2"), EK_NONE);
    assert_int_equal(ek_rule_set_broken(&set), 0);
    assert_true(ek_rule_set_should_cost(&set) == 6);
    assert_true(ek_rule_set_should_delta(&set, 0, 1) == -3);
    assert_true(ek_rule_set_should_delta(&set, 2, 1) == -2);
    move("c", "h2");
    assert_true(ek_rule_set_should_cost(&set) == 4);
    offenders("");
}

/* Of a split group, one domain astray costs one. */
static void affinity_costs_what_is_astray(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1; b@h1; c@h1; d@h2", "near affinity * should");
    assert_true(ek_rule_set_should_cost(&set) == 1);
    assert_true(fabs(ek_rule_set_should_delta(&set, 0, 1) - 1.0 / 3) < 1e-12);
    assert_true(ek_rule_set_should_delta(&set, 3, 0) == -1);
}

/* Rules that domains carry join those of the policy; one group is one rule. */
static void carried_rules_apply(void **state)
{
    (void)state;
    model("h1; h2; a@h1 rule=anti_affinity+group=web; b@h2 rule=anti_affinity+group=web;"
          "c@h1 rule=pin+hosts=h1 rule=ignore",
          "");
    assert_int_equal(set.rule_count, 3);
    assert_int_not_equal(block("a", "h2"), EK_NONE);
    assert_string_equal(ek_rule_set_rule(&set, block("a", "h2"))->name, "web");
    assert_int_not_equal(block("c", "h2"), EK_NONE);
    assert_int_not_equal(ek_rule_set_ignored(&set, 2), EK_NONE);
}

/* A domain that several selectors of one rule name is one member. */
static void a_member_counts_once(void **state)
{
    (void)state;
    model("h1; h2; a@h1; b@h2", "apart anti_affinity a,a,*,?,b");
    assert_int_equal(ek_rule_set_broken(&set), 0);
    assert_int_equal(block("a", "h2"), 0);
}

/* Nobody overtakes a held domain in a rule that counts groups; elsewhere order is free. */
static void held_rules_keep_the_order(void **state)
{
    (void)state;
    model("h1; h2; a@h1; b@h1; c@h1; d@h1", "x anti_affinity a,b; y affinity c,d; z pin a,c on=h1");
    ek_rule_set_hold(&set, 0);
    ek_rule_set_hold(&set, 2);
    assert_true(ek_rule_set_held(&set, 1));
    assert_false(ek_rule_set_held(&set, 3));
    ek_rule_set_release(&set);
    assert_false(ek_rule_set_held(&set, 1));
}

/* A copy elsewhere keeps others of an anti-affinity rule off its host, too. */
static void copies_stand_in_the_way(void **state)
{
    struct ek_copy copy = {.domain = 0, .host = 1};
    struct ek_error err;

    (void)state;
    ek_test_cluster(&snapshot, "h1; h2; h3; a@h1; b@h3");
    snapshot.copies = &copy;
    snapshot.copy_count = 1;
    ek_test_rules(&rules, "apart anti_affinity a,b");
    assert_true(ek_rule_set_init(&set, &rules, &snapshot, &err));
    assert_int_equal(block("b", "h2"), 0);
    assert_int_equal(ek_rule_set_broken(&set), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_rules_forbid_nothing),
        TEST(anti_affinity_keeps_apart),
        TEST(anti_affinity_over_racks),
        TEST(broken_anti_affinity_may_be_repaired),
        TEST(anti_affinity_counts_in_transit),
        TEST(affinity_binds_settled_placements),
        TEST(split_affinity_may_not_get_worse),
        TEST(affinity_over_racks),
        TEST(pins_hold),
        TEST(avoided_hosts_are_avoided),
        TEST(spread_keeps_its_groups),
        TEST(spread_counts_all_that_moves),
        TEST(spread_asks_for_what_can_be),
        TEST(ignored_domains_have_their_rule),
        TEST(ignored_hosts_have_their_rule),
        TEST(should_rules_cost),
        TEST(affinity_costs_what_is_astray),
        TEST(carried_rules_apply),
        TEST(a_member_counts_once),
        TEST(held_rules_keep_the_order),
        TEST(copies_stand_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
