/* Levelling: where everything is to be in the end (goal.h), and an order that leads there. */
#include "balancer/core/planner/anneal.h"
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

/* Sums of the same figures in another order differ by less. */
#define ROUNDING 1e-6

/* So many moves are put in the order of what they bring; the rest is small. */
enum { BEST_FIRST = 100 };

/* Sets of moves that stand for one another. */
struct sets {
    struct ek_choice *first;  /* one best move after the other; their order is feasible */
    struct ek_choice *better; /* chosen as a whole; their order is to be found */
    size_t first_count;
    size_t better_count;
};

/* What the moves after the first `mark` and the choices, which are made in the model, leave: the
 * measure of a goal. */
static double cost_of(const struct ek_plan_work *work, const struct ek_choice *choices,
                      size_t count, size_t mark)
{
    struct ek_score score = ek_cluster_score(&work->cluster);
    double cost = EK_RELIEF_WEIGHT * score.overload + score.spread + score.soft;

    for (size_t i = 0; i < count; i++) {
        cost += work->search.price[choices[i].domain];
    }
    for (size_t i = mark; i < work->out->move_count; i++) {
        cost += work->search.price[work->out->moves[i].domain];
    }
    return cost;
}

/* One best move after the other, which are left in `sets` and not in the model. Returns what they
 * would leave. */
static double choose_first(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                           struct sets *sets)
{
    size_t limit = phase->most - phase->mark;

    for (sets->first_count = 0; sets->first_count < limit; sets->first_count++) {
        struct ek_candidate best = phase->ops->next(&work->search);
        if (best.domain == EK_NONE) {
            break;
        }
        sets->first[sets->first_count] =
            (struct ek_choice){best.domain, work->cluster.host_of[best.domain], best.destination};
        ek_search_move(&work->search, best.domain, best.destination);
    }
    double cost = cost_of(work, sets->first, sets->first_count, phase->mark);
    for (size_t i = sets->first_count; i > 0; i--) {
        ek_search_undo(&work->search, sets->first[i - 1].domain, sets->first[i - 1].source);
    }
    return cost;
}

/* Of the choices from the `from`th on, the one that brings most now. */
static size_t best_of(const struct ek_plan_work *work, const struct sets *sets, size_t from)
{
    struct ek_candidate best = {.domain = EK_NONE};
    size_t at = from;

    for (size_t i = from; i < sets->better_count; i++) {
        const struct ek_choice *choice = &sets->better[i];
        struct ek_candidate candidate =
            ek_candidate_rate(&work->search, choice->domain, choice->destination);
        if (ek_candidate_better(&work->search, &candidate, &best)) {
            best = candidate;
            at = i;
        }
    }
    return at;
}

/* Two domains that nothing tells apart may exchange their destinations. */
static bool interchange(const struct ek_goal *goal, const struct ek_choice *a,
                        const struct ek_choice *b)
{
    return a->source == b->source && !goal->domains[a->domain].ruled &&
           !goal->domains[b->domain].ruled && ek_goal_alike(goal, a->domain, b->domain);
}

/* Of domains that nothing tells apart the first has the first of the destinations, by name. */
static void sort_alike(const struct ek_goal *goal, struct sets *sets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct ek_choice *a = &sets->better[i];
            struct ek_choice *b = &sets->better[j];
            if (a->domain < b->domain && a->destination > b->destination &&
                interchange(goal, a, b)) {
                uint32_t destination = a->destination;
                a->destination = b->destination;
                b->destination = destination;
            }
        }
    }
}

/* Of domains that nothing tells apart the first goes first: to where it is best now. */
static void prefer_first(const struct ek_goal *goal, struct sets *sets, size_t chosen)
{
    struct ek_choice *choice = &sets->better[chosen];

    for (size_t i = chosen + 1; i < sets->better_count; i++) {
        struct ek_choice *other = &sets->better[i];
        if (other->domain < choice->domain && interchange(goal, other, choice)) {
            uint32_t domain = other->domain;
            other->domain = choice->domain;
            choice->domain = domain;
        }
    }
}

/* What brings most goes first, after those before it: a plan may be stopped half way. */
static void best_first(struct ek_plan_work *work, const struct ek_goal *goal, struct sets *sets)
{
    size_t count = sets->better_count < BEST_FIRST ? sets->better_count : BEST_FIRST;

    sort_alike(goal, sets, count);
    for (size_t i = 0; i < count; i++) {
        size_t at = best_of(work, sets, i);
        const struct ek_choice best = sets->better[at];
        sets->better[at] = sets->better[i];
        sets->better[i] = best;
        prefer_first(goal, sets, i);
        ek_search_move(&work->search, sets->better[i].domain, best.destination);
    }
    for (size_t i = count; i > 0; i--) {
        ek_search_undo(&work->search, sets->better[i - 1].domain, sets->better[i - 1].source);
    }
}

/* Moves whose sources do not count, out of maintenance or of hosts without fresh figures, are none
 * of a goal's. */
static void begin_with_first(struct ek_goal *goal, const struct sets *sets)
{
    for (size_t i = 0; i < sets->first_count; i++) {
        const struct ek_choice *choice = &sets->first[i];
        if (goal->search->cluster->hosts[choice->source].counted) {
            ek_goal_put(goal, &(struct ek_shift){choice->domain, choice->destination}, 1);
        }
    }
}

/* The goal's moves in an order that is known to have room. */
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

/* The moves as a whole; `*cost` is what they leave. */
static bool choose_goal(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                        struct sets *sets, double *cost, struct ek_error *err)
{
    struct ek_goal goal;

    if (!ek_goal_init(&goal, &work->search, (uint32_t)(phase->most - phase->mark), err)) {
        return false;
    }
    if (!ek_anneal_alone(&goal)) {
        /* Before the goal has moves, since both use the cluster's rules. */
        (void)choose_first(work, phase, sets);
        begin_with_first(&goal, sets);
    }
    if (!ek_anneal(&goal, work->request->trials, err)) {
        return false;
    }
    *cost = ek_goal_cost_without_noise(&goal);
    sets->better_count = goal.moved_count;
    for (uint32_t i = 0; i < goal.moved_count; i++) {
        const struct ek_goal_domain *domain = &goal.domains[goal.moved[i]];
        sets->better[i] = (struct ek_choice){goal.moved[i], domain->home, domain->host};
    }
    /* Where room is short, the order that is known to be feasible; else what brings most first. */
    bool ordered = goal.limit <= EK_GOAL_ORDERED && in_order(&goal, sets);
    ek_goal_clear(&goal);
    if (!ordered) {
        best_first(work, &goal, sets);
    }
    return true;
}

/* Makes the first choices. One that is parked for a move which then does not fit would stay there:
 * in that case nobody is parked. */
static bool fall_back(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                      struct sets *sets, struct ek_error *err)
{
    struct ek_plan_phase plain = *phase;
    size_t left = sets->first_count;

    memcpy(sets->better, sets->first, left * sizeof(*sets->first));
    if (!ek_plan_order(work, phase, sets->better, &left, err)) {
        return false;
    }
    if (left == 0) {
        return true;
    }
    plain.most = phase->mark;
    ek_plan_drop(work, phase->mark);
    return ek_plan_order(work, &plain, sets->first, &sets->first_count, err);
}

/* Some of the moves as a whole have no order, or parking made them dearer: they stand, where they
 * are no worse than one best move after the other. */
static bool settle(struct ek_plan_work *work, const struct ek_plan_phase *phase, struct sets *sets,
                   bool complete, struct ek_error *err)
{
    double got = cost_of(work, NULL, 0, phase->mark);
    size_t left = 0;

    ek_plan_drop(work, phase->mark);
    if (complete && choose_first(work, phase, sets) > got) {
        return ek_plan_order_any(work, phase, sets->better, sets->better_count, &left, err);
    }
    if (!complete) {
        (void)choose_first(work, phase, sets);
    }
    return fall_back(work, phase, sets, err);
}

bool ek_plan_level(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                   struct ek_error *err)
{
    struct ek_arena *scratch = &work->cluster.arena;
    size_t domains = work->out->snapshot->domain_count;
    struct sets sets = {.first = ek_arena_alloc(scratch, domains, sizeof(*sets.first)),
                        .better = ek_arena_alloc(scratch, domains, sizeof(*sets.better))};
    double wanted = 0;
    size_t left = 0;

    if (sets.first == NULL || sets.better == NULL) {
        return ek_plan_nomem(err);
    }
    assert(phase->ops->next != NULL && phase->most >= phase->mark);
    if (!choose_goal(work, phase, &sets, &wanted, err) ||
        !ek_plan_order_any(work, phase, sets.better, sets.better_count, &left, err)) {
        return false;
    }
    if (left == 0 && cost_of(work, NULL, 0, phase->mark) <= wanted + ROUNDING) {
        return true;
    }
    return settle(work, phase, &sets, left == 0, err);
}
