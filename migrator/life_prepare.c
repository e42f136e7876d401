/* Before and after the copying: the checks, the preparations one by one, their undoing, the
 * clean-ups. */
#include "migrator/life_internal.h"

#include <assert.h>
#include <string.h>

/* ---- precheck ------------------------------------------------------------------------------ */

static struct ek_life_action prepare_next(struct ek_life *life);

/* What the checks found is in the journal before the first of it is made. */
static struct ek_life_action prepare_begin(struct ek_life *life, const struct ek_findings *findings)
{
    struct ek_move_record *record = &life->record;

    ek_life_enter(life, EK_MOVE_PREPARE);
    if (findings != NULL) {
        assert(findings->preparation_count >= 0 &&
               findings->preparation_count <= EK_PREPARATION_MOST);
        record->user_paused = findings->user_paused;
        record->copies_disks = findings->copies_disks;
        record->preparation_count = findings->preparation_count;
        memcpy(record->preparations, findings->preparations, sizeof(record->preparations));
    }
    if (record->preparation_count == 0) {
        return ek_life_journalled(ek_life_act(EK_LIFE_GO_ON));
    }
    return prepare_next(life);
}

/* No check has changed anything, so that nothing has to be undone whatever they said. */
struct ek_life_action ek_life_prechecked(struct ek_life *life, const struct ek_life_input *input)
{
    assert(input->kind == EK_LIFE_RESULT);
    if (life->cancel != EK_ABORT_NONE) {
        ek_life_error(life, "%s", ek_life_why_cancelled(life));
        return ek_life_finish(life, EK_MOVE_CANCELLED);
    }
    if (input->result->ok) {
        return prepare_begin(life, input->findings);
    }
    ek_life_note_failure(life, input->result);
    if (ek_life_may_retry(life)) {
        return ek_life_wait_for_retry(life);
    }
    /* A domain that cannot move at all is no fault of the host that it should have gone to. */
    life->at_fault = life->failure == EK_FAILURE_OTHER_HOST;
    return ek_life_finish(life, EK_MOVE_REJECTED);
}

/* ---- prepare ------------------------------------------------------------------------------- */

static struct ek_preparation *in_state(struct ek_life *life, enum ek_preparation_state state)
{
    for (int i = 0; i < life->record.preparation_count; i++) {
        if (life->record.preparations[i].state == state) {
            return &life->record.preparations[i];
        }
    }
    return NULL;
}

/* One at a time, and each is written down before it is made: after a crash the journal says what
 * may be there. The same write holds what came of the one before. */
static struct ek_life_action prepare_next(struct ek_life *life)
{
    struct ek_preparation *next = in_state(life, EK_PREPARATION_WANTED);

    assert(in_state(life, EK_PREPARATION_BEGUN) == NULL);
    if (next == NULL) {
        return ek_life_copy_begin(life);
    }
    next->state = EK_PREPARATION_BEGUN;
    life->record.updated_at_ms = life->now_ms;
    return ek_life_journalled(ek_life_call(
        EK_LIFE_PREPARE,
        life->timing.prepare_ms + (int64_t)(next->size_mib * (double)EK_LIFE_BASE_MS_PER_MIB)));
}

/* A preparation that failed stays BEGUN: the call may have had its effect, or half of it. */
struct ek_life_action ek_life_prepared(struct ek_life *life, const struct ek_life_input *input)
{
    struct ek_preparation *begun = in_state(life, EK_PREPARATION_BEGUN);

    assert(input->kind == (begun == NULL ? EK_LIFE_TIMER : EK_LIFE_RESULT));
    if (begun != NULL && !input->result->ok) {
        ek_life_note_failure(life, input->result);
        return ek_life_unprepare(life, ek_life_after_rollback(life));
    }
    if (begun != NULL) {
        begun->state = input->found ? EK_PREPARATION_FOUND : EK_PREPARATION_MADE;
    }
    return life->cancel != EK_ABORT_NONE ? ek_life_unprepare(life, ek_life_after_rollback(life))
                                         : prepare_next(life);
}

/* ---- unprepare ----------------------------------------------------------------------------- */

static struct ek_life_action call_unprepare(struct ek_life *life)
{
    return ek_life_call(EK_LIFE_UNPREPARE, life->timing.unprepare_ms);
}

struct ek_life_action ek_life_unprepare(struct ek_life *life, enum ek_move_state after)
{
    ek_life_enter(life, EK_MOVE_UNPREPARE);
    life->after = after;
    life->posts = 0;
    return ek_life_journalled(call_unprepare(life));
}

static void mark_undone(struct ek_life *life)
{
    for (int i = 0; i < life->record.preparation_count; i++) {
        struct ek_preparation *it = &life->record.preparations[i];
        bool volume = it->kind == EK_PREPARATION_BASE || it->kind == EK_PREPARATION_OVERLAY;

        if (volume && (it->state == EK_PREPARATION_MADE || it->state == EK_PREPARATION_BEGUN)) {
            it->state = EK_PREPARATION_UNDONE;
        }
    }
}

/* Where the domain is down or faulty that is the news; leftovers beside it are not. */
static struct ek_life_action unprepare_failed(struct ek_life *life, const char *error)
{
    bool back = life->after == EK_MOVE_ROLLED_BACK || life->after == EK_MOVE_CANCELLED ||
                life->after == EK_MOVE_RETRY_WAIT;

    life->posts++;
    if (back && life->posts < EK_LIFE_MAX_POSTS) {
        return ek_life_wait(life, life->now_ms + life->timing.post_retry_ms);
    }
    if (!back) {
        return ek_life_finish(life, life->after);
    }
    /* The domain is on its source: what stayed on the destination is looked after later. */
    if (ek_move_has_leftovers(&life->record)) {
        life->record.discard_at_ms = life->now_ms + EK_LIFE_DISCARD_AGAIN_MS;
    }
    ek_life_error(life, "it is on its source, but something was left: %s", error);
    return ek_life_finish(life, EK_MOVE_FAILED);
}

struct ek_life_action ek_life_unprepared(struct ek_life *life, const struct ek_life_input *input)
{
    /* The pause between two tries: a host may be coming back. */
    if (input->kind == EK_LIFE_TIMER) {
        return life->now_ms < life->wait_until_ms ? ek_life_wait(life, life->wait_until_ms)
                                                  : ek_life_journalled(call_unprepare(life));
    }
    assert(input->kind == EK_LIFE_RESULT);
    if (!input->result->ok) {
        return unprepare_failed(life, input->result->error);
    }
    mark_undone(life);
    if (life->after == EK_MOVE_RETRY_WAIT && life->cancel == EK_ABORT_NONE) {
        return ek_life_wait_for_retry(life);
    }
    return ek_life_finish(life,
                          life->after == EK_MOVE_RETRY_WAIT ? EK_MOVE_CANCELLED : life->after);
}

/* ---- post ---------------------------------------------------------------------------------- */

static struct ek_life_action done(struct ek_life *life, bool cleaned)
{
    const struct ek_move_order *order = &life->record.order;

    /* Without a grace the clean-ups removed the source's disks; what they could not is due now. */
    if (life->record.copies_disks && (order->disk_grace_ms > 0 || !cleaned)) {
        life->record.discard_at_ms =
            life->now_ms + (order->disk_grace_ms > 0 ? order->disk_grace_ms : 0);
    }
    return ek_life_finish(life, EK_MOVE_DONE);
}

/* A clean-up that fails is tried again and then told: the move itself is done and stays done. */
struct ek_life_action ek_life_posted(struct ek_life *life, const struct ek_life_input *input)
{
    /* The pause between two tries: the clean-ups can be done again without harm. */
    if (input->kind == EK_LIFE_TIMER) {
        if (life->now_ms < life->wait_until_ms) {
            return ek_life_wait(life, life->wait_until_ms);
        }
        return ek_life_journalled(ek_life_call(EK_LIFE_POST, life->timing.post_ms));
    }
    assert(input->kind == EK_LIFE_RESULT || input->kind == EK_LIFE_MIGRATE_ENDED);
    if (input->kind == EK_LIFE_MIGRATE_ENDED) { /* a call that had been given up */
        return ek_life_wait(life, life->wait_until_ms);
    }
    if (input->result->ok) {
        return done(life, true);
    }
    life->posts++;
    if (life->posts < EK_LIFE_MAX_POSTS) {
        return ek_life_wait(life, life->now_ms + life->timing.post_retry_ms);
    }
    ek_life_error(life, "moved, but a clean-up was left undone: %s", input->result->error);
    return done(life, false);
}
