/* Schedules of plans that are written by hand, so that each shows one law. */
#include "balancer/core/schedule/schedule.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"

#include <string.h>

enum { MAX_MOVES = 8 };

static struct ek_snapshot snapshot;
static struct ek_policy policy;
static struct ek_rules rules;
static struct ek_plan_move moves[MAX_MOVES];
static struct ek_plan plan;
static struct ek_schedule schedule;

static int teardown(void **state)
{
    (void)state;
    ek_schedule_finish(&schedule);
    ek_rules_finish(&rules);
    ek_snapshot_finish(&snapshot);
    memset(&plan, 0, sizeof(plan));
    return 0;
}

static void begin(const char *cluster)
{
    ek_policy_defaults(&policy);
    policy.memory_reserve = 0;
    ek_test_cluster(&snapshot, cluster);
    plan = (struct ek_plan){.snapshot = &snapshot, .moves = moves};
}

/* Links are 110 MiB/s by default: a domain of 1100M takes 10.5 s. */
static void move(const char *domain, const char *destination)
{
    uint32_t d = ek_test_domain(&snapshot, domain);
    struct ek_plan_move *made = &moves[plan.move_count++];

    *made = (struct ek_plan_move){.seq = (uint32_t)plan.move_count,
                                  .domain = d,
                                  .source = snapshot.domains[d].host,
                                  .destination = ek_test_host(&snapshot, destination)};
    made->cost = ek_migration_cost(
        &snapshot.domains[d],
        ek_migration_rate(&snapshot, &policy, made->source, made->destination), 500);
}

static void rule(const char *text)
{
    ek_test_rules(&rules, text);
    policy.rules = &rules;
}

/* "a 0+10.5 s; b 10.5+10.5 s after 1" */
static void expect(const char *text)
{
    struct ek_error err = {0};
    struct ek_text found = {.used = 0};

    assert_true(ek_schedule_make(&schedule, &plan, &policy, &err));
    for (size_t i = 0; i < plan.move_count; i++) {
        const struct ek_slot *slot = &schedule.slots[i];
        ek_text_add(&found, "%s%s %.1f+%.1f", i == 0 ? "" : "; ",
                    snapshot.domains[moves[i].domain].name, (double)slot->start_ms / 1000,
                    (double)slot->duration_ms / 1000);
        for (size_t d = 0; d < slot->depends_count; d++) {
            ek_text_add(&found, " after %u", (unsigned int)slot->depends_on[d]);
        }
    }
    assert_string_equal(found.text, text);
}

/* Moves over different links start at once. */
static void independent_moves_start_at_once(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h1 1v 1100M; b@h2 1v 2200M");
    move("a", "h3");
    move("b", "h4");
    expect("a 0.0+10.5; b 0.0+20.5");
    assert_int_equal(schedule.makespan_ms, 20500);
    assert_int_equal(schedule.lower_bound_ms, 20500);
}

/* One at a time leaves a host, and one at a time arrives, without being a dependency. */
static void host_limits_make_moves_wait(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h1 1v 1100M; b@h1 1v 1100M; c@h2 1v 1100M");
    move("a", "h3");
    move("b", "h4");
    move("c", "h3");
    expect("a 0.0+10.5; b 10.5+10.5; c 10.5+10.5");
}

/* The cluster's limit holds over all links. */
static void the_cluster_limit_makes_moves_wait(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h1 1v 1100M; b@h2 1v 1100M");
    policy.limit_cluster = 1;
    move("a", "h3");
    move("b", "h4");
    expect("a 0.0+10.5; b 10.5+10.5");
}

/* Where two would share a link they go one by one, even if the limit lets both: together they would
 * take as long, and each of them dirties pages all the while. */
static void few_at_full_rate_beat_many_at_a_share(void **state)
{
    (void)state;
    begin("h1; h2; h3; a@h1 1v 1100M; b@h1 1v 1100M");
    policy.limit_host_out = 2;
    move("a", "h2");
    move("b", "h3");
    expect("a 0.0+10.5; b 10.5+10.5");
}

/* Two to slow hosts find their full rate on one fast link. */
static void slow_ends_share_a_fast_link(void **state)
{
    (void)state;
    begin("h1 link=110; h2 link=55; h3 link=55; a@h1 1v 1100M; b@h1 1v 1100M");
    policy.limit_host_out = 2;
    move("a", "h2");
    move("b", "h3");
    expect("a 0.0+20.5; b 0.0+20.5");
    assert_true(schedule.slots[0].rate_mib_s == 55);
}

/* The policy's bandwidth of a host is a slower link. */
static void the_bandwidth_of_a_host_is_kept(void **state)
{
    (void)state;
    begin("h1; h2; h3; a@h1 1v 1100M; b@h1 1v 1100M");
    policy.limit_host_out = 2;
    policy.bandwidth_per_host_mib_s = 55;
    move("a", "h2");
    move("b", "h3");
    expect("a 0.0+20.5; b 20.5+20.5");
}

/* The cluster's bandwidth is shared like a link, also by moves that share no host. */
static void the_bandwidth_of_the_cluster_is_kept(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; h5; h6 link=40; a@h1 1v 1100M; b@h2 1v 1100M; c@h3 1v 400M");
    policy.bandwidth_cluster_mib_s = 150;
    move("a", "h4");
    move("b", "h5");
    move("c", "h6");
    expect("a 0.0+10.5; b 10.5+10.5; c 0.0+10.5");
}

/* Two at a time: in the plan's order the long one would run alone at the end. */
static void a_better_order_than_the_plans_is_found(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; h5; h6; a@h1 1v 1100M; b@h2 1v 1100M; c@h3 1v 2200M");
    policy.limit_cluster = 2;
    move("a", "h4");
    move("b", "h5");
    move("c", "h6");
    expect("a 0.0+10.5; b 10.5+10.5; c 0.0+20.5");
    assert_int_equal(schedule.order[0], 0);
    assert_int_equal(schedule.order[1], 2);
    assert_int_equal(schedule.order[2], 1);
}

/* Who empties a host is not overtaken by who levels, even if that would be over sooner. */
static void balancing_does_not_overtake_evacuations(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; h5; h6; a@h1 1v 1100M; b@h2 1v 1100M; c@h3 1v 2200M");
    policy.limit_cluster = 2;
    move("a", "h4");
    move("b", "h5");
    moves[0].kind = EK_MOVE_EVACUATE;
    moves[1].kind = EK_MOVE_EVACUATE;
    move("c", "h6");
    expect("a 0.0+10.5; b 0.0+10.5; c 10.5+20.5");
}

/* A guest that is not expected to converge goes last, whatever it is moved for: it may keep its
 * links until it is aborted. */
static void who_may_not_converge_goes_last(void **state)
{
    (void)state;
    begin("h1; h2; wild@h1 1v 1G 1G dirty=200; b@h1 1v 1100M; c@h1 1v 1100M");
    move("wild", "h2");
    moves[0].kind = EK_MOVE_EVACUATE;
    move("b", "h2");
    move("c", "h2");
    expect("wild 21.0+289.1; b 0.0+10.5; c 10.5+10.5");
}

/* Room need not be given in the plan's order: c, which fits beside nobody, waits rather than keep
 * the others waiting for what leaves after them. */
static void room_goes_where_it_is_soonest_of_use(void **state)
{
    (void)state;
    begin("h1; h2 5G; h3; h4; h5; h6; x@h2 1v 3G; y@h1 1v 2200M; c@h3 1v 3G; b@h1 1v 1G");
    move("y", "h4");
    move("x", "h5");
    move("c", "h2");
    move("b", "h2");
    expect("y 9.8+20.5; x 0.0+28.4; c 28.4+28.4 after 2; b 0.0+9.8");
}

/* A move that needs the room of another waits for exactly that one. */
static void room_is_waited_for(void **state)
{
    (void)state;
    begin("h1; h2 2G; h3; h4; a@h2 1v 1100M; b@h1 1v 1100M; c@h3 1v 1100M");
    move("c", "h4");
    move("a", "h3");
    move("b", "h2");
    expect("c 0.0+10.5; a 0.0+10.5; b 10.5+10.5 after 2");
}

/* vCPUs are room, too. */
static void vcpus_are_waited_for(void **state)
{
    (void)state;
    begin("h1; h2 4c; h3; a@h2 4v 1100M; b@h1 4v 1100M");
    policy.cpu_overcommit = 1;
    move("a", "h3");
    move("b", "h2");
    expect("a 0.0+10.5; b 10.5+10.5 after 1");
}

/* Once there is room, waiting for a limit is no dependency on what leaves meanwhile. */
static void only_what_was_waited_for_is_a_dependency(void **state)
{
    (void)state;
    begin("h1; h2 3G; h3; h4; h5; a@h2 1v 1100M; e@h2 1v 1500M; b@h1 1v 1100M; x@h1 1v 3300M");
    policy.limit_host_out = 1;
    move("x", "h4"); /* keeps the link of h1 for 30.5 s */
    move("a", "h3"); /* 10.5 s: its room is enough for b */
    move("e", "h5"); /* then 14.2 s more, not needed */
    move("b", "h2");
    expect("x 0.0+30.5; a 0.0+10.5; e 10.5+14.1; b 30.5+10.5 after 2");
}

/* A later move does not take the room of an earlier one, after which both would wait for ever. */
static void overtaking_leaves_earlier_moves_their_room(void **state)
{
    (void)state;
    begin("h1 5G; h3 8G; h4; h5; a@h1 1v 4G; y@h1->h5 1v 1G; d@h3 1v 4G; b@h4 1v 4G");
    move("a", "h3"); /* y keeps the link of h1 until nothing else can start */
    move("d", "h1");
    move("b", "h3");
    expect("a 0.0+37.7; d 37.7+37.7 after 1; b 75.5+37.7 after 2");
}

/* Moves that run already hold their places under the limits until nothing else can start. */
static void moves_in_flight_hold_their_places(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h1 1v 1100M; b@h4 1v 1100M; y@h1->h2 1v 1G");
    move("a", "h3");
    move("b", "h3");
    expect("a 10.5+10.5; b 0.0+10.5");
}

/* Whatever the moves, the makespan is at least its lower bound. */
static void the_makespan_is_at_least_its_bound(void **state)
{
    (void)state;
    begin("h1 link=10; h2; h3; a@h1 1v 1G; b@h1 1v 1G; c@h2 1v 4G; d@h1 1v 2G 2G dirty=9");
    move("a", "h2");
    move("b", "h3");
    move("c", "h3");
    move("d", "h3");
    struct ek_error err = {0};
    for (policy.limit_host_out = 1; policy.limit_host_out <= 3; policy.limit_host_out++) {
        policy.limit_host_in = policy.limit_host_out;
        ek_schedule_finish(&schedule);
        assert_true(ek_schedule_make(&schedule, &plan, &policy, &err));
        assert_true(schedule.makespan_ms >= schedule.lower_bound_ms);
        assert_true(schedule.lower_bound_ms >= 400000);
    }
}

/* A plan without moves takes no time. */
static void no_moves_take_no_time(void **state)
{
    (void)state;
    begin("");
    expect("");
    assert_int_equal(schedule.makespan_ms, 0);
    assert_int_equal(schedule.lower_bound_ms, 0);
}

/* Absurd sizes give an absurd schedule, not an undefined one. */
static void absurd_sizes_stay_defined(void **state)
{
    (void)state;
    begin("h1; h2; a@h1 1v 1G; b@h1 1v 1G");
    snapshot.hosts[0].migration_mib_s = 1e-300;
    move("a", "h2");
    move("b", "h2");
    struct ek_error err = {0};
    assert_true(ek_schedule_make(&schedule, &plan, &policy, &err));
    assert_true(schedule.makespan_ms >= schedule.lower_bound_ms);
    assert_true(schedule.makespan_ms > 0);
}

/* Of two domains that must be apart, the one that arrives waits until the other one has left. */
static void apart_means_at_every_instant(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h2 1v 1100M; b@h1 1v 1100M; c@h4 1v 1100M");
    rule("apart anti_affinity a,b");
    move("a", "h3");
    move("b", "h2");
    move("c", "h1");
    expect("a 0.0+10.5; b 10.5+10.5 after 1; c 0.0+10.5");
}

/* Nobody takes the place of one who has to pass there first: a waits for its link, and b, which
 * could start at once, for both moves of a. */
static void nobody_overtakes_within_a_rule(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; h5; y@h1->h5 1v 1G; a@h1 1v 1100M; b@h4 1v 1100M");
    rule("apart anti_affinity a,b");
    move("a", "h2"); /* y keeps the link of h1 until nothing else can start */
    move("a", "h3");
    moves[1].source = moves[0].destination;
    move("b", "h2");
    expect("a 0.0+10.5; a 10.5+10.5 after 1; b 21.0+10.5 after 1 after 2");
}

/* A spread is kept whichever ends first: b waits for both, because the group that e opens is needed
 * for the one that b gives up. */
static void a_spread_survives_any_order(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; h5; a@h1 1v 1100M; b@h2 1v 1100M; c@h3 1v 1100M; d@h4 1v 1100M;"
          "e@h4 1v 2200M");
    rule("wide spread a,b,c,d,e at_least=3");
    move("a", "h3");
    move("e", "h5");
    move("b", "h4");
    expect("a 0.0+10.5; e 0.0+20.5; b 20.5+10.5 after 1 after 2");
}

/* Moves of others end at some time: what waits for them alone is planned as if they had. */
static void foreign_moves_end_some_time(void **state)
{
    (void)state;
    begin("h1; h2; h3; h4; a@h1 1v 1100M; c@h3->h4");
    rule("wide spread a,c at_least=2");
    move("a", "h2");
    expect("a 0.0+10.5");
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

/* Room of a further resource is made by departures, too: nobody takes the GPU of a domain that has
 * not left yet. */
static void further_resources_make_moves_wait(void **state)
{
    (void)state;
    begin("h1 label=gpu:1; h2 label=gpu:1; h3 label=gpu:1;"
          "a@h1 1v 1100M label=gpu:1; b@h2 1v 1100M label=gpu:1");
    policy.resources.count = 3;
    memcpy(policy.resources.names[2], "gpu", sizeof("gpu"));
    move("a", "h3");
    move("b", "h1");
    expect("a 0.0+10.5; b 10.5+10.5 after 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(independent_moves_start_at_once),
        TEST(host_limits_make_moves_wait),
        TEST(the_cluster_limit_makes_moves_wait),
        TEST(few_at_full_rate_beat_many_at_a_share),
        TEST(slow_ends_share_a_fast_link),
        TEST(the_bandwidth_of_a_host_is_kept),
        TEST(the_bandwidth_of_the_cluster_is_kept),
        TEST(a_better_order_than_the_plans_is_found),
        TEST(balancing_does_not_overtake_evacuations),
        TEST(who_may_not_converge_goes_last),
        TEST(room_goes_where_it_is_soonest_of_use),
        TEST(room_is_waited_for),
        TEST(vcpus_are_waited_for),
        TEST(only_what_was_waited_for_is_a_dependency),
        TEST(overtaking_leaves_earlier_moves_their_room),
        TEST(moves_in_flight_hold_their_places),
        TEST(the_makespan_is_at_least_its_bound),
        TEST(no_moves_take_no_time),
        TEST(absurd_sizes_stay_defined),
        TEST(apart_means_at_every_instant),
        TEST(nobody_overtakes_within_a_rule),
        TEST(a_spread_survives_any_order),
        TEST(foreign_moves_end_some_time),
        TEST(further_resources_make_moves_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
