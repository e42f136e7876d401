/* Reading a host's history: each sample once, in the order of their times. */
#include "balancer/store/history_pieces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where warnings go. */
struct bad {
    char *text;
    size_t size;
};

static bool no_memory(const char *key, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
}

/* A sample of a block of a group. */
struct place {
    int64_t time_ms;
    size_t block;
    size_t index;
};

/* Blocks whose times overlap: a fold that died left samples twice, or a clock was set back, or two
 * collectors had one host. */
struct group {
    struct ek_history_block **blocks;
    size_t count;
};

/* Of equal times the one of the first block comes first: the same at every reading. */
static int compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;

    return left->time_ms != right->time_ms ? (left->time_ms < right->time_ms ? -1 : 1)
           : left->block != right->block   ? (left->block < right->block ? -1 : 1)
                                           : 0;
}

/* All samples of the group by their times; NULL when memory ran out. */
static struct place *sort_places(const struct group *group, size_t *count)
{
    size_t room = 1;

    for (size_t b = 0; b < group->count; b++) {
        room += ek_history_block_count(group->blocks[b]);
    }
    struct place *places = calloc(room, sizeof(*places));
    *count = 0;
    for (size_t b = 0; places != NULL && b < group->count; b++) {
        for (size_t i = 0; i < ek_history_block_count(group->blocks[b]); i++) {
            places[(*count)++] =
                (struct place){ek_history_block_time_ms(group->blocks[b], i), b, i};
        }
    }
    if (places != NULL) {
        qsort(places, *count, sizeof(*places), compare_places);
    }
    return places;
}

static bool add_place(struct ek_history_block *merged, const struct group *group,
                      const struct place *place, struct ek_error *err)
{
    struct ek_sample sample;

    if (!ek_history_block_sample(group->blocks[place->block], place->index, &sample, err)) {
        return false;
    }
    bool done = ek_history_block_add(merged, &sample, err);
    ek_sample_finish(&sample);
    return done;
}

/* Each time once, in blocks of the usual size. */
static bool give_merged(const struct group *group, ek_store_history_fn *visit, void *context,
                        struct ek_error *err)
{
    size_t count = 0;
    struct place *places = sort_places(group, &count);
    bool done = places != NULL || no_memory("history", err);

    for (size_t i = 0; done && i < count;) {
        struct ek_history_block *merged = ek_history_block_create();
        done = merged != NULL || no_memory("history", err);
        for (; done && i < count && ek_history_block_count(merged) < EK_HISTORY_BLOCK_SAMPLES;
             i++) {
            if (i == 0 || places[i].time_ms != places[i - 1].time_ms) {
                done = add_place(merged, group, &places[i], err);
            }
        }
        done = done && (ek_history_block_count(merged) == 0 || visit(context, merged, err));
        ek_history_block_destroy(merged);
    }
    free(places);
    return done;
}

static void add_warning(char *bad, size_t size, const char *warning)
{
    size_t used = strlen(bad);

    if (used + 3 < size) {
        (void)snprintf(bad + used, size - used, "%s%s", used > 0 ? "; " : "", warning);
    }
}

/* Gives what the pieces hold, whose times overlap, and frees it. */
static bool visit_group(const char *key, const struct ek_piece *pieces, size_t count,
                        ek_store_history_fn *visit, void *context, struct bad *bad,
                        struct ek_error *err)
{
    struct group group = {.blocks = calloc(count, sizeof(struct ek_history_block *))};
    bool done = group.blocks != NULL || no_memory(key, err);

    for (size_t i = 0; done && i < count; i++) {
        struct ek_history_block *block = ek_piece_read(key, &pieces[i], err);
        if (block != NULL && ek_history_block_count(block) > 0) {
            group.blocks[group.count++] = block;
        } else if (block == NULL) {
            done = err->code == EK_ERR_INVALID;
            add_warning(bad->text, bad->size, err->message);
        } else {
            ek_history_block_destroy(block);
        }
    }
    if (done && group.count > 0) {
        done = group.count == 1 ? visit(context, group.blocks[0], err)
                                : give_merged(&group, visit, context, err);
    }
    for (size_t i = 0; i < group.count; i++) {
        ek_history_block_destroy(group.blocks[i]);
    }
    free(group.blocks);
    return done;
}

bool ek_pieces_visit(const char *key, const struct ek_pieces *pieces, ek_store_history_fn *visit,
                     void *context, char *bad, size_t bad_size, struct ek_error *err)
{
    struct bad warnings = {.text = bad, .size = bad_size};
    bool done = true;

    bad[0] = '\0';

    for (size_t i = 0, next = 0; done && i < pieces->count; i = next) {
        int64_t last_ms = pieces->items[i].last_ms;
        for (next = i + 1; next < pieces->count && pieces->items[next].first_ms <= last_ms;
             next++) {
            int64_t its_ms = pieces->items[next].last_ms;
            last_ms = its_ms > last_ms ? its_ms : last_ms;
        }
        done = visit_group(key, &pieces->items[i], next - i, visit, context, &warnings, err);
    }
    return done;
}

bool ek_store_get_history(struct ek_store *store, const char *host, ek_store_history_fn *visit,
                          void *context, char *bad, size_t bad_size, struct ek_error *err)
{
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    struct ek_pieces pieces EK_PIECES_SCOPED = {.items = NULL};

    bad[0] = '\0';
    if (!ek_store_key(store, blocks_key, "history:", host, err) ||
        !ek_store_key(store, rows_key, "history-rows:", host, err)) {
        return false;
    }
    /* Rows first: what a fold moves meanwhile is then seen twice and not missed. */
    redisReply *rows EK_REPLY_SCOPED =
        ek_store_command(store, rows_key, err, "HGETALL %s", rows_key);
    if (rows == NULL) {
        return false;
    }
    redisReply *blocks EK_REPLY_SCOPED =
        ek_store_command(store, blocks_key, err, "HGETALL %s", blocks_key);
    return blocks != NULL && ek_pieces_add(store, rows_key, rows, true, &pieces, err) &&
           ek_pieces_add(store, blocks_key, blocks, true, &pieces, err) &&
           ek_pieces_visit(blocks_key, &pieces, visit, context, bad, bad_size, err);
}
