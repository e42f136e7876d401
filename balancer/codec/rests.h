/* The engine's memory over a restart: which domains rest, and why. */
#ifndef EK_CODEC_RESTS_H
#define EK_CODEC_RESTS_H

#include "balancer/core/cooldown.h"

/* {"version": 1, "rests": [...]}; malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_rests(const struct ek_rest *rests, size_t count);

/* *rests is malloc'ed for the caller. Errors: INVALID, NOMEM. */
bool ek_codec_read_rests(struct ek_rest **rests, size_t *count, const char *text, size_t size,
                         const char *name, struct ek_error *err);

#endif
