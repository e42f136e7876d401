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
    int64_t server_ms; /* Redis's time: the collector's own clock may be ahead */
    struct ek_error *noted;
    /* Of one run of rows: */
    struct ek_piece *run;
    size_t run_count;
    struct ek_piece *base; /* the block that grows; NULL: a new one begins */
    struct ek_history_block *result;
};

/* How many of the rows from there on belong into one block. Where a clock was set, on or back, a
 * block ends: it must not keep what is old from being trimmed. */
static size_t run_at(const struct fold *fold, size_t first)
{
    const struct ek_piece *rows = fold->rows.items;
    int64_t most_ms = fold->limits->keep_ms / 8;
    size_t end = first + 1;

    most_ms = most_ms > EK_HOUR_MS ? most_ms : EK_HOUR_MS;
    while (end < fold->rows.count && end - first < EK_HISTORY_BLOCK_SAMPLES &&
           rows[end].first_ms - rows[end - 1].first_ms <= most_ms) {
        end++;
    }
    return end - first;
}

/* The newest block before the rows that has room for them, and does not keep what is old from
 * being trimmed. */
static struct ek_piece *find_base(const struct fold *fold)
{
    struct ek_piece *base = NULL;
    int64_t first_ms = fold->run[0].first_ms;
    int64_t last_ms = fold->run[fold->run_count - 1].last_ms;

    for (size_t i = 0; i < fold->blocks.count; i++) {
        struct ek_piece *it = &fold->blocks.items[i];
        if (!it->unwanted && it->last_ms < first_ms &&
            (base == NULL || it->last_ms > base->last_ms)) {
            base = it;
        }
    }
    bool fits = base != NULL &&
                base->samples + (int64_t)fold->run_count <= EK_HISTORY_BLOCK_SAMPLES &&
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
    for (size_t i = 0; i < fold->run_count; i++) {
        struct ek_piece *row = &fold->run[i];
        struct ek_error bad = {.code = EK_ERR_NONE};
        struct ek_history_block *block = ek_piece_read(fold->rows_key, row, &bad);
        row->unwanted = block != NULL && ek_history_block_append(fold->result, block, &bad);
        ek_history_block_destroy(block);
        if (!row->unwanted) {
            *(bad.code == EK_ERR_INVALID ? fold->noted : err) = bad;
        }
        if (!row->unwanted && bad.code != EK_ERR_INVALID) {
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

/* When the past ends: with what was written; if that is from the future, with the newest that is
 * not. One sample of a clock that was ahead makes nothing old. */
static int64_t end_of_past(const struct fold *fold, const struct ek_piece *written)
{
    const int64_t most_ms = fold->server_ms + EK_HOUR_MS;
    int64_t end_ms = 0;

    for (size_t i = 0; i < fold->blocks.count; i++) {
        int64_t last_ms = fold->blocks.items[i].last_ms;
        end_ms = last_ms <= most_ms && last_ms > end_ms ? last_ms : end_ms;
    }
    return written->last_ms <= most_ms ? written->last_ms : end_ms > 0 ? end_ms : fold->server_ms;
}

/* Left by a clock that was ahead of Redis's, and has been set right. */
static bool is_from_the_future(const struct fold *fold, const struct ek_piece *piece,
                               const struct ek_piece *written)
{
    return piece->first_ms > written->last_ms && piece->first_ms > fold->server_ms + EK_HOUR_MS;
}

/* Marks the block that grew, blocks of an age, and those that are too much: first those from the
 * future, of which no age will tell, then the oldest. */
static void mark_unwanted(struct fold *fold, const struct ek_piece *written, const char *name)
{
    const int64_t oldest_ms = end_of_past(fold, written) - fold->limits->keep_ms;
    int64_t size = written->size;

    for (int future = 0; future <= 1; future++) {
        for (size_t i = fold->blocks.count; i-- > 0;) {
            struct ek_piece *it = &fold->blocks.items[i];
            bool same = strcmp(it->name, name) == 0; /* as folded by one who died then */
            it->unwanted = it->unwanted || (!same && it == fold->base);
            if (!same && !it->unwanted && is_from_the_future(fold, it, written) == (future == 1)) {
                size += it->size;
                it->unwanted = it->last_ms < oldest_ms || size > fold->limits->max_bytes;
            }
        }
    }
    for (size_t i = 0; i < fold->rows.count; i++) {
        struct ek_piece *it = &fold->rows.items[i];
        it->unwanted = it->unwanted || it->last_ms < oldest_ms;
    }
}

/* Appends the removal of all of a hash that is not wanted any more, and adds how many commands that
 * are. */
static bool append_removals(struct fold *fold, const char *key, struct ek_pieces *pieces,
                            size_t *commands, struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < pieces->count; i++) {
        struct ek_piece *it = &pieces->items[i];
        if (it->unwanted && !it->gone) {
            done = ek_store_append(fold->store, err, "HDEL %s %s", key, it->name);
            it->gone = true;
            ++*commands;
        }
    }
    return done;
}

static bool remove_unwanted(struct fold *fold, struct ek_error *err)
{
    size_t commands = 0;
    bool done = ek_store_begin(fold->store, err) &&
                append_removals(fold, fold->blocks_key, &fold->blocks, &commands, err) &&
                append_removals(fold, fold->rows_key, &fold->rows, &commands, err);

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

static bool fold_run(struct fold *fold, struct ek_error *err)
{
    char name[EK_HISTORY_NAME_SIZE];
    struct ek_piece written;
    bool done = read_base(fold, err) && add_rows(fold, err);

    if (done && ek_history_block_count(fold->result) > 0) {
        done = write_result(fold, &written, name, err);
        if (done) {
            mark_unwanted(fold, &written, name);
            done = remove_unwanted(fold, err);
        }
    }
    ek_history_block_destroy(fold->result);
    fold->result = NULL;
    return done;
}

static bool fold_lists(struct fold *fold, struct ek_error *err)
{
    bool done = true;

    for (size_t first = 0; done && first < fold->rows.count; first += fold->run_count) {
        fold->run = &fold->rows.items[first];
        fold->run_count = run_at(fold, first);
        done = fold_run(fold, err);
    }
    return done;
}

static bool fold_host(struct ek_store *store, const char *host,
                      const struct ek_history_limits *limits, struct ek_history_added *added,
                      struct ek_error *err)
{
    struct fold fold = {
        .store = store, .limits = limits, .server_ms = added->server_ms, .noted = &added->noted};

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

static bool next_time(struct ek_store *store, const char *key, int64_t *time_ms,
                      struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, key, err);

    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        return ek_store_odd_reply(store, key, err);
    }
    *time_ms =
        1000 * strtoll(reply->element[0]->str, NULL, 10) + atoi(reply->element[1]->str) / 1000;
    return true;
}

/* A field of a hash, and what the server says with it. */
struct field {
    const char *key;
    const char *name;
    const uint8_t *bytes;
    size_t size;
    long long fields;  /* of the hash now */
    int64_t server_ms; /* Redis's time */
};

/* A host that is not sampled any more takes its history along when that would be too old: both
 * hashes. */
static bool put_field(struct ek_store *store, struct field *field, const char *other_key,
                      int64_t keep_ms, struct ek_error *err)
{
    const char *key = field->key;
    bool done =
        ek_store_begin(store, err) && ek_store_append(store, err, "TIME") &&
        ek_store_append(store, err, "HSET %s %s %b", key, field->name, field->bytes, field->size) &&
        ek_store_append(store, err, "PEXPIRE %s %lld", key, (long long)keep_ms) &&
        ek_store_append(store, err, "PEXPIRE %s %lld", other_key, (long long)keep_ms) &&
        ek_store_append(store, err, "HLEN %s", key) &&
        next_time(store, key, &field->server_ms, err);

    for (int i = 0; done && i < 4; i++) {
        done = next_number(store, key, &field->fields, err);
    }
    if (!done) {
        ek_store_drop(store); /* replies that were not read would be taken for those of others */
    }
    return done;
}

/* Hosts that began together would all be folded at once, and hold up whoever waits for the store.
 */
static long long rows_to_fold(const char *host)
{
    unsigned int sum = 0;

    for (const char *it = host; *it != '\0'; it++) {
        sum = 31 * sum + (unsigned char)*it;
    }
    return EK_HISTORY_FOLD_ROWS + sum % EK_HISTORY_FOLD_SPREAD;
}

bool ek_store_add_history(struct ek_store *store, const struct ek_sample *sample,
                          const struct ek_history_limits *limits, struct ek_history_added *added,
                          struct ek_error *err)
{
    const char *host = sample->host.name;
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;

    *added = (struct ek_history_added){.kept = false};
    if (!ek_store_key(store, blocks_key, "history:", host, err) ||
        !ek_store_key(store, rows_key, "history-rows:", host, err) ||
        !write_row(sample, &bytes, &size, err)) {
        return false;
    }
    struct ek_decimal name = ek_decimal(sample->taken_at_ms);
    struct field row = {.key = rows_key, .name = name.text, .bytes = bytes, .size = size};
    added->kept = put_field(store, &row, blocks_key, limits->keep_ms, err);
    free(bytes);
    added->server_ms = row.server_ms;
    return added->kept && (row.fields < rows_to_fold(host) ||
                           (fold_host(store, host, limits, added, err) &&
                            ek_profiles_fold(store, host, sample->taken_at_ms, limits->keep_ms,
                                             &added->noted, err)));
}

bool ek_store_put_history(struct ek_store *store, const struct ek_history_block *block,
                          const struct ek_history_limits *limits, struct ek_error *err)
{
    char blocks_key[EK_KEY_SIZE];
    char rows_key[EK_KEY_SIZE];
    char name[EK_HISTORY_NAME_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;

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
    struct field field = {.key = blocks_key, .name = name, .bytes = bytes, .size = size};
    bool done = put_field(store, &field, rows_key, limits->keep_ms, err);
    free(bytes);
    return done;
}
