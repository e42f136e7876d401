/* An arena: memory that is taken piece by piece and given back at once.
 *
 * Every stage's result owns one arena; all its strings and arrays live there, so that one call
 * frees the result. Alignment is that of max_align_t. Zero-initialised `struct ek_arena` is empty
 * and valid. */
#ifndef EK_CORE_ARENA_H
#define EK_CORE_ARENA_H

#include <stddef.h>

struct ek_arena_block;

struct ek_arena {
    struct ek_arena_block *newest;
    size_t bytes; /* handed out so far, for tests and statistics */
};

/* `count` zeroed objects of `size` bytes, or NULL when memory ran out or count * size overflows.
 * A count of 0 gives a valid pointer. Owned by the arena. */
void *ek_arena_alloc(struct ek_arena *arena, size_t count, size_t size);

/* A copy of the string, owned by the arena; NULL for NULL and when memory ran out. */
const char *ek_arena_strdup(struct ek_arena *arena, const char *text);

/* A formatted string, owned by the arena; NULL when memory ran out. */
const char *ek_arena_printf(struct ek_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees everything; the arena is empty and usable afterwards. */
void ek_arena_finish(struct ek_arena *arena);

#endif
