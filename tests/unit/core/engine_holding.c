/* Stories of holding: when the engine watches and starts nothing. */
#include "tests/unit/core/engine_story.h"

#include <string.h>

static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c";

/* While told to hold it starts nothing, says why once, and says when it no longer holds. */
static void holding_starts_nothing(void **state)
{
    (void)state;
    it.events = true;
    ek_story_hold(&it, "Redis is away");
    ek_story_cycle(&it, UNEVEN);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "event holding: holding: Redis is away\n");
    assert_string_equal(ek_engine_view(it.engine).holding, "Redis is away");
    ek_story_release(&it);
    ek_story_expect(&it, "event holding: no longer holding\n");
    it.events = false;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
}

/* An evacuation is held, too, and its status says why. */
static void holding_holds_evacuations(void **state)
{
    (void)state;
    ek_story_hold(&it, "Redis is away");
    ek_story_cycle(&it, DRAIN);
    ek_story_expect(&it, "maintenance h1 blocked, 2 left; : Redis is away\nwake +10 s\n");
}

/* A running move goes on and may end; nothing follows it. */
static void running_moves_go_on(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_text_clear(&it.trace);
    ek_story_hold(&it, "Redis is away");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 2 left; : Redis is away\n"
                         "wake +10 s\n"
                         "maintenance h1 evacuating, 1 left; : Redis is away\n"
                         "wake +10 s\n");
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
}

/* What waited while it held is not started on what was known before: the next cycle plans anew. */
static void what_waited_is_planned_anew(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_hold(&it, "Redis is away");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    it.now_ms += 3600 * 1000;
    ek_text_clear(&it.trace);
    ek_story_release(&it);
    ek_story_expect(&it, "fate abandoned\nmaintenance h1 evacuating, 1 left\nwake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h2 1v 3G 0c; b@h1 1v 2G 0c");
    ek_story_expect(&it, "plan started: b h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start b h1->h3\n"
                         "wake +10 s\n");
}

/* An operator's order waits no longer either: he saw another cluster when he gave it. */
static void an_order_that_waited_is_dropped(void **state)
{
    static const char cluster[] = "h1; h2; h3; a@h1; b@h1";

    (void)state;
    ek_story_cycle(&it, cluster);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    ek_story_command(&it, EK_COMMAND_MOVE, "b", "h3");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_hold(&it, "Redis is away");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    it.now_ms += 3600 * 1000;
    ek_text_clear(&it.trace);
    ek_story_release(&it);
    ek_story_expect(&it, "fate abandoned\n");
    ek_story_cycle(&it, cluster);
    ek_story_expect(&it, "");
}

/* Nor does anything start on a snapshot of before: neither a new order nor the way back of a plan
 * that failed meanwhile. */
static void nothing_starts_before_a_new_snapshot(void **state)
{
    static const char even[] = "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 0c";

    (void)state;
    ek_story_cycle(&it, even);
    ek_story_hold(&it, "Redis is away");
    ek_story_release(&it);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    ek_story_cycle(&it, even);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

static void no_way_back_before_a_new_snapshot(void **state)
{
    static const char uneven[] = "h1 10c; h2 10c; a@h1 1v 1G 2c; b@h1 1v 1G 2c; c@h1 1v 1G 2c;"
                                 "d@h1 1v 1G 2c";

    (void)state;
    it.policy.on_plan_failure = EK_ON_FAILURE_REVERT;
    ek_story_policy(&it);
    ek_story_cycle(&it, uneven);
    ek_story_outcome(&it, ek_engine_view(it.engine).running[0].domain, EK_MOVE_DONE);
    ek_story_hold(&it, "Redis is away");
    ek_story_outcome(&it, ek_engine_view(it.engine).running[0].domain, EK_MOVE_ROLLED_BACK);
    ek_text_clear(&it.trace);
    ek_story_release(&it);
    assert_null(strstr(it.trace.text, "start "));
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h2 1v 1G 2c; b@h1 1v 1G 2c; c@h1 1v 1G 2c;"
                        "d@h1 1v 1G 2c");
    assert_non_null(strstr(it.trace.text, "start a h2->h1"));
}

/* Where an earlier engine's pause cannot be read, nothing starts until somebody resumes. */
static void an_unreadable_pause_is_one(void **state)
{
    (void)state;
    it.events = true;
    ek_engine_take_up_nothing(it.engine, "engine:1:2: found x");
    ek_story_release(&it);
    ek_story_cycle(&it, DRAIN);
    assert_non_null(strstr(it.trace.text, "event holding: holding: what was paused before is not "
                                          "known: engine:1:2: found x\n"));
    assert_null(strstr(it.trace.text, "start "));
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* When most hosts are lost at once it holds; hosts in maintenance do not count. */
static void losing_most_hosts_holds(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, "h1; h2 down; h3 stale; h4 maintenance");
    ek_story_expect(&it, "event holding: holding: 2 of 3 hosts have no fresh sample\n"
                         "maintenance h4 evacuated, 0 left; : 2 of 3 hosts have no fresh sample\n");
    ek_story_cycle(&it, "h1; h2 down; h3; h4 maintenance");
    assert_null(ek_engine_view(it.engine).holding);
}

/* Half of the hosts lost is not most of them. */
static void losing_half_does_not_hold(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1; h2 down; h3 maintenance; a@h3");
    ek_story_expect(&it, "plan started: a h3->h1 evacuate\n"
                         "maintenance h3 evacuating, 1 left\n"
                         "start a h3->h1\n"
                         "wake +10 s\n");
}

/* A clock that goes back holds for one cycle. */
static void a_clock_going_back_holds_one_cycle(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 10c; h2 10c");
    it.now_ms -= 60000;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
    assert_string_equal(ek_engine_view(it.engine).holding, "the clock went back by 50.0 s");
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
}

/* So it does when another event than a snapshot shows it first. */
static void any_event_shows_a_clock_going_back(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_text_clear(&it.trace);
    it.now_ms -= 60000;
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left; : the clock went back by 59.0 s\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, DRAIN);
    assert_non_null(ek_engine_view(it.engine).holding);
    ek_story_cycle(&it, DRAIN);
    assert_null(ek_engine_view(it.engine).holding);
}

/* A second back and forth is no reason to hold. */
static void a_second_back_does_not_hold(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 10c; h2 10c");
    it.now_ms -= EK_STORY_PERIOD_MS + 1000;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(holding_starts_nothing),
        TEST(holding_holds_evacuations),
        TEST(running_moves_go_on),
        TEST(what_waited_is_planned_anew),
        TEST(an_order_that_waited_is_dropped),
        TEST(nothing_starts_before_a_new_snapshot),
        TEST(no_way_back_before_a_new_snapshot),
        TEST(an_unreadable_pause_is_one),
        TEST(losing_most_hosts_holds),
        TEST(losing_half_does_not_hold),
        TEST(a_clock_going_back_holds_one_cycle),
        TEST(any_event_shows_a_clock_going_back),
        TEST(a_second_back_does_not_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
