/* Post-copy where an order allows it, told as stories. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct ek_observation source_goes = {.presence = EK_PRESENCE_ACTIVE,
                                                  .run = EK_RUN_PAUSED_POSTCOPY,
                                                  .job = EK_JOB_OUT,
                                                  .persistent = true,
                                                  .attempt_known = true,
                                                  .attempt_id = "p-1"};
static const struct ek_observation source_broken = {.presence = EK_PRESENCE_ACTIVE,
                                                    .run = EK_RUN_PAUSED_POSTCOPY_FAILED,
                                                    .job = EK_JOB_OUT,
                                                    .persistent = true,
                                                    .attempt_known = true,
                                                    .attempt_id = "p-1"};
static const struct ek_observation there_goes = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_RUNNING_POSTCOPY, .job = EK_JOB_IN};
static const struct ek_observation there_broken = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_POSTCOPY_FAILED, .job = EK_JOB_IN};

static void assert_ended(const struct story *story, enum ek_move_state state)
{
    assert_int_equal(story->action.kind, EK_LIFE_FINISH);
    assert_string_equal(ek_move_state_name(story->life.record.state), ek_move_state_name(state));
}

static struct ek_job_progress busy(int64_t ms)
{
    return (struct ek_job_progress){.active = true,
                                    .total_mib = 1000,
                                    .remaining_mib = 500,
                                    .transferred_mib = (double)ms,
                                    .iteration = 1};
}

/* Up to where the copying would be aborted; the order to begin post-copy is out. */
static void to_post_copy(struct story *story)
{
    story_begin(story);
    story->life.record.order.post_copy = true;
    story->life.record.order.max_downtime_ms = 0;
    story_to_running(story);
    assert_int_equal(story_watch(story, 400000, busy), EK_LIFE_TUNE);
    assert_true(story->action.tuning.start_post_copy && story->action.journal);
    assert_true(story->life.record.post_copy_begun);
}

/* What would be aborted for want of time ends in post-copy, and is never aborted from then on, by a
 * limit or by a cancel. */
static void test_post_copy_instead_of_an_abort(void **state)
{
    struct story story;

    (void)state;
    to_post_copy(&story);
    story_ok(&story);
    story.cancel = true;
    assert_int_not_equal(story_watch(&story, 400000, busy), EK_LIFE_ABORT);
    assert_int_equal(story.life.aborts, 0);
    while (story.action.kind == EK_LIFE_WATCH) { /* an end comes while a wait is out */
        struct ek_job_progress progress = busy(1);
        story_progress(&story, &progress);
    }
    story_migrated(&story);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
    story_ok(&story);
    assert_ended(&story, EK_MOVE_DONE);
}

/* A host that cannot do it: the abort as without it. */
static void test_refused_post_copy_is_an_abort(void **state)
{
    struct story story;

    (void)state;
    to_post_copy(&story);
    assert_int_equal(story_fail(&story, EK_FAILURE_SAME_PAIR, "userfaultfd is not available"),
                     EK_LIFE_ABORT);
    assert_non_null(strstr(story.action.note, "userfaultfd"));
    story_ok(&story);
    story_broke(&story, EK_FAILURE_ABORTED, "canceled by client");
    story_keep_seeing(&story, &cancelled_running, &absent);
    story_ok(&story);
    assert_non_null(strstr(story.life.record.error, "post-copy was refused"));
    assert_ended(&story, EK_MOVE_ROLLED_BACK);
}

/* A post-copy that broke off is taken up again, for as long as both hosts are there. */
static void test_broken_post_copy_is_taken_up(void **state)
{
    struct story story;

    (void)state;
    to_post_copy(&story);
    story_ok(&story);
    if (story.action.kind == EK_LIFE_WATCH) {
        story_progress(&story, NULL);
    }
    story_broke(&story, EK_FAILURE_OTHER_HOST, "job 'migration out' failed in post-copy phase");
    for (int i = 0; i < 4; i++) { /* more often than any other repair */
        assert_int_equal(story_keep_seeing(&story, &source_broken, &there_broken),
                         EK_LIFE_RESUME_POSTCOPY);
        story_fail(&story, EK_FAILURE_OTHER_HOST, "no route to host");
    }
    assert_int_equal(story_keep_seeing(&story, &source_broken, &there_broken),
                     EK_LIFE_RESUME_POSTCOPY);
    story_ok(&story);
    story_see(&story, &source_goes, &there_goes);
    assert_int_equal(story.life.record.state, EK_MOVE_RUNNING);
}

/* A destination that went down in post-copy took memory with it: the guest is down, and nothing is
 * undone or destroyed. */
static void test_lost_destination_is_a_guest_down(void **state)
{
    struct story story;

    (void)state;
    story_adopt(&story, EK_MOVE_RUNNING);
    story.life.record.post_copy_begun = true;
    story_start(&story);
    story_keep_seeing(&story, &source_broken, &absent);
    assert_ended(&story, EK_MOVE_VM_DOWN);
    assert_non_null(strstr(story.life.record.error, "memory that had moved is lost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_copy_instead_of_an_abort),
        cmocka_unit_test(test_refused_post_copy_is_an_abort),
        cmocka_unit_test(test_broken_post_copy_is_taken_up),
        cmocka_unit_test(test_lost_destination_is_a_guest_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
