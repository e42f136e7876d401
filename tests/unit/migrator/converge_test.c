/* The downtime ladder, auto-converge, limits: copying that needs help, told as stories. */
#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    story_begin(story);
    story->life.record.order.timeout_ms = 3600000;
    story_to_running(story);
}

/* A migration that an earlier run began, and that goes on. */
static void adopt(struct story *story)
{
    story_adopt(story, EK_MOVE_RUNNING);
    story_start(story);
    story_see(story, &running_job, &incoming);
}

/* The next look at the progress shows this. */
static enum ek_life_action_kind look(struct story *story, const struct ek_job_progress *progress)
{
    if (story->action.kind == EK_LIFE_WAIT || story->action.kind == EK_LIFE_MIGRATE) {
        story_wake(story);
    }
    if (story->action.kind == EK_LIFE_ABORT) { /* a limit has come before the look */
        return EK_LIFE_ABORT;
    }
    assert_int_equal(story->action.kind, EK_LIFE_WATCH);
    return story_progress(story, progress);
}

static struct ek_job_progress at(int iteration, double remaining_mib)
{
    static double sent_mib;

    sent_mib += 10;
    return (struct ek_job_progress){.active = true,
                                    .total_mib = 1000,
                                    .remaining_mib = remaining_mib,
                                    .transferred_mib = sent_mib,
                                    .iteration = iteration,
                                    .dirty_mib_s = 45,
                                    .bandwidth_mib_s = 11};
}

/* ---- the ladder ---------------------------------------------------------------------------- */

/* A fifth of the downtime at first; more only by iterations that were no smaller than any before:
 * 30, 40, 60, 80, 100 % at 1, 2, 3, 4, 6 of them. */
static void test_downtime_rises_by_stalled_iterations(void **state)
{
    static const int64_t expected_ms[] = {150, 200, 300, 400, 400, 500, 500};
    struct ek_job_progress progress = at(1, 900);
    struct story story;

    (void)state;
    begin(&story);
    look(&story, &progress);
    assert_int_equal(story.tuned.max_downtime_ms, 100);
    progress = at(1, 300);
    look(&story, &progress);
    progress = at(2, 400); /* the first that tells anything */
    look(&story, &progress);
    progress = at(3, 350);
    look(&story, &progress);
    assert_int_equal(story.tunings, 1);
    for (int i = 0; i < 7; i++) {
        progress = at(4 + i, 350 + i % 2);
        look(&story, &progress);
        assert_int_equal(story.tuned.max_downtime_ms, expected_ms[i]);
    }
    assert_int_equal(story.tunings, 6);
}

/* Within an iteration what remains falls in any case, and says nothing of stalling. */
static void test_one_iteration_is_no_stall(void **state)
{
    struct ek_job_progress progress;
    struct story story;

    (void)state;
    begin(&story);
    for (int i = 0; i < 20; i++) {
        progress = at(2, 500 - i);
        look(&story, &progress);
    }
    assert_int_equal(story.tunings, 1);
}

/* What libvirt refused is tried again, but not with each look. */
static void test_refused_tuning_is_tried_again(void **state)
{
    struct ek_job_progress progress = at(2, 500);
    struct story story;
    int64_t refused_ms;

    (void)state;
    begin(&story);
    story.hold_tuning = true;
    assert_int_equal(look(&story, &progress), EK_LIFE_TUNE);
    story_fail(&story, EK_FAILURE_SAME_PAIR, "cannot acquire state change lock");
    assert_non_null(strstr(story.action.note, "cannot acquire"));
    refused_ms = story.now_ms;
    do {
        progress = at(2, 500);
    } while (look(&story, &progress) != EK_LIFE_TUNE);
    assert_in_range(story.now_ms - refused_ms, 10000, 12000);
}

/* ---- does it converge? --------------------------------------------------------------------- */

/* 8 GiB over 1 Gbit/s: one iteration takes over a minute, what remains is a sawtooth without a new
 * minimum, and only the throttle grows. It goes on until the throttle is spent. */
static void test_growing_throttle_is_progress(void **state)
{
    struct ek_job_progress progress;
    struct story story;
    int throttle = 0;

    (void)state;
    begin(&story);
    for (int s = 0; s < 1200; s++) {
        int iteration = 1 + s / 70;
        throttle = iteration < 3 ? 0 : 20 + 10 * ((iteration - 3) / 2);
        progress = at(iteration, 8000 - 110 * (s % 70));
        progress.throttle_percent = throttle;
        look(&story, &progress);
        assert_int_equal(story.life.aborts, 0);
    }
    assert_true(throttle >= 80);
    for (int s = 0; s < 400 && story.life.aborts == 0; s++) { /* nothing more to take away */
        progress = at(18 + s / 70, 8000 - 110 * (s % 70));
        progress.throttle_percent = throttle;
        look(&story, &progress);
    }
    assert_int_equal(story.life.aborts, 1);
    assert_false(story.life.at_fault);
}

/* The error of a guest that does not converge carries the figures that say so. */
static void test_abort_has_its_evidence(void **state)
{
    struct ek_job_progress progress;
    struct story story;
    int s = 0;

    (void)state;
    begin(&story);
    do {
        progress = at(2 + s++, 350);
        progress.throttle_percent = 99;
    } while (look(&story, &progress) != EK_LIFE_ABORT && s < 1000);
    assert_int_equal(story.action.kind, EK_LIFE_ABORT);
    assert_non_null(strstr(story.life.record.error, "faster than it was copied for 150 s"));
    assert_non_null(strstr(story.life.record.error, "45 MiB/s are written, 11 MiB/s copied"));
    assert_non_null(strstr(story.life.record.error, "throttled by 99 %"));
}

/* One long iteration in which bytes flow is not given up before the time for all of it. */
static void test_long_iteration_is_waited_for(void **state)
{
    struct ek_job_progress progress;
    struct story story;

    (void)state;
    begin(&story);
    for (int s = 0; s < 600; s++) {
        progress = at(2, 8000 - s);
        look(&story, &progress);
        assert_int_equal(story.life.aborts, 0);
    }
}

/* ---- limits -------------------------------------------------------------------------------- */

/* A limit that was given before the call is what the call begins with. */
static void test_limit_before_the_call(void **state)
{
    struct ek_job_progress progress = at(1, 900);
    struct story story;

    (void)state;
    story_begin(&story);
    story.limited = true;
    story.limit_mib_s = 40;
    story_to_running(&story);
    assert_int_equal(story.life.record.order.bandwidth_mib_s, 40);
    look(&story, &progress);
    assert_int_equal(story.tuned.bandwidth_mib_s, 0); /* nothing to change */
}

/* One that comes later tunes the job at once, also an adopted one, and is told; 0 lifts it. */
static void test_limit_while_running(void **state)
{
    struct ek_job_progress progress = at(1, 900);
    struct story story;

    (void)state;
    adopt(&story);
    look(&story, &progress);
    story.limited = true;
    story.limit_mib_s = 40;
    look(&story, &progress);
    assert_int_equal(story.tuned.bandwidth_mib_s, 40);
    assert_non_null(strstr(story.action.note, "bandwidth 40 MiB/s"));
    assert_int_equal(story.life.record.order.bandwidth_mib_s, 40);
    story.limit_mib_s = 0;
    look(&story, &progress);
    assert_true(story.tuned.bandwidth_mib_s == EK_TUNING_UNLIMITED);
    assert_non_null(strstr(story.action.note, "bandwidth unlimited"));
}

/* The end of the migration is not kept waiting by a tuning that hangs. */
static void test_end_comes_before_tuning(void **state)
{
    struct ek_job_progress progress = at(1, 900);
    struct story story;

    (void)state;
    begin(&story);
    story.hold_tuning = true;
    assert_int_equal(look(&story, &progress), EK_LIFE_TUNE);
    assert_int_equal(story_migrated(&story), EK_LIFE_OBSERVE);
    assert_int_equal(story_see(&story, &absent, &arrived), EK_LIFE_POST);
}

/* Before bytes are counted the call's own parameters are still to be set, and would undo it. */
static void test_no_tuning_before_data(void **state)
{
    struct ek_job_progress progress = at(0, 0);
    struct story story;

    (void)state;
    begin(&story);
    story.limited = true;
    story.limit_mib_s = 40;
    progress.total_mib = 0;
    assert_int_equal(look(&story, &progress), EK_LIFE_WAIT);
    assert_int_equal(story.tunings, 0);
    progress = at(1, 900);
    look(&story, &progress);
    assert_int_equal(story.tuned.bandwidth_mib_s, 40);
}

/* It is over soon when what remains takes two seconds by what is gained on the guest; for a guest
 * that is not gained on, and before memory is copied, that is not known. */
static void test_ending_is_seen_coming(void **state)
{
    struct ek_job_progress progress = at(0, 10);
    struct story story;

    (void)state;
    begin(&story);
    progress.dirty_mib_s = 1;
    look(&story, &progress); /* disks */
    assert_int_equal(story.life.signs, 0);
    progress = at(1, 10); /* 45 MiB/s are written, 11 copied */
    look(&story, &progress);
    assert_int_equal(story.life.signs, 0);
    progress = at(1, 21);
    progress.dirty_mib_s = 1;
    look(&story, &progress);
    assert_int_equal(story.life.signs, 0);
    progress = at(1, 19);
    progress.dirty_mib_s = 1;
    look(&story, &progress);
    assert_int_equal(story.life.signs, 1U << EK_SIGN_ENDING);
}

/* QEMU's samples tell in the first iteration what its log tells later: a guest that writes as fast
 * as is copied has no end in sight. */
static void test_samples_are_told_once(void **state)
{
    struct ek_job_progress progress = at(1, 19);
    unsigned int told = 0;
    struct ek_sign sign;
    struct story story;

    (void)state;
    begin(&story);
    progress.dirty_mib_s = 0;
    progress.sampled_mib_s = 11;
    look(&story, &progress);
    assert_true(ek_life_sign(&story.life, &told, &sign));
    assert_int_equal(sign.kind, EK_SIGN_SAMPLED);
    assert_true(sign.dirty_mib_s == 11);
    assert_string_equal(sign.id, story.life.record.order.id);
    assert_false(ek_life_sign(&story.life, &told, &sign));
    assert_true(story.life.record.dirty_mib_s == 11);
    assert_int_equal(story.life.record.eta_ms, -1);
    /* Not asked for again once it is known. */
    progress = at(1, 10);
    progress.dirty_mib_s = 0;
    look(&story, &progress);
    assert_int_equal(story.life.record.eta_ms, -1);
    /* From the second iteration on the log counts. */
    progress = at(2, 300);
    progress.dirty_mib_s = 1;
    look(&story, &progress);
    assert_true(story.life.record.dirty_mib_s == 1);
    assert_false(ek_life_sign(&story.life, &told, &sign));
}

/* While disks are copied a sample says nothing of the memory's turn, which is hours away. */
static void test_samples_before_disks_are_not_told(void **state)
{
    struct ek_job_progress progress = at(0, 900);
    struct story story;

    (void)state;
    begin(&story);
    progress.sampled_mib_s = 500;
    look(&story, &progress);
    progress = at(1, 900);
    progress.sampled_mib_s = 500;
    look(&story, &progress);
    assert_int_equal(story.life.signs, 0);
}

/* What was told of an attempt is taken back with it, whatever the next one tells. */
static void test_an_attempt_takes_its_signs_back(void **state)
{
    unsigned int told = 1U << EK_SIGN_ENDING | 1U << EK_SIGN_SAMPLED;
    struct ek_sign sign;
    struct story story;

    (void)state;
    begin(&story);
    story.life.signs = 1U << EK_SIGN_ENDING;
    assert_true(ek_life_sign(&story.life, &told, &sign));
    assert_int_equal(sign.kind, EK_SIGN_ANEW);
    assert_true(ek_life_sign(&story.life, &told, &sign));
    assert_int_equal(sign.kind, EK_SIGN_ENDING);
    assert_false(ek_life_sign(&story.life, &told, &sign));
}

/* An adopted one may have had all of its downtime: it is not given less again. */
static void test_adopted_is_not_given_less(void **state)
{
    struct ek_job_progress progress = at(3, 300);
    struct story story;

    (void)state;
    adopt(&story);
    look(&story, &progress);
    assert_int_equal(story.tuned.max_downtime_ms, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_downtime_rises_by_stalled_iterations),
        cmocka_unit_test(test_one_iteration_is_no_stall),
        cmocka_unit_test(test_refused_tuning_is_tried_again),
        cmocka_unit_test(test_growing_throttle_is_progress),
        cmocka_unit_test(test_abort_has_its_evidence),
        cmocka_unit_test(test_long_iteration_is_waited_for),
        cmocka_unit_test(test_limit_before_the_call),
        cmocka_unit_test(test_limit_while_running),
        cmocka_unit_test(test_end_comes_before_tuning),
        cmocka_unit_test(test_no_tuning_before_data),
        cmocka_unit_test(test_ending_is_seen_coming),
        cmocka_unit_test(test_adopted_is_not_given_less),
        cmocka_unit_test(test_samples_are_told_once),
        cmocka_unit_test(test_samples_before_disks_are_not_told),
        cmocka_unit_test(test_an_attempt_takes_its_signs_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
