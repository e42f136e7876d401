/* What the engine knows from samples and outcomes, to be kept over a restart beside its rests
 * (ek_engine_cooldown). */
#ifndef EK_CORE_ENGINE_MEMORY_H
#define EK_CORE_ENGINE_MEMORY_H

#include "balancer/core/engine/engine.h"
#include "balancer/core/forecast.h"
#include "balancer/core/learned.h"

/* Cycles in a row that wanted balancing; goes on only under the same policy, and when no more than
 * the forecasts' window has passed. */
struct ek_sustained {
    int cycles;
    int64_t at_ms;   /* of the newest cycle's snapshot */
    uint64_t policy; /* its digest */
};

struct ek_engine_memory {
    struct ek_sustained sustained;
    int64_t window_ms; /* of the histories' points */
    struct ek_forecast_entry *forecasts;
    size_t forecast_count;
    struct ek_lesson *lessons;
    size_t lesson_count;
    struct ek_arena arena;
};

/* A copy of what is known now, by UUID. Error: NOMEM. The caller owns the result:
 * ek_engine_memory_finish. */
bool ek_engine_remember(const struct ek_engine *engine, struct ek_engine_memory *out,
                        struct ek_error *err);
void ek_engine_memory_finish(struct ek_engine_memory *memory);

/* Gives a new engine what an earlier one knew; before its first snapshot. Error: NOMEM, after which
 * a part may be known. */
bool ek_engine_recall(struct ek_engine *engine, const struct ek_engine_memory *memory,
                      struct ek_error *err);

/* Writes into a snapshot what an engine with that memory would expect of it: for commands that plan
 * beside the balancer. Error: NOMEM. */
bool ek_engine_memory_apply(const struct ek_engine_memory *memory, const struct ek_policy *policy,
                            struct ek_snapshot *snapshot, struct ek_error *err);

#endif
