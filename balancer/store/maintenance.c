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
    if (*text == '{') {
        if (ek_codec_read_maintenance(reply->str, reply->len, key, out, &err)) {
            return;
        }
        (void)snprintf(out->fault, sizeof(out->fault), "%s", err.message);
    }
    out->deadline_ms = 0;
    out->partial = false;
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

/* The prefix is the operator's: what it has of the pattern's signs stands for itself. */
static bool make_pattern(const struct ek_store *store, const char *kind, char pattern[EK_KEY_SIZE],
                         struct ek_error *err)
{
    size_t end = strlen(kind) + sizeof("*");
    size_t used = 0;

    for (const char *at = store->options.key_prefix; *at != '\0'; at++) {
        /* Two for an escaped sign. */
        if (used + 2 + end > EK_KEY_SIZE) {
            return ek_error_set(err, EK_ERR_INVALID, "Redis key prefix %.60s...: it is too long",
                                store->options.key_prefix);
        }
        if (strchr("*?[]\\^", *at) != NULL) {
            pattern[used++] = '\\';
        }
        pattern[used++] = *at;
    }
    (void)snprintf(pattern + used, EK_KEY_SIZE - used, "%s*", kind);
    return true;
}

bool ek_store_maintenance_pattern(const struct ek_store *store, char pattern[EK_KEY_SIZE],
                                  struct ek_error *err)
{
    return make_pattern(store, "maintenance:", pattern, err);
}

static bool is_one_of(const char *name, const char *const *hosts, size_t host_count)
{
    for (size_t i = 0; i < host_count; i++) {
        if (strcmp(name, hosts[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What becomes of one page of the keys of a scan. */
typedef bool visit_keys(struct ek_store *store, const redisReply *keys, void *context,
                        struct ek_error *err);

static bool scan(struct ek_store *store, const char *pattern, visit_keys *visit, void *context,
                 struct ek_error *err)
{
    char cursor[32] = "0";

    do {
        redisReply *reply EK_REPLY_SCOPED =
            ek_store_command(store, "SCAN", err, "SCAN %s MATCH %s COUNT 5000", cursor, pattern);
        if (reply == NULL) {
            return false;
        }
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
            reply->element[0]->type != REDIS_REPLY_STRING) {
            return ek_error_set(err, EK_ERR_INVALID, "SCAN: found no cursor in the answer");
        }
        (void)snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        if (!visit(store, reply->element[1], context, err)) {
            return false;
        }
    } while (strcmp(cursor, "0") != 0);
    return true;
}

struct strays {
    const char *const *hosts;
    size_t host_count;
    char *out;
    size_t size;
};

/* The names of the keys that are no hosts. */
static bool add_strays(struct ek_store *store, const redisReply *keys, void *context,
                       struct ek_error *err)
{
    const struct strays *strays = context;
    size_t skip = strlen(store->options.key_prefix) + strlen("maintenance:");

    (void)err;
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        size_t used = strlen(strays->out);
        if (key->type != REDIS_REPLY_STRING || key->len < skip ||
            is_one_of(key->str + skip, strays->hosts, strays->host_count)) {
            continue;
        }
        (void)snprintf(strays->out + used, strays->size - used, "%s\"%.100s\"",
                       used == 0 ? "" : ", ", key->str + skip);
    }
    return true;
}

bool ek_store_stray_maintenance(struct ek_store *store, const char *const *hosts, size_t host_count,
                                char *out, size_t size, struct ek_error *err)
{
    struct strays strays = {.hosts = hosts, .host_count = host_count, .out = out, .size = size};
    char pattern[EK_KEY_SIZE];

    out[0] = '\0';
    return ek_store_maintenance_pattern(store, pattern, err) &&
           scan(store, pattern, add_strays, &strays, err);
}

bool ek_store_set_maintenance(struct ek_store *store, const char *host, const char *value,
                              int64_t ttl_ms, struct ek_error *err)
{
    char name[EK_KEY_SIZE];
    const char *said = value == NULL ? "" : value;

    if (!ek_store_key(store, name, "maintenance:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ttl_ms > 0
            ? ek_store_command(store, name, err, "SET %s %s PX %lld", name, said, (long long)ttl_ms)
            : ek_store_command(store, name, err, "SET %s %s KEEPTTL", name, said);
    return reply != NULL;
}

bool ek_store_end_maintenance(struct ek_store *store, const char *host, struct ek_error *err)
{
    char name[EK_KEY_SIZE];

    if (!ek_store_key(store, name, "maintenance:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, name, err, "DEL %s", name);
    return reply != NULL;
}

/* Neither fenced nor expiring: it is rewritten in each cycle and deleted when maintenance ends. */
bool ek_store_put_maintenance_status(struct ek_store *store, const char *host, const char *json,
                                     int64_t epoch, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    return ek_store_key(store, key, "maintenance-status:", host, err) &&
           ek_store_fenced_set(store, key, json, NULL, epoch, err);
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

static bool delete_keys(struct ek_store *store, const redisReply *keys, void *context,
                        struct ek_error *err)
{
    (void)context;
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key->type != REDIS_REPLY_STRING) {
            continue;
        }
        redisReply *reply EK_REPLY_SCOPED =
            ek_store_command(store, key->str, err, "DEL %b", key->str, key->len);
        if (reply == NULL) {
            return false;
        }
    }
    return true;
}

bool ek_store_sweep_maintenance_statuses(struct ek_store *store, struct ek_error *err)
{
    char pattern[EK_KEY_SIZE];

    return make_pattern(store, "maintenance-status:", pattern, err) &&
           scan(store, pattern, delete_keys, NULL, err);
}

bool ek_store_get_maintenance_status(struct ek_store *store, const char *host, char **json,
                                     struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "maintenance-status:", host, err) &&
           ek_store_get_text(store, key, json, err);
}
