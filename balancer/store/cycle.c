/* The stream of cycles. Fenced like all that says what was decided: a balancer that was replaced
 * must not seem to have decided last. */
#include "balancer/store/connection.h"

#include <stdlib.h>
#include <string.h>

#define CYCLES_KEPT "2000"

bool ek_store_add_cycle(struct ek_store *store, const char *json, int64_t epoch,
                        struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    char counter[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "cycles", "", err) ||
        !ek_store_key(store, counter, "epoch", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    const char *keys[] = {key, counter};
    const char *args[] = {ours.text, json, CYCLES_KEPT};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_FENCED_ADD, key, err, keys, 2, args, 3);
    return reply != NULL && ek_store_check_fence(store, key, reply, ours.text, err);
}

void ek_store_free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts != NULL && i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}

bool ek_store_recent_cycles(struct ek_store *store, size_t limit, char ***jsons, size_t *count,
                            struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *jsons = NULL;
    *count = 0;
    if (!ek_store_key(store, key, "cycles", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_newest(store, key, limit, err);
    if (reply == NULL) {
        return false;
    }
    char **texts = calloc(reply->elements + 1, sizeof(*texts));
    bool ok = texts != NULL;
    for (size_t i = 0; ok && i < reply->elements; i++) {
        const char *json = ek_entry_field(reply->element[i], "json");
        if (json != NULL) {
            texts[*count] = strdup(json);
            ok = texts[*count] != NULL;
            *count += ok ? 1 : 0;
        }
    }
    if (!ok) {
        ek_store_free_texts(texts, *count);
        *count = 0;
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    *jsons = texts;
    return true;
}
