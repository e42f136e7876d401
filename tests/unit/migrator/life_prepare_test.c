/* Before and after the copying: what is prepared is written down first, and undone if it was made.
 */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct ek_findings disk = {
    .copies_disks = true,
    .user_paused = true,
    .preparation_count = 2,
    .preparations = {{.kind = EK_PREPARATION_BASE, .what = "/images/base", .size_mib = 1000},
                     {.kind = EK_PREPARATION_OVERLAY, .what = "/images/a", .disk = "vda"}}};

static enum ek_preparation_state state_of(const struct story *story, int i)
{
    return story->life.record.preparations[i].state;
}

/* Up to the first preparation, which is begun. */
static void to_prepare(struct story *story)
{
    story_begin(story);
    story->findings = &disk;
    story_start(story);
    story_wake(story);
    assert_int_equal(story_ok(story), EK_LIFE_PREPARE);
}

static void to_running(struct story *story)
{
    to_prepare(story);
    assert_int_equal(story_ok(story), EK_LIFE_PREPARE);
    assert_int_equal(story_ok(story), EK_LIFE_MIGRATE);
}

/* What the checks found is in the record before the first effect, and each preparation is written
 * as begun before it is made. */
static void test_one_at_a_time_and_written_before(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    assert_true(story.action.journal);
    assert_true(story.life.record.copies_disks && story.life.record.user_paused);
    assert_int_equal(state_of(&story, 0), EK_PREPARATION_BEGUN);
    assert_int_equal(state_of(&story, 1), EK_PREPARATION_WANTED);
    story.found = true;
    assert_int_equal(story_ok(&story), EK_LIFE_PREPARE);
    assert_true(story.action.journal);
    assert_int_equal(state_of(&story, 0), EK_PREPARATION_FOUND);
    assert_int_equal(state_of(&story, 1), EK_PREPARATION_BEGUN);
    story.found = false;
    assert_int_equal(story_ok(&story), EK_LIFE_MIGRATE);
    assert_int_equal(state_of(&story, 1), EK_PREPARATION_MADE);
}

/* A base has time by its size, beside what any preparation has. */
static void test_a_base_has_time_by_its_size(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    assert_int_equal(story.action.timeout_ms, story.life.timing.prepare_ms + 300000);
    story_ok(&story);
    assert_int_equal(story.action.timeout_ms, story.life.timing.prepare_ms);
}

/* A preparation that fails stays begun, since it may have had its effect, and is undone. */
static void test_failed_preparation_is_undone(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    assert_int_equal(story_fail(&story, EK_FAILURE_OTHER_HOST, "no space"), EK_LIFE_UNPREPARE);
    assert_int_equal(state_of(&story, 0), EK_PREPARATION_BEGUN);
    story_ok(&story);
    assert_int_equal(story.life.record.state, EK_MOVE_ROLLED_BACK);
    assert_int_equal(state_of(&story, 0), EK_PREPARATION_UNDONE);
    assert_int_equal(state_of(&story, 1), EK_PREPARATION_WANTED);
    assert_true(story.life.record.discard_at_ms == 0);
}

/* A cancel between two preparations undoes the one that was made. */
static void test_cancel_between_preparations(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    story.cancel = EK_ABORT_OPERATOR;
    assert_int_equal(story_ok(&story), EK_LIFE_UNPREPARE);
    assert_int_equal(state_of(&story, 0), EK_PREPARATION_MADE);
    story_ok(&story);
    assert_int_equal(story.life.record.state, EK_MOVE_CANCELLED);
}

/* Another attempt begins with an empty list, and finds out anew. */
static void test_a_new_attempt_begins_with_nothing(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    story_fail(&story, EK_FAILURE_SAME_PAIR, "busy");
    assert_int_equal(story_ok(&story), EK_LIFE_WAIT);
    assert_int_equal(story.life.record.state, EK_MOVE_RETRY_WAIT);
    assert_int_equal(story_wake(&story), EK_LIFE_GO_ON);
    assert_int_equal(story.life.record.attempt, 2);
    assert_int_equal(story.life.record.preparation_count, 0);
    assert_false(story.life.record.copies_disks);
}

/* What cannot be undone is tried three times, and then left to the trash and told. */
static void test_leftovers_go_to_the_trash(void **state)
{
    struct story story;

    (void)state;
    to_prepare(&story);
    story_fail(&story, EK_FAILURE_OTHER_HOST, "no space");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(story_fail(&story, EK_FAILURE_OTHER_HOST, "away"), EK_LIFE_WAIT);
        assert_int_equal(story_wake(&story), EK_LIFE_UNPREPARE);
    }
    assert_int_equal(story_fail(&story, EK_FAILURE_OTHER_HOST, "away"), EK_LIFE_FINISH);
    assert_int_equal(story.life.record.state, EK_MOVE_FAILED);
    assert_true(story.life.record.discard_at_ms > story.now_ms);
    assert_non_null(strstr(story.life.record.error, "something was left: away"));
}

/* The source's disks are the trash's after the grace; without one the clean-up has removed them. */
static void test_grace_of_the_source(void **state)
{
    struct story story;

    (void)state;
    for (int grace_ms = 0; grace_ms <= 5000; grace_ms += 5000) {
        to_running(&story);
        story.life.record.order.disk_grace_ms = grace_ms;
        story_migrated(&story);
        assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
        story_ok(&story);
        assert_int_equal(story.life.record.state, EK_MOVE_DONE);
        assert_true(story.life.record.discard_at_ms ==
                    (grace_ms > 0 ? story.now_ms + grace_ms : 0));
    }
}

/* A clean-up without grace that failed to the end is taken up by the trash at once. */
static void test_failed_clean_up_goes_to_the_trash(void **state)
{
    struct story story;

    (void)state;
    to_running(&story);
    story.life.record.order.disk_grace_ms = 0;
    story_migrated(&story);
    story_see(&story, &absent, &arrived);
    while (story.life.record.state != EK_MOVE_DONE) {
        story.action.kind == EK_LIFE_WAIT ? story_wake(&story)
                                          : story_fail(&story, EK_FAILURE_LOST, "away");
    }
    assert_true(story.life.record.discard_at_ms == story.now_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time_and_written_before),
        cmocka_unit_test(test_a_base_has_time_by_its_size),
        cmocka_unit_test(test_failed_preparation_is_undone),
        cmocka_unit_test(test_cancel_between_preparations),
        cmocka_unit_test(test_a_new_attempt_begins_with_nothing),
        cmocka_unit_test(test_leftovers_go_to_the_trash),
        cmocka_unit_test(test_grace_of_the_source),
        cmocka_unit_test(test_failed_clean_up_goes_to_the_trash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
