#include "balancer/core/rules/rule_set.h"

#include "balancer/core/rules/rule_state.h"

#include <assert.h>
#include <string.h>

/* The rules of one domain, as a range of rules_of. */
struct range {
    const uint32_t *begin;
    const uint32_t *end;
};

static struct range range_of(const struct ek_rule_set *set, uint32_t domain)
{
    if (set->rule_count == 0) {
        return (struct range){NULL, NULL};
    }
    return (struct range){set->rules_of + set->first[domain],
                          set->rules_of + set->first[domain + 1]};
}

/* ---- degrees ------------------------------------------------------------------------------- */

static double degree_of(const struct ek_rule_state *state, uint32_t occupied, uint64_t split,
                        uint32_t outside)
{
    switch (state->rule->kind) {
    case EK_RULE_AFFINITY:
        return split == 0 ? 0 : (double)split / (double)(state->count - 1);
    case EK_RULE_ANTI_AFFINITY:
        assert(occupied <= state->count);
        return (double)(state->count - occupied);
    case EK_RULE_SPREAD:
        return occupied < state->need ? (double)(state->need - occupied) : 0;
    case EK_RULE_PIN:
    case EK_RULE_AVOID:
        return (double)outside;
    case EK_RULE_IGNORE:
    case EK_RULE_KIND_COUNT:
        break;
    }
    return 0;
}

double ek_rule_degree(const struct ek_rule_state *state)
{
    return degree_of(state, state->occupied, state->split, state->outside);
}

static struct ek_rule_slot slot_of(const struct ek_rule_state *state, uint32_t host)
{
    const struct ek_rule_slot *slot = ek_rule_slot(state, ek_rule_group(state, host));

    return slot == NULL ? (struct ek_rule_slot){.group = EK_NONE} : *slot;
}

double ek_rule_degree_after(const struct ek_rule_state *state, uint32_t from, uint32_t to)
{
    uint32_t occupied = state->occupied;
    uint64_t split = state->split;
    uint32_t outside = state->outside;

    if (state->slots != NULL && ek_rule_group(state, from) != ek_rule_group(state, to)) {
        uint32_t left = slot_of(state, from).settled;
        uint32_t met = slot_of(state, to).settled;
        occupied += (met == 0 ? 1U : 0U) - (left == 1 ? 1U : 0U);
        split += left - 1;
        split -= met;
    } else if (state->allowed != NULL) {
        outside += (ek_rule_allows(state, to) ? 0U : 1U) - (ek_rule_allows(state, from) ? 0U : 1U);
    }
    return degree_of(state, occupied, split, outside);
}

/* ---- questions ----------------------------------------------------------------------------- */

const struct ek_rule *ek_rule_set_rule(const struct ek_rule_set *set, uint32_t rule)
{
    assert(rule < set->rule_count);
    return set->rules[rule].rule;
}

uint32_t ek_rule_set_ignored(const struct ek_rule_set *set, uint32_t domain)
{
    struct range range = range_of(set, domain);

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        if (set->rules[*rule].rule->kind == EK_RULE_IGNORE) {
            return *rule;
        }
    }
    return EK_NONE;
}

uint32_t ek_rule_set_ignored_host(const struct ek_rule_set *set, uint32_t host)
{
    return set->ignored_hosts == NULL ? EK_NONE : set->ignored_hosts[host];
}

bool ek_rule_set_concerns(const struct ek_rule_set *set, uint32_t rule, uint32_t domain)
{
    struct range range = range_of(set, domain);

    while (range.begin < range.end && *range.begin != rule) {
        range.begin++;
    }
    return range.begin < range.end;
}

/* Whether another of its domains stands or passes in the destination's group. */
static bool meets(const struct ek_rule_state *state, uint32_t from, uint32_t to)
{
    struct ek_rule_slot slot = slot_of(state, to);

    return ek_rule_group(state, from) != ek_rule_group(state, to) &&
           slot.settled + slot.passing > 0;
}

static bool breaks_settled(const struct ek_rule_state *state, uint32_t from, uint32_t to)
{
    if (state->rule->kind == EK_RULE_ANTI_AFFINITY) {
        return meets(state, from, to);
    }
    return ek_rule_degree_after(state, from, to) > ek_rule_degree(state);
}

/* Each domain on its way may leave a group that it was alone in, whatever ends first. Alone on its
 * way, a domain only has to keep what is there. */
static bool breaks_spread(const struct ek_rule_state *state, uint32_t from, uint32_t to)
{
    if (ek_rule_group(state, from) == ek_rule_group(state, to)) {
        return false;
    }
    bool leaves = slot_of(state, from).settled == 1 && slot_of(state, to).settled > 0;
    uint32_t lost = state->passing + (leaves ? 1 : 0);
    if (state->occupied >= state->need + lost) {
        return false;
    }
    return state->passing > 0 || ek_rule_degree_after(state, from, to) > ek_rule_degree(state);
}

static bool breaks_transit(const struct ek_rule_state *state, uint32_t from, uint32_t to)
{
    switch (state->rule->kind) {
    case EK_RULE_ANTI_AFFINITY:
        return meets(state, from, to);
    case EK_RULE_SPREAD:
        return breaks_spread(state, from, to);
    case EK_RULE_PIN:
    case EK_RULE_AVOID:
        return !ek_rule_allows(state, to) && ek_rule_allows(state, from);
    case EK_RULE_AFFINITY:
    case EK_RULE_IGNORE:
    case EK_RULE_KIND_COUNT:
        break;
    }
    return false;
}

static bool broken_by(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                      uint32_t destination,
                      bool (*breaks)(const struct ek_rule_state *, uint32_t, uint32_t))
{
    const struct ek_rule_state *state = &set->rules[rule];

    return state->rule->enforcement == EK_MUST && state->rule->kind != EK_RULE_IGNORE &&
           breaks(state, set->place[domain], destination);
}

static uint32_t first_broken(const struct ek_rule_set *set, uint32_t domain, uint32_t destination,
                             bool (*breaks)(const struct ek_rule_state *, uint32_t, uint32_t))
{
    struct range range = range_of(set, domain);

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        if (broken_by(set, *rule, domain, destination, breaks)) {
            return *rule;
        }
    }
    return EK_NONE;
}

bool ek_rule_set_blocks(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                        uint32_t destination)
{
    assert(rule < set->rule_count && ek_rule_set_concerns(set, rule, domain));
    return broken_by(set, rule, domain, destination, breaks_settled);
}

uint32_t ek_rule_set_block(const struct ek_rule_set *set, uint32_t domain, uint32_t destination)
{
    return first_broken(set, domain, destination, breaks_settled);
}

uint32_t ek_rule_set_transit_block(const struct ek_rule_set *set, uint32_t domain,
                                   uint32_t destination)
{
    return first_broken(set, domain, destination, breaks_transit);
}

size_t ek_rule_set_broken(const struct ek_rule_set *set)
{
    return set->broken;
}

double ek_rule_set_should_cost(const struct ek_rule_set *set)
{
    return set->cost[EK_SHOULD];
}

double ek_rule_set_must_cost(const struct ek_rule_set *set)
{
    return set->cost[EK_MUST];
}

static double delta(const struct ek_rule_set *set, enum ek_enforcement enforcement, uint32_t domain,
                    uint32_t destination)
{
    struct range range = range_of(set, domain);
    double sum = 0;

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        const struct ek_rule_state *state = &set->rules[*rule];
        if (state->rule->enforcement == enforcement) {
            sum += state->weight * (ek_rule_degree_after(state, set->place[domain], destination) -
                                    ek_rule_degree(state));
        }
    }
    return sum;
}

double ek_rule_set_should_delta(const struct ek_rule_set *set, uint32_t domain,
                                uint32_t destination)
{
    return delta(set, EK_SHOULD, domain, destination);
}

double ek_rule_set_must_delta(const struct ek_rule_set *set, uint32_t domain, uint32_t destination)
{
    return delta(set, EK_MUST, domain, destination);
}

/* ---- changes ------------------------------------------------------------------------------- */

static void settle(struct ek_rule_state *state, uint32_t host, int sign)
{
    if (state->slots != NULL) {
        uint32_t group = ek_rule_group(state, host);
        const struct ek_rule_slot *slot = ek_rule_slot(state, group);
        uint64_t there = slot == NULL ? 0 : slot->settled;
        state->split -= sign > 0 ? there : 0;
        state->split += sign < 0 ? there - 1 : 0;
        ek_rule_count(state, group, sign, 0);
    } else if (state->allowed != NULL && !ek_rule_allows(state, host)) {
        state->outside += (uint32_t)sign;
    }
}

static void weigh(struct ek_rule_set *set, const struct ek_rule_state *state, double before)
{
    double after = ek_rule_degree(state);

    set->cost[state->rule->enforcement] += state->weight * (after - before);
    if (state->rule->enforcement == EK_MUST) {
        set->broken += after > 0 ? 1 : 0;
        set->broken -= before > 0 ? 1 : 0;
    }
}

void ek_rule_set_move(struct ek_rule_set *set, uint32_t domain, uint32_t destination)
{
    struct range range = range_of(set, domain);

    assert(destination < set->snapshot->host_count);
    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        struct ek_rule_state *state = &set->rules[*rule];
        double before = ek_rule_degree(state);
        settle(state, set->place[domain], -1);
        settle(state, destination, 1);
        weigh(set, state, before);
    }
    if (set->rule_count > 0) {
        set->place[domain] = destination;
    }
}

/* A copy that an operator must look at stands where it is; only what moves may leave a group. */
static void pass(struct ek_rule_set *set, uint32_t domain, uint32_t host, int sign, bool moves)
{
    struct range range = range_of(set, domain);

    assert(domain < set->snapshot->domain_count && host < set->snapshot->host_count);
    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        struct ek_rule_state *state = &set->rules[*rule];
        if (state->slots != NULL) {
            ek_rule_count(state, ek_rule_group(state, host), 0, sign);
            state->passing += moves ? (uint32_t)sign : 0;
        }
    }
}

void ek_rule_set_occupy(struct ek_rule_set *set, uint32_t domain, uint32_t host)
{
    pass(set, domain, host, 1, true);
}

void ek_rule_set_vacate(struct ek_rule_set *set, uint32_t domain, uint32_t host)
{
    pass(set, domain, host, -1, true);
}

static bool orders(const struct ek_rule_state *state)
{
    return state->rule->enforcement == EK_MUST &&
           (state->rule->kind == EK_RULE_ANTI_AFFINITY || state->rule->kind == EK_RULE_SPREAD);
}

void ek_rule_set_hold(struct ek_rule_set *set, uint32_t domain)
{
    struct range range = range_of(set, domain);

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        if (orders(&set->rules[*rule])) {
            set->rules[*rule].hold = set->hold;
        }
    }
}

bool ek_rule_set_held(const struct ek_rule_set *set, uint32_t domain)
{
    struct range range = range_of(set, domain);

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        if (set->rules[*rule].hold == set->hold) {
            return true;
        }
    }
    return false;
}

size_t ek_rule_set_ordering(const struct ek_rule_set *set, uint32_t domain, uint32_t *out)
{
    struct range range = range_of(set, domain);
    size_t count = 0;

    for (const uint32_t *rule = range.begin; rule < range.end; rule++) {
        if (orders(&set->rules[*rule])) {
            if (out != NULL) {
                out[count] = *rule;
            }
            count++;
        }
    }
    return count;
}

void ek_rule_set_release(struct ek_rule_set *set)
{
    set->hold++;
}

/* ---- making it ----------------------------------------------------------------------------- */

uint32_t ek_rule_set_other_host(const struct ek_snapshot *snapshot,
                                const struct ek_in_flight *flight)
{
    uint32_t host = snapshot->domains[flight->domain].host;

    return host == flight->destination ? flight->source : host;
}

static void place_all(struct ek_rule_set *set)
{
    const struct ek_snapshot *snapshot = set->snapshot;

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        set->place[d] = snapshot->domains[d].host;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (snapshot->in_flight[f].domain != EK_NONE) {
            set->place[snapshot->in_flight[f].domain] = snapshot->in_flight[f].destination;
        }
    }
    for (size_t r = 0; r < set->rule_count; r++) {
        struct ek_rule_state *state = &set->rules[r];
        for (uint32_t i = 0; i < state->count; i++) {
            settle(state, set->place[set->members[state->first + i]], 1);
        }
        weigh(set, state, 0);
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->domain != EK_NONE) {
            ek_rule_set_occupy(set, flight->domain, ek_rule_set_other_host(snapshot, flight));
        }
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        pass(set, snapshot->copies[c].domain, snapshot->copies[c].host, 1, false);
    }
}

static bool build(struct ek_rule_set *set)
{
    set->place = ek_arena_alloc(&set->arena, set->snapshot->domain_count, sizeof(*set->place));
    if (set->place == NULL || !ek_rule_set_prepare(set)) {
        return false;
    }
    place_all(set);
    return ek_rule_set_judge(set);
}

bool ek_rule_set_init(struct ek_rule_set *set, const struct ek_rules *rules,
                      const struct ek_snapshot *snapshot, struct ek_error *err)
{
    memset(set, 0, sizeof(*set));
    set->snapshot = snapshot;
    set->hold = 1;
    bool ok = ek_rule_set_gather(set, rules) &&
              (set->rule_count == 0 || snapshot->host_count == 0 || build(set));
    if (!ok) {
        ek_rule_set_finish(set);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the rules of %zu domains",
                            snapshot->domain_count);
    }
    return true;
}

void ek_rule_set_finish(struct ek_rule_set *set)
{
    ek_arena_finish(&set->arena);
    memset(set, 0, sizeof(*set));
}

static size_t slots_of(const struct ek_rule_state *state)
{
    return state->slots == NULL ? 0 : (size_t)state->mask + 1;
}

static bool copy_states(struct ek_rule_set *out, const struct ek_rule_set *from)
{
    size_t slots = 0;

    for (size_t r = 0; r < from->rule_count; r++) {
        slots += slots_of(&from->rules[r]);
    }
    out->rules = ek_arena_alloc(&out->arena, from->rule_count, sizeof(*out->rules));
    struct ek_rule_slot *next = ek_arena_alloc(&out->arena, slots, sizeof(*next));
    if (out->rules == NULL || next == NULL) {
        return false;
    }
    for (size_t r = 0; r < from->rule_count; r++) {
        size_t own = slots_of(&from->rules[r]);
        out->rules[r] = from->rules[r];
        if (own > 0) {
            memcpy(next, from->rules[r].slots, own * sizeof(*next));
            out->rules[r].slots = next;
            next += own;
        }
    }
    return true;
}

bool ek_rule_set_copy(struct ek_rule_set *out, const struct ek_rule_set *from, struct ek_error *err)
{
    *out = *from;
    out->arena = (struct ek_arena){.newest = NULL};
    if (from->place == NULL) {
        return true;
    }
    size_t domains = from->snapshot->domain_count;
    out->place = ek_arena_alloc(&out->arena, domains, sizeof(*out->place));
    if (out->place == NULL || !copy_states(out, from)) {
        ek_rule_set_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the rules of %zu domains",
                            domains);
    }
    memcpy(out->place, from->place, domains * sizeof(*out->place));
    return true;
}
