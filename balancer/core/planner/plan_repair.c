/* Repair: must rules that the input breaks are mended before anything is balanced, by the fewest
 * and cheapest moves: one domain, else a group, else others out of the way first. See
 * docs/rules.md. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>
#include <string.h>

/* Ratings that one look at all offenders may take. */
#define LOOKS_ALL 4000000

/* Rounding of sums of degrees. */
#define PROGRESS 1e-9

/* A move that mends. */
struct mending {
    double fall; /* of the cost of must rules: first in rank */
    struct ek_candidate move;
};

/* Whose group found no place is asked again after more and more other groups have moved: were all
 * asked after each, thousands of them would look at every host thousands of times. */
struct pause {
    uint32_t failures;
    uint32_t until; /* successes */
};

struct repair {
    struct ek_plan_work *work;
    uint32_t *offenders;
    struct mending *best; /* of each offender, perhaps out of date */
    size_t count;
    size_t most;          /* moves of the plan, at most */
    struct pause *pauses; /* per domain */
    uint32_t successes;   /* of groups */
    bool paused;          /* somebody was not asked */
};

/* The target gives way only where it must, so that is asked before what a move is worth. */
static bool better(const struct ek_search *search, const struct mending *a, const struct mending *b)
{
    if (a->move.domain == EK_NONE || b->move.domain == EK_NONE) {
        return a->move.domain != EK_NONE;
    }
    if (a->fall > b->fall + PROGRESS || b->fall > a->fall + PROGRESS) {
        return a->fall > b->fall;
    }
    return a->move.beyond_target != b->move.beyond_target
               ? !a->move.beyond_target
               : ek_candidate_better(search, &a->move, &b->move);
}

/* The best move of one offender as things are. */
static struct mending rate(const struct repair *repair, uint32_t domain)
{
    struct ek_plan_work *work = repair->work;
    struct mending best = {.move = {.domain = EK_NONE}};
    bool may_go = ek_plan_may_go(work, domain) &&
                  ek_plan_spend(&work->mend_looks, work->out->snapshot->host_count);

    for (uint32_t h = 0; may_go && h < work->out->snapshot->host_count; h++) {
        struct mending found = {.fall = -ek_rule_set_must_delta(&work->cluster.rules, domain, h)};
        enum ek_block block = found.fall > PROGRESS
                                  ? ek_constraint_pair(&work->cluster, work->request->cooldown,
                                                       domain, h, EK_PURPOSE_EVACUATE)
                                  : EK_BLOCK_SAME_HOST;
        if (block == EK_BLOCK_NONE || block == EK_BLOCK_TARGET) {
            found.move = ek_candidate_rate(&work->search, domain, h);
            found.move.beyond_target = block == EK_BLOCK_TARGET;
            best = better(&work->search, &found, &best) ? found : best;
        }
    }
    return best;
}

static void rate_all(struct repair *repair)
{
    const struct ek_plan_work *work = repair->work;
    size_t most = LOOKS_ALL / (work->out->snapshot->host_count + 1) + 1;

    repair->count = ek_rule_set_offenders(&work->cluster.rules, EK_MUST, repair->offenders);
    repair->count = repair->count < most ? repair->count : most;
    for (size_t i = 0; i < repair->count; i++) {
        repair->best[i] = rate(repair, repair->offenders[i]);
    }
}

static size_t pick(const struct repair *repair)
{
    size_t best = 0;

    for (size_t i = 1; i < repair->count; i++) {
        best = better(&repair->work->search, &repair->best[i], &repair->best[best]) ? i : best;
    }
    return best;
}

static bool commit(struct repair *repair, uint32_t domain, uint32_t rule, struct ek_error *err)
{
    struct ek_plan_work *work = repair->work;
    const struct ek_plan_errand errand = {EK_MOVE_RULE, domain, rule};

    work->repairs += work->trail.count;
    return ek_plan_commit(work, &errand, err);
}

/* Moves of single domains, the best first. A rating from before a move is a claim that is looked at
 * again before it counts; when all are used up, everybody is asked once more. */
static bool mend_singly(struct repair *repair, bool *changed, struct ek_error *err)
{
    struct ek_plan_work *work = repair->work;
    bool fresh = true;

    rate_all(repair);
    while (repair->count > 0 && work->out->move_count < repair->most) {
        size_t i = pick(repair);
        if (repair->best[i].move.domain == EK_NONE) {
            if (fresh) {
                break;
            }
            rate_all(repair);
            fresh = true;
            continue;
        }
        struct mending again = rate(repair, repair->offenders[i]);
        bool stands = again.move.domain != EK_NONE &&
                      again.move.destination == repair->best[i].move.destination &&
                      again.fall > repair->best[i].fall - PROGRESS;
        repair->best[i] = again;
        if (stands) {
            ek_plan_push(work, again.move.domain, again.move.destination);
            if (!commit(repair, again.move.domain, EK_NONE, err)) {
                return false;
            }
            repair->best[i] = rate(repair, repair->offenders[i]);
            *changed = true;
            fresh = false;
        }
    }
    return true;
}

/* The first must rule of affinity that the domain offends, or that holds it back. */
static uint32_t binding(const struct ek_rule_set *set, uint32_t domain)
{
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(set, domain, &count);
    uint32_t found = EK_NONE;

    for (size_t i = 0; i < count; i++) {
        const struct ek_rule *rule = ek_rule_set_rule(set, rules[i]);
        bool first = found == EK_NONE || (ek_rule_set_degree(set, rules[i]) > 0 &&
                                          !(ek_rule_set_degree(set, found) > 0));
        if (rule->kind == EK_RULE_AFFINITY && rule->enforcement == EK_MUST && first) {
            found = rules[i];
        }
    }
    return found;
}

/* A trail that is longer than what is left waits for the next plan; one that no plan could hold is
 * made all the same when it is the first. */
static bool affordable(const struct repair *repair)
{
    const struct ek_plan_work *work = repair->work;

    return work->out->move_count + work->trail.count <= repair->most || work->repairs == 0;
}

static void pause(struct repair *repair, uint32_t domain)
{
    struct pause *it = &repair->pauses[domain];

    it->until = repair->successes + (1U << (it->failures < 16 ? it->failures : 16));
    it->failures++;
}

/* Tries the group of the domain; true: the trail has its moves. */
static bool find_group(struct repair *repair, uint32_t domain, uint32_t rule, bool *ok,
                       struct ek_error *err)
{
    if (rule == EK_NONE) {
        return false;
    }
    if (repair->pauses[domain].failures > 0 && repair->successes < repair->pauses[domain].until) {
        repair->paused = true;
        return false;
    }
    bool found = ek_plan_group(repair->work, domain, true, ok, err);
    if (!found) {
        pause(repair, domain);
    }
    return found;
}

/* Whole groups (`together`), or others out of the way. Stops at the first success: what is broken
 * then is another question. */
static bool mend_jointly(struct repair *repair, bool together, bool *changed, struct ek_error *err)
{
    struct ek_plan_work *work = repair->work;
    const struct ek_rule_set *set = &work->cluster.rules;
    bool ok = true;

    repair->count = ek_rule_set_offenders(set, EK_MUST, repair->offenders);
    for (size_t i = 0; ok && !*changed && i < repair->count; i++) {
        uint32_t domain = repair->offenders[i];
        uint32_t rule = together ? binding(set, domain) : EK_NONE;
        bool found = false;
        if (together) {
            found = find_group(repair, domain, rule, &ok, err);
        } else {
            found = ek_plan_may_go(work, domain) && ek_plan_chain(work, domain, true);
        }
        if (found && affordable(repair)) {
            ok = commit(repair, domain, rule, err);
            repair->successes += together ? 1 : 0;
            *changed = true;
        } else {
            ek_plan_pop(work, 0);
        }
    }
    return ok;
}

/* Groups before single domains: one who joins the others alone may take the room of them all. */
static bool mend(struct repair *repair, struct ek_error *err)
{
    struct ek_plan_work *work = repair->work;
    bool changed = true;
    bool ok = true;

    /* When the looks are used up the rest waits for the next plan, making room as well: it would
     * only do at length what single moves were not allowed any more. */
    while (ok && changed && ek_rule_set_broken(&work->cluster.rules) > 0 &&
           work->out->move_count < repair->most) {
        changed = false;
        ok = mend_jointly(repair, true, &changed, err) &&
             (changed || mend_singly(repair, &changed, err)) &&
             (changed || work->mend_looks == 0 || mend_jointly(repair, false, &changed, err));
        /* Nobody is given up who was not asked once more in the end. */
        if (ok && !changed && repair->paused) {
            memset(repair->pauses, 0, work->out->snapshot->domain_count * sizeof(*repair->pauses));
            repair->paused = false;
            ok = mend_jointly(repair, true, &changed, err);
        }
    }
    return ok;
}

bool ek_plan_repair(struct ek_plan_work *work, struct ek_error *err)
{
    size_t domains = work->out->snapshot->domain_count;
    struct repair repair = {.work = work};

    if (work->request->evacuate_only || ek_rule_set_broken(&work->cluster.rules) == 0) {
        return true;
    }
    size_t limit = (size_t)work->policy->moves_per_plan;
    repair.most = work->out->move_count + (limit > work->repairs ? limit - work->repairs : 0);
    repair.offenders = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*repair.offenders));
    repair.best = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*repair.best));
    repair.pauses = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*repair.pauses));
    if (repair.offenders == NULL || repair.best == NULL || repair.pauses == NULL) {
        return ek_plan_nomem(err);
    }
    return mend(&repair, err);
}
