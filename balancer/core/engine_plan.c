/* The engine's planning: when a plan is wanted, and how it becomes the present one. */
#include "balancer/core/digest.h"
#include "balancer/core/engine_state.h"
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
    char reason[EK_TEXT_SIZE];

    assert(engine->ops != NULL && engine->ops->wants != NULL);
    bool wants =
        engine->ops->wants(&engine->evaluation.cluster, &engine->levels, reason, sizeof(reason));
    engine->sustained = wants ? engine->sustained + 1 : 0;
    if (wants) {
        (void)snprintf(why, size, "%s, for %d of %d cycles", reason, engine->sustained,
                       engine->policy.sustained_cycles);
    } else {
        (void)snprintf(why, size, "%s", reason);
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
        .post_copy = policy->post_copy,
        .tls = policy->tls,
        .parallel_connections = policy->parallel_connections,
        .two_step = policy->two_step,
        .disk_grace_ms = policy->disk_grace_ms,
        .predicted_transfer_mib = move->cost.transfer_mib,
        .predicted_duration_ms = slot->duration_ms,
        .predicted_downtime_ms = move->cost.downtime_ms,
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

/* It may well copy until its deadline: it is not expected to converge, or was tried in vain. */
static bool may_lag(const struct ek_engine *engine, const struct ek_plan_move *move)
{
    const struct ek_rest *rest =
        ek_cooldown_find(engine->cooldown, engine->snapshot.domains[move->domain].uuid);

    return !move->cost.converges || (rest != NULL && rest->failures > 0);
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
    step->laggard = may_lag(engine, move);
    step->domain = move->domain;
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

/* The plan's moves become those that wait to be dispatched. */
static bool adopt(struct ek_engine *engine, enum ek_course_kind kind, struct ek_error *err)
{
    struct ek_course *course =
        ek_engine_add_course(engine, kind, engine->plan.id, engine->plan.move_count, err);

    if (course == NULL) {
        return false;
    }
    assert(engine->schedule.slot_count == course->step_count);
    for (size_t i = 0; i < course->step_count; i++) {
        if (!adopt_move(engine, course, i, err)) {
            return false;
        }
    }
    ek_course_rank(course);
    engine->verify_pending = false;
    /* For the verification, which comes when this plan's results have long been freed. */
    course->before = engine->plan.before;
    course->predicted = engine->plan.after;
    course->started_at_ms = engine->now_ms;
    course->makespan_ms = engine->schedule.makespan_ms;
    if (kind == EK_COURSE_PLANNED) {
        text_copy(engine->plan_id, sizeof(engine->plan_id), engine->plan.id);
    }
    return true;
}

/* Blockers are shown until the next plan; the plan's own texts are gone with the next step. */
static bool keep_stuck(struct ek_engine *engine, struct ek_error *err)
{
    const struct ek_plan *plan = &engine->plan;
    struct ek_arena *arena = &engine->stuck_arena;

    ek_arena_finish(arena);
    engine->stuck_count = 0;
    engine->stuck = ek_arena_alloc(arena, plan->unresolved_count, sizeof(*engine->stuck));
    for (size_t i = 0; engine->stuck != NULL && i < plan->unresolved_count; i++) {
        const struct ek_unresolved *from = &plan->unresolved[i];
        const struct ek_domain *domain = &plan->snapshot->domains[from->domain];
        struct ek_stuck stuck = {
            .domain = ek_arena_strdup(arena, domain->uuid),
            .name = ek_arena_strdup(arena, domain->name == NULL ? domain->uuid : domain->name),
            .host = ek_arena_strdup(arena, plan->snapshot->hosts[from->host].name),
            .reason = ek_arena_strdup(arena, from->reason),
            .for_now = from->for_now,
        };
        if (stuck.domain == NULL || stuck.name == NULL || stuck.host == NULL ||
            stuck.reason == NULL) {
            return nomem(err);
        }
        assert(engine->stuck_count < plan->unresolved_count);
        engine->stuck[engine->stuck_count++] = stuck;
    }
    return engine->stuck != NULL || nomem(err);
}

/* What a plan does, without the moment it was made: the same recommendation is recorded once. */
static uint64_t moves_digest(const struct ek_plan *plan)
{
    struct ek_digest digest = ek_digest_begin();

    for (size_t i = 0; i < plan->move_count; i++) {
        ek_digest_text(&digest, plan->snapshot->domains[plan->moves[i].domain].uuid);
        ek_digest_text(&digest, plan->snapshot->hosts[plan->moves[i].destination].name);
    }
    return digest.state;
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
    return ek_effect_event(effects, "plan", engine->plan.id, err, "plan %s %s: %s", engine->plan.id,
                           fate, engine->plan.summary);
}

/* In this mode nothing waits, so each cycle plans anew and mostly finds the same. */
static bool recommend(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    uint64_t digest = moves_digest(&engine->plan);

    if (engine->recommended_digest == digest) {
        return true;
    }
    engine->recommended_digest = digest;
    return record_plan(engine, effects, "recommended", err);
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

bool ek_engine_replan(struct ek_engine *engine, const char *why_now, struct ek_effects *effects,
                      struct ek_error *err)
{
    char why[EK_TEXT_SIZE];

    if (!ek_engine_abandon(engine, effects, why_now, err)) {
        return false;
    }
    bool held = ek_engine_balance_held(engine, why, sizeof(why));
    const struct ek_plan_request request = {.evaluation = &engine->evaluation,
                                            .balance = engine->ops,
                                            .cooldown = engine->cooldown,
                                            .balance_held = held ? why : NULL,
                                            .evacuate_only = engine->pause.why[0] != '\0',
                                            .prefer_held = !figures_stand(engine)};
    if (!ek_plan_make(&engine->plan, &request, err) ||
        !ek_schedule_make(&engine->schedule, &engine->plan, &engine->policy, err) ||
        !keep_stuck(engine, err) || !record_summary(engine, effects, err)) {
        return false;
    }
    engine->maintenance_digest = ek_engine_maintenance_digest(engine);
    if (engine->plan.move_count == 0) {
        engine->recommended_digest = 0;
        return true;
    }
    /* Evacuations neither: whoever chose this mode wants to see first. */
    if (engine->policy.mode == EK_MODE_RECOMMEND) {
        return recommend(engine, effects, err);
    }
    return adopt(engine, EK_COURSE_PLANNED, err) && record_plan(engine, effects, "started", err);
}

bool ek_engine_bring(struct ek_engine *engine, enum ek_course_kind kind,
                     const struct ek_plan_wish *wishes, size_t count, const char *summary,
                     struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_plan_request request = {
        .evaluation = &engine->evaluation, .balance = engine->ops, .cooldown = engine->cooldown};

    assert(engine->has_snapshot && engine->plan.snapshot == NULL);
    if ((engine->evaluation.snapshot == NULL && !ek_engine_evaluate(engine, err)) ||
        !ek_plan_bring(&engine->plan, &request, wishes, count, summary, err) ||
        !ek_schedule_make(&engine->schedule, &engine->plan, &engine->policy, err)) {
        return false;
    }
    return engine->plan.move_count == 0 ||
           (adopt(engine, kind, err) && record_plan(engine, effects, "started", err));
}
