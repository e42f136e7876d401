#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "server.h"

#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void remove_tree(const char *dir)
{
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(struct server *server)
{
    struct ek_error err;

    server->embedded = ek_embedded_start(server->dir, 10000, &err);
    if (server->embedded == NULL && err.code == EK_ERR_NOT_FOUND) {
        remove_tree(server->dir);
        exit(77);
    }
    assert_done(server->embedded != NULL, &err);
}

void server_start(struct server *server)
{
    struct ek_error err;

    (void)snprintf(server->dir, sizeof(server->dir), "/tmp/ek-store-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    assert_done(ek_embedded_socket_path(server->dir, server->socket, sizeof(server->socket), &err),
                &err);
    start(server);
    server->store = server_store(server, 5000);
}

void server_stop(struct server *server)
{
    ek_store_destroy(server->store);
    ek_embedded_destroy(server->embedded);
    remove_tree(server->dir);
}

void server_crash_and_restart(struct server *server)
{
    assert_int_equal(kill((pid_t)ek_embedded_pid(server->embedded), SIGKILL), 0);
    ek_embedded_destroy(server->embedded);
    start(server);
}

static struct ek_store *make_store(const struct server *server, int timeout_ms, const char *user,
                                   const char *password)
{
    struct ek_store *store = ek_store_create(&(struct ek_store_options){
        .unix_socket = server->socket,
        .user = user,
        .password = password,
        .key_prefix = "evenkeel:",
        .connect_timeout_ms = timeout_ms,
        .command_timeout_ms = timeout_ms,
    });

    assert_non_null(store);
    return store;
}

struct ek_store *server_store(const struct server *server, int timeout_ms)
{
    return make_store(server, timeout_ms, NULL, NULL);
}

struct ek_store *server_login(const struct server *server, const char *user, const char *password)
{
    return make_store(server, 5000, user, password);
}

static size_t render(const redisReply *reply, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    if (reply->type == REDIS_REPLY_INTEGER) {
        return (size_t)snprintf(out, size, "%lld", reply->integer);
    }
    if (reply->type == REDIS_REPLY_NIL) {
        return (size_t)snprintf(out, size, "(nil)");
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        return (size_t)snprintf(out, size, "%s", reply->str);
    }
    for (size_t i = 0; i < reply->elements && used + 1 < size; i++) {
        if (i > 0) {
            out[used++] = ' ';
        }
        used += render(reply->element[i], out + used, size - used);
    }
    return used;
}

const char *server_say(const struct server *server, const char *format, ...)
{
    static char said[4096];
    char command[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    redisContext *context = redisConnectUnix(server->socket);
    assert_non_null(context);
    redisReply *reply = redisCommand(context, command);
    assert_non_null(reply);
    (void)render(reply, said, sizeof(said));
    freeReplyObject(reply);
    redisFree(context);
    return said;
}
