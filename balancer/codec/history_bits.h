/* Bytes and bits of a history block (history_block.h): what all its parts are written with.
 *
 * Whole numbers outside of series are written in groups of seven bits, the lowest first, the
 * eighth bit saying that more follow. A series is a column of figures that change little from one
 * to the next: differences, folded so that small ones of either sign are small numbers, in chunks
 * of 32, but for the first, which is alone. A chunk is six bits of width and, unless all its
 * differences are 0 (width 0), each of them as a Rice code: its upper part in unary, its lower
 * width - 1 bits as they are. Bits fill bytes from the lowest up. */
#ifndef EK_CODEC_HISTORY_BITS_H
#define EK_CODEC_HISTORY_BITS_H

#include "balancer/core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Figures of a series are from 0 to here, so that no difference of two can overflow. */
#define EK_SERIES_MAX ((int64_t)1 << 50)

/* ---- writing --------------------------------------------------------------------------------- */

/* Bytes that grow; zeroed is empty. `failed` once memory ran out: nothing is written any more. */
struct ek_bytes {
    uint8_t *data; /* malloc'ed; the caller frees it */
    size_t size;
    size_t room;
    unsigned int bits; /* used in the last byte; 0: all of it */
    bool failed;
};

void ek_bytes_put(struct ek_bytes *bytes, const void *data, size_t size);
void ek_bytes_put_number(struct ek_bytes *bytes, uint64_t number);

/* Figures outside of 0..EK_SERIES_MAX are a fault of the caller's. */
void ek_bytes_put_series(struct ek_bytes *bytes, const int64_t *figures, size_t count);

/* ---- reading --------------------------------------------------------------------------------- */

/* What is read, and where; all pointers are borrowed. */
struct ek_bytes_reader {
    const char *name; /* of the block, for messages */
    const uint8_t *data;
    size_t size;
    size_t at;         /* the byte that comes next, or that bits are taken from */
    unsigned int bits; /* of that byte that were taken already */
    struct ek_error *err;
};

/* INVALID with "NAME: byte 17: found ..., expected ..."; always false. */
bool ek_bytes_refuse(struct ek_bytes_reader *reader, const char *expected, const char *found, ...)
    __attribute__((format(printf, 3, 4)));

/* The place of so many bytes, which are passed over; NULL when there are fewer: it is refused. */
const uint8_t *ek_bytes_get(struct ek_bytes_reader *reader, size_t size);

/* A number of at most `max`; `what` says in messages what it counts. */
bool ek_bytes_get_number(struct ek_bytes_reader *reader, const char *what, uint64_t max,
                         uint64_t *number);

bool ek_bytes_get_series(struct ek_bytes_reader *reader, int64_t *figures, size_t count);

#endif
