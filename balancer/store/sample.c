/* host:<host>: the newest sample of a host; candidates: where more is to be measured. */
#include "balancer/codec/codec.h"
#include "balancer/store/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sample that nobody renews for so many periods is gone, and its host counts as down. */
enum { LIFE_PERIODS = 4 };

bool ek_store_put_sample(struct ek_store *store, const struct ek_sample *sample,
                         struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "host:", sample->host.name, err)) {
        return false;
    }
    char *json = ek_codec_write_sample(sample);
    if (json == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %s PX %lld", key, json,
                         (long long)(sample->period_ms * LIFE_PERIODS));
    /* hiredis has copied it into its buffer by then. */
    free(json);
    return reply != NULL;
}

static void add_warning(char *bad, size_t bad_size, const char *warning)
{
    size_t used = strlen(bad);

    /* The first ones count; a cluster of broken samples need not be told in full. */
    if (used + 3 < bad_size) {
        (void)snprintf(bad + used, bad_size - used, "%s%s", used > 0 ? "; " : "", warning);
    }
}

/* A sample that stands at another host's key is refused: it would place domains where they are not.
 */
static bool read_sample(const char *key, const char *host, const redisReply *reply,
                        struct ek_sample *sample, struct ek_error *warning)
{
    if (!ek_codec_read_sample(sample, reply->str, reply->len, key, warning)) {
        return false;
    }
    if (strcmp(sample->host.name, host) == 0) {
        return true;
    }
    (void)ek_error_set(warning, EK_ERR_INVALID, "%s: host.name: found \"%s\", expected \"%s\"", key,
                       sample->host.name, host);
    ek_arena_finish(&sample->arena);
    *sample = (struct ek_sample){.taken_at_ms = 0};
    return false;
}

/* One reply of the pipeline. What is wrong with this key alone is a warning; what is wrong with
 * server, rights or memory ends the pipeline: false. */
static bool take_sample(struct ek_store *store, const char *host, struct ek_sample *sample,
                        bool *has_sample, struct ek_error *warning, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "host:", host, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, key, err);
    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)ek_store_refused(store, key, reply, warning);
    } else if (reply->type == REDIS_REPLY_STRING) {
        *has_sample = read_sample(key, host, reply, sample, warning);
    } else if (reply->type != REDIS_REPLY_NIL) {
        (void)ek_store_odd_reply(store, key, warning);
    }
    if (warning->code != EK_ERR_NONE && warning->code != EK_ERR_REMOTE &&
        warning->code != EK_ERR_INVALID) {
        *err = *warning;
        return false;
    }
    return true;
}

/* GET by GET in a pipeline, not MGET: a key of a wrong type must spoil one host and not all. */
static bool request_samples(struct ek_store *store, const char *const *hosts, size_t host_count,
                            struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_begin(store, err)) {
        return false;
    }
    for (size_t i = 0; i < host_count; i++) {
        if (!ek_store_key(store, key, "host:", hosts[i], err) ||
            !ek_store_append(store, err, "GET %s", key)) {
            ek_store_drop(store);
            return false;
        }
    }
    return true;
}

bool ek_store_get_samples(struct ek_store *store, const char *const *hosts, size_t host_count,
                          struct ek_sample *samples, bool *has_sample, char *bad, size_t bad_size,
                          struct ek_error *err)
{
    for (size_t i = 0; i < host_count; i++) {
        /* Zeroed before anything can fail, so that whoever cleans up may finish each of them. */
        samples[i] = (struct ek_sample){.taken_at_ms = 0};
        has_sample[i] = false;
    }
    bad[0] = '\0';
    if (!request_samples(store, hosts, host_count, err)) {
        return false;
    }
    for (size_t i = 0; i < host_count; i++) {
        struct ek_error warning = {.code = EK_ERR_NONE};
        if (!take_sample(store, hosts[i], &samples[i], &has_sample[i], &warning, err)) {
            ek_store_drop(store);
            for (size_t k = 0; k <= i; k++) {
                ek_arena_finish(&samples[k].arena);
                samples[k] = (struct ek_sample){.taken_at_ms = 0};
                has_sample[k] = false;
            }
            return false;
        }
        if (warning.code != EK_ERR_NONE) {
            add_warning(bad, bad_size, warning.message);
        }
    }
    return true;
}

bool ek_store_put_candidates(struct ek_store *store, const char *json, int64_t ttl_ms,
                             struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "candidates", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %s PX %lld", key, json, (long long)ttl_ms);
    return reply != NULL;
}

bool ek_store_get_candidates(struct ek_store *store, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "candidates", "", err) &&
           ek_store_get_text(store, key, json, err);
}
