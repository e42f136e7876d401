/* Stories of moves that run, and of what would keep them from another attempt. */
#include "tests/unit/core/engine_story.h"

#include <string.h>

static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 4c";
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1";

static const char *withheld(void)
{
    const struct ek_engine_view view = ek_engine_view(it.engine);

    assert_int_equal(view.running_count, 1);
    const char *why = ek_engine_withholds(it.engine, &view.running[0]);
    return why == NULL ? "" : why;
}

/* Whatever kind of move: not while it holds, nor by samples from before that. */
static void nothing_is_tried_again_while_it_holds(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    assert_string_equal(withheld(), "");
    ek_story_hold(&it, "Redis is away");
    assert_string_equal(withheld(), "Redis is away");
    ek_story_release(&it);
    assert_string_equal(withheld(), "the samples are from before");
    ek_story_cycle(&it, DRAIN);
    assert_string_equal(withheld(), "");
}

/* Nor towards a host that is to be emptied. */
static void nothing_is_tried_again_towards_maintenance(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    assert_string_equal(withheld(), "");
    ek_story_cycle(&it, "h1 10c; h2 10c maintenance; a@h1 1v 1G 3c; b@h1 1v 1G 4c");
    assert_string_equal(withheld(), "its destination is to be emptied");
}

static void an_open_circuit_withholds(void **state)
{
    struct ek_error err = {0};
    const struct ek_circuit_entry *opened = NULL;
    struct ek_circuit *circuit = ek_cooldown_circuit(ek_engine_cooldown(it.engine));

    (void)state;
    ek_story_cycle(&it, DRAIN);
    const struct ek_move_order order = ek_engine_view(it.engine).running[0];
    for (int i = 0; i < it.policy.circuit_failures; i++) {
        assert_true(ek_circuit_failed(circuit, &it.policy, order.source, order.destination,
                                      it.now_ms, &opened, &err));
    }
    assert_string_equal(withheld(), "the circuit between its hosts is open");
}

/* What levels waits for a pause, a window and the mode; what empties a host does for none but the
 * last. */
static void a_pause_withholds_what_levels(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    assert_string_equal(withheld(), "an operator paused balancing");
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    assert_string_equal(withheld(), "");
    it.policy.mode = EK_MODE_APPROVE;
    ek_story_policy(&it);
    assert_string_equal(withheld(), "the mode is approve");
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    assert_string_equal(withheld(), "the mode is recommend");
}

static void a_pause_withholds_no_evacuation(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    it.policy.mode = EK_MODE_APPROVE;
    ek_story_policy(&it);
    assert_string_equal(withheld(), "");
    ek_story_cycle(&it, "h1; h2; h3; a@h1");
    assert_string_equal(withheld(), "its host is not to be emptied any more");
}

/* What makes room for an evacuation leaves no host in maintenance itself: it is tried again while
 * that evacuation is wanted, and not after. */
static void room_is_made_while_somebody_needs_it(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 8c 64G maintenance; h2 8c 40G; h3 8c 20G; big@h1 1v 32G; s@h2 1v 12G");
    assert_string_equal(ek_engine_view(it.engine).running[0].name, "s");
    assert_string_equal(withheld(), "");
    ek_story_cycle(&it, "h1 8c 64G maintenance; h2 8c 40G; h3 8c 20G; big@h1 1v 32G; s@h2 1v 12G");
    assert_string_equal(withheld(), "");
    ek_story_cycle(&it, "h1 8c 64G; h2 8c 40G; h3 8c 20G; big@h1 1v 32G; s@h2 1v 12G");
    assert_string_equal(withheld(), "its host is not to be emptied any more");
}

/* Without a cycle in between: the step of any event finds the window closed. */
static void a_closed_window_withholds_what_levels(void **state)
{
    (void)state;
    it.policy.calendar.windows[0] = (struct ek_window){1U << 3, 0, 60};
    it.policy.calendar.window_count = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    it.now_ms = 3600000;
    ek_story_block(&it, "b");
    assert_non_null(strstr(withheld(), "outside the window"));
}

/* An operator's order is his: neither pause nor mode are about it. */
static void an_order_is_tried_again(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1; h2; a@h1");
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    assert_string_equal(withheld(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_tried_again_while_it_holds),
        TEST(nothing_is_tried_again_towards_maintenance),
        TEST(an_open_circuit_withholds),
        TEST(a_pause_withholds_what_levels),
        TEST(a_pause_withholds_no_evacuation),
        TEST(room_is_made_while_somebody_needs_it),
        TEST(a_closed_window_withholds_what_levels),
        TEST(an_order_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
