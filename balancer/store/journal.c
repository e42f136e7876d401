/* The journal: move:<id> as a hash, whose fields state, attempt and epoch are what the
 * compare-and-set compares and whose field json is the record; progress stands beside it, since it
 * is no step of a life. */
#include "balancer/core/journal.h"
#include "balancer/codec/codec.h"
#include "balancer/codec/writer.h"
#include "balancer/store/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSED_LIFE_MS "2592000000" /* 30 days */

/* ---- writing ----------------------------------------------------------------------------------
 */

struct place {
    const char *state;
    struct ek_decimal attempt;
    struct ek_decimal epoch;
};

/* No record yet is a place, too: "none" thrice, which the script compares like any other. */
static struct place place_of(const struct ek_move_record *record)
{
    static const struct place nowhere = {"none", {"none"}, {"none"}};

    if (record == NULL) {
        return nowhere;
    }
    return (struct place){ek_move_state_name(record->state), ek_decimal(record->attempt),
                          ek_decimal(record->epoch)};
}

/* Which of the sets a record is in: open ones are reconciled at a start, blocking ones keep their
 * domain until somebody resolves them, closed ones expire. */
static const char *life_of(enum ek_move_state state)
{
    if (!ek_move_state_terminal(state)) {
        return "open";
    }
    return ek_move_state_blocks(state) ? "blocking" : "closed";
}

static bool check_place(const struct ek_store *store, const char *key, const redisReply *reply,
                        const struct place *expected, struct ek_error *err)
{
    if (!ek_reply_is(reply, "CONFLICT", 4)) {
        return ek_store_check_fence(store, key, reply, expected->epoch.text, err);
    }
    return ek_error_set(err, EK_ERR_CONFLICT,
                        "Redis at %s: %s: found state %s, attempt %s, epoch %s, expected state %s, "
                        "attempt %s, epoch %s",
                        store->address, key, reply->element[1]->str, reply->element[2]->str,
                        reply->element[3]->str, expected->state, expected->attempt.text,
                        expected->epoch.text);
}

static bool write_json(struct ek_store *store, const struct ek_move_record *record,
                       const struct ek_move_record *expected, const char *json,
                       struct ek_error *err)
{
    /* In the order of the script's KEYS, behind the record itself. */
    static const char *const names[] = {"moves",        "moves:open", "moves:blocking",
                                        "moves:recent", "epoch",      "moves:trash"};
    char key[7][EK_KEY_SIZE];

    if (!ek_store_key(store, key[0], "move:", record->order.id, err)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!ek_store_key(store, key[i + 1], names[i], "", err)) {
            return false;
        }
    }
    struct place to = place_of(record);
    struct place from = place_of(expected);
    struct ek_decimal now = ek_decimal(record->updated_at_ms);
    struct ek_decimal discard =
        ek_decimal(ek_move_state_terminal(record->state) ? record->discard_at_ms : 0);
    const char *keys[] = {key[0], key[1], key[2], key[3], key[4], key[5], key[6]};
    const char *args[] = {to.epoch.text,   record->order.id,       json,       to.state,
                          to.attempt.text, life_of(record->state), from.state, from.attempt.text,
                          from.epoch.text, record->order.domain,   now.text,   CLOSED_LIFE_MS,
                          discard.text};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_MOVE_WRITE, key[0], err, keys, 7, args, 13);
    if (reply == NULL) {
        return false;
    }
    /* Fenced against our epoch, in conflict with the expected record: two different stories for the
     * caller. */
    return ek_reply_is(reply, "FENCED", 2)
               ? ek_store_check_fence(store, key[0], reply, to.epoch.text, err)
               : check_place(store, key[0], reply, &from, err);
}

bool ek_store_write_move(struct ek_store *store, const struct ek_move_record *record,
                         const struct ek_move_record *expected, struct ek_error *err)
{
    if (!ek_journal_check_step(record, expected, err)) {
        return false;
    }
    char *json = ek_codec_write_record(record);
    if (json == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "move:%s: out of memory", record->order.id);
    }
    bool done = write_json(store, record, expected, json, err);
    free(json);
    return done;
}

struct decimal_fraction {
    char text[32];
};

/* 17 digits read back as the same double. */
static struct decimal_fraction fraction(double number)
{
    struct decimal_fraction out;

    (void)snprintf(out.text, sizeof(out.text), "%.17g", number);
    return out;
}

bool ek_store_write_progress(struct ek_store *store, const struct ek_move_record *record,
                             struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "move:", record->order.id, err)) {
        return false;
    }
    struct place at = place_of(record);
    struct ek_decimal eta = ek_decimal(record->eta_ms);
    struct ek_decimal iteration = ek_decimal(record->iteration);
    struct decimal_fraction progress = fraction(record->progress);
    struct decimal_fraction transferred = fraction(record->transferred_mib);
    struct decimal_fraction rate = fraction(record->rate_mib_s);
    struct decimal_fraction dirty = fraction(record->dirty_mib_s);
    /* Its share of the links, which changes while it runs. */
    struct ek_decimal share = ek_decimal((int64_t)record->order.bandwidth_mib_s);
    const char *keys[] = {key};
    const char *args[] = {at.state,       at.attempt.text,  at.epoch.text, progress.text,
                          eta.text,       transferred.text, rate.text,     dirty.text,
                          iteration.text, share.text};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_MOVE_PROGRESS, key, err, keys, 1, args, 10);
    return reply != NULL && check_place(store, key, reply, &at, err);
}

/* ---- resolving --------------------------------------------------------------------------------
 */

static char *write_resolution(const struct ek_move_resolution *resolution)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "choice", resolution->choice);
    ek_json_put_text(&writer, "by", resolution->by);
    ek_json_put_integer(&writer, "at_ms", resolution->at_ms);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

static bool resolve(struct ek_store *store, const struct ek_move_record *record,
                    const struct ek_move_record *closed, int64_t epoch, const char *json,
                    const char *word, struct ek_error *err)
{
    static const char *const names[] = {"moves", "moves:blocking", "epoch", "moves:trash"};
    char key[5][EK_KEY_SIZE];

    if (!ek_store_key(store, key[0], "move:", record->order.id, err)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!ek_store_key(store, key[i + 1], names[i], "", err)) {
            return false;
        }
    }
    struct place from = place_of(record);
    struct ek_decimal ours = ek_decimal(epoch);
    struct ek_decimal now = ek_decimal(closed == NULL ? 0 : closed->updated_at_ms);
    struct ek_decimal discard = ek_decimal(closed == NULL ? 0 : closed->discard_at_ms);
    const char *keys[] = {key[0], key[1], key[2], key[3], key[4]};
    const char *args[] = {ours.text,
                          record->order.id,
                          from.state,
                          from.attempt.text,
                          from.epoch.text,
                          word,
                          json,
                          closed == NULL ? NULL : ek_move_state_name(closed->state),
                          record->order.domain,
                          now.text,
                          CLOSED_LIFE_MS,
                          discard.text};
    redisReply *reply EK_REPLY_SCOPED = ek_store_script(store, EK_SCRIPT_MOVE_RESOLVE, key[0], err,
                                                        keys, 5, args, closed == NULL ? 6 : 12);
    if (reply == NULL) {
        return false;
    }
    return ek_reply_is(reply, "FENCED", 2)
               ? ek_store_check_fence(store, key[0], reply, ours.text, err)
               : check_place(store, key[0], reply, &from, err);
}

bool ek_store_resolve_move(struct ek_store *store, const struct ek_move_record *record,
                           const struct ek_move_record *closed, int64_t epoch,
                           const struct ek_move_resolution *resolution, struct ek_error *err)
{
    char *word = write_resolution(resolution);
    char *json = closed == NULL ? NULL : ek_codec_write_record(closed);
    bool done = word != NULL && (json != NULL || closed == NULL);

    done = done ? resolve(store, record, closed, epoch, json, word, err)
                : ek_error_set(err, EK_ERR_NOMEM, "move:%s: out of memory", record->order.id);
    free(word);
    free(json);
    return done;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

#define RECORD_FIELDS \
    "json progress eta_ms transferred_mib rate_mib_s dirty_mib_s iteration share_mib_s"
enum { RECORD_FIELD_COUNT = 8 };

/* *there is false when the record has expired meanwhile. One that cannot be read is an error: a
 * move that is passed over in silence could be made twice. */
static bool take_record(struct ek_store *store, const char *id, struct ek_move_record *record,
                        bool *there, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "move:", id, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, key, err);
    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        return ek_store_refused(store, key, reply, err);
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != RECORD_FIELD_COUNT) {
        return ek_store_odd_reply(store, key, err);
    }
    redisReply **field = reply->element;
    *there = field[0]->type == REDIS_REPLY_STRING;
    if (!*there) {
        return true;
    }
    if (!ek_codec_read_record(record, field[0]->str, field[0]->len, key, err)) {
        return false;
    }
    if (ek_reply_is(reply, NULL,
                    RECORD_FIELD_COUNT)) { /* progress was written since the last step */
        record->progress = strtod(field[1]->str, NULL);
        record->eta_ms = strtoll(field[2]->str, NULL, 10);
        record->transferred_mib = strtod(field[3]->str, NULL);
        record->rate_mib_s = strtod(field[4]->str, NULL);
        record->dirty_mib_s = strtod(field[5]->str, NULL);
        record->iteration = (int)strtol(field[6]->str, NULL, 10);
        record->order.bandwidth_mib_s = strtoull(field[7]->str, NULL, 10);
    }
    return true;
}

/* All requests before the first reply: one round trip, however many records. */
static bool request_records(struct ek_store *store, const redisReply *ids, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_begin(store, err)) {
        return false;
    }
    for (size_t i = 0; i < ids->elements; i++) {
        if (!ek_store_key(store, key, "move:", ids->element[i]->str, err) ||
            !ek_store_append(store, err, "HMGET %s " RECORD_FIELDS, key)) {
            ek_store_drop(store);
            return false;
        }
    }
    return true;
}

/* The records of a list of ids, in its order. */
static bool read_records(struct ek_store *store, const char *list, const redisReply *ids,
                         struct ek_move_record **records, size_t *count, struct ek_error *err)
{
    if (ids->type != REDIS_REPLY_ARRAY) {
        return ek_store_odd_reply(store, list, err);
    }
    /* One more, so that NULL means out of memory and never "none". */
    struct ek_move_record *found = calloc(ids->elements + 1, sizeof(*found));
    if (found == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", list);
    }
    bool done = request_records(store, ids, err);
    size_t taken = 0;
    for (size_t i = 0; done && i < ids->elements; i++) {
        bool there = false;
        done = take_record(store, ids->element[i]->str, &found[taken], &there, err);
        taken += there;
    }
    if (!done) {
        ek_store_drop(store);
        free(found);
        return false;
    }
    *records = found;
    *count = taken;
    return true;
}

/* By id among those planned in one millisecond, or the order would change between two reads. */
static int compare_age(const void *a, const void *b)
{
    const struct ek_move_record *left = a;
    const struct ek_move_record *right = b;

    if (left->planned_at_ms != right->planned_at_ms) {
        return left->planned_at_ms < right->planned_at_ms ? -1 : 1;
    }
    return strcmp(left->order.id, right->order.id);
}

/* A set's members, oldest first, since a set has no order of its own. */
static bool read_set(struct ek_store *store, const char *name, struct ek_move_record **records,
                     size_t *count, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *records = NULL;
    *count = 0;
    if (!ek_store_key(store, key, name, "", err)) {
        return false;
    }
    redisReply *ids EK_REPLY_SCOPED = ek_store_command(store, key, err, "SMEMBERS %s", key);
    if (ids == NULL || !read_records(store, key, ids, records, count, err)) {
        return false;
    }
    qsort(*records, *count, sizeof(**records), compare_age);
    return true;
}

bool ek_store_open_moves(struct ek_store *store, struct ek_move_record **records, size_t *count,
                         struct ek_error *err)
{
    return read_set(store, "moves:open", records, count, err);
}

bool ek_store_blocking_moves(struct ek_store *store, struct ek_move_record **records, size_t *count,
                             struct ek_error *err)
{
    return read_set(store, "moves:blocking", records, count, err);
}

bool ek_store_get_move(struct ek_store *store, const char *id, struct ek_move_record *record,
                       bool *there, struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    bool done = ek_store_key(store, key, "move:", id, err) && ek_store_begin(store, err) &&
                ek_store_append(store, err, "HMGET %s " RECORD_FIELDS, key) &&
                take_record(store, id, record, there, err);

    if (!done) {
        ek_store_drop(store);
    }
    return done;
}

bool ek_store_recent_moves(struct ek_store *store, size_t limit, struct ek_move_record **records,
                           size_t *count, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *records = NULL;
    *count = 0;
    if (limit == 0 || !ek_store_key(store, key, "moves:recent", "", err)) {
        /* LRANGE 0 -1 would be all of them. */
        return limit == 0;
    }
    redisReply *ids EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "LRANGE %s 0 %lld", key, (long long)limit - 1);
    return ids != NULL && read_records(store, key, ids, records, count, err);
}

/* ---- the trash --------------------------------------------------------------------------------
 */

bool ek_store_due_trash(struct ek_store *store, int64_t now_ms, size_t limit,
                        char (*ids)[EK_ID_SIZE], size_t *count, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *count = 0;
    if (!ek_store_key(store, key, "moves:trash", "", err)) {
        return false;
    }
    redisReply *due EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "ZRANGEBYSCORE %s 0 %lld LIMIT 0 %lld", key,
                         (long long)now_ms, (long long)limit);
    if (due == NULL) {
        return false;
    }
    if (due->type != REDIS_REPLY_ARRAY || due->elements > limit) {
        return ek_store_odd_reply(store, key, err);
    }
    for (size_t i = 0; i < due->elements; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%s", due->element[i]->str);
    }
    *count = due->elements;
    return true;
}

bool ek_store_settle_trash(struct ek_store *store, const char *id, int64_t again_at_ms,
                           int64_t epoch, struct ek_error *err)
{
    char key[3][EK_KEY_SIZE];

    if (!ek_store_key(store, key[0], "moves:trash", "", err) ||
        !ek_store_key(store, key[1], "move:", id, err) ||
        !ek_store_key(store, key[2], "epoch", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    struct ek_decimal again = ek_decimal(again_at_ms);
    const char *keys[] = {key[0], key[1], key[2]};
    const char *args[] = {ours.text, id, again.text, CLOSED_LIFE_MS};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_TRASH, key[0], err, keys, 3, args, 4);
    return reply != NULL && ek_store_check_fence(store, key[0], reply, ours.text, err);
}
