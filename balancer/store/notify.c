/* Waiting for a maintenance key: keyspace notifications over a subscription. */
#include "balancer/store/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* What we need: keyspace channels (K), generic commands such as DEL ($ is for SET), and expiry. */
static const char needed[] = "Kg$x";

/* Adds what is missing to the server's flags, so that others who rely on theirs keep them. 'A'
 * stands for all kinds of events, but not for the channels. */
static void merge_flags(char *out, size_t size, const char *present)
{
    size_t used = (size_t)snprintf(out, size, "%s", present);

    for (const char *flag = needed; *flag != '\0'; flag++) {
        bool there =
            strchr(present, *flag) != NULL || (*flag != 'K' && strchr(present, 'A') != NULL);
        if (!there && used + 1 < size) {
            out[used++] = *flag;
            out[used] = '\0';
        }
    }
}

/* A server that does not let us configure it (managed, or by ACL) is no error: the scan remains. */
static bool turn_on(struct ek_store *store, struct ek_error *err)
{
    char flags[64];
    struct ek_error refusal = {.code = EK_ERR_NONE};
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, "notify-keyspace-events", &refusal,
                                                         "CONFIG GET notify-keyspace-events");

    if (reply != NULL && ek_reply_is(reply, "notify-keyspace-events", 2)) {
        merge_flags(flags, sizeof(flags), reply->element[1]->str);
        /* Nothing is missing: CONFIG SET would need a right that we may not have. */
        if (strcmp(flags, reply->element[1]->str) == 0) {
            return true;
        }
        redisReply *set EK_REPLY_SCOPED =
            ek_store_command(store, "notify-keyspace-events", &refusal,
                             "CONFIG SET notify-keyspace-events %s", flags);
        if (set != NULL) {
            return true;
        }
    }
    if (store->context == NULL) { /* broken, not refused */
        *err = refusal;
        return false;
    }
    return true;
}

static bool subscribe(struct ek_store *store, struct ek_error *err)
{
    char pattern[EK_KEY_SIZE];

    if (!ek_store_maintenance_pattern(store, pattern, err)) {
        return false;
    }
    /* Before subscribing: a subscribed connection takes no CONFIG (RESP2). */
    if (!turn_on(store, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, "PSUBSCRIBE", err, "PSUBSCRIBE __keyspace@%d__:%s",
                         store->options.database, pattern);
    store->subscribed = reply != NULL;
    return store->subscribed;
}

void ek_store_hear_ends(struct ek_store *store, void (*ended)(void *context, const char *host),
                        void *context)
{
    store->key_ended = ended;
    store->key_ended_context = context;
}

/* A message of the subscription: [2] is the channel, "__keyspace@0__:" and the key, [3] what
 * happened to it. */
static void hear(const struct ek_store *store, const redisReply *message)
{
    static const char *const ends[] = {"del", "expired", "evicted", "rename_from", "move_from"};
    size_t skip = strlen(store->options.key_prefix) + strlen("maintenance:");

    if (store->key_ended == NULL || message->elements < 4 ||
        message->element[2]->type != REDIS_REPLY_STRING ||
        message->element[3]->type != REDIS_REPLY_STRING) {
        return;
    }
    const char *key = strstr(message->element[2]->str, "__:");
    if (key == NULL || strlen(key) < strlen("__:") + skip) {
        return;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(message->element[3]->str, ends[i]) == 0) {
            store->key_ended(store->key_ended_context, key + strlen("__:") + skip);
        }
    }
}

/* A subscription says nothing for days, dead or alive: each wait begins with a question. */
static bool check_alive(struct ek_store *store, bool *changed, struct ek_error *err)
{
    if (!ek_store_append(store, err, "PING")) {
        return false;
    }
    for (;;) {
        redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, "PING", err);
        if (reply == NULL) {
            return false;
        }
        if (reply->type == REDIS_REPLY_ERROR) {
            (void)ek_store_refused(store, "PING", reply, err);
            ek_store_drop(store);
            return false;
        }
        if (ek_reply_is(reply, "pong", 1)) {
            return true;
        }
        if (ek_reply_is(reply, "pmessage", 4)) {
            hear(store, reply);
            *changed = true;
        }
    }
}

bool ek_store_wait_maintenance(struct ek_store *store, int timeout_ms, bool *changed,
                               struct ek_error *err)
{
    void *buffered = NULL;

    *changed = false;
    if (!store->subscribed) {
        /* Whatever happened while nobody listened went unheard: let the caller look now. */
        *changed = subscribe(store, err);
        return *changed;
    }
    if (!check_alive(store, changed, err)) {
        return false;
    }
    /* What came right behind the pong is in hiredis's buffer, where poll() does not see it. */
    if (redisGetReplyFromReader(store->context, &buffered) == REDIS_OK && buffered != NULL) {
        redisReply *message EK_REPLY_SCOPED = buffered;
        hear(store, message);
        *changed = true;
    }
    if (*changed) {
        return true;
    }
    /* Not a blocking read: hiredis's command timeout would break the connection in each quiet
     * period. */
    struct pollfd ready = {.fd = store->context->fd, .events = POLLIN};
    int count = poll(&ready, 1, timeout_ms);
    if (count <= 0) {
        return count == 0 || errno == EINTR ||
               ek_error_set(err, EK_ERR_IO, "poll: %s", strerror(errno));
    }
    /* What else it says does not matter: the caller reads all keys anyway. Readable may also mean
     * ended; then this is the error. */
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(store, "waiting", err);
    *changed = reply != NULL;
    if (*changed) {
        hear(store, reply);
    }
    return *changed;
}
