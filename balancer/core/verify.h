/* Verification: what a plan promised against what the next settled snapshot shows. */
#ifndef EK_CORE_VERIFY_H
#define EK_CORE_VERIFY_H

#include "balancer/core/evaluate.h"
#include "balancer/core/move.h"

/* A plan's promise and what came of it, by the first settled snapshot after its last move. */
struct ek_verified {
    char plan_id[EK_ID_SIZE];
    struct ek_resources resources;
    double before[EK_RESOURCE_MAX]; /* imbalance */
    double predicted[EK_RESOURCE_MAX];
    double real[EK_RESOURCE_MAX];
    double predicted_gain;       /* fall of the score's spread ... */
    double gain;                 /* ... as it came */
    int64_t predicted_length_ms; /* from its dispatch to the end of its last move ... */
    int64_t length_ms;           /* ... as it came */
};

/* Of levels alone; plan and lengths are the caller's to fill in. */
struct ek_verified ek_verify(const struct ek_resources *resources, const struct ek_levels *before,
                             const struct ek_levels *predicted, const struct ek_levels *real);

/* One sentence with predicted and real imbalance of each resource, owned by the arena; NULL: out of
 * memory. */
const char *ek_verify_text(const struct ek_resources *resources, const struct ek_levels *before,
                           const struct ek_levels *predicted, const struct ek_levels *real,
                           struct ek_arena *arena);

#endif
