/* The engine's step: one event in, wanted effects out. The event is applied, then waiting moves are
 * dispatched on what is known now, then every host in maintenance gets its word. */
#include "balancer/core/engine/engine.h"

#include "balancer/core/digest.h"
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/verify.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A clock that goes back further than this is not trusted for one cycle. */
/* NTP slews without going back; a second covers what it may still step at a start. */
#define CLOCK_JUMP_MS 1000

struct ek_engine *ek_engine_create(void)
{
    struct ek_engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL) {
        return NULL;
    }
    engine->cooldown = ek_cooldown_create();
    engine->forecast = ek_forecast_create();
    engine->learned = ek_learned_create();
    if (engine->cooldown == NULL || engine->forecast == NULL || engine->learned == NULL) {
        ek_engine_destroy(engine);
        return NULL;
    }
    /* The defaults recommend and move nothing: an engine without its policy is harmless. */
    ek_policy_defaults(&engine->policy);
    engine->ops = ek_policy_find(engine->policy.kind);
    assert(engine->ops != NULL);
    return engine;
}

/* What effects of the last step pointed to. */
static void results_finish(struct ek_engine *engine)
{
    ek_schedule_finish(&engine->schedule);
    ek_plan_finish(&engine->plan);
    ek_evaluation_finish(&engine->evaluation);
}

void ek_engine_destroy(struct ek_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    results_finish(engine);
    ek_snapshot_finish(&engine->snapshot);
    ek_engine_free_courses(engine);
    ek_arena_finish(&engine->stuck_arena);
    ek_arena_finish(&engine->maintained_arena);
    ek_arena_finish(&engine->lost_arena);
    ek_arena_finish(&engine->promise_arena);
    ek_arena_finish(&engine->begun_arena);
    ek_cooldown_destroy(engine->cooldown);
    ek_forecast_destroy(engine->forecast);
    ek_learned_destroy(engine->learned);
    free(engine->running);
    free(engine->running_view);
    free(engine->recent);
    free(engine->stop_ends);
    free(engine);
}

struct ek_cooldown *ek_engine_cooldown(struct ek_engine *engine)
{
    return engine->cooldown;
}

/* ---- holding ------------------------------------------------------------------------------- */

/* Too many hosts lost at once is more likely our own network than theirs: watch, do not act. */
static void check_hosts(struct ek_engine *engine)
{
    size_t wanted = 0;
    size_t lost = 0;

    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        const struct ek_host *host = &engine->snapshot.hosts[h];
        /* A host in maintenance may well be switched off: its silence says nothing of our
         * network. */
        wanted += host->maintenance ? 0 : 1;
        lost += !host->maintenance && host->state != EK_HOST_UP ? 1 : 0;
    }
    engine->self_hold[0] = '\0';
    if (2 * lost > wanted) {
        (void)snprintf(engine->self_hold, sizeof(engine->self_hold),
                       "%zu of %zu hosts have no fresh sample", lost, wanted);
    }
}

/* Over what check_hosts() found: after a jump the ages of all samples are wrong as well. */
static void check_clock(struct ek_engine *engine)
{
    if (engine->clock_back_ms > 0) {
        (void)snprintf(engine->self_hold, sizeof(engine->self_hold),
                       "the clock went back by %.1f s", (double)engine->clock_back_ms / 1000);
    }
}

/* Whatever event shows it first: it holds from then on, the next cycle included. */
static void watch_clock(struct ek_engine *engine, int64_t now_ms)
{
    if (now_ms < engine->now_ms - CLOCK_JUMP_MS) {
        engine->clock_back_ms = engine->now_ms - now_ms;
        check_clock(engine);
    }
}

/* What we were told comes before what we found: who told it also has to release it. */
const char *ek_engine_holding(const struct ek_engine *engine)
{
    if (engine->hold[0] != '\0') {
        return engine->hold;
    }
    if (engine->self_hold[0] != '\0') {
        return engine->self_hold;
    }
    if (engine->pause.all) {
        return engine->pause.why;
    }
    return engine->closing.evacuations ? engine->closing.why : NULL;
}

bool ek_engine_may_start(const struct ek_engine *engine)
{
    return ek_engine_holding(engine) == NULL && !engine->outdated;
}

/* With every event, since each may start moves. What has not begun when it closes does not
 * begin. */
static bool look_at_calendar(struct ek_engine *engine, struct ek_effects *effects,
                             struct ek_error *err)
{
    const char *why = engine->closing.why;

    engine->closing =
        ek_calendar_at(&engine->policy.calendar, engine->now_ms, engine->local_offset_min);
    if (strcmp(why, engine->closing_shown) == 0) {
        return !engine->closing.balancing ||
               ek_engine_withdraw(engine, EK_DROP_BALANCING, effects, why, err);
    }
    (void)snprintf(engine->closing_shown, sizeof(engine->closing_shown), "%s", why);
    return (!engine->closing.balancing ||
            ek_engine_withdraw(engine, EK_DROP_BALANCING, effects, why, err)) &&
           ek_effect_event(
               effects, "window", "", err, "%s%s",
               why[0] == '\0' ? "balancing may begin again" : "nothing is balanced: ", why);
}

/* Said once when it begins and once when it ends, not in each cycle. */
static bool record_holding(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err)
{
    const char *why = ek_engine_holding(engine) == NULL ? "" : ek_engine_holding(engine);

    if (strcmp(why, engine->holding_shown) == 0) {
        return true;
    }
    (void)snprintf(engine->holding_shown, sizeof(engine->holding_shown), "%s", why);
    if (why[0] != '\0') {
        return ek_effect_event(effects, "holding", "", err, "holding: %s", why);
    }
    /* However long it held, what was worth a move then need not be so now; nor is what somebody
     * wanted. */
    return ek_effect_event(effects, "holding", "", err, "no longer holding") &&
           ek_engine_drop_waiting(engine, effects, "starting was held meanwhile", err);
}

/* ---- events -------------------------------------------------------------------------------- */

/* Predicted against real, once all has ended and every host was sampled twice since: rates come
 * from two samples. */
static bool verify(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    if (!engine->verify_pending || engine->running_count > 0 || !ek_engine_settled(engine)) {
        return true;
    }
    const char *text = ek_verify_text(&engine->policy.resources, &engine->plan_before,
                                      &engine->plan_predicted, &engine->levels, &effects->arena);
    struct ek_verified *verified = ek_arena_alloc(&effects->arena, 1, sizeof(*verified));
    engine->verify_pending = false;
    if (text == NULL || verified == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a verification");
    }
    *verified = ek_verify(&engine->policy.resources, &engine->plan_before, &engine->plan_predicted,
                          &engine->levels);
    (void)snprintf(verified->plan_id, sizeof(verified->plan_id), "%s", engine->plan_id);
    verified->predicted_length_ms = engine->plan_makespan_ms;
    verified->length_ms = engine->last_end_ms - engine->plan_started_at_ms;
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_VERIFIED, err);
    if (effect == NULL) {
        return false;
    }
    effect->u.verified = verified;
    return ek_effect_event(effects, "verified", engine->plan_id, err, "%s", text);
}

/* Whether the snapshot shows all domains that run: what no host is missing from. */
static bool sees_all(const struct ek_snapshot *snapshot)
{
    bool all = true;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        all = all && snapshot->hosts[h].state == EK_HOST_UP;
    }
    return all;
}

/* Told when they change, not in every cycle. A rule that is about no domain is a warning once, with
 * the first snapshot after the policy was loaded in which no host is missing: mostly its pattern is
 * mistyped. Later domains come and go. */
static bool record_rule_problems(struct ek_engine *engine, struct ek_effects *effects,
                                 struct ek_error *err)
{
    const struct ek_evaluation *evaluation = &engine->evaluation;
    struct ek_digest digest = ek_digest_begin();
    bool ok = true;

    for (size_t i = 0; i < evaluation->rule_problem_count; i++) {
        ek_digest_text(&digest, evaluation->rule_problems[i].text);
    }
    bool same = digest.state == engine->rules_digest;
    bool first = !engine->rules_shown && sees_all(&engine->snapshot);
    engine->rules_digest = digest.state;
    engine->rules_shown = engine->rules_shown || first;
    for (size_t i = 0; ok && i < evaluation->rule_problem_count; i++) {
        const struct ek_rule_problem *problem = &evaluation->rule_problems[i];
        bool empty = problem->kind == EK_RULE_NO_DOMAIN;
        if (same && !(empty && first)) {
            continue;
        }
        ok = ek_effect_event(effects, "rules", problem->rule, err, "%s", problem->text);
        if (ok) {
            effects->items[effects->count - 1].u.event.warning = !empty || first;
        }
    }
    return ok;
}

static bool on_snapshot(struct ek_engine *engine, const struct ek_event *event,
                        struct ek_effects *effects, struct ek_error *err)
{
    if (!ek_engine_note_foreign(engine, event->u.snapshot, effects, err)) {
        return false;
    }
    ek_snapshot_finish(&engine->snapshot);
    /* Taken over, not copied; the caller's is emptied, so that both may be finished. */
    engine->snapshot = *event->u.snapshot;
    memset(event->u.snapshot, 0, sizeof(*event->u.snapshot));
    engine->has_snapshot = true;
    engine->outdated = false;
    if (!ek_snapshot_sort(&engine->snapshot, err)) {
        return false;
    }
    if (!ek_engine_mark_begun(engine, err)) {
        return false;
    }
    check_hosts(engine);
    check_clock(engine);
    engine->clock_back_ms = 0;
    /* Before the first snapshot there is nothing to close, and local time is not known. */
    engine->local_offset_min = event->local_offset_min;
    if (!look_at_calendar(engine, effects, err)) {
        return false;
    }
    ek_engine_find_laggards(engine);
    ek_engine_expire_recent(engine, event->now_ms);
    ek_cooldown_expire(engine->cooldown, event->now_ms);
    ek_circuit_expire(ek_cooldown_circuit(engine->cooldown), &engine->policy, event->now_ms);
    return ek_engine_expect(engine, err) && ek_engine_evaluate(engine, err) &&
           record_rule_problems(engine, effects, err) && verify(engine, effects, err) &&
           record_holding(engine, effects, err);
}

/* A plan under way is finished rather than remade in each cycle; another set of hosts to be emptied
 * and a move that failed are worth dropping what waits of it. */
static bool plan_anew(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    bool failed = engine->replan_at_ms != 0 && engine->now_ms >= engine->replan_at_ms;
    bool changed = ek_engine_maintenance_digest(engine) != engine->maintenance_digest;
    bool moved = ek_engine_deadline_digest(engine) != engine->deadline_digest;
    bool late = ek_engine_falls_behind(engine);

    if (ek_engine_holding(engine) != NULL || engine->plan.snapshot != NULL ||
        (ek_engine_planned_count(engine) > 0 && !changed && !failed && !moved && !late)) {
        return true;
    }
    engine->replan_at_ms = failed ? 0 : engine->replan_at_ms;
    if (!ek_engine_replan(engine,
                          changed ? "the hosts to be emptied have changed"
                          : moved ? "a deadline has changed"
                          : !late ? "what is left is planned anew"
                                  : "it falls behind, and a host would miss its deadline",
                          effects, err)) {
        return false;
    }
    /* Asked for, it comes as soon as figures stand again. */
    if (failed && engine->pause.why[0] == '\0' && !ek_engine_settled(engine)) {
        ek_engine_want_plan(engine, engine->now_ms + ek_engine_period_ms(engine));
    }
    return true;
}

static bool on_policy(struct ek_engine *engine, const struct ek_policy *policy,
                      struct ek_effects *effects, struct ek_error *err)
{
    engine->policy = *policy;
    engine->ops = ek_policy_find(policy->kind);
    /* Cycles that were counted against other thresholds prove nothing about these. */
    engine->sustained = 0;
    engine->rejected_digest = 0;
    engine->rules_shown = false;
    return ek_engine_withdraw(engine, EK_DROP_ALL, effects, "the policy was loaded anew", err) &&
           (!engine->has_snapshot || look_at_calendar(engine, effects, err));
}

static bool on_adopt(struct ek_engine *engine, const struct ek_move_order *order,
                     struct ek_error *err)
{
    struct ek_running *running = NULL;

    /* Told twice after a reconnection, the move counts once. */
    if (ek_engine_find_running(engine, order->id) != NULL) {
        return true;
    }
    running = ek_engine_run(engine, order, engine->now_ms, err);
    if (running == NULL) {
        return false;
    }
    running->adopted = true;
    bool empties = order->kind == EK_MOVE_EVACUATE || ek_move_stops(order->kind);
    return !empties || ek_engine_begin_host(engine, order->source, err);
}

static bool on_sign(struct ek_engine *engine, const struct ek_sign *sign,
                    struct ek_effects *effects, struct ek_error *err)
{
    struct ek_running *running = ek_engine_find_running(engine, sign->id);

    if (running == NULL) {
        return true;
    }
    switch (sign->kind) {
    case EK_SIGN_ANEW:
    case EK_SIGN_ENDING:
        running->ending = sign->kind == EK_SIGN_ENDING;
        return true;
    case EK_SIGN_SAMPLED:
        return !engine->has_snapshot ||
               ek_engine_sampled(engine, sign->id, sign->dirty_mib_s, effects, err);
    case EK_SIGN_COUNT:
        break;
    }
    return true;
}

static bool apply(struct ek_engine *engine, const struct ek_event *event,
                  struct ek_effects *effects, struct ek_error *err)
{
    switch (event->kind) {
    case EK_EVENT_POLICY:
        return on_policy(engine, event->u.policy, effects, err);
    case EK_EVENT_SNAPSHOT:
        return on_snapshot(engine, event, effects, err);
    case EK_EVENT_OUTCOME:
        return ek_engine_outcome(engine, event->u.outcome, effects, err);
    case EK_EVENT_ADOPT:
        return on_adopt(engine, event->u.adopt, err);
    case EK_EVENT_BLOCK:
        return ek_cooldown_block(engine->cooldown, event->u.block, true, err);
    case EK_EVENT_HOLD:
        (void)snprintf(engine->hold, sizeof(engine->hold), "%s", event->u.hold);
        return record_holding(engine, effects, err);
    case EK_EVENT_RELEASE:
        engine->hold[0] = '\0';
        engine->outdated = true;
        return record_holding(engine, effects, err);
    case EK_EVENT_COMMAND:
        return ek_engine_command(engine, event->u.command, effects, err);
    case EK_EVENT_UNBLOCK:
        return ek_cooldown_block(engine->cooldown, event->u.unblock, false, err);
    case EK_EVENT_SIGN:
        return on_sign(engine, event->u.sign, effects, err);
    case EK_EVENT_KEY_ENDED:
        ek_engine_renew_stops(engine, event->u.key_ended);
        return ek_engine_end_host(engine, event->u.key_ended, effects, err);
    }
    return true;
}

/* After a step that failed: its effects are not carried out, so nothing of it has started. */
static void undo(struct ek_engine *engine, struct ek_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct ek_effect *effect = &effects->items[i];
        if (effect->kind == EK_EFFECT_START) {
            ek_engine_end(engine, effect->u.start.id);
        }
        struct ek_running *aborted = effect->kind == EK_EFFECT_ABORT
                                         ? ek_engine_find_running(engine, effect->u.abort.id)
                                         : NULL;
        if (aborted != NULL) {
            aborted->abort = EK_ABORT_NONE;
        }
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        engine->running[i].share_known = false;
    }
    effects->count = 0;
    ek_engine_free_courses(engine); /* without its lost move a plan could wait for ever */
    /* Forgotten, so that the next step records again what this one could not. */
    engine->holding_shown[0] = '\0';
    engine->rules_digest = 0;
    engine->rules_shown = false;
    engine->closing_shown[0] = '\0';
    engine->summary[0] = '\0';
    engine->late_shown[0] = '\0';
}

/* After every event, not after snapshots only: an outcome frees room, links and limits. */
static bool act(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    bool again = true;

    while (again) {
        if (ek_engine_may_start(engine) && !ek_engine_dispatch(engine, effects, err)) {
            return false;
        }
        /* What brings back a plan's domains is a plan as well. */
        if (!ek_engine_close(engine, effects, &again, err)) {
            return false;
        }
    }
    return (!ek_engine_may_start(engine) || ek_engine_yield(engine, effects, err)) &&
           ek_engine_recall_stops(engine, effects, err) && ek_engine_share(engine, effects, err);
}

/* Last, when all that may leave its host has been ordered to; and only by a snapshot that was just
 * taken, with the keys as they are now: a guest that was told to shut down cannot be told
 * otherwise. */
static bool stop_guests(struct ek_engine *engine, const struct ek_event *event,
                        struct ek_effects *effects, struct ek_error *err)
{
    return event->kind != EK_EVENT_SNAPSHOT || !ek_engine_may_start(engine) ||
           ek_engine_start_stops(engine, effects, err);
}

/* A plan that is wanted sooner than the next cycle. Offline snapshots have no period, and nobody
 * who would wait. */
static bool wake(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    int64_t at_ms = engine->replan_at_ms > engine->now_ms ? engine->replan_at_ms : engine->now_ms;

    return engine->replan_at_ms == 0 || ek_engine_period_ms(engine) == 0 ||
           ek_engine_holding(engine) != NULL || ek_effect_wake(effects, at_ms, err);
}

bool ek_engine_step(struct ek_engine *engine, const struct ek_event *event,
                    struct ek_effects *effects, struct ek_error *err)
{
    bool added = false;

    effects->count = 0;
    ek_arena_finish(&effects->arena);
    results_finish(engine);
    engine->trigger_asked = false;
    engine->trigger_wants = false;
    watch_clock(engine, event->now_ms);
    engine->now_ms = event->now_ms;
    bool ok = (!engine->has_snapshot || event->kind == EK_EVENT_SNAPSHOT ||
               look_at_calendar(engine, effects, err)) &&
              apply(engine, event, effects, err);
    if (ok && engine->has_snapshot) {
        /* Ends before the plan that they make room for. */
        ok = ek_engine_close(engine, effects, &added, err) &&
             (event->kind != EK_EVENT_SNAPSHOT || plan_anew(engine, effects, err)) &&
             act(engine, effects, err) && stop_guests(engine, event, effects, err) &&
             ek_engine_record_maintenance(engine, effects, err) && wake(engine, effects, err);
    }
    ek_engine_show_circuits(engine, &effects->arena);
    if (event->kind == EK_EVENT_SNAPSHOT && engine->has_snapshot) {
        ek_engine_note_cycle(engine);
    }
    if (!ok) {
        undo(engine, effects);
    }
    ek_effects_sort(effects);
    return ok;
}

/* ---- views --------------------------------------------------------------------------------- */

/* The youngest plan under way, an operator's move included; else the planner's newest. */
static const char *newest_plan(const struct ek_engine *engine)
{
    const char *id = engine->plan_id;

    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        /* What is only shown is not under way. */
        id = it->was_offered && !it->approved && ek_course_offered(it) == it->step_count ? id
                                                                                         : it->id;
    }
    return id;
}

struct ek_engine_view ek_engine_view(const struct ek_engine *engine)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        engine->running_view[i] = engine->running[i].order;
    }
    const struct ek_course *offer = ek_engine_offer(engine);

    return (struct ek_engine_view){
        .offer_id = offer == NULL ? "" : offer->id,
        .offered_count = offer == NULL ? 0 : ek_course_offered(offer),
        .offer_lapses_at_ms = offer == NULL || engine->policy.mode != EK_MODE_APPROVE
                                  ? 0
                                  : offer->offered_at_ms + engine->policy.approval_lapse_ms,
        .running = engine->running_view,
        .running_count = engine->running_count,
        .waiting_count = ek_engine_waiting_count(engine),
        .plan_id = newest_plan(engine),
        .holding = ek_engine_holding(engine),
        .paused = engine->pause.why[0] == '\0' ? NULL : engine->pause.why,
        .closed = engine->closing.balancing ? engine->closing.why : NULL,
        .summary = engine->summary,
        .circuits = engine->circuits_view,
        .levels = engine->has_snapshot ? &engine->levels : NULL,
        .snapshot = engine->has_snapshot ? &engine->snapshot : NULL,
    };
}

size_t ek_engine_known_moves(const struct ek_engine *engine, struct ek_known_move *out, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        if (ek_move_stops(order->kind)) {
            continue; /* it goes nowhere */
        }
        if (count++ < room) {
            out[count - 1] =
                (struct ek_known_move){.domain = order->domain,
                                       .source = order->source,
                                       .destination = order->destination,
                                       .started_at_ms = engine->running[i].started_at_ms};
        }
    }
    for (size_t i = 0; i < engine->recent_count; i++) {
        const struct ek_outcome *outcome = &engine->recent[i].outcome;
        if (ek_move_stops(outcome->kind)) {
            continue;
        }
        if (count++ < room) {
            out[count - 1] = (struct ek_known_move){.domain = outcome->domain,
                                                    .source = outcome->source,
                                                    .destination = outcome->destination,
                                                    .started_at_ms = outcome->started_at_ms,
                                                    .ended_at_ms = outcome->ended_at_ms,
                                                    .failed = outcome->state != EK_MOVE_DONE};
        }
    }
    size_t left = count < room ? room - count : 0;
    return count + ek_engine_foreign_moves(engine, left == 0 ? NULL : out + count, left);
}
