/* Stories of the engine: when it plans, starts and counts moves. */
#include "tests/lib/cluster_text.h"
#include "tests/unit/core/engine_story.h"

#include <math.h>
#include <string.h>

/* One move levels it: a h1->h2. */
static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";
static const char LEVEL[] = "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";

/* The same domains in a calm hour. */
static const char CALM[] = "h1 10c; h2 10c; a@h1 1v 1G 0c; b@h1 1v 1G 0c; c@h1 1v 1G 0c";

/* Three leave h1, over one link of h1. */
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c; c@h1 1v 1G 0c";

/* The same, and h1 has links for two of them. */
static const char SLOW_ENDS[] = "h1 maintenance link=200; h2 link=99.5; h3 link=99.5;"
                                "a@h1 1v 3G 0c; b@h1 1v 2G 0c; c@h1 1v 1G 0c";

static size_t running(void)
{
    return ek_engine_view(it.engine).running_count;
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* A plan is recorded before its first move starts, and its end after the last. */
static void a_plan_is_recorded_started_and_done(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\n"
                         "start a h1->h2\n");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate done\n");
    ek_story_settle(&it, LEVEL);
    ek_story_expect(&it, "");
}

/* Imbalance must last for so many cycles in a row; one calm cycle counts from the beginning. */
static void imbalance_must_last(void **state)
{
    (void)state;
    it.policy.sustained_cycles = 3;
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    ek_story_cycle(&it, UNEVEN);
    ek_story_cycle(&it, CALM);
    ek_story_cycle(&it, UNEVEN);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
}

/* In recommend mode nothing starts, and one recommendation is recorded once. */
static void recommendations_start_nothing(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan recommended: a h1->h2 balance\n");
    ek_story_cycle(&it, UNEVEN);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
    ek_story_cycle(&it, CALM);
    ek_story_expect(&it, "fate lapsed\n");
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan recommended: a h1->h2 balance\n");
    assert_int_equal(running(), 0);
}

/* Balancing waits while the CPU use of a host is not measured yet. */
static void balancing_waits_for_figures(void **state)
{
    struct ek_snapshot snapshot;

    (void)state;
    it.events = true;
    ek_test_cluster(&snapshot, UNEVEN);
    ek_test_sampled(&snapshot, it.now_ms, EK_STORY_PERIOD_MS);
    assert_true(isnan(snapshot.hosts[0].cpu_used_cores));
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    ek_story_expect(&it, "event cycle: nothing to move: the CPU use of h1 is not measured yet\n");
}

/* After a move balancing waits until rates are known again: two fresh samples of every host. */
static void balancing_waits_for_fresh_samples(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\nfate done\n");
    static const char other[] = "h1 10c; h2 10c; a@h2; d@h1 1v 1G 3c; e@h1 1v 1G 3.5c";
    ek_story_cycle(&it, other);
    ek_story_expect(&it, "");
    ek_story_cycle(&it, other);
    ek_story_expect(&it, "plan started: d h1->h2 balance\nstart d h1->h2\n");
}

/* A domain that moved rests: it is not moved back when the load turns round. */
static void a_moved_domain_rests(void **state)
{
    static const char turned[] = "h1 10c; h2 10c; a@h2 1v 1G 6c; b@h1 1v 1G 0c; c@h1 1v 1G 0c;"
                                 "d@h2 1v 1G 2c";

    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_settle(&it, turned);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\nfate done\n"
                         "plan started: d h2->h1 balance\nstart d h2->h1\n");
}

/* What rests against balancing leaves a host in maintenance at once. */
static void cooldown_does_not_hold_an_evacuation(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\nfate done\n");
    ek_story_cycle(&it, "h1 10c; h2 10c maintenance; a@h2 1v 1G 1c");
    ek_story_expect(&it, "plan started: a h2->h1 evacuate\n"
                         "maintenance h2 evacuating, 1 left\n"
                         "start a h2->h1\n"
                         "wake +10 s\n");
}

/* The same load, cycle after cycle, is moved once: nothing moves for nothing. */
static void a_level_cluster_stays_as_it_is(void **state)
{
    (void)state;
    it.policy.cooldown_ms = 0;
    ek_policy_set_aggressiveness(&it.policy, 5);
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    for (int i = 0; i < 20; i++) {
        ek_story_settle(&it, LEVEL);
    }
    ek_story_expect(&it, "");
}

/* ---- dispatch -------------------------------------------------------------------------------- */

/* Effects come in the documented order: records, then starts, then the wish to be woken. */
static void effects_come_in_their_order(void **state)
{
    (void)state;
    it.events = true;
    it.policy.limit_host_out = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, SLOW_ENDS);
    for (size_t i = 1; i < it.effects.count; i++) {
        assert_true(it.effects.items[i - 1].kind <= it.effects.items[i].kind);
    }
    assert_int_equal(it.effects.items[0].kind, EK_EFFECT_RECORD_PLAN);
    assert_int_equal(it.effects.items[it.effects.count - 1].kind, EK_EFFECT_WAKE);
    assert_int_equal(running(), 2);
}

/* Moves wait for the limits and start when a running one ends. */
static void moves_wait_for_the_limits(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_expect(&it, "plan started: a h1->h2 evacuate, b h1->h3 evacuate, c h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 3 left\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 2 left\n"
                         "start b h1->h3\n"
                         "wake +10 s\n");
}

/* A limit of two does not put two on one link: a second one starts where it finds its full rate, as
 * the schedule predicts. Its rate goes with the order, rounded up. */
static void moves_wait_for_their_full_rate(void **state)
{
    (void)state;
    it.policy.limit_host_out = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(running(), 1);
    assert_true(ek_engine_view(it.engine).running[0].bandwidth_mib_s == 110);
    teardown(NULL);
    setup(NULL);
    it.policy.limit_host_out = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, SLOW_ENDS);
    assert_int_equal(running(), 2);
    assert_true(ek_engine_view(it.engine).running[1].bandwidth_mib_s == 100);
}

/* For a move that takes longer than predicted nobody waits but by the limits. */
static void nobody_waits_for_a_late_move(void **state)
{
    (void)state;
    it.policy.limit_host_out = 2;
    it.policy.limit_host_in = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, DRAIN);
    assert_true(ek_engine_view(it.engine).running[0].predicted_duration_ms > 20000);
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(running(), 1);
    ek_story_cycle(&it, DRAIN);
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(running(), 2);
}

/* What follows a move on its link begins when that move is about to end, not when it has. */
static void the_next_begins_before_an_end(void **state)
{
    struct ek_sign sign = {.id = "nobody's", .kind = EK_SIGN_ENDING};
    struct ek_event ending = {.kind = EK_EVENT_SIGN, .u.sign = &sign};

    (void)state;
    it.policy.limit_host_out = 2;
    it.policy.limit_host_in = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, DRAIN);
    ek_story_step(&it, ending);
    assert_int_equal(running(), 1);
    memcpy(sign.id, ek_engine_view(it.engine).running[0].id, sizeof(sign.id));
    ek_story_step(&it, ending);
    assert_int_equal(running(), 2);
    /* The link is the second's by then; the first is not slowed for its last moment. */
    assert_true(ek_engine_view(it.engine).running[0].bandwidth_mib_s == 110);
    assert_true(ek_engine_view(it.engine).running[1].bandwidth_mib_s == 110);
    /* For the second one everybody waits; and for the first, when its next attempt has begun. */
    sign.kind = EK_SIGN_ANEW;
    ek_story_step(&it, ending);
    assert_int_equal(running(), 2);
    assert_true(ek_engine_view(it.engine).running[0].bandwidth_mib_s == 55);
}

/* The cluster's bandwidth holds over all links. */
static void moves_wait_for_the_clusters_bandwidth(void **state)
{
    (void)state;
    it.policy.bandwidth_cluster_mib_s = 150;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; h4; a@h1 1v 2G; b@h2 1v 1G");
    assert_int_equal(running(), 1);
}

/* Dispatch follows the schedule: two at a time, the longest of three does not start last. */
static void moves_start_in_the_schedules_order(void **state)
{
    (void)state;
    it.policy.limit_cluster = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3 maintenance; h4; h5; h6;"
                        "a@h1 1v 3G 0c; b@h2 1v 2G 0c 2G; c@h3 1v 1G 0c 1G dirty=50");
    ek_story_expect(&it, "plan started: a h1->h4 evacuate, b h2->h5 evacuate, c h3->h6 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "maintenance h2 evacuating, 1 left\n"
                         "maintenance h3 evacuating, 1 left\n"
                         "start a h1->h4\n"
                         "start c h3->h6\n"
                         "wake +10 s\n");
}

/* The cluster's limit holds over all links. */
static void moves_wait_for_the_cluster(void **state)
{
    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; h4; a@h1 1v 2G; b@h2 1v 1G");
    assert_int_equal(running(), 1);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(running(), 1);
    assert_string_equal(ek_engine_view(it.engine).running[0].domain, "b");
}

/* A move waits for those that it depends on, whatever room a newer sample seems to show. */
static void moves_wait_for_what_they_depend_on(void **state)
{
    static const char crowded[] = "h1 32c 16G maintenance; h2 8c 16G; h3 32c 8G;"
                                  "a@h1 1v 12G 0c 1G; b@h2 1v 7G 7c 1G";
    static const char roomy[] = "h1 32c 16G maintenance; h2 8c 64G; h3 32c 8G;"
                                "a@h1 1v 12G 0c 1G; b@h2 1v 7G 7c 1G";

    (void)state;
    ek_story_cycle(&it, crowded);
    ek_story_expect(&it, "plan started: b h2->h3 evacuate, a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start b h2->h3\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, roomy);
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nwake +10 s\n");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nstart a h1->h2\nwake +10 s\n");
}

/* Nothing more is balanced while a move runs: what it will bring is not measured yet. */
static void balancing_waits_for_running_moves(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 0c; d@h1 1v 1G 4c; e@h1 1v 1G 4c");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 0c; d@h1 1v 1G 4c; e@h1 1v 1G 4c");
    ek_story_expect(&it, "");
}

/* What an earlier run left running counts against the limits, before any snapshot, too; being told
 * twice changes nothing. */
static void adopted_moves_count_against_the_limits(void **state)
{
    (void)state;
    ek_story_adopt(&it, "z", "h1", "h2");
    ek_story_adopt(&it, "z", "h1", "h2");
    assert_int_equal(running(), 1);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c; z@h1 1v 1G 0c");
    ek_story_expect(&it, "plan started: a h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 2 left\n"
                         "limit earlier-z 110\nwake +10 s\n");
    ek_story_outcome(&it, "z", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nstart a h1->h3\nwake +10 s\n");
}

/* An adopted domain is in flight although its snapshot does not say so: it is not moved again, and
 * it takes its room on the destination. */
static void adopted_moves_take_their_room(void **state)
{
    (void)state;
    ek_story_adopt(&it, "z", "h3", "h2");
    ek_story_cycle(&it, "h1 16G maintenance; h2 16G; h3 2G; a@h1 1v 9G 0c; z@h3 1v 9G 0c");
    ek_story_expect(&it,
                    "maintenance h1 blocked, 1 left; a: h2: 9216 MiB of memory needed, 6349 MiB "
                    "may still be given; h3: 9216 MiB of memory needed, 0 MiB may still be "
                    "given\nlimit earlier-z 110\nwake +10 s\n");
}

/* One that no sample shows makes its destination admit nothing. */
static void an_adopted_move_out_of_sight_closes_its_destination(void **state)
{
    (void)state;
    ek_story_adopt(&it, "z", "h3", "h2");
    ek_story_cycle(&it, "h1 maintenance; h2; h3 net=; a@h1 1v 1G 0c net=br0");
    ek_story_expect(&it,
                    "maintenance h1 blocked, 1 left; a: h2: a move that just ended there is not "
                    "sampled yet; h3: no network br0 there\nlimit earlier-z 110\nwake +10 s\n");
}

/* The moment of adoption is known, so that a new snapshot explains the domain by this move. */
static void adopted_moves_have_begun_now(void **state)
{
    struct ek_known_move moves[2];

    (void)state;
    it.now_ms += 5000;
    ek_story_adopt(&it, "z", "h1", "h2");
    assert_int_equal(ek_engine_known_moves(it.engine, moves, 2), 1);
    assert_int_equal(moves[0].started_at_ms, it.now_ms);
    assert_int_equal(moves[0].ended_at_ms, 0);
}

/* A move of a domain that is no longer on its source is not started; the others leave without it.
 */
static void a_domain_that_left_is_not_moved(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h2 1v 2G 0c; c@h1 1v 1G 0c");
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\n"
                         "start c h1->h3\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    ek_story_expect(&it, "fate abandoned\nmaintenance h1 evacuating, 0 left\nwake +9 s\n");
}

/* Room is checked again at dispatch, on the newest figures. */
static void room_is_checked_again_at_dispatch(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_cycle(&it, "h1 maintenance; h2; h3 16G; a@h1 1v 3G 0c; b@h1 1v 2G 0c; c@h1 1v 1G 0c;"
                        "big@h3 1v 15G 0c");
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate abandoned\nmaintenance h1 evacuating, 2 left\nwake +10 s\n");
    assert_int_equal(running(), 0);
}

/* A move that must wait for another to take load away waits for it while something runs. */
static void the_target_is_waited_for(void **state)
{
    static const char cluster[] =
        "h1 10c 16G net=none; h2 10c 16G; h3 10c 16G;"
        "p@h1 1v 9G 1c immovable; y@h1 1v 6G 0.9c;"
        "x@h2 1v 512M 2c net=br0; w@h2 1v 1G 2c net=br0; z@h2 1v 1G 6c immovable;"
        "v@h3 1v 12G 0.5c immovable";

    (void)state;
    ek_story_cycle(&it, cluster);
    ek_story_expect(&it, "plan started: x h2->h3 balance, w h2->h3 balance, y h1->h2 balance\n"
                         "start x h2->h3\n");
    ek_story_outcome(&it, "x", EK_MOVE_DONE);
    ek_story_expect(&it, "start w h2->h3\nstart y h1->h2\n");
}

/* An outcome changes no host's own use: the next move is checked against the true load. */
static void an_outcome_keeps_the_hosts_own_use(void **state)
{
    struct ek_snapshot snapshot;

    (void)state;
    ek_test_cluster(&snapshot, "h1 10c maintenance used=6c used=3G; h2 10c used=4c used=2G;"
                               "a@h1 1v 2G 2c 2G; b@h1 1v 1G 1c 1G");
    ek_test_sampled(&snapshot, it.now_ms, EK_STORY_PERIOD_MS);
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    const struct ek_snapshot *now = ek_engine_view(it.engine).snapshot;
    assert_near(now->hosts[0].cpu_used_cores, 4, 1e-9);
    assert_near(now->hosts[1].cpu_used_cores, 6, 1e-9);
    assert_near(now->hosts[0].memory_used_mib, 1024, 1e-9);
    assert_near(now->hosts[1].memory_used_mib, 4096, 1e-9);
}

/* The snapshot that a plan was made from stays as it was recorded: what the plan starts is not in
 * flight in it. */
static void the_recorded_input_stays_as_it_was(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    assert_int_equal(it.effects.items[0].kind, EK_EFFECT_RECORD_PLAN);
    assert_int_equal(it.effects.items[0].u.plan.plan->snapshot->in_flight_count, 0);
    assert_int_equal(running(), 1);
    ek_story_cycle(&it, UNEVEN);
    assert_int_equal(ek_engine_view(it.engine).snapshot->in_flight_count, 1);
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* A plan whose last move failed is not done, and what it promised is not compared with anything. */
static void a_plan_with_a_failed_move_is_not_done(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    it.events = false;
    ek_story_outcome(&it, "a", EK_MOVE_ROLLED_BACK);
    ek_story_expect(&it, "fate failed\nwake +0 s\n");
    it.events = true;
    ek_story_settle(&it, "h1 10c; h2 10c; a@h1; b@h1; c@h1");
    assert_null(strstr(it.trace.text, "verified"));
}

/* A move that ended is known until samples must show it, then forgotten. */
static void ended_moves_are_known_for_four_periods(void **state)
{
    struct ek_known_move moves[2];

    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(ek_engine_known_moves(it.engine, moves, 2), 1);
    assert_string_equal(moves[0].domain, "a");
    assert_int_equal(moves[0].ended_at_ms, it.now_ms);
    it.now_ms += 4 * EK_STORY_PERIOD_MS;
    ek_story_cycle(&it, LEVEL);
    assert_int_equal(ek_engine_known_moves(it.engine, NULL, 0), 0);
}

/* What a plan promised is compared with what fresh samples show, once. */
static void the_result_is_verified_once(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    it.events = true;
    ek_text_clear(&it.trace);
    ek_story_settle(&it, LEVEL);
    assert_non_null(strstr(it.trace.text,
                           "event verified: imbalance of cpu 0.325 -> 0.025 (predicted 0.025), of "
                           "memory 0.094 -> 0.031 (predicted 0.031)\n"));
    const struct ek_verified *verified = it.effects.items[0].u.verified;
    assert_int_equal(it.effects.items[0].kind, EK_EFFECT_RECORD_VERIFIED);
    assert_string_equal(verified->plan_id, ek_engine_view(it.engine).plan_id);
    assert_true(verified->predicted_gain > 0.1);
    assert_true(fabs(verified->gain - verified->predicted_gain) < 1e-9);
    assert_int_equal(verified->length_ms, 1000);
    assert_true(verified->predicted_length_ms > 0);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, LEVEL);
    assert_null(strstr(it.trace.text, "verified"));
}

/* A plan that follows while the last moves of another run leaves that one its own fate. */
static void a_plan_ends_beside_the_next(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c; new@h1 1v 1G 0c");
    ek_story_expect(&it, "plan started: new h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 2 left\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate done\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start new h1->h3\n"
                         "wake +10 s\n");
}

/* A new policy drops what has not started, and counts sustained cycles from the beginning. */
static void a_new_policy_begins_anew(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_text_clear(&it.trace);
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_expect(&it, "maintenance h1 preflight, 3 left\n");
    assert_int_equal(running(), 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate abandoned\nmaintenance h1 preflight, 2 left\n");
}

/* A cluster of nothing is watched without a word. */
static void an_empty_cluster_is_watched(void **state)
{
    (void)state;
    ek_story_cycle(&it, "");
    ek_story_cycle(&it, "h1; h2");
    ek_story_expect(&it, "");
    assert_null(ek_engine_view(it.engine).holding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_is_recorded_started_and_done),
        TEST(imbalance_must_last),
        TEST(recommendations_start_nothing),
        TEST(balancing_waits_for_figures),
        TEST(balancing_waits_for_fresh_samples),
        TEST(a_moved_domain_rests),
        TEST(cooldown_does_not_hold_an_evacuation),
        TEST(a_level_cluster_stays_as_it_is),
        TEST(effects_come_in_their_order),
        TEST(moves_wait_for_the_limits),
        TEST(moves_wait_for_their_full_rate),
        TEST(nobody_waits_for_a_late_move),
        TEST(the_next_begins_before_an_end),
        TEST(moves_wait_for_the_clusters_bandwidth),
        TEST(moves_start_in_the_schedules_order),
        TEST(moves_wait_for_the_cluster),
        TEST(moves_wait_for_what_they_depend_on),
        TEST(balancing_waits_for_running_moves),
        TEST(adopted_moves_count_against_the_limits),
        TEST(adopted_moves_take_their_room),
        TEST(an_adopted_move_out_of_sight_closes_its_destination),
        TEST(adopted_moves_have_begun_now),
        TEST(a_domain_that_left_is_not_moved),
        TEST(room_is_checked_again_at_dispatch),
        TEST(the_target_is_waited_for),
        TEST(an_outcome_keeps_the_hosts_own_use),
        TEST(the_recorded_input_stays_as_it_was),
        TEST(a_plan_with_a_failed_move_is_not_done),
        TEST(ended_moves_are_known_for_four_periods),
        TEST(the_result_is_verified_once),
        TEST(a_plan_ends_beside_the_next),
        TEST(a_new_policy_begins_anew),
        TEST(an_empty_cluster_is_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
