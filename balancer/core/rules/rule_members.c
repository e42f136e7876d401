/* Which domains each rule is about. Names are looked up in a hash, so that thousands of rules of
 * exact names cost one pass over the domains; globs and labels cost one pass each. */
#include "balancer/core/rules/rule_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A name in a rule of the policy; the same name in further rules hangs behind it. */
struct selector {
    const char *text;
    uint32_t rule;
    struct selector *next;
    UT_hash_handle hh;
};

/* A text that domains carry, or what tells one rule from the other ("=anti_affinity web"). */
struct carried {
    const char *key;
    struct traveller *traveller; /* NULL: it is no rule */
    UT_hash_handle hh;
};

/* A rule that came with domains. */
struct traveller {
    struct ek_rule rule;
    const char *identity;
    const char *text; /* the smallest of its texts, which counts: no order of domains matters */
    uint32_t index;   /* among all rules, once they are sorted */
};

struct pair {
    uint32_t rule;
    const struct traveller *traveller; /* NULL: `rule` counts */
    uint32_t domain;
};

/* Names of the policy's rules. */
struct names {
    struct selector *map;
    uint64_t lengths; /* a bit for each length that occurs; the last one for all that are longer */
};

struct work {
    struct ek_rule_set *set;
    const struct ek_rules *rules;
    size_t own; /* rules of the policy */
    struct traveller **travellers;
    size_t traveller_count;
    size_t traveller_room;
    struct carried *carried;
    struct pair *pairs;
    size_t pair_count;
    size_t pair_room;
    struct ek_arena scratch;
};

static bool pair_add(struct work *work, uint32_t rule, const struct traveller *traveller,
                     uint32_t domain)
{
    if (work->pair_count == work->pair_room) {
        size_t room = work->pair_room == 0 ? 256 : 2 * work->pair_room;
        struct pair *pairs = realloc(work->pairs, room * sizeof(*pairs));
        if (pairs == NULL) {
            return false;
        }
        work->pairs = pairs;
        work->pair_room = room;
    }
    work->pairs[work->pair_count++] = (struct pair){rule, traveller, domain};
    return true;
}

/* ---- rules of the policy ------------------------------------------------------------------- */

static bool scan(struct work *work, uint32_t rule, const char *selector)
{
    const struct ek_snapshot *snapshot = work->set->snapshot;
    bool ok = true;

    for (size_t d = 0; ok && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        if (ek_selector_matches(selector, domain->name, domain->uuid, &domain->labels)) {
            ok = pair_add(work, rule, NULL, (uint32_t)d);
        }
    }
    return ok;
}

static uint64_t length_bit(size_t length)
{
    return (uint64_t)1 << (length < 63 ? length : 63);
}

static bool name_add(struct work *work, struct names *names, const char *text, uint32_t rule)
{
    struct selector *first = NULL;
    struct selector *selector = ek_arena_alloc(&work->scratch, 1, sizeof(*selector));

    if (selector == NULL) {
        return false;
    }
    *selector = (struct selector){.text = text, .rule = rule};
    HASH_FIND_STR(names->map, text, first);
    if (first != NULL) {
        selector->next = first->next;
        first->next = selector;
        return true;
    }
    HASH_ADD_KEYPTR(hh, names->map, selector->text, strlen(text), selector);
    names->lengths |= length_bit(strlen(text));
    return selector->hh.tbl != NULL;
}

static bool look_up(struct work *work, const struct names *names, const char *text, uint32_t domain)
{
    struct selector *selector = NULL;
    size_t length = strlen(text);
    bool ok = true;

    /* Mostly rules name domains by their names: then no UUID is hashed. */
    if ((names->lengths & length_bit(length)) != 0) {
        HASH_FIND(hh, names->map, text, length, selector);
    }
    for (; ok && selector != NULL; selector = selector->next) {
        ok = pair_add(work, selector->rule, NULL, domain);
    }
    return ok;
}

static bool names_match(struct work *work, const struct names *names)
{
    const struct ek_snapshot *snapshot = work->set->snapshot;
    bool ok = true;

    for (size_t d = 0; ok && names->map != NULL && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        ok = look_up(work, names, domain->uuid, (uint32_t)d) &&
             (domain->name == NULL || domain->name == domain->uuid ||
              look_up(work, names, domain->name, (uint32_t)d));
    }
    return ok;
}

static bool own_gather(struct work *work)
{
    struct names names = {.map = NULL};
    bool ok = true;

    for (size_t r = 0; ok && r < work->own; r++) {
        const struct ek_strings *domains = &work->rules->items[r].domains;
        for (size_t i = 0; ok && i < domains->count; i++) {
            bool name = ek_selector_kind(domains->items[i]) == EK_SELECT_NAME;
            ok = name ? name_add(work, &names, domains->items[i], (uint32_t)r)
                      : scan(work, (uint32_t)r, domains->items[i]);
        }
    }
    ok = ok && names_match(work, &names);
    HASH_CLEAR(hh, names.map);
    return ok;
}

/* ---- rules that travel with domains -------------------------------------------------------- */

static struct carried *carried_add(struct work *work, const char *key, struct traveller *traveller)
{
    struct carried *carried = ek_arena_alloc(&work->scratch, 1, sizeof(*carried));

    if (carried == NULL) {
        return NULL;
    }
    carried->key = key;
    carried->traveller = traveller;
    HASH_ADD_KEYPTR(hh, work->carried, carried->key, strlen(key), carried);
    return carried->hh.tbl == NULL ? NULL : carried;
}

static bool traveller_list(struct work *work, struct traveller *traveller)
{
    if (work->traveller_count == work->traveller_room) {
        size_t room = work->traveller_room == 0 ? 64 : 2 * work->traveller_room;
        struct traveller **list = realloc(work->travellers, room * sizeof(struct traveller *));
        if (list == NULL) {
            return false;
        }
        work->travellers = list;
        work->traveller_room = room;
    }
    work->travellers[work->traveller_count++] = traveller;
    return true;
}

/* Domains name their group; when they disagree on what it demands, one must win. */
static bool join(struct work *work, struct traveller *known, const struct traveller *other)
{
    bool replace = strcmp(other->text, known->text) < 0;
    const char *winner = replace ? other->text : known->text;

    if (replace) {
        known->rule = other->rule;
        known->text = other->text;
    }
    return ek_rule_set_report(work->set, EK_RULE_DOUBTFUL, known->rule.name,
                              "rule %s: domains carry different versions of it, \"%s\" counts",
                              known->rule.name, winner);
}

static bool traveller_add(struct work *work, const struct traveller *made,
                          struct traveller **traveller)
{
    struct carried *known = NULL;

    HASH_FIND_STR(work->carried, made->identity, known);
    if (known != NULL) {
        *traveller = known->traveller;
        return join(work, known->traveller, made);
    }
    *traveller = ek_arena_alloc(&work->set->arena, 1, sizeof(**traveller));
    if (*traveller == NULL) {
        return false;
    }
    **traveller = *made;
    return traveller_list(work, *traveller) &&
           carried_add(work, (*traveller)->identity, *traveller) != NULL;
}

/* Reads a text that was not seen before. */
static bool text_add(struct work *work, const char *text, const struct ek_domain *domain,
                     struct carried **out)
{
    struct traveller made = {.text = text};
    struct traveller *traveller = NULL;
    struct ek_error err;
    bool ok = true;

    if (ek_rule_parse(&made.rule, text, &work->set->arena, &err)) {
        bool grouped = ek_rule_kind_grouped(made.rule.kind);
        made.identity = ek_arena_printf(&work->set->arena, "=%s%s%s",
                                        grouped ? ek_rule_kind_name(made.rule.kind) : "",
                                        grouped ? " " : "", made.rule.name);
        ok = made.identity != NULL && traveller_add(work, &made, &traveller);
    } else {
        ok = err.code != EK_ERR_NOMEM &&
             ek_rule_set_report(work->set, EK_RULE_BAD_TEXT, text, "domain %s: %s",
                                domain->name == NULL ? domain->uuid : domain->name, err.message);
    }
    *out = ok ? carried_add(work, text, traveller) : NULL;
    return *out != NULL;
}

static int traveller_cmp(const void *left, const void *right)
{
    const struct traveller *const *a = left;
    const struct traveller *const *b = right;

    return strcmp((*a)->identity, (*b)->identity);
}

static bool carried_gather(struct work *work)
{
    const struct ek_snapshot *snapshot = work->set->snapshot;
    bool ok = true;

    for (size_t d = 0; ok && d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        for (size_t i = 0; ok && i < domain->rules.count; i++) {
            struct carried *carried = NULL;
            HASH_FIND_STR(work->carried, domain->rules.items[i], carried);
            ok = carried != NULL || text_add(work, domain->rules.items[i], domain, &carried);
            if (ok && carried->traveller != NULL) {
                ok = pair_add(work, 0, carried->traveller, (uint32_t)d);
            }
        }
    }
    if (ok && work->traveller_count > 0) {
        qsort(work->travellers, work->traveller_count, sizeof(*work->travellers), traveller_cmp);
    }
    for (size_t t = 0; ok && t < work->traveller_count; t++) {
        work->travellers[t]->index = (uint32_t)(work->own + t);
    }
    return ok;
}

/* ---- from pairs to lists ------------------------------------------------------------------- */

static uint32_t rule_of(const struct pair *pair)
{
    return pair->traveller == NULL ? pair->rule : pair->traveller->index;
}

static bool states_make(struct work *work)
{
    struct ek_rule_set *set = work->set;

    set->rule_count = work->own + work->traveller_count;
    set->rules = ek_arena_alloc(&set->arena, set->rule_count, sizeof(*set->rules));
    for (size_t r = 0; set->rules != NULL && r < set->rule_count; r++) {
        struct ek_rule_state *state = &set->rules[r];
        state->travels = r >= work->own;
        state->rule =
            state->travels ? &work->travellers[r - work->own]->rule : &work->rules->items[r];
        state->weight = state->rule->weight > 0 ? state->rule->weight : 1;
    }
    return set->rules != NULL;
}

/* Counting sort by rule; a domain that several selectors of a rule match counts once. */
static bool members_fill(struct work *work)
{
    struct ek_rule_set *set = work->set;
    uint32_t *sorted = ek_arena_alloc(&work->scratch, work->pair_count, sizeof(*sorted));
    uint32_t *seen_by =
        ek_arena_alloc(&work->scratch, set->snapshot->domain_count, sizeof(*seen_by));
    uint32_t used = 0;

    set->members = ek_arena_alloc(&set->arena, work->pair_count, sizeof(*set->members));
    if (sorted == NULL || seen_by == NULL || set->members == NULL) {
        return false;
    }
    for (size_t i = 0; i < work->pair_count; i++) {
        set->rules[rule_of(&work->pairs[i])].count++;
    }
    for (size_t r = 0, at = 0; r < set->rule_count; at += set->rules[r].count, r++) {
        set->rules[r].first = (uint32_t)at;
        set->rules[r].passing = (uint32_t)at; /* borrowed as the cursor of the sort */
    }
    for (size_t i = 0; i < work->pair_count; i++) {
        sorted[set->rules[rule_of(&work->pairs[i])].passing++] = work->pairs[i].domain;
    }
    assert(set->rule_count > 0);
    for (size_t r = 0; r < set->rule_count; r++) {
        struct ek_rule_state *state = &set->rules[r];
        uint32_t first = used;
        for (uint32_t i = state->first; i < state->first + state->count; i++) {
            if (seen_by[sorted[i]] != r + 1) {
                seen_by[sorted[i]] = (uint32_t)r + 1;
                set->members[used++] = sorted[i];
            }
        }
        state->first = first;
        state->count = used - first;
        state->passing = 0;
    }
    return true;
}

static bool rules_of_fill(struct ek_rule_set *set)
{
    size_t domains = set->snapshot->domain_count;
    size_t total = 0;

    for (size_t r = 0; r < set->rule_count; r++) {
        total += set->rules[r].count;
    }
    set->first = ek_arena_alloc(&set->arena, domains + 2, sizeof(*set->first));
    set->rules_of = ek_arena_alloc(&set->arena, total, sizeof(*set->rules_of));
    if (set->first == NULL || set->rules_of == NULL) {
        return false;
    }
    /* Two places ahead, so that filling leaves the beginnings where they belong. */
    for (size_t i = 0; i < total; i++) {
        set->first[set->members[i] + 2]++;
    }
    for (size_t d = 2; d < domains + 2; d++) {
        set->first[d] += set->first[d - 1];
    }
    for (size_t r = 0; r < set->rule_count; r++) {
        for (uint32_t i = 0; i < set->rules[r].count; i++) {
            uint32_t domain = set->members[set->rules[r].first + i];
            set->rules_of[set->first[domain + 1]++] = (uint32_t)r;
        }
    }
    return true;
}

bool ek_rule_set_gather(struct ek_rule_set *set, const struct ek_rules *rules)
{
    struct work work = {.set = set, .rules = rules, .own = rules == NULL ? 0 : rules->count};

    bool ok = own_gather(&work) && carried_gather(&work);
    if (ok && work.own + work.traveller_count > 0) {
        ok = states_make(&work) && members_fill(&work) && rules_of_fill(set);
    }
    HASH_CLEAR(hh, work.carried);
    free(work.pairs);
    free(work.travellers);
    ek_arena_finish(&work.scratch);
    return ok;
}
