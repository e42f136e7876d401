/* The balance moves of a plan: choose, put the result in order, and judge it as a whole. A policy
 * that wants the spread to fall has its moves chosen as a whole (anneal.h); any other has one best
 * move chosen after the other, and again with hindsight. */
#include "balancer/core/anneal.h"
#include "balancer/core/plan_work.h"
#include "balancer/core/refine.h"
#include "balancer/core/swap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ratings that refining may take: a few tens of milliseconds, whatever the size of the cluster. */
#define REFINE_RATINGS 1000000

/* Exchanges are looked for while the search has rated no more than this: they are for small
 * clusters and short plans, where a single move has nowhere to go. */
#define SWAP_RATINGS 600000

/* Sums of the same figures in another order differ by less. */
#define ROUNDING 1e-6

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
    (void)snprintf(work->why + used, sizeof(work->why) - used,
                   ", but no move earns more than it costs");
    if (resting > 0) {
        used = strlen(work->why);
        (void)snprintf(work->why + used, sizeof(work->why) - used, " (%" PRIu32 " domains rest)",
                       resting);
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
    bool level = a->overload < b->overload + ROUNDING;

    return !level || (a->overload > b->overload - ROUNDING && a->cost > b->cost + ROUNDING);
}

/* Sets of moves that stand for one another, each with room for all domains. */
struct sets {
    struct ek_choice *first;  /* one best move after the other; their order is feasible */
    struct ek_choice *better; /* chosen as a whole; their order is to be found */
    size_t first_count;
    size_t better_count;
};

/* The first choice, which is left in `sets` and not in the model, and what it brings. */
static struct result choose_first(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                                  struct sets *sets)
{
    sets->first_count = choose(work, phase, sets->first);
    struct result wanted = result_of(work, sets->first, sets->first_count, phase->mark);

    take_back(work, sets->first, sets->first_count);
    return wanted;
}

/* The first choice, chosen again move by move. */
static struct result choose_again(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                                  struct sets *sets)
{
    sets->first_count = choose(work, phase, sets->first);
    struct result wanted = result_of(work, sets->first, sets->first_count, phase->mark);

    memcpy(sets->better, sets->first, sets->first_count * sizeof(*sets->first));
    sets->better_count = sets->first_count;
    if (phase->ops->pays != NULL) {
        ek_refine(&work->search, sets->better, &sets->better_count, phase->ops->pays,
                  REFINE_RATINGS);
    }
    take_back(work, sets->better, sets->better_count);
    return wanted;
}

/* A choice with what it would bring as the first of all. */
struct rated {
    struct ek_choice choice;
    double overload_fall;
    double worth;
};

static int by_worth(const void *a, const void *b)
{
    const struct rated *of_a = a;
    const struct rated *of_b = b;

    if (of_a->overload_fall < of_b->overload_fall || of_a->overload_fall > of_b->overload_fall) {
        return of_a->overload_fall > of_b->overload_fall ? -1 : 1;
    }
    if (of_a->worth < of_b->worth || of_a->worth > of_b->worth) {
        return of_a->worth > of_b->worth ? -1 : 1;
    }
    return of_a->choice.domain < of_b->choice.domain ? -1 : 1;
}

/* What brings most goes first: a plan may be stopped half way. */
static bool best_first(struct ek_plan_work *work, struct sets *sets, struct ek_error *err)
{
    struct rated *rated = ek_arena_alloc(&work->cluster.arena, sets->better_count, sizeof(*rated));

    if (rated == NULL) {
        return ek_plan_nomem(err);
    }
    for (size_t i = 0; i < sets->better_count; i++) {
        const struct ek_choice *choice = &sets->better[i];
        struct ek_candidate candidate =
            ek_candidate_rate(&work->search, choice->domain, choice->destination);
        rated[i] = (struct rated){*choice, candidate.overload_fall, candidate.worth};
    }
    qsort(rated, sets->better_count, sizeof(*rated), by_worth);
    for (size_t i = 0; i < sets->better_count; i++) {
        sets->better[i] = rated[i].choice;
    }
    return true;
}

/* Moves whose sources do not count, out of maintenance or of hosts without fresh figures, are none
 * of a goal's. */
static bool begin_with_first(struct ek_goal *goal, const struct sets *sets)
{
    for (size_t i = 0; i < sets->first_count; i++) {
        const struct ek_choice *choice = &sets->first[i];
        if (!goal->search->cluster->hosts[choice->source].counted) {
            ek_goal_clear(goal);
            return false;
        }
        ek_goal_put(goal, &(struct ek_shift){choice->domain, choice->destination}, 1);
    }
    return true;
}

static bool in_order(struct ek_goal *goal, struct sets *sets)
{
    uint32_t order[EK_GOAL_ORDERED];

    if (!ek_goal_orderable(goal, order)) {
        return false;
    }
    for (uint32_t i = 0; i < goal->moved_count; i++) {
        const struct ek_goal_domain *domain = &goal->domains[order[i]];
        sets->better[i] = (struct ek_choice){order[i], domain->home, domain->host};
    }
    return true;
}

/* The moves as a whole: where everything is to be in the end. `wanted` is what they bring. */
static bool choose_goal(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                        struct sets *sets, struct result *wanted, struct ek_error *err)
{
    struct ek_goal goal;

    if (!ek_goal_init(&goal, &work->search, (uint32_t)(phase->most - phase->mark), err)) {
        return false;
    }
    if (!ek_anneal_alone(&goal)) {
        /* Before the goal has moves, since both use the cluster's rules. */
        (void)choose_first(work, phase, sets);
        (void)begin_with_first(&goal, sets);
    }
    if (!ek_anneal(&goal, work->request->trials, err)) {
        return false;
    }
    *wanted = (struct result){goal.overload, goal.cost};
    sets->better_count = goal.moved_count;
    for (uint32_t i = 0; i < goal.moved_count; i++) {
        const struct ek_goal_domain *domain = &goal.domains[goal.moved[i]];
        sets->better[i] = (struct ek_choice){goal.moved[i], domain->home, domain->host};
    }
    /* Where room is short, the order that is known to be feasible; else what brings most first. */
    bool ordered = goal.limit <= EK_GOAL_ORDERED && in_order(&goal, sets);
    ek_goal_clear(&goal);
    return ordered || best_first(work, sets, err);
}

/* Chooses in the way of the policy, and puts the result in order. When that has no feasible order,
 * or parking made it dearer than one best move after the other, these stand. */
static bool level(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                  struct ek_error *err)
{
    struct ek_arena *scratch = &work->cluster.arena;
    size_t domains = work->out->snapshot->domain_count;
    struct sets sets = {.first = ek_arena_alloc(scratch, domains, sizeof(*sets.first)),
                        .better = ek_arena_alloc(scratch, domains, sizeof(*sets.better))};
    struct result wanted;

    if (sets.first == NULL || sets.better == NULL) {
        return ek_plan_nomem(err);
    }
    if (!phase->ops->spreads) {
        wanted = choose_again(work, phase, &sets);
    } else if (!choose_goal(work, phase, &sets, &wanted, err)) {
        return false;
    }
    size_t left = 0;
    if (!ek_plan_order_any(work, phase, sets.better, sets.better_count, &left, err)) {
        return false;
    }
    struct result got = result_of(work, NULL, 0, phase->mark);
    if (left == 0 && !worse(&got, &wanted)) {
        return true;
    }
    ek_plan_drop(work, phase->mark);
    if (phase->ops->spreads) {
        wanted = choose_first(work, phase, &sets);
        if (worse(&wanted, &got)) {
            return ek_plan_order_any(work, phase, sets.better, sets.better_count, &left, err);
        }
    }
    return ek_plan_order(work, phase, sets.first, &sets.first_count, err);
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
    if (!level(work, &phase, err)) {
        return false;
    }
    struct ek_score after = ek_cluster_score(&work->cluster);
    assert(work->out->move_count >= mark);
    double fall = before.score.spread - after.spread;
    if (work->out->move_count == mark) {
        explain_quiet(work);
        /* Ending overload is worth any gain. */
    } else if (!(after.overload < before.score.overload) &&
               fall < work->policy->min_gain * before.score.spread) {
        ek_plan_drop(work, phase.mark);
        (void)snprintf(work->why, sizeof(work->why),
                       "the best plan would lower the score by %.1f %% only, less than min_gain",
                       before.score.spread > 0 ? 100 * fall / before.score.spread : 0.0);
    }
    return true;
}
