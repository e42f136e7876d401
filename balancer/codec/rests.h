/* What the engine keeps over a restart (core/engine_keep.h): which domains rest, which circuits are
 * open, what is paused. */
#ifndef EK_CODEC_RESTS_H
#define EK_CODEC_RESTS_H

#include "balancer/core/engine/engine_keep.h"

/* {"version": 1, "paused": "...", "paused_all": false, "rests": [...], "circuits": [...]};
 * malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_rests(const struct ek_kept *kept);

/* Errors: INVALID, NOMEM; then nothing is owned. The caller owns the result: ek_kept_finish. */
bool ek_codec_read_rests(struct ek_kept *out, const char *text, size_t size, const char *name,
                         struct ek_error *err);

#endif
