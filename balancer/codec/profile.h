/* A profile (core/profile.h) as bytes, for Redis and for files of history.
 *
 * The bytes: version (2), kind, newest hour; the name; then for CPU and for memory three series of
 * 168 figures: weeks, mean, high, as history_bits.h has them. Figures are kept in the steps of the
 * history, 0.01 core and 1 MiB, and begin with 1; hours that are not known have 0 in all three.
 * Then the newest hour that has marks, and two series: how many whole weeks before it the newest of
 * each hour of the week is, and its marks. Version 1 has none of that: all hours up to its newest
 * count as being in, where anything is known. */
#ifndef EK_CODEC_PROFILE_H
#define EK_CODEC_PROFILE_H

#include "balancer/core/profile.h"

/* The bytes, malloc'ed for the caller; the same profile gives the same bytes. Error: NOMEM. */
bool ek_profile_write(const struct ek_profile *profile, uint8_t **bytes, size_t *size,
                      struct ek_error *err);

/* Errors: INVALID as "NAME: byte 17: found ..., expected ...", NOMEM. */
bool ek_profile_read(struct ek_profile *out, const void *bytes, size_t size, const char *name,
                     struct ek_error *err);

#endif
