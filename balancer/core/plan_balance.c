/* The balance moves of a plan: choose one best move after the other, choose again with hindsight,
 * put the result in order, and judge it as a whole. */
#include "balancer/core/plan_work.h"
#include "balancer/core/plural.h"
#include "balancer/core/refine.h"
#include "balancer/core/swap.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Ratings that refining may take: a few tens of milliseconds, whatever the size of the cluster. */
#define REFINE_RATINGS 1000000

/* Exchanges are looked for while the search has rated no more than this: they are for small
 * clusters and short plans, where a single move has nowhere to go. */
#define SWAP_RATINGS 600000

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

/* The moves that the policy would make one after the other, made in the model only. Where no single
 * move pays any more, two domains may change places. */
static size_t choose(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                     struct ek_choice *choices)
{
    const struct ek_policy_ops *ops = phase->ops;
    size_t limit = phase->most - phase->mark;
    size_t count = 0;

    while (count < limit) {
        struct ek_candidate best = ops->next(&work->search);
        if (best.domain != EK_NONE) {
            choices[count++] = (struct ek_choice){best.domain, work->cluster.host_of[best.domain],
                                                  best.destination};
            ek_search_move(&work->search, best.domain, best.destination);
        } else if (ops->pays != NULL && count + 2 <= limit && work->search.ratings < SWAP_RATINGS &&
                   ek_swap_best(&work->search, &choices[count])) {
            count += 2;
        } else {
            break;
        }
    }
    return count;
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

/* What a set of balance moves is measured by: overload first, then the score with the price of
 * copying. */
struct result {
    double overload;
    double cost;
};

static struct result result_of(const struct ek_plan_work *work, const struct ek_choice *choices,
                               size_t count, size_t mark)
{
    struct ek_score score = ek_cluster_score(&work->cluster);
    struct result result = {score.overload, score.spread};

    for (size_t i = 0; i < count; i++) {
        result.cost += work->search.price[choices[i].domain];
    }
    for (size_t i = mark; i < work->out->move_count; i++) {
        result.cost += work->search.price[work->out->moves[i].domain];
    }
    return result;
}

static bool worse(const struct result *a, const struct result *b)
{
    bool level = a->overload < b->overload + 1e-9;

    return !level || (a->overload > b->overload - 1e-9 && a->cost > b->cost + 1e-9);
}

/* Chooses, chooses again with hindsight, and puts the result in order. When that has no feasible
 * order, or parking made it dearer than the first choice, the first choice stands, whose order is
 * its own. */
static bool level(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                  struct ek_error *err)
{
    const struct ek_policy_ops *ops = phase->ops;
    struct ek_arena *scratch = &work->cluster.arena;
    size_t domains = work->out->snapshot->domain_count;
    struct ek_choice *first = ek_arena_alloc(scratch, domains, sizeof(*first));
    struct ek_choice *refined = ek_arena_alloc(scratch, domains, sizeof(*refined));

    if (first == NULL || refined == NULL) {
        return ek_plan_nomem(err);
    }
    size_t first_count = choose(work, phase, first);
    struct result wanted = result_of(work, first, first_count, phase->mark);
    size_t count = first_count;
    memcpy(refined, first, count * sizeof(*first));
    if (ops->pays != NULL) {
        ek_refine(&work->search, refined, &count, ops->pays, REFINE_RATINGS);
    }
    take_back(work, refined, count);
    if (!ek_plan_order(work, phase, refined, &count, err)) {
        return false;
    }
    struct result got = result_of(work, NULL, 0, phase->mark);
    if (count > 0 || worse(&got, &wanted)) {
        ek_plan_drop(work, phase->mark);
        return ek_plan_order(work, phase, first, &first_count, err);
    }
    return true;
}

bool ek_plan_balance(struct ek_plan_work *work, struct ek_error *err)
{
    const struct ek_policy_ops *ops = work->request->balance;
    const size_t mark = work->out->move_count;
    const struct ek_plan_phase phase = {.ops = ops,
                                        .purpose = EK_PURPOSE_BALANCE,
                                        .mark = mark,
                                        .most = mark + (size_t)work->policy->moves_per_plan};
    /* After the evacuation, which may level or unlevel by itself: min_gain judges the balance moves
     * alone. */
    struct ek_levels before = ek_levels_of(&work->cluster);

    if (work->request->balance_held != NULL || ops == NULL) {
        (void)snprintf(work->why, sizeof(work->why), "%s",
                       ops == NULL ? "evacuation only" : work->request->balance_held);
        return true;
    }
    if (!ops->wants(&work->cluster, &before, work->why, sizeof(work->why))) {
        return true;
    }
    if (!(ops->choose != NULL ? choose_all : level)(work, &phase, err)) {
        return false;
    }
    struct ek_score after = ek_cluster_score(&work->cluster);
    assert(work->out->move_count >= mark);
    /* Relief of overload counts as it does for a single move: little of it needs other gains. */
    double relief = fmax(0, before.score.overload - after.overload);
    double fall = before.score.spread - after.spread + EK_RELIEF_WEIGHT * relief;
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
