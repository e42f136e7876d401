/* Stories of deadlines: at which pace the engine empties a host, and what it leaves alone. And of
 * keys that go by themselves half-way. */
#include "tests/unit/core/engine_story.h"

#include <string.h>

/* 1000 MiB to a host of 50 MiB/s take 20.5 s; h1 carries two of them. */
#define OTHERS "; h2 link=50; h3 link=50; "
#define A "a@h1 1v 1000M dirty=0.1; "
#define B "b@h1 1v 1000M dirty=0.1; "
#define C "c@h1 1v 1000M dirty=0.1; "
#define D "d@h1 1v 1000M dirty=0.1"

static struct ek_engine_view view(void)
{
    return ek_engine_view(it.engine);
}

static bool told(const char *text)
{
    return strstr(it.trace.text, text) != NULL;
}

static void assert_told(const char *text)
{
    if (!told(text)) {
        fail_msg("not told: %s\nbut:\n%s", text, it.trace.text);
    }
}

static void forget(void)
{
    ek_text_clear(&it.trace);
}

static bool runs(const char *domain)
{
    struct ek_engine_view now = view();
    bool found = false;

    for (size_t i = 0; i < now.running_count; i++) {
        found = found || strcmp(now.running[i].domain, domain) == 0;
    }
    return found;
}

static void begin(void)
{
    it.events = true;
    it.promises = true;
    it.policy.aggressiveness = 1;
    ek_story_policy(&it);
    forget();
}

/* ---- deadlines ------------------------------------------------------------------------------- */

/* Without a deadline one leaves at a time. */
static void without_a_deadline_the_limits_hold(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance link=100" OTHERS A B C D);
    assert_int_equal(view().running_count, 1);
    assert_false(told("pace"));
}

/* A near one lets two leave at once, and says why. */
static void a_near_deadline_lets_more_leave_at_once(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1090 link=100" OTHERS A B C D);
    assert_int_equal(view().running_count, 2);
    assert_told("event pace: hosts with a deadline are emptied at pace half (6 at once, 2 from a "
                "host, 2 to a host): at pace limits h1 would be empty 2 s after its deadline");
    assert_told("slack 38.9 s at pace half");
}

/* A deadline that comes half-way is taken up with the next cycle, and one that goes as well. */
static void a_deadline_comes_and_goes_half_way(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance link=100" OTHERS A B C D);
    assert_int_equal(view().running_count, 1);
    forget();
    ek_story_cycle(&it, "h1 maintenance deadline=1085 link=100" OTHERS A B C D);
    assert_told("a deadline has changed");
    assert_told("at pace half");
    assert_int_equal(view().running_count, 2);
    forget();
    ek_story_cycle(&it, "h1 maintenance link=100" OTHERS A B C D);
    assert_told("event pace: hosts with a deadline are emptied at pace limits (4 at once, 1 from a "
                "host, 1 to a host): nothing has to leave a host with a deadline");
    /* What runs goes on; nothing more starts beside it. */
    assert_int_equal(view().running_count, 2);
    forget();
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(view().running_count, 1);
}

/* One that is put off far enough lets the pace down; by a little it does not. */
static void a_deadline_that_is_put_off_lowers_the_pace(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1090 link=100" OTHERS A B C D);
    forget();
    ek_story_cycle(&it, "h1 maintenance deadline=1095 link=100" OTHERS A B C D);
    assert_told("a deadline has changed");
    assert_false(told("event pace"));
    forget();
    ek_story_cycle(&it, "h1 maintenance deadline=9000 link=100" OTHERS A B C D);
    assert_told("event pace: hosts with a deadline are emptied at pace limits");
}

/* Who is late in spite of the steepest pace is told of once, as a warning, with a slack below 0. */
static void who_will_be_late_is_told_once(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1030 link=100" OTHERS A B C D);
    assert_told("warning pace: h1 will miss its deadline by 21 s, and no pace is steeper than "
                "parallel");
    assert_told("slack -21.1 s at pace parallel");
    forget();
    ek_story_cycle(&it, "h1 maintenance deadline=1029 link=100" OTHERS A B C D);
    assert_told("a deadline has changed");
    assert_false(told("warning"));
}

/* In time with the limits when it was planned; then the first move takes far longer than predicted,
 * and what waits is planned anew at a steeper pace. */
static void who_falls_behind_goes_faster(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1115 link=100" OTHERS A B C D);
    assert_int_equal(view().running_count, 1);
    for (int i = 0; i < 3; i++) {
        forget();
        ek_story_cycle(&it, "h1 maintenance deadline=1115 link=100" OTHERS A B C D);
        assert_false(told("planned anew"));
        assert_int_equal(view().running_count, 1);
    }
    ek_story_cycle(&it, "h1 maintenance deadline=1115 link=100" OTHERS A B C D);
    assert_told("it falls behind, and a host would miss its deadline");
    assert_told("event pace: hosts with a deadline are emptied at pace parallel");
    assert_int_equal(view().running_count, 2);
}

/* In recommend mode nothing is emptied; what it would take is in the status. */
static void recommend_mode_only_shows_the_pace(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1090 link=100" OTHERS A B C D);
    assert_told("slack 38.9 s at pace half");
    assert_false(told("event pace"));
    assert_int_equal(view().running_count, 0);
}

/* ---- what the pace does not bind ------------------------------------------------------------- */

/* An operator's order waits for a place under the policy's limits while evacuations take more. */
static void an_order_keeps_the_limits(void **state)
{
    (void)state;
    it.policy.limit_cluster = 2;
    it.policy.urgent.cluster = 4;
    begin();
    ek_story_cycle(&it,
                   "h1 maintenance deadline=1090 link=100; h4 link=50; h5 link=50" OTHERS A B C D
                   "; x@h4");
    assert_int_equal(view().running_count, 2);
    ek_story_command(&it, EK_COMMAND_MOVE, "x", "h5");
    assert_false(runs("x"));
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    assert_int_equal(view().running_count, 2);
    assert_false(runs("x"));
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    assert_true(runs("x"));
}

/* What another host without a deadline has to lose keeps them, too. */
static void a_host_without_a_deadline_keeps_the_limits(void **state)
{
    (void)state;
    begin();
    ek_story_cycle(&it,
                   "h1 maintenance deadline=1090 link=100; h4 maintenance link=100; h5 link=50;"
                   "h6 link=50" OTHERS A B C D "; x@h4 1v 1000M; y@h4 1v 1000M");
    assert_int_equal(view().running_count, 3);
    assert_true(runs("x") != runs("y"));
}

/* The bandwidth that a deadline has raised is divided among what leaves its host; a balance move
 * beside it has what the policy gives it, and together they have no more than the link. */
static void a_balance_move_keeps_its_bandwidth(void **state)
{
    (void)state;
    it.policy.bandwidth_per_host_mib_s = 20;
    it.policy.urgent.bandwidth_per_host_mib_s = 100;
    it.policy.limit_host_in = 2;
    it.policy.urgent.host_in = 2;
    begin();
    ek_story_cycle(&it, "h1 maintenance deadline=1040 link=100; h2 link=100; h4; a@h1 1v 1000M "
                        "dirty=0.1; x@h4 1v 1000M");
    ek_story_adopt(&it, "x", "h4", "h2");
    assert_true(runs("a") && runs("x"));
    assert_told("at pace urgent");
    assert_told("limit earlier-x 20\n");
    assert_told("80\n");
    forget();
    /* Without the deadline both keep within the policy's 20. */
    ek_story_cycle(&it, "h1 maintenance link=100; h2 link=100; h4; a@h1->h2 1v 1000M dirty=0.1;"
                        "x@h4->h2 1v 1000M");
    assert_told("limit earlier-x 10\n");
}

/* ---- keys that go by themselves ---------------------------------------------------------------
 */

/* The time to live of a key runs out half-way: what runs ends, nothing more starts, and the host is
 * used again, also by balancing. */
static void a_key_that_runs_out_half_way_ends_it(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, "h1 10c maintenance; h2 10c; a@h1 1v 1G 1c; b@h1 1v 1G 1c; c@h1 1v 1G 1c");
    assert_int_equal(view().running_count, 1);
    assert_int_equal(view().waiting_count, 2);
    forget();
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 1c; b@h1 1v 1G 1c; c@h1 1v 1G 1c");
    assert_told("maintenance h1 ended");
    assert_told("the hosts to be emptied have changed");
    assert_false(told("abort"));
    assert_false(told("start "));
    assert_true(runs("a"));
    assert_int_equal(view().waiting_count, 0);
    forget();
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_false(told("start "));
    assert_int_equal(view().running_count, 0);
    /* h2 is hot now: h1 takes what is too much for it. */
    ek_story_settle(&it, "h1 10c; h2 10c; a@h2 1v 1G 4c; b@h1 1v 1G 1c; c@h1 1v 1G 1c;"
                         "d@h2 1v 1G 4c; e@h2 1v 1G 1c");
    assert_told("h2->h1 balance");
    assert_told("start ");
}

/* The same key set anew is a new question, asked of what is there then. */
static void a_key_that_comes_again_begins_anew(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 10c maintenance; h2 10c; a@h1 1v 1G; b@h1 1v 1G");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G; b@h1 1v 1G");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    forget();
    ek_story_cycle(&it, "h1 10c maintenance; h2 10c; a@h2 1v 1G; b@h1 1v 1G");
    ek_story_expect(&it, "plan started: b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start b h1->h2\n"
                         "wake +10 s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_deadline_the_limits_hold),
        TEST(a_near_deadline_lets_more_leave_at_once),
        TEST(a_deadline_comes_and_goes_half_way),
        TEST(a_deadline_that_is_put_off_lowers_the_pace),
        TEST(who_will_be_late_is_told_once),
        TEST(who_falls_behind_goes_faster),
        TEST(recommend_mode_only_shows_the_pace),
        TEST(an_order_keeps_the_limits),
        TEST(a_host_without_a_deadline_keeps_the_limits),
        TEST(a_balance_move_keeps_its_bandwidth),
        TEST(a_key_that_runs_out_half_way_ends_it),
        TEST(a_key_that_comes_again_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
