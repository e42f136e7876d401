/* The preflight of maintenance as JSON (docs/contracts.md). */
#ifndef EK_CODEC_PREFLIGHT_H
#define EK_CODEC_PREFLIGHT_H

#include "balancer/core/preflight.h"

/* What is said of the hosts for which `asked` is true, by the snapshot's index; malloc'ed for the
 * caller, NULL when memory ran out. `wanted` are the moves to list, of ek_preflight_moves(). */
char *ek_codec_write_preflight(const struct ek_preflight *preflight, const bool *asked,
                               const bool *wanted);

#endif
