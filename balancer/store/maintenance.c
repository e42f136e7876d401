/* maintenance:<host>, which belongs to the operator, and maintenance-status:<host>, which answers.
 */
#include "balancer/codec/codec.h"
#include "balancer/store/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As much of a raw value as fits, cut between characters. */
static void copy_reason(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length >= size) {
        length = size - 1;
        while (length > 0 && (text[length] & 0xC0) == 0x80) {
            length--;
        }
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

/* Whatever stands at the key means maintenance; how well it reads decides only what is shown. */
static void read_value(const char *key, const redisReply *reply, struct ek_maintenance *out)
{
    struct ek_error err;

    *out = (struct ek_maintenance){.wanted = true};
    if (reply->type != REDIS_REPLY_STRING) {
        copy_reason(out->reason, sizeof(out->reason), "(the key holds no text)");
        return;
    }
    /* Shells and editors leave blanks in front. */
    const char *text = reply->str + strspn(reply->str, " \t\r\n");
    /* Only what looks like an object is read as one; a reason in words is no broken JSON. */
    if (*text == '{' && ek_codec_read_maintenance(reply->str, reply->len, key, out->reason,
                                                  sizeof(out->reason), &out->deadline_ms, &err)) {
        return;
    }
    out->deadline_ms = 0;
    copy_reason(out->reason, sizeof(out->reason), text);
}

static bool take_value(struct ek_store *store, const char *host, struct ek_maintenance *out,
                       struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "maintenance:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, key, err);
    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        *out = (struct ek_maintenance){.wanted = false};
        return true;
    }
    /* A list or a hash at the key: whoever made it wanted something, and staying away is the safe
     * reading. */
    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) != 0) {
        return ek_store_refused(store, key, reply, err);
    }
    read_value(key, reply, out);
    return true;
}

bool ek_store_get_maintenance(struct ek_store *store, const char *const *hosts, size_t host_count,
                              struct ek_maintenance *out, struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    bool done = ek_store_begin(store, err);

    /* GET by GET, not MGET, which takes a key of another type for an absent one. */
    for (size_t i = 0; done && i < host_count; i++) {
        done = ek_store_key(store, key, "maintenance:", hosts[i], err) &&
               ek_store_append(store, err, "GET %s", key);
    }
    for (size_t i = 0; done && i < host_count; i++) {
        done = take_value(store, hosts[i], &out[i], err);
    }
    if (!done) {
        ek_store_drop(store);
    }
    return done;
}

bool ek_store_set_maintenance(struct ek_store *store, const char *host, bool wanted,
                              const char *reason, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "maintenance:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        wanted ? ek_store_command(store, key, err, "SET %s %s", key, reason == NULL ? "" : reason)
               : ek_store_command(store, key, err, "DEL %s", key);
    return reply != NULL;
}

/* Neither fenced nor expiring: it is rewritten in each cycle and deleted when maintenance ends. */
bool ek_store_put_maintenance_status(struct ek_store *store, const char *host, const char *json,
                                     int64_t epoch, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    return ek_store_key(store, key, "maintenance-status:", host, err) &&
           ek_store_fenced_set(store, key, json, epoch, err);
}

bool ek_store_delete_maintenance_status(struct ek_store *store, const char *host,
                                        struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "maintenance-status:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "DEL %s", key);
    return reply != NULL;
}

bool ek_store_get_maintenance_status(struct ek_store *store, const char *host, char **json,
                                     struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "maintenance-status:", host, err) &&
           ek_store_get_text(store, key, json, err);
}
