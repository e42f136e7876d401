/* What the store says and does when the server refuses, hangs, dies or is not there. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t server_pid(void)
{
    return (pid_t)ek_embedded_pid(server.embedded);
}

/* Data is there after a crash of the server, and the same store finds it without a failed call. */
static void test_restart(void **state)
{
    char *json = NULL;
    struct ek_error err;

    (void)state;
    assert_string_equal(server_say(&server, "SET evenkeel:maintenance-status:h1 {\"a\":1}"), "OK");
    server_crash_and_restart(&server);
    assert_done(ek_store_get_maintenance_status(server.store, "h1", &json, &err), &err);
    assert_string_equal(json, "{\"a\":1}");
    free(json);
}

/* While the server is away every call says so at once; when it is back the next call works. */
static void test_away(void **state)
{
    struct ek_error err;

    (void)state;
    assert_done(ek_store_ping(server.store, &err), &err);
    ek_embedded_destroy(server.embedded);
    for (int i = 0; i < 2; i++) {
        assert_false(ek_store_ping(server.store, &err));
        assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
        assert_non_null(strstr(err.message, server.socket));
        assert_non_null(strstr(err.message, "cannot connect"));
    }
    server.embedded = ek_embedded_start(server.dir, 10000, &err);
    assert_done(server.embedded != NULL, &err);
    assert_done(ek_store_ping(server.store, &err), &err);
}

/* A server that hangs costs the timeout and no more; when it goes on, so does the store, and it
 * does not take the late answer for that of a later question. */
static void test_hanging_server(void **state)
{
    struct ek_store *store = server_store(&server, 200);
    char *json = NULL;
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_status(store, "balancer", "{\"late\":1}", 60000, &err), &err);
    assert_int_equal(kill(server_pid(), SIGSTOP), 0);
    int64_t begin_ms = monotonic_ms();
    assert_false(ek_store_get_status(store, "balancer", &json, &err));
    int64_t took_ms = monotonic_ms() - begin_ms;
    assert_int_equal(kill(server_pid(), SIGCONT), 0);
    assert_int_equal(err.code, EK_ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "evenkeel:status:balancer: no answer within 200 ms"));
    assert_in_range(took_ms, 190, 2000);
    assert_done(ek_store_get_status(store, "nobody", &json, &err), &err);
    assert_null(json);
    ek_store_destroy(store);
}

/* A server that dies while we write to it is an error of ours, not the end of our process
 * (SIGPIPE). */
static void test_death_while_writing(void **state)
{
    enum { SIZE = 32 << 20 };
    char *text = malloc(SIZE);
    struct ek_error err;
    pid_t pid = server_pid();

    (void)state;
    assert_non_null(text);
    memset(text, 'x', SIZE - 1);
    text[SIZE - 1] = '\0';
    assert_done(ek_store_ping(server.store, &err), &err);
    assert_int_equal(signal(SIGPIPE, SIG_DFL) == SIG_ERR, 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    pid_t killer = fork();
    if (killer == 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 300000000L}, NULL);
        _exit(kill(pid, SIGKILL) == 0 ? 0 : 1);
    }
    /* The stopped server's socket is full after some hundred KiB: we stand in write() when it dies.
     */
    assert_false(ek_store_put_status(server.store, "big", text, 60000, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    int status = -1;
    assert_int_equal(waitpid(killer, &status, 0), killer);
    assert_int_equal(status, 0);
    free(text);
    server_crash_and_restart(&server);
    assert_done(ek_store_ping(server.store, &err), &err);
}

static void assert_denied(const char *user, const char *password, const char *message)
{
    struct ek_store *store = server_login(&server, user, password);
    struct ek_error err;

    assert_false(ek_store_ping(store, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    assert_non_null(strstr(err.message, message));
    assert_non_null(strstr(err.message, server.socket));
    if (password != NULL) {
        assert_null(strstr(err.message, password));
    }
    ek_store_destroy(store);
}

static void assert_allowed(const char *user, const char *password)
{
    struct ek_store *store = server_login(&server, user, password);
    struct ek_error err;

    assert_done(ek_store_ping(store, &err), &err);
    ek_store_destroy(store);
}

/* A wrong, a missing and a needless password are told as such, without showing it. */
static void test_password(void **state)
{
    (void)state;
    assert_denied(NULL, "needless", "wrong user or password");
    (void)server_say(&server, "CONFIG SET requirepass sesame");
    assert_denied(NULL, "mellon", "WRONGPASS");
    assert_denied(NULL, NULL, "NOAUTH");
    assert_allowed(NULL, "sesame");
    assert_allowed("default", "sesame");
    ek_store_destroy(server.store);
    ek_embedded_destroy(server.embedded); /* the password was not written to the configuration */
    struct ek_error err;
    server.embedded = ek_embedded_start(server.dir, 10000, &err);
    assert_done(server.embedded != NULL, &err);
    server.store = server_store(&server, 5000);
}

/* An ACL user is let in by its own password, and is denied, by key, what its rules do not allow. */
static void test_acl_user(void **state)
{
    struct ek_error err;

    (void)state;
    (void)server_say(&server, "ACL SETUSER tool on >sesame ~evenkeel:status:* +@all -set");
    assert_denied("tool", "mellon", "wrong user or password");
    assert_denied("nobody", "sesame", "wrong user or password");
    struct ek_store *store = server_login(&server, "tool", "sesame");
    char *json = NULL;
    assert_done(ek_store_get_status(store, "balancer", &json, &err), &err);
    free(json);
    assert_false(ek_store_put_status(store, "balancer", "{}", 1000, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    assert_false(ek_store_end_maintenance(store, "h1", &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    assert_non_null(
        strstr(err.message, "evenkeel:maintenance:h1: user tool may not do that: NOPERM"));
    const char *const hosts[] = {"h1", "h2"};
    struct ek_maintenance out[2];
    assert_false(ek_store_get_maintenance(store, hosts, 2, out, &err));
    assert_int_equal(err.code, EK_ERR_DENIED);
    assert_done(ek_store_ping(store, &err), &err);
    ek_store_destroy(store);
}

static void assert_balancer_works(struct ek_store *store)
{
    struct ek_move_record record = {
        .order = {.id = "i", .domain = "d", .source = "a", .destination = "b"}};
    struct ek_move_record *records = NULL;
    size_t count = 0;
    bool held = false;
    char holder[16];
    struct ek_error err;

    assert_done(ek_store_lease(store, "a", 60000, &held, &record.epoch, holder, 16, &err), &err);
    assert_true(held);
    assert_done(ek_store_write_move(store, &record, NULL, &err), &err);
    assert_done(ek_store_write_progress(store, &record, &err), &err);
    struct ek_move_record ended = record;
    ended.state = EK_MOVE_CANCELLED;
    assert_done(ek_store_write_move(store, &ended, &record, &err), &err);
    assert_done(ek_store_blocking_moves(store, &records, &count, &err), &err);
    free(records);
    assert_done(ek_store_recent_moves(store, 1, &records, &count, &err), &err);
    free(records);
    assert_done(ek_store_put_plan(store, "p", "{}", "done", record.epoch, 1, &err), &err);
    assert_done(ek_store_put_input(store, "p", "{}", record.epoch, &err), &err);
    assert_done(ek_store_put_engine_state(store, "{}", record.epoch, &err), &err);
    assert_done(ek_store_add_event(store, 1, "k", "", "t", &err), &err);
    assert_done(ek_store_set_maintenance(store, "h1", NULL, 0, &err), &err);
    assert_done(ek_store_end_maintenance(store, "h1", &err), &err);
    assert_done(ek_store_release(store, "a", &err), &err);
}

static void assert_commands_work(struct ek_store *store)
{
    struct ek_move_record record = {
        .order = {.id = "u", .domain = "d", .source = "a", .destination = "b"},
        .state = EK_MOVE_UNKNOWN};
    const struct ek_move_resolution word = {"forget", "me@here", 1};
    struct ek_command command = {.kind = EK_COMMAND_PAUSE};
    struct ek_command_entry entry;
    bool flag = false;
    char holder[16];
    struct ek_error err;

    assert_done(ek_store_wait_command(store, 0, &flag, &err), &err);
    assert_done(ek_store_issue_command(store, &command, "me@here", 1, &err), &err);
    assert_done(ek_store_wait_command(store, 5000, &flag, &err), &err);
    assert_true(flag);
    assert_done(ek_store_lease(store, "a", 60000, &flag, &record.epoch, holder, 16, &err), &err);
    assert_done(ek_store_take_command(store, record.epoch, &entry, &flag, &err), &err);
    assert_true(flag);
    assert_done(ek_store_withdraw_command(store, command.id, &flag, &err), &err);
    assert_done(ek_store_put_reply(store, command.id, "{}", &err), &err);
    assert_done(ek_store_write_move(store, &record, NULL, &err), &err);
    assert_done(ek_store_resolve_move(store, &record, &record, record.epoch, &word, &err), &err);
    assert_done(ek_store_release(store, "a", &err), &err);
}

/* The ACL user of docs/redis-keys.md needs no right beyond those listed there. */
static void test_documented_acl(void **state)
{
    bool changed = false;
    struct ek_error err;

    (void)state;
    assert_string_equal(
        server_say(&server,
                   "ACL SETUSER doc on >sesame ~evenkeel:* "
                   "resetchannels &__keyspace@0__:evenkeel:maintenance:* "
                   "+auth +select +ping +get +set +del +script|load +evalsha +eval +hget +hset "
                   "+hmget +hdel +sadd +srem +lpush +ltrim +llen +rpop +exists +pexpire +persist "
                   "+time +xadd +xdel +xrange +sismember +xread +xrevrange +smembers +lrange "
                   "+psubscribe +config|get +config|set"),
        "OK");
    struct ek_store *store = server_login(&server, "doc", "sesame");
    assert_balancer_works(store);
    assert_commands_work(store);
    assert_done(ek_store_wait_maintenance(store, 0, &changed, &err), &err);
    assert_true(changed);
    ek_store_destroy(store);
}

/* Another database and another prefix are another cluster. */
static void test_database_and_prefix(void **state)
{
    struct ek_store *store =
        ek_store_create(&(struct ek_store_options){.unix_socket = server.socket,
                                                   .database = 3,
                                                   .key_prefix = "other:",
                                                   .connect_timeout_ms = 1000,
                                                   .command_timeout_ms = 1000});
    struct ek_error err;

    (void)state;
    assert_done(ek_store_put_status(store, "r", "{}", 60000, &err), &err);
    assert_string_equal(server_say(&server, "EXISTS other:status:r"), "0");
    ek_store_destroy(store);
    store = ek_store_create(&(struct ek_store_options){.unix_socket = server.socket,
                                                       .database = 99,
                                                       .key_prefix = "",
                                                       .connect_timeout_ms = 1000,
                                                       .command_timeout_ms = 1000});
    for (int i = 0; i < 2; i++) { /* the half-made connection is not used */
        assert_false(ek_store_ping(store, &err));
        assert_int_equal(err.code, EK_ERR_REMOTE);
        assert_non_null(strstr(err.message, "SELECT: ERR DB index is out of range"));
    }
    ek_store_destroy(store);
}

/* Over TCP a port where nobody listens is told with host and port. */
static void test_tcp_refused(void **state)
{
    struct ek_store *store =
        ek_store_create(&(struct ek_store_options){.host = "127.0.0.1",
                                                   .port = 1,
                                                   .key_prefix = "",
                                                   .connect_timeout_ms = 1000,
                                                   .command_timeout_ms = 1000});
    struct ek_error err;

    (void)state;
    assert_string_equal(ek_store_address(store), "redis://127.0.0.1:1");
    assert_false(ek_store_ping(store, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_string_equal(err.message,
                        "Redis at redis://127.0.0.1:1: cannot connect: Connection refused");
    ek_store_destroy(store);
}

/* Over TCP the same server answers the same. */
static void test_tcp(void **state)
{
    struct ek_error err;

    (void)state;
    /* Port 0 is "off" for Redis, so that a free one must be tried for. */
    int port = 20000 + (int)(getpid() % 20000);
    while (strcmp(server_say(&server, "CONFIG SET port %d", port), "OK") != 0) {
        port++;
    }
    struct ek_store *store =
        ek_store_create(&(struct ek_store_options){.host = "localhost",
                                                   .port = port,
                                                   .key_prefix = "evenkeel:",
                                                   .connect_timeout_ms = 1000,
                                                   .command_timeout_ms = 1000});
    assert_done(ek_store_put_status(store, "tcp", "{}", 60000, &err), &err);
    assert_string_equal(server_say(&server, "GET evenkeel:status:tcp"), "{}");
    ek_store_destroy(store);
    (void)server_say(&server, "CONFIG SET port 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),        cmocka_unit_test(test_away),
        cmocka_unit_test(test_hanging_server), cmocka_unit_test(test_death_while_writing),
        cmocka_unit_test(test_password),       cmocka_unit_test(test_acl_user),
        cmocka_unit_test(test_documented_acl), cmocka_unit_test(test_database_and_prefix),
        cmocka_unit_test(test_tcp_refused),    cmocka_unit_test(test_tcp),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
