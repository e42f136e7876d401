/* Rules in words: why one speaks against a destination. */
#include "balancer/core/rules/rule_state.h"

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

static const char *topology_of(const struct ek_rule *rule)
{
    return rule->topology == NULL ? "host" : rule->topology;
}

/* Where it leaves others, or what it joins. */
static const char *mend_group(const struct ek_rule_set *set, const struct ek_rule_state *state,
                              uint32_t domain, uint32_t destination, struct ek_arena *arena)
{
    const struct ek_snapshot *snapshot = set->snapshot;
    const char *name = snapshot->domains[domain].name;
    uint32_t source = set->place[domain];
    bool joins = state->rule->kind == EK_RULE_AFFINITY;
    uint32_t member = member_find(set, state, domain, joins ? destination : source, true);

    if (state->rule->kind == EK_RULE_SPREAD || member == EK_NONE) {
        return joins ? ek_arena_printf(arena, "%s goes to %s, and others of it follow", name,
                                       snapshot->hosts[destination].name)
                     : ek_arena_printf(arena, "%s leaves %s, its domains need %u different %ss",
                                       name, snapshot->hosts[source].name,
                                       (unsigned int)state->need, topology_of(state->rule));
    }
    const char *at = snapshot->hosts[set->place[member]].name;
    const char *other = snapshot->domains[member].name;
    if (joins) {
        return ek_arena_printf(arena, "%s joins %s on %s", name, other, at);
    }
    return state->group_of == NULL || set->place[member] == source
               ? ek_arena_printf(arena, "%s leaves %s, where %s is", name, at, other)
               : ek_arena_printf(arena, "%s leaves %s, %s is on %s in the same %s", name,
                                 snapshot->hosts[source].name, other, at, topology_of(state->rule));
}

const char *ek_rule_explain_mending(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                                    uint32_t destination, struct ek_arena *arena)
{
    const struct ek_rule_state *state = &set->rules[rule];
    const struct ek_rule *it = state->rule;
    const char *how = NULL;

    if (state->allowed == NULL) {
        how = mend_group(set, state, domain, destination, arena);
    } else {
        how =
            ek_arena_printf(arena, "%s leaves %s, which is %s", set->snapshot->domains[domain].name,
                            set->snapshot->hosts[set->place[domain]].name,
                            it->kind == EK_RULE_PIN ? "none of its hosts" : "to be avoided");
    }
    return how == NULL ? NULL
                       : ek_arena_printf(arena, "%s rule %s: %s",
                                         ek_enforcement_name(it->enforcement), it->name, how);
}
