/* The key `candidates`: the hosts from which the balancer would move domains now. */
#ifndef EK_CODEC_CANDIDATES_H
#define EK_CODEC_CANDIDATES_H

#include "balancer/core/snapshot.h"

/* {"version": 1, "hosts": ["h1"]}; malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_candidates(const struct ek_strings *hosts);

/* Names live in the arena, which the caller owns, on error, too. Errors: INVALID, NOMEM. */
bool ek_codec_read_candidates(struct ek_strings *hosts, struct ek_arena *arena, const char *text,
                              size_t size, const char *name, struct ek_error *err);

#endif
