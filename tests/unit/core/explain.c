/* Explanations: the numbers behind moves, stays and refusals. */
#include "balancer/core/explain/explain.h"

#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct ek_planning it;
static struct ek_explanation explanation;
static struct ek_why_not answer;
static struct ek_rules rules;
static struct ek_rule one_rule;
static struct ek_cooldown *cooldown;
static const char *held;

static int setup(void **state)
{
    (void)state;
    cooldown = NULL;
    held = NULL;
    memset(&rules, 0, sizeof(rules));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_why_not_finish(&answer);
    ek_explanation_finish(&explanation);
    ek_planning_end(&it);
    ek_cooldown_destroy(cooldown);
    return 0;
}

static struct ek_plan_request request(void)
{
    return (struct ek_plan_request){.evaluation = &it.evaluation,
                                    .balance = ek_policy_find(it.policy.kind),
                                    .cooldown = cooldown,
                                    .balance_held = held};
}

/* Plans as the tool does, with what the test has set, and explains all. */
static void explain(void)
{
    struct ek_error err = {0};
    const struct ek_plan_request asked = request();

    ek_planning_run(&it, cooldown);
    if (held != NULL) {
        ek_schedule_finish(&it.schedule);
        ek_plan_finish(&it.plan);
        assert_true(ek_plan_make(&it.plan, &asked, &err));
        assert_true(ek_schedule_make(&it.schedule, &it.plan, &it.policy, &err));
    }
    assert_true(ek_explain_plan(&explanation, &it.plan, &asked, EK_NONE, &err));
    assert_int_equal(explanation.move_count, it.plan.move_count);
}

static void explain_text(const char *cluster)
{
    ek_planning_begin(&it, cluster);
    explain();
}

static void it_is_planned_for(const char *cluster)
{
    ek_planning_begin(&it, cluster);
    ek_planning_run(&it, NULL);
}

/* One must rule: the members apart, or whatever the kind is. */
static void must(enum ek_rule_kind kind, const char *const *domains, size_t count)
{
    one_rule = (struct ek_rule){
        .name = "rule-1", .kind = kind, .domains = {domains, count, true}, .enforcement = EK_MUST};
    rules.items = &one_rule;
    rules.count = 1;
    it.policy.rules = &rules;
}

static const struct ek_stay_explanation *stay_of(const char *domain)
{
    uint32_t index = ek_test_domain(&it.snapshot, domain);

    for (size_t i = 0; i < explanation.stay_count; i++) {
        if (explanation.stays[i].domain == index) {
            return &explanation.stays[i];
        }
    }
    fail_msg("%s does not stay", domain);
    return NULL;
}

static void expect_stay(const char *domain, enum ek_stay_cause cause, const char *reason)
{
    const struct ek_stay_explanation *stay = stay_of(domain);

    assert_string_equal(stay->reason, reason);
    assert_string_equal(ek_stay_cause_name(stay->cause), ek_stay_cause_name(cause));
}

static void ask(const char *domain, const char *host)
{
    struct ek_error err = {0};
    const struct ek_plan_request asked = request();

    ek_why_not_finish(&answer);
    assert_true(ek_explain_why_not(&answer, &it.plan, &asked, ek_test_domain(&it.snapshot, domain),
                                   ek_test_host(&it.snapshot, host), &err));
}

static const char *host_name(uint32_t host)
{
    return host == EK_NONE ? "none" : it.snapshot.hosts[host].name;
}

/* h1 is hot in CPU: one guest leaves. */
#define HOT "h1 10c; h2 10c; h3 10c; a@h1 2v 1G 4c; b@h1 2v 1G 4c; c@h2 2v 1G 0.2c; d@h3 2v 1G 2c"

/* ---- moves ----------------------------------------------------------------------------------- */

/* The rating of a replayed move is what the planner recorded, and before and after differ by it. */
static void moves_have_the_planners_numbers(void **state)
{
    (void)state;
    explain_text(HOT);
    ek_planning_expect(&it, "a h1->h2 balance\n");
    const struct ek_move_explanation *move = &explanation.moves[0];
    assert_near(move->rating.gain, it.plan.moves[0].gain, 1e-12);
    assert_near(move->before.levels.score.spread - move->after.levels.score.spread,
                move->rating.gain, 1e-12);
    assert_near(move->before.levels.score.overload - move->after.levels.score.overload,
                move->rating.overload_fall, 1e-12);
    assert_near(move->rating.worth,
                move->rating.gain + move->rating.should_worth - move->rating.price, 1e-12);
    assert_true(move->rating.pays);
}

/* The last move ends in the plan's own levels. */
static void the_replay_ends_where_the_plan_ends(void **state)
{
    (void)state;
    explain_text(HOT);
    const struct ek_levels *end = &explanation.moves[explanation.move_count - 1].after.levels;
    assert_memory_equal(&end->score, &it.plan.after.score, sizeof(end->score));
    assert_int_equal(end->violations, it.plan.after.violations);
}

/* The runner-up is the best of the other hosts, and worth less. */
static void the_runner_up_is_the_second_best_host(void **state)
{
    (void)state;
    explain_text(HOT);
    const struct ek_host_offers *others = &explanation.moves[0].others;
    assert_int_equal(others->open, 1);
    assert_string_equal(host_name(others->best.host), "h3");
    assert_true(others->best.rating.worth < explanation.moves[0].rating.worth);
    assert_false(explanation.moves[0].runner_up_first);
}

/* Without another host there is no runner-up, and each blocked host has its first reason. */
static void blocked_hosts_are_grouped_by_their_first_reason(void **state)
{
    (void)state;
    explain_text("h1 10c maintenance; h2 10c; h3 10c 512M; h4 10c 256M; h5 10c down;"
                 "a@h1 2v 1G 1c");
    const struct ek_host_offers *others = &explanation.moves[0].others;
    assert_int_equal(others->open, 0);
    assert_int_equal(others->best.host, EK_NONE);
    assert_int_equal(others->blocked_count, 2);
    assert_int_equal(others->blocked[0].block, EK_BLOCK_MEMORY);
    assert_int_equal(others->blocked[0].count, 2);
    assert_string_equal(host_name(others->blocked[0].host), "h3");
    assert_string_equal(host_name(others->blocked[0].hosts[0]), "h3");
    assert_string_equal(host_name(others->blocked[0].hosts[1]), "h4");
    assert_string_equal(others->blocked[0].text,
                        "1024 MiB of memory needed, 486 MiB may still be given");
    assert_string_equal(others->blocked[1].text, "host is down");
}

/* Each rule is a reason of its own, by its name. */
static void hosts_that_a_rule_blocks_name_the_rule(void **state)
{
    static const char *const apart[] = {"a", "b"};

    (void)state;
    ek_planning_begin(&it, "h1 10c maintenance; h2 10c; h3 10c; a@h1 2v 1G 1c; b@h3 2v 1G 1c");
    must(EK_RULE_ANTI_AFFINITY, apart, 2);
    explain();
    const struct ek_host_offers *others = &explanation.moves[0].others;
    assert_int_equal(others->blocked_count, 1);
    assert_string_equal(others->blocked[0].rule, "rule-1");
    assert_string_equal(others->blocked[0].text, "must rule rule-1: b is on h3");
}

/* A move that ends what a rule forbids says which rule it mends. */
static void moves_name_the_rules_that_they_mend(void **state)
{
    static const char *const apart[] = {"a", "b"};

    (void)state;
    ek_planning_begin(&it, "h1 10c maintenance; h2 10c; h3 10c; a@h1 2v 1G 1c; b@h1 2v 1G 1c");
    must(EK_RULE_ANTI_AFFINITY, apart, 2);
    explain();
    assert_string_equal(explanation.moves[0].rules, "mends must rule rule-1");
    assert_int_equal(explanation.moves[0].before.broken, 1);
    assert_int_equal(explanation.moves[0].after.broken, 0);
}

/* Two full hosts change guests through a third: the parked guest has two moves, both explained. */
static void parking_is_explained_too(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c 9G; h2 10c 9G; h3 10c 5G used=5.9c;"
                           "a@h1 1v 4G 5c 1M; b@h1 1v 4G 4.5c 1M; c@h2 1v 4G 0.9c 1M;"
                           "d@h2 1v 4G 0.9c 1M");
    it.policy.cost_weight = 0.1;
    explain();
    ek_planning_expect(&it, "c h2->h3 park\na h1->h2 balance\nc h3->h1 balance\n");
    assert_ptr_equal(explanation.moves[2].move, &it.plan.moves[2]);
    assert_int_equal(explanation.moves[1].others.blocked[0].block, EK_BLOCK_MEMORY);
    assert_int_equal(explanation.stay_count, 2);
}

/* ---- domains that stay ----------------------------------------------------------------------- */

/* What would level too little says what it gains and what it costs. */
static void a_stay_without_worth_has_both_numbers(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c 64G; h2 10c 64G; a@h1 2v 8G 6c; b@h1 2v 60G 0.4c 8G");
    it.policy.cost_weight = 8;
    it.policy.trigger_imbalance = 0.05;
    explain();
    const struct ek_stay_explanation *stay = stay_of("b");
    assert_int_equal(stay->cause, EK_STAY_NO_WORTH);
    assert_int_equal(stay->offers.open, 1);
    assert_true(stay->offers.best.rating.worth < 0);
    assert_false(stay->offers.best.rating.pays);
    assert_non_null(strstr(stay->reason, "h2, its best place, would"));
}

/* What the policy does not want is told in its own words. */
static void a_content_policy_says_so(void **state)
{
    (void)state;
    explain_text("h1 10c; h2 10c; a@h1 1v 1G 1c");
    expect_stay("a", EK_STAY_UNWANTED, "every host is below the comfort threshold of 60 %");
}

/* What holds balancing is told as it was said. */
static void held_balancing_says_why(void **state)
{
    (void)state;
    held = "cycle 1 of 3 above the trigger";
    explain_text(HOT);
    assert_int_equal(explanation.move_count, 0);
    expect_stay("a", EK_STAY_HELD, "cycle 1 of 3 above the trigger");
}

/* The domain's own reason comes before everything else. */
static void a_held_domain_has_its_own_reason(void **state)
{
    struct ek_error err = {0};

    (void)state;
    cooldown = ek_cooldown_create();
    ek_planning_begin(&it, HOT "; e@h1 1v 1G 0c immovable");
    assert_true(ek_cooldown_moved(cooldown, &it.policy, "a", it.snapshot.taken_at_ms, &err));
    explain();
    expect_stay("a", EK_STAY_DOMAIN, "rests after its last move (for another 1800 s)");
    assert_int_equal(stay_of("a")->block, EK_BLOCK_RESTING);
    assert_int_equal(stay_of("e")->block, EK_BLOCK_IMMOVABLE);
}

/* When no host can take it, each reason is there with how many hosts it holds for. */
static void a_stay_without_a_host_names_the_reasons(void **state)
{
    (void)state;
    explain_text("h1 10c; h2 10c 512M; h3 10c 512M; h4 10c stale; a@h1 2v 1G 4c; b@h1 2v 1G 4c");
    expect_stay("a", EK_STAY_NO_HOST,
                "2 hosts: not enough memory left (h2: 1024 MiB of memory needed, 486 MiB may still "
                "be given); h4: host is stale");
}

/* A domain that cannot leave a host in maintenance is told why, target or not. */
static void a_domain_that_cannot_leave_names_the_reasons(void **state)
{
    (void)state;
    explain_text("h1 10c maintenance; h2 10c 512M; a@h1 2v 1G 4c");
    expect_stay("a", EK_STAY_NO_HOST, "h2: 1024 MiB of memory needed, 486 MiB may still be given");
}

/* A plan that is dropped as a whole says so for those that it would have moved. */
static void a_dropped_plan_is_the_reason(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c; h2 10c; a@h1 1v 1G 4c; b@h1 1v 1G 2.4c; c@h2 1v 1G 2c");
    it.policy.min_gain = 1;
    explain();
    assert_int_equal(explanation.move_count, 0);
    assert_int_equal(stay_of("b")->cause, EK_STAY_WHOLE);
    assert_string_equal(stay_of("b")->reason, it.plan.summary);
    assert_non_null(strstr(it.plan.summary, "min_gain"));
}

/* A plan at its limit leaves the rest with what it would be worth. */
static void the_limit_of_moves_is_the_reason(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 3c");
    it.policy.moves_per_plan = 1;
    explain();
    assert_int_equal(explanation.move_count, 1);
    const struct ek_stay_explanation *stay = stay_of("b");
    assert_int_equal(stay->cause, EK_STAY_LIMIT);
    assert_true(stay->offers.best.rating.pays);
    assert_non_null(strstr(stay->reason, "but limits.moves_per_plan (1) is reached"));
}

/* A policy whose moves make sense together only does not judge the single move of a domain. */
static void a_policy_that_chooses_together_did_not_choose_it(void **state)
{
    struct ek_error err = {0};
    struct ek_policy_ops together = ek_policy_spread;
    struct ek_plan_request asked;

    (void)state;
    it_is_planned_for(HOT);
    together.pays = NULL;
    together.chooses = "moves none of them";
    asked = request();
    asked.balance = &together;
    it.plan.move_count = 0; /* as if it had chosen nothing */
    assert_true(ek_explain_plan(&explanation, &it.plan, &asked, EK_NONE, &err));
    const struct ek_stay_explanation *stay = stay_of("a");
    assert_int_equal(stay->cause, EK_STAY_NOT_CHOSEN);
    assert_string_equal(stay->reason, "policy spread moves none of them, and did so without it");
}

/* What the plan lists as not to be mended is told as the plan tells it. */
static void what_the_plan_could_not_mend_is_told_as_there(void **state)
{
    struct ek_error err = {0};

    (void)state;
    it_is_planned_for(HOT);
    const struct ek_plan_request asked = request();
    uint32_t domain = ek_test_domain(&it.snapshot, "c");
    it.plan.unresolved[it.plan.unresolved_count++] =
        (struct ek_unresolved){.domain = domain, .host = 1, .reason = "must rule rule-1: no host"};
    assert_true(ek_explain_plan(&explanation, &it.plan, &asked, EK_NONE, &err));
    expect_stay("c", EK_STAY_UNRESOLVED, "must rule rule-1: no host");
}

/* Asked about one domain, only that one is explained, with all hosts. */
static void one_domain_is_explained_alone(void **state)
{
    struct ek_error err = {0};

    (void)state;
    explain_text(HOT);
    const struct ek_plan_request asked = request();
    const char *all = stay_of("c")->reason;
    struct ek_explanation alone;
    assert_true(ek_explain_plan(&alone, &it.plan, &asked, ek_test_domain(&it.snapshot, "c"), &err));
    assert_int_equal(alone.move_count, 0);
    assert_int_equal(alone.stay_count, 1);
    assert_string_equal(alone.stays[0].reason, all);
    assert_true(alone.stays[0].offers.all);
    ek_explanation_finish(&alone);
}

/* ---- why not --------------------------------------------------------------------------------- */

/* Where the plan takes it is no question of why not. */
static void a_chosen_host_is_named_as_such(void **state)
{
    (void)state;
    explain_text(HOT);
    ask("a", "h2");
    assert_string_equal(ek_why_not_verdict_name(answer.verdict), "goes");
    assert_string_equal(answer.reason, it.plan.moves[0].reason);
    ask("a", "h1");
    assert_string_equal(ek_why_not_verdict_name(answer.verdict), "is_there");
}

/* A host that would do, but less well, is compared with the chosen one. */
static void a_worse_host_is_compared_with_the_chosen_one(void **state)
{
    (void)state;
    explain_text(HOT);
    ask("a", "h3");
    assert_int_equal(answer.verdict, EK_WHY_NOT_POSSIBLE);
    assert_string_equal(host_name(answer.instead.host), "h2");
    assert_true(answer.instead.rating.worth > answer.rating.worth);
    assert_memory_equal(answer.reason, "the plan moves it to h2: worth ", 31);
}

/* A blocked host says by how much, and what would have to change. */
static void a_blocked_host_says_what_would_help(void **state)
{
    (void)state;
    explain_text("h1 10c; h2 10c 2G; a@h1 1v 3G 1c; b@h2 1v 1G 1c");
    ask("a", "h2");
    assert_int_equal(answer.verdict, EK_WHY_NOT_BLOCKED);
    assert_int_equal(answer.block, EK_BLOCK_MEMORY);
    assert_string_equal(answer.reason, "3072 MiB of memory needed, 922 MiB may still be given");
    assert_string_equal(answer.remedy, "2151 MiB more have to be free for domains on h2");
}

/* With what the remedy asks for, the block is gone. */
static void the_remedy_for_memory_is_enough(void **state)
{
    (void)state;
    explain_text("h1 10c; h2 10c 2G; a@h1 1v 3G 1c; b@h2 1v 1G 1c");
    ask("a", "h2");
    double more = 0;
    assert_int_equal(sscanf(answer.remedy, "%lf MiB", &more), 1);
    it.snapshot.hosts[1].memory_mib += more / (1 - it.policy.memory_reserve);
    ek_explanation_finish(&explanation);
    explain();
    ask("a", "h2");
    assert_int_not_equal(answer.block, EK_BLOCK_MEMORY);
}

/* A further resource is explained by its name, as the two that are always there. */
static void further_resources_are_explained(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 10c label=gpu:4; h2 10c label=gpu:2;"
                           "a@h1 1v 1G 1c label=gpu:3; b@h2 1v 1G 1c label=gpu:1");
    it.policy.resources.count = 3;
    (void)snprintf(it.policy.resources.names[2], EK_RESOURCE_NAME_SIZE, "gpu");
    it.policy.weight[2] = 1;
    it.policy.target_max[2] = 1;
    explain();
    ask("a", "h2");
    assert_int_equal(answer.block, EK_BLOCK_RESOURCE);
    assert_string_equal(answer.reason, "3 of gpu needed, 1 of 2 are free");
    assert_string_equal(answer.remedy, "2 more of gpu have to be free on h2");
}

/* The domain's own block comes before the host's. */
static void a_domain_that_is_held_is_held_for_every_host(void **state)
{
    (void)state;
    explain_text("h1 10c; h2 10c down; a@h1 1v 1G 1c immovable");
    ask("a", "h2");
    assert_int_equal(answer.block, EK_BLOCK_IMMOVABLE);
    assert_non_null(answer.remedy);
}

/* A host that the plan fills is blocked after it, and was not before: both are said. */
static void a_block_that_the_plan_makes_is_told_from_one_that_was_there(void **state)
{
    (void)state;
    explain_text("h1 10c maintenance partial; h2 10c 3G; h3 10c down; a@h1 1v 2G 1c;"
                 "b@h1 1v 1G 1c");
    ek_planning_expect(&it, "a h1->h2 evacuate\n");
    ask("b", "h2");
    assert_int_equal(answer.verdict, EK_WHY_NOT_BLOCKED);
    assert_int_equal(answer.moves_made, 1);
    assert_string_equal(answer.at_first, "may go there");
}

/* ---- any cluster ----------------------------------------------------------------------------- */

/* On random clusters: every domain moves or stays, nobody is told nothing, the planner's gains come
 * out again, and a domain that no host can take is open on none. */
static void every_domain_is_explained(void **state)
{
    struct ek_random random = {7};

    (void)state;
    for (int round = 0; round < 60; round++) {
        ek_planning_begin(&it, "h1");
        ek_snapshot_finish(&it.snapshot);
        ek_random_cluster(&it.snapshot, &random, 8);
        ek_random_rules(&rules, &random, &it.snapshot);
        it.policy.rules = &rules;
        ek_policy_set_aggressiveness(&it.policy, 2 + round % 4);
        explain();
        size_t movers = 0;
        for (size_t i = 0; i < explanation.move_count; i++) {
            const struct ek_plan_move *move = explanation.moves[i].move;
            movers += move->source == it.snapshot.domains[move->domain].host ? 1 : 0;
            assert_near(explanation.moves[i].rating.gain, move->gain, 1e-6);
        }
        assert_int_equal(explanation.stay_count + movers, it.snapshot.domain_count);
        for (size_t i = 0; i < explanation.stay_count; i++) {
            const struct ek_stay_explanation *stay = &explanation.stays[i];
            assert_true(strlen(stay->reason) > 3);
            assert_int_equal(stay->cause == EK_STAY_DOMAIN, stay->block != EK_BLOCK_NONE);
            assert_true(stay->cause != EK_STAY_NO_HOST || stay->offers.open == 0);
        }
        ek_explanation_finish(&explanation);
        ek_planning_end(&it);
        ek_rules_finish(&rules);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(moves_have_the_planners_numbers),
        TEST(the_replay_ends_where_the_plan_ends),
        TEST(the_runner_up_is_the_second_best_host),
        TEST(blocked_hosts_are_grouped_by_their_first_reason),
        TEST(hosts_that_a_rule_blocks_name_the_rule),
        TEST(moves_name_the_rules_that_they_mend),
        TEST(parking_is_explained_too),
        TEST(a_stay_without_worth_has_both_numbers),
        TEST(a_content_policy_says_so),
        TEST(held_balancing_says_why),
        TEST(a_held_domain_has_its_own_reason),
        TEST(a_stay_without_a_host_names_the_reasons),
        TEST(a_domain_that_cannot_leave_names_the_reasons),
        TEST(a_dropped_plan_is_the_reason),
        TEST(the_limit_of_moves_is_the_reason),
        TEST(a_policy_that_chooses_together_did_not_choose_it),
        TEST(what_the_plan_could_not_mend_is_told_as_there),
        TEST(one_domain_is_explained_alone),
        TEST(a_chosen_host_is_named_as_such),
        TEST(a_worse_host_is_compared_with_the_chosen_one),
        TEST(a_blocked_host_says_what_would_help),
        TEST(the_remedy_for_memory_is_enough),
        TEST(further_resources_are_explained),
        TEST(a_domain_that_is_held_is_held_for_every_host),
        TEST(a_block_that_the_plan_makes_is_told_from_one_that_was_there),
        TEST(every_domain_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
