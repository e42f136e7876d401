/* Questions about broken rules: who offends, what a move would mend, who stands in its way. */
#include "balancer/core/rules/rule_state.h"

#include <assert.h>

const uint32_t *ek_rule_set_rules_of(const struct ek_rule_set *set, uint32_t domain, size_t *count)
{
    assert(domain < set->snapshot->domain_count);
    *count = set->rule_count == 0 ? 0 : set->first[domain + 1] - set->first[domain];
    return *count == 0 ? NULL : set->rules_of + set->first[domain];
}

bool ek_rule_set_prefers(const struct ek_rule_set *set)
{
    bool found = false;

    for (size_t r = 0; !found && r < set->rule_count; r++) {
        found = set->rules[r].count > 0 && set->rules[r].rule->enforcement == EK_SHOULD;
    }
    return found;
}

const uint32_t *ek_rule_set_members(const struct ek_rule_set *set, uint32_t rule, size_t *count)
{
    assert(rule < set->rule_count);
    *count = set->rules[rule].count;
    return set->members + set->rules[rule].first;
}

double ek_rule_set_degree(const struct ek_rule_set *set, uint32_t rule)
{
    assert(rule < set->rule_count);
    return ek_rule_degree(&set->rules[rule]);
}

uint32_t ek_rule_set_group(const struct ek_rule_set *set, uint32_t rule, uint32_t host)
{
    assert(host < set->snapshot->host_count && set->rules[rule].slots != NULL);
    return ek_rule_group(&set->rules[rule], host);
}

bool ek_rule_set_offends(const struct ek_rule_set *set, uint32_t rule, uint32_t domain)
{
    const struct ek_rule_state *state = &set->rules[rule];
    uint32_t host = set->place[domain];

    if (!(ek_rule_degree(state) > 0)) {
        return false;
    }
    if (state->allowed != NULL) {
        return !ek_rule_allows(state, host);
    }
    const struct ek_rule_slot *slot = ek_rule_slot(state, ek_rule_group(state, host));
    return state->rule->kind == EK_RULE_AFFINITY || (slot != NULL && slot->settled > 1);
}

size_t ek_rule_set_offenders(const struct ek_rule_set *set, enum ek_enforcement enforcement,
                             uint32_t *out)
{
    size_t count = 0;

    for (uint32_t d = 0; set->cost[enforcement] > 0 && d < set->snapshot->domain_count; d++) {
        size_t rules = 0;
        const uint32_t *rule = ek_rule_set_rules_of(set, d, &rules);
        bool found = false;
        for (size_t i = 0; !found && i < rules; i++) {
            found = set->rules[rule[i]].rule->enforcement == enforcement &&
                    ek_rule_set_offends(set, rule[i], d);
        }
        if (found) {
            out[count++] = d;
        }
    }
    return count;
}

uint32_t ek_rule_set_mended(const struct ek_rule_set *set, enum ek_enforcement enforcement,
                            uint32_t domain, uint32_t destination)
{
    size_t count = 0;
    const uint32_t *rules = ek_rule_set_rules_of(set, domain, &count);

    for (size_t i = 0; i < count; i++) {
        const struct ek_rule_state *state = &set->rules[rules[i]];
        if (state->rule->enforcement == enforcement &&
            ek_rule_degree_after(state, set->place[domain], destination) < ek_rule_degree(state)) {
            return rules[i];
        }
    }
    return EK_NONE;
}

uint32_t ek_rule_set_obstacle(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                              uint32_t destination)
{
    const struct ek_rule_state *state = &set->rules[rule];

    if (state->rule->kind != EK_RULE_ANTI_AFFINITY) {
        return EK_NONE;
    }
    uint32_t group = ek_rule_group(state, destination);
    for (uint32_t i = 0; i < state->count; i++) {
        uint32_t member = set->members[state->first + i];
        if (member != domain && ek_rule_group(state, set->place[member]) == group) {
            return member;
        }
    }
    return EK_NONE;
}
