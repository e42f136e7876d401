#include "balancer/codec/history_bits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 32 differences share a width: fewer cost more for widths, more let one outlier spoil many. The
 * longest unary part follows from how a width is chosen: no difference exceeds 32 times the mean,
 * and a width is at most a bit below the mean. */
enum { CHUNK = 32, WIDTH_BITS = 6, WIDTH_MAX = 52, UNARY_MAX = 8 * CHUNK };

/* How many figures the chunk has that begins at `index`. The first is alone: its difference is a
 * whole figure, and would make the others wide. */
static size_t chunk_at(size_t index, size_t count)
{
    size_t size = index == 0 ? 1 : CHUNK;

    return count - index < size ? count - index : size;
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint8_t *grow(struct ek_bytes *bytes, size_t more)
{
    if (!bytes->failed && bytes->room - bytes->size < more) {
        size_t room = 2 * bytes->room + more + 64;
        uint8_t *data = realloc(bytes->data, room);
        bytes->failed = data == NULL;
        bytes->data = data == NULL ? bytes->data : data;
        bytes->room = data == NULL ? bytes->room : room;
    }
    if (bytes->failed) {
        return NULL;
    }
    bytes->size += more;
    return bytes->data + bytes->size - more;
}

void ek_bytes_put(struct ek_bytes *bytes, const void *data, size_t size)
{
    uint8_t *to = grow(bytes, size);

    bytes->bits = 0;
    if (to != NULL && size > 0) {
        memcpy(to, data, size);
    }
}

void ek_bytes_put_number(struct ek_bytes *bytes, uint64_t number)
{
    uint8_t group[10];
    size_t count = 0;

    do {
        group[count++] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    ek_bytes_put(bytes, group, count);
}

static void put_bits(struct ek_bytes *bytes, uint64_t value, unsigned int count)
{
    while (count > 0 && !bytes->failed) {
        if (bytes->bits == 0) {
            uint8_t *fresh = grow(bytes, 1);
            if (fresh == NULL) {
                return;
            }
            *fresh = 0;
        }
        unsigned int take = 8 - bytes->bits < count ? 8 - bytes->bits : count;
        uint8_t part = (uint8_t)(value & ((1U << take) - 1));
        bytes->data[bytes->size - 1] |= (uint8_t)(part << bytes->bits);
        bytes->bits = (bytes->bits + take) % 8;
        value >>= take;
        count -= take;
    }
}

/* 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ... */
static uint64_t fold(int64_t difference)
{
    return difference < 0 ? 2 * (uint64_t)-difference - 1 : 2 * (uint64_t)difference;
}

static int64_t unfold(uint64_t folded)
{
    return (folded & 1) != 0 ? -(int64_t)(folded / 2) - 1 : (int64_t)(folded / 2);
}

static uint64_t cost(const uint64_t *folded, size_t count, unsigned int low)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        bits += (folded[i] >> low) + 1 + low;
    }
    return bits;
}

/* 0: all are 0; else one more than the number of lower bits that costs least, which for such codes
 * lies near the mean's logarithm: three are tried, not fifty. */
static unsigned int choose_width(const uint64_t *folded, size_t count)
{
    uint64_t sum = 0;
    unsigned int low = 0;

    for (size_t i = 0; i < count; i++) {
        sum += folded[i];
    }
    if (sum == 0) {
        return 0;
    }
    while (sum / count >> (low + 1) > 0) {
        low++;
    }
    unsigned int best = low;
    for (unsigned int other = low == 0 ? 0 : low - 1; other <= low + 1; other++) {
        best = cost(folded, count, other) < cost(folded, count, best) ? other : best;
    }
    return best + 1;
}

static void put_chunk(struct ek_bytes *bytes, const uint64_t *folded, size_t count)
{
    unsigned int width = choose_width(folded, count);

    assert(width <= WIDTH_MAX);
    put_bits(bytes, width, WIDTH_BITS);
    for (size_t i = 0; width > 0 && i < count; i++) {
        uint64_t unary = folded[i] >> (width - 1);
        assert(unary <= UNARY_MAX);
        for (; unary >= 32; unary -= 32) {
            put_bits(bytes, UINT32_MAX, 32);
        }
        /* Ones, and a zero that ends them. */
        put_bits(bytes, ((uint64_t)1 << unary) - 1, (unsigned int)unary + 1);
        put_bits(bytes, folded[i], width - 1);
    }
}

void ek_bytes_put_series(struct ek_bytes *bytes, const int64_t *figures, size_t count)
{
    uint64_t folded[CHUNK];
    int64_t before = 0;

    for (size_t i = 0, here = 0; i < count; i += here) {
        here = chunk_at(i, count);
        for (size_t j = 0; j < here; j++) {
            assert(figures[i + j] >= 0 && figures[i + j] <= EK_SERIES_MAX);
            folded[j] = fold(figures[i + j] - before);
            before = figures[i + j];
        }
        put_chunk(bytes, folded, here);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

bool ek_bytes_refuse(struct ek_bytes_reader *reader, const char *expected, const char *found, ...)
{
    char text[120];
    va_list args;

    va_start(args, found);
    (void)vsnprintf(text, sizeof(text), found, args);
    va_end(args);
    return ek_error_set(reader->err, EK_ERR_INVALID, "%s: byte %zu: found %s, expected %s",
                        reader->name, reader->at, text, expected);
}

const uint8_t *ek_bytes_get(struct ek_bytes_reader *reader, size_t size)
{
    if (reader->bits > 0) {
        reader->at++;
        reader->bits = 0;
    }
    if (reader->size - reader->at < size) {
        (void)ek_bytes_refuse(reader, "more bytes", "the end of the block");
        return NULL;
    }
    reader->at += size;
    return reader->data + reader->at - size;
}

bool ek_bytes_get_number(struct ek_bytes_reader *reader, const char *what, uint64_t max,
                         uint64_t *number)
{
    const size_t start = reader->at;
    unsigned int shift = 0;
    const uint8_t *group = NULL;

    *number = 0;
    do {
        group = ek_bytes_get(reader, 1);
        if (group == NULL) {
            return false;
        }
        /* Nine groups hold 63 bits, more than any figure here may have. */
        *number |= shift < 63 ? (uint64_t)(*group & 0x7f) << shift : 0;
        shift += 7;
    } while ((*group & 0x80) != 0 && shift < 70);
    if (shift > 63) {
        *number = UINT64_MAX; /* cut: more than any of them may be */
    }
    if (*number <= max) {
        return true;
    }
    reader->at = start;
    return ek_bytes_refuse(reader, what, "%llu", (unsigned long long)*number);
}

static bool get_bits(struct ek_bytes_reader *reader, unsigned int count, uint64_t *value)
{
    unsigned int got = 0;

    *value = 0;
    while (got < count) {
        if (reader->at >= reader->size) {
            return ek_bytes_refuse(reader, "more figures", "the end of the block");
        }
        unsigned int left = 8 - reader->bits;
        unsigned int take = left < count - got ? left : count - got;
        uint64_t part = (uint64_t)(reader->data[reader->at] >> reader->bits) & ((1U << take) - 1);
        *value |= part << got;
        got += take;
        reader->bits = (reader->bits + take) % 8;
        reader->at += reader->bits == 0;
    }
    return true;
}

static bool get_unary(struct ek_bytes_reader *reader, uint64_t *unary)
{
    uint64_t bit = 1;

    for (*unary = 0; bit == 1 && *unary <= UNARY_MAX; *unary += bit) {
        if (!get_bits(reader, 1, &bit)) {
            return false;
        }
    }
    return *unary <= UNARY_MAX ||
           ek_bytes_refuse(reader, "a figure", "more than %d bits of one kind", (int)UNARY_MAX);
}

static bool get_difference(struct ek_bytes_reader *reader, unsigned int low, int64_t *figure)
{
    uint64_t upper = 0;
    uint64_t lower = 0;

    if (!get_unary(reader, &upper) || !get_bits(reader, low, &lower)) {
        return false;
    }
    /* At most 52 + 8 bits: no overflow, whatever the bits say. */
    *figure += unfold(upper << low | lower);
    return (*figure >= 0 && *figure <= EK_SERIES_MAX) ||
           ek_bytes_refuse(reader, "0 to 2^50", "the figure %lld", (long long)*figure);
}

static bool get_chunk(struct ek_bytes_reader *reader, int64_t *figure, int64_t *figures,
                      size_t count)
{
    uint64_t width = 0;

    if (!get_bits(reader, WIDTH_BITS, &width)) {
        return false;
    }
    if (width > WIDTH_MAX) {
        return ek_bytes_refuse(reader, "at most 52", "the width %d", (int)width);
    }
    for (size_t i = 0; i < count; i++) {
        if (width > 0 && !get_difference(reader, (unsigned int)width - 1, figure)) {
            return false;
        }
        figures[i] = *figure;
    }
    return true;
}

bool ek_bytes_get_series(struct ek_bytes_reader *reader, int64_t *figures, size_t count)
{
    int64_t figure = 0;
    bool done = true;

    for (size_t i = 0, here = 0; done && i < count; i += here) {
        here = chunk_at(i, count);
        done = get_chunk(reader, &figure, figures + i, here);
    }
    return done;
}
