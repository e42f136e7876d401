#include "tests/bench/standin/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* XDR: big-endian, everything in multiples of four bytes. */

static size_t padded(size_t size)
{
    return (size + 3) / 4 * 4;
}

unsigned char *wire_reserve(struct wire *wire, size_t size)
{
    if (wire->size + size > wire->room) {
        wire->room = 2 * (wire->size + size);
        wire->bytes = realloc(wire->bytes, wire->room);
        if (wire->bytes == NULL) {
            (void)fprintf(stderr, "standin: out of memory\n");
            exit(2);
        }
    }
    return wire->bytes + wire->size;
}

static void store(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

void wire_u32(struct wire *wire, uint32_t value)
{
    store(wire_reserve(wire, 4), value);
    wire->size += 4;
}

void wire_u64(struct wire *wire, uint64_t value)
{
    wire_u32(wire, (uint32_t)(value >> 32));
    wire_u32(wire, (uint32_t)value);
}

void wire_raw(struct wire *wire, const void *bytes, size_t size)
{
    unsigned char *at = wire_reserve(wire, padded(size));

    memset(at, 0, padded(size));
    memcpy(at, bytes, size);
    wire->size += padded(size);
}

void wire_text(struct wire *wire, const char *text)
{
    size_t size = strlen(text);

    wire_u32(wire, (uint32_t)size);
    wire_raw(wire, text, size);
}

void wire_patch(struct wire *wire, size_t at, uint32_t value)
{
    store(wire->bytes + at, value);
}

static const unsigned char *take(struct wire *wire, size_t size)
{
    if (wire->size - wire->at < size) {
        wire->overread = true;
        return NULL;
    }
    const unsigned char *at = wire->bytes + wire->at;
    wire->at += size;
    return at;
}

uint32_t wire_take_u32(struct wire *wire)
{
    const unsigned char *at = take(wire, 4);

    return at == NULL ? 0
                      : (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                            (uint32_t)at[3];
}

void wire_take_raw(struct wire *wire, void *bytes, size_t size)
{
    const unsigned char *at = take(wire, padded(size));

    memset(bytes, 0, size);
    if (at != NULL) {
        memcpy(bytes, at, size);
    }
}

void wire_take_text(struct wire *wire, char *text, size_t room)
{
    size_t size = wire_take_u32(wire);
    const unsigned char *at = take(wire, padded(size));
    size_t kept = at == NULL ? 0 : size < room ? size : room - 1;

    memcpy(text, at == NULL ? (const unsigned char *)"" : at, kept);
    text[kept] = '\0';
}

void wire_drop(struct wire *wire, size_t size)
{
    memmove(wire->bytes, wire->bytes + size, wire->size - size);
    wire->size -= size;
}
