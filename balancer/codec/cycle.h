/* The account of a cycle (core/cycle.h) as it stands in the stream `cycles`. */
#ifndef EK_CODEC_CYCLE_H
#define EK_CODEC_CYCLE_H

#include "balancer/core/engine/cycle.h"

/* Malloc'ed for the caller, NULL when memory ran out. `number` is the balancer's count of cycles.
 */
char *ek_codec_write_cycle(const struct ek_cycle *cycle, int64_t number);

/* What an older balancer did not say yet is "", 0 or not known. Errors: INVALID, NOMEM. */
bool ek_codec_read_cycle(struct ek_cycle *out, int64_t *number, const char *text, size_t size,
                         const char *name, struct ek_error *err);

#endif
