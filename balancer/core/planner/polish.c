#include "balancer/core/planner/polish.h"

#include <assert.h>

/* A change must lower the cost by more than rounding does, or there would be no end. */
#define PROGRESS 1e-9

enum { MOST = 6 };

/* Costs that differ by less are equal. */
#define TIE 1e-12

/* Pairs of moved domain and host; in a larger cluster nobody expects the first of equal hosts. */
enum { MOST_TIES = 20000 };

/* More than one host has too little room: no single move mends that. */
#define MANY (EK_NONE - 1)

struct polish {
    struct ek_goal *goal;
    bool strict;
    uint64_t left;          /* trials */
    struct ek_shift *moves; /* of the goal when a round begins */
    uint32_t move_count;
    struct ek_shift chosen[MOST];
    size_t chosen_count;
    struct ek_shift best[MOST];
    size_t best_count;
    double best_cost;
};

/* The host where arrivals have no room; EK_NONE: there is none. */
static uint32_t crowded(const struct ek_goal *goal)
{
    uint32_t found = EK_NONE;

    for (uint32_t i = 0; i < goal->open_count; i++) {
        if (!ek_goal_has_room(goal, goal->open[i])) {
            if (found != EK_NONE) {
                return MANY;
            }
            found = goal->open[i];
        }
    }
    return found;
}

static void consider(struct polish *it, struct ek_trial *trial)
{
    struct ek_goal *goal = it->goal;

    it->left -= it->left > 0 ? 1 : 0;
    if (!ek_goal_weigh(goal, trial) || !ek_goal_below(goal, trial, it->best_cost - PROGRESS) ||
        !ek_goal_admits(goal, trial)) {
        return;
    }
    const struct ek_shift back = {trial->shifts[0].domain,
                                  goal->domains[trial->shifts[0].domain].home};
    ek_goal_make(goal, trial);
    if (!it->strict || ek_goal_orderable(goal, NULL)) {
        it->best_cost = goal->cost;
        it->best_count = it->chosen_count + 1;
        for (size_t i = 0; i < it->chosen_count; i++) {
            it->best[i] = it->chosen[i];
        }
        it->best[it->chosen_count] = trial->shifts[0];
    }
    ek_goal_put(goal, &back, 1);
}

/* All ways to move up to `more` domains, of those from the `from`th on. */
static void complete(struct polish *it, uint32_t from, size_t more)
{
    struct ek_goal *goal = it->goal;
    uint32_t full = crowded(goal);

    for (uint32_t i = from; i < goal->free_count; i++) {
        uint32_t domain = goal->free[i];
        uint32_t home = goal->domains[domain].home;
        /* The last one must make the room that is lacking. */
        if (goal->domains[domain].host != home || (more == 1 && full != EK_NONE && full != home)) {
            continue;
        }
        for (uint32_t h = 0; h < goal->open_count; h++) {
            struct ek_trial trial = {.count = 1};
            trial.shifts[0] = (struct ek_shift){domain, goal->open[h]};
            if (goal->open[h] == home) {
                continue;
            }
            if (full == EK_NONE || full == home) {
                consider(it, &trial);
            }
            if (more > 1 && ek_goal_admits(goal, &trial)) {
                it->chosen[it->chosen_count++] = trial.shifts[0];
                ek_goal_put(goal, &trial.shifts[0], 1);
                complete(it, i + 1, more - 1);
                ek_goal_put(goal, &(struct ek_shift){domain, home}, 1);
                it->chosen_count--;
            }
        }
    }
}

/* True: without these moves, and with others, it is better. */
static bool instead_of(struct polish *it, const struct ek_shift *out, size_t count, size_t more)
{
    struct ek_goal *goal = it->goal;
    double before = goal->cost;

    for (size_t i = 0; i < count; i++) {
        ek_goal_put(goal, &(struct ek_shift){out[i].domain, goal->domains[out[i].domain].home}, 1);
    }
    it->best_cost = before;
    it->best_count = 0;
    if (crowded(goal) == EK_NONE && goal->cost < before - PROGRESS &&
        (!it->strict || ek_goal_orderable(goal, NULL))) {
        it->best_cost = goal->cost;
    }
    complete(it, 0, more);
    if (it->best_cost < before) {
        ek_goal_put(goal, it->best, it->best_count);
        return true;
    }
    ek_goal_put(goal, out, count);
    return false;
}

/* Takes back each set of `count` moves, those from the `from`th on. */
static bool each_set(struct polish *it, struct ek_shift *out, size_t taken, size_t count,
                     uint32_t from, size_t more)
{
    if (taken == count) {
        return instead_of(it, out, count, more);
    }
    for (uint32_t i = from; i < it->move_count; i++) {
        out[taken] = it->moves[i];
        if (each_set(it, out, taken + 1, count, i + 1, more)) {
            return true;
        }
    }
    return false;
}

static double choose(double of, size_t count)
{
    double ways = 1;

    for (size_t i = 0; i < count; i++) {
        ways *= (of - (double)i) / (double)(i + 1);
    }
    return ways;
}

/* How many domains may move when `count` moves are taken back: no more than there are, or the
 * effort of it would be counted as none and never end. */
static size_t room_for(const struct ek_goal *goal, size_t count)
{
    size_t spare = goal->limit - goal->moved_count + count;

    spare = spare < goal->free_count ? spare : goal->free_count;
    return spare < MOST ? spare : MOST;
}

/* The trials that it takes to try all sets of so many moves. */
static double effort(const struct ek_goal *goal, size_t count, size_t more)
{
    double ways = choose(goal->free_count, more);

    for (size_t i = 0; i < more; i++) {
        ways *= goal->open_count - 1;
    }
    return choose(goal->moved_count, count) * ways;
}

/* One round with sets of so many; true: something is better now. */
static bool improve(struct polish *it, size_t count)
{
    struct ek_goal *goal = it->goal;
    struct ek_shift out[MOST];
    size_t more = room_for(goal, count);

    while (more > count && effort(goal, count, more) > (double)it->left) {
        more--;
    }
    if (count > goal->moved_count || more == 0 || effort(goal, count, more) > (double)it->left) {
        return false;
    }
    /* Kept apart: moves that are taken back and made again change their places in the goal. */
    it->move_count = goal->moved_count;
    for (uint32_t i = 0; i < goal->moved_count; i++) {
        it->moves[i] = (struct ek_shift){goal->moved[i], goal->domains[goal->moved[i]].host};
    }
    return each_set(it, out, 0, count, 0, more);
}

bool ek_polish(struct ek_goal *goal, uint64_t budget, bool strict, struct ek_error *err)
{
    struct polish it = {.goal = goal, .strict = strict, .left = budget};
    size_t count = 0;

    it.moves = ek_arena_alloc(&goal->search->cluster->arena, goal->free_count, sizeof(*it.moves));
    if (it.moves == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for polishing a goal");
    }
    assert(goal->moved_count <= goal->limit);
    /* The cost of a level cluster is the root of a rounding error, which changes with every move
     * there and back: progress alone would not bound the rounds. */
    while (count <= MOST && it.left > 0) {
        count = improve(&it, count) ? 0 : count + 1;
    }
    return true;
}

/* Makes the trial unless it costs anything. */
static void make_free(struct ek_goal *goal, struct ek_trial *trial)
{
    if (ek_goal_weigh(goal, trial) && ek_goal_below(goal, trial, goal->cost + TIE) &&
        ek_goal_admits(goal, trial)) {
        ek_goal_make(goal, trial);
    }
}

/* The first of alike domains moves. */
static void settle_domains(struct ek_goal *goal)
{
    for (uint32_t i = 0; i < goal->free_count; i++) {
        uint32_t first = goal->free[i];
        uint32_t home = goal->domains[first].home;
        for (uint32_t j = i + 1; j < goal->first[home + 1]; j++) {
            uint32_t later = goal->free[j];
            uint32_t host = goal->domains[later].host;
            if (host != home && goal->domains[first].host == home &&
                ek_goal_alike(goal, first, later)) {
                struct ek_trial trial = {.shifts = {{later, home}, {first, host}}, .count = 2};
                make_free(goal, &trial);
            }
        }
    }
}

static void settle_hosts(struct ek_goal *goal)
{
    for (uint32_t i = 0; i < goal->free_count; i++) {
        const struct ek_goal_domain *domain = &goal->domains[goal->free[i]];
        for (uint32_t h = 0; h < goal->open_count && domain->host != domain->home; h++) {
            if (goal->open[h] < domain->host && goal->open[h] != domain->home) {
                struct ek_trial trial = {.shifts = {{goal->free[i], goal->open[h]}}, .count = 1};
                make_free(goal, &trial);
            }
        }
    }
}

void ek_polish_ties(struct ek_goal *goal)
{
    if ((uint64_t)goal->moved_count * goal->open_count <= MOST_TIES) {
        settle_hosts(goal);
    }
    settle_domains(goal);
}
