/* Who comes first: maintenance over an operator's orders over rules over balance, at every dispatch
 * and not only within one plan; and who has to give way. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/migration_cost.h"

#include <assert.h>
#include <string.h>

/* ---- ranks ----------------------------------------------------------------------------------- */

static int rank_of(enum ek_move_kind kind)
{
    switch (kind) {
    case EK_MOVE_EVACUATE:
        return EK_RANK_EVACUATE;
    case EK_MOVE_MANUAL:
        return EK_RANK_ORDERED;
    case EK_MOVE_RULE:
        return EK_RANK_RULE;
    case EK_MOVE_BALANCE:
    case EK_MOVE_PARK: /* as what it is made for, see below */
    case EK_MOVE_SAVE: /* these are in no plan */
    case EK_MOVE_SHUTDOWN:
    case EK_MOVE_KIND_COUNT:
        break;
    }
    return EK_RANK_BALANCE;
}

/* What makes room for a move, or parks its domain, goes with it. */
static bool lift(struct ek_course *course, const struct ek_step *step, bool parks)
{
    bool changed = false;

    for (size_t d = 0; d < step->depends_count; d++) {
        struct ek_step *before = ek_course_find(course, step->depends_on[d]);
        changed = changed || before->rank > step->rank;
        before->rank = before->rank > step->rank ? step->rank : before->rank;
    }
    for (size_t i = 0; parks && i < course->step_count; i++) {
        struct ek_step *before = &course->steps[i];
        if (before->order.kind == EK_MOVE_PARK && before->order.seq < step->order.seq &&
            before->rank > step->rank && strcmp(before->order.domain, step->order.domain) == 0) {
            before->rank = step->rank;
            changed = true;
        }
    }
    return changed;
}

void ek_course_rank(struct ek_course *course)
{
    bool changed = true;
    bool parks = false;

    for (size_t i = 0; i < course->step_count; i++) {
        course->steps[i].rank = rank_of(course->steps[i].order.kind);
        parks = parks || course->steps[i].order.kind == EK_MOVE_PARK;
    }
    /* Dependencies come before what depends on them, so that this ends. */
    while (changed) {
        changed = false;
        for (size_t i = 0; i < course->step_count; i++) {
            changed = lift(course, &course->steps[i], parks) || changed;
        }
    }
}

/* ---- laggards -------------------------------------------------------------------------------- */

/* By the model that plans are made with. */
static bool converges(const struct ek_engine *engine, const struct ek_domain *domain,
                      uint32_t source, uint32_t destination)
{
    double rate_mib_s = ek_engine_rate(engine, source, destination);

    return ek_migration_cost(domain, rate_mib_s, engine->policy.max_downtime_ms).converges;
}

bool ek_engine_may_lag(const struct ek_engine *engine, uint32_t domain, uint32_t source,
                       uint32_t destination)
{
    const struct ek_domain *it = &engine->snapshot.domains[domain];
    const struct ek_rest *rest = ek_cooldown_find(engine->cooldown, it->uuid);

    return (rest != NULL && (rest->failures > 0 || rest->lags_until_ms > engine->now_ms)) ||
           !converges(engine, it, source, destination);
}

static void find_laggard(const struct ek_engine *engine, struct ek_step *step)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(snapshot, step->order.domain, &ambiguous);
    uint32_t source = ek_snapshot_find_host(snapshot, step->order.source);
    uint32_t destination = ek_snapshot_find_host(snapshot, step->order.destination);

    /* Once known it stays in its place: the longer it has waited, the older is what is known. */
    if (domain != EK_NONE && source != EK_NONE && destination != EK_NONE) {
        step->laggard = step->laggard || ek_engine_may_lag(engine, domain, source, destination);
    }
}

void ek_engine_find_laggards(struct ek_engine *engine)
{
    for (struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; i < it->step_count; i++) {
            if (it->steps[i].state == EK_STEP_WAITING) {
                find_laggard(engine, &it->steps[i]);
            }
        }
    }
}

/* Whether `other` would wait for the place that it took. */
static bool shares_a_limit(const struct ek_engine *engine, const struct ek_step *step,
                           const struct ek_step *other)
{
    return strcmp(step->order.source, other->order.source) == 0 ||
           strcmp(step->order.destination, other->order.destination) == 0 ||
           (int)engine->running_count + 1 >= ek_engine_limits(engine, &other->order).cluster;
}

/* Its copying may last until its deadline; whatever place it takes, the others would wait for it
 * that long. Alone it may always go, and for what cannot go itself it does not wait, so that nobody
 * waits for ever. */
bool ek_engine_lags(const struct ek_engine *engine, const struct ek_step *step)
{
    if (!step->laggard || engine->running_count == 0) {
        return false;
    }
    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; i < it->step_count; i++) {
            const struct ek_step *other = &it->steps[i];
            if (ek_course_is_ready(it, other) && !other->laggard && !other->held &&
                other->rank <= step->rank && shares_a_limit(engine, step, other)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- giving way ------------------------------------------------------------------------------ */

bool ek_engine_stop_move(struct ek_running *running, enum ek_abort why, struct ek_effects *effects,
                         struct ek_error *err)
{
    struct ek_effect *effect = NULL;

    if (running->abort != EK_ABORT_NONE) {
        running->abort = why == EK_ABORT_OPERATOR ? why : running->abort;
        return true; /* it was told already */
    }
    effect = ek_effect_add(effects, EK_EFFECT_ABORT, err);
    if (effect == NULL) {
        return false;
    }
    running->abort = why;
    memcpy(effect->u.abort.id, running->order.id, sizeof(effect->u.abort.id));
    effect->u.abort.why = why;
    return true;
}

/* Less than half done by its prediction, or so late that nothing is known any more: then what was
 * copied is worth less than what the evacuation would wait. An operator's own order never gives
 * way. */
static bool gives_way(const struct ek_engine *engine, const struct ek_running *running)
{
    int64_t run_ms = engine->now_ms - running->started_at_ms;
    int64_t predicted_ms = running->order.predicted_duration_ms;
    bool balances = running->order.kind == EK_MOVE_BALANCE || running->order.kind == EK_MOVE_RULE;

    return balances && (run_ms < predicted_ms / 2 || run_ms > 2 * predicted_ms);
}

/* Whether it takes a place that the order waits for. What leaves the same host does its part, and
 * whoever waits for that would not start any sooner. */
static bool is_in_the_way(const struct ek_running *running, const struct ek_move_order *order,
                          enum ek_limit limit)
{
    bool same_source = strcmp(running->order.source, order->source) == 0;
    bool same_destination = strcmp(running->order.destination, order->destination) == 0;

    return !same_source && limit != EK_LIMIT_SOURCE &&
           (same_destination || limit == EK_LIMIT_CLUSTER);
}

/* One for each evacuation that waits: the newest gives way, since it loses least. */
static bool make_way(struct ek_engine *engine, const struct ek_step *step,
                     struct ek_effects *effects, struct ek_error *err)
{
    enum ek_limit limit = ek_engine_limit(engine, step);
    struct ek_running *newest = NULL;

    for (size_t i = 0; i < engine->running_count; i++) {
        struct ek_running *running = &engine->running[i];
        if (limit == EK_LIMIT_NONE || !is_in_the_way(running, &step->order, limit)) {
            continue;
        }
        if (running->abort != EK_ABORT_NONE) {
            return true; /* its place comes */
        }
        if (gives_way(engine, running) &&
            (newest == NULL || running->started_at_ms > newest->started_at_ms ||
             (running->started_at_ms == newest->started_at_ms &&
              strcmp(running->order.id, newest->order.id) < 0))) {
            newest = running;
        }
    }
    return newest == NULL ||
           (ek_effect_event(effects, "move", newest->order.domain, err,
                            "move %s of %s gives way to the evacuation of %s", newest->order.id,
                            newest->order.name, step->order.source) &&
            ek_engine_stop_move(newest, EK_ABORT_YIELD, effects, err));
}

/* A move towards a host that is to be emptied now would only have to be made back. */
static bool turn_back(struct ek_engine *engine, struct ek_running *running,
                      struct ek_effects *effects, struct ek_error *err)
{
    uint32_t host = ek_snapshot_find_host(&engine->snapshot, running->order.destination);

    if (running->abort != EK_ABORT_NONE || host == EK_NONE ||
        !engine->snapshot.hosts[host].maintenance || !gives_way(engine, running)) {
        return true;
    }
    return ek_effect_event(effects, "move", running->order.domain, err,
                           "move %s of %s turns back: %s is to be emptied", running->order.id,
                           running->order.name, running->order.destination) &&
           ek_engine_stop_move(running, EK_ABORT_YIELD, effects, err);
}

static bool may_leave(const struct ek_course *course, const struct ek_step *step)
{
    return step->rank == EK_RANK_EVACUATE && !step->laggard && ek_course_is_ready(course, step);
}

bool ek_engine_yield(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    bool ok = true;

    /* In recommend mode a maintenance key moves nothing and stops nothing. */
    for (size_t i = 0; ok && engine->policy.mode != EK_MODE_RECOMMEND && i < engine->running_count;
         i++) {
        ok = turn_back(engine, &engine->running[i], effects, err);
    }
    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; ok && i < it->step_count; i++) {
            ok = !may_leave(it, &it->steps[i]) || make_way(engine, &it->steps[i], effects, err);
        }
    }
    return ok;
}

/* ---- letting pass ---------------------------------------------------------------------------- */

/* The limit that it meets when what was told to stop has stopped, and the move of that id, too. */
static enum ek_limit limit_without(struct ek_engine *engine, const struct ek_step *step,
                                   const char *id)
{
    size_t count = engine->running_count;
    size_t kept = 0;
    enum ek_limit limit;

    /* Those that stay to the front; the order of running moves means nothing. */
    for (size_t i = 0; i < count; i++) {
        const struct ek_running running = engine->running[i];
        if (running.abort == EK_ABORT_NONE && strcmp(running.order.id, id) != 0) {
            engine->running[i] = engine->running[kept];
            engine->running[kept++] = running;
        }
    }
    engine->running_count = kept;
    limit = ek_engine_limit(engine, step);
    engine->running_count = count;
    return limit;
}

/* An evacuation that could go at once if that move did not run, and not before: NULL: none. */
static bool who_waits_for(struct ek_engine *engine, const char *id, const struct ek_step **who,
                          struct ek_error *err)
{
    bool ok = true;

    *who = NULL;
    for (struct ek_course *it = engine->courses; ok && *who == NULL && it != NULL; it = it->next) {
        for (size_t i = 0; ok && *who == NULL && i < it->step_count; i++) {
            struct ek_step *step = &it->steps[i];
            bool is_fit = false;
            if (may_leave(it, step) && limit_without(engine, step, "") != EK_LIMIT_NONE &&
                limit_without(engine, step, id) == EK_LIMIT_NONE) {
                ok = ek_engine_is_fit(engine, it, step, &is_fit, err);
                *who = is_fit ? step : NULL;
            }
        }
    }
    return ok;
}

/* Planned anew it goes after the others, which is where it would have been; little was copied yet.
 */
static bool let_pass(struct ek_running *running, const struct ek_step *who,
                     struct ek_effects *effects, struct ek_error *err)
{
    return who == NULL ||
           (ek_effect_event(effects, "move", running->order.domain, err,
                            "move %s of %s lets %s pass: it writes its memory faster than it can "
                            "be copied",
                            running->order.id, running->order.name, who->order.name) &&
            ek_engine_stop_move(running, EK_ABORT_YIELD, effects, err));
}

bool ek_engine_sampled(struct ek_engine *engine, const char *id, double dirty_mib_s,
                       struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    struct ek_running *running = ek_engine_find_running(engine, id);
    const struct ek_move_order *order = &running->order;
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(snapshot, order->domain, &ambiguous);
    uint32_t source = ek_snapshot_find_host(snapshot, order->source);
    uint32_t destination = ek_snapshot_find_host(snapshot, order->destination);

    if (domain == EK_NONE || source == EK_NONE || destination == EK_NONE) {
        return true;
    }
    struct ek_domain measured = snapshot->domains[domain];
    measured.dirty_mib_s = dirty_mib_s;
    if (converges(engine, &measured, source, destination)) {
        return true;
    }
    /* One that was known for it goes on, and an adopted one, which may have come far; and all but
     * evacuations, since any other plan is worth its moves only as a whole. */
    bool goes_on = running->laggard || running->adopted || running->abort != EK_ABORT_NONE ||
                   order->kind != EK_MOVE_EVACUATE;
    const struct ek_step *who = NULL;
    /* While it still counts for one that is waited for. */
    if (!goes_on && !who_waits_for(engine, id, &who, err)) {
        return false;
    }
    running = ek_engine_find_running(engine, id); /* its place may have changed */
    running->laggard = true;
    return ek_cooldown_lagged(engine->cooldown, running->order.domain, engine->now_ms, err) &&
           let_pass(running, who, effects, err);
}
