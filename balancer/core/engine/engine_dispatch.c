/* The engine's dispatch: a stream of starts, each checked again on the newest figures. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct ek_running *ek_engine_run(struct ek_engine *engine, const struct ek_move_order *order,
                                 int64_t started_at_ms, struct ek_error *err)
{
    if (!running_reserve(engine, err)) {
        return NULL;
    }
    assert(engine->running_count < engine->running_room);
    assert(ek_engine_find_running(engine, order->id) == NULL);
    struct ek_running *running = &engine->running[engine->running_count++];
    *running = (struct ek_running){.order = *order, .started_at_ms = started_at_ms};
    return running;
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

static void take_place(struct ek_circuit_limits *taken, const struct ek_move_order *order,
                       const char *source, const char *destination)
{
    bool out = strcmp(source, order->source) == 0;
    bool in = strcmp(destination, order->destination) == 0;

    taken->out += out ? 1 : 0;
    taken->in += in ? 1 : 0;
    taken->pair += out && in ? 1 : 0;
}

/* By name: indices change with each snapshot, running moves outlive several. */
static void count_places(const struct ek_engine *engine, const struct ek_move_order *order,
                         int *all, struct ek_circuit_limits *taken)
{
    const struct ek_foreign_load others =
        ek_engine_foreign_load(engine, order->source, order->destination);

    *all = 0;
    *taken = (struct ek_circuit_limits){.out = 0};
    for (size_t i = 0; i < engine->running_count; i++) {
        const struct ek_move_order *other = &engine->running[i].order;
        if (!ek_move_stops(other->kind)) { /* which takes no link */
            (*all)++;
            take_place(taken, order, other->source, other->destination);
        }
    }
    /* Whoever else migrates takes its places as well. */
    *all += others.all;
    taken->out += others.out;
    taken->in += others.in;
}

enum ek_limit ek_engine_limit(const struct ek_engine *engine, const struct ek_step *step)
{
    const struct ek_move_order *order = &step->order;
    const struct ek_limits own = ek_engine_limits(engine, order);
    struct ek_circuit_limits limits = {own.host_out, own.host_in, own.cluster};
    struct ek_circuit_limits taken;
    int all = 0;

    ek_circuit_lower(ek_cooldown_circuit(engine->cooldown), &engine->policy, order->source,
                     order->destination, engine->now_ms, &limits);
    count_places(engine, order, &all, &taken);
    if (taken.out >= limits.out || taken.pair >= limits.pair) {
        return EK_LIMIT_SOURCE;
    }
    if (taken.in >= limits.in) {
        return EK_LIMIT_DESTINATION;
    }
    if (all >= own.cluster) {
        return EK_LIMIT_CLUSTER;
    }
    /* Alone on its links and without a budget, a move always finds its rate. */
    bool alone = taken.out == 0 && taken.in == 0 && !(own.bandwidth_cluster_mib_s > 0);
    return alone || ek_engine_links_carry(engine, step) ? EK_LIMIT_NONE : EK_LIMIT_LINKS;
}

/* The index in the newest snapshot, which is mostly that of the one before. */
static uint32_t domain_of(const struct ek_snapshot *snapshot, struct ek_step *step)
{
    const char *uuid = step->order.domain;
    bool ambiguous = false;

    if (step->domain >= snapshot->domain_count ||
        strcmp(snapshot->domains[step->domain].uuid, uuid) != 0) {
        step->domain = ek_snapshot_find_domain(snapshot, uuid, &ambiguous);
    }
    return step->domain;
}

/* A move must not overtake an earlier one where a must rule counts groups of hosts: both could then
 * wait for ever. Earlier is who stands before it in the schedule, whatever their ranks. */
static void mark_held(struct ek_engine *engine, struct ek_cluster *cluster)
{
    for (struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; i < it->step_count; i++) {
            struct ek_step *step = &it->steps[i];
            uint32_t domain = step->state == EK_STEP_WAITING && cluster->rules.rule_count > 0
                                  ? domain_of(&engine->snapshot, step)
                                  : EK_NONE;
            step->held = domain != EK_NONE && ek_rule_set_held(&cluster->rules, domain);
            if (domain != EK_NONE) {
                ek_rule_set_hold(&cluster->rules, domain);
            }
        }
    }
}

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
static bool has_waiting_before(const struct ek_course *course, uint32_t seq)
{
    for (uint32_t before = 1; before < seq; before++) {
        if (ek_course_find(course, before)->state == EK_STEP_WAITING) {
            return true;
        }
    }
    return false;
}

static enum ek_purpose purpose_of(const struct ek_step *step)
{
    if (step->order.kind == EK_MOVE_BALANCE) {
        return EK_PURPOSE_BALANCE;
    }
    return step->order.kind == EK_MOVE_MANUAL ? EK_PURPOSE_ORDERED : EK_PURPOSE_EVACUATE_FORCED;
}

/* Room may come when a running move ends, or one that was planned before this one; an arrival may
 * be seen with the next sample. */
static bool passes_by(const struct ek_engine *engine, const struct ek_course *course,
                      const struct ek_step *step, enum ek_block block)
{
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RESOURCE ||
                block == EK_BLOCK_TARGET || block == EK_BLOCK_RULE;
    bool comes = engine->running_count > 0 || has_waiting_before(course, step->order.seq);

    return block == EK_BLOCK_UNSEEN || (comes && room);
}

/* The order on the newest figures: still where it was, and is the destination still fit? */
enum ek_verdict ek_engine_check(const struct ek_engine *engine, const struct ek_cluster *cluster,
                                const struct ek_course *course, struct ek_step *step, char *why,
                                size_t size)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    const struct ek_move_order *order = &step->order;
    uint32_t domain = domain_of(snapshot, step);
    uint32_t source = ek_snapshot_find_host(snapshot, order->source);
    uint32_t destination = ek_snapshot_find_host(snapshot, order->destination);

    if (domain == EK_NONE || source == EK_NONE || destination == EK_NONE ||
        cluster->host_of[domain] != source) {
        (void)snprintf(why, size, "%s is no longer on %s", order->name, order->source);
        return EK_VERDICT_DROP;
    }
    if (runs_already(engine, order->domain)) {
        (void)snprintf(why, size, "%s is being moved or stopped already", order->name);
        return EK_VERDICT_DROP;
    }
    /* The same rules as in planning, on figures that may be minutes younger. */
    enum ek_block block = ek_constraint_domain(cluster, engine->cooldown, domain, purpose_of(step));
    if (block == EK_BLOCK_NONE) {
        block =
            ek_constraint_step(cluster, engine->cooldown, domain, destination, purpose_of(step));
    }
    if (block == EK_BLOCK_NONE) {
        return EK_VERDICT_GO;
    }
    (void)snprintf(why, size, "%s to %s: %s", order->name, order->destination,
                   ek_block_text(block));
    return passes_by(engine, course, step, block) ? EK_VERDICT_WAIT : EK_VERDICT_DROP;
}

static bool start(struct ek_engine *engine, struct ek_step *step, struct ek_effects *effects,
                  struct ek_error *err)
{
    assert(step->state == EK_STEP_WAITING && ek_engine_limit(engine, step) == EK_LIMIT_NONE);
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_START, err);

    if (effect == NULL) {
        return false;
    }
    /* By value: the order must outlive its plan. */
    effect->u.start = step->order;
    struct ek_running *running = ek_engine_run(engine, &step->order, engine->now_ms, err);
    if (running == NULL) {
        return false;
    }
    running->laggard = step->laggard;
    step->state = EK_STEP_RUNNING;
    uint32_t source = ek_snapshot_find_host(&engine->snapshot, step->order.source);
    if (step->rank == EK_RANK_EVACUATE && engine->snapshot.hosts[source].maintenance &&
        !ek_engine_begin_host(engine, step->order.source, err)) {
        return false;
    }
    return ek_effect_event(effects, "move", step->order.domain, err,
                           "move %s: %s from %s to %s: %s", step->order.id, step->order.name,
                           step->order.source, step->order.destination, step->order.reason);
}

/* It was planned for a cluster that is another one now. An evacuation goes on without it, any other
 * plan was worth its moves only as a whole; what is left is planned anew on the next samples. */
static bool drop(struct ek_engine *engine, struct ek_course *course, struct ek_step *step,
                 const char *why, struct ek_effects *effects, struct ek_error *err)
{
    bool whole = step->rank != EK_RANK_EVACUATE && course->kind == EK_COURSE_PLANNED;

    step->state = EK_STEP_DROPPED;
    if (strcmp(course->fate, "done") == 0) {
        course->fate = "abandoned";
    }
    ek_engine_want_plan(engine, engine->now_ms + ek_engine_period_ms(engine));
    return ek_effect_event(effects, "plan", step->order.domain, err,
                           "plan %s: move %s is dropped: %s", course->id, step->order.id, why) &&
           ek_course_drop(course, whole ? EK_DROP_BALANCING : EK_DROP_DEPENDENTS, "abandoned", why,
                          effects, err);
}

/* Tries the waiting moves of one rank; *started: one of them started, or some were dropped. */
static bool try_rank(struct ek_engine *engine, const struct ek_cluster *cluster, int rank,
                     bool laggards, struct ek_effects *effects, bool *started, struct ek_error *err)
{
    char why[EK_TEXT_SIZE] = "";
    bool ok = true;

    for (struct ek_course *it = engine->courses; ok && !*started && it != NULL; it = it->next) {
        for (size_t i = 0; ok && !*started && i < it->step_count; i++) {
            struct ek_step *step = &it->steps[i];
            if (step->rank != rank || step->held || step->laggard != laggards ||
                !ek_course_is_ready(it, step) || ek_engine_limit(engine, step) != EK_LIMIT_NONE ||
                ek_engine_lags(engine, step)) {
                continue;
            }
            enum ek_verdict verdict = ek_engine_check(engine, cluster, it, step, why, sizeof(why));
            if (verdict == EK_VERDICT_GO) {
                ok = start(engine, step, effects, err);
            } else if (verdict == EK_VERDICT_DROP) {
                ok = drop(engine, it, step, why, effects, err);
            }
            *started = verdict != EK_VERDICT_WAIT;
        }
    }
    return ok;
}

bool ek_engine_is_fit(struct ek_engine *engine, const struct ek_course *course,
                      struct ek_step *step, bool *is_fit, struct ek_error *err)
{
    char why[EK_TEXT_SIZE] = "";
    struct ek_snapshot present;
    struct ek_cluster cluster;

    if (!ek_engine_present(engine, &present, err) ||
        !ek_cluster_init(&cluster, &present, &engine->policy, err)) {
        return false;
    }
    mark_held(engine, &cluster);
    *is_fit = ek_course_is_ready(course, step) && !step->held &&
              ek_engine_check(engine, &cluster, course, step, why, sizeof(why)) == EK_VERDICT_GO;
    ek_cluster_finish(&cluster);
    return true;
}

/* Starts the first waiting move that may start; *started false: none. */
static bool start_one(struct ek_engine *engine, struct ek_effects *effects, bool *started,
                      struct ek_error *err)
{
    struct ek_snapshot present;
    struct ek_cluster cluster;
    bool ok = true;

    *started = false;
    /* A new model for each start: what was just started takes its room on both hosts. */
    if (!ek_engine_present(engine, &present, err) ||
        !ek_cluster_init(&cluster, &present, &engine->policy, err)) {
        return false;
    }
    mark_held(engine, &cluster);
    for (int rank = 0; ok && !*started && rank < EK_RANK_COUNT; rank++) {
        ok = try_rank(engine, &cluster, rank, false, effects, started, err) &&
             (*started || try_rank(engine, &cluster, rank, true, effects, started, err));
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
