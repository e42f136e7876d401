/* One compiled rule; private to rule_set*.c. */
#ifndef EK_CORE_RULE_STATE_H
#define EK_CORE_RULE_STATE_H

#include "balancer/core/rules/rule_set.h"

/* How many members one group of hosts has. */
struct ek_rule_slot {
    uint32_t group; /* EK_NONE: the slot is free */
    uint32_t settled;
    uint32_t passing;
};

struct ek_rule_state {
    const struct ek_rule *rule;
    double weight;
    uint32_t first; /* its members in set->members */
    uint32_t count;

    const uint32_t *group_of; /* per host; NULL: each host is its own group */
    uint32_t group_count;

    /* Of affinity, anti_affinity and spread. Sparse, because a rule of 15 domains must not cost as
     * much as there are hosts: linear probing, at most half full. Dense when that is smaller. */
    struct ek_rule_slot *slots;
    uint32_t mask;     /* number of slots - 1 */
    bool dense;        /* a group is its own slot */
    uint32_t occupied; /* groups with settled members */
    uint32_t passing;  /* members on their way */
    uint32_t need;     /* of spread: groups */
    uint64_t split;    /* of affinity: pairs of members in different groups */

    const uint64_t *allowed; /* of pin and avoid: one bit per host; of ignore: its hosts */
    uint32_t outside;        /* members on hosts that are not allowed */

    uint32_t hold;     /* the round in which it was held */
    bool travels;      /* it came with a domain */
    bool contradicted; /* reported once is enough */
};

static inline uint32_t ek_rule_group(const struct ek_rule_state *state, uint32_t host)
{
    return state->group_of == NULL ? host : state->group_of[host];
}

static inline bool ek_rule_allows(const struct ek_rule_state *state, uint32_t host)
{
    return (state->allowed[host / 64] >> (host % 64) & 1) != 0;
}

/* 0: the rule is kept; else how far it is from that, see ek_rule_set_should_cost. */
double ek_rule_degree(const struct ek_rule_state *state);

/* The degree if one of its domains settled elsewhere. */
double ek_rule_degree_after(const struct ek_rule_state *state, uint32_t from, uint32_t to);

/* The slot of a group, NULL when nobody is there. */
const struct ek_rule_slot *ek_rule_slot(const struct ek_rule_state *state, uint32_t group);

/* Adds to the numbers of a group. */
void ek_rule_count(struct ek_rule_state *state, uint32_t group, int settled, int passing);

/* ---- rule_members.c: fills set->rules, members, first and rules_of; false: NOMEM ---------------
 */
bool ek_rule_set_gather(struct ek_rule_set *set, const struct ek_rules *rules);

/* ---- rule_hosts.c ------------------------------------------------------------------------------
 */

/* Hosts by name and by selector; zero but for its snapshot and scratch it is empty and valid. */
struct ek_rule_hosts {
    const struct ek_snapshot *snapshot;
    struct ek_arena *scratch; /* must outlive it */
    struct named *names;
    struct selected *selected;
};

/* Words of one bit for each host. */
static inline size_t ek_rule_hosts_words(const struct ek_snapshot *snapshot)
{
    return snapshot->host_count / 64 + 1;
}

/* Sets the bits of the hosts that the rule names; false: NOMEM. */
bool ek_rule_hosts_mark(struct ek_rule_hosts *index, const struct ek_rule *rule, uint64_t *hosts);
void ek_rule_hosts_finish(struct ek_rule_hosts *index);

/* ---- rule_build.c: groups, allowed hosts and tables of all rules; false: NOMEM ----------------
 */
bool ek_rule_set_prepare(struct ek_rule_set *set);

/* ---- rule_problems.c: fills set->problems; false: NOMEM ----------------------------------------
 */

/* Keeps one problem while there is room. */
bool ek_rule_set_report(struct ek_rule_set *set, enum ek_rule_problem_kind kind, const char *rule,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Looks for rules that cannot be kept. */
bool ek_rule_set_judge(struct ek_rule_set *set);

#endif
