/* leader and epoch: one balancer acts at a time, and the next one's writes shut out the last one's.
 */
#include "balancer/store/connection.h"

#include <stdio.h>
#include <stdlib.h>

bool ek_store_lease(struct ek_store *store, const char *owner, int64_t ttl_ms, bool *held,
                    int64_t *epoch, char *holder, size_t holder_size, struct ek_error *err)
{
    char leader[EK_KEY_SIZE];
    char counter[EK_KEY_SIZE];
    char last[EK_KEY_SIZE];

    /* Whatever goes wrong below, we do not lead. */
    *held = false;
    if (!ek_store_key(store, leader, "leader", "", err) ||
        !ek_store_key(store, counter, "epoch", "", err) ||
        !ek_store_key(store, last, "epoch-owner", "", err)) {
        return false;
    }
    struct ek_decimal ttl = ek_decimal(ttl_ms);
    const char *keys[] = {leader, counter, last};
    const char *args[] = {owner, ttl.text};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_LEASE, leader, err, keys, 3, args, 2);
    if (reply == NULL) {
        return false;
    }
    *held = ek_reply_is(reply, "OK", 3);
    if (!*held && !ek_reply_is(reply, "HELD", 3)) {
        return ek_store_odd_reply(store, leader, err);
    }
    /* Also when another holds it: status shows whose epoch is in force. */
    *epoch = strtoll(reply->element[1]->str, NULL, 10);
    (void)snprintf(holder, holder_size, "%s", reply->element[2]->str);
    return true;
}

bool ek_store_renew(struct ek_store *store, const char *owner, int64_t ttl_ms, bool *held,
                    struct ek_error *err)
{
    char leader[EK_KEY_SIZE];

    *held = false;
    if (!ek_store_key(store, leader, "leader", "", err)) {
        return false;
    }
    struct ek_decimal ttl = ek_decimal(ttl_ms);
    const char *keys[] = {leader};
    const char *args[] = {owner, ttl.text};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_RENEW, leader, err, keys, 1, args, 2);
    *held = reply != NULL && ek_reply_is(reply, "OK", 1);
    return reply != NULL;
}

/* By a script, since between a GET and a DEL the lease could lapse and pass to another. */
bool ek_store_release(struct ek_store *store, const char *owner, struct ek_error *err)
{
    char leader[EK_KEY_SIZE];

    if (!ek_store_key(store, leader, "leader", "", err)) {
        return false;
    }
    const char *keys[] = {leader};
    const char *args[] = {owner};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_RELEASE, leader, err, keys, 1, args, 1);
    return reply != NULL;
}
