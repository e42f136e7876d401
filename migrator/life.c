/* The life's states outside the copying, and the machine itself. Every state change goes through
 * ek_life_enter, every effect through the action that is returned. */
#include "migrator/life.h"

#include "migrator/life_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In traces and tests: names, not numbers, so that a new kind does not rewrite old traces. */
static const char *const action_names[] = {
    [EK_LIFE_GO_ON] = "go-on",
    [EK_LIFE_PRECHECK] = "precheck",
    [EK_LIFE_PREPARE] = "prepare",
    [EK_LIFE_MIGRATE] = "migrate",
    [EK_LIFE_WAIT] = "wait",
    [EK_LIFE_WATCH] = "watch",
    [EK_LIFE_TUNE] = "tune",
    [EK_LIFE_ABORT] = "abort",
    [EK_LIFE_OBSERVE] = "observe",
    [EK_LIFE_SEARCH] = "search",
    [EK_LIFE_RESUME_SOURCE] = "resume-source",
    [EK_LIFE_RESUME_DESTINATION] = "resume-destination",
    [EK_LIFE_DESTROY_SOURCE] = "destroy-source",
    [EK_LIFE_DESTROY_DESTINATION] = "destroy-destination",
    [EK_LIFE_RESUME_POSTCOPY] = "resume-postcopy",
    [EK_LIFE_UNPREPARE] = "unprepare",
    [EK_LIFE_POST] = "post",
    [EK_LIFE_FINISH] = "finish",
    [EK_LIFE_HALT] = "halt",
};

/* ---- shared by the life's files ------------------------------------------------------------ */

void ek_life_enter(struct ek_life *life, enum ek_move_state state)
{
    /* The tables are the core's: what `evenkeel states` prints is what is obeyed here. */
    assert(ek_move_stops(life->record.order.kind)
               ? ek_stop_state_allowed(life->record.state, state)
               : ek_move_state_allowed(life->record.state, state));
    life->record.state = state;
    life->record.updated_at_ms = life->now_ms;
    life->state_since_ms = life->now_ms;
}

struct ek_life_action ek_life_act(enum ek_life_action_kind kind)
{
    return (struct ek_life_action){.kind = kind, .step = ""};
}

struct ek_life_action ek_life_call(enum ek_life_action_kind kind, int64_t timeout_ms)
{
    return (struct ek_life_action){.kind = kind, .timeout_ms = timeout_ms, .step = ""};
}

struct ek_life_action ek_life_journalled(struct ek_life_action action)
{
    action.journal = true;
    return action;
}

struct ek_life_action ek_life_wait(struct ek_life *life, int64_t until_ms)
{
    struct ek_life_action action = ek_life_act(EK_LIFE_WAIT);

    life->wait_until_ms = until_ms;
    action.wake_at_ms = until_ms;
    return action;
}

struct ek_life_action ek_life_finish(struct ek_life *life, enum ek_move_state state)
{
    assert(ek_move_state_terminal(state));
    ek_life_enter(life, state);
    return ek_life_journalled(ek_life_act(EK_LIFE_FINISH));
}

void ek_life_error(struct ek_life *life, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(life->record.error, sizeof(life->record.error), format, args);
    va_end(args);
}

bool ek_life_may_retry(const struct ek_life *life)
{
    /* Nothing is tried again after a repair: what needed one is not understood well enough. Nor by
     * a successor: the engine decides anew, with what it sees then. */
    bool helps = life->failure == EK_FAILURE_SAME_PAIR || life->failure == EK_FAILURE_LOST;

    return helps && !life->adopted && life->repairs == 0 &&
           life->record.attempt <= life->record.order.retries;
}

const char *ek_life_why_cancelled(const struct ek_life *life)
{
    if (life->cancel == EK_ABORT_UNWANTED) {
        return "cancelled: its host is not to be emptied any more";
    }
    return life->cancel == EK_ABORT_YIELD ? "cancelled: others go first" : "cancelled on request";
}

/* In the order of who has a say: the one who cancels, somebody else who aborted, then the reason of
 * the failure. */
enum ek_move_state ek_life_after_rollback(struct ek_life *life)
{
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return EK_MOVE_CANCELLED;
    }
    if (life->failure == EK_FAILURE_ABORTED && life->aborts == 0) {
        return EK_MOVE_CANCELLED; /* by somebody else: not to be overruled by a retry */
    }
    /* Told in the outcome: the engine then avoids that host for a while. */
    if (life->failure == EK_FAILURE_OTHER_HOST) {
        life->at_fault = true;
    }
    return ek_life_may_retry(life) ? EK_MOVE_RETRY_WAIT : EK_MOVE_ROLLED_BACK;
}

/* ---- before and after the copying ---------------------------------------------------------- */

/* Both are kept: the class decides about a retry, the text is for people. */
void ek_life_note_failure(struct ek_life *life, const struct ek_call_result *result)
{
    life->failure = result->failure;
    ek_life_error(life, "%s", result->error);
}

/* A new attempt knows nothing of the one before. */
static struct ek_life_action claim(struct ek_life *life)
{
    ek_life_enter(life, EK_MOVE_CLAIMED);
    life->record.attempt++;
    if (life->record.started_at_ms == 0) {
        life->record.started_at_ms = life->now_ms;
    }
    life->record.progress = 0;
    life->record.eta_ms = -1;
    life->record.preparation_count = 0;
    life->record.copies_disks = false;
    life->record.user_paused = false;
    life->failure = EK_FAILURE_NONE;
    life->at_fault = false;
    life->issued = false;
    life->aborts = 0;
    life->abort_at_ms = 0;
    life->record.two_step = false;
    life->record.post_copy_begun = false;
    life->post_copy_refused = false;
    life->call_ended_ms = 0;
    life->waited_ms = 0;
    return ek_life_journalled(ek_life_act(EK_LIFE_GO_ON));
}

/* The one state whose cancel leaves nothing behind, not even an attempt. */
static struct ek_life_action planned(struct ek_life *life)
{
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "cancelled before it began");
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    return claim(life);
}

static struct ek_life_action claimed(struct ek_life *life)
{
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    ek_life_enter(life, EK_MOVE_PRECHECK);
    return ek_life_journalled(ek_life_call(EK_LIFE_PRECHECK, life->timing.precheck_ms));
}

struct ek_life_action ek_life_wait_for_retry(struct ek_life *life)
{
    int64_t backoff_ms = life->record.order.backoff_ms;

    /* Bounded by the cap in the condition: no number of attempts overflows it. */
    for (int i = 1; i < life->record.attempt && backoff_ms < life->timing.backoff_cap_ms; i++) {
        backoff_ms *= 2;
    }
    if (backoff_ms > life->timing.backoff_cap_ms) {
        backoff_ms = life->timing.backoff_cap_ms;
    }
    ek_life_enter(life, EK_MOVE_RETRY_WAIT);
    return ek_life_journalled(ek_life_wait(life, life->now_ms + backoff_ms));
}

/* The domain is on its source, where the attempt left it. */
static struct ek_life_action withhold(struct ek_life *life, const char *why)
{
    char error[EK_TEXT_SIZE];

    memcpy(error, life->record.error, sizeof(error));
    ek_life_error(life, "%.*s; not tried again: %.*s", EK_TEXT_SIZE / 2, error, EK_TEXT_SIZE / 3,
                  why);
    return ek_life_finish(life, EK_MOVE_ROLLED_BACK);
}

/* A driver may wake a life early; the time that was set counts. */
static struct ek_life_action retry_waited(struct ek_life *life, const char *withheld)
{
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    if (life->now_ms < life->wait_until_ms) {
        return ek_life_wait(life, life->wait_until_ms);
    }
    return withheld != NULL ? withhold(life, withheld) : claim(life);
}

/* ---- the machine --------------------------------------------------------------------------- */

/* The epoch is the present lease's, also for an adopted record: writes under an old one are fenced
 * off. */
static void prepare_life(struct ek_life *life, const struct ek_move_timing *timing, int64_t epoch,
                         int64_t now_ms)
{
    life->timing = *timing;
    life->now_ms = now_ms;
    life->state_since_ms = now_ms;
    life->record.epoch = epoch;
    life->record.eta_ms = -1;
}

void ek_life_begin(struct ek_life *life, const struct ek_move_order *order,
                   const struct ek_move_timing *timing, int64_t epoch, int64_t now_ms)
{
    memset(life, 0, sizeof(*life));
    life->record.order = *order;
    life->record.state = EK_MOVE_PLANNED;
    life->record.planned_at_ms = now_ms;
    life->record.updated_at_ms = now_ms;
    prepare_life(life, timing, epoch, now_ms);
}

void ek_life_adopt(struct ek_life *life, const struct ek_move_record *record,
                   const struct ek_move_timing *timing, int64_t epoch, int64_t now_ms)
{
    assert(!ek_move_state_terminal(record->state));
    memset(life, 0, sizeof(*life));
    life->record = *record;
    prepare_life(life, timing, epoch, now_ms);
    life->adopted = true;
    /* By the state alone: the record was written before the call, so that in RUNNING the call may
     * have been made or not. "May have been" is what counts. */
    life->issued = record->state != EK_MOVE_PLANNED && record->state != EK_MOVE_CLAIMED &&
                   record->state != EK_MOVE_PRECHECK && record->state != EK_MOVE_PREPARE &&
                   record->state != EK_MOVE_RETRY_WAIT;
    /* Whoever wrote that record may be cut off from the journal and alive: its call begins, if at
     * all, within one time of freshness, and takes effect within another. */
    if (record->state == EK_MOVE_RUNNING || record->state == EK_MOVE_RECONCILE) {
        life->issuable_until_ms = now_ms + 2 * timing->fresh_ms + timing->settle_ms;
    }
    /* Where the call had returned, the guest may have stood still since. */
    life->call_ended_ms = record->state == EK_MOVE_COMMIT_PENDING ? record->updated_at_ms : 0;
    ek_life_error(life, "the balancer stopped while the move was in state %s",
                  ek_move_state_name(record->state));
    if (ek_move_stops(record->order.kind)) {
        bool runs = record->state == EK_MOVE_RUNNING && record->updated_at_ms < now_ms;

        ek_life_stop_limits(life, runs ? record->updated_at_ms : now_ms);
    } else {
        ek_life_copy_limits(life);
    }
}

/* An adopted life begins with asking, whatever its record says: records are what was intended,
 * hosts are what is. */
static struct ek_life_action started(struct ek_life *life)
{
    if (life->adopted) {
        return ek_move_stops(life->record.order.kind) ? ek_life_stop_reconcile(life)
                                                      : ek_life_reconcile_begin(life);
    }
    return planned(life);
}

/* All states by name and no default: the compiler tells of a new one. */
static struct ek_life_action dispatch(struct ek_life *life, const struct ek_life_input *input)
{
    switch (life->record.state) {
    case EK_MOVE_CLAIMED:
        return claimed(life);
    case EK_MOVE_PRECHECK:
        return ek_life_prechecked(life, input);
    case EK_MOVE_PREPARE:
        return ek_life_prepared(life, input);
    case EK_MOVE_RUNNING:
    case EK_MOVE_SWITCHOVER:
        return ek_life_copy_step(life, input);
    case EK_MOVE_COMMIT_PENDING:
        return ek_life_commit_step(life, input);
    case EK_MOVE_RECONCILE:
        return ek_life_reconcile_step(life, input);
    case EK_MOVE_UNPREPARE:
        return ek_life_unprepared(life, input);
    case EK_MOVE_POST:
        return ek_life_posted(life, input);
    case EK_MOVE_RETRY_WAIT:
        return retry_waited(life, input->withheld);
    case EK_MOVE_PLANNED:
        return planned(life);
    case EK_MOVE_DONE:
    case EK_MOVE_REJECTED:
    case EK_MOVE_ROLLED_BACK:
    case EK_MOVE_CANCELLED:
    case EK_MOVE_GUEST_OFF:
    case EK_MOVE_VM_DOWN:
    case EK_MOVE_UNVERIFIED:
    case EK_MOVE_FAILED:
    case EK_MOVE_UNKNOWN:
    case EK_MOVE_STATE_COUNT:
        break;
    }
    assert(false && "a life that ended was stepped");
    return ek_life_act(EK_LIFE_HALT);
}

/* What the call said is kept, whatever the state; it never decides alone. */
static void take_migrate_result(struct ek_life *life, const struct ek_call_result *result)
{
    assert(life->call_out);
    life->call_out = false;
    life->call_ended_ms = life->now_ms;
    if (result->ok || life->record.state == EK_MOVE_POST) {
        return;
    }
    /* An abort of ours has said why already, and whatever it broke on its way (in the lab often
     * "Broken pipe" instead of "canceled by client") is nobody's fault. */
    if (life->aborts > 0) {
        life->failure = EK_FAILURE_ABORTED;
        return;
    }
    /* The last error of the attempt counts, for what follows is decided from it. */
    life->failure = result->failure;
    ek_life_error(life, "%s", result->error);
}

struct ek_life_action ek_life_step(struct ek_life *life, const struct ek_life_input *input,
                                   int64_t now_ms)
{
    life->now_ms = now_ms;
    life->cancel = input->cancel != EK_ABORT_NONE ? input->cancel : life->cancel;
    life->limited = life->limited || input->limited;
    life->limit_mib_s = input->limited ? input->limit_mib_s : life->limit_mib_s;
    if (input->kind == EK_LIFE_MIGRATE_ENDED) {
        take_migrate_result(life, input->result);
    }
    /* Stopping decides nothing: the record stays open, and the next start adopts it. */
    if (input->shutdown) {
        return ek_life_act(EK_LIFE_HALT);
    }
    if (input->kind == EK_LIFE_START) {
        return started(life);
    }
    bool is_early = life->record.state == EK_MOVE_PLANNED || life->record.state == EK_MOVE_CLAIMED;
    return ek_move_stops(life->record.order.kind) && !is_early ? ek_life_stop_step(life, input)
                                                               : dispatch(life, input);
}

void ek_life_outcome(const struct ek_life *life, struct ek_outcome *outcome)
{
    const struct ek_move_record *record = &life->record;

    assert(ek_move_state_terminal(record->state));
    *outcome = (struct ek_outcome){
        .kind = record->order.kind,
        .state = record->state,
        .attempts = record->attempt,
        .destination_at_fault = life->at_fault,
        .started_at_ms = record->started_at_ms,
        .ended_at_ms = record->updated_at_ms,
        .transferred_mib = record->transferred_mib,
        .downtime_ms = record->downtime_ms,
    };
    /* The buffers have equal sizes by type, and their texts end within them. */
    memcpy(outcome->id, record->order.id, sizeof(outcome->id));
    memcpy(outcome->plan_id, record->order.plan_id, sizeof(outcome->plan_id));
    memcpy(outcome->domain, record->order.domain, sizeof(outcome->domain));
    memcpy(outcome->source, record->order.source, sizeof(outcome->source));
    memcpy(outcome->destination, record->order.destination, sizeof(outcome->destination));
    memcpy(outcome->error, record->error, sizeof(outcome->error));
}

const char *ek_life_action_name(enum ek_life_action_kind kind)
{
    assert((size_t)kind < sizeof(action_names) / sizeof(action_names[0]));
    return action_names[kind];
}
