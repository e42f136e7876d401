#include "balancer/store/history_pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ek_pieces_release(struct ek_pieces *pieces)
{
    free(pieces->items);
    pieces->items = NULL;
    pieces->count = 0;
}

void ek_piece_name(const struct ek_history_block *block, size_t size,
                   char name[EK_HISTORY_NAME_SIZE])
{
    size_t count = ek_history_block_count(block);

    (void)snprintf(name, EK_HISTORY_NAME_SIZE, "%" PRId64 "-%" PRId64 "-%zu-%zu",
                   ek_history_block_time_ms(block, 0), ek_history_block_time_ms(block, count - 1),
                   count, size);
}

/* A name of another form is nobody's of ours. */
static bool parse_name(const redisReply *name, struct ek_piece *piece)
{
    int64_t *const parts[] = {&piece->first_ms, &piece->last_ms, &piece->samples, &piece->size};
    const char *at = name->type == REDIS_REPLY_STRING ? name->str : "";
    size_t got = 0;

    *piece = (struct ek_piece){.name = at};
    for (; got < 4 && *at >= '0' && *at <= '9'; got++) {
        char *end = NULL;
        *parts[got] = strtoll(at, &end, 10);
        at = *end == '-' ? end + 1 : end;
    }
    if (got == 1) { /* a row */
        piece->last_ms = piece->first_ms;
        piece->samples = 1;
    }
    return *at == '\0' && (got == 1 || got == 4);
}

static int compare_first(const void *a, const void *b)
{
    const struct ek_piece *left = a;
    const struct ek_piece *right = b;

    return left->first_ms != right->first_ms ? (left->first_ms < right->first_ms ? -1 : 1)
           : left->last_ms != right->last_ms ? (left->last_ms > right->last_ms ? -1 : 1)
                                             : strcmp(left->name, right->name);
}

bool ek_pieces_add(struct ek_store *store, const char *key, const redisReply *reply,
                   bool with_bytes, struct ek_pieces *pieces, struct ek_error *err)
{
    const size_t stride = with_bytes ? 2 : 1;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % stride != 0) {
        return ek_store_odd_reply(store, key, err);
    }
    struct ek_piece *grown =
        realloc(pieces->items, (pieces->count + reply->elements + 1) * sizeof(*grown));
    if (grown == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    pieces->items = grown;
    for (size_t i = 0; i < reply->elements; i += stride) {
        struct ek_piece *piece = &grown[pieces->count];
        if (parse_name(reply->element[i], piece)) {
            piece->bytes = with_bytes ? reply->element[i + 1] : NULL;
            pieces->count++;
        }
    }
    qsort(grown, pieces->count, sizeof(*grown), compare_first);
    return true;
}

struct ek_history_block *ek_piece_read(const char *key, const struct ek_piece *piece,
                                       struct ek_error *err)
{
    char name[EK_KEY_SIZE + EK_HISTORY_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "%s %s", key, piece->name);
    if (piece->bytes == NULL || piece->bytes->type != REDIS_REPLY_STRING) {
        (void)ek_error_set(err, EK_ERR_INVALID, "%s: found no bytes, expected a block", name);
        return NULL;
    }
    return ek_history_block_read(piece->bytes->str, piece->bytes->len, name, err);
}
