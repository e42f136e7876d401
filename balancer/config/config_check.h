/* Checks of evenkeel.yaml that concern several keys, and what follows from them. */
#ifndef EK_CONFIG_CONFIG_CHECK_H
#define EK_CONFIG_CONFIG_CHECK_H

#include "balancer/config/schema.h"

/* Reports hosts that are listed twice, keys that exclude or need each other, and intervals that
 * contradict each other. `lines` as ek_schema_read wrote them. */
void ek_config_check(const struct ek_config *config, const int *lines,
                     const struct ek_report *report);

/* Fills in what the configuration says indirectly: policy_path, Redis's address, the password. */
void ek_config_resolve(struct ek_config *config, const int *lines, const struct ek_report *report);

#endif
