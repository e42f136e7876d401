/* The engine's word on every host that is to be emptied. */
#include "balancer/core/digest.h"
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <string.h>

const char *ek_maintenance_state_name(enum ek_maintenance_state state)
{
    static const char *const names[] = {
        [EK_MAINTENANCE_ENDED] = "ended",           [EK_MAINTENANCE_PREFLIGHT] = "preflight",
        [EK_MAINTENANCE_EVACUATING] = "evacuating", [EK_MAINTENANCE_EVACUATED] = "evacuated",
        [EK_MAINTENANCE_BLOCKED] = "blocked",       [EK_MAINTENANCE_INFEASIBLE] = "infeasible",
    };

    assert((unsigned int)state < sizeof(names) / sizeof(names[0]));
    return names[state];
}

bool ek_maintenance_counted(const struct ek_maintenance_status *status)
{
    return status->domains_left > 0 || status->state == EK_MAINTENANCE_EVACUATED ||
           status->state == EK_MAINTENANCE_EVACUATING;
}

/* By name and in the order of the configuration: the same set gives the same digest in every
 * snapshot. */
uint64_t ek_engine_maintenance_digest(const struct ek_engine *engine)
{
    struct ek_digest digest = ek_digest_begin();

    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        if (engine->snapshot.hosts[h].maintenance) {
            ek_digest_text(&digest, engine->snapshot.hosts[h].name);
            ek_digest_integer(&digest, engine->snapshot.hosts[h].partial);
        }
    }
    return digest.state;
}

uint64_t ek_engine_deadline_digest(const struct ek_engine *engine)
{
    struct ek_digest digest = ek_digest_begin();

    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        const struct ek_host *host = &engine->snapshot.hosts[h];
        if (host->maintenance && host->deadline_ms != 0) {
            ek_digest_text(&digest, host->name);
            ek_digest_integer(&digest, host->deadline_ms);
        }
    }
    return digest.state;
}

/* Keeps count_left() from counting a domain twice, as resident and as moving. */
static bool stands_on(const struct ek_snapshot *snapshot, const char *uuid, uint32_t host)
{
    bool ambiguous = false;
    uint32_t domain = ek_snapshot_find_domain(snapshot, uuid, &ambiguous);

    return domain != EK_NONE && snapshot->domains[domain].host == host;
}

/* Whether the move in flight is one of ours. A domain that no sample shows is known by its hosts.
 */
static bool is_ours(const struct ek_engine *engine, const struct ek_in_flight *flight)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool ours = false;

    for (size_t i = 0; !ours && i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        ours = flight->domain != EK_NONE
                   ? strcmp(order->domain, snapshot->domains[flight->domain].uuid) == 0
                   : strcmp(order->source, snapshot->hosts[flight->source].name) == 0 &&
                         strcmp(order->destination, snapshot->hosts[flight->destination].name) == 0;
    }
    return ours;
}

/* Migrations of others that are on their way to the host: what comes in runs there in a moment. */
static uint32_t count_arrivals(const struct ek_engine *engine, uint32_t host)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    uint32_t count = 0;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        bool there = flight->domain != EK_NONE && snapshot->domains[flight->domain].host == host;
        count += flight->destination == host && !there && !is_ours(engine, flight) ? 1 : 0;
    }
    return count;
}

/* Domains that are there, and moves that begin or end there: a host is empty only without any. */
static uint32_t count_left(const struct ek_engine *engine, uint32_t host)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    uint32_t left = count_arrivals(engine, host);

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        left += snapshot->domains[d].host == host ? 1 : 0;
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        left += snapshot->copies[c].host == host ? 1 : 0;
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        bool touches = strcmp(order->source, snapshot->hosts[host].name) == 0 ||
                       strcmp(order->destination, snapshot->hosts[host].name) == 0;
        left += touches && !stands_on(snapshot, order->domain, host) ? 1 : 0;
    }
    return left;
}

/* Arrivals count as well: a host that still receives one is not done with its moves. */
static bool leaving(const struct ek_engine *engine, const char *host)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        if (strcmp(engine->running[i].order.source, host) == 0 ||
            strcmp(engine->running[i].order.destination, host) == 0) {
            return true;
        }
    }
    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; i < it->step_count; i++) {
            if (it->steps[i].state == EK_STEP_WAITING &&
                strcmp(it->steps[i].order.source, host) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* `for_good` is set by any domain that fits nowhere: one such keeps the host from ever being
 * empty. */
static bool gather_blockers(const struct ek_engine *engine, const char *host,
                            struct ek_maintenance_status *status, bool *for_good,
                            struct ek_arena *arena, struct ek_error *err)
{
    /* One more: what holds the engine back blocks every host and has no domain. */
    size_t room = engine->stuck_count + engine->stop_end_count + 1;
    struct ek_blocker *blockers = ek_arena_alloc(arena, room, sizeof(*blockers));

    if (blockers == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the blockers of a host");
    }
    status->blockers = blockers;
    *for_good = false;
    for (size_t i = 0; i < engine->stuck_count; i++) {
        const struct ek_stuck *stuck = &engine->stuck[i];
        if (strcmp(stuck->host, host) == 0) {
            const char *error = ek_engine_stop_error(engine, stuck->domain);
            const char *reason = error == NULL || error[0] == '\0'
                                     ? stuck->reason
                                     : ek_arena_printf(arena, "%s (%s)", stuck->reason, error);
            if (reason == NULL) {
                return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a blocker");
            }
            blockers[status->blocker_count++] =
                (struct ek_blocker){.domain = stuck->domain,
                                    .name = stuck->name,
                                    .reason = reason,
                                    .relaxation = stuck->relaxation,
                                    .relaxation_host = stuck->relaxation_host};
            *for_good = *for_good || !stuck->for_now;
        }
    }
    if (!ek_engine_list_restarted(engine, host, blockers, &status->blocker_count, arena, err)) {
        return false;
    }
    const char *hold = ek_engine_holding(engine);
    if (hold != NULL) {
        blockers[status->blocker_count++] =
            (struct ek_blocker){.domain = "", .name = "", .reason = hold};
    }
    assert(status->blocker_count <= room);
    return true;
}

/* Whether the host was sampled lately, and after the last domain left it: what has just moved away
 * is not seen to be gone yet, and something may have started there meanwhile. The snapshot may be
 * an old one: not every step brings a new one. */
static bool seen_empty(const struct ek_engine *engine, const struct ek_host *host)
{
    if (host->sampled_at_ms != 0 && engine->now_ms - host->sampled_at_ms > 2 * host->period_ms) {
        return false;
    }
    for (size_t i = 0; i < engine->recent_count; i++) {
        const struct ek_outcome *outcome = &engine->recent[i].outcome;
        if (host->sampled_at_ms != 0 && strcmp(outcome->source, host->name) == 0 &&
            host->sampled_at_ms <= outcome->ended_at_ms) {
            return false;
        }
    }
    return host->state == EK_HOST_UP;
}

/* In order of certainty: empty is seen, and each further line claims less. Of a host that is
 * emptied as far as it goes "infeasible" is said only when nothing moves any more, because room may
 * come with every move. */
static enum ek_maintenance_state state_of(const struct ek_engine *engine,
                                          const struct ek_host *host,
                                          const struct ek_maintenance_status *status, bool for_good)
{
    if (status->domains_left == 0 && seen_empty(engine, host)) {
        return EK_MAINTENANCE_EVACUATED;
    }
    if (engine->policy.mode == EK_MODE_RECOMMEND) {
        return EK_MAINTENANCE_PREFLIGHT;
    }
    if (host->state != EK_HOST_UP) {
        return EK_MAINTENANCE_BLOCKED;
    }
    if (for_good && !host->partial && !ek_engine_has_begun(engine, host->name)) {
        return EK_MAINTENANCE_INFEASIBLE;
    }
    if (leaving(engine, host->name)) {
        return EK_MAINTENANCE_EVACUATING;
    }
    if (for_good) {
        return EK_MAINTENANCE_INFEASIBLE;
    }
    return status->blocker_count > 0 ? EK_MAINTENANCE_BLOCKED : EK_MAINTENANCE_EVACUATING;
}

/* What is left of a time that was told then; 0 once it is over. */
static int64_t left_ms(const struct ek_engine *engine, const struct ek_promise *promise, int64_t ms)
{
    int64_t left = promise->made_at_ms + ms - engine->now_ms;

    return left > 0 ? left : 0;
}

/* Of a host that is empty, or that nobody empties, nothing is promised. */
static void add_promise(const struct ek_engine *engine, struct ek_maintenance_status *status)
{
    const struct ek_promise *promise = ek_engine_find_promise(engine, status->host);
    bool goes =
        status->state == EK_MAINTENANCE_EVACUATING || status->state == EK_MAINTENANCE_PREFLIGHT;

    status->eta_ms = -1;
    if (promise == NULL || status->state == EK_MAINTENANCE_EVACUATED) {
        return;
    }
    status->promised_at_ms = promise->made_at_ms;
    if (!promise->waits) {
        status->feasibility = promise->feasible ? EK_FEASIBLE : EK_NOT_FEASIBLE;
    }
    if (!goes || (!promise->feasible && promise->order_count == 0)) {
        return;
    }
    status->order = promise->order;
    status->order_count = promise->order_count;
    /* Of what is late, or waits for what nobody can time, "0 s" would be an answer that is wrong:
     * how long it takes is not known then. */
    int64_t likely_ms = left_ms(engine, promise, promise->eta.likely_ms);
    if (likely_ms > 0 || status->domains_left == 0) {
        status->eta_ms = likely_ms;
        status->eta_low_ms = left_ms(engine, promise, promise->eta.low_ms);
        status->eta_high_ms = left_ms(engine, promise, promise->eta.high_ms);
        status->slack_ms -= status->eta_ms;
    }
}

/* Every step, changed or not: the effect is cheap and its reader decides what is news. */
static bool record_host(struct ek_engine *engine, uint32_t h, struct ek_effects *effects,
                        struct ek_error *err)
{
    const struct ek_host *host = &engine->snapshot.hosts[h];
    struct ek_maintenance_status status = {.host = host->name,
                                           .deadline_ms = host->deadline_ms,
                                           .slack_ms = host->deadline_ms - engine->now_ms,
                                           .pace = engine->pace,
                                           .domains_left = count_left(engine, h)};
    bool for_good = false;

    if (!gather_blockers(engine, host->name, &status, &for_good, &effects->arena, err)) {
        return false;
    }
    /* "Blocked" without a blocker would leave the operator to guess. */
    if (host->state != EK_HOST_UP && status.blocker_count == 0) {
        struct ek_blocker *blocker = ek_arena_alloc(&effects->arena, 1, sizeof(*blocker));
        if (blocker == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the blockers of a host");
        }
        *blocker =
            (struct ek_blocker){.domain = "", .name = "", .reason = "the host has no fresh sample"};
        status.blockers = blocker;
        status.blocker_count = 1;
    }
    assert(h < engine->snapshot.host_count && host->maintenance);
    status.state = state_of(engine, host, &status, for_good);
    add_promise(engine, &status);
    if (!ek_engine_list_stops(engine, host->name, &status, &effects->arena, err)) {
        return false;
    }
    /* How long a guest takes to shut down nobody knows. */
    if (status.stop_count > 0 && status.order_count == 0) {
        status.eta_ms = -1;
    }
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_MAINTENANCE, err);
    if (effect == NULL) {
        return false;
    }
    effect->u.maintenance = status;
    return true;
}

/* A key that was deleted, or a host that left the configuration: its status must not stand in Redis
 * for ever. */
static bool record_ended(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    for (size_t i = 0; i < engine->maintained_count; i++) {
        uint32_t h = ek_snapshot_find_host(&engine->snapshot, engine->maintained[i]);
        if (h != EK_NONE && engine->snapshot.hosts[h].maintenance) {
            continue;
        }
        if (!ek_engine_tell_stopped(engine, engine->maintained[i], effects, err)) {
            return false;
        }
        struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_MAINTENANCE, err);
        if (effect == NULL) {
            return false;
        }
        effect->u.maintenance.host = ek_arena_strdup(&effects->arena, engine->maintained[i]);
        effect->u.maintenance.state = EK_MAINTENANCE_ENDED;
        effect->u.maintenance.eta_ms = -1;
        if (effect->u.maintenance.host == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a host's name");
        }
    }
    return true;
}

/* Remembers whose status is shown, so that its end is shown, too. */
static bool remember(struct ek_engine *engine, struct ek_error *err)
{
    struct ek_arena *arena = &engine->maintained_arena;
    const struct ek_snapshot *snapshot = &engine->snapshot;

    ek_arena_finish(arena);
    engine->maintained_count = 0;
    engine->maintained = ek_arena_alloc(arena, snapshot->host_count, sizeof(*engine->maintained));
    bool ok = engine->maintained != NULL;
    for (size_t h = 0; ok && h < snapshot->host_count; h++) {
        /* Copied: the snapshot will be gone when the end is noticed. */
        if (snapshot->hosts[h].maintenance) {
            const char *name = ek_arena_strdup(arena, snapshot->hosts[h].name);
            engine->maintained[engine->maintained_count] = name;
            engine->maintained_count += name != NULL ? 1 : 0;
            ok = name != NULL;
        }
    }
    assert(engine->maintained_count <= snapshot->host_count);
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory for hosts in maintenance");
}

/* A host that is being emptied is looked at again with the next sample, not with the next cycle. */
static bool wake(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    int64_t period_ms = ek_engine_period_ms(engine);
    bool wanted = false;

    for (size_t i = 0; i < effects->count; i++) {
        const struct ek_effect *effect = &effects->items[i];
        wanted = wanted || (effect->kind == EK_EFFECT_RECORD_MAINTENANCE &&
                            (effect->u.maintenance.state == EK_MAINTENANCE_EVACUATING ||
                             effect->u.maintenance.state == EK_MAINTENANCE_BLOCKED));
    }
    /* Offline snapshots have no period, and nobody who would wait. */
    return !wanted || period_ms == 0 || ek_effect_wake(effects, engine->now_ms + period_ms, err);
}

bool ek_engine_record_maintenance(struct ek_engine *engine, struct ek_effects *effects,
                                  struct ek_error *err)
{
    if (!record_ended(engine, effects, err)) {
        return false;
    }
    for (uint32_t h = 0; h < engine->snapshot.host_count; h++) {
        if (engine->snapshot.hosts[h].maintenance && !record_host(engine, h, effects, err)) {
            return false;
        }
    }
    return remember(engine, err) && wake(engine, effects, err);
}
