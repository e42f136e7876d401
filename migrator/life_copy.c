/* Running and switchover: the migrate call is out, or an adopted migration goes on without one. */
#include "migrator/life_internal.h"

#include <assert.h>
#include <stdio.h>

/* 0 in an order is "not given": no migration runs without a limit. */
static int64_t limit_or(int64_t limit_ms, int64_t otherwise_ms)
{
    return limit_ms > 0 ? limit_ms : otherwise_ms;
}

/* Two ends: the first aborts, the second stops believing that aborting helps. */
void ek_life_copy_limits(struct ek_life *life)
{
    int64_t copy_ms = limit_or(life->record.order.timeout_ms, EK_LIFE_COPY_MS);

    life->copy_until_ms = life->now_ms + copy_ms;
    life->hard_until_ms = life->copy_until_ms + life->timing.attempt_grace_ms;
}

static void forget_progress(struct ek_life *life)
{
    life->inactive_since_ms = 0;
    life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
}

/* Where disks are copied nothing else keeps two copies apart, so that there the second step goes
 * before post-copy, which cannot be combined with it. */
static bool needs_two_steps(const struct ek_move_record *record)
{
    switch (record->order.two_step) {
    case EK_TWO_STEP_COPIED:
        return record->copies_disks;
    case EK_TWO_STEP_ALWAYS:
        return record->copies_disks || !record->order.post_copy;
    case EK_TWO_STEP_NEVER:
    case EK_TWO_STEP_COUNT:
        break;
    }
    return false;
}

struct ek_life_action ek_life_copy_begin(struct ek_life *life)
{
    /* No time-out of the call itself: it lasts as long as the migration, and is watched by its
     * progress. */
    struct ek_life_action action = ek_life_call(EK_LIFE_MIGRATE, 0);

    ek_life_enter(life, EK_MOVE_RUNNING);
    life->record.two_step = needs_two_steps(&life->record);
    if (life->limited) { /* given since the order */
        life->record.order.bandwidth_mib_s = life->limit_mib_s;
    }
    ek_life_copy_limits(life);
    forget_progress(life);
    ek_life_converge_begin(life);
    /* With the record that is written before it: after a crash this is what "may have been made"
     * means. */
    life->issued = true;
    life->call_out = true;
    life->wait_until_ms = life->next_poll_ms;
    action.wake_at_ms = life->next_poll_ms;
    return ek_life_journalled(action);
}

struct ek_life_action ek_life_copy_adopt(struct ek_life *life, bool switchover)
{
    life->issuable_until_ms = 0; /* it was begun: seen */
    ek_life_enter(life, switchover ? EK_MOVE_SWITCHOVER : EK_MOVE_RUNNING);
    forget_progress(life);
    ek_life_converge_adopt(life);
    return ek_life_journalled(ek_life_wait(life, life->next_poll_ms));
}

/* ---- what the progress says ---------------------------------------------------------------- */

static void note_estimate(struct ek_life *life, const struct ek_job_progress *progress)
{
    struct ek_move_record *record = &life->record;
    double dirty_mib_s = ek_life_converge_dirty_mib_s(life, progress);
    /* What is written anew has to be copied again: only the difference brings the end nearer.
     * Without one there is no estimate. */
    double gain_mib_s = progress->bandwidth_mib_s - dirty_mib_s;

    /* QEMU's first figures may be 0, and what remains may exceed a total that is being counted. */
    if (progress->total_mib > 0 && progress->remaining_mib <= progress->total_mib) {
        record->progress = 1 - progress->remaining_mib / progress->total_mib;
    }
    /* A job that is being taken back tells nothing of what it had sent: that stays known. */
    if (progress->total_mib > 0) {
        record->transferred_mib = progress->transferred_mib;
    }
    record->rate_mib_s = progress->bandwidth_mib_s;
    record->dirty_mib_s = dirty_mib_s;
    record->iteration = progress->iteration;
    record->eta_ms =
        gain_mib_s > 0.01 ? (int64_t)(progress->remaining_mib / gain_mib_s * 1000) : -1;
}

static void note_progress(struct ek_life *life, const struct ek_job_progress *progress)
{
    int64_t copy_ms = limit_or(life->record.order.timeout_ms, EK_LIFE_COPY_MS);

    life->inactive_since_ms = 0;
    ek_life_converge_sample(life, progress);
    note_estimate(life, progress);
    ek_life_converge_note(life, progress);
    /* An adopted migration began before us. */
    if (progress->elapsed_ms > 0 &&
        life->now_ms - progress->elapsed_ms + copy_ms < life->copy_until_ms) {
        life->copy_until_ms = life->now_ms - progress->elapsed_ms + copy_ms;
    }
}

/* ---- deadlines ----------------------------------------------------------------------------- */

/* Journalled like every effect, with the reason that stands in the record by now. */
static struct ek_life_action abort_copy(struct ek_life *life)
{
    life->aborts++;
    life->abort_at_ms = life->now_ms;
    life->record.updated_at_ms = life->now_ms;
    return ek_life_journalled(ek_life_call(EK_LIFE_ABORT, life->timing.action_ms));
}

/* Whether the copying must end now; says why in the record. */
static bool copy_is_over_time(struct ek_life *life)
{
    int64_t progress_ms = limit_or(life->record.order.progress_timeout_ms, EK_LIFE_PROGRESS_MS);
    char evidence[EK_TEXT_SIZE];

    /* A cancel comes first, for it is what the operator will look for in the record. */
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return true;
    }
    if (life->now_ms >= life->copy_until_ms) {
        ek_life_error(life, "aborted: the copying took longer than %lld s (%s)%s",
                      (long long)(limit_or(life->record.order.timeout_ms, EK_LIFE_COPY_MS) / 1000),
                      ek_life_converge_evidence(life, evidence, sizeof(evidence)),
                      life->post_copy_refused ? ", and post-copy was refused" : "");
        return true;
    }
    return ek_life_converge_is_stuck(life, progress_ms);
}

/* What no further waiting explains: the attempt's last end, a switchover that hangs, aborts that do
 * nothing, a job that is gone without its call coming back. */
static bool must_ask_both_ends(const struct ek_life *life)
{
    const struct ek_move_timing *timing = &life->timing;

    if (life->now_ms >= life->hard_until_ms) {
        return true;
    }
    if (life->record.state == EK_MOVE_SWITCHOVER &&
        life->now_ms - life->state_since_ms >= timing->switchover_ms) {
        return true;
    }
    if (life->aborts >= EK_LIFE_MAX_ABORTS &&
        life->now_ms - life->abort_at_ms >= timing->abort_wait_ms) {
        return true;
    }
    return life->inactive_since_ms != 0 &&
           life->now_ms - life->inactive_since_ms >= timing->switchover_ms;
}

static bool in_post_copy(const struct ek_life *life)
{
    return life->record.post_copy_begun && !life->post_copy_refused;
}

/* What is done instead of an abort where the order allows it, and nobody wants the move's end. The
 * source's part of the memory then stays until the destination has it: journalled before it, for
 * the decision table reads the two hosts differently from then on. */
static bool may_begin_post_copy(const struct ek_life *life)
{
    const struct ek_move_record *record = &life->record;

    return record->order.post_copy && !record->two_step && !record->post_copy_begun &&
           life->cancel == EK_ABORT_NONE && !life->at_fault && life->aborts == 0;
}

static struct ek_life_action begin_post_copy(struct ek_life *life)
{
    struct ek_life_action action = ek_life_call(EK_LIFE_TUNE, life->timing.action_ms);

    life->record.post_copy_begun = true;
    life->record.updated_at_ms = life->now_ms;
    ek_life_copy_limits(life);
    life->tuning = (struct ek_tuning){.start_post_copy = true};
    life->tuning_out = true;
    action.tuning = life->tuning;
    return ek_life_journalled(action);
}

static bool must_abort(struct ek_life *life)
{
    if (life->record.state == EK_MOVE_SWITCHOVER || life->aborts >= EK_LIFE_MAX_ABORTS) {
        return false; /* too late, or useless */
    }
    /* In post-copy there is no way back; libvirt would refuse it, too. */
    if (in_post_copy(life)) {
        return false;
    }
    /* Once asked, only the abort itself is followed: the limits have done their part. */
    if (life->aborts > 0) {
        return life->now_ms - life->abort_at_ms >= life->timing.abort_wait_ms;
    }
    return copy_is_over_time(life);
}

/* A limit that was just given is set at once: the look before it shows that there is a job. */
static bool must_limit(const struct ek_life *life)
{
    return ek_life_limit_differs(life) && !life->record.post_copy_begun &&
           life->inactive_since_ms == 0 && life->now_ms >= life->convergence.tune_after_ms;
}

/* What libvirt holds for a migration though nothing of it is left: seen with 9.0, when an abort
 * hits the switchover (docs/migrator.md). Only its restart ends that, and a person has to know. */
void ek_life_say_deaf(struct ek_life *life)
{
    ek_life_error(life,
                  "libvirtd on %.100s does not end its migration job, asked %d times: restart it "
                  "there, guests run on",
                  life->record.order.source, life->aborts);
}

static struct ek_life_action ask_both_ends(struct ek_life *life)
{
    bool deaf = life->aborts >= EK_LIFE_MAX_ABORTS;

    if (life->record.state == EK_MOVE_SWITCHOVER) {
        ek_life_error(life, "the switchover takes longer than %lld s",
                      (long long)(life->timing.switchover_ms / 1000));
    } else if (deaf) {
        ek_life_say_deaf(life);
    }
    struct ek_life_action action = ek_life_reconcile_begin(life);
    if (deaf) {
        action.step = "abort";
        snprintf(action.note, sizeof(action.note), "%s", life->record.error);
    }
    return action;
}

/* In the order of urgency; looking comes last, so that a poll that is due never hides a deadline.
 */
static struct ek_life_action supervise(struct ek_life *life)
{
    if (must_ask_both_ends(life)) {
        return ask_both_ends(life);
    }
    if (must_abort(life)) {
        return may_begin_post_copy(life) ? begin_post_copy(life) : abort_copy(life);
    }
    if (life->now_ms >= life->next_poll_ms || must_limit(life)) {
        life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
        /* The next poll counts from now and not from the answer: a slow look does not stretch the
         * raster twice. */
        return ek_life_call(EK_LIFE_WATCH, life->timing.action_ms);
    }
    return ek_life_wait(life, life->next_poll_ms);
}

/* ---- inputs -------------------------------------------------------------------------------- */

/* No job: the call tells soon, if it is ours; an adopted migration has ended. */
static struct ek_life_action no_job(struct ek_life *life)
{
    if (!life->call_out) {
        return ek_life_reconcile_begin(life);
    }
    if (life->inactive_since_ms == 0) {
        life->inactive_since_ms = life->now_ms;
    }
    return supervise(life);
}

static struct ek_life_action watched(struct ek_life *life, const struct ek_job_progress *progress)
{
    struct ek_life_action action;
    enum ek_move_state state;

    /* A look that failed and a job that is gone are treated alike: beside a call that is out both
     * must last before they count. */
    if (progress == NULL || !progress->active) {
        return no_job(life);
    }
    note_progress(life, progress);
    state = progress->source_paused ? EK_MOVE_SWITCHOVER : EK_MOVE_RUNNING;
    if (state == life->record.state) {
        /* Too late once the source is paused, and not worth it once an end is asked for. */
        bool may_tune = state == EK_MOVE_RUNNING && life->aborts == 0 &&
                        life->cancel == EK_ABORT_NONE && !life->record.post_copy_begun;

        return may_tune && ek_life_converge_tune(life, &action) ? action : supervise(life);
    }
    ek_life_enter(life, state);
    return ek_life_journalled(ek_life_wait(life, life->next_poll_ms));
}

/* What an abort says does not matter: it is asynchronous. */
static struct ek_life_action answered(struct ek_life *life, const struct ek_call_result *result)
{
    struct ek_life_action action;
    char note[EK_TEXT_SIZE] = "";

    if (life->tuning_out) {
        ek_life_converge_tuned(life, result, note, sizeof(note));
    }
    action = supervise(life);
    if (note[0] != '\0') {
        action.step = "tune";
        snprintf(action.note, sizeof(action.note), "%s", note);
    }
    return action;
}

struct ek_life_action ek_life_copy_step(struct ek_life *life, const struct ek_life_input *input)
{
    switch (input->kind) {
    case EK_LIFE_MIGRATE_ENDED:
        life->tuning_out = false;
        /* Neither is believed: the one reads both ends once and quickly, the other for as long as
         * it takes. */
        return input->result->ok ? ek_life_commit_begin(life) : ek_life_reconcile_begin(life);
    case EK_LIFE_PROGRESS:
        return watched(life, input->progress);
    case EK_LIFE_RESULT:
        return answered(life, input->result);
    case EK_LIFE_TIMER:
        return supervise(life);
    case EK_LIFE_START:
    case EK_LIFE_OBSERVATION:
        break;
    }
    assert(false && "an input that no action of this state asked for");
    return supervise(life);
}
