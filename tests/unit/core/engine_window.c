/* Stories of the calendar: outside its windows nothing is balanced, hosts are emptied all the same.
 * The story's time begins at 1970-01-01 00:16:40 UTC, a Thursday. */
#include "tests/unit/core/engine_story.h"

#include <string.h>

static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c";

/* Two moves, of which one runs at a time. */
static const char TWO[] =
    "h1 20c; h2 20c; a@h1 1v 1G 5c; b@h1 1v 1G 5c; c@h1 1v 1G 5c; d@h1 1v 1G 5c";

static void open_on_thursday(int from_min, int to_min)
{
    it.policy.calendar.windows[0] = (struct ek_window){1U << 3, from_min, to_min};
    it.policy.calendar.window_count = 1;
    ek_story_policy(&it);
}

static void nothing_is_balanced_outside(void **state)
{
    (void)state;
    it.events = true;
    open_on_thursday(60, 120);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it,
                    "event window: nothing is balanced: outside the window until Thu 01:00 UTC\n"
                    "event cycle: nothing to move: outside the window until Thu 01:00 UTC\n");
    assert_string_equal(ek_engine_view(it.engine).closed, "outside the window until Thu 01:00 UTC");
    assert_null(ek_engine_view(it.engine).holding);
    assert_string_equal(ek_engine_cycle(it.engine)->closed, ek_engine_view(it.engine).closed);
    it.events = false;
    it.now_ms = 3600000;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
    assert_null(ek_engine_view(it.engine).closed);
}

static void hosts_are_emptied_outside(void **state)
{
    (void)state;
    open_on_thursday(60, 120);
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* What runs when it closes ends; what waits does not begin any more. */
static void a_window_closes(void **state)
{
    (void)state;
    open_on_thursday(0, 60);
    ek_story_cycle(&it, TWO);
    ek_story_expect(&it, "plan started: a h1->h2 balance, b h1->h2 balance\nstart a h1->h2\n");
    it.now_ms = 3600000;
    ek_story_cycle(&it, TWO);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate abandoned\n");
}

/* A blackout of everything holds: evacuations and orders, too. */
static void a_blackout_of_everything(void **state)
{
    (void)state;
    it.policy.calendar.blackouts[0] =
        (struct ek_blackout){.from_ms = 0, .to_ms = 7200000, .reason = "power works"};
    it.policy.calendar.blackout_count = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    assert_string_equal(ek_engine_view(it.engine).holding,
                        "blackout until Thu 02:00 UTC: power works");
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_non_null(strstr(it.trace.text, "nothing starts now: blackout until Thu 02:00 UTC"));
    it.now_ms = 7200000;
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    assert_null(ek_engine_view(it.engine).holding);
}

/* The end of a move starts nothing more when a blackout has begun since the last cycle; an order is
 * refused. */
static void a_blackout_begins_between_cycles(void **state)
{
    (void)state;
    it.policy.calendar.blackouts[0] =
        (struct ek_blackout){.from_ms = 3600000, .to_ms = 7200000, .reason = "power works"};
    it.policy.calendar.blackout_count = 1;
    ek_story_policy(&it);
    it.now_ms = 3580000;
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    it.now_ms = 3650000;
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_null(strstr(it.trace.text, "start "));
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_balanced_outside),
        TEST(hosts_are_emptied_outside),
        TEST(a_window_closes),
        TEST(a_blackout_of_everything),
        TEST(a_blackout_begins_between_cycles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
