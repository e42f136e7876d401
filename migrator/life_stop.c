/* The life of a stop: a domain is saved or shut down where it runs, because its own metadata say so
 * and its host is emptied. Fewer states than a move's, and one host that is asked: what it shows
 * decides, never what the call returned. Nothing is ever forced: a guest that does not shut down in
 * time runs on. */
#include "migrator/life_internal.h"

#include <assert.h>
#include <stdio.h>

/* libvirt-guests gives its guests 5 minutes by default; the policy says how long ours have. */
enum { SHUTDOWN_MS = 180000 };

/* What the host says, as far as it decides. */
enum sight {
    SIGHT_NONE,     /* nothing was read yet */
    SIGHT_NOT_SEEN, /* the host could not be asked */
    SIGHT_STOPPED,  /* as was wanted: off, and with its image when it was to be saved */
    SIGHT_SAVING,   /* a save of it runs */
    SIGHT_RUNS,     /* as before */
    SIGHT_PAUSED,   /* by whatever but its user: what a save paused says so */
    SIGHT_OFF,      /* somebody else ended it */
    SIGHT_DOWN,     /* it crashed */
    SIGHT_GONE,     /* it is no longer defined there */
};

static const char *const sight_texts[] = {
    [SIGHT_NONE] = "nothing is known",
    [SIGHT_NOT_SEEN] = "its host cannot be asked",
    [SIGHT_STOPPED] = "it is stopped",
    [SIGHT_SAVING] = "it is being saved",
    [SIGHT_RUNS] = "it runs on",
    [SIGHT_PAUSED] = "it is left paused: look at it, and resume it with virsh resume",
    [SIGHT_OFF] = "somebody else, or its guest, has ended it; it has no saved image",
    [SIGHT_DOWN] = "it crashed",
    [SIGHT_GONE] = "it is no longer defined on its host",
};

static bool saves(const struct ek_life *life)
{
    return life->record.order.kind == EK_MOVE_SAVE;
}

/* One that its user paused is as he wants it, whenever he did: a save that fails leaves its own
 * reason. */
static enum sight sight_of_active(const struct ek_observation *host)
{
    bool as_wanted = host->run == EK_RUN_RUNNING || host->run == EK_RUN_RUNNING_MIGRATED ||
                     host->run == EK_RUN_RUNNING_MIGRATION_CANCELED ||
                     host->run == EK_RUN_PAUSED_USER;

    if (host->saving) {
        return SIGHT_SAVING;
    }
    return as_wanted ? SIGHT_RUNS : SIGHT_PAUSED;
}

static enum sight sight_of(const struct ek_life *life, const struct ek_observation *host)
{
    switch (host->presence) {
    case EK_PRESENCE_ABSENT:
        return SIGHT_GONE;
    case EK_PRESENCE_ACTIVE:
        return sight_of_active(host);
    case EK_PRESENCE_INACTIVE:
        break;
    case EK_PRESENCE_UNREACHABLE:
        return SIGHT_NOT_SEEN;
    }
    if (host->saved && saves(life)) {
        return SIGHT_STOPPED;
    }
    if (host->run == EK_RUN_SHUTOFF_CRASHED) {
        return SIGHT_DOWN;
    }
    return saves(life) || host->run == EK_RUN_SHUTOFF_MIGRATED ? SIGHT_OFF : SIGHT_STOPPED;
}

/* ---- looks and limits ------------------------------------------------------------------------ */

static struct ek_life_action look(const struct ek_life *life)
{
    return ek_life_call(EK_LIFE_OBSERVE, life->timing.observe_ms);
}

static struct ek_life_action look_again(struct ek_life *life)
{
    return ek_life_wait(life, life->now_ms + life->timing.settle_ms);
}

void ek_life_stop_limits(struct ek_life *life, int64_t since_ms)
{
    const struct ek_move_order *order = &life->record.order;
    int64_t given_ms = saves(life) ? order->timeout_ms : order->shutdown_timeout_ms;
    int64_t otherwise_ms = saves(life) ? EK_LIFE_COPY_MS : SHUTDOWN_MS;

    life->copy_until_ms = since_ms + (given_ms > 0 ? given_ms : otherwise_ms);
    life->hard_until_ms = life->now_ms > life->copy_until_ms ? life->now_ms : life->copy_until_ms;
    life->hard_until_ms += life->timing.attempt_grace_ms;
}

struct ek_life_action ek_life_stop_reconcile(struct ek_life *life)
{
    if (life->record.state != EK_MOVE_RECONCILE) {
        ek_life_enter(life, EK_MOVE_RECONCILE);
    }
    life->record.updated_at_ms = life->now_ms;
    life->stop_sight = SIGHT_NONE;
    life->reconcile_since_ms = life->now_ms;
    return ek_life_journalled(look(life));
}

/* ---- precheck -------------------------------------------------------------------------------- */

/* The record is written before the call: after a crash RUNNING means that it may have been made. */
static struct ek_life_action begin(struct ek_life *life, const struct ek_findings *findings)
{
    struct ek_life_action action = ek_life_call(EK_LIFE_MIGRATE, 0);

    ek_life_enter(life, EK_MOVE_RUNNING);
    life->record.user_paused = findings != NULL && findings->user_paused;
    life->issued = true;
    life->call_out = true;
    ek_life_stop_limits(life, life->now_ms);
    life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
    life->wait_until_ms = life->next_poll_ms;
    action.wake_at_ms = life->next_poll_ms;
    return ek_life_journalled(action);
}

/* Whether its record waited for so long (the journal was away) that whoever ordered it may have
 * changed his mind since, without a way to say so. */
static bool is_late(const struct ek_life *life)
{
    return life->now_ms - life->record.planned_at_ms >
           life->timing.precheck_ms + life->timing.fresh_ms;
}

/* Not tried again here: the engine asks anew, with what it sees then. */
static struct ek_life_action prechecked(struct ek_life *life, const struct ek_life_input *input)
{
    assert(input->kind == EK_LIFE_RESULT);
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    if (input->result->ok && is_late(life)) {
        ek_life_error(life, "not begun, for too long after it was ordered");
        return ek_life_finish(life, EK_MOVE_REJECTED);
    }
    if (input->result->ok) {
        return begin(life, input->findings);
    }
    ek_life_note_failure(life, input->result);
    return ek_life_finish(life, EK_MOVE_REJECTED);
}

/* ---- running: a save --------------------------------------------------------------------------
 */

/* Whether the save must end now; says why in the record. */
static bool save_is_over_time(struct ek_life *life)
{
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return true;
    }
    if (life->now_ms < life->copy_until_ms) {
        return false;
    }
    ek_life_error(life, "aborted: its memory was not on disk in time");
    return true;
}

static bool must_abort(struct ek_life *life)
{
    if (life->aborts >= EK_LIFE_MAX_ABORTS) {
        return false;
    }
    return life->aborts > 0 ? life->now_ms - life->abort_at_ms >= life->timing.abort_wait_ms
                            : save_is_over_time(life);
}

static struct ek_life_action supervise_save(struct ek_life *life)
{
    if (life->aborts >= EK_LIFE_MAX_ABORTS &&
        life->now_ms - life->abort_at_ms >= life->timing.abort_wait_ms) {
        return ek_life_stop_reconcile(life);
    }
    if (must_abort(life)) {
        life->aborts++;
        life->abort_at_ms = life->now_ms;
        life->record.updated_at_ms = life->now_ms;
        return ek_life_journalled(ek_life_call(EK_LIFE_ABORT, life->timing.action_ms));
    }
    if (life->now_ms >= life->next_poll_ms) {
        life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
        return ek_life_call(EK_LIFE_WATCH, life->timing.action_ms);
    }
    return ek_life_wait(life, life->next_poll_ms);
}

static void note_progress(struct ek_life *life, const struct ek_job_progress *progress)
{
    struct ek_move_record *record = &life->record;

    if (progress->total_mib > 0 && progress->remaining_mib <= progress->total_mib) {
        record->progress = 1 - progress->remaining_mib / progress->total_mib;
        record->transferred_mib = progress->transferred_mib;
    }
    record->rate_mib_s = progress->bandwidth_mib_s;
    record->eta_ms = progress->bandwidth_mib_s > 0.01
                         ? (int64_t)(progress->remaining_mib / progress->bandwidth_mib_s * 1000)
                         : -1;
}

/* ---- running: a shutdown ----------------------------------------------------------------------
 */

/* The guest was told, or may have been: there is no taking it back, only waiting. Said once. */
static struct ek_life_action supervise_shutdown(struct ek_life *life)
{
    struct ek_life_action action;

    if (life->cancel != EK_ABORT_NONE && life->abort_at_ms == 0) {
        life->abort_at_ms = life->now_ms;
        life->record.updated_at_ms = life->now_ms;
        ek_life_error(life, "%s, but its guest was told to shut down, which cannot be taken back",
                      ek_life_why_cancelled(life));
        action = ek_life_journalled(ek_life_wait(life, life->next_poll_ms));
        action.step = "cancel";
        snprintf(action.note, sizeof(action.note), "%s", life->record.error);
        return action;
    }
    if (life->now_ms >= life->next_poll_ms && !life->call_out) {
        life->next_poll_ms = life->now_ms + life->timing.settle_ms;
        return look(life);
    }
    if (life->now_ms >= life->next_poll_ms) {
        life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
    }
    return ek_life_wait(life, life->next_poll_ms);
}

static struct ek_life_action supervise(struct ek_life *life)
{
    if (life->now_ms >= life->hard_until_ms) {
        return ek_life_stop_reconcile(life);
    }
    return saves(life) ? supervise_save(life) : supervise_shutdown(life);
}

static struct ek_life_action commit(struct ek_life *life)
{
    ek_life_enter(life, EK_MOVE_COMMIT_PENDING);
    return ek_life_journalled(look(life));
}

/* Whether the guest was told to shut down as far as anybody knows: a call that was refused told it
 * nothing. */
static bool may_have_been_told(const struct ek_life *life)
{
    return life->issued && (life->failure == EK_FAILURE_NONE || life->failure == EK_FAILURE_LOST);
}

/* Only a shutdown looks while it runs; a save has its call, or its job. */
static struct ek_life_action looked(struct ek_life *life, const struct ek_observation *host)
{
    switch (sight_of(life, host)) {
    case SIGHT_STOPPED:
        return commit(life);
    case SIGHT_RUNS:
    case SIGHT_PAUSED: /* as libvirt shows it while it ends */
    case SIGHT_NOT_SEEN:
        return life->now_ms >= life->copy_until_ms ? ek_life_stop_reconcile(life) : supervise(life);
    case SIGHT_NONE:
    case SIGHT_SAVING:
    case SIGHT_OFF:
    case SIGHT_DOWN:
    case SIGHT_GONE:
        break;
    }
    return ek_life_stop_reconcile(life);
}

static struct ek_life_action call_ended(struct ek_life *life, const struct ek_call_result *result)
{
    if (!saves(life) && may_have_been_told(life)) {
        return look(life);
    }
    return result->ok ? commit(life) : ek_life_stop_reconcile(life);
}

static struct ek_life_action running(struct ek_life *life, const struct ek_life_input *input)
{
    switch (input->kind) {
    case EK_LIFE_MIGRATE_ENDED:
        return call_ended(life, input->result);
    case EK_LIFE_PROGRESS:
        if (input->progress != NULL && input->progress->active) {
            note_progress(life, input->progress);
        } else if (!life->call_out) {
            return ek_life_stop_reconcile(life);
        }
        return supervise(life);
    case EK_LIFE_OBSERVATION:
        return looked(life, input->source);
    case EK_LIFE_RESULT:
    case EK_LIFE_TIMER:
        return supervise(life);
    case EK_LIFE_START:
        break;
    }
    assert(false && "an input that no action of this state asked for");
    return supervise(life);
}

/* ---- commit-pending and reconcile -------------------------------------------------------------
 */

static struct ek_life_action done(struct ek_life *life)
{
    life->record.progress = 1;
    life->record.eta_ms = 0;
    ek_life_error(life, "%s", "");
    return ek_life_finish(life, EK_MOVE_DONE);
}

static struct ek_life_action end(struct ek_life *life, enum ek_move_state state)
{
    ek_life_error(life, "%s", sight_texts[life->stop_sight]);
    return ek_life_finish(life, state);
}

/* It runs as before. In the order of who has a say: the one who cancels, somebody else who aborted,
 * then the reason of the failure. */
static struct ek_life_action rolled_back(struct ek_life *life)
{
    bool told = !saves(life) && may_have_been_told(life);

    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s%s", ek_life_why_cancelled(life),
                      told ? "; its guest was told to shut down, and has not" : "");
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    if (life->failure == EK_FAILURE_ABORTED && life->aborts == 0) {
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    if (told) {
        ek_life_error(life, "its guest did not shut down within %lld s; it runs on",
                      (long long)((life->record.order.shutdown_timeout_ms > 0
                                       ? life->record.order.shutdown_timeout_ms
                                       : SHUTDOWN_MS) /
                                  1000));
    } else if (life->failure == EK_FAILURE_NONE && !life->adopted && life->aborts == 0) {
        ek_life_error(life, "libvirt called it done, but it runs on");
    }
    return ek_life_finish(life, EK_MOVE_ROLLED_BACK);
}

/* What was begun goes on: it is watched again. */
static struct ek_life_action goes_on(struct ek_life *life)
{
    if (saves(life)) {
        life->issuable_until_ms = 0; /* it was begun: seen */
    }
    ek_life_enter(life, EK_MOVE_RUNNING);
    life->next_poll_ms = life->now_ms + life->timing.progress_poll_ms;
    return ek_life_journalled(ek_life_wait(life, life->next_poll_ms));
}

static bool seen_for(const struct ek_life *life, int64_t ms)
{
    return life->now_ms - life->row_since_ms >= ms;
}

/* What is seen twice counts: while libvirt takes the domain from one state to the next a single
 * look may meet it in between. */
static struct ek_life_action conclude(struct ek_life *life)
{
    const struct ek_move_timing *timing = &life->timing;

    switch ((enum sight)life->stop_sight) {
    case SIGHT_STOPPED:
        return done(life);
    case SIGHT_RUNS:
        if (life->now_ms < life->issuable_until_ms || !seen_for(life, timing->settle_ms)) {
            return look_again(life); /* an earlier run of ours may still make the call */
        }
        return rolled_back(life);
    case SIGHT_PAUSED: /* a save that failed resumes it, a moment later */
        return seen_for(life, timing->autodestroy_ms) ? end(life, EK_MOVE_FAILED)
                                                      : look_again(life);
    case SIGHT_OFF:
    case SIGHT_GONE:
        return seen_for(life, timing->settle_ms) ? end(life, EK_MOVE_GUEST_OFF) : look_again(life);
    case SIGHT_DOWN:
        return seen_for(life, timing->settle_ms) ? end(life, EK_MOVE_VM_DOWN) : look_again(life);
    case SIGHT_SAVING:
        return life->now_ms >= life->hard_until_ms ? end(life, EK_MOVE_UNKNOWN) : look_again(life);
    case SIGHT_NOT_SEEN:
    case SIGHT_NONE:
        break;
    }
    return seen_for(life, timing->reachable_ms) ? end(life, EK_MOVE_UNKNOWN) : look_again(life);
}

static bool may_go_on(const struct ek_life *life)
{
    if (life->stop_sight == SIGHT_SAVING) {
        return saves(life) && life->now_ms < life->hard_until_ms &&
               life->aborts < EK_LIFE_MAX_ABORTS;
    }
    return life->stop_sight == SIGHT_RUNS && !saves(life) && may_have_been_told(life) &&
           !life->call_out && life->now_ms < life->copy_until_ms;
}

static struct ek_life_action judge(struct ek_life *life)
{
    if (life->stop_sight != SIGHT_STOPPED && may_go_on(life)) {
        return goes_on(life);
    }
    /* Its call could still do what was asked: only what is done already is believed beside it. */
    if (life->call_out && life->stop_sight != SIGHT_STOPPED) {
        if (life->now_ms - life->reconcile_since_ms < life->timing.reachable_ms) {
            return look_again(life);
        }
        ek_life_error(life, "the call to libvirt does not return; %s",
                      sight_texts[life->stop_sight]);
        return ek_life_finish(life, EK_MOVE_UNKNOWN);
    }
    return conclude(life);
}

static struct ek_life_action observed(struct ek_life *life, const struct ek_observation *host)
{
    enum sight sight = sight_of(life, host);
    bool changed = life->stop_sight != (unsigned int)sight;
    struct ek_life_action action;

    if (changed) {
        life->stop_sight = sight;
        life->row_since_ms = life->now_ms;
    }
    action = judge(life);
    if (changed) {
        action.step = "observe";
        snprintf(action.note, sizeof(action.note), "%.120s: %s", host->text, sight_texts[sight]);
    }
    return action;
}

static struct ek_life_action reconcile(struct ek_life *life, const struct ek_life_input *input)
{
    switch (input->kind) {
    case EK_LIFE_OBSERVATION:
        return observed(life, input->source);
    case EK_LIFE_MIGRATE_ENDED:
        life->stop_sight = SIGHT_NONE; /* what was seen before it ended counts no more */
        return look(life);
    case EK_LIFE_TIMER:
        return life->now_ms < life->wait_until_ms ? ek_life_wait(life, life->wait_until_ms)
                                                  : look(life);
    case EK_LIFE_START:
    case EK_LIFE_RESULT:
    case EK_LIFE_PROGRESS:
        break;
    }
    assert(false && "an input that no action of this state asked for");
    return look(life);
}

struct ek_life_action ek_life_stop_step(struct ek_life *life, const struct ek_life_input *input)
{
    if (life->record.state == EK_MOVE_PRECHECK) {
        return prechecked(life, input);
    }
    if (life->record.state == EK_MOVE_RUNNING) {
        return running(life, input);
    }
    if (life->record.state == EK_MOVE_COMMIT_PENDING) {
        assert(input->kind == EK_LIFE_OBSERVATION);
        return sight_of(life, input->source) == SIGHT_STOPPED ? done(life)
                                                              : ek_life_stop_reconcile(life);
    }
    assert(life->record.state == EK_MOVE_RECONCILE);
    return reconcile(life, input);
}
