/* Verification: what a plan promised against what the next settled snapshot shows. */
#ifndef EK_CORE_VERIFY_H
#define EK_CORE_VERIFY_H

#include "balancer/core/evaluate.h"

/* One sentence with predicted and real imbalance of each resource, owned by the arena; NULL: out of
 * memory. */
const char *ek_verify_text(const struct ek_resources *resources, const struct ek_levels *before,
                           const struct ek_levels *predicted, const struct ek_levels *real,
                           struct ek_arena *arena);

#endif
