/* The operator's commands: a stream that is emptied from its old end, and one key for each answer.
 *
 * An entry leaves the stream in the same script that hands it out, so that no crash of the balancer
 * can make it happen twice; a sender who got no answer finds out by deleting it whether it was
 * taken. */
#include "balancer/store/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_LIFE_MS "60000"

bool ek_store_issue_command(struct ek_store *store, struct ek_command *command, const char *by,
                            int64_t now_ms, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "command", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(
        store, key, err,
        "XADD %s MAXLEN ~ 1000 * version 1 kind %s subject %s host %s choice %s by %s "
        "issued_at_ms %lld",
        key, ek_command_name(command->kind), command->subject, command->host, command->choice, by,
        (long long)now_ms);
    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len >= sizeof(command->id)) {
        return ek_store_odd_reply(store, key, err);
    }
    memcpy(command->id, reply->str, reply->len + 1);
    return true;
}

/* ---- taking --------------------------------------------------------------------------------- */

/* The value of a field; NULL: it is not there. Words 3 and up are fields and values in turn. */
static const char *field_of(const redisReply *reply, const char *name)
{
    for (size_t i = 3; i + 1 < reply->elements; i += 2) {
        if (strcmp(reply->element[i]->str, name) == 0) {
            return reply->element[i + 1]->str;
        }
    }
    return NULL;
}

/* A text that would be cut could name another domain. */
static bool copy_field(const redisReply *reply, const char *name, bool required, char *out,
                       size_t size, struct ek_error *err)
{
    const char *text = field_of(reply, name);
    size_t length = text == NULL ? 0 : strlen(text);

    if (length >= size || (text == NULL && required)) {
        return ek_error_set(err, EK_ERR_INVALID, "command %s: %s: found %s, expected %s%zu bytes",
                            reply->element[1]->str, name, text == NULL ? "nothing" : "more",
                            required ? "1 to " : "at most ", size - 1);
    }
    memcpy(out, text == NULL ? "" : text, length + 1);
    return true;
}

static bool read_command(const redisReply *reply, struct ek_command_entry *entry,
                         struct ek_error *err)
{
    struct ek_command *command = &entry->command;
    char version[8];
    char kind[32];

    if (!copy_field(reply, "by", false, entry->by, sizeof(entry->by), err) ||
        !copy_field(reply, "version", true, version, sizeof(version), err) ||
        !copy_field(reply, "kind", true, kind, sizeof(kind), err)) {
        return false;
    }
    command->kind = ek_command_parse(kind);
    if (strcmp(version, "1") != 0 || command->kind == EK_COMMAND_KIND_COUNT) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "command %s: found version %s, kind %s, expected version 1 and a kind "
                            "that this balancer knows",
                            command->id, version, kind);
    }
    return copy_field(reply, "subject", false, command->subject, sizeof(command->subject), err) &&
           copy_field(reply, "host", false, command->host, sizeof(command->host), err) &&
           copy_field(reply, "choice", false, command->choice, sizeof(command->choice), err);
}

bool ek_store_take_command(struct ek_store *store, int64_t epoch, struct ek_command_entry *entry,
                           bool *taken, struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    char counter[EK_KEY_SIZE];

    *taken = false;
    if (!ek_store_key(store, key, "command", "", err) ||
        !ek_store_key(store, counter, "epoch", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    const char *keys[] = {key, counter};
    const char *args[] = {ours.text};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_COMMAND_TAKE, key, err, keys, 2, args, 1);
    if (reply == NULL || !ek_store_check_fence(store, key, reply, ours.text, err)) {
        return false;
    }
    *taken = reply->elements > 1;
    if (!*taken) {
        return true;
    }
    *entry = (struct ek_command_entry){.problem = {.code = EK_ERR_NONE}};
    if (!ek_reply_is(reply, "OK", reply->elements) || reply->elements < 3 ||
        strlen(reply->element[1]->str) >= sizeof(entry->command.id)) {
        return ek_store_odd_reply(store, key, err);
    }
    (void)snprintf(entry->command.id, sizeof(entry->command.id), "%s", reply->element[1]->str);
    entry->age_ms = strtoll(reply->element[2]->str, NULL, 10);
    (void)read_command(reply, entry, &entry->problem);
    return true;
}

bool ek_store_withdraw_command(struct ek_store *store, const char *id, bool *withdrawn,
                               struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "command", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "XDEL %s %s", key, id);
    *withdrawn = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    return reply != NULL;
}

/* ---- answers -------------------------------------------------------------------------------- */

bool ek_store_put_reply(struct ek_store *store, const char *id, const char *json,
                        struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "reply:", id, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %s PX " REPLY_LIFE_MS, key, json);
    return reply != NULL;
}

bool ek_store_get_reply(struct ek_store *store, const char *id, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "reply:", id, err) && ek_store_get_text(store, key, json, err);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The id of the newest entry of a list of entries, "0-0" when it is empty; false: it is no such
 * list. */
static bool newest_id(const redisReply *entries, char *id, size_t size)
{
    const redisReply *last = NULL;

    if (entries->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    if (entries->elements > 0) {
        last = entries->element[entries->elements - 1];
    }
    if (last != NULL && (last->type != REDIS_REPLY_ARRAY || last->elements < 1 ||
                         last->element[0]->type != REDIS_REPLY_STRING)) {
        return false;
    }
    (void)snprintf(id, size, "%s", last == NULL ? "0-0" : last->element[0]->str);
    return true;
}

static bool begin_listening(struct ek_store *store, const char *key, struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_newest(store, key, 1, err);

    return reply != NULL && (newest_id(reply, store->heard, sizeof(store->heard)) ||
                             ek_store_odd_reply(store, key, err));
}

bool ek_store_wait_command(struct ek_store *store, int timeout_ms, bool *changed,
                           struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    int most_ms = store->options.command_timeout_ms / 2;
    int wait_ms = timeout_ms < most_ms ? timeout_ms : most_ms;

    *changed = false;
    if (!ek_store_key(store, key, "command", "", err)) {
        return false;
    }
    if (store->heard[0] == '\0') {
        /* Whatever was issued while nobody listened went unheard: let the caller look now. */
        *changed = begin_listening(store, key, err);
        return *changed;
    }
    /* BLOCK 0 would be for ever. */
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "XREAD COUNT 100 BLOCK %d STREAMS %s %s",
                         wait_ms > 0 ? wait_ms : 1, key, store->heard);
    if (reply == NULL || reply->type == REDIS_REPLY_NIL) {
        return reply != NULL;
    }
    /* [[key, entries]]: one stream was asked for. */
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
        reply->element[0]->type != REDIS_REPLY_ARRAY || reply->element[0]->elements != 2 ||
        !newest_id(reply->element[0]->element[1], store->heard, sizeof(store->heard))) {
        return ek_store_odd_reply(store, key, err);
    }
    *changed = true;
    return true;
}
