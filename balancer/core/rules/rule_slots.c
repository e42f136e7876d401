/* How many of a rule's domains each group of hosts has. */
#include "balancer/core/rules/rule_state.h"

#include <assert.h>

/* Multiplicative hashing after Knuth: neighbouring hosts spread over the slots. */
static uint32_t home(const struct ek_rule_state *state, uint32_t group)
{
    return state->dense ? group : (group * 2654435761U >> 7) & state->mask;
}

/* The group's slot, or the free one where it would stand. */
static uint32_t find(const struct ek_rule_state *state, uint32_t group)
{
    uint32_t at = home(state, group);

    while (!state->dense && state->slots[at].group != EK_NONE && state->slots[at].group != group) {
        at = (at + 1) & state->mask;
    }
    return at;
}

const struct ek_rule_slot *ek_rule_slot(const struct ek_rule_state *state, uint32_t group)
{
    const struct ek_rule_slot *slot = &state->slots[find(state, group)];

    return slot->group == EK_NONE ? NULL : slot;
}

/* Frees a slot of a sparse table: those behind it that it had pushed away move up. */
static void close_gap(struct ek_rule_state *state, uint32_t gap)
{
    for (uint32_t at = (gap + 1) & state->mask; state->slots[at].group != EK_NONE;
         at = (at + 1) & state->mask) {
        uint32_t wanted = home(state, state->slots[at].group);
        if (((at - wanted) & state->mask) >= ((at - gap) & state->mask)) {
            state->slots[gap] = state->slots[at];
            gap = at;
        }
    }
    state->slots[gap] = (struct ek_rule_slot){.group = EK_NONE};
}

void ek_rule_count(struct ek_rule_state *state, uint32_t group, int settled, int passing)
{
    uint32_t at = find(state, group);
    struct ek_rule_slot *slot = &state->slots[at];
    uint32_t before = slot->settled;

    assert(group < state->group_count);
    assert(settled >= 0 || slot->settled > 0);
    assert(passing >= 0 || slot->passing > 0);
    slot->group = group;
    slot->settled += (uint32_t)settled;
    slot->passing += (uint32_t)passing;
    state->occupied += (slot->settled > 0 ? 1U : 0U) - (before > 0 ? 1U : 0U);
    if (slot->settled == 0 && slot->passing == 0) {
        slot->group = EK_NONE;
        if (!state->dense) {
            close_gap(state, at);
        }
    }
}
