/* The engine's planning: when a plan is wanted, and how it becomes the present one. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a plan");
}

/* A host whose CPU use is not known yet would be planned by its guests' allocation: wait for it. */
static const struct ek_host *unmeasured(const struct ek_engine *engine)
{
    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        const struct ek_host *host = &engine->snapshot.hosts[h];
        if (host->state == EK_HOST_UP && host->sampled_at_ms != 0 && isnan(host->cpu_used_cores)) {
            return host;
        }
    }
    return NULL;
}

int64_t ek_engine_period_ms(const struct ek_engine *engine)
{
    int64_t period_ms = 0;

    for (size_t h = 0; h < engine->snapshot.host_count; h++) {
        int64_t of_host = engine->snapshot.hosts[h].period_ms;
        period_ms = of_host > period_ms ? of_host : period_ms;
    }
    return period_ms;
}

bool ek_engine_evaluate(struct ek_engine *engine, struct ek_error *err)
{
    struct ek_snapshot present;

    if (!ek_engine_present(engine, &present, err)) {
        return false;
    }
    /* Into the snapshot itself before anything is evaluated: the recorded input then holds all that
     * the plan was made from. */
    engine->snapshot.in_flight = present.in_flight;
    engine->snapshot.in_flight_count = present.in_flight_count;
    if (!ek_evaluate(&engine->evaluation, &engine->snapshot, &engine->policy, err)) {
        return false;
    }
    engine->levels = engine->evaluation.levels;
    return true;
}

bool ek_engine_settled(const struct ek_engine *engine)
{
    /* Two periods after the end: the first sample that holds the domain, and the one that gives it
     * a rate. */
    for (size_t h = 0; engine->last_end_ms != 0 && h < engine->snapshot.host_count; h++) {
        const struct ek_host *host = &engine->snapshot.hosts[h];
        if (host->state == EK_HOST_UP && host->sampled_at_ms != 0 &&
            host->sampled_at_ms < engine->last_end_ms + 2 * host->period_ms) {
            return false;
        }
    }
    return true;
}

/* Asks the policy once per cycle: whoever asked twice would count twice. */
static bool count_sustained(struct ek_engine *engine, char *why, size_t size)
{
    bool wants = ek_policy_wants(engine->ops, &engine->evaluation.cluster, &engine->levels,
                                 engine->trigger, sizeof(engine->trigger));

    engine->trigger_asked = true;
    engine->trigger_wants = wants;
    engine->sustained = wants ? engine->sustained + 1 : 0;
    if (wants) {
        (void)snprintf(why, size, "%s, for %d of %d cycles", engine->trigger, engine->sustained,
                       engine->policy.sustained_cycles);
    } else {
        (void)snprintf(why, size, "%s", engine->trigger);
    }
    /* Counted even while it is held, or it would never be reached. */
    return engine->sustained < engine->policy.sustained_cycles;
}

/* Whether the samples show the cluster as it is: nothing moves, nothing has just moved. */
static bool figures_stand(const struct ek_engine *engine)
{
    return unmeasured(engine) == NULL && engine->running_count == 0 && ek_engine_settled(engine);
}

bool ek_engine_balance_held(struct ek_engine *engine, char *why, size_t size)
{
    /* In this order; the cycles are counted only when nothing else holds, since figures in motion
     * prove nothing. */
    const struct ek_host *host = unmeasured(engine);

    if (engine->pause.why[0] != '\0') {
        (void)snprintf(why, size, "%s", engine->pause.why);
        return true;
    }
    if (engine->closing.balancing) {
        (void)snprintf(why, size, "%s", engine->closing.why);
        return true;
    }
    if (host != NULL) {
        (void)snprintf(why, size, "the CPU use of %s is not measured yet", host->name);
        return true;
    }
    /* What waits now are orders: a plan's own moves are dropped before it is made anew. */
    size_t moves = engine->running_count + ek_engine_waiting_count(engine);
    if (moves > 0) {
        (void)snprintf(why, size, "%zu move%s running", moves, moves == 1 ? " is" : "s are");
        return true;
    }
    if (!ek_engine_settled(engine)) {
        (void)snprintf(why, size, "waiting for fresh samples after the last move");
        return true;
    }
    return count_sustained(engine, why, size);
}

/* Names are bounded by ek_snapshot_check(); only a reason may really be cut. */
static void text_copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

/* An order is complete in itself: the migrator asks neither plan nor policy, so that a reload or a
 * new plan does not change a move that runs. */
static struct ek_move_order order_of(const struct ek_engine *engine,
                                     const struct ek_plan_move *move, const struct ek_slot *slot)
{
    const struct ek_policy *policy = &engine->policy;
    const struct ek_domain *domain = &engine->snapshot.domains[move->domain];
    struct ek_move_order order = {
        .seq = move->seq,
        .kind = move->kind,
        .timeout_ms = ek_migration_timeout_ms(domain, policy),
        .progress_timeout_ms = policy->progress_timeout_ms,
        .max_downtime_ms = policy->max_downtime_ms,
        .backoff_ms = policy->backoff_ms,
        .retries = policy->retries,
        .auto_converge = policy->auto_converge,
        .post_copy = policy->post_copy || (domain->evacuation == EK_EVACUATE_POSTCOPY &&
                                           engine->snapshot.hosts[move->source].maintenance),
        .tls = policy->tls,
        .parallel_connections = policy->parallel_connections,
        .two_step = policy->two_step,
        .disk_grace_ms = policy->disk_grace_ms,
        .predicted_transfer_mib = slot->cost.transfer_mib,
        .predicted_duration_ms = slot->duration_ms,
        .predicted_downtime_ms = slot->cost.downtime_ms,
    };

    static_assert(EK_ID_SIZE > 16 + 1 + 10, "a digest, a hyphen and any seq fit into an id");
    (void)snprintf(order.id, sizeof(order.id), "%s-%u", engine->plan.id, (unsigned int)move->seq);
    text_copy(order.plan_id, sizeof(order.plan_id), engine->plan.id);
    text_copy(order.domain, sizeof(order.domain), domain->uuid);
    text_copy(order.name, sizeof(order.name), domain->name == NULL ? domain->uuid : domain->name);
    text_copy(order.source, sizeof(order.source), engine->snapshot.hosts[move->source].name);
    text_copy(order.destination, sizeof(order.destination),
              engine->snapshot.hosts[move->destination].name);
    text_copy(order.reason, sizeof(order.reason), move->reason);
    return order;
}

/* Plan and schedule live until the next step; what waits lives longer and is copied. In the order
 * of the schedule, so that dispatch tries first what was predicted to start first. */
static bool adopt_move(struct ek_engine *engine, struct ek_course *course, size_t place,
                       struct ek_error *err)
{
    size_t index = engine->schedule.order[place];
    const struct ek_plan_move *move = &engine->plan.moves[index];
    const struct ek_slot *slot = &engine->schedule.slots[index];
    struct ek_step *step = &course->steps[place];

    assert(slot->duration_ms > 0 && index < engine->schedule.slot_count);
    assert(move->seq == index + 1);
    step->order = order_of(engine, move, slot);
    step->laggard = ek_engine_may_lag(engine, move->domain, move->source, move->destination);
    step->domain = move->domain;
    step->start_ms = slot->start_ms;
    step->depends_count = slot->depends_count;
    step->depends_on =
        ek_arena_alloc(&course->arena, slot->depends_count, sizeof(*step->depends_on));
    if (step->depends_on == NULL) {
        return nomem(err);
    }
    if (slot->depends_count > 0) {
        memcpy(step->depends_on, slot->depends_on, slot->depends_count * sizeof(*step->depends_on));
    }
    course->place[move->seq] = (uint32_t)place;
    return true;
}

/* It is carried out from now on: its result is what is verified. */
static void begin(struct ek_engine *engine, const struct ek_course *course)
{
    engine->verify_pending = false;
    if (course->kind == EK_COURSE_PLANNED) {
        text_copy(engine->plan_id, sizeof(engine->plan_id), course->id);
    }
}

/* The plan's moves become those that wait to be dispatched; NULL: NOMEM. */
static struct ek_course *adopt(struct ek_engine *engine, enum ek_course_kind kind,
                               struct ek_error *err)
{
    struct ek_course *course =
        ek_engine_add_course(engine, kind, engine->plan.id, engine->plan.move_count, err);

    if (course == NULL) {
        return NULL;
    }
    assert(engine->schedule.slot_count == course->step_count);
    for (size_t i = 0; i < course->step_count; i++) {
        if (!adopt_move(engine, course, i, err)) {
            return NULL;
        }
    }
    ek_course_rank(course);
    /* For the verification, which comes when this plan's results have long been freed. */
    course->before = engine->plan.before;
    course->predicted = engine->plan.after;
    course->started_at_ms = engine->now_ms;
    course->makespan_ms = engine->schedule.makespan_ms;
    return course;
}

/* Before any START of it in the effects' order: no move runs that no record explains. */
static bool record_plan(struct ek_engine *engine, struct ek_effects *effects, const char *fate,
                        struct ek_error *err)
{
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_PLAN, err);

    if (effect == NULL) {
        return false;
    }
    assert(engine->plan.id[0] != '\0');
    effect->u.plan.plan = &engine->plan;
    effect->u.plan.schedule = &engine->schedule;
    effect->u.plan.fate = fate;
    effect->u.plan.request = &engine->request;
    effect->u.plan.wishes = engine->wishes;
    effect->u.plan.wish_count = engine->wish_count;
    return ek_effect_event(effects, "plan", engine->plan.id, err, "plan %s %s: %s", engine->plan.id,
                           fate, engine->plan.summary);
}

static bool start_plan(struct ek_engine *engine, enum ek_course_kind kind,
                       struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_course *course = adopt(engine, kind, err);

    if (course == NULL) {
        return false;
    }
    begin(engine, course);
    return record_plan(engine, effects, "started", err);
}

/* Whether moves of the plan start by themselves although others are only offered: who sets the key
 * of a host has approved that it is emptied. */
static bool starts_anything(const struct ek_engine *engine)
{
    bool evacuates = false;

    for (size_t i = 0; i < engine->plan.move_count; i++) {
        evacuates = evacuates || engine->plan.moves[i].kind == EK_MOVE_EVACUATE;
    }
    return evacuates && engine->policy.mode == EK_MODE_APPROVE;
}

/* Makes an offer of this cycle's plan unless there is one that stands. */
static bool offer(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    bool approves = engine->policy.mode == EK_MODE_APPROVE;
    bool starts = starts_anything(engine);
    bool stands = false;

    engine->plan_end = EK_CYCLE_STANDS;
    if (!ek_engine_review_offer(engine, &stands, effects, err)) {
        return false;
    }
    if (engine->plan.move_count == 0 || (stands && !starts) ||
        (!starts && ek_engine_is_rejected(engine, &engine->plan))) {
        return true;
    }
    /* What has to start at once is planned together with the rest: that is another offer. */
    if (stands && !ek_course_drop(ek_engine_offer(engine), EK_DROP_OFFERED, "lapsed",
                                  "hosts are emptied first", effects, err)) {
        return false;
    }
    struct ek_course *course = adopt(engine, EK_COURSE_PLANNED, err);
    if (course == NULL) {
        return false;
    }
    ek_course_offer(course, &engine->plan, starts);
    bool some = ek_course_offered(course) > 0;
    if (starts) {
        begin(engine, course);
    }
    engine->plan_end = starts     ? EK_CYCLE_STARTED
                       : approves ? EK_CYCLE_PROPOSED
                                  : EK_CYCLE_RECOMMENDED;
    return record_plan(engine, effects,
                       starts     ? "started"
                       : approves ? "proposed"
                                  : "recommended",
                       err) &&
           (!approves || !some ||
            ek_effect_event(effects, "approval", course->id, err,
                            "plan %s: %zu move%s for `evenkeel approve %s`", course->id,
                            ek_course_offered(course),
                            ek_course_offered(course) == 1 ? " waits" : "s wait", course->id));
}

/* Every cycle without a move has one stated reason; it is recorded when it changes. */
static bool record_summary(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err)
{
    if (strcmp(engine->summary, engine->plan.summary) == 0) {
        return true;
    }
    /* A plan with moves records its own event; only quiet cycles say it here. */
    text_copy(engine->summary, sizeof(engine->summary), engine->plan.summary);
    return engine->plan.move_count > 0 ||
           ek_effect_event(effects, "cycle", "", err, "%s", engine->plan.summary);
}

/* What the planner is asked in this cycle; kept, since the answer is recorded with the question. */
static void ask(struct ek_engine *engine)
{
    bool held = ek_engine_balance_held(engine, engine->balance_held, sizeof(engine->balance_held));

    engine->request = (struct ek_plan_request){.evaluation = &engine->evaluation,
                                               .balance = engine->ops,
                                               .cooldown = engine->cooldown,
                                               .balance_held = held ? engine->balance_held : NULL,
                                               .evacuate_only = engine->pause.why[0] != '\0' ||
                                                                engine->closing.balancing,
                                               .prefer_held = !figures_stand(engine),
                                               .pace = engine->pace};
    engine->wishes = NULL;
    engine->wish_count = 0;
}

bool ek_engine_replan(struct ek_engine *engine, const char *why_now, struct ek_effects *effects,
                      struct ek_error *err)
{
    if (!ek_engine_abandon(engine, EK_DROP_WAITING, effects, why_now, err)) {
        return false;
    }
    ask(engine);
    if (!ek_plan_make(&engine->plan, &engine->request, err) ||
        !ek_engine_choose_pace(engine, effects, err) ||
        !ek_engine_look_ahead(engine, &engine->request, err) ||
        !record_summary(engine, effects, err)) {
        return false;
    }
    bool ok = true;
    if (engine->policy.mode != EK_MODE_AUTOMATIC) {
        ok = offer(engine, effects, err);
    } else if (engine->plan.move_count > 0) {
        engine->plan_end = EK_CYCLE_STARTED;
        ok = start_plan(engine, EK_COURSE_PLANNED, effects, err);
    }
    engine->maintenance_digest = ek_engine_maintenance_digest(engine);
    engine->deadline_digest = ek_engine_deadline_digest(engine);
    return ok;
}

/* As long as the plan: its record names them. */
static bool keep_wishes(struct ek_engine *engine, const struct ek_plan_wish *wishes, size_t count,
                        struct ek_error *err)
{
    struct ek_arena *arena = &engine->plan.arena;
    struct ek_plan_wish *kept = ek_arena_alloc(arena, count, sizeof(*kept));
    bool ok = kept != NULL;

    for (size_t i = 0; ok && i < count; i++) {
        kept[i] = wishes[i];
        kept[i].reason = ek_arena_strdup(arena, wishes[i].reason);
        ok = kept[i].reason != NULL;
    }
    engine->wishes = kept;
    engine->wish_count = count;
    return ok || nomem(err);
}

bool ek_engine_bring(struct ek_engine *engine, enum ek_course_kind kind,
                     const struct ek_plan_wish *wishes, size_t count, const char *summary,
                     struct ek_effects *effects, struct ek_error *err)
{
    assert(engine->has_snapshot && engine->plan.snapshot == NULL);
    engine->request = (struct ek_plan_request){
        .evaluation = &engine->evaluation, .balance = engine->ops, .cooldown = engine->cooldown};
    if ((engine->evaluation.snapshot == NULL && !ek_engine_evaluate(engine, err)) ||
        !ek_plan_bring(&engine->plan, &engine->request, wishes, count, summary, err) ||
        !keep_wishes(engine, wishes, count, err) ||
        !ek_schedule_make(&engine->schedule, &engine->plan, &engine->policy, err)) {
        return false;
    }
    return engine->plan.move_count == 0 || start_plan(engine, kind, effects, err);
}
