/* The scripts: what must happen in Redis at once or not at all.
 *
 * Every script that leads to an effect checks the fencing epoch first, by equality: a counter that
 * is lost (a server that came back empty) fences everybody until the lease is taken anew. Replies
 * are lists whose first word is OK, FENCED, CONFLICT or HELD. Numbers are compared as texts: Lua's
 * doubles would round. */
#include "balancer/store/connection.h"

#include <assert.h>
#include <string.h>

#define FENCE(key, argument)                               \
    "local epoch = redis.call('GET', " key ") or 'none'\n" \
    "if epoch ~= " argument " then return {'FENCED', epoch} end\n"

static const char *const texts[EK_SCRIPT_COUNT] = {
    /* KEYS move:<id> moves moves:open moves:blocking moves:recent epoch moves:trash; ARGV epoch id
     * json state attempt open|blocking|closed, expected state, attempt and epoch or 'none' thrice,
     * domain, time, TTL, when its volumes are to be discarded or 0. The same record again is no
     * conflict: a caller whose answer was lost may simply repeat. */
    [EK_SCRIPT_MOVE_WRITE] = FENCE(
        "KEYS[6]",
        "ARGV[1]") "local old = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'epoch', 'json')\n"
                   "if old[4] == ARGV[3] then return {'OK'} end\n"
                   "for i = 1, 3 do old[i] = old[i] or 'none' end\n"
                   "if old[1] ~= ARGV[7] or old[2] ~= ARGV[8] or old[3] ~= ARGV[9] then\n"
                   "  return {'CONFLICT', old[1], old[2], old[3]}\n"
                   "end\n"
                   "redis.call('HSET', KEYS[1], 'version', '1', 'json', ARGV[3], 'state', "
                   "ARGV[4],\n"
                   "           'attempt', ARGV[5], 'epoch', ARGV[1])\n"
                   "redis.call('HDEL', KEYS[1], 'progress', 'eta_ms', 'transferred_mib', "
                   "'rate_mib_s',\n"
                   "           'dirty_mib_s', 'iteration', 'share_mib_s')\n"
                   "redis.call(ARGV[6] == 'open' and 'SADD' or 'SREM', KEYS[3], ARGV[2])\n"
                   "redis.call(ARGV[6] == 'blocking' and 'SADD' or 'SREM', KEYS[4], ARGV[2])\n"
                   "if ARGV[6] == 'closed' then redis.call('PEXPIRE', KEYS[1], ARGV[12])\n"
                   "else redis.call('PERSIST', KEYS[1]) end\n"
                   /* A record in the trash stays until its volumes are gone. */
                   "if ARGV[13] ~= '0' then\n"
                   "  redis.call('ZADD', KEYS[7], ARGV[13], ARGV[2])\n"
                   "  redis.call('PERSIST', KEYS[1])\n"
                   "end\n"
                   "if old[1] == 'none' then\n"
                   "  redis.call('LPUSH', KEYS[5], ARGV[2])\n"
                   "  redis.call('LTRIM', KEYS[5], 0, 9999)\n"
                   "end\n"
                   "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 'version', '1', 'id', "
                   "ARGV[2],\n"
                   "           'state', ARGV[4], 'attempt', ARGV[5], 'epoch', ARGV[1], 'domain', "
                   "ARGV[10],\n"
                   "           'at_ms', ARGV[11])\n"
                   "return {'OK'}\n",

    /* KEYS moves:trash move:<id> epoch; ARGV epoch id, when to try again or 0, TTL. What is gone is
     * kept as long as any closed record. */
    [EK_SCRIPT_TRASH] =
        FENCE("KEYS[3]", "ARGV[1]") "if ARGV[3] ~= '0' then\n"
                                    "  redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[2])\n"
                                    "elseif redis.call('ZREM', KEYS[1], ARGV[2]) == 1 then\n"
                                    "  redis.call('PEXPIRE', KEYS[2], ARGV[4])\n"
                                    "end\n"
                                    "return {'OK'}\n",

    /* KEYS move:<id>; ARGV state attempt epoch, then progress and the other figures. Never makes a
     * record, and never touches one that went on meanwhile. */
    [EK_SCRIPT_MOVE_PROGRESS] =
        "local old = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'epoch')\n"
        "for i = 1, 3 do old[i] = old[i] or 'none' end\n"
        "if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then\n"
        "  return {'CONFLICT', old[1], old[2], old[3]}\n"
        "end\n"
        "redis.call('HSET', KEYS[1], 'progress', ARGV[4], 'eta_ms', ARGV[5],\n"
        "           'transferred_mib', ARGV[6], 'rate_mib_s', ARGV[7], 'dirty_mib_s', ARGV[8],\n"
        "           'iteration', ARGV[9], 'share_mib_s', ARGV[10])\n"
        "return {'OK'}\n",

    /* KEYS move:<id> moves moves:blocking epoch moves:trash; ARGV epoch id, expected state, attempt
     * and epoch, resolution, and to close it: json state domain time TTL, when its volumes are to
     * be discarded or 0. Only what blocks its domain can be resolved. The same closing again is no
     * conflict: its answer may have been lost. */
    [EK_SCRIPT_MOVE_RESOLVE] = FENCE(
        "KEYS[4]",
        "ARGV[1]") "local old = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'epoch', 'json')\n"
                   "local blocks = redis.call('SISMEMBER', KEYS[3], ARGV[2]) == 1\n"
                   "if ARGV[7] and old[4] == ARGV[7] and not blocks then return {'OK'} end\n"
                   "for i = 1, 3 do old[i] = old[i] or 'none' end\n"
                   "if not blocks or old[1] ~= ARGV[3] or old[2] ~= ARGV[4] or old[3] ~= ARGV[5] "
                   "then\n"
                   "  return {'CONFLICT', old[1], old[2], old[3]}\n"
                   "end\n"
                   "redis.call('HSET', KEYS[1], 'resolution', ARGV[6])\n"
                   "if not ARGV[7] then return {'OK'} end\n"
                   "redis.call('HSET', KEYS[1], 'json', ARGV[7], 'state', ARGV[8], 'epoch', "
                   "ARGV[1])\n"
                   "redis.call('SREM', KEYS[3], ARGV[2])\n"
                   "if ARGV[12] ~= '0' then redis.call('ZADD', KEYS[5], ARGV[12], ARGV[2])\n"
                   "else redis.call('PEXPIRE', KEYS[1], ARGV[11]) end\n"
                   "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 'version', '1', 'id', "
                   "ARGV[2],\n"
                   "           'state', ARGV[8], 'attempt', old[2], 'epoch', ARGV[1], 'domain', "
                   "ARGV[9],\n"
                   "           'at_ms', ARGV[10])\n"
                   "return {'OK'}\n",

    /* KEYS command epoch; ARGV epoch. The entry goes with its taking: that is what makes it happen
     * at most once. Its age is told by this server's clock, which also gave it its id. */
    [EK_SCRIPT_COMMAND_TAKE] = FENCE(
        "KEYS[2]",
        "ARGV[1]") "local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]\n"
                   "if not entry then return {'OK'} end\n"
                   "redis.call('XDEL', KEYS[1], entry[1])\n"
                   "local now = redis.call('TIME')\n"
                   "local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)\n"
                   "local issued_ms = tonumber(string.match(entry[1], '^%d+'))\n"
                   "local found = {'OK', entry[1], string.format('%.0f', now_ms - issued_ms)}\n"
                   "for _, word in ipairs(entry[2]) do found[#found + 1] = word end\n"
                   "return found\n",

    /* KEYS leader epoch epoch-owner; ARGV owner TTL. A lease that lapsed and comes back to the same
     * owner keeps its epoch: nobody else acted in between, and its moves must not fence themselves.
     * A new epoch is at least the time in ms: a counter that was lost, or that a failover set
     * back, gives none that somebody else may still write under. */
    [EK_SCRIPT_LEASE] = "local holder = redis.call('GET', KEYS[1])\n"
                        "local epoch = redis.call('GET', KEYS[2])\n"
                        "if holder and holder ~= ARGV[1] then\n"
                        "  return {'HELD', epoch or '0', holder}\n"
                        "end\n"
                        "if redis.call('GET', KEYS[3]) ~= ARGV[1] or not epoch then\n"
                        "  local now = redis.call('TIME')\n"
                        "  local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)\n"
                        "  local next = math.max((tonumber(epoch) or 0) + 1, now_ms)\n"
                        "  redis.call('SET', KEYS[2], string.format('%.0f', next))\n"
                        "  redis.call('SET', KEYS[3], ARGV[1])\n"
                        "end\n"
                        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                        "return {'OK', redis.call('GET', KEYS[2]), ARGV[1]}\n",

    /* KEYS leader; ARGV owner TTL */
    [EK_SCRIPT_RENEW] = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n"
                        "  return {'LOST'}\n"
                        "end\n"
                        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                        "return {'OK'}\n",

    /* KEYS leader; ARGV owner. */
    [EK_SCRIPT_RELEASE] = "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
                          "  redis.call('DEL', KEYS[1])\n"
                          "end\n"
                          "return {'OK'}\n",

    /* KEYS plan:<id> plans plans:latest epoch; ARGV epoch id json fate time TTL. A plan is the
     * latest by when it was put first, not by when its fate changed. */
    [EK_SCRIPT_PLAN] = FENCE(
        "KEYS[4]",
        "ARGV[1]") "local latest = redis.call('HGET', KEYS[3], 'id')\n"
                   "if latest == ARGV[2] or redis.call('EXISTS', KEYS[1]) == 0 then\n"
                   "  redis.call('HSET', KEYS[3], 'version', '1', 'id', ARGV[2], 'fate', ARGV[4])\n"
                   "end\n"
                   "redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[6])\n"
                   "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'version', '1', 'id', "
                   "ARGV[2],\n"
                   "           'fate', ARGV[4], 'epoch', ARGV[1], 'at_ms', ARGV[5])\n"
                   "return {'OK'}\n",

    /* KEYS key epoch; ARGV epoch value, and how long it lives, or nothing: for ever. */
    [EK_SCRIPT_FENCED_SET] =
        FENCE("KEYS[2]", "ARGV[1]") "if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', "
                                    "ARGV[3])\n"
                                    "else redis.call('SET', KEYS[1], ARGV[2]) end\n"
                                    "return {'OK'}\n",

    /* KEYS stream epoch; ARGV epoch json, about how many entries stay. */
    [EK_SCRIPT_FENCED_ADD] =
        FENCE("KEYS[2]", "ARGV[1]") "redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', "
                                    "'version', '1', 'json', ARGV[2])\n"
                                    "return {'OK'}\n",

    /* KEYS input:<id> inputs epoch; ARGV epoch id json TTL, prefix of the keys, how many stay. The
     * keys of trimmed inputs are computed, which Redis Cluster would not allow. */
    [EK_SCRIPT_INPUT] =
        FENCE("KEYS[3]", "ARGV[1]") "if redis.call('EXISTS', KEYS[1]) == 0 then "
                                    "redis.call('LPUSH', KEYS[2], ARGV[2]) end\n"
                                    "redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])\n"
                                    "while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[6]) do\n"
                                    "  redis.call('DEL', ARGV[5] .. redis.call('RPOP', KEYS[2]))\n"
                                    "end\n"
                                    "return {'OK'}\n",
};

bool ek_reply_is(const redisReply *reply, const char *word, size_t count)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return false;
        }
    }
    return word == NULL || strcmp(reply->element[0]->str, word) == 0;
}

bool ek_store_check_fence(const struct ek_store *store, const char *key, const redisReply *reply,
                          const char *epoch, struct ek_error *err)
{
    if (ek_reply_is(reply, "OK", 1)) {
        return true;
    }
    if (ek_reply_is(reply, "FENCED", 2)) {
        return ek_error_set(err, EK_ERR_FENCED,
                            "Redis at %s: %s: fenced: epoch %s is ours, the current one is %s",
                            store->address, key, epoch, reply->element[1]->str);
    }
    return ek_store_odd_reply(store, key, err);
}

bool ek_store_fenced_set(struct ek_store *store, const char *key, const char *value,
                         const char *life_ms, int64_t epoch, struct ek_error *err)
{
    char counter[EK_KEY_SIZE];

    if (!ek_store_key(store, counter, "epoch", "", err)) {
        return false;
    }
    struct ek_decimal ours = ek_decimal(epoch);
    const char *keys[] = {key, counter};
    const char *args[] = {ours.text, value, life_ms};
    redisReply *reply EK_REPLY_SCOPED = ek_store_script(store, EK_SCRIPT_FENCED_SET, key, err, keys,
                                                        2, args, life_ms == NULL ? 2 : 3);
    return reply != NULL && ek_store_check_fence(store, key, reply, ours.text, err);
}

/* EVALSHA's name for the script; the server computes it, once per store. */
static bool load(struct ek_store *store, enum ek_script script, const char *key,
                 struct ek_error *err)
{
    if (store->sha[script][0] != '\0') {
        return true;
    }
    redisReply *reply EK_REPLY_SCOPED =
        ek_store_command(store, key, err, "SCRIPT LOAD %s", texts[script]);
    if (reply == NULL) {
        return false;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len != EK_SHA_SIZE - 1) {
        return ek_store_odd_reply(store, key, err);
    }
    memcpy(store->sha[script], reply->str, EK_SHA_SIZE);
    return true;
}

static redisReply *evaluate(struct ek_store *store, const char *key, struct ek_error *err,
                            const char **words, int count)
{
    char *command = NULL;

    if (!ek_store_begin(store, err)) {
        return NULL;
    }
    /* From words, not from a format: a percent sign in a document is only a sign. */
    int length = redisFormatCommandArgv(&command, count, words, NULL);
    if (length < 0 ||
        redisAppendFormattedCommand(store->context, command, (size_t)length) != REDIS_OK) {
        ek_store_drop(store);
        (void)ek_error_set(err, EK_ERR_NOMEM, "Redis at %s: %s: out of memory", store->address,
                           key);
        redisFreeCommand(command);
        return NULL;
    }
    redisFreeCommand(command);
    return ek_store_next(store, key, err);
}

redisReply *ek_store_script(struct ek_store *store, enum ek_script script, const char *key,
                            struct ek_error *err, const char *const *keys, int key_count,
                            const char *const *args, int arg_count)
{
    /* The longest is MOVE_WRITE: seven keys and thirteen arguments. */
    enum { MAX_WORDS = 3 + 7 + 13 };
    struct ek_decimal key_text = ek_decimal(key_count);
    const char *words[MAX_WORDS] = {"EVALSHA", store->sha[script], key_text.text};
    int count = 3 + key_count + arg_count;

    assert(count <= MAX_WORDS);
    memcpy(words + 3, keys, (size_t)key_count * sizeof(*keys));
    memcpy(words + 3 + key_count, args, (size_t)arg_count * sizeof(*args));
    if (!load(store, script, key, err)) {
        return NULL;
    }
    redisReply *reply = evaluate(store, key, err, words, count);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR &&
        strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        /* The server was restarted or its scripts flushed: EVAL runs the script and keeps it again.
         */
        ek_reply_release(&reply);
        words[0] = "EVAL";
        words[1] = texts[script];
        reply = evaluate(store, key, err, words, count);
    }
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        (void)ek_store_refused(store, key, reply, err);
        ek_reply_release(&reply);
    }
    return reply;
}
