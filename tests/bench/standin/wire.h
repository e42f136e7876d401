/* Messages of libvirt's remote protocol: numbers and texts in XDR's form, in a buffer that grows.
 */
#ifndef EK_STANDIN_WIRE_H
#define EK_STANDIN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    unsigned char *bytes;
    size_t size; /* filled */
    size_t room;
    size_t at;     /* read so far */
    bool overread; /* more was taken than is there; what was taken is 0 */
};

/* Appending. Ends the program when memory runs out. */
void wire_u32(struct wire *wire, uint32_t value);
void wire_u64(struct wire *wire, uint64_t value);
void wire_raw(struct wire *wire, const void *bytes, size_t size); /* padded to four */
void wire_text(struct wire *wire, const char *text);

/* Room for so many bytes at the end; the caller fills them and adds to `size`. */
unsigned char *wire_reserve(struct wire *wire, size_t size);

/* Overwrites a number that was appended before. */
void wire_patch(struct wire *wire, size_t at, uint32_t value);

/* Taking, from `at` on. */
uint32_t wire_take_u32(struct wire *wire);
void wire_take_raw(struct wire *wire, void *bytes, size_t size);
void wire_take_text(struct wire *wire, char *text, size_t room); /* cut to the room */

/* Removes so many bytes at the beginning. */
void wire_drop(struct wire *wire, size_t size);

#endif
