#include "balancer/core/explain/explain.h"

#include "balancer/core/explain/explain_replay.h"

#include <assert.h>
#include <string.h>

/* Differences below this are rounding. */
#define EPSILON 1e-9

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining");
}

static struct ek_moment moment_of(const struct ek_replay *replay)
{
    return (struct ek_moment){.levels = ek_levels_of(&replay->cluster),
                              .broken = ek_rule_set_broken(&replay->cluster.rules),
                              .should_cost = ek_rule_set_should_cost(&replay->cluster.rules)};
}

/* ---- rules --------------------------------------------------------------------------------- */

/* The rules of a domain, as a range of the set's list. */
static const uint32_t *rules_of(const struct ek_rule_set *set, uint32_t domain, size_t *count)
{
    *count = set->rule_count == 0 ? 0 : set->first[domain + 1] - set->first[domain];
    return set->rule_count == 0 ? NULL : set->rules_of + set->first[domain];
}

/* How far each rule of the domain is from being kept, in the order of rules_of; NULL: NOMEM. */
static double *degrees_of(struct ek_replay *replay, uint32_t domain)
{
    const struct ek_rule_set *set = &replay->cluster.rules;
    size_t count = 0;
    const uint32_t *rules = rules_of(set, domain, &count);
    double *degrees = ek_arena_alloc(&replay->cluster.arena, count, sizeof(*degrees));

    for (size_t i = 0; degrees != NULL && i < count; i++) {
        degrees[i] = ek_rule_set_degree(set, rules[i]);
    }
    return degrees;
}

/* What the move did to the rules of its domain. */
static bool explain_rules(struct ek_replay *replay, struct ek_move_explanation *it,
                          const double *before)
{
    const struct ek_rule_set *set = &replay->cluster.rules;
    size_t count = 0;
    const uint32_t *rules = rules_of(set, it->move->domain, &count);

    for (size_t i = 0; i < count; i++) {
        const struct ek_rule *rule = ek_rule_set_rule(set, rules[i]);
        double change = ek_rule_set_degree(set, rules[i]) - before[i];
        if (change > -EPSILON && change < EPSILON) {
            continue;
        }
        it->rules =
            ek_arena_printf(replay->out, "%s%s%s %s rule %s", it->rules == NULL ? "" : it->rules,
                            it->rules == NULL ? "" : ", ", change < 0 ? "mends" : "breaks",
                            ek_enforcement_name(rule->enforcement), rule->name);
        if (it->rules == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- moves --------------------------------------------------------------------------------- */

static bool explain_move(struct ek_replay *replay, struct ek_move_explanation *it,
                         struct ek_error *err)
{
    const struct ek_plan_move *move = &replay->plan->moves[replay->made];
    const double *degrees = degrees_of(replay, move->domain);

    *it = (struct ek_move_explanation){
        .move = move,
        .before = moment_of(replay),
        .rating = ek_replay_rate(replay, move->domain, move->destination),
    };
    if (degrees == NULL) {
        return nomem(err);
    }
    enum ek_purpose purpose = ek_replay_purpose(replay, move);
    if (!ek_replay_scan(replay, move->domain, purpose, move->destination, NULL, 0, &it->others,
                        err)) {
        return false;
    }
    const struct ek_offer chosen = {move->destination, it->rating};
    it->runner_up_first =
        it->others.best.host != EK_NONE &&
        ek_replay_better(replay, move->domain, purpose, &it->others.best, &chosen);
    if (!ek_replay_step(replay, err)) {
        return false;
    }
    it->after = moment_of(replay);
    return explain_rules(replay, it, degrees) || nomem(err);
}

static bool explain_moves(struct ek_replay *replay, struct ek_explanation *out, uint32_t domain,
                          bool *moved, struct ek_error *err)
{
    const struct ek_plan *plan = replay->plan;

    while (replay->made < plan->move_count) {
        uint32_t mover = plan->moves[replay->made].domain;
        moved[mover] = true;
        if (domain != EK_NONE && mover != domain) {
            if (!ek_replay_step(replay, err)) {
                return false;
            }
        } else if (!explain_move(replay, &out->moves[out->move_count++], err)) {
            return false;
        }
    }
    return ek_replay_until(replay, plan->move_count, err);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool explain_stays(struct ek_replay *replay, struct ek_explanation *out, uint32_t domain,
                          const bool *moved, struct ek_error *err)
{
    for (uint32_t d = 0; d < replay->plan->snapshot->domain_count; d++) {
        bool asked = domain == EK_NONE || domain == d;
        if (asked && !moved[d] &&
            !ek_replay_explain_stay(replay, d, &out->stays[out->stay_count++], err)) {
            return false;
        }
    }
    return true;
}

static bool explain(struct ek_replay *replay, struct ek_explanation *out, uint32_t domain,
                    struct ek_error *err)
{
    size_t domains = replay->plan->snapshot->domain_count;
    bool *moved = ek_arena_alloc(&replay->cluster.arena, domains, sizeof(*moved));

    out->moves = ek_arena_alloc(&out->arena, replay->plan->move_count, sizeof(*out->moves));
    out->stays = ek_arena_alloc(&out->arena, domain == EK_NONE ? domains : 1, sizeof(*out->stays));
    if (moved == NULL || out->moves == NULL || out->stays == NULL) {
        return nomem(err);
    }
    return explain_moves(replay, out, domain, moved, err) &&
           explain_stays(replay, out, domain, moved, err);
}

bool ek_explain_plan(struct ek_explanation *out, const struct ek_plan *plan,
                     const struct ek_plan_request *request, uint32_t domain, struct ek_error *err)
{
    struct ek_replay replay;

    assert(domain == EK_NONE || domain < plan->snapshot->domain_count);
    memset(out, 0, sizeof(*out));
    out->plan = plan;
    bool done = ek_replay_begin(&replay, plan, request, domain != EK_NONE, &out->arena, err) &&
                explain(&replay, out, domain, err);
    ek_replay_end(&replay);
    if (!done) {
        ek_explanation_finish(out);
    }
    return done;
}

void ek_explanation_finish(struct ek_explanation *explanation)
{
    ek_arena_finish(&explanation->arena);
    memset(explanation, 0, sizeof(*explanation));
}
