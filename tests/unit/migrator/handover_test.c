/* The two-step hand-over, told as stories. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_ended(const struct story *story, enum ek_move_state state)
{
    assert_int_equal(story->action.kind, EK_LIFE_FINISH);
    assert_string_equal(ek_move_state_name(story->life.record.state), ek_move_state_name(state));
}

/* A move that copies disks, as the checks find out, and is on its way. */
static void begin_copying_disks(struct story *story)
{
    static const struct ek_findings copied = {.copies_disks = true};

    story_begin(story);
    story->life.record.order.two_step = EK_TWO_STEP_COPIED;
    story->findings = &copied;
    story_to_running(story);
    assert_true(story->life.record.two_step);
}

static void adopt_two_step(struct story *story, enum ek_move_state state)
{
    story_adopt(story, state);
    story->life.record.two_step = true;
    assert_int_equal(story_start(story), EK_LIFE_OBSERVE);
}

/* The guest stands still until the second step, which comes at once: no pause, no further state. */
static void test_destination_is_resumed_at_once(void **state)
{
    struct story story;
    int64_t returned_ms;

    (void)state;
    begin_copying_disks(&story);
    story_migrated(&story);
    returned_ms = story.now_ms;
    assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_RESUME_DESTINATION);
    assert_int_equal(story.life.record.state, EK_MOVE_COMMIT_PENDING);
    assert_true(story.now_ms == returned_ms);
    story.now_ms += 30;
    assert_int_equal(story_ok(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    assert_int_equal(story.life.record.downtime_ms, 120 + 30); /* the wait for us is downtime */
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

/* A journal that was away between the call's end and the look: by then an operator may have started
 * the guest on a third host. Out of commit-pending the port asks all of them. */
static void test_late_second_step_asks_others(void **state)
{
    struct story story;

    (void)state;
    begin_copying_disks(&story);
    story_migrated(&story);
    story.now_ms += story.life.timing.fresh_ms + 1;
    assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_OBSERVE);
    assert_int_equal(story.life.record.state, EK_MOVE_RECONCILE);
    assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_RESUME_DESTINATION);
}

/* Which moves are handed over in two steps: those that copy disks unless it is switched off; all of
 * them on demand, but then post-copy goes before it where no disk is copied. */
static void test_when_two_steps_are_taken(void **state)
{
    static const struct {
        enum ek_two_step when;
        bool copies, post_copy, expected;
    } cases[] = {
        {EK_TWO_STEP_COPIED, true, false, true},  {EK_TWO_STEP_COPIED, false, false, false},
        {EK_TWO_STEP_COPIED, true, true, true},   {EK_TWO_STEP_ALWAYS, false, false, true},
        {EK_TWO_STEP_ALWAYS, false, true, false}, {EK_TWO_STEP_ALWAYS, true, true, true},
        {EK_TWO_STEP_NEVER, true, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ek_findings findings = {.copies_disks = cases[i].copies};
        struct story story;

        story_begin(&story);
        story.life.record.order.two_step = cases[i].when;
        story.life.record.order.post_copy = cases[i].post_copy;
        story.findings = &findings;
        story_to_running(&story);
        assert_int_equal(story.life.record.two_step, cases[i].expected);
    }
}

/* A guest that its user had paused stays paused. */
static void test_paused_guest_stays_paused(void **state)
{
    struct story story;

    (void)state;
    begin_copying_disks(&story);
    story.life.record.user_paused = true;
    story_migrated(&story);
    assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

/* Whoever adopts a move that died between the two steps takes the second one. */
static void test_adopter_resumes(void **state)
{
    static const enum ek_move_state left[] = {EK_MOVE_RUNNING, EK_MOVE_SWITCHOVER,
                                              EK_MOVE_COMMIT_PENDING, EK_MOVE_RECONCILE};

    (void)state;
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        struct story story;

        adopt_two_step(&story, left[i]);
        assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_RESUME_DESTINATION);
        assert_int_equal(story_ok(&story), EK_LIFE_OBSERVE);
        assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
        story_ok(&story);
        assert_ended(&story, EK_MOVE_DONE);
    }
}

/* A resume that was refused (another host is away) is tried again, a minute apart, and given up as
 * unknown: nothing is destroyed. */
static void test_refused_resume_is_tried_again(void **state)
{
    struct story story;
    int64_t begin_ms;

    (void)state;
    adopt_two_step(&story, EK_MOVE_COMMIT_PENDING);
    begin_ms = story.now_ms;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(story_keep_seeing(&story, &absent, &paused_by_user),
                         EK_LIFE_RESUME_DESTINATION);
        assert_true(story.now_ms - begin_ms >= i * 60000);
        story_fail(&story, EK_FAILURE_OTHER_HOST, "h3: cannot be asked");
    }
    story_keep_seeing(&story, &absent, &paused_by_user);
    assert_ended(&story, EK_MOVE_UNKNOWN);
}

/* A destination whose source cannot be read is never resumed. */
static void test_never_resumed_beside_a_dark_source(void **state)
{
    struct story story;

    (void)state;
    begin_copying_disks(&story);
    story_migrated(&story);
    assert_int_equal(story_see(&story, &dark, &paused_by_user), EK_LIFE_OBSERVE);
    story_keep_seeing(&story, &dark, &paused_by_user);
    assert_ended(&story, EK_MOVE_UNKNOWN);
}

/* A lost Finish reply lets the source go on; the whole copy on the destination, which never ran, is
 * destroyed, and the move is rolled back. */
static void test_source_that_went_on(void **state)
{
    struct story story;

    (void)state;
    begin_copying_disks(&story);
    story_broke(&story, EK_FAILURE_OTHER_HOST, "Lost connection to destination host");
    assert_int_equal(story_keep_seeing(&story, &cancelled_running, &paused_by_user),
                     EK_LIFE_DESTROY_DESTINATION);
    story_ok(&story);
    assert_int_equal(story_keep_seeing(&story, &cancelled_running, &absent), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
}

/* Both ends left paused: the destination's copy goes first, and only then the source goes on. */
static void test_both_ends_paused(void **state)
{
    struct story story;

    (void)state;
    begin_copying_disks(&story);
    story_broke(&story, EK_FAILURE_LOST, "lost");
    assert_int_equal(story_keep_seeing(&story, &left_paused, &paused_by_user),
                     EK_LIFE_DESTROY_DESTINATION);
    story_ok(&story);
    assert_int_equal(story_keep_seeing(&story, &left_paused, &absent), EK_LIFE_RESUME_SOURCE);
    story_ok(&story);
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
}

/* A migrate call that hangs although its source is gone does not keep the guest down. */
static void test_call_that_hangs_after_the_commit(void **state)
{
    struct story story;
    int64_t gone_ms;

    (void)state;
    begin_copying_disks(&story);
    while (story.life.record.state == EK_MOVE_RUNNING) { /* no job is seen any more */
        story.action.kind == EK_LIFE_WATCH ? story_progress(&story, NULL) : story_wake(&story);
    }
    gone_ms = story.now_ms;
    assert_int_equal(story_keep_seeing(&story, &absent, &paused_by_user),
                     EK_LIFE_RESUME_DESTINATION);
    assert_true(story.now_ms - gone_ms <= 5000);
}

/* An adopted move whose call may still be made by whoever wrote its record is not called rolled
 * back before that is over; seen to have begun, it is. */
static void test_adopter_waits_for_a_late_call(void **state)
{
    struct story story;
    int64_t begin_ms;

    (void)state;
    story_adopt(&story, EK_MOVE_RUNNING);
    begin_ms = story.now_ms;
    story_start(&story);
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
    assert_in_range(story.now_ms - begin_ms, 60000, 66000);

    story_adopt(&story, EK_MOVE_RUNNING);
    begin_ms = story.now_ms;
    story_start(&story);
    story_see(&story, &running_job, &incoming);
    story_wake(&story);
    assert_int_equal(story_progress(&story, &(struct ek_job_progress){.active = false}),
                     EK_LIFE_OBSERVE);
    assert_int_equal(story_keep_seeing(&story, &cancelled_running, &absent), EK_LIFE_UNPREPARE);
    assert_in_range(story.now_ms - begin_ms, 0, 6000);
}

/* An abort that came too late is a success. */
static void test_abort_that_came_too_late(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_cancel(&story), EK_LIFE_ABORT);
    story_ok(&story);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destination_is_resumed_at_once),
        cmocka_unit_test(test_late_second_step_asks_others),
        cmocka_unit_test(test_when_two_steps_are_taken),
        cmocka_unit_test(test_paused_guest_stays_paused),
        cmocka_unit_test(test_adopter_resumes),
        cmocka_unit_test(test_refused_resume_is_tried_again),
        cmocka_unit_test(test_never_resumed_beside_a_dark_source),
        cmocka_unit_test(test_source_that_went_on),
        cmocka_unit_test(test_both_ends_paused),
        cmocka_unit_test(test_call_that_hangs_after_the_commit),
        cmocka_unit_test(test_adopter_waits_for_a_late_call),
        cmocka_unit_test(test_abort_that_came_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
