/* The live bandwidth budget: what runs shares the links anew whenever something starts or ends, and
 * a move starts only where that leaves everybody enough. */
#include "balancer/core/bandwidth.h"
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* What everybody must keep of its full rate when one more starts: a migration at less dirties more
 * than it gains, and a link that is left idle for the last quarter costs more than it saves. */
#define KEEPS 0.75

/* More than any link has; libvirt counts bytes in 63 bits. */
#define MOST_MIB_S 1e9

/* The flows of one moment. Links get their places as they come: only those that somebody uses are
 * looked at, however many hosts there are. */
struct ek_sharing {
    const struct ek_engine *engine;
    struct ek_flow *flows;
    size_t flow_count;
    uint64_t *budgets_mib_s;
    uint32_t *names; /* per budget, see budget_name() */
    size_t budget_count;
    struct ek_limits usual; /* of the policy: for all together that the pace does not bind ... */
    struct ek_limits paced; /* ... and of the pace: for all that runs */
    bool split;             /* their bandwidths differ */
    struct ek_arena arena;
};

/* A link that is what it is may be rounded up, since it limits by itself; what an operator has
 * allowed may not. */
static uint64_t whole(double mib_s, bool up)
{
    double rounded = up ? ceil(mib_s - 1e-6) : floor(mib_s + 1e-6);

    return (uint64_t)fmax(1, fmin(rounded, MOST_MIB_S));
}

static uint64_t link_budget(const struct ek_engine *engine, const struct ek_limits *limits,
                            uint32_t host)
{
    uint64_t link = whole(engine->snapshot.hosts[host].migration_mib_s, true);
    double allowed = limits->bandwidth_per_host_mib_s;

    return allowed > 0 && whole(allowed, false) < link ? whole(allowed, false) : link;
}

static uint32_t budget_of(struct ek_sharing *sharing, uint32_t name, uint64_t budget_mib_s)
{
    uint32_t at = 0;

    while (at < sharing->budget_count && sharing->names[at] != name) {
        at++;
    }
    if (at == sharing->budget_count) {
        sharing->names[at] = name;
        sharing->budgets_mib_s[at] = budget_mib_s;
        sharing->budget_count++;
    }
    return at;
}

enum link_kind { OUT, IN, CLUSTER, LINK_KIND_COUNT };

/* Each link in each direction has two, where the pace gives more than the policy. */
static uint32_t budget_name(uint32_t host, enum link_kind kind, bool paced)
{
    uint32_t of = paced ? 1 : 0;

    return kind == CLUSTER ? EK_NONE - of : 4 * host + 2 * (uint32_t)kind + of;
}

static uint32_t link_of(struct ek_sharing *sharing, uint32_t host, enum link_kind kind, bool paced)
{
    const struct ek_limits *limits = paced ? &sharing->paced : &sharing->usual;
    double cluster = limits->bandwidth_cluster_mib_s;
    uint32_t name = budget_name(host, kind, paced);

    if (kind == CLUSTER) {
        return cluster > 0 ? budget_of(sharing, name, whole(cluster, false)) : EK_NONE;
    }
    /* A host that is not configured any more has no link that we know. */
    return host == EK_NONE ? EK_NONE
                           : budget_of(sharing, name, link_budget(sharing->engine, limits, host));
}

/* What the pace binds takes of its budgets alone; all else of both: together it never gets more
 * than the policy leaves it, and with what the pace binds never more than there is. */
static void add_flow(struct ek_sharing *sharing, const char *key, uint32_t source,
                     uint32_t destination, bool paced)
{
    const uint32_t ends[LINK_KIND_COUNT] = {[OUT] = source, [IN] = destination};
    struct ek_flow *flow = &sharing->flows[sharing->flow_count++];

    static_assert(EK_FLOW_LINKS == 2 * LINK_KIND_COUNT, "each link may have two budgets");
    *flow = (struct ek_flow){.key = key};
    for (size_t kind = 0; kind < LINK_KIND_COUNT; kind++) {
        bool usual = !paced || !sharing->split;
        flow->links[kind] =
            usual ? link_of(sharing, ends[kind], (enum link_kind)kind, false) : EK_NONE;
        flow->links[LINK_KIND_COUNT + kind] =
            sharing->split ? link_of(sharing, ends[kind], (enum link_kind)kind, true) : EK_NONE;
    }
}

static void add_order(struct ek_sharing *sharing, const struct ek_move_order *order)
{
    const struct ek_snapshot *snapshot = &sharing->engine->snapshot;

    add_flow(sharing, order->id, ek_snapshot_find_host(snapshot, order->source),
             ek_snapshot_find_host(snapshot, order->destination),
             ek_engine_is_paced(sharing->engine, order));
}

/* Whoever else migrates takes its share, though nobody can set it. */
static bool add_foreign(struct ek_sharing *sharing)
{
    const struct ek_snapshot *snapshot = &sharing->engine->snapshot;
    size_t count = ek_engine_foreign_moves(sharing->engine, NULL, 0);
    struct ek_known_move *moves = ek_arena_alloc(&sharing->arena, count, sizeof(*moves));
    bool ok = moves != NULL;

    count = ok ? ek_engine_foreign_moves(sharing->engine, moves, count) : 0;
    for (size_t f = 0; ok && f < count; f++) {
        /* No id of ours has a space. */
        const char *key = ek_arena_printf(&sharing->arena, "foreign %s", moves[f].domain);
        ok = key != NULL;
        if (ok) {
            add_flow(sharing, key, ek_snapshot_find_host(snapshot, moves[f].source),
                     ek_snapshot_find_host(snapshot, moves[f].destination), false);
        }
    }
    return ok;
}

/* Late, or a laggard: when it ends nobody knows; but two laggards on one link would both have even
 * less of it. About to end: what begins now finds the link free when
 * its QEMU is up; until then no byte of it flows. Either keeps its places under the limits and its
 * share (has_share), but nobody waits for that share. */
static bool is_waited_for(const struct ek_engine *engine, const struct ek_running *running,
                          bool lags)
{
    return !ek_move_stops(running->order.kind) && !running->ending && (lags || !running->laggard) &&
           engine->now_ms <= running->started_at_ms + running->order.predicted_duration_ms;
}

/* A link limits by itself: what is about to end goes on as it did, and what follows starts with all
 * of the link, not with the half that it could be given more of only once it copies. A budget of
 * the operator's is kept to the last byte. */
static bool has_share(const struct ek_engine *engine, const struct ek_running *running)
{
    const struct ek_limits limits = ek_engine_limits(engine, &running->order);

    if (ek_move_stops(running->order.kind)) {
        return false; /* it uses no link */
    }
    return !running->ending || limits.bandwidth_per_host_mib_s > 0 ||
           limits.bandwidth_cluster_mib_s > 0;
}

/* Room for the flows of all that runs, and one more. */
static bool share_begin(struct ek_sharing *sharing, const struct ek_engine *engine)
{
    struct ek_arena *arena = &sharing->arena;
    size_t room = engine->running_count + engine->snapshot.in_flight_count + 1;

    memset(sharing, 0, sizeof(*sharing));
    sharing->engine = engine;
    sharing->usual = ek_limits_of(&engine->policy);
    sharing->paced = ek_pace_limits(&engine->policy, engine->pace);
    sharing->split = !ek_limits_same_bandwidth(&sharing->usual, &sharing->paced);
    sharing->flows = ek_arena_alloc(arena, room, sizeof(*sharing->flows));
    size_t budgets = 2 * (2 * room + 1);
    sharing->budgets_mib_s = ek_arena_alloc(arena, budgets, sizeof(*sharing->budgets_mib_s));
    sharing->names = ek_arena_alloc(arena, budgets, sizeof(*sharing->names));
    return sharing->flows != NULL && sharing->budgets_mib_s != NULL && sharing->names != NULL;
}

static bool share_end(struct ek_sharing *sharing)
{
    return add_foreign(sharing) &&
           ek_bandwidth_share(sharing->budgets_mib_s, sharing->budget_count, sharing->flows,
                              sharing->flow_count, &sharing->arena);
}

/* What one waits for who would start: with it, or (`joins` false) without it. */
static bool share_waited_for(struct ek_sharing *sharing, const struct ek_engine *engine,
                             const struct ek_step *step, bool joins)
{
    if (!share_begin(sharing, engine)) {
        return false;
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        if (is_waited_for(engine, &engine->running[i], step->laggard)) {
            add_order(sharing, &engine->running[i].order);
        }
    }
    if (joins) {
        add_order(sharing, &step->order);
    }
    return share_end(sharing);
}

/* All that has a share. */
static bool share_running(struct ek_sharing *sharing, const struct ek_engine *engine)
{
    if (!share_begin(sharing, engine)) {
        return false;
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        if (has_share(engine, &engine->running[i])) {
            add_order(sharing, &engine->running[i].order);
        }
    }
    return share_end(sharing);
}

static uint64_t share_of(const struct ek_sharing *sharing, const char *id)
{
    for (size_t f = 0; f < sharing->flow_count; f++) {
        if (strcmp(sharing->flows[f].key, id) == 0) {
            return sharing->flows[f].share_mib_s;
        }
    }
    return 0;
}

/* What the flow would have alone. */
static uint64_t full_rate(const struct ek_sharing *sharing, const struct ek_flow *flow)
{
    uint64_t rate = UINT64_MAX;

    for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
        if (flow->links[i] != EK_NONE && sharing->budgets_mib_s[flow->links[i]] < rate) {
            rate = sharing->budgets_mib_s[flow->links[i]];
        }
    }
    return rate;
}

static bool all_keep_enough(const struct ek_sharing *before, const struct ek_sharing *after)
{
    for (size_t f = 0; f < after->flow_count; f++) {
        const struct ek_flow *flow = &after->flows[f];
        uint64_t had = share_of(before, flow->key); /* 0: it is the new one */
        bool enough = flow->share_mib_s == 0 ||
                      (double)flow->share_mib_s >= KEEPS * (double)full_rate(after, flow);
        if (!enough && (had == 0 || flow->share_mib_s < had)) {
            return false;
        }
    }
    return true;
}

bool ek_engine_links_carry(const struct ek_engine *engine, const struct ek_step *step)
{
    struct ek_sharing before;
    struct ek_sharing after;
    /* Without memory the move waits for the next step. */
    bool carry = share_waited_for(&before, engine, step, false);

    carry =
        share_waited_for(&after, engine, step, true) && carry && all_keep_enough(&before, &after);
    ek_arena_finish(&before.arena);
    ek_arena_finish(&after.arena);
    return carry;
}

/* The order of a move that starts in this very step has its share in itself. */
static bool tell(struct ek_effects *effects, const struct ek_move_order *order,
                 uint64_t share_mib_s, struct ek_error *err)
{
    for (size_t i = 0; i < effects->count; i++) {
        struct ek_effect *effect = &effects->items[i];
        if (effect->kind == EK_EFFECT_START && strcmp(effect->u.start.id, order->id) == 0) {
            effect->u.start.bandwidth_mib_s = share_mib_s;
            return true;
        }
    }
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_LIMIT, err);
    if (effect != NULL) {
        memcpy(effect->u.limit.id, order->id, sizeof(effect->u.limit.id));
        effect->u.limit.bandwidth_mib_s = share_mib_s;
    }
    return effect != NULL;
}

bool ek_engine_share(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    struct ek_sharing sharing;
    bool ok = true;

    if (engine->running_count == 0) {
        return true;
    }
    ok = share_running(&sharing, engine) ||
         ek_error_set(err, EK_ERR_NOMEM, "out of memory for shares of the bandwidth");
    for (size_t i = 0; ok && i < engine->running_count; i++) {
        struct ek_running *running = &engine->running[i];
        uint64_t mib_s = share_of(&sharing, running->order.id);
        if (!has_share(engine, running)) {
            continue;
        }
        if (!running->share_known || running->order.bandwidth_mib_s != mib_s) {
            running->share_known = true;
            running->order.bandwidth_mib_s = mib_s;
            ok = tell(effects, &running->order, mib_s, err);
        }
    }
    ek_arena_finish(&sharing.arena);
    return ok;
}
