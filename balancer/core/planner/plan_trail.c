/* Moves that belong together: tried in the model first, made the plan's as a whole or not at all.
 */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

/* A domain that was put somewhere for want of a better place may move on once. */
enum { MOVES_OF_ONE = 2 };

bool ek_plan_may_go(const struct ek_plan_work *work, uint32_t domain)
{
    bool balanced = work->search.settled[domain] && work->moved[domain] == 0;
    size_t moves = work->moved[domain];

    for (size_t i = 0; i < work->trail.count; i++) {
        moves += work->trail.steps[i].domain == domain ? 1 : 0;
        balanced = balanced && work->trail.steps[i].domain != domain;
    }
    return !balanced && moves < MOVES_OF_ONE &&
           !ek_plan_holds(work, work->cluster.host_of[domain]) &&
           ek_constraint_domain(&work->cluster, work->request->cooldown, domain,
                                EK_PURPOSE_EVACUATE) == EK_BLOCK_NONE;
}

void ek_plan_push(struct ek_plan_work *work, uint32_t domain, uint32_t destination)
{
    struct ek_plan_trail *trail = &work->trail;

    assert(trail->count < EK_PLAN_TRAIL);
    trail->steps[trail->count] =
        (struct ek_choice){domain, work->cluster.host_of[domain], destination};
    trail->settled[trail->count++] = work->search.settled[domain];
    work->search.settled[domain] = false;
    ek_search_move(&work->search, domain, destination);
}

void ek_plan_pop(struct ek_plan_work *work, size_t mark)
{
    struct ek_plan_trail *trail = &work->trail;

    assert(mark <= trail->count);
    while (trail->count > mark) {
        const struct ek_choice *step = &trail->steps[--trail->count];
        ek_search_undo(&work->search, step->domain, step->source);
        work->search.settled[step->domain] = trail->settled[trail->count];
    }
    trail->together = trail->together && mark > 0;
}

bool ek_plan_spend(uint64_t *budget, uint64_t looks)
{
    bool left = looks <= *budget;

    *budget = left ? *budget - looks : 0;
    return left;
}

double ek_plan_trail_price(const struct ek_plan_work *work)
{
    double price = 0;

    for (size_t i = 0; i < work->trail.count; i++) {
        price += work->search.price[work->trail.steps[i].domain];
    }
    return price;
}

/* target_max has given way when even a step that only has to be feasible lifts it above. */
static struct ek_candidate rate(const struct ek_plan_work *work, const struct ek_choice *step)
{
    struct ek_candidate candidate =
        ek_candidate_rate(&work->search, step->domain, step->destination);

    candidate.beyond_target =
        ek_constraint_step(&work->cluster, work->request->cooldown, step->domain, step->destination,
                           EK_PURPOSE_EVACUATE) == EK_BLOCK_TARGET;
    return candidate;
}

static const char *mending(struct ek_plan_work *work, uint32_t rule,
                           const struct ek_candidate *candidate)
{
    struct ek_arena *arena = &work->out->arena;
    const char *how = ek_rule_explain_mending(&work->cluster.rules, rule, candidate->domain,
                                              candidate->destination, arena);

    return how == NULL || !candidate->beyond_target
               ? how
               : ek_arena_printf(arena, "%s (no host stays below its target)", how);
}

static const char *reason(struct ek_plan_work *work, const struct ek_plan_errand *errand,
                          bool together, const struct ek_candidate *candidate)
{
    const struct ek_snapshot *snapshot = work->out->snapshot;
    uint32_t rule = ek_rule_set_mended(&work->cluster.rules, EK_MUST, candidate->domain,
                                       candidate->destination);

    if (snapshot->hosts[work->cluster.host_of[candidate->domain]].maintenance) {
        return ek_policy_drain.reason(&work->search, candidate, &work->out->arena);
    }
    if (errand->kind == EK_MOVE_RULE && rule != EK_NONE) {
        return mending(work, rule, candidate);
    }
    if (errand->rule != EK_NONE &&
        ek_rule_set_concerns(&work->cluster.rules, errand->rule, candidate->domain) && together) {
        return mending(work, errand->rule, candidate);
    }
    /* A domain that waits for its own place is called parked in the end. */
    return ek_arena_printf(&work->out->arena, together ? "goes along with %s" : "makes room for %s",
                           snapshot->domains[errand->domain].name);
}

bool ek_plan_commit(struct ek_plan_work *work, const struct ek_plan_errand *errand,
                    struct ek_error *err)
{
    const struct ek_plan_trail trail = work->trail;
    bool ok = true;

    ek_plan_pop(work, 0);
    for (size_t i = 0; ok && i < trail.count; i++) {
        const struct ek_candidate candidate = rate(work, &trail.steps[i]);
        const char *why = reason(work, errand, trail.together, &candidate);
        work->search.settled[candidate.domain] = false;
        work->moved[candidate.domain]++;
        ok = ek_plan_add(work, errand->kind, &candidate, why, err);
    }
    return ok;
}
