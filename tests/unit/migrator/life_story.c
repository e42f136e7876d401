#include "life_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define OURS .persistent = true, .attempt_known = true, .attempt_id = "p-1", .text = "(story)"

const struct ek_observation running = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_RUNNING, .job = EK_JOB_NONE, OURS};
const struct ek_observation running_job = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_RUNNING, .job = EK_JOB_OUT, OURS};
const struct ek_observation paused_job = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_MIGRATION, .job = EK_JOB_OUT, OURS};
const struct ek_observation cancelled_running = {.presence = EK_PRESENCE_ACTIVE,
                                                 .run = EK_RUN_RUNNING_MIGRATION_CANCELED,
                                                 .job = EK_JOB_NONE,
                                                 OURS};
const struct ek_observation arrived = {.presence = EK_PRESENCE_ACTIVE,
                                       .run = EK_RUN_RUNNING_MIGRATED,
                                       .job = EK_JOB_NONE,
                                       .downtime_ms = 120,
                                       .transferred_mib = 900,
                                       OURS};
const struct ek_observation absent = {.presence = EK_PRESENCE_ABSENT, .text = "absent"};
const struct ek_observation dark = {
    .presence = EK_PRESENCE_UNREACHABLE, .job = EK_JOB_NOT_KNOWN, .text = "unreachable"};
const struct ek_observation incoming = {.presence = EK_PRESENCE_ACTIVE,
                                        .run = EK_RUN_PAUSED_MIGRATION,
                                        .job = EK_JOB_IN,
                                        .text = "(story)"};
const struct ek_observation off_by_guest = {
    .presence = EK_PRESENCE_INACTIVE, .run = EK_RUN_SHUTOFF_SHUTDOWN, OURS};
const struct ek_observation crashed = {
    .presence = EK_PRESENCE_INACTIVE, .run = EK_RUN_SHUTOFF_CRASHED, OURS};
const struct ek_observation left_paused = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_MIGRATION, .job = EK_JOB_NONE, OURS};
const struct ek_observation paused_by_user = {
    .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_USER, .job = EK_JOB_NONE, OURS};

struct ek_move_order story_order(void)
{
    return (struct ek_move_order){
        .id = "p-1",
        .plan_id = "p",
        .seq = 1,
        .domain = "6c1d0b6e-0000-4000-8000-000000000001",
        .name = "web-1",
        .source = "h1",
        .destination = "h2",
        .timeout_ms = 300000,
        .progress_timeout_ms = 150000,
        .max_downtime_ms = 500,
        .backoff_ms = 20000,
        .retries = 2,
    };
}

void story_begin(struct story *story)
{
    struct ek_move_order order = story_order();
    struct ek_move_timing timing;

    *story = (struct story){.now_ms = 1000000, .last = EK_MOVE_PLANNED};
    ek_move_timing_defaults(&timing);
    ek_life_begin(&story->life, &order, &timing, 5, story->now_ms);
}

void story_adopt(struct story *story, enum ek_move_state state)
{
    struct ek_move_timing timing;
    struct ek_move_record record = {.order = story_order(),
                                    .state = state,
                                    .attempt = 1,
                                    .epoch = 5,
                                    .planned_at_ms = 900000,
                                    .started_at_ms = 900000,
                                    .updated_at_ms = 950000};

    *story = (struct story){.now_ms = 1000000, .last = state};
    ek_move_timing_defaults(&timing);
    ek_life_adopt(&story->life, &record, &timing, 6, story->now_ms);
}

static struct ek_move_order stop_order(enum ek_move_kind kind)
{
    struct ek_move_order order = story_order();

    order.kind = kind;
    order.destination[0] = '\0';
    order.shutdown_timeout_ms = 60000;
    return order;
}

void story_begin_stop(struct story *story, enum ek_move_kind kind)
{
    struct ek_move_order order = stop_order(kind);
    struct ek_move_timing timing;

    *story = (struct story){.now_ms = 1000000, .last = EK_MOVE_PLANNED};
    ek_move_timing_defaults(&timing);
    ek_life_begin(&story->life, &order, &timing, 5, story->now_ms);
}

void story_adopt_stop(struct story *story, enum ek_move_kind kind, enum ek_move_state state)
{
    struct ek_move_timing timing;
    struct ek_move_record record = {.order = stop_order(kind),
                                    .state = state,
                                    .attempt = 1,
                                    .epoch = 5,
                                    .started_at_ms = 990000,
                                    .updated_at_ms = 990000};

    *story = (struct story){.now_ms = 1000000, .last = state};
    ek_move_timing_defaults(&timing);
    ek_life_adopt(&story->life, &record, &timing, 6, story->now_ms);
}

/* What every driver relies on. */
static void check_action(struct story *story)
{
    const struct ek_life_action *action = &story->action;
    const struct ek_move_record *record = &story->life.record;

    if (action->kind == EK_LIFE_HALT) {
        return;
    }
    assert_true(record->state == story->last || action->journal);
    assert_true(record->state == story->last ||
                (ek_move_stops(record->order.kind) ? ek_stop_state_allowed : ek_move_state_allowed)(
                    story->last, record->state));
    assert_int_equal(action->kind == EK_LIFE_FINISH, ek_move_state_terminal(record->state));
    if (action->kind == EK_LIFE_MIGRATE) {
        assert_true(story->migrates == 0 || story->observed || !story->life.issued);
        assert_false(story->call_out);
    }
    if (action->kind != EK_LIFE_WAIT && action->kind != EK_LIFE_WATCH &&
        (action->kind != EK_LIFE_TUNE || action->tuning.start_post_copy) &&
        action->kind != EK_LIFE_OBSERVE) {
        assert_true(action->journal); /* no effect without a record before it */
    }
    if (action->kind == EK_LIFE_WAIT || action->kind == EK_LIFE_MIGRATE) {
        assert_true(action->wake_at_ms > 0); /* may be past: then at once */
    } else if (action->kind != EK_LIFE_FINISH && action->kind != EK_LIFE_GO_ON) {
        assert_true(action->timeout_ms > 0);
    }
}

static enum ek_life_action_kind step(struct story *story, struct ek_life_input input)
{
    assert_false(story->shut);
    input.cancel = story->cancel;
    input.withheld = story->withheld;
    input.shutdown = story->shutdown;
    input.limited = story->limited;
    input.limit_mib_s = story->limit_mib_s;
    if (input.kind == EK_LIFE_OBSERVATION) {
        story->observed = true;
    }
    story->action = ek_life_step(&story->life, &input, story->now_ms);
    check_action(story);
    story->last = story->life.record.state;
    if (story->action.kind == EK_LIFE_MIGRATE) {
        story->migrates++;
        story->observed = false;
        story->call_out = true;
    }
    story->shut = story->action.kind == EK_LIFE_FINISH || story->action.kind == EK_LIFE_HALT;
    return story->action.kind;
}

enum ek_life_action_kind story_start(struct story *story)
{
    return step(story, (struct ek_life_input){.kind = EK_LIFE_START});
}

enum ek_life_action_kind story_ok(struct story *story)
{
    struct ek_call_result result = {.ok = true};

    return step(story, (struct ek_life_input){.kind = EK_LIFE_RESULT,
                                              .result = &result,
                                              .findings = story->findings,
                                              .found = story->found});
}

enum ek_life_action_kind story_fail(struct story *story, enum ek_failure failure, const char *error)
{
    struct ek_call_result result = {.failure = failure};

    snprintf(result.error, sizeof(result.error), "%s", error);
    return step(story, (struct ek_life_input){.kind = EK_LIFE_RESULT, .result = &result});
}

enum ek_life_action_kind story_migrated(struct story *story)
{
    struct ek_call_result result = {.ok = true};

    story->call_out = false;
    return step(story, (struct ek_life_input){.kind = EK_LIFE_MIGRATE_ENDED, .result = &result});
}

enum ek_life_action_kind story_broke(struct story *story, enum ek_failure failure,
                                     const char *error)
{
    struct ek_call_result result = {.failure = failure};

    story->call_out = false;
    snprintf(result.error, sizeof(result.error), "%s", error);
    return step(story, (struct ek_life_input){.kind = EK_LIFE_MIGRATE_ENDED, .result = &result});
}

enum ek_life_action_kind story_see(struct story *story, const struct ek_observation *source,
                                   const struct ek_observation *destination)
{
    return step(story, (struct ek_life_input){.kind = EK_LIFE_OBSERVATION,
                                              .source = source,
                                              .destination = destination});
}

static enum ek_life_action_kind tuned(struct story *story)
{
    const struct ek_tuning *tuning = &story->action.tuning;

    story->tunings++;
    if (tuning->max_downtime_ms > 0) {
        story->tuned.max_downtime_ms = tuning->max_downtime_ms;
    }
    if (tuning->bandwidth_mib_s > 0) {
        story->tuned.bandwidth_mib_s = tuning->bandwidth_mib_s;
    }
    return story_ok(story);
}

enum ek_life_action_kind story_progress(struct story *story, const struct ek_job_progress *progress)
{
    enum ek_life_action_kind kind =
        step(story, (struct ek_life_input){.kind = EK_LIFE_PROGRESS, .progress = progress});

    return kind == EK_LIFE_TUNE && !story->hold_tuning ? tuned(story) : kind;
}

enum ek_life_action_kind story_wake(struct story *story)
{
    if (story->action.kind != EK_LIFE_GO_ON && story->now_ms < story->action.wake_at_ms) {
        story->now_ms = story->action.wake_at_ms;
    }
    return step(story, (struct ek_life_input){.kind = EK_LIFE_TIMER});
}

enum ek_life_action_kind story_cancel(struct story *story)
{
    story->cancel = EK_ABORT_OPERATOR;
    if (story->action.kind == EK_LIFE_WAIT || story->action.kind == EK_LIFE_MIGRATE) {
        return step(story, (struct ek_life_input){.kind = EK_LIFE_TIMER});
    }
    return story->action.kind;
}

void story_to_running(struct story *story)
{
    assert_int_equal(story_start(story), EK_LIFE_GO_ON);
    assert_int_equal(story_wake(story), EK_LIFE_PRECHECK);
    assert_int_equal(story_ok(story), EK_LIFE_GO_ON);
    assert_int_equal(story->life.record.state, EK_MOVE_PREPARE);
    assert_int_equal(story_wake(story), EK_LIFE_MIGRATE);
    assert_int_equal(story->life.record.state, EK_MOVE_RUNNING);
}

enum ek_life_action_kind story_watch(struct story *story, int64_t ms,
                                     struct ek_job_progress (*at)(int64_t ms))
{
    int64_t begin_ms = story->now_ms;

    while (story->now_ms - begin_ms < ms) {
        struct ek_job_progress progress = at(story->now_ms - begin_ms);
        enum ek_life_action_kind kind = story->action.kind;

        if (kind == EK_LIFE_WAIT || kind == EK_LIFE_MIGRATE) {
            story_wake(story);
        } else if (kind == EK_LIFE_WATCH) {
            story_progress(story, &progress);
        } else {
            break;
        }
    }
    return story->action.kind;
}

enum ek_life_action_kind story_keep_seeing(struct story *story, const struct ek_observation *source,
                                           const struct ek_observation *destination)
{
    for (int i = 0; i < 1000; i++) {
        if (story->action.kind == EK_LIFE_OBSERVE) {
            story_see(story, source, destination);
        } else if (story->action.kind == EK_LIFE_WAIT &&
                   story->life.record.state == EK_MOVE_RECONCILE) {
            story_wake(story);
        } else {
            break;
        }
    }
    return story->action.kind;
}
