/* What is wrong with rules before anything moves: contradictions that can be seen directly, rules
 * about nothing, and what no placement on these hosts can keep. */
#include "balancer/core/plural.h"
#include "balancer/core/rules/rule_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is noted while rules are compared. */
struct scratch {
    uint32_t *met_by;  /* per rule: the affinity rule of whose members one was seen, + 1 */
    uint64_t *allowed; /* per host: left by the rules of one domain */
    uint8_t *groups;   /* per group: left by those of all members so far */
    uint8_t *reached;  /* per group: left by those of one member */
    struct ek_arena arena;
};

/* A free place, else that of a less serious problem; NULL: all are at least as serious. */
static struct ek_rule_problem *place(struct ek_rule_set *set, enum ek_rule_problem_kind kind)
{
    struct ek_rule_problem *found = NULL;

    if (set->problem_count < EK_RULE_MAX_PROBLEMS) {
        return &set->problems[set->problem_count++];
    }
    for (size_t i = 0; i < set->problem_count; i++) {
        if (set->problems[i].kind > kind &&
            (found == NULL || set->problems[i].kind > found->kind)) {
            found = &set->problems[i];
        }
    }
    return found;
}

bool ek_rule_set_report(struct ek_rule_set *set, enum ek_rule_problem_kind kind, const char *rule,
                        const char *format, ...)
{
    char text[512];
    va_list args;

    set->problem_total++;
    if (set->problems == NULL) {
        set->problems = ek_arena_alloc(&set->arena, EK_RULE_MAX_PROBLEMS, sizeof(*set->problems));
    }
    if (set->problems == NULL) {
        return false;
    }
    struct ek_rule_problem *problem = place(set, kind);
    if (problem == NULL) {
        return true;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *copy = ek_arena_strdup(&set->arena, text);
    *problem = (struct ek_rule_problem){kind, rule, copy};
    return copy != NULL;
}

static bool is_must(const struct ek_rule_state *state)
{
    return state->rule->enforcement == EK_MUST;
}

/* UUIDs where a snapshot leaves names out. */
static const char *name_of(const struct ek_rule_set *set, uint32_t domain)
{
    const struct ek_domain *it = &set->snapshot->domains[domain];

    return it->name == NULL ? it->uuid : it->name;
}

/* `what` is completed by the name of the domain. */
static bool contradict(struct ek_rule_set *set, struct ek_rule_state *state,
                       const struct ek_rule_state *other, const char *what, uint32_t domain)
{
    if (state->contradicted) {
        return true;
    }
    state->contradicted = true;
    return ek_rule_set_report(set, EK_RULE_CONTRADICTION, state->rule->name,
                              "rules %s and %s contradict each other: %s %s", state->rule->name,
                              other->rule->name, what, name_of(set, domain));
}

/* ---- sizes --------------------------------------------------------------------------------- */

/* Without any such label each host is a group of its own: mostly the key is mistyped. */
static bool label_is_known(const struct ek_snapshot *snapshot, const char *key)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        const struct ek_labels *labels = &snapshot->hosts[h].labels;
        for (size_t i = 0; i < labels->count; i++) {
            if (strcmp(labels->items[i].key, key) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool judge_size(struct ek_rule_set *set, const struct ek_rule_state *state)
{
    const struct ek_rule *rule = state->rule;
    const char *topology = rule->topology == NULL ? "host" : rule->topology;

    if (rule->kind == EK_RULE_IGNORE && rule->hosts.count > 0) {
        return true; /* it is about hosts */
    }
    if (state->count == 0) {
        return ek_rule_set_report(set, EK_RULE_NO_DOMAIN, rule->name,
                                  "rule %s: found no domain that it is about, expected at least 1",
                                  rule->name);
    }
    if (state->group_of != NULL && !label_is_known(set->snapshot, topology)) {
        return ek_rule_set_report(set, EK_RULE_DOUBTFUL, rule->name,
                                  "rule %s: found no host with the label %s, expected some; each "
                                  "host counts as a %s of its own",
                                  rule->name, topology, topology);
    }
    if (rule->kind == EK_RULE_ANTI_AFFINITY && state->count > state->group_count) {
        return ek_rule_set_report(set, EK_RULE_DOUBTFUL, rule->name,
                                  "rule %s: found %u domains for %u different %s%s", rule->name,
                                  (unsigned int)state->count, (unsigned int)state->group_count,
                                  topology, ek_plural(state->group_count));
    }
    if (rule->kind == EK_RULE_SPREAD && rule->at_least > (int)state->count) {
        return ek_rule_set_report(set, EK_RULE_DOUBTFUL, rule->name,
                                  "rule %s: found %u domain%s for at least %d different %ss",
                                  rule->name, (unsigned int)state->count, ek_plural(state->count),
                                  rule->at_least, topology);
    }
    if (rule->kind == EK_RULE_SPREAD && state->need > state->group_count) {
        return ek_rule_set_report(set, EK_RULE_DOUBTFUL, rule->name,
                                  "rule %s: found %u different %s%s, expected at least %d",
                                  rule->name, (unsigned int)state->group_count, topology,
                                  ek_plural(state->group_count), rule->at_least);
    }
    return true;
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* The hosts that must rules leave a domain; *last is the rule that took the last of them. False:
 * there is no such rule, and all hosts are left. */
static bool hosts_left(const struct ek_rule_set *set, uint32_t domain, uint64_t *left,
                       struct ek_rule_state **first, struct ek_rule_state **last)
{
    size_t words = set->snapshot->host_count / 64 + 1;

    *first = NULL;
    *last = NULL;
    for (uint32_t i = set->first[domain]; i < set->first[domain + 1]; i++) {
        struct ek_rule_state *state = &set->rules[set->rules_of[i]];
        if (state->allowed == NULL || !is_must(state)) {
            continue;
        }
        uint64_t any = 0;
        for (size_t w = 0; w < words; w++) {
            left[w] = *first == NULL ? state->allowed[w] : left[w] & state->allowed[w];
            any |= left[w];
        }
        *first = *first == NULL ? state : *first;
        *last = any == 0 && *last == NULL ? state : *last;
    }
    return *first != NULL;
}

static bool judge_hosts(struct ek_rule_set *set, struct scratch *scratch)
{
    struct ek_rule_state *first = NULL;
    struct ek_rule_state *last = NULL;
    bool ok = true;

    for (uint32_t d = 0; ok && d < set->snapshot->domain_count; d++) {
        bool bound = hosts_left(set, d, scratch->allowed, &first, &last);
        if (bound && last != NULL && last != first) {
            ok = contradict(set, last, first, "together they leave no host for", d);
        } else if (bound && last != NULL && first->rule->kind == EK_RULE_AVOID &&
                   !first->contradicted) {
            first->contradicted = true;
            ok = ek_rule_set_report(set, EK_RULE_CONTRADICTION, first->rule->name,
                                    "rule %s avoids every host", first->rule->name);
        }
    }
    return ok;
}

/* ---- affinity ------------------------------------------------------------------------------ */

static bool finer_or_equal(const struct ek_rule_state *affinity, const struct ek_rule_state *apart)
{
    return affinity->group_of == NULL || affinity->group_of == apart->group_of;
}

/* Two members of an affinity rule in one anti-affinity rule, whose groups are not smaller. */
static bool judge_pairs(struct ek_rule_set *set, uint32_t rule, struct scratch *scratch)
{
    struct ek_rule_state *affinity = &set->rules[rule];
    bool ok = true;

    for (uint32_t m = 0; ok && m < affinity->count; m++) {
        uint32_t domain = set->members[affinity->first + m];
        for (uint32_t i = set->first[domain]; ok && i < set->first[domain + 1]; i++) {
            uint32_t other = set->rules_of[i];
            const struct ek_rule_state *apart = &set->rules[other];
            if (apart->rule->kind != EK_RULE_ANTI_AFFINITY || !is_must(apart) ||
                !finer_or_equal(affinity, apart)) {
                continue;
            }
            if (scratch->met_by[other] == rule + 1) {
                ok = contradict(set, affinity, apart, "two domains are in both, the second is",
                                domain);
            }
            scratch->met_by[other] = rule + 1;
        }
    }
    return ok;
}

/* Leaves the groups that this member can be in, too; false when none is left. */
static bool groups_left(const struct ek_rule_set *set, const struct ek_rule_state *affinity,
                        struct scratch *scratch)
{
    bool any = false;

    memset(scratch->reached, 0, set->snapshot->host_count);
    for (uint32_t h = 0; h < set->snapshot->host_count; h++) {
        if ((scratch->allowed[h / 64] >> (h % 64) & 1) != 0) {
            scratch->reached[ek_rule_group(affinity, h)] = 1;
        }
    }
    for (uint32_t g = 0; g < affinity->group_count; g++) {
        scratch->groups[g] = scratch->groups[g] && scratch->reached[g];
        any = any || scratch->groups[g];
    }
    return any;
}

/* Members whose own rules leave them no group of hosts in common. */
static bool judge_common(struct ek_rule_set *set, uint32_t rule, struct scratch *scratch)
{
    struct ek_rule_state *affinity = &set->rules[rule];
    struct ek_rule_state *first = NULL;
    struct ek_rule_state *last = NULL;

    memset(scratch->groups, 1, set->snapshot->host_count);
    for (uint32_t m = 0; m < affinity->count; m++) {
        uint32_t domain = set->members[affinity->first + m];
        if (hosts_left(set, domain, scratch->allowed, &first, &last) &&
            !groups_left(set, affinity, scratch)) {
            return contradict(set, affinity, first,
                              "its domains have no host in common, the first to find none is",
                              domain);
        }
    }
    return true;
}

static bool judge_all(struct ek_rule_set *set, struct scratch *scratch)
{
    bool ok = true;

    for (uint32_t r = 0; ok && r < set->rule_count; r++) {
        const struct ek_rule_state *state = &set->rules[r];
        ok = judge_size(set, state);
        if (ok && state->rule->kind == EK_RULE_AFFINITY && is_must(state)) {
            ok = judge_pairs(set, r, scratch) && judge_common(set, r, scratch);
        }
    }
    return ok && judge_hosts(set, scratch);
}

static int problem_cmp(const void *left, const void *right)
{
    const struct ek_rule_problem *a = left;
    const struct ek_rule_problem *b = right;

    return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind)
                              : strcmp(a->text, b->text);
}

bool ek_rule_set_judge(struct ek_rule_set *set)
{
    size_t hosts = set->snapshot->host_count;
    struct scratch scratch = {.met_by = NULL};

    scratch.met_by = ek_arena_alloc(&scratch.arena, set->rule_count, sizeof(*scratch.met_by));
    scratch.allowed = ek_arena_alloc(&scratch.arena, hosts / 64 + 1, sizeof(*scratch.allowed));
    scratch.groups = ek_arena_alloc(&scratch.arena, hosts, sizeof(*scratch.groups));
    scratch.reached = ek_arena_alloc(&scratch.arena, hosts, sizeof(*scratch.reached));
    bool ok = scratch.met_by != NULL && scratch.allowed != NULL && scratch.groups != NULL &&
              scratch.reached != NULL && judge_all(set, &scratch);
    ek_arena_finish(&scratch.arena);
    if (ok && set->problem_count > 0) {
        qsort(set->problems, set->problem_count, sizeof(*set->problems), problem_cmp);
    }
    return ok;
}

bool ek_rule_set_check(const struct ek_rules *rules, const struct ek_snapshot *snapshot,
                       struct ek_error *err)
{
    struct ek_rule_set set;

    if (!ek_rule_set_init(&set, rules, snapshot, err)) {
        return false;
    }
    bool good = set.problem_count == 0 || set.problems[0].kind == EK_RULE_DOUBTFUL ||
                ek_error_set(err, EK_ERR_INVALID, "%s", set.problems[0].text);
    ek_rule_set_finish(&set);
    return good;
}
