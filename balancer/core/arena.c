/* The arena: many small pieces that live and die together, as all texts of one snapshot or plan do.
 * A stage that fails half-way frees one thing and leaks nothing. */
#include "balancer/core/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first block holds the facts of one domain, of which a collector keeps an arena each, 20,000
 * at a thousand hosts; whoever needs more soon has it, since blocks double. max_align_t, because
 * the arena does not know what a piece will hold. */
enum { BLOCK_BYTES = 512, ALIGNMENT = _Alignof(max_align_t) };

/* Newest first: only the newest has room that is looked at, what older ones have left is given
 * up. */
struct ek_arena_block {
    struct ek_arena_block *older;
    size_t used;
    size_t size;
    _Alignas(max_align_t) unsigned char bytes[];
};

/* calloc, since callers rely on zeroed pieces: false, NULL and EK_HOST_UP without a word. */
static struct ek_arena_block *block_create(struct ek_arena *arena, size_t wanted)
{
    size_t size = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;

    /* Large results grow by doubling, so that a hundred megabytes take few blocks. */
    if (arena->newest != NULL && size < arena->bytes && arena->bytes < (size_t)1 << 24) {
        size = arena->bytes;
    }
    /* A size from the outside (a document's count) must fail as "out of memory", not wrap
     * around. */
    if (size > SIZE_MAX - sizeof(struct ek_arena_block)) {
        return NULL;
    }
    struct ek_arena_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    block->older = arena->newest;
    arena->newest = block;
    return block;
}

void *ek_arena_alloc(struct ek_arena *arena, size_t count, size_t size)
{
    assert(arena != NULL);
    /* The product is checked before it is made; ALIGNMENT, because rounding up may overflow,
     * too. */
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
        return NULL;
    }
    size_t wanted = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct ek_arena_block *block = arena->newest;
    if (block == NULL || block->size - block->used < wanted) {
        block = block_create(arena, wanted);
        if (block == NULL) {
            return NULL;
        }
    }
    assert(block->used <= block->size && block->size - block->used >= wanted);
    void *piece = block->bytes + block->used;
    assert((uintptr_t)piece % ALIGNMENT == 0);
    block->used += wanted;
    arena->bytes += wanted;
    return piece;
}

const char *ek_arena_strdup(struct ek_arena *arena, const char *text)
{
    /* NULL means "not known" all over the snapshot; a copy of it is no failure. */
    if (text == NULL) {
        return NULL;
    }
    size_t length = strlen(text) + 1;
    char *copy = ek_arena_alloc(arena, length, 1);
    return copy == NULL ? NULL : memcpy(copy, text, length);
}

const char *ek_arena_printf(struct ek_arena *arena, const char *format, ...)
{
    va_list args;
    va_list again;
    char *text = NULL;

    assert(arena != NULL && format != NULL);
    va_start(args, format);
    /* Two passes, measure and print: a va_list can be walked once only. */
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0) {
        text = ek_arena_alloc(arena, (size_t)length + 1, 1);
    }
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(args);
    return text;
}

void ek_arena_finish(struct ek_arena *arena)
{
    struct ek_arena_block *block = arena->newest;

    while (block != NULL) {
        struct ek_arena_block *older = block->older;
        free(block);
        block = older;
    }
    memset(arena, 0, sizeof(*arena));
}
