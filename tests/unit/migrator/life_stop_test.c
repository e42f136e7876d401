/* The life of a save and of a shutdown, told as stories. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct ek_observation saving = {.presence = EK_PRESENCE_ACTIVE,
                                             .run = EK_RUN_PAUSED_OTHER,
                                             .job = EK_JOB_OTHER,
                                             .saving = true,
                                             .persistent = true,
                                             .text = "being saved"};
static const struct ek_observation saved = {.presence = EK_PRESENCE_INACTIVE,
                                            .run = EK_RUN_SHUTOFF_OTHER,
                                            .saved = true,
                                            .persistent = true,
                                            .text = "saved"};
static const struct ek_observation migrated_away = {
    .presence = EK_PRESENCE_INACTIVE, .run = EK_RUN_SHUTOFF_MIGRATED, .text = "off (migrated)"};
static const struct ek_job_progress half = {.active = true,
                                            .total_mib = 1000,
                                            .remaining_mib = 500,
                                            .transferred_mib = 500,
                                            .bandwidth_mib_s = 100};

static enum ek_move_state state_of(const struct story *story)
{
    return story->life.record.state;
}

static void assert_ended(const struct story *story, enum ek_move_state state, const char *error)
{
    assert_int_equal(story->action.kind, EK_LIFE_FINISH);
    assert_string_equal(ek_move_state_name(state_of(story)), ek_move_state_name(state));
    if (error[0] == '\0') {
        assert_string_equal(story->life.record.error, "");
    } else if (strstr(story->life.record.error, error) == NULL) {
        fail_msg("found \"%s\", expected \"%s\" in it", story->life.record.error, error);
    }
}

/* From the start up to the call that stops. */
static void to_running(struct story *story, enum ek_move_kind kind)
{
    story_begin_stop(story, kind);
    assert_int_equal(story_start(story), EK_LIFE_GO_ON);
    assert_int_equal(state_of(story), EK_MOVE_CLAIMED);
    assert_int_equal(story_wake(story), EK_LIFE_PRECHECK);
    assert_int_equal(story_ok(story), EK_LIFE_MIGRATE);
    assert_int_equal(state_of(story), EK_MOVE_RUNNING);
}

/* Waits, looks and sees the same, in whatever state, for at most that long; stops at anything else.
 */
static void keep_seeing(struct story *story, const struct ek_observation *host, int64_t ms)
{
    int64_t until_ms = story->now_ms + ms;

    while (story->now_ms < until_ms &&
           (story->action.kind == EK_LIFE_WAIT || story->action.kind == EK_LIFE_OBSERVE ||
            story->action.kind == EK_LIFE_MIGRATE)) {
        if (story->action.kind == EK_LIFE_OBSERVE) {
            story_see(story, host, &absent);
        } else {
            story_wake(story);
        }
    }
}

/* ---- a save ---------------------------------------------------------------------------------- */

/* A save is done when its host shows the domain off and its image there, not when the call says so.
 */
static void test_save_is_done_with_its_image(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    assert_int_equal(story_wake(&story), EK_LIFE_WATCH);
    story_progress(&story, &half);
    assert_true(story.life.record.progress > 0.49 && story.life.record.progress < 0.51);
    assert_int_equal(story.life.record.eta_ms, 5000);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    assert_int_equal(state_of(&story), EK_MOVE_COMMIT_PENDING);
    story_see(&story, &saved, &absent);
    assert_ended(&story, EK_MOVE_DONE, "");
}

/* A call that returned well is not believed while the guest runs on. */
static void test_good_return_is_not_believed(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_migrated(&story);
    story_see(&story, &running, &absent);
    assert_int_equal(state_of(&story), EK_MOVE_RECONCILE);
    story_keep_seeing(&story, &running, &absent);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "called it done");
}

/* A save that fails leaves the guest running: rolled back, with libvirt's reason. */
static void test_failed_save_runs_on(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_DOMAIN, "h1: save: no space left");
    story_keep_seeing(&story, &running, &absent);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "no space left");
}

/* One that fails and leaves the guest paused is not called rolled back. */
static void test_failed_save_left_paused(void **state)
{
    static const struct ek_observation paused = {
        .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_OTHER, .text = "paused"};
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_DOMAIN, "h1: save: failed");
    story_keep_seeing(&story, &paused, &absent);
    assert_ended(&story, EK_MOVE_FAILED, "paused");
}

/* Off without an image: somebody else ended the guest; the save saved nothing. */
static void test_off_without_image_is_not_saved(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_DOMAIN, "domain is not running");
    story_keep_seeing(&story, &off_by_guest, &absent);
    assert_ended(&story, EK_MOVE_GUEST_OFF, "no saved image");
}

static void test_crash_while_saving(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_DOMAIN, "domain is not running");
    story_keep_seeing(&story, &crashed, &absent);
    assert_ended(&story, EK_MOVE_VM_DOWN, "crashed");
}

/* What cannot be seen is not told: the domain is left to an operator. */
static void test_unreachable_host_is_unknown(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_LOST, "connection lost");
    story_keep_seeing(&story, &dark, &absent);
    assert_ended(&story, EK_MOVE_UNKNOWN, "cannot be asked");
}

/* A connection that breaks does not end the save: it is watched to its end. */
static void test_lost_call_is_watched_on(void **state)
{
    static const struct ek_job_progress none = {.active = false};
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_LOST, "connection lost");
    assert_int_equal(story_see(&story, &saving, &absent), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    assert_int_equal(story_wake(&story), EK_LIFE_WATCH);
    story_progress(&story, &half);
    story_wake(&story);
    assert_int_equal(story_progress(&story, &none), EK_LIFE_OBSERVE);
    story_see(&story, &saved, &absent);
    assert_ended(&story, EK_MOVE_DONE, "");
}

/* A cancel during a save aborts its job, and the guest runs on. */
static void test_cancelled_save_is_aborted(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    assert_int_equal(story_cancel(&story), EK_LIFE_ABORT);
    assert_int_equal(story_ok(&story), EK_LIFE_WAIT);
    story_broke(&story, EK_FAILURE_ABORTED, "operation aborted");
    story_keep_seeing(&story, &running, &absent);
    assert_ended(&story, EK_MOVE_CANCELLED, "cancelled on request");
}

/* One that came too late finds the domain saved: that is what is told. */
static void test_cancel_after_the_image_is_done(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_cancel(&story);
    story_fail(&story, EK_FAILURE_SAME_PAIR, "no save of the domain runs");
    story_migrated(&story);
    story_see(&story, &saved, &absent);
    assert_ended(&story, EK_MOVE_DONE, "");
}

/* A save that takes too long is aborted, three times at most. */
static void test_slow_save_is_aborted(void **state)
{
    struct story story;
    int aborts = 0;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    while (state_of(&story) == EK_MOVE_RUNNING) {
        if (story.action.kind == EK_LIFE_ABORT) {
            aborts++;
            story_ok(&story);
        } else if (story.action.kind == EK_LIFE_WATCH) {
            story_progress(&story, &half);
        } else {
            story_wake(&story);
        }
    }
    assert_int_equal(aborts, 3);
    assert_int_equal(state_of(&story), EK_MOVE_RECONCILE);
    story_keep_seeing(&story, &saving, &absent);
    assert_ended(&story, EK_MOVE_UNKNOWN, "does not return");
}

/* ---- a shutdown -------------------------------------------------------------------------------
 */

/* A shutdown is done when the guest is off, however long after the call. */
static void test_shutdown_waits_for_the_guest(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    keep_seeing(&story, &running, 30000);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    keep_seeing(&story, &off_by_guest, 10000);
    assert_ended(&story, EK_MOVE_DONE, "");
}

/* A guest that takes longer runs on: nothing else is done to it. */
static void test_late_guest_runs_on(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    keep_seeing(&story, &running, 59000);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    keep_seeing(&story, &running, 20000);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "did not shut down within 60 s; it runs on");
    assert_int_equal(story.migrates, 1);
}

/* A call that was refused told the guest nothing: it is not waited for. */
static void test_refused_shutdown_is_over_at_once(void **state)
{
    struct story story;
    int64_t began_ms;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    began_ms = story.now_ms;
    story_broke(&story, EK_FAILURE_DOMAIN, "h1: shutdown: no ACPI");
    keep_seeing(&story, &running, 60000);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "no ACPI");
    assert_true(story.now_ms - began_ms < 10000);
}

/* One whose answer was lost may have been told. */
static void test_lost_shutdown_is_waited_for(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_broke(&story, EK_FAILURE_LOST, "connection lost");
    keep_seeing(&story, &dark, 20000);
    keep_seeing(&story, &running, 20000);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    keep_seeing(&story, &off_by_guest, 10000);
    assert_ended(&story, EK_MOVE_DONE, "");
}

/* A cancel cannot take it back, and says so; the truth is told in the end. */
static void test_cancelled_shutdown_goes_on(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    story_see(&story, &running, &absent);
    assert_int_equal(story_cancel(&story), EK_LIFE_WAIT);
    assert_non_null(strstr(story.action.note, "cannot be taken back"));
    keep_seeing(&story, &off_by_guest, 10000);
    assert_ended(&story, EK_MOVE_DONE, "");
}

static void test_cancelled_shutdown_of_a_late_guest(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    story_see(&story, &running, &absent);
    story_cancel(&story);
    keep_seeing(&story, &running, 90000);
    assert_ended(&story, EK_MOVE_CANCELLED, "has not");
}

/* Somebody migrates it away meanwhile: not stopped by us, and not here any more. */
static void test_migrated_meanwhile(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    keep_seeing(&story, &migrated_away, 20000);
    assert_ended(&story, EK_MOVE_GUEST_OFF, "somebody else");
}

static void test_gone_meanwhile(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    keep_seeing(&story, &absent, 20000);
    assert_ended(&story, EK_MOVE_GUEST_OFF, "no longer defined");
}

static void test_crash_instead_of_shutdown(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    keep_seeing(&story, &crashed, 20000);
    assert_ended(&story, EK_MOVE_VM_DOWN, "crashed");
}

/* ---- before the call --------------------------------------------------------------------------
 */

/* A check that says no ends it: nothing was touched, and nothing is tried again here. */
static void test_check_says_no(void **state)
{
    struct story story;

    (void)state;
    for (unsigned int kind = EK_MOVE_SAVE; kind <= EK_MOVE_SHUTDOWN; kind++) {
        story_begin_stop(&story, (enum ek_move_kind)kind);
        story_start(&story);
        story_wake(&story);
        story_fail(&story, EK_FAILURE_SAME_PAIR, "it is transient");
        assert_ended(&story, EK_MOVE_REJECTED, "it is transient");
        assert_int_equal(story.migrates, 0);
    }
}

/* A cancel before the call leaves no trace, in each of the states before it. */
static void test_cancel_before_the_call(void **state)
{
    struct story story;

    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        story_begin_stop(&story, EK_MOVE_SHUTDOWN);
        if (steps > 0) {
            story_start(&story);
        }
        if (steps > 1) {
            story_wake(&story);
        }
        story.cancel = EK_ABORT_UNWANTED;
        if (steps == 0) {
            story_start(&story);
        } else if (steps == 1) {
            story_wake(&story);
        } else {
            story_ok(&story);
        }
        assert_ended(&story, EK_MOVE_CANCELLED, "cancelled");
        assert_int_equal(story.migrates, 0);
    }
}

/* ---- after our own death -----------------------------------------------------------------------
 */

/* Ordered long ago, with its record written only now: nobody is told to shut down by that order. */
static void test_late_order_is_not_begun(void **state)
{
    struct story story;

    (void)state;
    story_begin_stop(&story, EK_MOVE_SHUTDOWN);
    assert_int_equal(story_start(&story), EK_LIFE_GO_ON);
    story.now_ms += story.life.timing.precheck_ms + story.life.timing.fresh_ms + 1;
    assert_int_equal(story_wake(&story), EK_LIFE_PRECHECK);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_REJECTED, "too long after it was ordered");
    assert_int_equal(story.migrates, 0);
}

/* Checks that take all of their time are not too late. */
static void test_slow_checks_are_in_time(void **state)
{
    struct story story;

    (void)state;
    story_begin_stop(&story, EK_MOVE_SHUTDOWN);
    assert_int_equal(story_start(&story), EK_LIFE_GO_ON);
    assert_int_equal(story_wake(&story), EK_LIFE_PRECHECK);
    story.now_ms += story.life.timing.precheck_ms;
    assert_int_equal(story_ok(&story), EK_LIFE_MIGRATE);
}

/* Adopted in whatever state, the host is asked, and what it shows decides; no call is ever made
 * anew. */
static void test_adopted_and_stopped(void **state)
{
    static const enum ek_move_state states[] = {EK_MOVE_RUNNING, EK_MOVE_COMMIT_PENDING,
                                                EK_MOVE_RECONCILE};
    struct story story;

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        story_adopt_stop(&story, EK_MOVE_SAVE, states[i]);
        assert_int_equal(story_start(&story), EK_LIFE_OBSERVE);
        assert_int_equal(story.life.record.epoch, 6);
        story_see(&story, &saved, &absent);
        assert_ended(&story, EK_MOVE_DONE, "");
        story_adopt_stop(&story, EK_MOVE_SHUTDOWN, states[i]);
        story_start(&story);
        story_see(&story, &off_by_guest, &absent);
        assert_ended(&story, EK_MOVE_DONE, "");
    }
}

static void test_adopted_before_the_call(void **state)
{
    static const enum ek_move_state states[] = {EK_MOVE_PLANNED, EK_MOVE_CLAIMED, EK_MOVE_PRECHECK};
    struct story story;

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        story_adopt_stop(&story, EK_MOVE_SHUTDOWN, states[i]);
        story_start(&story);
        keep_seeing(&story, &running, 60000);
        assert_ended(&story, EK_MOVE_ROLLED_BACK, "balancer stopped");
        assert_int_equal(story.migrates, 0);
    }
}

/* Whom its user had paused we have not left paused: he is as before, also when no record says so
 * yet. */
static void test_adopted_of_one_paused_by_its_user(void **state)
{
    static const enum ek_move_state states[] = {EK_MOVE_PLANNED, EK_MOVE_CLAIMED, EK_MOVE_PRECHECK};
    struct story story;

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        story_adopt_stop(&story, EK_MOVE_SAVE, states[i]);
        assert_false(story.life.record.user_paused);
        story_start(&story);
        keep_seeing(&story, &paused_by_user, 120000);
        assert_ended(&story, EK_MOVE_ROLLED_BACK, "balancer stopped");
        assert_int_equal(story.migrates, 0);
    }
}

/* Nor whom he pauses while we are at it. */
static void test_paused_by_its_user_meanwhile(void **state)
{
    struct story story;

    (void)state;
    to_running(&story, EK_MOVE_SAVE);
    story_broke(&story, EK_FAILURE_DOMAIN, "h1: save: no space left");
    story_keep_seeing(&story, &paused_by_user, &absent);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "no space left");
    to_running(&story, EK_MOVE_SHUTDOWN);
    story_migrated(&story);
    keep_seeing(&story, &paused_by_user, 90000);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "did not shut down");
}

/* A save that goes on is watched to its end. */
static void test_adopted_save_goes_on(void **state)
{
    static const struct ek_job_progress none = {.active = false};
    struct story story;

    (void)state;
    story_adopt_stop(&story, EK_MOVE_SAVE, EK_MOVE_RUNNING);
    story_start(&story);
    assert_int_equal(story_see(&story, &saving, &absent), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    assert_int_equal(story_wake(&story), EK_LIFE_WATCH);
    assert_int_equal(story_progress(&story, &none), EK_LIFE_OBSERVE);
    story_see(&story, &saved, &absent);
    assert_ended(&story, EK_MOVE_DONE, "");
    assert_int_equal(story.migrates, 0);
}

/* A guest that runs may still be saved by the call of a balancer that was cut off: that long it is
 * waited for. */
static void test_adopted_save_may_not_have_begun(void **state)
{
    struct story story;
    int64_t began_ms;

    (void)state;
    story_adopt_stop(&story, EK_MOVE_SAVE, EK_MOVE_RUNNING);
    began_ms = story.now_ms;
    story_start(&story);
    story_keep_seeing(&story, &running, &absent);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "balancer stopped");
    assert_true(story.now_ms - began_ms >= 60000);
}

/* Of a shutdown the guest has what is left of its time, and not more than once. */
static void test_adopted_shutdown_has_its_time(void **state)
{
    struct story story;
    int64_t began_ms;

    (void)state;
    story_adopt_stop(&story, EK_MOVE_SHUTDOWN, EK_MOVE_RUNNING);
    began_ms = story.now_ms;
    story_start(&story);
    keep_seeing(&story, &running, 40000);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    keep_seeing(&story, &running, 60000);
    assert_ended(&story, EK_MOVE_ROLLED_BACK, "did not shut down");
    assert_true(story.now_ms - began_ms < 80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_is_done_with_its_image),
        cmocka_unit_test(test_good_return_is_not_believed),
        cmocka_unit_test(test_failed_save_runs_on),
        cmocka_unit_test(test_failed_save_left_paused),
        cmocka_unit_test(test_off_without_image_is_not_saved),
        cmocka_unit_test(test_crash_while_saving),
        cmocka_unit_test(test_unreachable_host_is_unknown),
        cmocka_unit_test(test_lost_call_is_watched_on),
        cmocka_unit_test(test_cancelled_save_is_aborted),
        cmocka_unit_test(test_cancel_after_the_image_is_done),
        cmocka_unit_test(test_slow_save_is_aborted),
        cmocka_unit_test(test_shutdown_waits_for_the_guest),
        cmocka_unit_test(test_late_guest_runs_on),
        cmocka_unit_test(test_refused_shutdown_is_over_at_once),
        cmocka_unit_test(test_lost_shutdown_is_waited_for),
        cmocka_unit_test(test_cancelled_shutdown_goes_on),
        cmocka_unit_test(test_cancelled_shutdown_of_a_late_guest),
        cmocka_unit_test(test_migrated_meanwhile),
        cmocka_unit_test(test_gone_meanwhile),
        cmocka_unit_test(test_crash_instead_of_shutdown),
        cmocka_unit_test(test_check_says_no),
        cmocka_unit_test(test_cancel_before_the_call),
        cmocka_unit_test(test_adopted_and_stopped),
        cmocka_unit_test(test_late_order_is_not_begun),
        cmocka_unit_test(test_slow_checks_are_in_time),
        cmocka_unit_test(test_adopted_before_the_call),
        cmocka_unit_test(test_adopted_of_one_paused_by_its_user),
        cmocka_unit_test(test_paused_by_its_user_meanwhile),
        cmocka_unit_test(test_adopted_save_goes_on),
        cmocka_unit_test(test_adopted_save_may_not_have_begun),
        cmocka_unit_test(test_adopted_shutdown_has_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
