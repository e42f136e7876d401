/* What a plan promised beside what came: the operator's measure of how far predictions can be
 * trusted. */
#include "balancer/core/verify.h"

#include <assert.h>

struct ek_verified ek_verify(const struct ek_resources *resources, const struct ek_levels *before,
                             const struct ek_levels *predicted, const struct ek_levels *real)
{
    struct ek_verified out = {.resources = *resources,
                              .predicted_gain = before->score.spread - predicted->score.spread,
                              .gain = before->score.spread - real->score.spread};

    assert(resources->count <= EK_RESOURCE_MAX);
    for (unsigned int r = 0; r < resources->count; r++) {
        out.before[r] = before->imbalance[r];
        out.predicted[r] = predicted->imbalance[r];
        out.real[r] = real->imbalance[r];
    }
    return out;
}

const char *ek_verify_text(const struct ek_resources *resources, const struct ek_levels *before,
                           const struct ek_levels *predicted, const struct ek_levels *real,
                           struct ek_arena *arena)
{
    /* Grown in the arena, each text the next one's beginning; two resources make two pieces. */
    const char *text = "imbalance";

    assert(before != NULL && predicted != NULL && real != NULL);

    for (unsigned int r = 0; text != NULL && r < resources->count; r++) {
        text = ek_arena_printf(arena, "%s%s %s %.3f -> %.3f (predicted %.3f)", text,
                               r == 0 ? " of" : ", of", resources->names[r], before->imbalance[r],
                               real->imbalance[r], predicted->imbalance[r]);
    }
    return text;
}
