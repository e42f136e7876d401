/* Moves for should rules, after balancing: one that lowers their cost by more than its price, and
 * leaves the hosts as level as the trigger asks for. Levelling comes first (docs/planner.md). */
#include "balancer/core/planner/plan_work.h"

#include <math.h>

/* Worth below this is rounding. */
#define RELIEF 1e-6

struct prefer {
    struct ek_plan_work *work;
    uint32_t *offenders;
    struct ek_candidate *best; /* of each offender, perhaps out of date */
    size_t count;
};

/* Whether every resource that counts stays below its trigger: beyond it balancing would have to
 * take back what a should rule asked for. */
static bool stays_level(struct ek_plan_work *work, const struct ek_candidate *candidate)
{
    struct ek_cluster *cluster = &work->cluster;
    uint32_t source = cluster->host_of[candidate->domain];
    bool level = true;

    ek_cluster_move(cluster, candidate->domain, candidate->destination);
    for (unsigned int r = 0; r < cluster->resource_count; r++) {
        level = level && (!(cluster->policy->weight[r] > 0) ||
                          ek_cluster_imbalance(cluster, (enum ek_resource)r) <=
                              cluster->policy->trigger_imbalance);
    }
    ek_cluster_move(cluster, candidate->domain, source);
    return level;
}

/* What the move is worth: should rules, and under a policy that levels what it levels, too. What
 * levels may be noise and counts for so much less; what a rule wants is none. */
static double worth_of(const struct ek_plan_work *work, const struct ek_candidate *candidate,
                       double soft)
{
    double gain =
        candidate->gain > 0 ? fmax(0, candidate->gain - candidate->noise) : candidate->gain;

    return (work->policy->kind == EK_POLICY_SPREAD ? gain : 0) + soft - candidate->price;
}

/* Whether the policy could be content with it: spread with what stays level, pack with what fills
 * no empty host. */
static bool suits(struct ek_plan_work *work, const struct ek_candidate *candidate)
{
    if (work->policy->kind == EK_POLICY_PACK) {
        return work->search.first[candidate->destination] != EK_NONE;
    }
    return work->policy->kind != EK_POLICY_SPREAD || candidate->gain >= 0 ||
           stays_level(work, candidate);
}

static struct ek_candidate rate(struct ek_plan_work *work, uint32_t domain)
{
    struct ek_candidate best = {.domain = EK_NONE};
    bool free = work->search.movable[domain] && !work->search.settled[domain] &&
                ek_plan_spend(&work->wish_looks, work->out->snapshot->host_count);

    for (uint32_t h = 0; free && h < work->out->snapshot->host_count; h++) {
        double soft = ek_cluster_soft_fall(&work->cluster, domain, h);
        if (!(soft > 0) || ek_constraint_pair(&work->cluster, work->request->cooldown, domain, h,
                                              EK_PURPOSE_BALANCE) != EK_BLOCK_NONE) {
            continue;
        }
        struct ek_candidate candidate = ek_candidate_rate(&work->search, domain, h);
        candidate.worth = worth_of(work, &candidate, soft);
        if (candidate.worth > RELIEF && candidate.overload_fall > -RELIEF &&
            ek_candidate_better(&work->search, &candidate, &best) && suits(work, &candidate)) {
            best = candidate;
        }
    }
    return best;
}

static size_t pick(const struct prefer *prefer)
{
    size_t best = 0;

    for (size_t i = 1; i < prefer->count; i++) {
        best = ek_candidate_better(&prefer->work->search, &prefer->best[i], &prefer->best[best])
                   ? i
                   : best;
    }
    return best;
}

static bool make(struct ek_plan_work *work, const struct ek_candidate *chosen, struct ek_error *err)
{
    uint32_t rule =
        ek_rule_set_mended(&work->cluster.rules, EK_SHOULD, chosen->domain, chosen->destination);
    const char *why = ek_rule_explain_mending(&work->cluster.rules, rule, chosen->domain,
                                              chosen->destination, &work->out->arena);

    return ek_plan_add(work, EK_MOVE_RULE, chosen, why, err);
}

/* The best first; a claim from before a move is looked at again before it counts. */
static bool run(struct prefer *prefer, size_t most, struct ek_error *err)
{
    struct ek_plan_work *work = prefer->work;

    for (size_t i = 0; i < prefer->count; i++) {
        prefer->best[i] = rate(work, prefer->offenders[i]);
    }
    while (prefer->count > 0 && work->out->move_count < most) {
        size_t i = pick(prefer);
        const struct ek_candidate claim = prefer->best[i];
        if (claim.domain == EK_NONE) {
            break;
        }
        prefer->best[i] = rate(work, prefer->offenders[i]);
        bool stands = prefer->best[i].domain != EK_NONE &&
                      prefer->best[i].destination == claim.destination &&
                      prefer->best[i].worth > claim.worth - RELIEF;
        if (stands && !make(work, &prefer->best[i], err)) {
            return false;
        }
        prefer->best[i].domain = stands ? EK_NONE : prefer->best[i].domain;
    }
    return true;
}

static size_t limited(const struct ek_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->move_count; i++) {
        count += plan->moves[i].kind == EK_MOVE_EVACUATE ? 0 : 1;
    }
    return count;
}

bool ek_plan_prefer(struct ek_plan_work *work, struct ek_error *err)
{
    const struct ek_plan *out = work->out;
    size_t domains = out->snapshot->domain_count;
    size_t used = limited(out);
    size_t limit = (size_t)work->policy->moves_per_plan;
    struct prefer prefer = {.work = work};

    if (work->request->balance == NULL || work->request->prefer_held ||
        work->request->evacuate_only || work->policy->aggressiveness <= 1 || used >= limit ||
        (work->held != NULL && work->held->waits != EK_NONE) ||
        !(ek_rule_set_should_cost(&work->cluster.rules) > RELIEF)) {
        return true;
    }
    prefer.offenders = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*prefer.offenders));
    prefer.best = ek_arena_alloc(&work->cluster.arena, domains, sizeof(*prefer.best));
    if (prefer.offenders == NULL || prefer.best == NULL) {
        return ek_plan_nomem(err);
    }
    prefer.count = ek_rule_set_offenders(&work->cluster.rules, EK_SHOULD, prefer.offenders);
    return run(&prefer, out->move_count + limit - used, err);
}
