/* The engine's promises: what emptying each host will take, said before its first move and anew
 * with every plan; and which evacuations have begun. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <string.h>

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is promised of a host");
}

/* ---- promises -------------------------------------------------------------------------------- */

/* Blockers are shown until the next plan; the plan's own texts are gone with the next step. */
static bool copy_stuck(struct ek_engine *engine, const struct ek_unresolved *from,
                       struct ek_stuck *out)
{
    const struct ek_snapshot *snapshot = engine->plan.snapshot;
    const struct ek_domain *domain = &snapshot->domains[from->domain];
    const struct ek_relaxation *way_out = &from->relaxation;
    bool said = way_out->text != NULL;
    struct ek_arena *arena = &engine->stuck_arena;

    *out = (struct ek_stuck){
        .domain = ek_arena_strdup(arena, domain->uuid),
        .name = ek_arena_strdup(arena, domain->name == NULL ? domain->uuid : domain->name),
        .host = ek_arena_strdup(arena, snapshot->hosts[from->host].name),
        .reason = ek_arena_strdup(arena, from->reason),
        .relaxation = ek_arena_strdup(arena, way_out->text),
        .relaxation_host = said && way_out->host != EK_NONE
                               ? ek_arena_strdup(arena, snapshot->hosts[way_out->host].name)
                               : NULL,
        .for_now = from->for_now,
    };
    return out->domain != NULL && out->name != NULL && out->host != NULL && out->reason != NULL &&
           (!said || out->relaxation != NULL);
}

/* Those that are withheld are in nobody's way. */
static bool keep_stuck(struct ek_engine *engine, struct ek_error *err)
{
    const struct ek_plan *plan = &engine->plan;

    ek_arena_finish(&engine->stuck_arena);
    engine->stuck_count = 0;
    engine->due_count = 0; /* their texts were in it, too */
    engine->stuck =
        ek_arena_alloc(&engine->stuck_arena, plan->unresolved_count, sizeof(*engine->stuck));
    for (size_t i = 0; engine->stuck != NULL && i < plan->unresolved_count; i++) {
        if (plan->unresolved[i].withheld) {
            continue;
        }
        if (!copy_stuck(engine, &plan->unresolved[i], &engine->stuck[engine->stuck_count])) {
            return nomem(err);
        }
        engine->stuck_count++;
        assert(engine->stuck_count <= plan->unresolved_count);
    }
    return engine->stuck != NULL || nomem(err);
}

/* Who is stopped last. */
static bool keep_dues(struct ek_engine *engine, struct ek_error *err)
{
    const struct ek_plan *plan = &engine->plan;
    struct ek_arena *arena = &engine->stuck_arena;

    engine->dues = ek_arena_alloc(arena, plan->stop_count, sizeof(*engine->dues));
    for (size_t i = 0; engine->dues != NULL && i < plan->stop_count; i++) {
        const struct ek_domain *domain = &plan->snapshot->domains[plan->stops[i].domain];
        struct ek_due *due = &engine->dues[i];

        due->domain = ek_arena_strdup(arena, domain->uuid);
        due->name = ek_arena_strdup(arena, domain->name == NULL ? domain->uuid : domain->name);
        due->host = ek_arena_strdup(arena, plan->snapshot->hosts[plan->stops[i].host].name);
        due->kind = plan->stops[i].kind;
        if (due->domain == NULL || due->name == NULL || due->host == NULL) {
            return nomem(err);
        }
        engine->due_count++;
    }
    return engine->dues != NULL || nomem(err);
}

static bool list_order(struct ek_engine *engine, uint32_t host, struct ek_promise *promise)
{
    const struct ek_plan *plan = &engine->plan;
    const struct ek_schedule *schedule = &engine->schedule;
    struct ek_arena *arena = &engine->promise_arena;
    bool ok = true;

    promise->order = ek_arena_alloc(arena, plan->move_count, sizeof(*promise->order));
    for (size_t i = 0; promise->order != NULL && ok && i < schedule->slot_count; i++) {
        const struct ek_plan_move *move = &plan->moves[schedule->order[i]];
        const struct ek_domain *domain = &plan->snapshot->domains[move->domain];
        if (move->source == host) {
            const char *name =
                ek_arena_strdup(arena, domain->name == NULL ? domain->uuid : domain->name);
            promise->order[promise->order_count++] = name;
            ok = name != NULL;
        }
    }
    return ok && promise->order != NULL;
}

static bool promise_host(struct ek_engine *engine, const struct ek_preflight_host *from,
                         struct ek_error *err)
{
    struct ek_promise *promise = &engine->promises[engine->promise_count];

    *promise = (struct ek_promise){
        .host =
            ek_arena_strdup(&engine->promise_arena, engine->plan.snapshot->hosts[from->host].name),
        .feasible = from->feasible,
        .waits = from->waits || from->problem != NULL,
        .eta = from->eta,
        .made_at_ms = engine->now_ms,
    };
    if (promise->host == NULL || !list_order(engine, from->host, promise)) {
        return nomem(err);
    }
    engine->promise_count++;
    return true;
}

bool ek_engine_look_ahead(struct ek_engine *engine, const struct ek_plan_request *request,
                          struct ek_error *err)
{
    struct ek_preflight preflight;

    ek_arena_finish(&engine->promise_arena);
    engine->promise_count = 0;
    if (!keep_stuck(engine, err) || !keep_dues(engine, err) ||
        !ek_preflight_make(&preflight, &engine->plan, &engine->schedule, request, err)) {
        return false;
    }
    engine->promises =
        ek_arena_alloc(&engine->promise_arena, preflight.host_count, sizeof(*engine->promises));
    bool ok = engine->promises != NULL || nomem(err);
    for (size_t i = 0; ok && i < preflight.host_count; i++) {
        ok = promise_host(engine, &preflight.hosts[i], err);
    }
    ek_preflight_finish(&preflight);
    return ok;
}

const struct ek_promise *ek_engine_find_promise(const struct ek_engine *engine, const char *host)
{
    for (size_t i = 0; i < engine->promise_count; i++) {
        if (strcmp(engine->promises[i].host, host) == 0) {
            return &engine->promises[i];
        }
    }
    return NULL;
}

/* ---- what has begun -------------------------------------------------------------------------- */

bool ek_engine_has_begun(const struct ek_engine *engine, const char *host)
{
    bool found = false;

    for (size_t i = 0; !found && i < engine->begun_count; i++) {
        found = strcmp(engine->begun[i], host) == 0;
    }
    return found;
}

/* The list is short and seldom changes: it is made anew each time. */
static bool keep_begun(struct ek_engine *engine, const char *one_more, struct ek_error *err)
{
    struct ek_arena arena = {.newest = NULL};
    const char **list = ek_arena_alloc(&arena, engine->begun_count + 1, sizeof(*list));
    size_t count = 0;
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < engine->begun_count; i++) {
        uint32_t host = ek_snapshot_find_host(&engine->snapshot, engine->begun[i]);
        bool wanted = host != EK_NONE && engine->snapshot.hosts[host].maintenance;
        if (wanted || one_more != NULL) {
            list[count] = ek_arena_strdup(&arena, engine->begun[i]);
            ok = list[count++] != NULL;
        }
    }
    if (ok && one_more != NULL) {
        list[count] = ek_arena_strdup(&arena, one_more);
        ok = list[count++] != NULL;
    }
    if (!ok) {
        ek_arena_finish(&arena);
        return nomem(err);
    }
    ek_arena_finish(&engine->begun_arena);
    engine->begun = list;
    engine->begun_count = count;
    engine->begun_arena = arena;
    return true;
}

bool ek_engine_begin_host(struct ek_engine *engine, const char *host, struct ek_error *err)
{
    /* The snapshot stays as it is until the next one: the plan that begins it was made from that,
     * and is recorded with it. */
    return ek_engine_has_begun(engine, host) || keep_begun(engine, host, err);
}

/* Of one that had not begun nothing is to be forgotten: what was promised of it stands. */
bool ek_engine_end_host(struct ek_engine *engine, const char *host, struct ek_effects *effects,
                        struct ek_error *err)
{
    uint32_t index = ek_snapshot_find_host(&engine->snapshot, host);
    size_t left = 0;

    for (size_t i = 0; i < engine->begun_count; i++) {
        if (strcmp(engine->begun[i], host) != 0) {
            engine->begun[left++] = engine->begun[i];
        }
    }
    if (left == engine->begun_count) {
        return true;
    }
    engine->begun_count = left;
    if (index != EK_NONE) {
        engine->snapshot.hosts[index].begun = false;
    }
    engine->maintenance_digest = 0; /* the next snapshot's set of hosts counts as another one */
    const char *why = ek_arena_printf(&effects->arena, "the maintenance of %s was ended", host);
    return why == NULL ? nomem(err) : ek_engine_abandon(engine, EK_DROP_WAITING, effects, why, err);
}

bool ek_engine_mark_begun(struct ek_engine *engine, struct ek_error *err)
{
    if (engine->begun_count > 0 && !keep_begun(engine, NULL, err)) {
        return false;
    }
    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        struct ek_host *host = &engine->snapshot.hosts[h];
        host->begun = host->maintenance && (host->begun || ek_engine_has_begun(engine, host->name));
    }
    return true;
}
