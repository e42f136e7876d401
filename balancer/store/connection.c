/* One blocking connection to Redis, which is made when it is first needed and again after it broke.
 * Every error names the server and the key, since an operator sees nothing else of it. */
#include "balancer/store/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* ---- the store's life -------------------------------------------------------------------------
 */

/* A NULL option stays NULL; only a copy that was wanted and failed is a failure. */
static char *copy(const char *text, bool *failed)
{
    char *result = text == NULL ? NULL : strdup(text);

    *failed = *failed || (text != NULL && result == NULL);
    return result;
}

/* For messages: made once, as the options do not change. */
static char *make_address(const struct ek_store_options *options)
{
    char text[EK_KEY_SIZE];

    if (options->unix_socket != NULL) {
        (void)snprintf(text, sizeof(text), "unix:%s", options->unix_socket);
    } else {
        (void)snprintf(text, sizeof(text), "redis://%s:%d", options->host, options->port);
    }
    return strdup(text);
}

struct ek_store *ek_store_create(const struct ek_store_options *options)
{
    struct ek_store *store = calloc(1, sizeof(*store));
    bool failed = false;

    if (store == NULL) {
        return NULL;
    }
    store->options = *options;
    store->options.unix_socket = copy(options->unix_socket, &failed);
    store->options.host = copy(options->host, &failed);
    store->options.user = copy(options->user, &failed);
    store->options.password = copy(options->password, &failed);
    store->options.key_prefix = copy(options->key_prefix, &failed);
    store->address = make_address(options);
    if (failed || store->address == NULL) {
        ek_store_destroy(store);
        return NULL;
    }
    return store;
}

void ek_store_destroy(struct ek_store *store)
{
    if (store == NULL) {
        return;
    }
    ek_store_drop(store);
    /* The options' texts are const for everybody else; here they are our copies. */
    free((char *)store->options.unix_socket);
    free((char *)store->options.host);
    free((char *)store->options.user);
    free((char *)store->options.password);
    free((char *)store->options.key_prefix);
    free(store->address);
    free(store);
}

const char *ek_store_address(const struct ek_store *store)
{
    return store->address;
}

bool ek_store_key(const struct ek_store *store, char key[EK_KEY_SIZE], const char *kind,
                  const char *name, struct ek_error *err)
{
    int length = snprintf(key, EK_KEY_SIZE, "%s%s%s", store->options.key_prefix, kind, name);

    /* A key that was cut could be that of another host. */
    return (length > 0 && length < EK_KEY_SIZE) ||
           ek_error_set(err, EK_ERR_INVALID,
                        "Redis key %s%.60s...: found %d bytes, expected at most %d", kind, name,
                        length, EK_KEY_SIZE - 1);
}

/* ---- errors -----------------------------------------------------------------------------------
 */

void ek_reply_release(redisReply **reply)
{
    if (*reply != NULL) {
        freeReplyObject(*reply);
    }
    *reply = NULL;
}

void ek_store_drop(struct ek_store *store)
{
    if (store->context != NULL) {
        redisFree(store->context);
    }
    store->context = NULL;
    store->subscribed = false;
    store->heard[0] = '\0';
}

/* Redis's errors begin with a word in capitals; the rest is prose that changes with versions. */
static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool ek_store_refused(const struct ek_store *store, const char *key, const redisReply *reply,
                      struct ek_error *err)
{
    const char *said = reply->str;
    enum ek_error_code code = EK_ERR_REMOTE;

    if (begins(said, "NOPERM")) {
        return ek_error_set(err, EK_ERR_DENIED, "Redis at %s: %s: user %s may not do that: %s",
                            store->address, key,
                            store->options.user == NULL ? "default" : store->options.user, said);
    }
    if (begins(said, "NOAUTH") || begins(said, "WRONGPASS")) {
        code = EK_ERR_DENIED;
    } else if (begins(said, "LOADING") || begins(said, "BUSY ") || begins(said, "MASTERDOWN")) {
        code = EK_ERR_UNAVAILABLE;
    }
    return ek_error_set(err, code, "Redis at %s: %s: %s", store->address, key, said);
}

bool ek_store_odd_reply(const struct ek_store *store, const char *key, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_REMOTE, "Redis at %s: %s: the reply has an unexpected shape",
                        store->address, key);
}

/* Says what broke the connection and gives it up. `doing` is a key, or "connecting". errno must
 * still be that of the failed call: hiredis keeps the text alone. */
static bool broken(struct ek_store *store, const char *doing, struct ek_error *err)
{
    /* SO_RCVTIMEO and SO_SNDTIMEO, by which hiredis keeps its limit, end as EAGAIN. */
    bool late = store->context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
    bool memory = store->context->err == REDIS_ERR_OOM;

    if (late) {
        (void)ek_error_set(err, EK_ERR_TIMEOUT, "Redis at %s: %s: no answer within %d ms",
                           store->address, doing, store->options.command_timeout_ms);
    } else {
        (void)ek_error_set(err, memory ? EK_ERR_NOMEM : EK_ERR_UNAVAILABLE, "Redis at %s: %s: %s",
                           store->address, doing, store->context->errstr);
    }
    ek_store_drop(store);
    return false;
}

/* ---- connecting -------------------------------------------------------------------------------
 */

static struct timeval milliseconds(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static bool open_context(struct ek_store *store, struct ek_error *err)
{
    const struct ek_store_options *options = &store->options;
    struct timeval limit = milliseconds(options->connect_timeout_ms);

    errno = 0;
    store->context = options->unix_socket != NULL
                         ? redisConnectUnixWithTimeout(options->unix_socket, limit)
                         : redisConnectWithTimeout(options->host, options->port, limit);
    if (store->context == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "Redis at %s: out of memory", store->address);
    }
    if (store->context->err != 0) {
        (void)ek_error_set(err, errno == ETIMEDOUT ? EK_ERR_TIMEOUT : EK_ERR_UNAVAILABLE,
                           "Redis at %s: cannot connect: %s", store->address,
                           store->context->errstr);
        ek_store_drop(store);
        return false;
    }
    /* A program that goes on by exec must not take the connection along. */
    (void)fcntl(store->context->fd, F_SETFD, FD_CLOEXEC);
    /* Connecting and commands have limits of their own: a far server may be slow to greet and must
     * not be slow to answer. */
    if (redisSetTimeout(store->context, milliseconds(options->command_timeout_ms)) != REDIS_OK) {
        return broken(store, "setting the timeout", err);
    }
    /* Over TCP a peer that vanished would else be noticed by the next command only. */
    if (options->unix_socket == NULL && redisEnableKeepAlive(store->context) != REDIS_OK) {
        return broken(store, "setting keepalive", err);
    }
    return true;
}

/* One command while connecting: no reconnection from here. */
static bool greet(struct ek_store *store, const char *doing, struct ek_error *err, int count,
                  const char **words)
{
    redisReply *reply EK_REPLY_SCOPED = redisCommandArgv(store->context, count, words, NULL);

    if (reply == NULL) {
        return broken(store, doing, err);
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)ek_store_refused(store, doing, reply, err);
        ek_store_drop(store);
        return false;
    }
    return true;
}

/* Redis 6 knows users; without one AUTH takes the password alone, as older servers expect. */
static bool authenticate(struct ek_store *store, struct ek_error *err)
{
    const struct ek_store_options *options = &store->options;
    const char *words[3] = {"AUTH", options->user, options->password};

    if (options->password == NULL) {
        return true;
    }
    if (options->user == NULL) {
        words[1] = options->password;
    }
    if (greet(store, "AUTH", err, options->user == NULL ? 2 : 3, words)) {
        return true;
    }
    /* Also "called without any password configured": whoever gave a password wants one to be asked.
     */
    if (err->code == EK_ERR_DENIED || err->code == EK_ERR_REMOTE) {
        err->code = EK_ERR_DENIED;
        return ek_error_wrap(err, "wrong user or password");
    }
    return false;
}

bool ek_store_connect(struct ek_store *store, struct ek_error *err)
{
    char database[16];
    const char *select[2] = {"SELECT", database};

    if (store->context != NULL) {
        return true;
    }
    if (!open_context(store, err) || !authenticate(store, err)) {
        return false;
    }
    (void)snprintf(database, sizeof(database), "%d", store->options.database);
    /* 0 is where every connection begins: one round trip less. */
    return store->options.database == 0 || greet(store, select[0], err, 2, select);
}

/* Between commands nothing may arrive: if something does, it is the end of the connection (a
 * restarted server), and it costs nothing to connect anew before a command is risked on it. */
static void drop_if_ended(struct ek_store *store)
{
    struct pollfd ready = {.fd = store->context->fd, .events = POLLIN};

    if (!store->subscribed && poll(&ready, 1, 0) != 0) {
        ek_store_drop(store);
    }
}

bool ek_store_begin(struct ek_store *store, struct ek_error *err)
{
    if (store->context != NULL) {
        drop_if_ended(store);
    }
    return ek_store_connect(store, err);
}

/* ---- commands ---------------------------------------------------------------------------------
 */

/* hiredis writes with write(2): a server that dies in the middle would end us by SIGPIPE. The
 * signal is for this thread, so it can be held back here and taken off, whatever the program does
 * with it. */
struct pipe_guard {
    sigset_t pipe;
    sigset_t before;
    bool was_pending;
};

static void guard_begin(struct pipe_guard *guard)
{
    sigset_t pending;

    sigemptyset(&guard->pipe);
    sigaddset(&guard->pipe, SIGPIPE);
    /* One that was pending before is not ours to take away. */
    guard->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &guard->pipe, &guard->before);
}

static void guard_end(const struct pipe_guard *guard)
{
    /* broken() reads errno after this. */
    int saved = errno;
    sigset_t pending;

    if (!guard->was_pending && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
        /* With a limit of zero: it is pending, so this takes it and never waits. */
        (void)sigtimedwait(&guard->pipe, NULL, &(struct timespec){0});
    }
    (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
    errno = saved;
}

/* Sends what is buffered and waits for one reply, error replies included. */
redisReply *ek_store_next(struct ek_store *store, const char *key, struct ek_error *err)
{
    void *reply = NULL;
    struct pipe_guard guard;

    guard_begin(&guard);
    errno = 0;
    int status = redisGetReply(store->context, &reply);
    guard_end(&guard);
    if (status != REDIS_OK) {
        (void)broken(store, key, err);
        return NULL;
    }
    return reply;
}

bool ek_store_append(struct ek_store *store, struct ek_error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int status = redisvAppendCommand(store->context, format, args);
    va_end(args);
    return status == REDIS_OK || broken(store, "appending a command", err);
}

redisReply *ek_store_command(struct ek_store *store, const char *key, struct ek_error *err,
                             const char *format, ...)
{
    va_list args;

    if (!ek_store_begin(store, err)) {
        return NULL;
    }
    va_start(args, format);
    int status = redisvAppendCommand(store->context, format, args);
    va_end(args);
    if (status != REDIS_OK) {
        (void)broken(store, key, err);
        return NULL;
    }
    /* redisCommand() in two halves, so that only the write and read stand under the signal
     * guard. */
    redisReply *reply = ek_store_next(store, key, err);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        (void)ek_store_refused(store, key, reply, err);
        ek_reply_release(&reply);
    }
    return reply;
}

bool ek_store_ping(struct ek_store *store, struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, "PING", err, "PING");

    return reply != NULL;
}

bool ek_store_get_text(struct ek_store *store, const char *key, char **text, struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_command(store, key, err, "GET %s", key);

    *text = NULL;
    if (reply == NULL || reply->type == REDIS_REPLY_NIL) {
        return reply != NULL;
    }
    if (reply->type != REDIS_REPLY_STRING) {
        return ek_store_odd_reply(store, key, err);
    }
    *text = strdup(reply->str);
    return *text != NULL || ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", key);
}

/* Scripts and argument vectors take texts; one struct by value needs no lifetime. */
struct ek_decimal ek_decimal(int64_t number)
{
    struct ek_decimal decimal;

    (void)snprintf(decimal.text, sizeof(decimal.text), "%" PRId64, number);
    return decimal;
}
