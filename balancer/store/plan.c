/* Plans and their fate, what roles say of themselves, events, the engine's state and its inputs. */
#include "balancer/store/connection.h"

#include <stdlib.h>
#include <string.h>

#define PLAN_LIFE_MS "2592000000" /* 30 days */
#define INPUT_LIFE_MS "604800000" /* 7 days */
#define INPUTS_KEPT "500"

/* A script, so that a plan, its entry in the stream and the pointer to the latest appear at once or
 * not at all, and never from a balancer that was replaced. */
bool ek_store_put_plan(struct ek_store *store, const char *id, const char *json, const char *fate,
                       int64_t epoch, int64_t now_ms, struct ek_error *err)
{
    char plan[EK_KEY_SIZE];
    char plans[EK_KEY_SIZE];
    char latest[EK_KEY_SIZE];
    char counter[EK_KEY_SIZE];

    if (!ek_store_key(store, plan, "plan:", id, err) ||
        !ek_store_key(store, plans, "plans", "", err) ||
        !ek_store_key(store, latest, "plans:latest", "", err) ||
        !ek_store_key(store, counter, "epoch", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    struct ek_decimal now = ek_decimal(now_ms);
    const char *keys[] = {plan, plans, latest, counter};
    const char *args[] = {ours.text, id, json, fate, now.text, PLAN_LIFE_MS};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_PLAN, plan, err, keys, 4, args, 6);
    return reply != NULL && ek_store_check_fence(store, plan, reply, ours.text, err);
}

bool ek_store_get_latest_plan(struct ek_store *store, char **json, char **fate,
                              struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    *fate = NULL;
    if (!ek_store_key(store, key, "plans:latest", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "HMGET %s id fate", key);
    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return ek_store_odd_reply(store, key, err);
    }
    /* HMGET gives nil for each field of an absent hash: no plan yet. */
    if (reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        return true;
    }
    if (!ek_store_key(store, key, "plan:", reply->element[0]->str, err) ||
        !ek_store_get_text(store, key, json, err)) {
        return false;
    }
    /* The pointer may outlive the plan, which expires: then there is no latest plan. */
    *fate = *json == NULL ? NULL : strdup(reply->element[1]->str);
    if (*json != NULL && *fate == NULL) {
        free(*json);
        *json = NULL;
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    return true;
}

bool ek_store_get_plan(struct ek_store *store, const char *id, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "plan:", id, err) && ek_store_get_text(store, key, json, err);
}

bool ek_store_put_verified(struct ek_store *store, const char *id, const char *json, int64_t epoch,
                           struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    return ek_store_key(store, key, "verified:", id, err) &&
           ek_store_fenced_set(store, key, json, PLAN_LIFE_MS, epoch, err);
}

bool ek_store_get_verified(struct ek_store *store, const char *id, char **json,
                           struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "verified:", id, err) &&
           ek_store_get_text(store, key, json, err);
}

/* "": the entry does not say it. */
static const char *word_of(const redisReply *entry, const char *field)
{
    const char *word = ek_entry_field(entry, field);

    return word == NULL ? "" : word;
}

bool ek_store_recent_fates(struct ek_store *store, size_t limit, struct ek_plan_fate **fates,
                           size_t *count, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *fates = NULL;
    *count = 0;
    if (!ek_store_key(store, key, "plans", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_newest(store, key, limit, err);
    if (reply == NULL) {
        return false;
    }
    *fates = calloc(reply->elements + 1, sizeof(**fates));
    if (*fates == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
    }
    for (size_t i = 0; i < reply->elements; i++) {
        struct ek_plan_fate *fate = &(*fates)[(*count)++];
        (void)snprintf(fate->id, sizeof(fate->id), "%s", word_of(reply->element[i], "id"));
        (void)snprintf(fate->fate, sizeof(fate->fate), "%s", word_of(reply->element[i], "fate"));
        fate->at_ms = strtoll(word_of(reply->element[i], "at_ms"), NULL, 10);
    }
    return true;
}

/* With a TTL instead of a deletion at the end: a daemon that was killed must not look alive. */
bool ek_store_put_status(struct ek_store *store, const char *role, const char *json, int64_t ttl_ms,
                         struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "status:", role, err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SET %s %s PX %lld", key, json, (long long)ttl_ms);
    return reply != NULL;
}

bool ek_store_get_status(struct ek_store *store, const char *role, char **json,
                         struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "status:", role, err) &&
           ek_store_get_text(store, key, json, err);
}

/* MAXLEN with a tilde lets Redis trim whole nodes, which costs next to nothing. Not fenced: an
 * event leads to no effect, and a fenced-out balancer should still say so. */
bool ek_store_add_event(struct ek_store *store, int64_t now_ms, const char *kind,
                        const char *subject, const char *text, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "events", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(
        store, key, err, "XADD %s MAXLEN ~ 10000 * version 1 at_ms %lld kind %s subject %s text %s",
        key, (long long)now_ms, kind, subject, text);
    return reply != NULL;
}

bool ek_store_recent_events(struct ek_store *store, size_t limit, ek_store_event_fn *visit,
                            void *context, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "events", "", err)) {
        return false;
    }
    redisReply *reply EK_REPLY_SCOPED = ek_store_newest(store, key, limit, err);
    if (reply == NULL) {
        return false;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *entry = reply->element[i];
        visit(context, strtoll(word_of(entry, "at_ms"), NULL, 10), word_of(entry, "kind"),
              word_of(entry, "subject"), word_of(entry, "text"));
    }
    return true;
}

/* Fenced, since the successor's memory must not be overwritten by its predecessor's. */
bool ek_store_put_engine_state(struct ek_store *store, const char *json, int64_t epoch,
                               struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    return ek_store_key(store, key, "engine", "", err) &&
           ek_store_fenced_set(store, key, json, NULL, epoch, err);
}

bool ek_store_get_engine_state(struct ek_store *store, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "engine", "", err) && ek_store_get_text(store, key, json, err);
}

bool ek_store_put_memory(struct ek_store *store, const char *json, int64_t epoch,
                         struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    return ek_store_key(store, key, "memory", "", err) &&
           ek_store_fenced_set(store, key, json, NULL, epoch, err);
}

bool ek_store_get_memory(struct ek_store *store, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "memory", "", err) && ek_store_get_text(store, key, json, err);
}

/* Recorded before the decision's first effect, so that each can be replayed. */
bool ek_store_put_input(struct ek_store *store, const char *id, const char *json, int64_t epoch,
                        struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    char inputs[EK_KEY_SIZE];
    char counter[EK_KEY_SIZE];
    char prefix[EK_KEY_SIZE];

    if (!ek_store_key(store, key, "input:", id, err) ||
        !ek_store_key(store, inputs, "inputs", "", err) ||
        !ek_store_key(store, counter, "epoch", "", err) ||
        !ek_store_key(store, prefix, "input:", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    const char *keys[] = {key, inputs, counter};
    const char *args[] = {ours.text, id, json, INPUT_LIFE_MS, prefix, INPUTS_KEPT};
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_script(store, EK_SCRIPT_INPUT, key, err, keys, 3, args, 6);
    return reply != NULL && ek_store_check_fence(store, key, reply, ours.text, err);
}

bool ek_store_get_input(struct ek_store *store, const char *id, char **json, struct ek_error *err)
{
    char key[EK_KEY_SIZE];

    *json = NULL;
    return ek_store_key(store, key, "input:", id, err) && ek_store_get_text(store, key, json, err);
}
