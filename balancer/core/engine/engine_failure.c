/* What becomes of a plan when one of its moves does not end well: what depends on it is dropped,
 * and on_plan_failure says the rest. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ek_engine_want_plan(struct ek_engine *engine, int64_t at_ms)
{
    if (engine->replan_at_ms == 0 || at_ms < engine->replan_at_ms) {
        engine->replan_at_ms = at_ms;
    }
}

/* ---- the domain ------------------------------------------------------------------------------ */

/* It never began: its start could not be recorded. */
static bool is_unbegun(const struct ek_outcome *outcome)
{
    return outcome->state == EK_MOVE_CANCELLED && outcome->attempts == 0;
}

/* Told to stop it stopped, its user was faster, or it never began: no failure of hosts, plan or
 * guest. */
static bool is_wanted(const struct ek_running *running, const struct ek_outcome *outcome)
{
    enum ek_move_state state = outcome->state;
    bool back =
        state == EK_MOVE_CANCELLED || state == EK_MOVE_REJECTED || state == EK_MOVE_ROLLED_BACK;

    return state == EK_MOVE_GUEST_OFF || is_unbegun(outcome) ||
           (running->abort != EK_ABORT_NONE && back);
}

/* Whether the hosts' load is another one now than before the move. */
static bool changes_load(enum ek_move_state state)
{
    return state == EK_MOVE_GUEST_OFF || state == EK_MOVE_VM_DOWN || ek_move_state_blocks(state);
}

static bool rest(struct ek_engine *engine, const struct ek_running *running,
                 const struct ek_outcome *outcome, struct ek_error *err)
{
    /* The guest's own fault (it does not converge, say) would follow it to any host. */
    const char *avoid = outcome->destination_at_fault ? outcome->destination : NULL;

    if (is_wanted(running, outcome)) {
        /* What gave way is as welcome to move as before. */
        return running->abort != EK_ABORT_OPERATOR ||
               ek_cooldown_aborted(engine->cooldown, &engine->policy, outcome->domain,
                                   outcome->ended_at_ms, err);
    }
    /* Unknown or unverified: two copies may exist, so nothing touches the domain until an operator
     * has looked. */
    return ek_cooldown_failed(engine->cooldown, &engine->policy, outcome->domain, avoid,
                              outcome->ended_at_ms, err) &&
           (!ek_move_state_blocks(outcome->state) ||
            ek_cooldown_block(engine->cooldown, outcome->domain, true, err));
}

/* ---- its hosts ------------------------------------------------------------------------------- */

/* What the guest itself did wrong speaks against no host. */
static bool note_hosts(struct ek_engine *engine, const struct ek_outcome *outcome,
                       struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_circuit_entry *opened = NULL;

    /* No link was used, and whether its host answers the samples tell. */
    if (ek_move_stops(outcome->kind)) {
        return true;
    }
    if (!outcome->destination_at_fault && !ek_move_state_blocks(outcome->state)) {
        return true;
    }
    if (!ek_circuit_failed(ek_cooldown_circuit(engine->cooldown), &engine->policy, outcome->source,
                           outcome->destination, outcome->ended_at_ms, &opened, err)) {
        return false;
    }
    const char *text =
        opened == NULL ? "" : ek_circuit_text(opened, outcome->ended_at_ms, &effects->arena);
    return text == NULL ? ek_error_set(err, EK_ERR_NOMEM, "out of memory for a circuit")
                        : opened == NULL || ek_effect_event(effects, "circuit",
                                                            outcome->destination, err, "%s", text);
}

/* ---- its plan -------------------------------------------------------------------------------- */

/* Until an operator has looked; what an operator has stopped himself says more. */
static bool stop(struct ek_engine *engine, const struct ek_course *course,
                 struct ek_effects *effects, struct ek_error *err)
{
    if (engine->pause.why[0] != '\0') {
        return true;
    }
    (void)snprintf(engine->pause.why, sizeof(engine->pause.why),
                   "plan %s failed and on_plan_failure is stop", course->id);
    return ek_engine_withdraw(engine, EK_DROP_BALANCING, effects, engine->pause.why, err) &&
           ek_effect_event(effects, "paused", course->id, err,
                           "%s: nothing is balanced until `evenkeel resume`; evacuations go on",
                           engine->pause.why);
}

/* An evacuation goes on without the move that failed; any other plan was worth its moves only as a
 * whole. */
static bool drop(struct ek_engine *engine, struct ek_course *course,
                 const struct ek_outcome *outcome, bool evacuates, struct ek_effects *effects,
                 struct ek_error *err)
{
    bool whole = !evacuates && course->kind == EK_COURSE_PLANNED;

    course->fate = "failed";
    if (course->why[0] == '\0') {
        (void)snprintf(course->why, sizeof(course->why), "%.100s: %s", outcome->id,
                       outcome->error[0] == '\0' ? ek_move_state_name(outcome->state)
                                                 : outcome->error);
    }
    if (whole && !course->broken) {
        course->broken = true;
        if (engine->policy.on_plan_failure == EK_ON_FAILURE_STOP &&
            !stop(engine, course, effects, err)) {
            return false;
        }
    }
    return ek_course_drop(course, whole ? EK_DROP_BALANCING : EK_DROP_DEPENDENTS, "failed",
                          course->why, effects, err);
}

/* A domain that has to leave is planned for as soon as it may move; everything else at once. */
static void plan_again(struct ek_engine *engine, const char *domain, bool evacuates, int64_t now_ms)
{
    const struct ek_rest *known = ek_cooldown_find(engine->cooldown, domain);
    bool elsewhere = known != NULL && known->avoid_until_ms > now_ms;
    int64_t at_ms = now_ms;

    if (evacuates && known != NULL && !elsewhere && known->failed_until_ms > now_ms) {
        at_ms = known->failed_until_ms;
    }
    ek_engine_want_plan(engine, at_ms);
}

bool ek_engine_fail(struct ek_engine *engine, const struct ek_running *running,
                    struct ek_course *course, const struct ek_outcome *outcome,
                    struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_step *step = course == NULL ? NULL : ek_course_find(course, running->order.seq);
    bool evacuates = running->order.kind == EK_MOVE_EVACUATE ||
                     ek_move_stops(running->order.kind) ||
                     (step != NULL && step->rank == EK_RANK_EVACUATE);
    bool wanted = is_wanted(running, outcome);

    if (changes_load(outcome->state)) {
        engine->last_end_ms = outcome->ended_at_ms;
    }
    if (!rest(engine, running, outcome, err) ||
        (!wanted && !note_hosts(engine, outcome, effects, err))) {
        return false;
    }
    if (is_unbegun(outcome)) {
        /* Not at once: what kept it from its record may last. */
        ek_engine_want_plan(engine, outcome->ended_at_ms + ek_engine_period_ms(engine));
    } else if (!wanted || evacuates) {
        plan_again(engine, outcome->domain, evacuates, outcome->ended_at_ms);
    }
    /* What levels would take the room that it needs for another try: the next plan keeps that. */
    if (evacuates && !ek_move_stops(running->order.kind) && outcome->state != EK_MOVE_GUEST_OFF &&
        !ek_engine_abandon(engine, EK_DROP_BALANCING, effects,
                           "an evacuation did not end well, and its room comes first", err)) {
        return false;
    }
    if (course == NULL) {
        return true;
    }
    if (!wanted) {
        return drop(engine, course, outcome, evacuates, effects, err);
    }
    if (strcmp(course->fate, "done") == 0) {
        course->fate = "cancelled";
    }
    return ek_course_drop(course, EK_DROP_DEPENDENTS, "cancelled", "a move before it was cancelled",
                          effects, err);
}

/* ---- revert ---------------------------------------------------------------------------------- */

/* A domain that a plan had moved. */
struct moved {
    const struct ek_step *first;
    const struct ek_step *last;
};

/* The newest first: what came last is what the others made room for. */
static int moved_cmp(const void *left, const void *right)
{
    const struct ek_step *a = ((const struct moved *)left)->last;
    const struct ek_step *b = ((const struct moved *)right)->last;

    if (a->ended_at_ms != b->ended_at_ms) {
        return a->ended_at_ms > b->ended_at_ms ? -1 : 1;
    }
    return (a->order.seq < b->order.seq) - (a->order.seq > b->order.seq);
}

/* Who left a host that was to be emptied does not come back to it, nor who made room for that. */
static void gather(const struct ek_course *course, struct moved *list, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < course->step_count; i++) {
        const struct ek_step *step = &course->steps[i];
        size_t at = 0;
        if (step->state != EK_STEP_DONE || step->rank == EK_RANK_EVACUATE) {
            continue;
        }
        while (at < *count && strcmp(list[at].first->order.domain, step->order.domain) != 0) {
            at++;
        }
        if (at == *count) {
            list[(*count)++] = (struct moved){step, step};
        } else if (step->order.seq < list[at].first->order.seq) {
            list[at].first = step;
        } else {
            list[at].last = step;
        }
    }
    if (*count > 0) {
        qsort(list, *count, sizeof(*list), moved_cmp);
    }
}

static bool says_stays(const struct ek_course *course, const struct moved *moved, const char *why,
                       struct ek_effects *effects, struct ek_error *err)
{
    return ek_effect_event(effects, "revert", moved->last->order.domain, err,
                           "plan %s: %s is not brought back from %s to %s: %s", course->id,
                           moved->last->order.name, moved->last->order.destination,
                           moved->first->order.source, why);
}

/* The wish to bring it back; false: its hosts or itself are not there any more, which is said. */
static bool wish_for(struct ek_engine *engine, const struct moved *moved, const char *reason,
                     struct ek_plan_wish *wish, const char **why)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool ambiguous = false;
    uint32_t there = ek_snapshot_find_host(snapshot, moved->last->order.destination);

    *wish = (struct ek_plan_wish){
        .domain = ek_snapshot_find_domain(snapshot, moved->last->order.domain, &ambiguous),
        .destination = ek_snapshot_find_host(snapshot, moved->first->order.source),
        .reason = reason,
    };
    if (wish->destination == EK_NONE) {
        *why = "that host is not configured any more";
    } else if (wish->domain == EK_NONE || snapshot->domains[wish->domain].host != there) {
        *why = "it is no longer there";
    } else if (strcmp(moved->first->order.source, moved->last->order.destination) == 0) {
        *why = "it is back already";
    } else {
        return true;
    }
    return false;
}

/* Those that the plan of the way back could not take: with the first reason. */
static bool says_unresolved(struct ek_engine *engine, const struct ek_course *course,
                            const struct moved *list, size_t count, struct ek_effects *effects,
                            struct ek_error *err)
{
    const struct ek_plan *plan = &engine->plan;
    bool ok = true;

    for (size_t u = 0; ok && u < plan->unresolved_count; u++) {
        const char *uuid = plan->snapshot->domains[plan->unresolved[u].domain].uuid;
        for (size_t i = 0; ok && i < count; i++) {
            if (strcmp(list[i].last->order.domain, uuid) == 0) {
                ok = says_stays(course, &list[i], plan->unresolved[u].reason, effects, err);
            }
        }
    }
    return ok;
}

bool ek_engine_revert(struct ek_engine *engine, const struct ek_course *course,
                      struct ek_effects *effects, struct ek_error *err)
{
    struct ek_arena *arena = &effects->arena;
    struct moved *list = ek_arena_alloc(arena, course->step_count, sizeof(*list));
    struct ek_plan_wish *wishes = ek_arena_alloc(arena, course->step_count, sizeof(*wishes));
    const char *reason = ek_arena_printf(arena, "back, since plan %s failed", course->id);
    size_t count = 0;
    size_t wished = 0;
    bool ok = true;

    if (list == NULL || wishes == NULL || reason == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a way back");
    }
    gather(course, list, &count);
    for (size_t i = 0; ok && i < count; i++) {
        const char *why = NULL;
        if (wish_for(engine, &list[i], reason, &wishes[wished], &why)) {
            wished++;
        } else {
            ok = says_stays(course, &list[i], why, effects, err);
        }
    }
    if (!ok || wished == 0) {
        return ok;
    }
    if (!ek_engine_bring(engine, EK_COURSE_REVERT, wishes, wished, reason, effects, err)) {
        return false;
    }
    size_t back = engine->plan.move_count;
    return says_unresolved(engine, course, list, count, effects, err) &&
           ek_effect_event(effects, "revert", course->id, err,
                           "plan %s failed: plan %s brings %zu of its %zu domain%s back",
                           course->id, engine->plan.id, back, count, ek_plural(count));
}
