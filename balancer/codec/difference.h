/* Where two documents differ, value by value. */
#ifndef EK_CODEC_DIFFERENCE_H
#define EK_CODEC_DIFFERENCE_H

#include "balancer/core/error.h"

struct ek_difference {
    const char *path;  /* "moves[2].destination"; "" for the document itself */
    const char *left;  /* the value as JSON, cut where it is long; NULL: there is none */
    const char *right; /* likewise */
};

/* Tells `visit` of each value that differs, in the order of the left document; what only the right
 * one has comes after it. What a difference points to lasts for that call. Errors: INVALID when one
 * of them is no JSON, NOMEM. */
bool ek_codec_differences(const char *left, const char *right,
                          void (*visit)(void *context, const struct ek_difference *difference),
                          void *context, struct ek_error *err);

#endif
