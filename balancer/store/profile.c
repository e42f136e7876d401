/* profile-host:<host>, profile-domain:<uuid>: what each is used to take. */
#include "balancer/codec/profile.h"
#include "balancer/store/history_pieces.h"

#include <stdlib.h>
#include <string.h>

/* Somewhat more than the weeks that a profile remembers: a domain that was off for a month still
 * has its habits. */
enum { LIFE_WEEKS = EK_PROFILE_WEEKS + 1 };

bool ek_profile_key(const struct ek_store *store, char key[EK_KEY_SIZE], enum ek_profile_kind kind,
                    const char *name, struct ek_error *err)
{
    return ek_store_key(store, key,
                        kind == EK_PROFILE_HOST ? "profile-host:" : "profile-domain:", name, err);
}

int64_t ek_profile_life_ms(int64_t keep_ms)
{
    const int64_t life_ms = (int64_t)LIFE_WEEKS * EK_PROFILE_HOURS * EK_HOUR_MS;

    return keep_ms > life_ms ? keep_ms : life_ms;
}

bool ek_profile_take(struct ek_store *store, const char *key, const redisReply *reply,
                     struct ek_profile *out, bool *there, struct ek_error *err)
{
    *there = reply->type == REDIS_REPLY_STRING;
    if (reply->type == REDIS_REPLY_ERROR) {
        return ek_store_refused(store, key, reply, err);
    }
    return *there ? ek_profile_read(out, reply->str, reply->len, key, err)
                  : reply->type == REDIS_REPLY_NIL || ek_store_odd_reply(store, key, err);
}

bool ek_store_get_profile(struct ek_store *store, enum ek_profile_kind kind, const char *name,
                          struct ek_profile *out, bool *there, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *there = false;
    if (!ek_profile_key(store, key, kind, name, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "GET %s", key);
    if (reply == NULL || !ek_profile_take(store, key, reply, out, there, err)) {
        return false;
    }
    return !*there || (out->kind == kind && strcmp(out->name, name) == 0) ||
           ek_error_set(err, EK_ERR_INVALID, "%s: found the profile of %s, expected its own", key,
                        out->name);
}

bool ek_store_put_profile(struct ek_store *store, const struct ek_profile *profile,
                          const struct ek_history_limits *limits, struct ek_error *err)
{
    struct ek_profile merged;
    char key[EK_KEY_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;
    bool there = false;

    if (!ek_store_get_profile(store, profile->kind, profile->name, &merged, &there, err)) {
        return false;
    }
    if (!there) {
        ek_profile_begin(&merged, profile->kind, profile->name);
    }
    ek_profile_merge(&merged, profile);
    if (!ek_profile_key(store, key, profile->kind, profile->name, err) ||
        !ek_profile_write(&merged, &bytes, &size, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %b PX %lld", key, bytes, size,
                         (long long)ek_profile_life_ms(limits->keep_ms));
    free(bytes);
    return reply != NULL;
}
