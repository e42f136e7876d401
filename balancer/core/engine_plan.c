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
    if (engine->running_count > 0) {
        (void)snprintf(why, size, "%zu move%s running", engine->running_count,
                       engine->running_count == 1 ? " is" : "s are");
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

/* More than any link has; libvirt counts bytes in 63 bits. */
#define MOST_MIB_S 1e9

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
        /* Never below what was predicted, which a rate rounded down would be. */
        .bandwidth_mib_s = (uint64_t)fmin(ceil(slot->rate_mib_s), MOST_MIB_S),
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

/* Plan and schedule live until the next step; what waits lives longer and is copied. In the order
 * of the schedule, so that dispatch tries first what was predicted to start first. */
static bool adopt_move(struct ek_engine *engine, size_t place, struct ek_error *err)
{
    size_t index = engine->schedule.order[place];
    const struct ek_slot *slot = &engine->schedule.slots[index];
    struct ek_waiting *waiting = &engine->waiting[place];

    assert(slot->duration_ms > 0 && index < engine->schedule.slot_count);
    assert(engine->plan.moves[index].seq == index + 1);
    waiting->order = order_of(engine, &engine->plan.moves[index], slot);
    waiting->depends_count = slot->depends_count;
    waiting->depends_on =
        ek_arena_alloc(&engine->plan_arena, slot->depends_count, sizeof(*waiting->depends_on));
    if (waiting->depends_on == NULL) {
        return nomem(err);
    }
    if (slot->depends_count > 0) {
        memcpy(waiting->depends_on, slot->depends_on,
               slot->depends_count * sizeof(*waiting->depends_on));
    }
    return true;
}

/* The last moves of the plan before may still run; what becomes of it is said now or never. */
static bool supersede(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    if (engine->waiting_count == 0) {
        return true;
    }
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_FATE, err);
    if (effect == NULL) {
        return false;
    }
    effect->u.fate.plan_id = ek_arena_strdup(&effects->arena, engine->plan_id);
    effect->u.fate.fate = "superseded";
    return effect->u.fate.plan_id != NULL || nomem(err);
}

/* The plan's moves become those that wait to be dispatched. */
static bool adopt(struct ek_engine *engine, struct ek_error *err)
{
    size_t count = engine->plan.move_count;

    assert(engine->policy.mode != EK_MODE_RECOMMEND && engine->schedule.slot_count == count);
    ek_arena_finish(&engine->plan_arena);
    engine->waiting_count = 0;
    engine->waiting = ek_arena_alloc(&engine->plan_arena, count, sizeof(*engine->waiting));
    /* seqs count from 1, so that one more is needed to use them as indices. */
    engine->seq_done = ek_arena_alloc(&engine->plan_arena, count + 1, sizeof(*engine->seq_done));
    engine->seq_count = count + 1;
    if (engine->waiting == NULL || engine->seq_done == NULL) {
        engine->seq_count = 0;
        return nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!adopt_move(engine, i, err)) {
            return false;
        }
    }
    engine->waiting_count = count;
    text_copy(engine->plan_id, sizeof(engine->plan_id), engine->plan.id);
    engine->plan_failed = false;
    engine->verify_pending = false;
    /* For the verification, which comes when this plan's results have long been freed. */
    engine->plan_before = engine->plan.before;
    engine->plan_predicted = engine->plan.after;
    engine->plan_started_at_ms = engine->snapshot.taken_at_ms;
    engine->plan_makespan_ms = engine->schedule.makespan_ms;
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

bool ek_engine_replan(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err)
{
    char why[EK_TEXT_SIZE];

    /* Something waits here only for that one reason (see on_snapshot): otherwise this drops
     * nothing. */
    if (!ek_engine_abandon(engine, effects, "the hosts to be emptied have changed", err)) {
        return false;
    }
    bool held = ek_engine_balance_held(engine, why, sizeof(why));
    const struct ek_plan_request request = {.evaluation = &engine->evaluation,
                                            .balance = engine->ops,
                                            .cooldown = engine->cooldown,
                                            .balance_held = held ? why : NULL,
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
    assert(engine->schedule.slot_count == engine->plan.move_count);
    if (engine->policy.mode == EK_MODE_RECOMMEND) {
        return recommend(engine, effects, err);
    }
    return supersede(engine, effects, err) && adopt(engine, err) &&
           record_plan(engine, effects, "started", err);
}

bool ek_engine_abandon(struct ek_engine *engine, struct ek_effects *effects, const char *why,
                       struct ek_error *err)
{
    size_t left = ek_engine_waiting_count(engine);

    if (left == 0) {
        return true;
    }
    for (size_t i = 0; i < engine->waiting_count; i++) {
        engine->waiting[i].gone = true;
    }
    engine->waiting_count = 0;
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_FATE, err);
    if (effect == NULL) {
        return false;
    }
    effect->u.fate.plan_id = ek_arena_strdup(&effects->arena, engine->plan_id);
    effect->u.fate.fate = "abandoned";
    return (effect->u.fate.plan_id != NULL || nomem(err)) &&
           ek_effect_event(effects, "plan", engine->plan_id, err,
                           "plan %s: its %zu move%s not started %s dropped: %s", engine->plan_id,
                           left, left == 1 ? " that has" : "s that have", left == 1 ? "is" : "are",
                           why);
}
