/* From what a rule says to what it means on these hosts: groups, allowed hosts, tables. */
#include "balancer/core/rules/rule_state.h"

#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct topology {
    const char *key;
    uint32_t *group_of;
    uint32_t group_count;
    UT_hash_handle hh;
};

struct value {
    const char *text;
    uint32_t group;
    UT_hash_handle hh;
};

static const char *label_of(const struct ek_host *host, const char *key)
{
    for (size_t i = 0; i < host->labels.count; i++) {
        if (strcmp(host->labels.items[i].key, key) == 0) {
            return host->labels.items[i].value;
        }
    }
    return NULL;
}

static bool groups_make(const struct ek_rule_set *set, struct topology *topology,
                        struct ek_arena *scratch)
{
    const struct ek_snapshot *snapshot = set->snapshot;
    struct value *values = NULL;
    bool ok = true;

    for (size_t h = 0; ok && h < snapshot->host_count; h++) {
        const char *text = label_of(&snapshot->hosts[h], topology->key);
        struct value *value = NULL;
        if (text != NULL) {
            HASH_FIND_STR(values, text, value);
        }
        topology->group_of[h] = value != NULL ? value->group : topology->group_count++;
        if (text != NULL && value == NULL) {
            value = ek_arena_alloc(scratch, 1, sizeof(*value));
            ok = value != NULL;
        } else {
            value = NULL;
        }
        if (ok && value != NULL) {
            value->text = text;
            value->group = topology->group_of[h];
            HASH_ADD_KEYPTR(hh, values, value->text, strlen(text), value);
            ok = value->hh.tbl != NULL;
        }
    }
    HASH_CLEAR(hh, values);
    return ok;
}

/* The groups of one label, made when the first rule asks for them. */
static bool topology_find(struct ek_rule_set *set, struct topology **topologies,
                          struct ek_rule_state *state, struct ek_arena *scratch)
{
    const char *key = state->rule->topology;
    struct topology *topology = NULL;

    state->group_count = (uint32_t)set->snapshot->host_count;
    if (key == NULL || strcmp(key, "host") == 0) {
        return true;
    }
    HASH_FIND_STR(*topologies, key, topology);
    if (topology == NULL) {
        topology = ek_arena_alloc(scratch, 1, sizeof(*topology));
        uint32_t *group_of =
            ek_arena_alloc(&set->arena, set->snapshot->host_count, sizeof(*group_of));
        if (topology == NULL || group_of == NULL) {
            return false;
        }
        *topology = (struct topology){.key = key, .group_of = group_of};
        if (!groups_make(set, topology, scratch)) {
            return false;
        }
        HASH_ADD_KEYPTR(hh, *topologies, topology->key, strlen(key), topology);
    }
    state->group_of = topology->group_of;
    state->group_count = topology->group_count;
    return topology->hh.tbl != NULL;
}

/* Room for every member twice, settled and passing, and for copies; half of the slots stay free. */
static bool slots_make(struct ek_rule_set *set, struct ek_rule_state *state)
{
    uint64_t wanted = 4;

    while (wanted < 4 * (uint64_t)state->count + 2 * (uint64_t)set->snapshot->copy_count) {
        wanted *= 2;
    }
    state->dense = wanted >= state->group_count;
    size_t size = state->dense ? state->group_count : (size_t)wanted;
    state->mask = (uint32_t)size - 1;
    state->slots = ek_arena_alloc(&set->arena, size, sizeof(*state->slots));
    for (size_t i = 0; state->slots != NULL && i < size; i++) {
        state->slots[i].group = EK_NONE;
    }
    return state->slots != NULL;
}

static bool allowed_make(struct ek_rule_set *set, struct ek_rule_state *state,
                         struct ek_rule_hosts *hosts)
{
    size_t words = ek_rule_hosts_words(set->snapshot);
    bool any = false;
    uint64_t *allowed = ek_arena_alloc(&set->arena, words, sizeof(*allowed));

    if (allowed == NULL || !ek_rule_hosts_mark(hosts, state->rule, allowed)) {
        return false;
    }
    for (size_t w = 0; w < words; w++) {
        any = any || allowed[w] != 0;
        allowed[w] = state->rule->kind == EK_RULE_AVOID ? ~allowed[w] : allowed[w];
    }
    /* No bit beyond the last host: whoever looks for what is left over counts words. */
    allowed[words - 1] &= ((uint64_t)1 << (set->snapshot->host_count % 64)) - 1;
    state->allowed = allowed;
    return any || ek_rule_set_report(set, EK_RULE_NO_HOST, state->rule->name,
                                     "rule %s: found no host that it names, expected known ones",
                                     state->rule->name);
}

/* The first rule that leaves a host alone is the one that reasons name. */
static bool leave_alone(struct ek_rule_set *set, const struct ek_rule_state *state)
{
    size_t hosts = set->snapshot->host_count;

    if (set->ignored_hosts == NULL) {
        set->ignored_hosts = ek_arena_alloc(&set->arena, hosts, sizeof(*set->ignored_hosts));
        for (size_t h = 0; set->ignored_hosts != NULL && h < hosts; h++) {
            set->ignored_hosts[h] = EK_NONE;
        }
    }
    for (uint32_t h = 0; set->ignored_hosts != NULL && h < hosts; h++) {
        if (set->ignored_hosts[h] == EK_NONE && ek_rule_allows(state, h)) {
            set->ignored_hosts[h] = (uint32_t)(state - set->rules);
        }
    }
    return set->ignored_hosts != NULL;
}

static bool state_prepare(struct ek_rule_set *set, struct ek_rule_state *state,
                          struct topology **topologies, struct ek_rule_hosts *hosts)
{
    uint64_t members = state->count;

    if (state->rule->kind == EK_RULE_IGNORE) {
        return state->rule->hosts.count == 0 ||
               (allowed_make(set, state, hosts) && leave_alone(set, state));
    }
    if (!ek_rule_kind_grouped(state->rule->kind)) {
        return allowed_make(set, state, hosts);
    }
    state->need = (uint32_t)state->rule->at_least;
    state->need = state->need < state->count ? state->need : state->count;
    state->split = members > 0 ? members * (members - 1) / 2 : 0;
    return topology_find(set, topologies, state, hosts->scratch) && slots_make(set, state);
}

bool ek_rule_set_prepare(struct ek_rule_set *set)
{
    struct ek_arena scratch = {.newest = NULL};
    struct ek_rule_hosts hosts = {.snapshot = set->snapshot, .scratch = &scratch};
    struct topology *topologies = NULL;
    bool ok = true;

    for (size_t r = 0; ok && r < set->rule_count; r++) {
        ok = state_prepare(set, &set->rules[r], &topologies, &hosts);
    }
    ek_rule_hosts_finish(&hosts);
    HASH_CLEAR(hh, topologies);
    ek_arena_finish(&scratch);
    return ok;
}
