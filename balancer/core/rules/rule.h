/* Placement rules: which domains belong together, apart, on or off which hosts.
 *
 * Rules come from policy.yaml and travel with domains in their metadata (docs/rules.md). This is
 * what they say; rule_set.h is what they mean for one snapshot. */
#ifndef EK_CORE_RULE_H
#define EK_CORE_RULE_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>

enum ek_rule_kind {
    EK_RULE_AFFINITY,      /* all its domains in one group of hosts */
    EK_RULE_ANTI_AFFINITY, /* each in a group of its own */
    EK_RULE_PIN,           /* on no host but these */
    EK_RULE_AVOID,         /* on none of these hosts */
    EK_RULE_SPREAD,        /* in at_least groups */
    EK_RULE_IGNORE,        /* domains: never moved, by evacuations neither; hosts: left alone */
    EK_RULE_KIND_COUNT
};

enum ek_enforcement {
    EK_MUST,   /* never broken by a move; what the input breaks is repaired first */
    EK_SHOULD, /* weighed, after balance */
    EK_ENFORCEMENT_COUNT
};

/* A group of hosts is one host, or all hosts that have one value of the label `topology`; a host
 * without that label is a group of its own. */
struct ek_rule {
    const char *name;
    enum ek_rule_kind kind;
    struct ek_strings domains; /* selectors; none in a rule that travels with its domains */
    struct ek_strings hosts;   /* selectors; of pin and avoid, and of ignore without domains */
    const char *topology;      /* NULL or "host": each host; else the key of a host label */
    int at_least;              /* of spread: groups, >= 2; else 0 */
    enum ek_enforcement enforcement;
    double weight; /* of a should rule; 0: not given, which counts as 1 */
    int line;      /* where it stands in its file; 0: in none */
};

struct ek_rules {
    struct ek_rule *items;
    size_t count;
    struct ek_arena arena; /* owns all of it */
};

/* Frees the rules and zeroes the structure; a zeroed one is fine. */
void ek_rules_finish(struct ek_rules *rules);

/* Names as they are written: "anti_affinity", "must". */
const char *ek_rule_kind_name(enum ek_rule_kind kind);
const char *ek_enforcement_name(enum ek_enforcement enforcement);

/* Whether the kind looks at groups of hosts, so that `topology` means something. */
bool ek_rule_kind_grouped(enum ek_rule_kind kind);

/* Whether its keys fit its kind (pin and avoid need hosts, spread needs at_least, ...). Error:
 * INVALID, "found rule NAME ..., expected ...". */
bool ek_rule_check(const struct ek_rule *rule, struct ek_error *err);

/* Reads a rule that travels with a domain: "anti_affinity group=web topology=rack", "pin
 * hosts=h1,h2 enforcement=should weight=3" (docs/rules.md). Its name is its group's, without one
 * the whole text. Strings are owned by the arena. Errors: INVALID, NOMEM. */
bool ek_rule_parse(struct ek_rule *out, const char *text, struct ek_arena *arena,
                   struct ek_error *err);

/* ---- selectors: "label:key=value", a text with '*' and '?', or a name --------------------------
 */

enum ek_selector_kind { EK_SELECT_NAME, EK_SELECT_GLOB, EK_SELECT_LABEL };

enum ek_selector_kind ek_selector_kind(const char *selector);

/* Whether the text can select anything: not empty, and a label has key and value. */
bool ek_selector_valid(const char *selector);

/* `uuid` may be NULL. '*' stands for any characters, '?' for one; a label's value may have them,
 * too. */
bool ek_selector_matches(const char *selector, const char *name, const char *uuid,
                         const struct ek_labels *labels);

#endif
