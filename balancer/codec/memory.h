/* What the engine has learned, over a restart: forecasts, lessons and sustained cycles. (Its rests:
 * rests.h.) */
#ifndef EK_CODEC_MEMORY_H
#define EK_CODEC_MEMORY_H

#include "balancer/core/engine/engine_memory.h"

/* {"version": 1, "sustained": {...}, "window_ms": ..., "forecasts": [...], "learned": [...]}, about
 * 240 bytes for each domain; malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_memory(const struct ek_engine_memory *memory);

/* Errors: INVALID, NOMEM; then nothing is owned. The caller owns the result:
 * ek_engine_memory_finish. */
bool ek_codec_read_memory(struct ek_engine_memory *out, const char *text, size_t size,
                          const char *name, struct ek_error *err);

#endif
