/* Writing history:<host> and history-rows:<host>: the past of a host, as packed blocks of samples.
 *
 * A new sample is a block of its own in the hash of rows. When there are enough, they are folded
 * into the newest block of the hash of blocks, until that is full.
 *
 * Nothing here needs a script: the folded block is written, and seen to be written, before what it
 * holds is removed. Who dies in between leaves samples twice, which readers see once by their
 * times, and the next fold writes the same block again. */
#include "balancer/store/history_pieces.h"

#include <stdlib.h>
#include <string.h>

/* A block grows no more beyond it, however few its samples are. */
enum { BLOCK_DOMAIN_SAMPLES = 1 << 17 };

static bool no_memory(const char *key, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
}

/* ---- folding --------------------------------------------------------------------------------- */

/* What one fold works on. */
struct fold {
    struct ek_store *store;
    const struct ek_history_limits *limits;
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    struct ek_pieces rows;
    struct ek_pieces blocks;
    const struct ek_piece *base; /* the block that grows; NULL: a new one begins */
    struct ek_history_block *result;
};

/* The newest block before the rows that has room for them, and does not keep what is old from
 * being trimmed. */
static const struct ek_piece *find_base(const struct fold *fold)
{
    const struct ek_piece *base = NULL;
    int64_t first_ms = fold->rows.items[0].first_ms;
    int64_t last_ms = fold->rows.items[fold->rows.count - 1].last_ms;

    for (size_t i = 0; i < fold->blocks.count; i++) {
        const struct ek_piece *it = &fold->blocks.items[i];
        if (it->last_ms < first_ms && (base == NULL || it->last_ms > base->last_ms)) {
            base = it;
        }
    }
    bool fits = base != NULL &&
                base->samples + (int64_t)fold->rows.count <= EK_HISTORY_BLOCK_SAMPLES &&
                last_ms - base->first_ms <= fold->limits->keep_ms / 8;
    return fits ? base : NULL;
}

static bool read_base(struct fold *fold, struct ek_error *err)
{
    struct ek_error ignored;

    fold->base = find_base(fold);
    if (fold->base != NULL) {
        redisReply *bytes EK_REPLY_SCOPED = ek_store_command(
            fold->store, fold->blocks_key, err, "HGET %s %s", fold->blocks_key, fold->base->name);
        if (bytes == NULL) {
            return false;
        }
        struct ek_piece piece = *fold->base;
        piece.bytes = bytes;
        fold->result = ek_piece_read(fold->blocks_key, &piece, &ignored);
    }
    /* A block that cannot be read stays as it is, and the rows begin one of their own. */
    if (fold->result == NULL ||
        ek_history_block_domain_samples(fold->result) > BLOCK_DOMAIN_SAMPLES) {
        ek_history_block_destroy(fold->result);
        fold->base = NULL;
        fold->result = ek_history_block_create();
    }
    return fold->result != NULL || no_memory(fold->blocks_key, err);
}

/* A row that cannot be read, as one of a newer version, stays until its time is over. */
static bool add_rows(struct fold *fold, struct ek_error *err)
{
    for (size_t i = 0; i < fold->rows.count; i++) {
        struct ek_piece *row = &fold->rows.items[i];
        struct ek_history_block *block = ek_piece_read(fold->rows_key, row, err);
        row->folded = block != NULL && ek_history_block_append(fold->result, block, err);
        ek_history_block_destroy(block);
        if (!row->folded && err->code != EK_ERR_INVALID) {
            return false;
        }
    }
    return true;
}

static bool write_result(struct fold *fold, struct ek_piece *written,
                         char name[EK_HISTORY_NAME_SIZE], struct ek_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (!ek_history_block_write(fold->result, &bytes, &size, err)) {
        return false;
    }
    ek_piece_name(fold->result, size, name);
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(
        fold->store, fold->blocks_key, err, "HSET %s %s %b", fold->blocks_key, name, bytes, size);
    free(bytes);
    *written = (struct ek_piece){
        .last_ms = ek_history_block_time_ms(fold->result, ek_history_block_count(fold->result) - 1),
        .size = (int64_t)size};
    return reply != NULL;
}

/* Blocks of an age, and the oldest of those that are too much; newest first, `size` being what the
 * newer ones take. */
static bool is_beyond(const struct fold *fold, const struct ek_piece *piece, int64_t now_ms,
                      int64_t *size)
{
    *size += piece->size;
    return piece->last_ms < now_ms - fold->limits->keep_ms || *size > fold->limits->max_bytes;
}

/* Appends the removal of all that is not wanted any more; how many commands that are. */
static bool append_removals(struct fold *fold, const struct ek_piece *written, const char *name,
                            size_t *commands, struct ek_error *err)
{
    int64_t size = written->size;
    bool done = true;

    *commands = 0;
    for (size_t i = fold->blocks.count; done && i-- > 0;) {
        const struct ek_piece *it = &fold->blocks.items[i];
        bool same = strcmp(it->name, name) == 0; /* as folded by one who died then */
        if (!same && (it == fold->base || is_beyond(fold, it, written->last_ms, &size))) {
            done = ek_store_append(fold->store, err, "HDEL %s %s", fold->blocks_key, it->name);
            ++*commands;
        }
    }
    for (size_t i = 0; done && i < fold->rows.count; i++) {
        const struct ek_piece *it = &fold->rows.items[i];
        if (it->folded || it->last_ms < written->last_ms - fold->limits->keep_ms) {
            done = ek_store_append(fold->store, err, "HDEL %s %s", fold->rows_key, it->name);
            ++*commands;
        }
    }
    return done;
}

static bool remove_folded(struct fold *fold, const struct ek_piece *written, const char *name,
                          struct ek_error *err)
{
    size_t commands = 0;
    bool done =
        ek_store_begin(fold->store, err) && append_removals(fold, written, name, &commands, err);

    for (size_t i = 0; done && i < commands; i++) {
        redisReply *reply EK_REPLY_SCOPED = ek_store_next(fold->store, fold->rows_key, err);
        done = reply != NULL;
        if (done && reply->type == REDIS_REPLY_ERROR) {
            done = ek_store_refused(fold->store, fold->rows_key, reply, err);
        }
    }
    if (!done) {
        ek_store_drop(fold->store);
    }
    return done;
}

static bool fold_lists(struct fold *fold, struct ek_error *err)
{
    char name[EK_HISTORY_NAME_SIZE];
    struct ek_piece written;

    if (fold->rows.count == 0 || !read_base(fold, err) || !add_rows(fold, err)) {
        return fold->rows.count == 0;
    }
    return ek_history_block_count(fold->result) == 0 ||
           (write_result(fold, &written, name, err) && remove_folded(fold, &written, name, err));
}

static bool fold_host(struct ek_store *store, const char *host,
                      const struct ek_history_limits *limits, struct ek_error *err)
{
    struct fold fold = {.store = store, .limits = limits};

    if (!ek_store_key(store, fold.blocks_key, "history:", host, err) ||
        !ek_store_key(store, fold.rows_key, "history-rows:", host, err)) {
        return false;
    }
    redisReply *rows EK_REPLY_SCOPED =
        ek_store_command(store, fold.rows_key, err, "HGETALL %s", fold.rows_key);
    if (rows == NULL) {
        return false;
    }
    redisReply *names EK_REPLY_SCOPED =
        ek_store_command(store, fold.blocks_key, err, "HKEYS %s", fold.blocks_key);
    bool done = names != NULL && ek_pieces_add(store, fold.rows_key, rows, true, &fold.rows, err) &&
                ek_pieces_add(store, fold.blocks_key, names, false, &fold.blocks, err) &&
                fold_lists(&fold, err);
    ek_history_block_destroy(fold.result);
    ek_pieces_release(&fold.rows);
    ek_pieces_release(&fold.blocks);
    return done || ek_error_wrap(err, "folding the history of %s", host);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static bool write_row(const struct ek_sample *sample, uint8_t **bytes, size_t *size,
                      struct ek_error *err)
{
    struct ek_history_block *block = ek_history_block_create();
    bool done = block != NULL ||
                ek_error_set(err, EK_ERR_NOMEM, "history of %s: out of memory", sample->host.name);

    done = done && ek_history_block_add(block, sample, err) &&
           ek_history_block_write(block, bytes, size, err);
    ek_history_block_destroy(block);
    return done;
}

/* The reply to a command of a pipeline, a number in *number; false for any other. */
static bool next_number(struct ek_store *store, const char *key, long long *number,
                        struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, key, err);

    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        return ek_store_refused(store, key, reply, err);
    }
    *number = reply->integer;
    return reply->type == REDIS_REPLY_INTEGER || ek_store_odd_reply(store, key, err);
}

/* A host that is not sampled any more takes its history along when that would be too old. */
static bool put_field(struct ek_store *store, const char *key, const char *other_key,
                      const char *name, const uint8_t *bytes, size_t size, int64_t keep_ms,
                      long long *fields, struct ek_error *err)
{
    bool done = ek_store_begin(store, err) &&
                ek_store_append(store, err, "HSET %s %s %b", key, name, bytes, size) &&
                ek_store_append(store, err, "PEXPIRE %s %lld", key, (long long)keep_ms) &&
                ek_store_append(store, err, "PEXPIRE %s %lld", other_key, (long long)keep_ms) &&
                ek_store_append(store, err, "HLEN %s", key);

    for (int i = 0; done && i < 4; i++) {
        done = next_number(store, key, fields, err);
    }
    if (!done) {
        ek_store_drop(store); /* replies that were not read would be taken for those of others */
    }
    return done;
}

bool ek_store_add_history(struct ek_store *store, const struct ek_sample *sample,
                          const struct ek_history_limits *limits, struct ek_error *err)
{
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;
    long long rows = 0;

    if (!ek_store_key(store, blocks_key, "history:", sample->host.name, err) ||
        !ek_store_key(store, rows_key, "history-rows:", sample->host.name, err) ||
        !write_row(sample, &bytes, &size, err)) {
        return false;
    }
    struct ek_decimal name = ek_decimal(sample->taken_at_ms);
    bool done =
        put_field(store, rows_key, blocks_key, name.text, bytes, size, limits->keep_ms, &rows, err);
    free(bytes);
    return done &&
           (rows < EK_HISTORY_FOLD_ROWS || fold_host(store, sample->host.name, limits, err));
}

bool ek_store_put_history(struct ek_store *store, const struct ek_history_block *block,
                          const struct ek_history_limits *limits, struct ek_error *err)
{
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    char name[EK_HISTORY_NAME_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;
    long long fields = 0;

    if (ek_history_block_count(block) == 0) {
        return true;
    }
    const char *host = ek_history_block_host(block);
    if (!ek_store_key(store, blocks_key, "history:", host, err) ||
        !ek_store_key(store, rows_key, "history-rows:", host, err) ||
        !ek_history_block_write(block, &bytes, &size, err)) {
        return false;
    }
    ek_piece_name(block, size, name);
    bool done =
        put_field(store, blocks_key, rows_key, name, bytes, size, limits->keep_ms, &fields, err);
    free(bytes);
    return done;
}
