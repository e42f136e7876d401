/* Reading the newest part of a host's history, without the rest of it. */
#include "balancer/store/history_pieces.h"

#include <stdlib.h>

/* The replies whose bytes the pieces point to. */
struct fetched {
    redisReply **replies;
    size_t count;
};

static void release(struct fetched *fetched)
{
    for (size_t i = 0; i < fetched->count; i++) {
        ek_reply_release(&fetched->replies[i]);
    }
    free(fetched->replies);
}

/* What ended before is not read. */
static void drop_older(struct ek_pieces *pieces, int64_t since_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < pieces->count; i++) {
        if (pieces->items[i].last_ms >= since_ms) {
            pieces->items[kept++] = pieces->items[i];
        }
    }
    pieces->count = kept;
}

/* A block that a fold has replaced since its name was read is passed over: the next reading has
 * what took its place. */
static void drop_vanished(struct ek_pieces *pieces)
{
    size_t kept = 0;

    for (size_t i = 0; i < pieces->count; i++) {
        if (pieces->items[i].bytes->type == REDIS_REPLY_STRING) {
            pieces->items[kept++] = pieces->items[i];
        }
    }
    pieces->count = kept;
}

/* The bytes of the pieces that have none yet, in one round trip. */
static bool fetch(struct ek_store *store, const char *key, struct ek_pieces *pieces,
                  struct fetched *fetched, struct ek_error *err)
{
    bool done = ek_store_begin(store, err);

    fetched->replies = calloc(pieces->count + 1, sizeof(redisReply *));
    if (fetched->replies == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    for (size_t i = 0; done && i < pieces->count; i++) {
        if (pieces->items[i].bytes == NULL) {
            done = ek_store_append(store, err, "HGET %s %s", key, pieces->items[i].name);
        }
    }
    for (size_t i = 0; done && i < pieces->count; i++) {
        if (pieces->items[i].bytes == NULL) {
            redisReply *reply = ek_store_next(store, key, err);
            done = reply != NULL;
            fetched->replies[fetched->count] = reply;
            fetched->count += done;
            pieces->items[i].bytes = reply;
        }
    }
    if (!done) {
        ek_store_drop(store);
        return false;
    }
    drop_vanished(pieces);
    return true;
}

bool ek_store_get_history_since(struct ek_store *store, const char *host, int64_t since_ms,
                                ek_store_history_fn *visit, void *context, char *bad,
                                size_t bad_size, struct ek_error *err)
{
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    struct ek_pieces pieces EK_PIECES_SCOPED = {.items = NULL};
    struct fetched fetched = {.replies = NULL};

    bad[0] = '\0';
    if (!ek_store_key(store, blocks_key, "history:", host, err) ||
        !ek_store_key(store, rows_key, "history-rows:", host, err)) {
        return false;
    }
    /* Rows first: what a fold moves meanwhile is then seen twice and not missed. */
    redisReply *rows EK_REPLY_SCOPED =
        ek_store_command(store, rows_key, err, "HGETALL %s", rows_key);
    redisReply *names EK_REPLY_SCOPED =
        rows == NULL ? NULL : ek_store_command(store, blocks_key, err, "HKEYS %s", blocks_key);
    bool done = names != NULL && ek_pieces_add(store, rows_key, rows, true, &pieces, err) &&
                ek_pieces_add(store, blocks_key, names, false, &pieces, err);
    if (done) {
        drop_older(&pieces, since_ms);
        done = fetch(store, blocks_key, &pieces, &fetched, err) &&
               ek_pieces_visit(blocks_key, &pieces, visit, context, bad, bad_size, err);
    }
    release(&fetched);
    return done;
}
