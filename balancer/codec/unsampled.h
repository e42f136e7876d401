/* The key `unsampled:<host>`: why a host's newest reading was no sample, as its collector saw it.
 */
#ifndef EK_CODEC_UNSAMPLED_H
#define EK_CODEC_UNSAMPLED_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ek_unsampled {
    int64_t at_ms;                /* 0: nothing is known */
    char collector[EK_NAME_SIZE]; /* "hostname:pid" */
    char error[EK_TEXT_SIZE];     /* cut where it is longer */
};

/* {"version": 1, "at_ms": ..., "collector": "...", "error": "..."}; malloc'ed for the caller, NULL
 * when memory ran out. */
char *ek_codec_write_unsampled(const struct ek_unsampled *unsampled);

/* Errors: INVALID, NOMEM. */
bool ek_codec_read_unsampled(struct ek_unsampled *out, const char *text, size_t size,
                             const char *name, struct ek_error *err);

#endif
