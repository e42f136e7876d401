#include "balancer/core/planner/anneal.h"

#include "balancer/core/planner/anneal_steps.h"
#include "balancer/core/planner/polish.h"

#include <assert.h>
#include <math.h>

/* A new best must be better by more than rounding. */
#define PROGRESS 1e-9

/* So large may a cluster be that annealing needs no good start: it finds one itself. */
enum { ALONE_HOSTS = 64, ALONE_DOMAINS = 5000 };

/* So few hosts leave time to be thorough. */
enum { SMALL_HOSTS = 12, ROUNDS = 16, IDLE_ROUNDS = 6 };

/* Trials for each pair of domain and host and each move; some tens of milliseconds at most. */
enum { TRIALS_EACH = 50, MOST_TRIALS = 500000, SMALL_TRIALS = 200000, POLISH_TRIALS = 100000 };

/* A few moves in a small cluster can be the best possible ones: a quarter of a second at most. */
enum { THOROUGH_TRIALS_EACH = 5000, THOROUGH_TRIALS = 3000000, THOROUGH_POLISH_TRIALS = 6000000 };

/* Heat is in units of the score. At first it is so many times the part that one host has in the
 * cost: what one move changes is of that order. Where a good start is given it is to be kept. */
#define SMALL_HOT 2.0
#define HOT 0.2
#define WARM 0.02
#define COOLER 0.9 /* each further round */

/* At last it is less than what any move is worth. */
#define SMALL_COLD 3e-4
#define COLD 1e-5

/* Where moves are plentiful, prices count more while it is hot, and somewhat more to the end: what
 * barely earns its price costs the plan bytes for a hair of levelling. But never more than as if
 * cost_weight were so much. */
#define DEAR 40.0
#define DEAR_WEIGHT 4.0
#define THRIFT 2.5
#define THRIFT_WEIGHT 0.25

/* The part of a cooling down in which they are higher than they are. */
#define DEAR_UNTIL 0.7

enum { PATIENCES = 1024 };

struct annealing {
    struct ek_goal *goal;
    struct ek_anneal_steps steps;
    bool ordered;  /* the best must have an order ... */
    bool strict;   /* ... and every goal on the way to it */
    double dear;   /* prices count so many times at first ... */
    double thrift; /* ... and so many times at last */
    double heat;
    double patience[PATIENCES]; /* exponentially distributed: what is accepted, in units of heat */
    struct ek_shift *best;
    size_t best_count;
    double best_cost;
};

/* What is made small in the end. */
static double measure(const struct annealing *it)
{
    return it->goal->cost - (it->goal->dear - it->thrift) * it->goal->price;
}

static void remember(struct annealing *it)
{
    const struct ek_goal *goal = it->goal;

    it->best_cost = measure(it);
    it->best_count = goal->moved_count;
    for (uint32_t i = 0; i < goal->moved_count; i++) {
        uint32_t domain = goal->moved[i];
        it->best[i] = (struct ek_shift){domain, goal->domains[domain].host};
    }
}

/* True: made. */
static bool make(struct annealing *it, const struct ek_trial *trial)
{
    struct ek_goal *goal = it->goal;
    struct ek_shift before[EK_GOAL_SHIFTS];

    if (!ek_goal_admits(goal, trial)) {
        return false;
    }
    for (size_t i = 0; i < trial->count; i++) {
        uint32_t domain = trial->shifts[i].domain;
        before[i] = (struct ek_shift){domain, goal->domains[domain].host};
    }
    ek_goal_make(goal, trial);
    if (it->strict && !ek_goal_orderable(goal, NULL)) {
        ek_goal_put(goal, before, trial->count);
        return false;
    }
    return true;
}

static void step(struct annealing *it)
{
    struct ek_goal *goal = it->goal;
    struct ek_trial trial;

    if (!ek_anneal_propose(&it->steps, &trial) || !ek_goal_weigh(goal, &trial)) {
        return;
    }
    double worse = it->heat * it->patience[ek_anneal_draw(&it->steps) % PATIENCES];
    if (ek_goal_below(goal, &trial, goal->cost + worse) && make(it, &trial) &&
        measure(it) < it->best_cost - PROGRESS &&
        (!it->ordered || it->strict || ek_goal_orderable(goal, NULL))) {
        remember(it);
    }
}

/* Whether the move only pleases should rules: those choose among moves that level, and no more. */
static bool levels_not(const struct ek_goal *goal, const struct ek_trial *home)
{
    double left =
        goal->cost - goal->soft - goal->price - EK_RELIEF_WEIGHT * fmax(0, home->overload);

    return goal->soft != 0 && left > 0 && home->variance + home->doubt < left * left;
}

/* What does not earn its price goes home. */
static void drop_needless(struct annealing *it)
{
    struct ek_goal *goal = it->goal;
    bool dropped = true;

    while (dropped) {
        dropped = false;
        for (uint32_t i = goal->moved_count; i > 0; i--) {
            uint32_t domain = goal->moved[i - 1];
            struct ek_trial trial = {.shifts = {{domain, goal->domains[domain].home}}, .count = 1};
            if (ek_goal_weigh(goal, &trial) &&
                (ek_goal_below(goal, &trial, goal->cost) || levels_not(goal, &trial)) &&
                make(it, &trial)) {
                dropped = true;
            }
        }
    }
}

bool ek_anneal_alone(const struct ek_goal *goal)
{
    return goal->open_count <= ALONE_HOSTS && goal->free_count <= ALONE_DOMAINS;
}

static bool is_small(const struct ek_goal *goal)
{
    return goal->open_count <= SMALL_HOSTS;
}

/* What is worth while for this goal, and no more than `most`, unless that is 0. */
static uint64_t budget(const struct ek_goal *goal, uint64_t most)
{
    uint64_t moves = goal->limit < goal->free_count ? goal->limit : goal->free_count;
    bool thorough = is_small(goal) && goal->limit <= EK_GOAL_ORDERED;
    uint64_t each = thorough ? THOROUGH_TRIALS_EACH : TRIALS_EACH;
    uint64_t worth = moves * goal->free_count * goal->open_count * each;
    uint64_t usual = is_small(goal) ? SMALL_TRIALS : MOST_TRIALS;
    uint64_t limit = thorough ? THOROUGH_TRIALS : usual;

    limit = most > 0 && most < limit ? most : limit;
    return worth < limit ? worth : limit;
}

/* One cooling down, geometric from `hot` to `cold`. While it is hot large moves
 * are decided, and prices are high, so that these are no more than what is needed. */
static void cool(struct annealing *it, double hot, double cold, uint64_t trials)
{
    for (uint64_t i = 0; i < trials; i++) {
        if (i % 256 == 0) {
            double done = (double)i / (double)trials;
            double still = 1 - done / DEAR_UNTIL;
            ek_goal_price(it->goal, it->thrift + (it->dear - it->thrift) * fmax(0, still));
            it->heat = hot * pow(cold / hot, done);
        }
        step(it);
    }
    ek_goal_price(it->goal, 1);
    ek_goal_clear(it->goal);
    ek_goal_put(it->goal, it->best, it->best_count);
}

/* `times`, but no more than as if cost_weight were `most`. */
static double dearer(const struct ek_goal *goal, double times, double most)
{
    double weight = goal->search->cluster->policy->cost_weight;

    if (weight * times > most) {
        times = most / weight;
    }
    /* Few moves are large ones, whatever they cost. */
    return goal->limit > 2 * goal->open_count && times > 1 ? times : 1;
}

/* A small cluster has time for several rounds, each from the best so far; every other one may pass
 * through goals without an order. */
static void anneal_small(struct annealing *it, uint64_t trials)
{
    const struct ek_goal *goal = it->goal;
    bool ordered = goal->limit <= EK_GOAL_ORDERED;
    double hot = SMALL_HOT * goal->cost / goal->open_count;
    int idle_rounds = ordered ? IDLE_ROUNDS : IDLE_ROUNDS / 2;
    int idle = 0;

    it->ordered = ordered;
    for (int i = 0; i < ROUNDS && idle < idle_rounds && hot > SMALL_COLD; i++) {
        double before = it->best_cost;
        it->strict = ordered && i % 2 == 1;
        cool(it, hot, SMALL_COLD, trials / ROUNDS);
        idle = it->best_cost < before ? 0 : idle + 1;
        hot *= COOLER;
    }
    it->strict = ordered;
}

static bool prepare(struct annealing *it, struct ek_goal *goal, struct ek_error *err)
{
    struct ek_arena *arena = &goal->search->cluster->arena;

    it->goal = goal;
    it->best = ek_arena_alloc(arena, goal->free_count, sizeof(*it->best));
    if (it->best == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for annealing");
    }
    for (int i = 0; i < PATIENCES; i++) {
        it->patience[i] = -log((i + 0.5) / PATIENCES);
    }
    it->dear = dearer(goal, DEAR, DEAR_WEIGHT);
    it->thrift = dearer(goal, THRIFT, THRIFT_WEIGHT);
    remember(it);
    return ek_anneal_steps_init(&it->steps, goal, is_small(goal), err);
}

bool ek_anneal(struct ek_goal *goal, uint64_t most, struct ek_error *err)
{
    struct annealing it = {.heat = 0};

    if (goal->free_count == 0 || goal->open_count == 0) {
        return true;
    }
    if (!prepare(&it, goal, err)) {
        return false;
    }
    if (is_small(goal)) {
        anneal_small(&it, budget(goal, most));
    } else {
        double hot = (ek_anneal_alone(goal) ? HOT : WARM) * goal->cost / goal->open_count;
        cool(&it, hot > COLD ? hot : COLD, COLD, budget(goal, most));
    }
    uint64_t trials = it.strict ? THOROUGH_POLISH_TRIALS : POLISH_TRIALS;
    trials = most > 0 && most < trials ? most : trials;
    if (is_small(goal) && !ek_polish(goal, trials, it.strict, err)) {
        return false;
    }
    drop_needless(&it);
    ek_polish_ties(goal);
    return true;
}
