/* The life of a move, told as stories. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum ek_move_state state_of(const struct story *story)
{
    return story->life.record.state;
}

static void assert_ended(const struct story *story, enum ek_move_state state)
{
    assert_int_equal(story->action.kind, EK_LIFE_FINISH);
    assert_string_equal(ek_move_state_name(state_of(story)), ek_move_state_name(state));
}

static struct ek_outcome outcome_of(const struct story *story)
{
    struct ek_outcome outcome;

    ek_life_outcome(&story->life, &outcome);
    return outcome;
}

/* ---- the good life ------------------------------------------------------------------------- */

/* A move that succeeds passes every state in order, is verified on both hosts and reports its
 * downtime. */
static void test_good_move_is_verified_before_done(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    assert_int_equal(state_of(&story), EK_MOVE_COMMIT_PENDING);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    assert_int_equal(story_ok(&story), EK_LIFE_FINISH);
    assert_ended(&story, EK_MOVE_DONE);
    assert_int_equal(outcome_of(&story).downtime_ms, 120);
    assert_int_equal(outcome_of(&story).attempts, 1);
    assert_string_equal(outcome_of(&story).error, "");
}

/* A call that returned well is not believed: where the source still runs the guest, the move is not
 * done. */
static void test_success_is_not_believed(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_migrated(&story);
    assert_int_equal(story_see(&story, &running, &absent), EK_LIFE_OBSERVE);
    assert_int_equal(state_of(&story), EK_MOVE_RECONCILE);
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
    assert_non_null(strstr(outcome_of(&story).error, "called it done"));
}

/* A source that the migration paused is in switchover; when it runs again, it is not. */
static void test_switchover_is_shown(void **state)
{
    struct ek_job_progress progress = {.active = true, .total_mib = 100, .source_paused = true};
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_wake(&story), EK_LIFE_WATCH);
    assert_int_equal(story_progress(&story, &progress), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_SWITCHOVER);
    story_wake(&story);
    progress.source_paused = false;
    story_progress(&story, &progress);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
}

/* A clean-up that keeps failing does not undo a move: it is done, and says what was left. */
static void test_failed_clean_up_leaves_the_move_done(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_migrated(&story);
    story_see(&story, &absent, &arrived);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(story_fail(&story, EK_FAILURE_LOST, "h2: gone"), EK_LIFE_WAIT);
        assert_int_equal(story_wake(&story), EK_LIFE_POST);
    }
    story_fail(&story, EK_FAILURE_LOST, "h2: gone");
    assert_ended(&story, EK_MOVE_DONE);
    assert_non_null(strstr(outcome_of(&story).error, "h2: gone"));
}

/* ---- retries ------------------------------------------------------------------------------- */

/* A move that fails because the destination is busy waits 20 s and tries again, then 40 s, then
 * gives up. */
static void test_busy_destination_is_tried_again(void **state)
{
    struct story story;
    int64_t failed_at_ms;

    (void)state;
    story_begin(&story);
    story_start(&story);
    story_wake(&story);
    failed_at_ms = story.now_ms;
    assert_int_equal(story_fail(&story, EK_FAILURE_SAME_PAIR, "busy"), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RETRY_WAIT);
    assert_int_equal(story.action.wake_at_ms, failed_at_ms + 20000);
    assert_int_equal(story_wake(&story), EK_LIFE_GO_ON);
    story_wake(&story);
    story_fail(&story, EK_FAILURE_SAME_PAIR, "busy");
    assert_int_equal(story.action.wake_at_ms, story.now_ms + 40000);
    story_wake(&story);
    story_wake(&story);
    story_fail(&story, EK_FAILURE_SAME_PAIR, "busy");
    assert_ended(&story, EK_MOVE_REJECTED);
    assert_int_equal(outcome_of(&story).attempts, 3);
}

/* What keeps a new move from its start keeps one from its next attempt, asked when the wait is
 * over: it ends on its source, with both reasons. */
static void test_a_withheld_attempt_is_not_made(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story.withheld = "paused";
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_LOST, "connection lost");
    story_keep_seeing(&story, &running, &absent);
    assert_int_equal(story_ok(&story), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RETRY_WAIT);
    story_wake(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
    assert_string_equal(outcome_of(&story).error, "connection lost; not tried again: paused");
    assert_int_equal(story.migrates, 1);
}

/* Nor does it end while nobody knows whether that lasts. */
static void test_what_was_withheld_may_be_allowed_again(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_start(&story);
    story_wake(&story);
    story.withheld = "Redis is away";
    story_fail(&story, EK_FAILURE_SAME_PAIR, "busy");
    assert_int_equal(state_of(&story), EK_MOVE_RETRY_WAIT);
    story.withheld = NULL;
    assert_int_equal(story_wake(&story), EK_LIFE_GO_ON);
    assert_int_equal(state_of(&story), EK_MOVE_CLAIMED);
}

/* The backoff doubles up to five minutes and no further. */
static void test_backoff_has_a_cap(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story.life.record.order.retries = 100;
    story_start(&story);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(story_wake(&story), EK_LIFE_PRECHECK);
        story_fail(&story, EK_FAILURE_SAME_PAIR, "busy");
        assert_true(story.action.wake_at_ms - story.now_ms <= 300000);
        assert_int_equal(story_wake(&story), EK_LIFE_GO_ON);
    }
    assert_int_equal(story.life.record.attempt, 61);
}

/* A copy that fails because of the destination ends on the source, and blames the destination. */
static void test_bad_destination_is_blamed(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_broke(&story, EK_FAILURE_OTHER_HOST, "no memory"), EK_LIFE_OBSERVE);
    story_keep_seeing(&story, &cancelled_running, &absent);
    assert_int_equal(story_ok(&story), EK_LIFE_FINISH);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
    assert_true(outcome_of(&story).destination_at_fault);
    assert_string_equal(outcome_of(&story).error, "no memory");
}

/* A check that fails because of the domain rejects the move at once and blames no host. */
static void test_domain_that_cannot_move_is_rejected(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_start(&story);
    story_wake(&story);
    story_fail(&story, EK_FAILURE_DOMAIN, "it has snapshots");
    assert_ended(&story, EK_MOVE_REJECTED);
    assert_false(outcome_of(&story).destination_at_fault);
}

/* ---- lost and found ------------------------------------------------------------------------ */

/* A lost connection never ends in done without an observation. */
static void test_lost_connection_is_looked_into(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_broke(&story, EK_FAILURE_LOST, "connection lost"), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &running_job, &incoming), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
    assert_int_equal(story_wake(&story), EK_LIFE_WATCH);
    assert_int_equal(story_progress(&story, NULL), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

/* A lost connection that turns out rolled back is tried again, once the source was seen twice. */
static void test_lost_and_rolled_back_is_tried_again(void **state)
{
    struct story story;
    int64_t lost_at_ms;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    lost_at_ms = story.now_ms;
    story_broke(&story, EK_FAILURE_LOST, "connection lost");
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
    assert_true(story.now_ms >= lost_at_ms + 2000);
    assert_int_equal(story_ok(&story), EK_LIFE_WAIT);
    assert_int_equal(state_of(&story), EK_MOVE_RETRY_WAIT);
}

/* An unreachable destination is waited for, three minutes, and is then named: unverified. */
static void test_dark_destination_ends_unverified(void **state)
{
    struct story story;
    int64_t lost_at_ms;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    lost_at_ms = story.now_ms;
    story_broke(&story, EK_FAILURE_OTHER_HOST, "lost the destination");
    story_keep_seeing(&story, &cancelled_running, &dark);
    assert_ended(&story, EK_MOVE_UNVERIFIED);
    assert_true(story.now_ms - lost_at_ms >= 180000);
    assert_int_equal(story.migrates, 1);
}

/* A host that comes back in time is believed, not the darkness before. */
static void test_destination_that_returns_is_believed(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_LOST, "lost");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(story_see(&story, &cancelled_running, &dark), EK_LIFE_WAIT);
        assert_int_equal(story_wake(&story), EK_LIFE_OBSERVE);
    }
    assert_int_equal(story_keep_seeing(&story, &cancelled_running, &absent), EK_LIFE_UNPREPARE);
}

/* Two running copies are nobody's to destroy: unknown, within seconds. */
static void test_split_brain_is_unknown(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_LOST, "lost");
    story_keep_seeing(&story, &cancelled_running, &arrived);
    assert_ended(&story, EK_MOVE_UNKNOWN);
    assert_non_null(strstr(outcome_of(&story).error, "BOTH HOSTS"));
}

/* A source that was left paused is resumed only after the destination was twice seen without it,
 * and the move then ends on the source without a retry. */
static void test_lost_rollback_is_finished(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_LOST, "lost");
    assert_int_equal(story_see(&story, &left_paused, &absent), EK_LIFE_WAIT);
    story_wake(&story);
    assert_int_equal(story_see(&story, &left_paused, &absent), EK_LIFE_RESUME_SOURCE);
    assert_int_equal(story_ok(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
}

/* An orphan on the destination is given a minute to be cleaned up by libvirt before it is
 * destroyed. */
static void test_orphan_is_destroyed_after_a_minute(void **state)
{
    struct ek_observation orphan = incoming;
    struct story story;
    int64_t lost_at_ms;

    (void)state;
    orphan.job = EK_JOB_NONE;
    story_begin(&story);
    story_to_running(&story);
    lost_at_ms = story.now_ms;
    story_broke(&story, EK_FAILURE_LOST, "lost");
    assert_int_equal(story_keep_seeing(&story, &running, &orphan), EK_LIFE_DESTROY_DESTINATION);
    assert_true(story.now_ms - lost_at_ms >= 60000);
    story_ok(&story);
    assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
}

/* A repair that does not help is given up: unknown. */
static void test_useless_repair_is_given_up(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_LOST, "lost");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(story_keep_seeing(&story, &left_paused, &absent), EK_LIFE_RESUME_SOURCE);
        story_fail(&story, EK_FAILURE_DOMAIN, "cannot resume");
    }
    story_keep_seeing(&story, &left_paused, &absent);
    assert_ended(&story, EK_MOVE_UNKNOWN);
}

/* A guest that shuts itself down ends the move without blame; one that crashes is reported as down.
 */
static void test_guest_that_ends(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_DOMAIN, "domain is not running");
    story_keep_seeing(&story, &off_by_guest, &absent);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_GUEST_OFF);

    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_DOMAIN, "domain is not running");
    story_keep_seeing(&story, &crashed, &absent);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_VM_DOWN);
}

/* A call that does not return is not waited for without end; what both ends show decides. */
static void test_hung_call_ends_unknown(void **state)
{
    struct ek_job_progress paused = {.active = true, .source_paused = true};
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_wake(&story);
    story_progress(&story, &paused);
    while (story.action.kind == EK_LIFE_WAIT || story.action.kind == EK_LIFE_WATCH) {
        story.action.kind == EK_LIFE_WAIT ? story_wake(&story) : story_progress(&story, &paused);
    }
    assert_int_equal(story.action.kind, EK_LIFE_OBSERVE);
    story_keep_seeing(&story, &running, &absent);
    assert_ended(&story, EK_MOVE_UNKNOWN);
    assert_non_null(strstr(outcome_of(&story).error, "does not return"));
}

/* ---- deadlines and cancels ----------------------------------------------------------------- */

static struct ek_job_progress steady(int64_t ms)
{
    return (struct ek_job_progress){.active = true,
                                    .total_mib = 1000000,
                                    .remaining_mib = 1000000 - (double)ms,
                                    .transferred_mib = (double)ms,
                                    .bandwidth_mib_s = 1000};
}

static struct ek_job_progress stuck(int64_t ms)
{
    (void)ms;
    return (struct ek_job_progress){
        .active = true, .total_mib = 1000, .remaining_mib = 500, .transferred_mib = 500};
}

static struct ek_job_progress circling(int64_t ms)
{
    return (struct ek_job_progress){.active = true,
                                    .total_mib = 1000,
                                    .remaining_mib = 500,
                                    .transferred_mib = (double)ms,
                                    .iteration = 2 + (int)(ms / 5000)};
}

/* Copying that lasts longer than the order allows is aborted; the error says so and nobody is
 * blamed. */
static void test_copy_timeout_aborts(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_watch(&story, 400000, steady), EK_LIFE_ABORT);
    assert_int_equal(story.now_ms, 1300000);
    story_ok(&story);
    story_broke(&story, EK_FAILURE_OTHER_HOST, "Unable to write to socket: Broken pipe");
    story_keep_seeing(&story, &cancelled_running, &absent);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
    assert_non_null(strstr(outcome_of(&story).error, "longer than 300 s"));
    assert_false(outcome_of(&story).destination_at_fault);
}

/* Copying without progress is aborted after 150 s: a silent link is the destination's fault, a
 * guest that writes too fast is not. */
static void test_stalls_are_told_apart(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_watch(&story, 290000, stuck), EK_LIFE_ABORT);
    assert_true(story.now_ms <= 1000000 + 155000);
    assert_true(story.life.at_fault);
    assert_non_null(strstr(story.life.record.error, "no data"));

    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_watch(&story, 290000, circling), EK_LIFE_ABORT);
    assert_false(story.life.at_fault);
    assert_non_null(strstr(story.life.record.error, "faster than it was copied"));
}

/* What an aborted copy had sent stays in its record, though the dying job tells of nothing. */
static void test_aborted_copy_keeps_what_it_sent(void **state)
{
    struct ek_job_progress dying = {.active = true};
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_watch(&story, 290000, circling), EK_LIFE_ABORT);
    double sent_mib = story.life.record.transferred_mib;
    assert_true(sent_mib > 0);
    story_ok(&story);
    story_wake(&story);
    story_progress(&story, &dying);
    assert_true(story.life.record.transferred_mib >= sent_mib);
}

/* An abort that the job does not follow is asked for again, three times, and then both ends are
 * read. */
static void test_deaf_job_ends_unknown(void **state)
{
    struct story story;
    int aborts = 0;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    while (story_watch(&story, 2000000, stuck) == EK_LIFE_ABORT) {
        aborts++;
        story_fail(&story, EK_FAILURE_SAME_PAIR, "timed out");
    }
    assert_int_equal(aborts, 3);
    assert_int_equal(story.action.kind, EK_LIFE_OBSERVE);
    story_keep_seeing(&story, &running_job, &incoming);
    assert_ended(&story, EK_MOVE_UNKNOWN);
}

/* A cancel before the claim touches nothing: no call is made at all. */
static void test_cancel_before_claim(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_cancel(&story);
    story_start(&story);
    assert_ended(&story, EK_MOVE_CANCELLED);
    assert_int_equal(outcome_of(&story).attempts, 0);
}

/* A cancel during the checks or the preparations lets them end and begins no migration. */
static void test_cancel_before_copying(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_start(&story);
    story_wake(&story);
    story_ok(&story);
    assert_int_equal(state_of(&story), EK_MOVE_PREPARE);
    story.cancel = EK_ABORT_OPERATOR;
    assert_int_equal(story_wake(&story), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_CANCELLED);
    assert_int_equal(story.migrates, 0);
}

/* A cancel while copying aborts the job at once; seen on its source, the move is cancelled. */
static void test_cancel_while_copying(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    assert_int_equal(story_cancel(&story), EK_LIFE_ABORT);
    story_ok(&story);
    story_broke(&story, EK_FAILURE_ABORTED, "operation aborted");
    story_keep_seeing(&story, &cancelled_running, &absent);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_CANCELLED);
}

/* A cancel that comes too late does not make a move undone: it is done, and said to be done. */
static void test_cancel_too_late(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_cancel(&story);
    story_ok(&story);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

/* An abort by somebody else is respected: cancelled, not tried again. */
static void test_foreign_abort_is_respected(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_broke(&story, EK_FAILURE_ABORTED, "canceled by client");
    story_keep_seeing(&story, &cancelled_running, &absent);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_CANCELLED);
}

/* ---- restarts ------------------------------------------------------------------------------ */

/* A migration that outlived the daemon is watched to its end, without a second call. */
static void test_adopted_migration_is_watched(void **state)
{
    struct ek_job_progress progress = steady(1000);
    struct story story;

    (void)state;
    story_adopt(&story, EK_MOVE_RUNNING);
    assert_int_equal(story_start(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story.life.record.epoch, 6);
    assert_int_equal(story_see(&story, &running_job, &incoming), EK_LIFE_WAIT);
    story_wake(&story);
    assert_int_equal(story_progress(&story, &progress), EK_LIFE_WAIT);
    story_wake(&story);
    progress.active = false;
    assert_int_equal(story_progress(&story, &progress), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
    assert_int_equal(story.migrates, 0);
}

/* An adopted migration keeps the deadline that it had: its time before us counts. */
static void test_adopted_migration_keeps_its_deadline(void **state)
{
    struct ek_job_progress progress = steady(1000);
    struct story story;

    (void)state;
    progress.elapsed_ms = 301000;
    story_adopt(&story, EK_MOVE_RUNNING);
    story_start(&story);
    story_see(&story, &running_job, &incoming);
    story_wake(&story);
    assert_int_equal(story_progress(&story, &progress), EK_LIFE_ABORT);
}

/* A move that had not begun to copy ends on its source; it is not begun anew without a new
 * decision. */
static void test_adopted_preparation_is_undone(void **state)
{
    static const enum ek_move_state begun[] = {EK_MOVE_CLAIMED,    EK_MOVE_PRECHECK,
                                               EK_MOVE_PREPARE,    EK_MOVE_UNPREPARE,
                                               EK_MOVE_RETRY_WAIT, EK_MOVE_RECONCILE};

    (void)state;
    for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
        struct story story;

        story_adopt(&story, begun[i]);
        assert_int_equal(story_start(&story), EK_LIFE_OBSERVE);
        assert_int_equal(story_keep_seeing(&story, &running, &absent), EK_LIFE_UNPREPARE);
        story_ok(&story);
        assert_ended(&story, EK_MOVE_ROLLED_BACK);
    }
}

/* A move whose preparation died with the daemon does not block its domain because the destination
 * is away. */
static void test_adopted_preparation_and_dark_destination(void **state)
{
    struct story story;

    (void)state;
    story_adopt(&story, EK_MOVE_PRECHECK);
    story_start(&story);
    assert_int_equal(story_keep_seeing(&story, &running, &dark), EK_LIFE_UNPREPARE);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
}

/* A shutdown leaves a running migration alone: no abort, the record stays open. */
static void test_shutdown_leaves_the_migration(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story.shutdown = true;
    assert_int_equal(story_wake(&story), EK_LIFE_HALT);
    assert_int_equal(state_of(&story), EK_MOVE_RUNNING);
}

/* A domain that its user paused moves, and stays paused. */
static void test_paused_by_user_stays_paused(void **state)
{
    struct story story;

    (void)state;
    story_begin(&story);
    story_to_running(&story);
    story_migrated(&story);
    assert_int_equal(story_see(&story, &absent, &paused_by_user), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_move_is_verified_before_done),
        cmocka_unit_test(test_success_is_not_believed),
        cmocka_unit_test(test_switchover_is_shown),
        cmocka_unit_test(test_failed_clean_up_leaves_the_move_done),
        cmocka_unit_test(test_busy_destination_is_tried_again),
        cmocka_unit_test(test_a_withheld_attempt_is_not_made),
        cmocka_unit_test(test_what_was_withheld_may_be_allowed_again),
        cmocka_unit_test(test_backoff_has_a_cap),
        cmocka_unit_test(test_bad_destination_is_blamed),
        cmocka_unit_test(test_domain_that_cannot_move_is_rejected),
        cmocka_unit_test(test_lost_connection_is_looked_into),
        cmocka_unit_test(test_lost_and_rolled_back_is_tried_again),
        cmocka_unit_test(test_dark_destination_ends_unverified),
        cmocka_unit_test(test_destination_that_returns_is_believed),
        cmocka_unit_test(test_split_brain_is_unknown),
        cmocka_unit_test(test_lost_rollback_is_finished),
        cmocka_unit_test(test_orphan_is_destroyed_after_a_minute),
        cmocka_unit_test(test_useless_repair_is_given_up),
        cmocka_unit_test(test_guest_that_ends),
        cmocka_unit_test(test_hung_call_ends_unknown),
        cmocka_unit_test(test_copy_timeout_aborts),
        cmocka_unit_test(test_stalls_are_told_apart),
        cmocka_unit_test(test_aborted_copy_keeps_what_it_sent),
        cmocka_unit_test(test_deaf_job_ends_unknown),
        cmocka_unit_test(test_cancel_before_claim),
        cmocka_unit_test(test_cancel_before_copying),
        cmocka_unit_test(test_cancel_while_copying),
        cmocka_unit_test(test_cancel_too_late),
        cmocka_unit_test(test_foreign_abort_is_respected),
        cmocka_unit_test(test_adopted_migration_is_watched),
        cmocka_unit_test(test_adopted_migration_keeps_its_deadline),
        cmocka_unit_test(test_adopted_preparation_is_undone),
        cmocka_unit_test(test_adopted_preparation_and_dark_destination),
        cmocka_unit_test(test_shutdown_leaves_the_migration),
        cmocka_unit_test(test_paused_by_user_stays_paused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
