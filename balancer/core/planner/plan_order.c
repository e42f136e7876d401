/* The order of a plan: each move as soon as it fits, parking where each of some waits for another.
 * Every prefix of the plan is feasible. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

/* So many orders are tried, each led by those that could not be made in the one before; and not
 * where very many could not. */
enum { ATTEMPTS = 4, MOST_STUCK = 50 };

bool ek_plan_add(struct ek_plan_work *work, enum ek_move_kind kind,
                 const struct ek_candidate *chosen, const char *reason, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    struct ek_plan_move *move = &out->moves[out->move_count];
    uint32_t source = work->cluster.host_of[chosen->domain];
    double rate = ek_migration_rate(out->snapshot, work->policy, source, chosen->destination);

    assert(chosen->domain < out->snapshot->domain_count && source != chosen->destination);
    assert(out->move_count < 2 * out->snapshot->domain_count);
    *move = (struct ek_plan_move){
        .seq = (uint32_t)out->move_count + 1,
        .domain = chosen->domain,
        .source = source,
        .destination = chosen->destination,
        .kind = kind,
        .gain = chosen->gain,
        .cost = ek_migration_cost(&out->snapshot->domains[chosen->domain], rate,
                                  work->policy->max_downtime_ms),
        .reason = reason,
    };
    out->move_count++;
    ek_search_move(&work->search, chosen->domain, chosen->destination);
    return reason != NULL || ek_plan_nomem(err);
}

/* The reason before the move: it quotes both hosts as they are until then. */
bool ek_plan_take(struct ek_plan_work *work, const struct ek_policy_ops *ops,
                  const struct ek_candidate *chosen, struct ek_error *err)
{
    return ek_plan_add(work, ops->kind, chosen,
                       ops->reason(&work->search, chosen, &work->out->arena), err);
}

static bool fits_now(const struct ek_plan_work *work, const struct ek_plan_phase *phase,
                     const struct ek_choice *choice)
{
    return ek_constraint_pair(&work->cluster, work->request->cooldown, choice->domain,
                              choice->destination, phase->purpose) == EK_BLOCK_NONE;
}

static bool make_one(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                     const struct ek_choice *choice, struct ek_error *err)
{
    struct ek_candidate chosen =
        ek_candidate_rate(&work->search, choice->domain, choice->destination);

    return ek_plan_take(work, phase->ops, &chosen, err);
}

/* Makes whatever of the choices fits, in their order, again and again; `left` of them stay at the
 * front. */
static bool make_fitting(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                         struct ek_choice *choices, size_t *left, struct ek_error *err)
{
    size_t before = *left + 1;

    while (*left > 0 && *left < before) {
        size_t waiting = 0;
        before = *left;
        for (size_t i = 0; i < before; i++) {
            if (!fits_now(work, phase, &choices[i])) {
                choices[waiting++] = choices[i];
            } else if (!make_one(work, phase, &choices[i], err)) {
                return false;
            }
        }
        *left = waiting;
    }
    return true;
}

/* The host where a domain may wait for its place: where it does the least harm. EK_NONE: nowhere.
 */
static uint32_t parking(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                        const struct ek_choice *choice)
{
    struct ek_candidate best = {.domain = EK_NONE};

    for (uint32_t h = 0; h < work->out->snapshot->host_count; h++) {
        struct ek_choice there = {choice->domain, choice->source, h};
        if (h != choice->source && h != choice->destination && fits_now(work, phase, &there)) {
            struct ek_candidate candidate = ek_candidate_rate(&work->search, choice->domain, h);
            best = ek_candidate_better(&work->search, &candidate, &best) ? candidate : best;
        }
    }
    return best.domain == EK_NONE ? EK_NONE : best.destination;
}

/* The smallest of the choices that can be parked leaves for a third host and makes room there. */
static bool park_one(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                     struct ek_choice *choices, size_t left, bool *parked, struct ek_error *err)
{
    const struct ek_domain *domains = work->out->snapshot->domains;
    size_t smallest = left;
    uint32_t place = EK_NONE;

    for (size_t i = 0; i < left; i++) {
        const struct ek_domain *domain = &domains[choices[i].domain];
        bool once = choices[i].source == domain->host; /* nobody is parked twice */
        bool smaller =
            smallest == left || domain->memory_mib < domains[choices[smallest].domain].memory_mib;
        uint32_t host = once && smaller ? parking(work, phase, &choices[i]) : EK_NONE;
        if (host != EK_NONE) {
            smallest = i;
            place = host;
        }
    }
    *parked = place != EK_NONE && work->out->move_count + left < phase->most;
    if (!*parked) {
        return true;
    }
    const struct ek_choice wait = {choices[smallest].domain, choices[smallest].source, place};
    if (!make_one(work, phase, &wait, err)) {
        return false;
    }
    work->out->moves[work->out->move_count - 1].kind = EK_MOVE_PARK;
    work->out->moves[work->out->move_count - 1].reason = "makes room for a while";
    work->search.settled[wait.domain] = false; /* its last move is still to come */
    choices[smallest].source = place;
    return true;
}

bool ek_plan_order(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                   struct ek_choice *choices, size_t *left, struct ek_error *err)
{
    bool parked = true;

    while (parked) {
        if (!make_fitting(work, phase, choices, left, err)) {
            return false;
        }
        parked = false;
        if (*left > 0 && !park_one(work, phase, choices, *left, &parked, err)) {
            return false;
        }
    }
    return true;
}

/* Those that could not be made go before the others, each group as it stood. */
static void stuck_first(struct ek_choice *choices, size_t count, const struct ek_choice *stuck,
                        size_t left)
{
    size_t end = count;

    for (size_t i = count; i > 0; i--) {
        bool is_stuck = false;
        for (size_t s = 0; s < left; s++) {
            is_stuck = is_stuck || stuck[s].domain == choices[i - 1].domain;
        }
        if (!is_stuck) {
            choices[--end] = choices[i - 1];
        }
    }
    assert(end == left);
    memcpy(choices, stuck, left * sizeof(*choices));
}

bool ek_plan_order_any(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                       struct ek_choice *choices, size_t count, size_t *left, struct ek_error *err)
{
    struct ek_choice *attempt = ek_arena_alloc(&work->cluster.arena, count, sizeof(*attempt));

    if (attempt == NULL) {
        return ek_plan_nomem(err);
    }
    for (int i = 0;; i++) {
        memcpy(attempt, choices, count * sizeof(*choices));
        *left = count;
        if (!ek_plan_order(work, phase, attempt, left, err)) {
            return false;
        }
        if (*left == 0 || i == ATTEMPTS || *left > MOST_STUCK) {
            return true;
        }
        ek_plan_drop(work, phase->mark);
        stuck_first(choices, count, attempt, *left);
        for (size_t c = 0; c < *left; c++) {
            /* Parked, perhaps: that is undone. */
            choices[c].source = work->cluster.host_of[choices[c].domain];
        }
    }
}

void ek_plan_drop(struct ek_plan_work *work, size_t mark)
{
    while (work->out->move_count > mark) {
        /* The newest first, so that each stands where its move had put it. */
        const struct ek_plan_move *move = &work->out->moves[--work->out->move_count];
        assert(work->cluster.host_of[move->domain] == move->destination);
        work->search.settled[move->domain] = true; /* a parked one is not */
        ek_search_undo(&work->search, move->domain, move->source);
    }
}

bool ek_plan_mark_parks(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t domains = out->snapshot->domain_count;
    bool *later = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*later));
    uint32_t *next = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*next));

    if (later == NULL || next == NULL) {
        return ek_plan_nomem(err);
    }
    for (size_t i = out->move_count; i > 0; i--) {
        struct ek_plan_move *move = &out->moves[i - 1];
        if (later[move->domain]) {
            move->kind = EK_MOVE_PARK;
            move->reason = ek_arena_printf(&out->arena, "%s; goes on to %s later", move->reason,
                                           out->snapshot->hosts[next[move->domain]].name);
            if (move->reason == NULL) {
                return ek_plan_nomem(err);
            }
        }
        later[move->domain] = true;
        next[move->domain] = move->destination;
    }
    return true;
}
