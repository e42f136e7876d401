/* Rules in words: why one speaks against a destination. */
#include "balancer/core/rule_state.h"

#include <assert.h>
#include <string.h>

/* Another member whose settled group is (or is not) that of the host; of several the first by name,
 * so that the order of the input does not matter. EK_NONE: there is none. */
static uint32_t member_find(const struct ek_rule_set *set, const struct ek_rule_state *state,
                            uint32_t domain, uint32_t host, bool same)
{
    const struct ek_domain *domains = set->snapshot->domains;
    uint32_t group = ek_rule_group(state, host);
    uint32_t found = EK_NONE;

    for (uint32_t i = 0; i < state->count; i++) {
        uint32_t member = set->members[state->first + i];
        if (member != domain && (ek_rule_group(state, set->place[member]) == group) == same &&
            (found == EK_NONE || strcmp(domains[member].name, domains[found].name) < 0)) {
            found = member;
        }
    }
    return found;
}

static const char *explain_member(const struct ek_rule_set *set, const struct ek_rule_state *state,
                                  uint32_t member, const char *before, struct ek_arena *arena)
{
    const struct ek_snapshot *snapshot = set->snapshot;
    const char *host = snapshot->hosts[set->place[member]].name;

    if (state->group_of == NULL) {
        return ek_arena_printf(arena, "%s%s is on %s", before, snapshot->domains[member].name,
                               host);
    }
    return ek_arena_printf(arena, "%s%s is on %s, in %s %s", before, snapshot->domains[member].name,
                           host, state->rule->kind == EK_RULE_AFFINITY ? "another" : "the same",
                           state->rule->topology);
}

static const char *explain_hosts(const struct ek_rule_set *set, const struct ek_rule_state *state,
                                 uint32_t destination, const char *before, struct ek_arena *arena)
{
    const char *host = set->snapshot->hosts[destination].name;

    return state->rule->kind == EK_RULE_PIN
               ? ek_arena_printf(arena, "%s%s is none of its hosts", before, host)
               : ek_arena_printf(arena, "%s%s is to be avoided", before, host);
}

static const char *explain_spread(const struct ek_rule_state *state, const char *before,
                                  struct ek_arena *arena)
{
    const char *topology = state->rule->topology == NULL ? "host" : state->rule->topology;

    return ek_arena_printf(arena, "%sits domains need %u different %ss", before,
                           (unsigned int)state->need, topology);
}

const char *ek_rule_explain(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                            uint32_t destination, struct ek_arena *arena)
{
    const struct ek_rule_state *state = &set->rules[rule];
    const struct ek_rule *it = state->rule;
    uint32_t member = EK_NONE;

    if (it->kind == EK_RULE_IGNORE) {
        return ek_arena_printf(arena, "rule %s leaves it alone", it->name);
    }
    const char *before =
        ek_arena_printf(arena, "%s rule %s: ", ek_enforcement_name(it->enforcement), it->name);
    if (before == NULL) {
        return NULL;
    }
    if (it->kind == EK_RULE_AFFINITY || it->kind == EK_RULE_ANTI_AFFINITY) {
        member = member_find(set, state, domain, destination, it->kind == EK_RULE_ANTI_AFFINITY);
    }
    if (member != EK_NONE) {
        return explain_member(set, state, member, before, arena);
    }
    if (state->allowed != NULL) {
        return explain_hosts(set, state, destination, before, arena);
    }
    return it->kind == EK_RULE_SPREAD
               ? explain_spread(state, before, arena)
               : ek_arena_printf(arena, "%sanother of its domains is on its way", before);
}

double ek_rule_set_degree(const struct ek_rule_set *set, uint32_t rule)
{
    assert(rule < set->rule_count);
    return ek_rule_degree(&set->rules[rule]);
}
