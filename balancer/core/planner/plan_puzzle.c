/* Where the best move after the other leaves something undone, a small cluster is a puzzle that can
 * be searched through from the beginning: sequences of feasible moves, shorter ones first, until
 * one empties or mends more. Positions that were looked at before are passed over; looks are
 * counted, so that the work is bounded. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

enum {
    PUZZLE_PAIRS = 64, /* domains that may move x hosts that count: no larger cluster is tried */
    PUZZLE_DEPTH = 4,
    PUZZLE_LOOKS = 30000,
    SEEN = 8192 /* positions that are remembered; a power of two */
};

struct seen {
    uint64_t position;
    int depth; /* moves that were still allowed */
};

struct puzzle {
    struct ek_plan_work *work;
    uint32_t left; /* domains in maintenance, and rules broken, as the plan would leave it */
    size_t broken;
    double *degree; /* of each rule at the beginning */
    struct seen *seen;
    uint64_t position;
    int looks;
};

/* splitmix64's mixer (Steele, Lea, Flood, OOPSLA 2014) over a pair. */
static uint64_t mix(uint32_t domain, uint32_t host)
{
    uint64_t z = (((uint64_t)domain << 32) | host) + 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint32_t count_left(const struct ek_plan_work *work)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    uint32_t left = 0;

    for (uint32_t h = 0; h < snapshot->host_count; h++) {
        uint32_t d = snapshot->hosts[h].maintenance ? work->search.first[h] : EK_NONE;
        for (; d != EK_NONE; d = work->search.next[d]) {
            left++;
        }
    }
    return left;
}

/* More is empty or mended than the plan does, and no rule is worse than at the beginning. */
static bool solved(const struct puzzle *puzzle)
{
    const struct ek_rule_set *set = &puzzle->work->cluster.rules;
    uint32_t left = count_left(puzzle->work);
    size_t broken = ek_rule_set_broken(set);

    if (left > puzzle->left || (left == puzzle->left && broken >= puzzle->broken)) {
        return false;
    }
    for (uint32_t r = 0; r < set->rule_count; r++) {
        if (ek_rule_set_rule(set, r)->enforcement == EK_MUST &&
            ek_rule_set_degree(set, r) > puzzle->degree[r] + 1e-9) {
            return false;
        }
    }
    return true;
}

/* False: the position was looked at with as many moves to go. */
static bool remember(struct puzzle *puzzle, int depth)
{
    struct seen *seen = &puzzle->seen[puzzle->position & (SEEN - 1)];

    if (seen->position == puzzle->position && seen->depth >= depth) {
        return false;
    }
    *seen = (struct seen){puzzle->position, depth};
    return true;
}

/* The last move of a solution is one that empties or mends by itself, or it would not be needed. */
static bool may_be_last(const struct ek_plan_work *work, uint32_t domain, uint32_t host)
{
    return work->out->snapshot->hosts[work->cluster.host_of[domain]].maintenance ||
           ek_rule_set_mended(&work->cluster.rules, EK_MUST, domain, host) != EK_NONE;
}

static bool search(struct puzzle *puzzle, int depth);

static bool try_move(struct puzzle *puzzle, uint32_t domain, uint32_t host, int depth)
{
    struct ek_plan_work *work = puzzle->work;
    uint32_t from = work->cluster.host_of[domain];
    size_t mark = work->trail.count;
    uint64_t change = mix(domain, from) ^ mix(domain, host);

    if (depth == 1 && !may_be_last(work, domain, host)) {
        return false;
    }
    puzzle->looks--;
    if (ek_constraint_step(&work->cluster, work->request->cooldown, domain, host,
                           EK_PURPOSE_EVACUATE_FORCED) != EK_BLOCK_NONE) {
        return false;
    }
    ek_plan_push(work, domain, host);
    puzzle->position ^= change;
    bool found = solved(puzzle) || (depth > 1 && search(puzzle, depth - 1));
    puzzle->position ^= change;
    if (!found) {
        ek_plan_pop(work, mark);
    }
    return found;
}

static bool search(struct puzzle *puzzle, int depth)
{
    struct ek_plan_work *work = puzzle->work;
    const struct ek_snapshot *snapshot = work->out->snapshot;
    bool found = false;

    if (!remember(puzzle, depth)) {
        return false;
    }
    for (uint32_t d = 0; !found && d < snapshot->domain_count; d++) {
        bool free = ek_plan_may_go(work, d);
        for (uint32_t h = 0; free && !found && puzzle->looks > 0 && h < snapshot->host_count; h++) {
            found = work->cluster.hosts[h].counted && h != work->cluster.host_of[d] &&
                    try_move(puzzle, d, h, depth);
        }
    }
    return found;
}

static size_t count_open(const struct ek_plan_work *work)
{
    size_t hosts = 0;

    for (uint32_t h = 0; h < work->out->snapshot->host_count; h++) {
        hosts += work->cluster.hosts[h].counted ? 1 : 0;
    }
    return hosts;
}

/* Before anybody is asked whether it may move. */
static bool small(const struct ek_plan_work *work)
{
    return work->out->snapshot->host_count <= PUZZLE_PAIRS &&
           work->out->snapshot->domain_count <= PUZZLE_PAIRS && count_open(work) > 0;
}

/* Whether it is small enough in fact, and something is left that may move at all. */
static bool worth_a_try(const struct ek_plan_work *work)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    size_t hosts = count_open(work);
    size_t domains = 0;
    bool wanted = ek_rule_set_broken(&work->cluster.rules) > 0;

    for (uint32_t d = 0; d < snapshot->domain_count; d++) {
        bool free = ek_plan_may_go(work, d);
        domains += free ? 1 : 0;
        wanted = wanted || (free && snapshot->hosts[work->cluster.host_of[d]].maintenance);
    }
    return wanted && domains > 0 && hosts * domains <= PUZZLE_PAIRS;
}

static bool begin(struct puzzle *puzzle, struct ek_arena *scratch, struct ek_error *err)
{
    const struct ek_rule_set *set = &puzzle->work->cluster.rules;

    puzzle->degree = ek_arena_alloc(scratch, set->rule_count, sizeof(*puzzle->degree));
    puzzle->seen = ek_arena_alloc(scratch, SEEN, sizeof(*puzzle->seen));
    if (puzzle->degree == NULL || puzzle->seen == NULL) {
        return ek_plan_nomem(err);
    }
    puzzle->looks = PUZZLE_LOOKS;
    return true;
}

/* True: the trail has a solution. */
static bool solve(struct puzzle *puzzle)
{
    const struct ek_rule_set *set = &puzzle->work->cluster.rules;
    bool found = false;

    assert(puzzle->work->trail.count == 0);
    for (uint32_t r = 0; r < set->rule_count; r++) {
        puzzle->degree[r] = ek_rule_set_degree(set, r);
    }
    for (int depth = 1; !found && depth <= PUZZLE_DEPTH && puzzle->looks > 0; depth++) {
        memset(puzzle->seen, 0, SEEN * sizeof(*puzzle->seen));
        found = search(puzzle, depth);
    }
    return found;
}

/* Takes the plan's moves back, to begin anew. */
static void clear(struct ek_plan_work *work)
{
    ek_plan_drop(work, 0);
    memset(work->moved, 0, work->out->snapshot->domain_count * sizeof(*work->moved));
    work->repairs = 0;
}

/* Moves that were taken back, once more. */
static bool make_again(struct ek_plan_work *work, const struct ek_plan_move *moves, size_t count,
                       struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        struct ek_candidate candidate =
            ek_candidate_rate(&work->search, moves[i].domain, moves[i].destination);
        work->search.settled[candidate.domain] = false;
        work->moved[candidate.domain]++;
        work->repairs += moves[i].kind == EK_MOVE_RULE ? 1 : 0;
        ok = ek_plan_add(work, moves[i].kind, &candidate, moves[i].reason, err);
    }
    return ok;
}

static bool commit(struct ek_plan_work *work, struct ek_error *err)
{
    const struct ek_choice *last = &work->trail.steps[work->trail.count - 1];
    bool empties = false;

    for (size_t i = 0; i < work->trail.count; i++) {
        empties = empties || work->out->snapshot->hosts[work->trail.steps[i].source].maintenance;
    }
    const struct ek_plan_errand errand = {empties ? EK_MOVE_EVACUATE : EK_MOVE_RULE, last->domain,
                                          EK_NONE};
    work->repairs += empties ? 0 : work->trail.count;
    return ek_plan_commit(work, &errand, err);
}

/* *better: the plan has other moves now. */
static bool play(struct puzzle *puzzle, struct ek_arena *scratch, bool *better,
                 struct ek_error *err)
{
    struct ek_plan_work *work = puzzle->work;
    const struct ek_plan *out = work->out;
    const size_t count = out->move_count;
    struct ek_plan_move *moves = ek_arena_alloc(scratch, count + 1, sizeof(*moves));

    if (moves == NULL) {
        return ek_plan_nomem(err);
    }
    memcpy(moves, out->moves, count * sizeof(*moves));
    puzzle->left = count_left(work);
    puzzle->broken = ek_rule_set_broken(&work->cluster.rules);
    clear(work);
    bool found = worth_a_try(work) && solve(puzzle);
    /* moves_per_plan is far above what a puzzle takes, unless somebody wants the smallest steps. */
    *better = found && work->trail.count <= (size_t)work->policy->moves_per_plan;
    if (*better) {
        /* Who is not part of the puzzle follows in the common way. */
        return commit(work, err) && ek_plan_evacuate(work, err) && ek_plan_repair(work, err);
    }
    ek_plan_pop(work, 0);
    return make_again(work, moves, count, err);
}

bool ek_plan_puzzle(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_arena scratch = {.newest = NULL};
    struct puzzle puzzle = {.work = work};
    bool mends = !work->request->evacuate_only;
    bool left = (mends && ek_rule_set_broken(&work->cluster.rules) > 0) || count_left(work) > 0;
    bool better = left && small(work);
    bool ok = !better || begin(&puzzle, &scratch, err);

    /* The shortest improvement comes first, a longer one may do more. */
    while (ok && better) {
        ok = play(&puzzle, &scratch, &better, err);
        better = better &&
                 ((mends && ek_rule_set_broken(&work->cluster.rules) > 0) || count_left(work) > 0);
    }

    ek_arena_finish(&scratch);
    return ok;
}
