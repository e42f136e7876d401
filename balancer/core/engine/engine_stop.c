/* Saves and shutdowns of an evacuation: the last of it, ordered one by one by the engine itself,
 * not by a plan. Nobody is stopped unless its own metadata say so, and not before all that migrates
 * has left its host: an evacuation that fails has stopped nobody for nothing. */
#include "balancer/core/digest.h"
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one host at a time: a save writes as fast as its disk takes it. */
enum { AT_ONCE = 2 };

/* ---- when ------------------------------------------------------------------------------------ */

static const struct ek_running *stop_of(const struct ek_engine *engine, const char *domain)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        if (ek_move_stops(engine->running[i].order.kind) &&
            strcmp(engine->running[i].order.domain, domain) == 0) {
            return &engine->running[i];
        }
    }
    return NULL;
}

static bool is_migrated(const struct ek_engine *engine, const char *domain)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        if (!ek_move_stops(engine->running[i].order.kind) &&
            strcmp(engine->running[i].order.domain, domain) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t seen_at_ms(const struct ek_engine *engine, const struct ek_host *host)
{
    return host->sampled_at_ms != 0 ? host->sampled_at_ms : engine->snapshot.taken_at_ms;
}

/* How this maintenance stopped the domain, which by a newer sample stands there again and still
 * asks for it: somebody has started it, and is not to be worked against. NULL: it does not. */
static const struct ek_stop_end *end_of_restarted(const struct ek_engine *engine, uint32_t domain)
{
    const struct ek_domain *it = &engine->snapshot.domains[domain];
    const struct ek_host *host = &engine->snapshot.hosts[it->host];

    for (size_t i = 0; i < engine->stop_end_count; i++) {
        const struct ek_stop_end *end = &engine->stop_ends[i];
        if (end->done && !end->earlier && strcmp(end->order.domain, it->uuid) == 0 &&
            strcmp(end->order.source, host->name) == 0) {
            return ek_evacuation_stops(it->evacuation) &&
                           seen_at_ms(engine, host) > end->ended_at_ms
                       ? end
                       : NULL;
        }
    }
    return NULL;
}

/* Whether the domain stays until a person does something about it; one that failed lately is asked
 * again. */
static bool stays_for_a_person(const struct ek_engine *engine, uint32_t domain)
{
    if (!ek_evacuation_stops(engine->snapshot.domains[domain].evacuation) ||
        end_of_restarted(engine, domain) != NULL) {
        return true;
    }
    enum ek_block block = ek_constraint_stop(&engine->evaluation.cluster, engine->cooldown, domain);
    return block == EK_BLOCK_UNRESOLVED || block == EK_BLOCK_IGNORED || block == EK_BLOCK_IMMOVABLE;
}

/* Whether all that stands on the host, by the newest sample, is to be stopped and can be. */
static bool only_stops_stand(const struct ek_engine *engine, uint32_t host)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;

    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        if (snapshot->domains[d].host == host && stays_for_a_person(engine, d)) {
            return false;
        }
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        if (snapshot->copies[c].host == host) {
            return false;
        }
    }
    return true;
}

/* Whether no migration touches the host, ours or another's, and none waits to. */
static bool nothing_moves(const struct ek_engine *engine, uint32_t host)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    const char *name = snapshot->hosts[host].name;

    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        if (!ek_move_stops(order->kind) &&
            (strcmp(order->source, name) == 0 || strcmp(order->destination, name) == 0)) {
            return false;
        }
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (snapshot->in_flight[f].source == host || snapshot->in_flight[f].destination == host) {
            return false;
        }
    }
    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; i < it->step_count; i++) {
            const struct ek_step *step = &it->steps[i];
            bool waits = step->state == EK_STEP_WAITING || step->state == EK_STEP_OFFERED;
            if (waits && (strcmp(step->order.source, name) == 0 ||
                          strcmp(step->order.destination, name) == 0)) {
                return false;
            }
        }
    }
    return true;
}

/* Whether the host was sampled lately, and since the last move or stop there ended: who stands
 * there is read, not concluded. */
static bool is_seen(const struct ek_engine *engine, const struct ek_host *host)
{
    int64_t seen_ms = seen_at_ms(engine, host);

    if (host->state != EK_HOST_UP ||
        (host->period_ms > 0 && engine->now_ms - seen_ms > 2 * host->period_ms)) {
        return false;
    }
    for (size_t i = 0; i < engine->recent_count; i++) {
        const struct ek_outcome *outcome = &engine->recent[i].outcome;
        bool touches = strcmp(outcome->source, host->name) == 0 ||
                       strcmp(outcome->destination, host->name) == 0;
        if (touches && seen_ms <= outcome->ended_at_ms) {
            return false;
        }
    }
    return true;
}

/* Whether the newest plan knows of the key, and found that the host can be emptied; what has begun,
 * and what is emptied as far as it goes, need no such promise. */
static bool is_promised(const struct ek_engine *engine, const struct ek_host *host)
{
    const struct ek_promise *promise = ek_engine_find_promise(engine, host->name);

    return promise != NULL && engine->maintenance_digest == ek_engine_maintenance_digest(engine) &&
           (promise->feasible || host->partial || host->begun);
}

static bool may_stop_on(const struct ek_engine *engine, uint32_t host)
{
    const struct ek_host *it = &engine->snapshot.hosts[host];

    return it->maintenance && engine->policy.mode != EK_MODE_RECOMMEND && is_promised(engine, it) &&
           is_seen(engine, it) && only_stops_stand(engine, host) && nothing_moves(engine, host);
}

/* ---- who ------------------------------------------------------------------------------------- */

/* The domain that is due, if it is there, asks for it by the newest sample, and neither an earlier
 * try nor anything seen since the plan holds it; EK_NONE: not now. */
static uint32_t find_due(const struct ek_engine *engine, const struct ek_due *due, uint32_t host)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(snapshot, due->domain, &ambiguous);

    if (domain == EK_NONE || ambiguous || snapshot->domains[domain].host != host ||
        stop_of(engine, due->domain) != NULL || is_migrated(engine, due->domain)) {
        return EK_NONE;
    }
    bool asks = snapshot->domains[domain].evacuation ==
                (due->kind == EK_MOVE_SAVE ? EK_EVACUATE_SAVE : EK_EVACUATE_SHUTDOWN);
    bool may = asks && ek_constraint_stop(&engine->evaluation.cluster, engine->cooldown, domain) ==
                           EK_BLOCK_NONE;
    return may ? domain : EK_NONE;
}

static int count_stops(const struct ek_engine *engine, const char *host)
{
    int count = 0;

    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        count += ek_move_stops(order->kind) && strcmp(order->source, host) == 0 ? 1 : 0;
    }
    return count;
}

/* An order belongs to no plan: its id is of the domain, its host and the moment. */
static struct ek_move_order order_of(const struct ek_engine *engine, uint32_t domain,
                                     enum ek_move_kind kind)
{
    const struct ek_policy *policy = &engine->policy;
    const struct ek_domain *it = &engine->snapshot.domains[domain];
    const char *host = engine->snapshot.hosts[it->host].name;
    struct ek_digest digest = ek_digest_begin();
    struct ek_move_order order = {.seq = 1,
                                  .kind = kind,
                                  .timeout_ms = ek_migration_timeout_ms(it, policy),
                                  .shutdown_timeout_ms = policy->shutdown_timeout_ms};

    ek_digest_text(&digest, it->uuid);
    ek_digest_text(&digest, host);
    ek_digest_integer(&digest, engine->now_ms);
    (void)snprintf(order.plan_id, sizeof(order.plan_id), "%016" PRIx64, digest.state);
    (void)snprintf(order.id, sizeof(order.id), "%016" PRIx64 "-1", digest.state);
    (void)snprintf(order.domain, sizeof(order.domain), "%s", it->uuid);
    (void)snprintf(order.name, sizeof(order.name), "%s", it->name == NULL ? it->uuid : it->name);
    (void)snprintf(order.source, sizeof(order.source), "%s", host);
    (void)snprintf(order.reason, sizeof(order.reason),
                   "%s is emptied, and the domain's metadata say \"%s\"", host,
                   ek_move_kind_name(kind));
    return order;
}

static bool start(struct ek_engine *engine, uint32_t domain, enum ek_move_kind kind,
                  struct ek_effects *effects, struct ek_error *err)
{
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_START, err);

    if (effect == NULL) {
        return false;
    }
    effect->u.start = order_of(engine, domain, kind);
    const struct ek_move_order order = effect->u.start;
    return ek_engine_run(engine, &order, engine->now_ms, err) != NULL &&
           ek_engine_begin_host(engine, order.source, err) &&
           ek_effect_event(effects, "move", order.domain, err, "%s %s of %s on %s: %s",
                           ek_move_kind_name(kind), order.id, order.name, order.source,
                           order.reason);
}

bool ek_engine_start_stops(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < engine->due_count; i++) {
        const struct ek_due *due = &engine->dues[i];
        uint32_t host = ek_snapshot_find_host(&engine->snapshot, due->host);
        if (host == EK_NONE || count_stops(engine, due->host) >= AT_ONCE ||
            !may_stop_on(engine, host)) {
            continue;
        }
        uint32_t domain = find_due(engine, due, host);
        ok = domain == EK_NONE || start(engine, domain, due->kind, effects, err);
    }
    return ok;
}

bool ek_engine_recall_stops(struct ek_engine *engine, struct ek_effects *effects,
                            struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < engine->running_count; i++) {
        struct ek_running *running = &engine->running[i];
        uint32_t host = ek_snapshot_find_host(&engine->snapshot, running->order.source);
        bool wanted = host != EK_NONE && engine->snapshot.hosts[host].maintenance;
        if (ek_move_stops(running->order.kind) && !wanted && running->abort == EK_ABORT_NONE) {
            ok = ek_engine_stop_move(running, EK_ABORT_UNWANTED, effects, err);
        }
    }
    return ok;
}

/* ---- what came of it ------------------------------------------------------------------------- */

/* The newest end of each domain, until its host is used again. */
static bool remember(struct ek_engine *engine, const struct ek_move_order *order,
                     const struct ek_outcome *outcome, struct ek_error *err)
{
    size_t at = 0;

    while (at < engine->stop_end_count &&
           strcmp(engine->stop_ends[at].order.domain, order->domain) != 0) {
        at++;
    }
    if (at == engine->stop_end_count) {
        struct ek_stop_end *grown =
            realloc(engine->stop_ends, (engine->stop_end_count + 1) * sizeof(*grown));
        if (grown == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what was stopped");
        }
        engine->stop_ends = grown;
        engine->stop_end_count++;
    }
    engine->stop_ends[at] = (struct ek_stop_end){.order = *order,
                                                 .done = outcome->state == EK_MOVE_DONE,
                                                 .ended_at_ms = outcome->ended_at_ms};
    memcpy(engine->stop_ends[at].error, outcome->error, sizeof(outcome->error));
    return true;
}

const char *ek_engine_stop_error(const struct ek_engine *engine, const char *domain)
{
    for (size_t i = 0; i < engine->stop_end_count; i++) {
        const struct ek_stop_end *it = &engine->stop_ends[i];
        if (!it->done && strcmp(it->order.domain, domain) == 0) {
            return it->error;
        }
    }
    return NULL;
}

bool ek_engine_stopped(struct ek_engine *engine, const struct ek_running *running,
                       const struct ek_outcome *outcome, struct ek_effects *effects,
                       struct ek_error *err)
{
    const struct ek_move_order *order = &running->order;
    bool done = outcome->state == EK_MOVE_DONE;

    assert(ek_move_stops(order->kind));
    if (!remember(engine, order, outcome, err) ||
        (!done && !ek_engine_fail(engine, running, NULL, outcome, effects, err))) {
        return false;
    }
    return ek_effect_event(effects, "move", outcome->domain, err,
                           "%s %s of %s on %s: %s in %.1f s%s%s%s", ek_move_kind_name(order->kind),
                           outcome->id, order->name, order->source,
                           ek_move_state_name(outcome->state),
                           (double)(outcome->ended_at_ms - outcome->started_at_ms) / 1000,
                           outcome->error[0] == '\0' ? "" : ": ", outcome->error,
                           done ? "; started again by virsh start, not by us" : "");
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void note(struct ek_stop_note *out, const struct ek_move_order *order)
{
    *out = (struct ek_stop_note){order->domain, order->name, order->kind, true};
}

/* Whether it is there, and is going to be stopped. */
static bool is_there(const struct ek_engine *engine, const struct ek_due *due)
{
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(&engine->snapshot, due->domain, &ambiguous);

    return domain != EK_NONE && end_of_restarted(engine, domain) == NULL &&
           strcmp(engine->snapshot.hosts[engine->snapshot.domains[domain].host].name, due->host) ==
               0;
}

bool ek_engine_list_stops(const struct ek_engine *engine, const char *host,
                          struct ek_maintenance_status *status, struct ek_arena *arena,
                          struct ek_error *err)
{
    size_t room = engine->due_count + engine->running_count;
    struct ek_stop_note *notes = ek_arena_alloc(arena, room, sizeof(*notes));

    if (notes == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is stopped on a host");
    }
    status->stops = notes;
    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        if (ek_move_stops(order->kind) && strcmp(order->source, host) == 0) {
            note(&notes[status->stop_count++], order);
        }
    }
    for (size_t i = 0; i < engine->due_count; i++) {
        const struct ek_due *due = &engine->dues[i];
        if (strcmp(due->host, host) == 0 && is_there(engine, due) &&
            stop_of(engine, due->domain) == NULL) {
            notes[status->stop_count++] =
                (struct ek_stop_note){due->domain, due->name, due->kind, false};
        }
    }
    assert(status->stop_count <= room);
    return true;
}

static bool block(const struct ek_stop_end *end, struct ek_blocker *out, struct ek_arena *arena,
                  struct ek_error *err)
{
    const struct ek_move_order *order = &end->order;
    bool save = order->kind == EK_MOVE_SAVE;

    *out = (struct ek_blocker){
        .domain = order->domain,
        .name = order->name,
        .reason = ek_arena_printf(arena, "was %s for this maintenance, and started again since",
                                  save ? "saved" : "shut down"),
        .relaxation = ek_arena_printf(arena,
                                      "an operator has to %s on %s (virsh %s %s), or to end the "
                                      "maintenance",
                                      save ? "save it" : "shut it down", order->source,
                                      save ? "managedsave" : "shutdown", order->name)};
    return (out->reason != NULL && out->relaxation != NULL) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for a blocker");
}

bool ek_engine_list_restarted(const struct ek_engine *engine, const char *host,
                              struct ek_blocker *blockers, size_t *count, struct ek_arena *arena,
                              struct ek_error *err)
{
    bool ok = true;

    for (uint32_t d = 0; ok && engine->stop_end_count > 0 && d < engine->snapshot.domain_count;
         d++) {
        const struct ek_stop_end *end = end_of_restarted(engine, d);
        if (end != NULL && strcmp(end->order.source, host) == 0) {
            ok = block(end, &blockers[(*count)++], arena, err);
        }
    }
    return ok;
}

void ek_engine_renew_stops(struct ek_engine *engine, const char *host)
{
    for (size_t i = 0; i < engine->stop_end_count; i++) {
        struct ek_stop_end *end = &engine->stop_ends[i];
        end->earlier = end->earlier || strcmp(end->order.source, host) == 0;
    }
}

bool ek_engine_tell_stopped(struct ek_engine *engine, const char *host, struct ek_effects *effects,
                            struct ek_error *err)
{
    size_t kept = 0;
    bool ok = true;

    for (size_t i = 0; i < engine->stop_end_count; i++) {
        const struct ek_stop_end *it = &engine->stop_ends[i];
        if (strcmp(it->order.source, host) != 0) {
            engine->stop_ends[kept++] = *it;
        } else if (ok && it->done) {
            ok = ek_effect_event(effects, "maintenance", it->order.domain, err,
                                 "%s is used again; %s was %s there and is not started by us: "
                                 "virsh start %s",
                                 host, it->order.name,
                                 it->order.kind == EK_MOVE_SAVE ? "saved" : "shut down",
                                 it->order.name);
        }
    }
    engine->stop_end_count = kept;
    return ok;
}
