/* What can be said of rules when the hosts are known and the domains are not: for who checks a
 * policy before anything runs. */
#ifndef EK_CORE_RULE_FORESEE_H
#define EK_CORE_RULE_FORESEE_H

#include "balancer/core/rules/rule.h"

/* Takes one sentence without a full stop, in which the rule is named, and which lasts for the
 * call. */
typedef void (*ek_rule_tell)(void *context, const struct ek_rule *rule, const char *text);

/* Tells of names, patterns and labels of hosts that select no host, of topologies whose label no
 * host has, and of rules that contradict each other for any domain that a name, pattern or label in
 * them selects. What hangs on who bears which labels besides cannot be foreseen. Error: NOMEM. */
bool ek_rules_foresee(const struct ek_rules *rules, const struct ek_host_entry *hosts,
                      size_t host_count, ek_rule_tell tell, void *context, struct ek_error *err);

#endif
