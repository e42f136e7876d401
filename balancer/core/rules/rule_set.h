/* Rules as they apply to one snapshot: who is a member, which hosts form a group, what is broken.
 *
 * The set follows placements: SETTLED is where a domain is or, in flight, will be; PASSING is the
 * other host that it occupies meanwhile. Every operation on a domain costs O(its rules), building
 * costs O(domains + hosts + members), and one scan of the domains for each glob or label.
 *
 * Rules bind in two ways. A settled placement must break no must rule anew and make none worse. In
 * transit a domain counts on both hosts for anti_affinity, pin and avoid; spread keeps its groups
 * whichever of the running moves end first; affinity does not bind, so that a plan may split a
 * group between the first and the last of its moves. anti_affinity lets no domain into a group
 * where another member is; for the other kinds a move may leave what is broken as broken as it was.
 */
#ifndef EK_CORE_RULE_SET_H
#define EK_CORE_RULE_SET_H

#include "balancer/core/rules/rule.h"

#include <stdint.h>

/* Something about the rules that a person should know; the rules apply all the same. */
enum ek_rule_problem_kind {
    EK_RULE_CONTRADICTION, /* no placement can satisfy it */
    EK_RULE_NO_HOST,       /* pin or avoid that names no known host */
    EK_RULE_NO_DOMAIN,     /* it is about no domain that runs; such come and go */
    EK_RULE_BAD_TEXT,      /* a domain carries what is no rule; it is passed over */
    EK_RULE_DOUBTFUL,      /* cannot be satisfied now, or says two things at once */
};

struct ek_rule_problem {
    enum ek_rule_problem_kind kind;
    const char *rule; /* its name */
    const char *text; /* a whole sentence without a full stop; the rule is named in it */
};

struct ek_rule_state; /* one compiled rule; private to rule_set*.c */

struct ek_rule_set {
    const struct ek_snapshot *snapshot; /* borrowed, and so are the rules */
    struct ek_rule_state *rules;
    size_t rule_count;
    uint32_t *members;  /* of all rules behind one another */
    uint32_t *first;    /* per domain: where its part of rules_of begins; one more for the end */
    uint32_t *rules_of; /* indices of rules */
    uint32_t *place;    /* per domain: where it is settled; NULL when there are no rules */
    uint32_t *ignored_hosts; /* per host: the rule that leaves it alone; NULL: none does */
    size_t broken;           /* must rules */
    double cost[EK_ENFORCEMENT_COUNT];
    uint32_t hold; /* the present round of ek_rule_set_hold */
    struct ek_rule_problem *problems;
    size_t problem_count; /* those that are kept ... */
    size_t problem_total; /* ... and all that were found */
    struct ek_arena arena;
};

enum { EK_RULE_MAX_PROBLEMS = 50 };

/* Compiles the rules (NULL: none) and those that the snapshot's domains carry. Contents never fail
 * it: what is wrong with them is in `problems`, worst kind first. Error: NOMEM. Snapshot and rules
 * must outlive the set, which the caller owns. */
bool ek_rule_set_init(struct ek_rule_set *set, const struct ek_rules *rules,
                      const struct ek_snapshot *snapshot, struct ek_error *err);
void ek_rule_set_finish(struct ek_rule_set *set);

/* The same set once more, to be changed by itself. What changes never (members, groups, hosts,
 * problems) is borrowed from `from`, which must outlive the copy. Error: NOMEM. */
bool ek_rule_set_copy(struct ek_rule_set *out, const struct ek_rule_set *from,
                      struct ek_error *err);

/* For who wants all rules to make sense, such as a plan for one given snapshot. Errors: INVALID
 * with the first problem that is not EK_RULE_DOUBTFUL, NOMEM. */
bool ek_rule_set_check(const struct ek_rules *rules, const struct ek_snapshot *snapshot,
                       struct ek_error *err);

/* ---- rules: EK_NONE means "no rule" -----------------------------------------------------------
 */

const struct ek_rule *ek_rule_set_rule(const struct ek_rule_set *set, uint32_t rule);

/* The rule that leaves the domain alone. */
uint32_t ek_rule_set_ignored(const struct ek_rule_set *set, uint32_t domain);

/* The rule that leaves the host alone: not counted, no destination, no source of moves but those of
 * its own maintenance. */
uint32_t ek_rule_set_ignored_host(const struct ek_rule_set *set, uint32_t host);

/* The first must rule that the domain, settled at the destination, would newly break or make worse.
 */
uint32_t ek_rule_set_block(const struct ek_rule_set *set, uint32_t domain, uint32_t destination);

/* Whether that rule is one of those: a must rule that the domain would newly break or make worse.
 */
bool ek_rule_set_blocks(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                        uint32_t destination);

/* The first must rule that forbids the domain to set out for the destination now. */
uint32_t ek_rule_set_transit_block(const struct ek_rule_set *set, uint32_t domain,
                                   uint32_t destination);

/* Whether the domain is one of the rule's. */
bool ek_rule_set_concerns(const struct ek_rule_set *set, uint32_t rule, uint32_t domain);

/* "must rule web-apart: web-2 is on h3", why this rule speaks against that destination. Owned by
 * the arena; NULL: out of memory. */
const char *ek_rule_explain(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                            uint32_t destination, struct ek_arena *arena);

/* "must rule web-apart: web-2 leaves h3, where web-1 is", why the domain is to go there. Owned by
 * the arena; NULL: out of memory. */
const char *ek_rule_explain_mending(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                                    uint32_t destination, struct ek_arena *arena);

/* ---- what is broken --------------------------------------------------------------------------
 */

/* Broken must rules, by settled placements. */
size_t ek_rule_set_broken(const struct ek_rule_set *set);

/* Whether any should rule has a domain. */
bool ek_rule_set_prefers(const struct ek_rule_set *set);

/* How far rules are from being kept: the sum of weight x degree. The degree of anti_affinity and
 * spread is the number of groups that are missing, of pin and avoid that of domains on the wrong
 * hosts, of affinity the pairs that are split over the rule's domains less one (one astray: 1). */
double ek_rule_set_should_cost(const struct ek_rule_set *set);
double ek_rule_set_must_cost(const struct ek_rule_set *set);

/* The degree of one rule: 0 when it is kept. */
double ek_rule_set_degree(const struct ek_rule_set *set, uint32_t rule);

/* What settling the domain there would add to that cost; below 0: it repairs. */
double ek_rule_set_should_delta(const struct ek_rule_set *set, uint32_t domain,
                                uint32_t destination);
double ek_rule_set_must_delta(const struct ek_rule_set *set, uint32_t domain, uint32_t destination);

/* The domains whose move may repair a broken rule of that enforcement, each once, by index: of
 * anti_affinity and spread those who share a group, of affinity all, of pin and avoid those on the
 * wrong hosts. `out` has room for all domains of the snapshot. Returns how many. */
size_t ek_rule_set_offenders(const struct ek_rule_set *set, enum ek_enforcement enforcement,
                             uint32_t *out);

/* Whether the domain is one of these for that rule. */
bool ek_rule_set_offends(const struct ek_rule_set *set, uint32_t rule, uint32_t domain);

/* The first rule of that enforcement that the domain, settled at the destination, would break less;
 * EK_NONE: none. */
uint32_t ek_rule_set_mended(const struct ek_rule_set *set, enum ek_enforcement enforcement,
                            uint32_t domain, uint32_t destination);

/* Of a must anti_affinity rule: a settled member in the destination's group, where the domain is
 * not; of several the first by index. EK_NONE: none. */
uint32_t ek_rule_set_obstacle(const struct ek_rule_set *set, uint32_t rule, uint32_t domain,
                              uint32_t destination);

/* Indices, borrowed from the set: the domains of a rule, the rules of a domain. */
const uint32_t *ek_rule_set_members(const struct ek_rule_set *set, uint32_t rule, size_t *count);
const uint32_t *ek_rule_set_rules_of(const struct ek_rule_set *set, uint32_t domain, size_t *count);

/* The group of the host under a rule of affinity, anti_affinity or spread, below the number of
 * hosts. */
uint32_t ek_rule_set_group(const struct ek_rule_set *set, uint32_t rule, uint32_t host);

/* ---- changes ---------------------------------------------------------------------------------
 */

/* The domain is settled there from now on. */
void ek_rule_set_move(struct ek_rule_set *set, uint32_t domain, uint32_t destination);

/* The domain, settled elsewhere, begins (or ends) to occupy that host as well. */
void ek_rule_set_occupy(struct ek_rule_set *set, uint32_t domain, uint32_t host);
void ek_rule_set_vacate(struct ek_rule_set *set, uint32_t domain, uint32_t host);

/* The host that a domain in flight occupies beside its destination. The flight must have a domain.
 */
uint32_t ek_rule_set_other_host(const struct ek_snapshot *snapshot,
                                const struct ek_in_flight *flight);

/* Moves of a plan are feasible in its order. Who starts them in another one must not let a move
 * overtake an earlier one with which it shares a must rule that binds in transit and counts groups:
 * both could then wait for ever. `hold` notes that an earlier move of the domain still waits,
 * `held` tells whether the domain's move must wait for that, `release` forgets all notes. */
void ek_rule_set_hold(struct ek_rule_set *set, uint32_t domain);
bool ek_rule_set_held(const struct ek_rule_set *set, uint32_t domain);
void ek_rule_set_release(struct ek_rule_set *set);

/* The domain's rules that order moves so, for who keeps a queue of each. Writes them to `out`,
 * which has room for all rules (NULL: counts only); returns how many. */
size_t ek_rule_set_ordering(const struct ek_rule_set *set, uint32_t domain, uint32_t *out);

#endif
