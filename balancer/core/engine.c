/* The engine's step: one event in, wanted effects out. The event is applied, then waiting moves are
 * dispatched on what is known now, then every host in maintenance gets its word. */
#include "balancer/core/engine.h"

#include "balancer/core/digest.h"
#include "balancer/core/engine_state.h"
#include "balancer/core/verify.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A clock that goes back further than this is not trusted for one cycle. */
/* NTP slews without going back; a second covers what it may still step at a start. */
#define CLOCK_JUMP_MS 1000

/* Kept this long when the samples' period is not known. */
/* Two minutes: several periods of any sensible collector. */
#define RECENT_MS 120000

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
    ek_arena_finish(&engine->plan_arena);
    ek_arena_finish(&engine->stuck_arena);
    ek_arena_finish(&engine->maintained_arena);
    ek_arena_finish(&engine->lost_arena);
    ek_cooldown_destroy(engine->cooldown);
    ek_forecast_destroy(engine->forecast);
    ek_learned_destroy(engine->learned);
    free(engine->running);
    free(engine->running_view);
    free(engine->recent);
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
    return engine->pause.all ? engine->pause.why : NULL;
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
    /* However long it held, what was worth a move then need not be so now. */
    return ek_effect_event(effects, "holding", "", err, "no longer holding") &&
           ek_engine_abandon(engine, effects, "starting was held meanwhile", err);
}

/* ---- events -------------------------------------------------------------------------------- */

/* After 4 periods a host without a newer sample counts as down: then no old sample is left for an
 * ended move to correct. */
static void recent_expire(struct ek_engine *engine, int64_t now_ms)
{
    int64_t keep_ms = 0;
    size_t kept = 0;

    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        int64_t wanted = 4 * engine->snapshot.hosts[h].period_ms;
        keep_ms = wanted > keep_ms ? wanted : keep_ms;
    }
    keep_ms = keep_ms == 0 ? RECENT_MS : keep_ms;
    for (size_t i = 0; i < engine->recent_count; i++) {
        if (now_ms - engine->recent[i].outcome.ended_at_ms <= keep_ms) {
            engine->recent[kept++] = engine->recent[i];
        }
    }
    assert(kept <= engine->recent_count);
    engine->recent_count = kept;
}

static bool recent_add(struct ek_engine *engine, const struct ek_outcome *outcome,
                       struct ek_error *err)
{
    if (engine->recent_count == engine->recent_room) {
        size_t room = engine->recent_room == 0 ? 16 : 2 * engine->recent_room;
        struct ek_recent *grown = realloc(engine->recent, room * sizeof(*grown));
        if (grown == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for an outcome");
        }
        engine->recent = grown;
        engine->recent_room = room;
    }
    assert(engine->recent_count < engine->recent_room);
    engine->recent[engine->recent_count++].outcome = *outcome;
    return true;
}

/* Predicted against real, once all has ended and every host was sampled twice since: rates come
 * from two samples. */
static bool verify(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    if (!engine->verify_pending || engine->running_count > 0 || !ek_engine_settled(engine)) {
        return true;
    }
    const char *text = ek_verify_text(&engine->policy.resources, &engine->plan_before,
                                      &engine->plan_predicted, &engine->levels, &effects->arena);
    engine->verify_pending = false;
    return text == NULL ? ek_error_set(err, EK_ERR_NOMEM, "out of memory for a verification")
                        : ek_effect_event(effects, "verified", engine->plan_id, err, "%s", text);
}

/* Told when they change, not in every cycle. */
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
    engine->rules_digest = digest.state;
    for (size_t i = 0; ok && !same && i < evaluation->rule_problem_count; i++) {
        ok = ek_effect_event(effects, "rules", evaluation->rule_problems[i].rule, err, "%s",
                             evaluation->rule_problems[i].text);
    }
    return ok;
}

static bool on_snapshot(struct ek_engine *engine, const struct ek_event *event,
                        struct ek_effects *effects, struct ek_error *err)
{
    struct ek_snapshot present;

    if (!ek_engine_note_foreign(engine, event->u.snapshot, effects, err)) {
        return false;
    }
    ek_snapshot_finish(&engine->snapshot);
    /* Taken over, not copied; the caller's is emptied, so that both may be finished. */
    engine->snapshot = *event->u.snapshot;
    memset(event->u.snapshot, 0, sizeof(*event->u.snapshot));
    engine->has_snapshot = true;
    if (!ek_snapshot_sort(&engine->snapshot, err) || !ek_engine_present(engine, &present, err)) {
        return false;
    }
    /* Into the snapshot itself before anything is evaluated: the recorded input then holds all that
     * the plan was made from. */
    engine->snapshot.in_flight = present.in_flight;
    engine->snapshot.in_flight_count = present.in_flight_count;
    check_hosts(engine);
    check_clock(engine);
    engine->clock_back_ms = 0;
    recent_expire(engine, event->now_ms);
    ek_cooldown_expire(engine->cooldown, event->now_ms);
    if (!ek_engine_expect(engine, err)) {
        return false;
    }
    if (!ek_evaluate(&engine->evaluation, &engine->snapshot, &engine->policy, err)) {
        return false;
    }
    engine->levels = engine->evaluation.levels;
    if (!record_rule_problems(engine, effects, err)) {
        return false;
    }
    if (!verify(engine, effects, err) || !record_holding(engine, effects, err)) {
        return false;
    }
    /* A plan under way is finished rather than remade in each cycle; only another set of hosts to
     * be emptied is worth dropping it. */
    bool replan = ek_engine_waiting_count(engine) == 0 ||
                  ek_engine_maintenance_digest(engine) != engine->maintenance_digest;
    if (ek_engine_holding(engine) == NULL && replan && !ek_engine_replan(engine, effects, err)) {
        return false;
    }
    return true;
}

/* The snapshot in hand follows what happened since it was taken. */
static void apply_move(struct ek_engine *engine, const struct ek_outcome *outcome)
{
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(&engine->snapshot, outcome->domain, &ambiguous);
    uint32_t host = ek_snapshot_find_host(&engine->snapshot, outcome->destination);

    if (domain != EK_NONE && host != EK_NONE && engine->snapshot.domains[domain].host != host) {
        struct ek_domain *it = &engine->snapshot.domains[domain];
        /* The hosts' own use goes along, or the load would seem to stay behind as the host's
         * base. */
        assert(it->host < engine->snapshot.host_count);
        ek_use_shift(&engine->snapshot.hosts[it->host], it, -1);
        ek_use_shift(&engine->snapshot.hosts[host], it, 1);
        it->host = host;
    }
}

/* Nor is the domain in flight any longer. What no sample shows stays, until one does. */
static void land(struct ek_engine *engine, const char *uuid)
{
    struct ek_snapshot *snapshot = &engine->snapshot;
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(snapshot, uuid, &ambiguous);
    size_t kept = 0;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (domain == EK_NONE || snapshot->in_flight[f].domain != domain) {
            snapshot->in_flight[kept++] = snapshot->in_flight[f];
        }
    }
    snapshot->in_flight_count = kept;
}

/* Successors of this move may start at once, on the snapshot as it was changed here. */
static bool note_success(struct ek_engine *engine, const struct ek_outcome *outcome,
                         struct ek_error *err)
{
    const struct ek_running *running = ek_engine_find_running(engine, outcome->id);
    uint32_t seq = running == NULL ? 0 : running->order.seq;

    if (strcmp(outcome->plan_id, engine->plan_id) == 0 && seq < engine->seq_count) {
        engine->seq_done[seq] = true;
    }
    apply_move(engine, outcome);
    if (!recent_add(engine, outcome, err) ||
        (running != NULL && !ek_learned_note(engine->learned, &running->order, outcome, err))) {
        return false;
    }
    /* A parked domain has its last move still before it; it rests after that. */
    return outcome->kind == EK_MOVE_PARK ||
           ek_cooldown_moved(engine->cooldown, &engine->policy, outcome->domain,
                             outcome->ended_at_ms, err);
}

static bool note_failure(struct ek_engine *engine, const struct ek_outcome *outcome,
                         struct ek_effects *effects, struct ek_error *err)
{
    /* The guest's own fault (it does not converge, say) would follow it to any host. */
    const char *avoid = outcome->destination_at_fault ? outcome->destination : NULL;

    if (strcmp(outcome->plan_id, engine->plan_id) == 0) {
        engine->plan_failed = true;
    }
    if (!recent_add(engine, outcome, err) ||
        !ek_cooldown_failed(engine->cooldown, &engine->policy, outcome->domain, avoid,
                            outcome->ended_at_ms, err)) {
        return false;
    }
    /* Unknown or unverified: two copies may exist, so nothing touches the domain until an operator
     * has looked. */
    if (ek_move_state_blocks(outcome->state) &&
        !ek_cooldown_block(engine->cooldown, outcome->domain, true, err)) {
        return false;
    }
    /* Later moves counted on the room that this one should have made. */
    return ek_engine_abandon(engine, effects, outcome->error, err);
}

/* The last of a plan's moves has ended: its fate is recorded once. */
static bool plan_end(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    if (engine->running_count > 0 || ek_engine_waiting_count(engine) > 0 ||
        engine->waiting_count == 0) {
        return true;
    }
    assert(engine->plan_id[0] != '\0');
    engine->waiting_count = 0;
    engine->verify_pending = !engine->plan_failed;
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_FATE, err);
    if (effect == NULL) {
        return false;
    }
    effect->u.fate.plan_id = engine->plan_id;
    effect->u.fate.fate = engine->plan_failed ? "failed" : "done";
    return true;
}

static bool on_outcome(struct ek_engine *engine, const struct ek_outcome *outcome,
                       struct ek_effects *effects, struct ek_error *err)
{
    assert(ek_move_state_terminal(outcome->state));
    if (ek_engine_find_running(engine, outcome->id) == NULL) {
        return true; /* told twice; the first time counted */
    }
    bool done = outcome->state == EK_MOVE_DONE;
    bool ok =
        done ? note_success(engine, outcome, err) : note_failure(engine, outcome, effects, err);
    /* Even when the note failed for want of memory: a move that ended must not count against the
     * limits for ever. */
    ek_engine_end(engine, outcome->id);
    land(engine, outcome->domain);
    engine->last_end_ms = outcome->ended_at_ms;
    return ok &&
           ek_effect_event(effects, "move", outcome->domain, err,
                           "move %s of %s from %s to %s: %s in %.1f s%s%s", outcome->id,
                           outcome->domain, outcome->source, outcome->destination,
                           ek_move_state_name(outcome->state),
                           (double)(outcome->ended_at_ms - outcome->started_at_ms) / 1000,
                           outcome->error[0] == '\0' ? "" : ": ", outcome->error) &&
           plan_end(engine, effects, err);
}

static bool on_policy(struct ek_engine *engine, const struct ek_policy *policy,
                      struct ek_effects *effects, struct ek_error *err)
{
    engine->policy = *policy;
    engine->ops = ek_policy_find(policy->kind);
    /* Cycles that were counted against other thresholds prove nothing about these. */
    engine->sustained = 0;
    engine->recommended_digest = 0;
    return ek_engine_abandon(engine, effects, "the policy was loaded anew", err);
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
        return on_outcome(engine, event->u.outcome, effects, err);
    case EK_EVENT_ADOPT:
        /* Told twice after a reconnection, the move counts once. */
        return ek_engine_find_running(engine, event->u.adopt->id) != NULL ||
               ek_engine_run(engine, event->u.adopt, event->now_ms, err);
    case EK_EVENT_BLOCK:
        return ek_cooldown_block(engine->cooldown, event->u.block, true, err);
    case EK_EVENT_HOLD:
        (void)snprintf(engine->hold, sizeof(engine->hold), "%s", event->u.hold);
        return record_holding(engine, effects, err);
    case EK_EVENT_RELEASE:
        engine->hold[0] = '\0';
        return record_holding(engine, effects, err);
    case EK_EVENT_COMMAND:
        return ek_engine_command(engine, event->u.command, effects, err);
    case EK_EVENT_UNBLOCK:
        return ek_cooldown_block(engine->cooldown, event->u.unblock, false, err);
    }
    return true;
}

/* After a step that failed: its effects are not carried out, so nothing of it has started. */
static void undo(struct ek_engine *engine, struct ek_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        if (effects->items[i].kind == EK_EFFECT_START) {
            ek_engine_end(engine, effects->items[i].u.start.id);
        }
    }
    effects->count = 0;
    engine->waiting_count = 0; /* without its lost move the plan could wait for ever */
    engine->recommended_digest = 0;
    /* Forgotten, so that the next step records again what this one could not. */
    engine->holding_shown[0] = '\0';
    engine->rules_digest = 0;
    engine->summary[0] = '\0';
}

bool ek_engine_step(struct ek_engine *engine, const struct ek_event *event,
                    struct ek_effects *effects, struct ek_error *err)
{
    effects->count = 0;
    ek_arena_finish(&effects->arena);
    results_finish(engine);
    watch_clock(engine, event->now_ms);
    bool ok = apply(engine, event, effects, err);
    engine->now_ms = event->now_ms;
    /* After every event, not after snapshots only: an outcome frees room, links and limits. */
    if (ok && engine->has_snapshot && ek_engine_holding(engine) == NULL) {
        ok = ek_engine_dispatch(engine, effects, err);
    }
    if (ok && engine->has_snapshot) {
        ok = ek_engine_record_maintenance(engine, effects, err);
    }
    if (!ok) {
        undo(engine, effects);
    }
    ek_effects_sort(effects);
    return ok;
}

/* ---- views --------------------------------------------------------------------------------- */

struct ek_engine_view ek_engine_view(const struct ek_engine *engine)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        engine->running_view[i] = engine->running[i].order;
    }
    return (struct ek_engine_view){
        .running = engine->running_view,
        .running_count = engine->running_count,
        .waiting_count = ek_engine_waiting_count(engine),
        .plan_id = engine->plan_id,
        .holding = ek_engine_holding(engine),
        .paused = engine->pause.why[0] == '\0' ? NULL : engine->pause.why,
        .summary = engine->summary,
        .levels = engine->has_snapshot ? &engine->levels : NULL,
        .snapshot = engine->has_snapshot ? &engine->snapshot : NULL,
    };
}

size_t ek_engine_known_moves(const struct ek_engine *engine, struct ek_known_move *out, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < engine->running_count; i++, count++) {
        const struct ek_move_order *order = &engine->running[i].order;
        if (count < room) {
            out[count] = (struct ek_known_move){.domain = order->domain,
                                                .source = order->source,
                                                .destination = order->destination,
                                                .started_at_ms = engine->running[i].started_at_ms};
        }
    }
    for (size_t i = 0; i < engine->recent_count; i++, count++) {
        const struct ek_outcome *outcome = &engine->recent[i].outcome;
        if (count < room) {
            out[count] = (struct ek_known_move){.domain = outcome->domain,
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
