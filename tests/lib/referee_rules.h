/* The referee's own reading of placement rules: nothing in it comes from balancer/core/rules. */
#ifndef EK_TESTS_LIB_REFEREE_RULES_H
#define EK_TESTS_LIB_REFEREE_RULES_H

#include "balancer/core/schedule/schedule.h"
#include "tests/lib/text.h"

struct ek_referee_rules;

/* All rules of the policy and of the domains, each with its members. */
struct ek_referee_rules *ek_referee_rules_make(const struct ek_snapshot *snapshot,
                                               const struct ek_policy *policy);
void ek_referee_rules_destroy(struct ek_referee_rules *rules);

/* Broken must rules when every domain is on `place[domain]`. */
uint32_t ek_referee_rules_broken(const struct ek_referee_rules *rules, const uint32_t *place);

/* Whether a rule of the policy leaves the host alone. */
bool ek_referee_host_ignored(const struct ek_snapshot *snapshot, const struct ek_policy *policy,
                             uint32_t host);

/* Whether some rule leaves the domain alone. */
bool ek_referee_rules_ignored(const struct ek_referee_rules *rules, uint32_t domain);

/* Whether the domain could settle on the host as far as must rules go, all others staying. */
bool ek_referee_rules_allow(const struct ek_referee_rules *rules, uint32_t *place, uint32_t domain,
                            uint32_t host);

/* The same for a move of a plan whose end is judged as a whole: affinity does not bind. */
bool ek_referee_rules_allow_step(const struct ek_referee_rules *rules, uint32_t *place,
                                 uint32_t domain, uint32_t host);

/* Whether no must rule is worse at `after` than at `before`. */
bool ek_referee_rules_kept(const struct ek_referee_rules *rules, const uint32_t *before,
                           const uint32_t *after);

/* Whether a must rule that looks at where others are concerns both domains. */
bool ek_referee_rules_share(const struct ek_referee_rules *rules, uint32_t a, uint32_t b);

/* Adds a line for every must rule that the plan's end breaks or makes worse, and for every instant
 * of the schedule at which one is broken that the input did not break. */
void ek_referee_rules_judge(const struct ek_referee_rules *rules, const struct ek_plan *plan,
                            const struct ek_schedule *schedule, struct ek_text *complaints);

#endif
