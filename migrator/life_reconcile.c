/* Reconcile and commit-pending: both ends are asked until the decision table settles what is true.
 */
#include "migrator/life_internal.h"

#include <assert.h>
#include <stdio.h>

/* Both ends in one pass: two readings far apart could be of two different truths. */
static struct ek_life_action observe(const struct ek_life *life)
{
    return ek_life_call(EK_LIFE_OBSERVE, life->timing.observe_ms);
}

struct ek_life_action ek_life_reconcile_begin(struct ek_life *life)
{
    /* An adopted record may stand there already; it is written anyway, which claims it for our
     * epoch. */
    if (life->record.state != EK_MOVE_RECONCILE) {
        ek_life_enter(life, EK_MOVE_RECONCILE);
    }
    life->record.updated_at_ms = life->now_ms;
    life->row = NULL;
    life->reconcile_since_ms = life->now_ms;
    return ek_life_journalled(observe(life));
}

struct ek_life_action ek_life_commit_begin(struct ek_life *life)
{
    ek_life_enter(life, EK_MOVE_COMMIT_PENDING);
    life->row = NULL;
    life->reconcile_since_ms = life->now_ms;
    return ek_life_journalled(observe(life));
}

/* The domain is on its destination: what went wrong on the way is no error of the move any more,
 * unless the row is an alarm. */
static struct ek_life_action post(struct ek_life *life)
{
    ek_life_enter(life, EK_MOVE_POST);
    life->posts = 0;
    life->at_fault = false;
    life->record.progress = 1;
    life->record.eta_ms = 0;
    ek_life_error(life, "%s", life->row->alarm ? life->row->text : "");
    return ek_life_journalled(ek_life_call(EK_LIFE_POST, life->timing.post_ms));
}

static bool goes_on(const struct ek_life *life)
{
    return life->row->verdict == EK_VERDICT_IN_PROGRESS ||
           life->row->verdict == EK_VERDICT_SWITCHOVER;
}

/* No unprepare: where it is not known who runs the domain, nothing may be taken away. */
static struct ek_life_action unknown(struct ek_life *life, enum ek_move_state state)
{
    if (goes_on(life) && life->aborts >= EK_LIFE_MAX_ABORTS) {
        ek_life_say_deaf(life);
    } else {
        ek_life_error(life, "%s%s", life->call_out ? "the call to libvirt does not return; " : "",
                      life->row->text);
    }
    return ek_life_finish(life, state);
}

static struct ek_life_action repair(struct ek_life *life)
{
    static const enum ek_life_action_kind kinds[] = {
        [EK_REPAIR_RESUME_SOURCE] = EK_LIFE_RESUME_SOURCE,
        [EK_REPAIR_RESUME_DESTINATION] = EK_LIFE_RESUME_DESTINATION,
        [EK_REPAIR_DESTROY_SOURCE] = EK_LIFE_DESTROY_SOURCE,
        [EK_REPAIR_DESTROY_DESTINATION] = EK_LIFE_DESTROY_DESTINATION,
        [EK_REPAIR_RESUME_POSTCOPY] = EK_LIFE_RESUME_POSTCOPY,
    };

    /* Never beside a call that is out: it could still finish what we would repair. Only a source
     * that is gone has nothing left to finish. */
    assert(life->row->repair != EK_REPAIR_NONE);
    assert(!life->call_out || life->row->repair == EK_REPAIR_RESUME_DESTINATION);
    /* A post-copy is taken up again for as long as there is any hope: there is no other way. */
    if (life->repairs >= EK_LIFE_MAX_REPAIRS && life->row->repair != EK_REPAIR_RESUME_POSTCOPY) {
        return unknown(life, EK_MOVE_UNKNOWN);
    }
    life->repairs++;
    life->repair_failed = false;
    life->record.updated_at_ms = life->now_ms;
    return ek_life_journalled(ek_life_call(kinds[life->row->repair], life->timing.action_ms));
}

/* What it did must be seen, and must settle. */
static struct ek_life_action repaired(struct ek_life *life, const struct ek_call_result *result)
{
    struct ek_life_action action = observe(life);

    life->repair_failed = !result->ok;
    if (!result->ok) {
        ek_life_error(life, "%s", result->error);
    } else if (life->row->repair == EK_REPAIR_RESUME_DESTINATION && life->call_ended_ms > 0) {
        life->waited_ms = life->now_ms - life->call_ended_ms;
    }
    action.step = ek_repair_name(life->row->repair);
    snprintf(action.note, sizeof(action.note), "%s", result->ok ? "done" : result->error);
    life->row = NULL;
    return action;
}

/* A call that succeeded with the domain on its source contradicts itself: the record must say so.
 */
static struct ek_life_action rolled_back(struct ek_life *life)
{
    if (life->failure == EK_FAILURE_NONE && !life->adopted && life->aborts == 0) {
        ek_life_error(life, "libvirt called it done, but %s", life->row->text);
    }
    return ek_life_unprepare(life, ek_life_after_rollback(life));
}

/* Unprepared all the same: what was made on the destination is not needed for a domain that does
 * not run. */
static struct ek_life_action down(struct ek_life *life, enum ek_move_state state)
{
    ek_life_error(life, "%s", life->row->text);
    /* After a post-copy that was lost nothing is taken away, whatever use is left of it. */
    if (life->record.post_copy_begun && state == EK_MOVE_VM_DOWN) {
        return ek_life_finish(life, state);
    }
    return ek_life_unprepare(life, state);
}

/* Reached only when a row has been seen for as long as it asks for. */
static struct ek_life_action conclude(struct ek_life *life)
{
    switch (life->row->verdict) {
    case EK_VERDICT_MOVED:
        return post(life);
    case EK_VERDICT_ROLLED_BACK:
        return rolled_back(life);
    case EK_VERDICT_FAULTY:
        return down(life, EK_MOVE_FAILED);
    case EK_VERDICT_GUEST_OFF:
        return down(life, EK_MOVE_GUEST_OFF);
    case EK_VERDICT_VM_DOWN:
        return down(life, EK_MOVE_VM_DOWN);
    case EK_VERDICT_REPAIR:
        return repair(life);
    case EK_VERDICT_UNVERIFIED:
        /* Where no call was made, the destination cannot have it. */
        return life->issued ? unknown(life, EK_MOVE_UNVERIFIED) : rolled_back(life);
    case EK_VERDICT_IN_PROGRESS:
    case EK_VERDICT_SWITCHOVER:
    case EK_VERDICT_UNKNOWN:
        break;
    }
    return unknown(life, EK_MOVE_UNKNOWN);
}

/* Rows say what they wait for; how long that takes is timing, which tests and the simulator
 * shorten. */
static int64_t patience_ms(const struct ek_life *life)
{
    enum ek_patience patience = life->row->patience;

    /* What refused a repair (a third host that is away) takes longer than one look to change. */
    if (life->row->verdict == EK_VERDICT_REPAIR && life->repair_failed &&
        patience < EK_PATIENCE_AUTODESTROY) {
        patience = EK_PATIENCE_AUTODESTROY;
    }
    switch (patience) {
    case EK_PATIENCE_NONE:
        return 0;
    case EK_PATIENCE_SETTLE:
        return life->timing.settle_ms;
    case EK_PATIENCE_AUTODESTROY:
        return life->timing.autodestroy_ms;
    case EK_PATIENCE_REACHABLE:
        break;
    }
    return life->timing.reachable_ms;
}

/* Watching goes on, unless the job outlived all limits and all aborts. */
static bool may_watch(const struct ek_life *life)
{
    return life->now_ms < life->hard_until_ms && life->aborts < EK_LIFE_MAX_ABORTS;
}

static struct ek_life_action look_again(struct ek_life *life)
{
    return ek_life_wait(life, life->now_ms + life->timing.settle_ms);
}

/* While the call is out, what both ends say is on its way to change: only its end concludes, or its
 * not coming back. A move that is seen done is done even so; all else could still change. */
static struct ek_life_action judge_beside_call(struct ek_life *life)
{
    if (life->row->repair == EK_REPAIR_RESUME_DESTINATION &&
        life->now_ms - life->row_since_ms >= life->timing.settle_ms) {
        return conclude(life);
    }
    if (life->now_ms - life->reconcile_since_ms < life->timing.reachable_ms) {
        return look_again(life);
    }
    if (life->row->verdict == EK_VERDICT_MOVED) {
        return post(life);
    }
    return unknown(life, EK_MOVE_UNKNOWN);
}

/* Where the domain rests on its source as if nothing had been begun, while an earlier run may still
 * begin it. */
static bool may_still_begin(const struct ek_life *life)
{
    return life->now_ms < life->issuable_until_ms &&
           (life->row->verdict == EK_VERDICT_ROLLED_BACK ||
            life->row->verdict == EK_VERDICT_FAULTY);
}

static struct ek_life_action judge(struct ek_life *life)
{
    /* First of all: while a migration runs there is nothing to conclude. */
    if (goes_on(life) && may_watch(life)) {
        return ek_life_copy_adopt(life, life->row->verdict == EK_VERDICT_SWITCHOVER);
    }
    if (life->call_out) {
        return judge_beside_call(life);
    }
    if (may_still_begin(life)) {
        return look_again(life);
    }
    if (!goes_on(life) && life->now_ms - life->row_since_ms >= patience_ms(life)) {
        return conclude(life);
    }
    /* Two hosts that never agree on anything are not waited for beyond twice the time that one may
     * be away. A job that outlived its limits is not watched any more; but what has ended is given
     * the time to be seen, however late the attempt is: the journal may have been away. */
    if ((goes_on(life) && life->now_ms >= life->hard_until_ms) ||
        life->now_ms - life->reconcile_since_ms >= 2 * life->timing.reachable_ms) {
        return unknown(life, EK_MOVE_UNKNOWN);
    }
    return look_again(life);
}

/* Follows the row that matches; a change is worth a note. */
static bool take_observation(struct ek_life *life, const struct ek_life_input *input)
{
    const struct ek_verdict_row *row =
        ek_verdict_decide(&life->record, input->source, input->destination);

    /* Only the destination remembers these, and only until its libvirtd restarts: they are taken
     * when they are seen. */
    if (row->verdict == EK_VERDICT_MOVED && input->destination->downtime_ms > 0) {
        life->record.downtime_ms = input->destination->downtime_ms + life->waited_ms;
        life->record.transferred_mib = input->destination->transferred_mib;
    }
    /* The same row goes on counting its time; another begins anew. */
    if (row == life->row) {
        return false;
    }
    life->row = row;
    life->row_since_ms = life->now_ms;
    return true;
}

/* Only a change is noted: a reading every 2 s would fill the journal's stream with one sentence. */
static struct ek_life_action noted(struct ek_life_action action, const struct ek_life *life,
                                   const struct ek_life_input *input)
{
    const struct ek_verdict_row *row = life->row;

    action.step = "observe";
    snprintf(action.note, sizeof(action.note), "source %.75s; destination %.75s: %s%s%s (%s)",
             input->source->text, input->destination->text, ek_verdict_name(row->verdict),
             row->repair == EK_REPAIR_NONE ? "" : ", ",
             row->repair == EK_REPAIR_NONE ? "" : ek_repair_name(row->repair), row->text);
    return action;
}

struct ek_life_action ek_life_reconcile_step(struct ek_life *life,
                                             const struct ek_life_input *input)
{
    bool changed;
    struct ek_life_action action;

    switch (input->kind) {
    case EK_LIFE_OBSERVATION:
        changed = take_observation(life, input);
        action = judge(life);
        return changed ? noted(action, life, input) : action;
    case EK_LIFE_RESULT:
        return repaired(life, input->result);
    case EK_LIFE_MIGRATE_ENDED:
        life->row = NULL; /* what was seen before it ended counts no more */
        return observe(life);
    case EK_LIFE_TIMER:
        return life->now_ms < life->wait_until_ms ? ek_life_wait(life, life->wait_until_ms)
                                                  : observe(life);
    case EK_LIFE_START:
    case EK_LIFE_PROGRESS:
        break;
    }
    assert(false && "an input that no action of this state asked for");
    return observe(life);
}

struct ek_life_action ek_life_commit_step(struct ek_life *life, const struct ek_life_input *input)
{
    struct ek_life_action action;

    /* The migrate call has returned before this state, so that its end cannot come any more. */
    if (input->kind == EK_LIFE_RESULT) {
        return repaired(life, input->result);
    }
    assert(input->kind == EK_LIFE_OBSERVATION);
    take_observation(life, input);
    /* The quick way of a move that went well: one reading of both ends. Whatever needs patience
     * needs reconcile. */
    if (life->row->verdict == EK_VERDICT_MOVED && life->row->patience == EK_PATIENCE_NONE) {
        action = post(life);
        return noted(action, life, input);
    }
    /* The second step of the hand-over, at once: the guest stands still until then. Later (the
     * journal was away) somebody may have started it elsewhere: reconcile asks the other hosts. */
    if (life->row->repair == EK_REPAIR_RESUME_DESTINATION && life->repairs == 0 &&
        life->now_ms - life->call_ended_ms <= life->timing.fresh_ms) {
        action = repair(life);
        return noted(action, life, input);
    }
    return ek_life_reconcile_begin(life);
}
