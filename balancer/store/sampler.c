/* sampled-by:<host>: which collector took the host's newest sample. It outlives the sample, so that
 * of a host that is not sampled any more it is known whose it was; unsampled:<host> says why. */
#include "balancer/store/connection.h"

#include <stdio.h>
#include <string.h>

/* A week: as long as anybody looks for a collector that ended. */
#define LIFE_MS ((int64_t)7 * 24 * 3600 * 1000)
/* Longer than any pause between two tries of a host that fails. */
#define UNSAMPLED_MS ((int64_t)3600 * 1000)

/* A text, or nothing. */
static bool take_name(struct ek_store *store, const char *key, const redisReply *reply,
                      char out[EK_SAMPLER_SIZE], struct ek_error *err)
{
    out[0] = '\0';
    if (reply->type == REDIS_REPLY_STRING) {
        (void)snprintf(out, EK_SAMPLER_SIZE, "%s", reply->str);
        return true;
    }
    return reply->type == REDIS_REPLY_NIL || ek_store_odd_reply(store, key, err);
}

bool ek_store_sign_sample(struct ek_store *store, const char *host, const char *collector,
                          char other[EK_SAMPLER_SIZE], struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "sampled-by:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "SET %s %s PX %lld GET",
                                                         key, collector, (long long)LIFE_MS);
    if (reply == NULL || !take_name(store, key, reply, other, err)) {
        return false;
    }
    if (strcmp(other, collector) == 0) {
        other[0] = '\0';
    }
    return true;
}

bool ek_store_get_sampler(struct ek_store *store, const char *host, char out[EK_SAMPLER_SIZE],
                          struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "sampled-by:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "GET %s", key);
    return reply != NULL && take_name(store, key, reply, out, err);
}

bool ek_store_put_unsampled(struct ek_store *store, const char *host, const char *json,
                            struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "unsampled:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %s PX %lld", key, json, (long long)UNSAMPLED_MS);
    return reply != NULL;
}

bool ek_store_get_unsampled(struct ek_store *store, const char *host, char **json,
                            struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "unsampled:", host, err) &&
           ek_store_get_text(store, key, json, err);
}

bool ek_store_delete_unsampled(struct ek_store *store, const char *host, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "unsampled:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "DEL %s", key);
    return reply != NULL;
}
