/* Reading streams: the newest entries, and what one of them says. */
#include "balancer/store/connection.h"

#include <string.h>

redisReply *ek_store_newest(struct ek_store *store, const char *key, size_t limit,
                            struct ek_error *err)
{
    redisReply *reply =
        ek_store_command(store, key, err, "XREVRANGE %s + - COUNT %lld", key, (long long)limit);

    if (reply != NULL && reply->type != REDIS_REPLY_ARRAY) {
        (void)ek_store_odd_reply(store, key, err);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}

const char *ek_entry_field(const redisReply *entry, const char *field)
{
    const redisReply *words =
        entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 ? entry->element[1] : NULL;
    size_t count = words != NULL && words->type == REDIS_REPLY_ARRAY ? words->elements : 0;

    for (size_t i = 0; i + 1 < count; i += 2) {
        if (strcmp(words->element[i]->str, field) == 0) {
            return words->element[i + 1]->str;
        }
    }
    return NULL;
}
