/* The engine's memory: forecasts, lessons and sustained cycles; applied to each snapshot, kept and
 * given back over a restart. */
#include "balancer/core/engine/engine_memory.h"

#include "balancer/core/digest.h"
#include "balancer/core/engine/engine_parts.h"

#include <string.h>

static uint64_t policy_digest(const struct ek_engine *engine)
{
    struct ek_digest digest = ek_digest_begin();

    ek_digest_policy(&digest, &engine->policy);
    return digest.state;
}

/* Cycles that were counted before the restart, unless too much has changed since. */
static void go_on(struct ek_engine *engine)
{
    const struct ek_sustained kept = engine->recalled;
    int64_t away_ms = engine->snapshot.taken_at_ms - kept.at_ms;

    engine->recalled = (struct ek_sustained){.cycles = 0};
    if (kept.cycles > 0 && away_ms >= 0 && away_ms <= engine->policy.forecast_window_ms &&
        kept.policy == policy_digest(engine)) {
        engine->sustained = kept.cycles;
    }
}

bool ek_engine_expect(struct ek_engine *engine, struct ek_error *err)
{
    go_on(engine);
    ek_learned_expire(engine->learned, engine->snapshot.taken_at_ms);
    ek_learned_apply(engine->learned, &engine->snapshot);
    return ek_forecast_apply(engine->forecast, &engine->policy, &engine->snapshot, err);
}

bool ek_engine_remember(const struct ek_engine *engine, struct ek_engine_memory *out,
                        struct ek_error *err)
{
    memset(out, 0, sizeof(*out));
    out->forecast_count = ek_forecast_export(engine->forecast, &out->window_ms, NULL, 0);
    out->lesson_count = ek_learned_export(engine->learned, NULL, 0);
    out->forecasts = ek_arena_alloc(&out->arena, out->forecast_count, sizeof(*out->forecasts));
    out->lessons = ek_arena_alloc(&out->arena, out->lesson_count, sizeof(*out->lessons));
    if (out->forecasts == NULL || out->lessons == NULL) {
        ek_engine_memory_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the engine's memory");
    }
    (void)ek_forecast_export(engine->forecast, &out->window_ms, out->forecasts,
                             out->forecast_count);
    (void)ek_learned_export(engine->learned, out->lessons, out->lesson_count);
    out->sustained = (struct ek_sustained){.cycles = engine->sustained,
                                           .at_ms = engine->snapshot.taken_at_ms,
                                           .policy = policy_digest(engine)};
    return true;
}

void ek_engine_memory_finish(struct ek_engine_memory *memory)
{
    ek_arena_finish(&memory->arena);
    memset(memory, 0, sizeof(*memory));
}

static bool import(struct ek_forecast *forecast, struct ek_learned *learned,
                   const struct ek_engine_memory *memory, struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < memory->forecast_count; i++) {
        ok = ek_forecast_import(forecast, memory->window_ms, &memory->forecasts[i], err);
    }
    for (size_t i = 0; ok && i < memory->lesson_count; i++) {
        ok = ek_learned_import(learned, &memory->lessons[i], err);
    }
    return ok;
}

bool ek_engine_recall(struct ek_engine *engine, const struct ek_engine_memory *memory,
                      struct ek_error *err)
{
    engine->recalled = memory->sustained;
    return import(engine->forecast, engine->learned, memory, err);
}

bool ek_engine_memory_apply(const struct ek_engine_memory *memory, const struct ek_policy *policy,
                            struct ek_snapshot *snapshot, struct ek_error *err)
{
    struct ek_forecast *forecast = ek_forecast_create();
    struct ek_learned *learned = ek_learned_create();
    bool ok = (forecast != NULL && learned != NULL) ||
              ek_error_set(err, EK_ERR_NOMEM, "out of memory for forecasts");

    ok = ok && import(forecast, learned, memory, err) &&
         ek_forecast_apply(forecast, policy, snapshot, err);
    if (ok) {
        ek_learned_expire(learned, snapshot->taken_at_ms);
        ek_learned_apply(learned, snapshot);
    }
    ek_forecast_destroy(forecast);
    ek_learned_destroy(learned);
    return ok;
}
