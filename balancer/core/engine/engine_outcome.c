/* What the end of a move means: where its domain is now, what was learned, what may follow. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Kept this long when the samples' period is not known. */
/* Two minutes: several periods of any sensible collector. */
#define RECENT_MS 120000

/* After 4 periods a host without a newer sample counts as down: then no old sample is left for an
 * ended move to correct. */
void ek_engine_expire_recent(struct ek_engine *engine, int64_t now_ms)
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
static bool note_success(struct ek_engine *engine, const struct ek_running *running,
                         const struct ek_outcome *outcome, struct ek_effects *effects,
                         struct ek_error *err)
{
    if (ek_circuit_worked(ek_cooldown_circuit(engine->cooldown), outcome->source,
                          outcome->destination) &&
        !ek_effect_event(effects, "circuit", outcome->destination, err,
                         "the circuit from %s to %s is closed: a move worked", outcome->source,
                         outcome->destination)) {
        return false;
    }
    apply_move(engine, outcome);
    /* A move that changes nothing leaves the figures as they are. */
    engine->last_end_ms = outcome->ended_at_ms;
    if (!ek_learned_note(engine->learned, &running->order, outcome, err)) {
        return false;
    }
    /* A parked domain has its last move still before it; it rests after that. */
    if (outcome->kind == EK_MOVE_PARK) {
        return true;
    }
    bool asked = outcome->kind == EK_MOVE_EVACUATE || outcome->kind == EK_MOVE_MANUAL;
    return (asked ? ek_cooldown_displaced : ek_cooldown_moved)(
        engine->cooldown, &engine->policy, outcome->domain, outcome->ended_at_ms, err);
}

/* Of the move in its plan: what depends on it may start, or never will. */
static void note_step(struct ek_course *course, const struct ek_running *running,
                      const struct ek_outcome *outcome)
{
    struct ek_step *step = course == NULL ? NULL : ek_course_find(course, running->order.seq);

    if (step != NULL) {
        step->state = outcome->state == EK_MOVE_DONE ? EK_STEP_DONE : EK_STEP_ENDED;
        step->ended_at_ms = outcome->ended_at_ms;
    }
}

bool ek_engine_outcome(struct ek_engine *engine, const struct ek_outcome *outcome,
                       struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_running *found = ek_engine_find_running(engine, outcome->id);

    assert(ek_move_state_terminal(outcome->state));
    if (found == NULL) {
        return true; /* told twice; the first time counted */
    }
    /* By value: its place is given to another when it ends. */
    const struct ek_running running = *found;
    struct ek_course *course = ek_engine_find_course(engine, outcome->plan_id);
    bool done = outcome->state == EK_MOVE_DONE;
    note_step(course, &running, outcome);
    /* First of all, whatever memory is short for: a move that ended must not count against the
     * limits for ever. */
    ek_engine_end(engine, outcome->id);
    land(engine, outcome->domain);
    if (ek_move_stops(outcome->kind)) {
        return recent_add(engine, outcome, err) &&
               ek_engine_stopped(engine, &running, outcome, effects, err);
    }
    return recent_add(engine, outcome, err) &&
           (done ? note_success(engine, &running, outcome, effects, err)
                 : ek_engine_fail(engine, &running, course, outcome, effects, err)) &&
           ek_effect_event(effects, "move", outcome->domain, err,
                           "move %s of %s from %s to %s: %s in %.1f s%s%s", outcome->id,
                           running.order.name[0] == '\0' ? outcome->domain : running.order.name,
                           outcome->source, outcome->destination,
                           ek_move_state_name(outcome->state),
                           (double)(outcome->ended_at_ms - outcome->started_at_ms) / 1000,
                           outcome->error[0] == '\0' ? "" : ": ", outcome->error);
}
