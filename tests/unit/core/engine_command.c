/* Stories of an operator's commands: cancel, abort, pause, resume. */
#include "tests/lib/cluster_text.h"
#include "tests/unit/core/engine_story.h"

#include <string.h>

/* One move levels it: a h1->h2. */
static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";

/* Two leave h1, one after the other. */
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c";

static const char *running_id(void)
{
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    return ek_engine_view(it.engine).running[0].id;
}

static const struct ek_effect *find(enum ek_effect_kind kind)
{
    for (size_t i = 0; i < it.effects.count; i++) {
        if (it.effects.items[i].kind == kind) {
            return &it.effects.items[i];
        }
    }
    return NULL;
}

static enum ek_error_code reply_code(void)
{
    assert_non_null(find(EK_EFFECT_REPLY));
    assert_string_equal(find(EK_EFFECT_REPLY)->u.reply.command_id, "c1");
    return find(EK_EFFECT_REPLY)->u.reply.code;
}

/* An abort reaches the move that runs; of an id that nobody has it says so. */
static void an_abort_is_asked_of_the_running_move(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    ek_story_command(&it, EK_COMMAND_ABORT, "nobody-1", "");
    assert_int_equal(reply_code(), EK_ERR_NOT_FOUND);
    assert_null(find(EK_EFFECT_ABORT));
    ek_story_command(&it, EK_COMMAND_ABORT, running_id(), "");
    assert_int_equal(reply_code(), EK_ERR_NONE);
    assert_string_equal(find(EK_EFFECT_ABORT)->u.abort.id, running_id());
}

/* While it is paused nothing is balanced, and what is to be emptied is emptied. */
static void a_pause_holds_balancing_and_no_evacuation(void **state)
{
    (void)state;
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
    assert_string_equal(ek_engine_view(it.engine).paused, "an operator paused balancing");
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* A resume ends the pause at once: it wants a snapshot now. */
static void a_resume_balances_again(void **state)
{
    (void)state;
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    ek_story_expect(&it, "reply no error: balancing goes on; what held it was: an operator paused "
                         "balancing\nwake +0 s\n");
    assert_null(ek_engine_view(it.engine).paused);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan started: a h1->h2 balance\nstart a h1->h2\n");
}

/* Cancelling a plan drops what waits of it and aborts what runs. */
static void a_cancelled_plan_is_dropped_and_aborted(void **state)
{
    char plan[EK_ID_SIZE];

    (void)state;
    ek_story_cycle(&it, DRAIN);
    memcpy(plan, ek_engine_view(it.engine).plan_id, sizeof(plan));
    ek_story_command(&it, EK_COMMAND_CANCEL, plan, "");
    assert_int_equal(reply_code(), EK_ERR_NONE);
    assert_string_equal(find(EK_EFFECT_ABORT)->u.abort.id, running_id());
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    ek_story_command(&it, EK_COMMAND_CANCEL, "0123", "");
    assert_int_equal(reply_code(), EK_ERR_NOT_FOUND);
}

/* Cancelling everything stops evacuations, too, until an operator resumes: else the next cycle
 * would begin them anew. */
static void cancel_all_stops_everything_until_a_resume(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_command(&it, EK_COMMAND_CANCEL, "all", "");
    assert_int_equal(reply_code(), EK_ERR_NONE);
    ek_story_outcome(&it, "a", EK_MOVE_CANCELLED);
    ek_text_clear(&it.trace);
    ek_story_settle(&it, DRAIN);
    ek_story_expect(&it, "maintenance h1 blocked, 2 left; : an operator cancelled everything\n"
                         "wake +10 s\n");
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    ek_story_settle(&it, DRAIN);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* An operator's order is a plan of its own; what it may not do is refused with the first reason. */
static void a_move_on_order_starts(void **state)
{
    static const char full[] = "h1 10c; h2 10c 4G; a@h1 1v 3G 1c; b@h2 1v 2G 1c";
    char plan[EK_ID_SIZE];

    (void)state;
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(reply_code(), EK_ERR_UNAVAILABLE);
    ek_story_cycle(&it, full);
    ek_story_command(&it, EK_COMMAND_MOVE, "nobody", "h2");
    assert_int_equal(reply_code(), EK_ERR_NOT_FOUND);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h9");
    assert_int_equal(reply_code(), EK_ERR_NOT_FOUND);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(reply_code(), EK_ERR_DENIED);
    assert_string_equal(find(EK_EFFECT_REPLY)->u.reply.text,
                        "a does not move to h2: 3072 MiB of memory needed, 1843 MiB may still be "
                        "given");
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_MOVE, "b", "h1");
    assert_int_equal(reply_code(), EK_ERR_NONE);
    assert_non_null(strstr(it.trace.text, "plan started: b h2->h1 manual\n"));
    assert_non_null(strstr(find(EK_EFFECT_REPLY)->u.reply.text, running_id()));
    memcpy(plan, ek_engine_view(it.engine).running[0].plan_id, sizeof(plan));
    assert_string_equal(ek_engine_view(it.engine).plan_id, plan); /* what `cancel` takes */
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_expect(&it, "fate done\n");
}

/* An order waits for its turn under the limits, and neither rest nor pause holds it. */
static void an_order_waits_for_its_turn(void **state)
{
    (void)state;
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c");
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    ek_story_command(&it, EK_COMMAND_MOVE, "b", "h2");
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h1 1v 1G 3c");
    assert_string_equal(ek_engine_view(it.engine).running[0].domain, "b");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h2 1v 1G 3c");
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h1");
    assert_int_equal(reply_code(), EK_ERR_NONE);
}

/* What an operator has resolved may be moved again. */
static void an_unblocked_domain_moves_again(void **state)
{
    static const char one[] = "h1 maintenance; h2; a@h1 1v 3G 0c";

    (void)state;
    ek_story_block(&it, "a");
    ek_story_cycle(&it, one);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_UNBLOCK, .u.unblock = "a"});
    ek_story_cycle(&it, one);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* The same order twice is one move: its twin would bear the same id, and start it again. */
static void an_order_that_waits_is_not_doubled(void **state)
{
    static const char quiet[] = "h1 10c; h2 10c; h3 10c; x@h1 1v 1G 1c; a@h1 1v 1G 1c";

    (void)state;
    it.policy.limit_host_out = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, quiet);
    ek_story_command(&it, EK_COMMAND_MOVE, "x", "h3");
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(reply_code(), EK_ERR_NONE);
    assert_non_null(strstr(find(EK_EFFECT_REPLY)->u.reply.text, "is ordered already"));
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_outcome(&it, "x", EK_MOVE_DONE);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_abort_is_asked_of_the_running_move),
        TEST(a_pause_holds_balancing_and_no_evacuation),
        TEST(a_resume_balances_again),
        TEST(a_cancelled_plan_is_dropped_and_aborted),
        TEST(cancel_all_stops_everything_until_a_resume),
        TEST(a_move_on_order_starts),
        TEST(an_order_waits_for_its_turn),
        TEST(an_unblocked_domain_moves_again),
        TEST(an_order_that_waits_is_not_doubled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
