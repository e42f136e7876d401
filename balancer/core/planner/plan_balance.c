/* The balance moves of a plan: whether they are wanted, who chooses them, and whether they are
 * worth it as a whole. */
#include "balancer/core/planner/plan_work.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Wanted, and yet nothing moves: nothing pays, or what would pay must rest. */
static void explain_quiet(struct ek_plan_work *work)
{
    const struct ek_cluster *cluster = &work->cluster;
    size_t used = strlen(work->why);
    uint32_t resting = 0;

    for (uint32_t d = 0; d < cluster->snapshot->domain_count; d++) {
        enum ek_block block =
            ek_constraint_domain(cluster, work->request->cooldown, d, EK_PURPOSE_BALANCE);
        resting += block == EK_BLOCK_RESTING || block == EK_BLOCK_FAILED_LATELY ? 1 : 0;
    }
    (void)snprintf(work->why + used, sizeof(work->why) - used, ", but %s",
                   work->request->balance->quiet);
    if (resting > 0) {
        used = strlen(work->why);
        (void)snprintf(work->why + used, sizeof(work->why) - used, " (%" PRIu32 " domain%s rest%s)",
                       resting, ek_plural(resting), resting == 1 ? "s" : "");
    }
}

static void take_back(struct ek_plan_work *work, const struct ek_choice *choices, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        ek_search_undo(&work->search, choices[i - 1].domain, choices[i - 1].source);
    }
}

/* A policy that chooses all of its moves itself: its order is kept, nothing is chosen again. */
static bool choose_all(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                       struct ek_error *err)
{
    const struct ek_plan_phase before = {phase->ops->before, phase->purpose, phase->mark,
                                         phase->most};
    size_t domains = work->out->snapshot->domain_count;
    size_t count = 0;

    if (before.ops != NULL && !choose_all(work, &before, err)) {
        return false;
    }
    size_t limit = phase->most - work->out->move_count;
    limit = limit < domains ? limit : domains;
    struct ek_choice *choices = ek_arena_alloc(&work->cluster.arena, limit, sizeof(*choices));
    if (choices == NULL) {
        return ek_plan_nomem(err);
    }
    if (!phase->ops->choose(&work->search, choices, limit, &count, err)) {
        return false;
    }
    take_back(work, choices, count);
    bool ok = ek_plan_order(work, phase, choices, &count, err);
    assert(!ok || count == 0);
    return ok;
}

bool ek_plan_balance(struct ek_plan_work *work, struct ek_error *err)
{
    const struct ek_policy_ops *ops = work->request->balance;
    const size_t mark = work->out->move_count;
    const size_t limit = (size_t)work->policy->moves_per_plan;
    const struct ek_plan_phase phase = {
        .ops = ops,
        .purpose = EK_PURPOSE_BALANCE,
        .mark = mark,
        .most = mark + (limit > work->repairs ? limit - work->repairs : 0)};
    /* After the evacuation, which may level or unlevel by itself: min_gain judges the balance moves
     * alone. */
    struct ek_levels before = ek_levels_of(&work->cluster);

    if (work->request->balance_held != NULL || ops == NULL) {
        (void)snprintf(work->why, sizeof(work->why), "%s",
                       ops == NULL ? "evacuation only" : work->request->balance_held);
        return true;
    }
    if (work->held != NULL && work->held->waits != EK_NONE) {
        /* What would be moved now might take the room. */
        (void)snprintf(work->why, sizeof(work->why),
                       "whether %.*s can be emptied cannot be told yet", EK_NAME_SIZE,
                       work->out->snapshot->hosts[work->held->waits].name);
        return true;
    }
    if (!ek_policy_wants(ops, &work->cluster, &before, work->why, sizeof(work->why))) {
        return true;
    }
    if (!(ops->choose != NULL ? choose_all : ek_plan_level)(work, &phase, err)) {
        return false;
    }
    struct ek_score after = ek_cluster_score(&work->cluster);
    assert(work->out->move_count >= mark);
    /* Relief of overload counts as it does for a single move: little of it needs other gains. */
    double relief = fmax(0, before.score.overload - after.overload);
    double fall = before.score.spread - after.spread + EK_RELIEF_WEIGHT * relief;
    if (work->out->move_count > mark && before.score.spread > 0) {
        work->out->offered_gain = fall / before.score.spread;
    }
    if (work->out->move_count == mark) {
        explain_quiet(work);
    } else if (ops->choose == NULL && fall < work->policy->min_gain * before.score.spread) {
        ek_plan_drop(work, phase.mark);
        (void)snprintf(work->why, sizeof(work->why),
                       "the best plan would lower the score by %.1f %% only, less than min_gain",
                       before.score.spread > 0 ? 100 * fall / before.score.spread : 0.0);
    }
    return true;
}
