/* The engine's dispatch: a stream of starts, each checked again on the newest figures. */
#include "balancer/core/engine_state.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries stay in place when they go: the array is the plan's and lives as long as it. */
size_t ek_engine_waiting_count(const struct ek_engine *engine)
{
    size_t count = 0;

    for (size_t i = 0; i < engine->waiting_count; i++) {
        count += engine->waiting[i].gone ? 0 : 1;
    }
    return count;
}

/* Linear: limits keep the number of running moves at a handful. */
struct ek_running *ek_engine_find_running(struct ek_engine *engine, const char *id)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        if (strcmp(engine->running[i].order.id, id) == 0) {
            return &engine->running[i];
        }
    }
    return NULL;
}

/* The view grows along, so that showing what runs can never fail. */
static bool running_reserve(struct ek_engine *engine, struct ek_error *err)
{
    if (engine->running_count < engine->running_room) {
        return true;
    }
    size_t room = engine->running_room == 0 ? 8 : 2 * engine->running_room;
    struct ek_running *running = realloc(engine->running, room * sizeof(*running));
    if (running == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a running move");
    }
    /* Kept at once: realloc has freed the old block, whatever becomes of the view. */
    engine->running = running;
    struct ek_move_order *view = realloc(engine->running_view, room * sizeof(*view));
    if (view == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a running move");
    }
    engine->running_view = view;
    engine->running_room = room;
    return true;
}

bool ek_engine_run(struct ek_engine *engine, const struct ek_move_order *order,
                   int64_t started_at_ms, struct ek_error *err)
{
    if (!running_reserve(engine, err)) {
        return false;
    }
    assert(engine->running_count < engine->running_room);
    assert(ek_engine_find_running(engine, order->id) == NULL);
    engine->running[engine->running_count++] =
        (struct ek_running){.order = *order, .started_at_ms = started_at_ms};
    return true;
}

void ek_engine_end(struct ek_engine *engine, const char *id)
{
    struct ek_running *running = ek_engine_find_running(engine, id);

    if (running != NULL) {
        /* The last takes its place: the order of running moves means nothing. */
        *running = engine->running[--engine->running_count];
    }
}

/* A domain is in flight once; without a domain in the samples the pair of hosts stands for it. */
static bool listed(const struct ek_snapshot *snapshot, const struct ek_in_flight *flight)
{
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *other = &snapshot->in_flight[f];
        bool same_hosts =
            other->source == flight->source && other->destination == flight->destination;
        if (other->domain == flight->domain && (flight->domain != EK_NONE || same_hosts)) {
            return true;
        }
    }
    return false;
}

/* The snapshot itself stays as it is: it is the recorded input of the plan. */
bool ek_engine_present(struct ek_engine *engine, struct ek_snapshot *present, struct ek_error *err)
{
    struct ek_snapshot *snapshot = &engine->snapshot;
    /* Ours beside what the samples showed: foreign migrations take room and limits, too. */
    size_t room = engine->running_count + snapshot->in_flight_count;
    struct ek_in_flight *list = ek_arena_alloc(&snapshot->arena, room, sizeof(*list));
    size_t count = snapshot->in_flight_count;

    if (list == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the moves in flight");
    }
    if (count > 0) {
        memcpy(list, snapshot->in_flight, count * sizeof(*list));
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *order = &engine->running[i].order;
        bool ambiguous = false;
        struct ek_in_flight flight = {
            .domain = ek_snapshot_find_domain(snapshot, order->domain, &ambiguous),
            .source = ek_snapshot_find_host(snapshot, order->source),
            .destination = ek_snapshot_find_host(snapshot, order->destination),
            .started_at_ms = engine->running[i].started_at_ms};
        if (flight.source != EK_NONE && flight.destination != EK_NONE &&
            !listed(snapshot, &flight)) {
            list[count++] = flight;
        }
    }
    assert(count <= room);
    *present = *snapshot;
    present->in_flight = list;
    present->in_flight_count = count;
    return true;
}

/* What a move between those hosts takes of their links, as the schedule has it; 0 when one of them
 * is not known any more. */
static double rate_of(const struct ek_engine *engine, const struct ek_move_order *order)
{
    uint32_t source = ek_snapshot_find_host(&engine->snapshot, order->source);
    uint32_t destination = ek_snapshot_find_host(&engine->snapshot, order->destination);

    if (source == EK_NONE || destination == EK_NONE) {
        return 0;
    }
    return ek_migration_rate(&engine->snapshot, &engine->policy, source, destination);
}

static double link_of(const struct ek_engine *engine, const char *name)
{
    uint32_t host = ek_snapshot_find_host(&engine->snapshot, name);

    return host == EK_NONE ? HUGE_VAL
                           : ek_migration_link(&engine->snapshot.hosts[host], &engine->policy);
}

/* When it ends nobody knows any more: it keeps its places under the limits, but nobody waits for
 * its share of the links. */
static bool is_late(const struct ek_engine *engine, const struct ek_running *running)
{
    return engine->now_ms > running->started_at_ms + running->order.predicted_duration_ms;
}

/* Whether the move finds its full rate beside those that run: few at full bandwidth beat many at a
 * share. */
static bool links_carry(const struct ek_engine *engine, const struct ek_move_order *order)
{
    double rate = rate_of(engine, order);
    double slack = 1e-6 * rate;
    double cluster = engine->policy.bandwidth_cluster_mib_s;
    double out = link_of(engine, order->source) - rate;
    double in = link_of(engine, order->destination) - rate;
    double all = (cluster > 0 ? cluster : HUGE_VAL) - rate;

    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *other = &engine->running[i].order;
        double taken = is_late(engine, &engine->running[i]) ? 0 : rate_of(engine, other);
        out -= strcmp(other->source, order->source) == 0 ? taken : 0;
        in -= strcmp(other->destination, order->destination) == 0 ? taken : 0;
        all -= taken;
    }
    return out >= -slack && in >= -slack && all >= -slack;
}

/* By name: indices change with each snapshot, running moves outlive several. */
static bool limits_allow(const struct ek_engine *engine, const struct ek_move_order *order)
{
    const struct ek_policy *policy = &engine->policy;
    struct ek_foreign_load others =
        ek_engine_foreign_load(engine, order->source, order->destination);
    int out = others.out;
    int in = others.in;

    for (size_t i = 0; i < engine->running_count; i++) {
        out += strcmp(engine->running[i].order.source, order->source) == 0 ? 1 : 0;
        in += strcmp(engine->running[i].order.destination, order->destination) == 0 ? 1 : 0;
    }
    if ((int)engine->running_count + others.all >= policy->limit_cluster ||
        out >= policy->limit_host_out || in >= policy->limit_host_in) {
        return false;
    }
    /* Alone on its links and without a budget, a move always finds its rate. */
    return (out == 0 && in == 0 && !(policy->bandwidth_cluster_mib_s > 0)) ||
           links_carry(engine, order);
}

/* A move that failed never counts as done, but then its plan is abandoned as a whole. */
static bool depends_done(const struct ek_engine *engine, const struct ek_waiting *waiting)
{
    for (size_t i = 0; i < waiting->depends_count; i++) {
        assert(waiting->depends_on[i] < engine->seq_count);
        if (!engine->seq_done[waiting->depends_on[i]]) {
            return false;
        }
    }
    return true;
}

/* The index in the newest snapshot, which is mostly that of the one before. */
static uint32_t domain_of(const struct ek_snapshot *snapshot, struct ek_waiting *waiting)
{
    const char *uuid = waiting->order.domain;
    bool ambiguous = false;

    if (waiting->domain >= snapshot->domain_count ||
        strcmp(snapshot->domains[waiting->domain].uuid, uuid) != 0) {
        waiting->domain = ek_snapshot_find_domain(snapshot, uuid, &ambiguous);
    }
    return waiting->domain;
}

/* Later moves must not overtake this one where a must rule counts groups of hosts. */
static void hold(const struct ek_snapshot *snapshot, struct ek_cluster *cluster,
                 struct ek_waiting *waiting)
{
    uint32_t domain = cluster->rules.rule_count == 0 ? EK_NONE : domain_of(snapshot, waiting);

    if (domain != EK_NONE) {
        ek_rule_set_hold(&cluster->rules, domain);
    }
}

/* Whether limits, dependencies and earlier moves let it start at all. */
static bool ready(const struct ek_engine *engine, const struct ek_cluster *cluster,
                  struct ek_waiting *waiting)
{
    if (!limits_allow(engine, &waiting->order) || !depends_done(engine, waiting)) {
        return false;
    }
    uint32_t domain =
        cluster->rules.rule_count == 0 ? EK_NONE : domain_of(&engine->snapshot, waiting);
    return domain == EK_NONE || !ek_rule_set_held(&cluster->rules, domain);
}

enum verdict { GO, WAIT, DROP };

/* Also when one of its hosts is not configured any more, so that no snapshot shows it in flight. */
static bool runs_already(const struct ek_engine *engine, const char *domain)
{
    for (size_t i = 0; i < engine->running_count; i++) {
        if (strcmp(engine->running[i].order.domain, domain) == 0) {
            return true;
        }
    }
    return false;
}

/* Every move is feasible after those before it in the plan, whatever the schedule starts first. */
static bool has_waiting_before(const struct ek_engine *engine, uint32_t seq)
{
    for (size_t i = 0; i < engine->waiting_count; i++) {
        if (!engine->waiting[i].gone && engine->waiting[i].order.seq < seq) {
            return true;
        }
    }
    return false;
}

/* The order on the newest figures: still where it was, and is the destination still fit? */
static enum verdict check(const struct ek_engine *engine, const struct ek_cluster *cluster,
                          struct ek_waiting *waiting, char *why, size_t size)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    const struct ek_move_order *order = &waiting->order;
    uint32_t domain = domain_of(snapshot, waiting);
    uint32_t source = ek_snapshot_find_host(snapshot, order->source);
    uint32_t destination = ek_snapshot_find_host(snapshot, order->destination);
    enum ek_purpose purpose =
        order->kind == EK_MOVE_BALANCE ? EK_PURPOSE_BALANCE : EK_PURPOSE_EVACUATE_FORCED;

    if (domain == EK_NONE || source == EK_NONE || destination == EK_NONE ||
        cluster->host_of[domain] != source) {
        (void)snprintf(why, size, "%s is no longer on %s", order->name, order->source);
        return DROP;
    }
    if (runs_already(engine, order->domain)) {
        (void)snprintf(why, size, "%s is being moved already", order->name);
        return DROP;
    }
    /* The same rules as in planning, on figures that may be minutes younger. */
    enum ek_block block = ek_constraint_domain(cluster, engine->cooldown, domain, purpose);
    if (block == EK_BLOCK_NONE) {
        block = ek_constraint_step(cluster, engine->cooldown, domain, destination, purpose);
    }
    if (block == EK_BLOCK_NONE) {
        return GO;
    }
    (void)snprintf(why, size, "%s to %s: %s", order->name, order->destination,
                   ek_block_text(block));
    /* Room may come when a running move ends, or one that was planned before this one; an arrival
     * may be seen with the next sample. */
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RESOURCE ||
                block == EK_BLOCK_TARGET || block == EK_BLOCK_RULE;
    bool comes = engine->running_count > 0 || has_waiting_before(engine, order->seq);
    bool passes = block == EK_BLOCK_UNSEEN || (comes && room);
    return passes ? WAIT : DROP;
}

static bool start(struct ek_engine *engine, struct ek_waiting *waiting, struct ek_effects *effects,
                  struct ek_error *err)
{
    assert(!waiting->gone && limits_allow(engine, &waiting->order));
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_START, err);

    if (effect == NULL) {
        return false;
    }
    /* By value: the order must outlive a plan that is superseded while it runs. */
    effect->u.start = waiting->order;
    if (!ek_engine_run(engine, &waiting->order, engine->now_ms, err)) {
        return false;
    }
    waiting->gone = true;
    return ek_effect_event(effects, "move", waiting->order.domain, err,
                           "move %s: %s from %s to %s: %s", waiting->order.id, waiting->order.name,
                           waiting->order.source, waiting->order.destination,
                           waiting->order.reason);
}

/* Starts the first waiting move that may start; *started false: none. */
static bool start_one(struct ek_engine *engine, struct ek_effects *effects, bool *started,
                      struct ek_error *err)
{
    struct ek_snapshot present;
    struct ek_cluster cluster;
    char why[EK_TEXT_SIZE] = "";
    bool ok = true;

    *started = false;
    /* A new model for each start: what was just started takes its room on both hosts. */
    if (!ek_engine_present(engine, &present, err) ||
        !ek_cluster_init(&cluster, &present, &engine->policy, err)) {
        return false;
    }
    for (size_t i = 0; ok && !*started && i < engine->waiting_count; i++) {
        struct ek_waiting *waiting = &engine->waiting[i];
        if (waiting->gone) {
            continue;
        }
        enum verdict verdict = WAIT;
        if (ready(engine, &cluster, waiting)) {
            verdict = check(engine, &cluster, waiting, why, sizeof(why));
        }
        if (verdict == WAIT) {
            hold(&engine->snapshot, &cluster, waiting);
        } else if (verdict == DROP) {
            /* The whole rest of the plan goes: it was made for a cluster that this move was part
             * of. */
            ok = ek_engine_abandon(engine, effects, why, err);
        } else if (verdict == GO) {
            ok = start(engine, waiting, effects, err);
            *started = true;
        }
    }
    ek_cluster_finish(&cluster);
    return ok;
}

bool ek_engine_dispatch(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    /* No model is built in the many steps in which nothing waits. */
    bool started = ek_engine_waiting_count(engine) > 0;

    while (started) {
        if (!start_one(engine, effects, &started, err)) {
            return false;
        }
    }
    return true;
}
