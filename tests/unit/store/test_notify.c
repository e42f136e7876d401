#include "fixture.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct ek_store *waiter;

static bool wait_for(int timeout_ms)
{
    bool changed = false;
    struct ek_error err;

    assert_done(ek_store_wait_maintenance(waiter, timeout_ms, &changed, &err), &err);
    return changed;
}

/* Each test has a waiter that has said "look now" and now listens. */
static int listen_anew(void **state)
{
    (void)state;
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    waiter = server_store(&server, 2000);
    assert_true(wait_for(0));
    return 0;
}

static int close_waiter(void **state)
{
    (void)state;
    ek_store_destroy(waiter);
    return 0;
}

/* Nothing wakes the waiter but its time when nothing happens; other keys are nothing. */
static void test_quiet(void **state)
{
    (void)state;
    (void)server_say(&server, "SET evenkeel:status:x 1");
    (void)server_say(&server, "SET other:maintenance:h1 1");
    int64_t begin_ms = monotonic_ms();
    assert_false(wait_for(100));
    assert_in_range(monotonic_ms() - begin_ms, 90, 1500);
}

/* A key that was set before the wait began is not missed. */
static void test_set_before(void **state)
{
    (void)state;
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1");
    assert_true(wait_for(5000));
}

/* A key that is set while it waits wakes the waiter at once. */
static void test_set_while_waiting(void **state)
{
    int64_t begin_ms = monotonic_ms();
    pid_t setter = fork();

    (void)state;
    if (setter == 0) {
        struct ek_store *store = server_store(&server, 2000);
        struct ek_error err;
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000L}, NULL);
        _exit(ek_store_set_maintenance(store, "h1", NULL, 0, &err) ? 0 : 1);
    }
    assert_true(wait_for(20000));
    assert_true(monotonic_ms() - begin_ms < 10000);
    int status = -1;
    assert_int_equal(waitpid(setter, &status, 0), setter);
    assert_int_equal(status, 0);
}

/* A message that comes in one piece with the answer to the waiter's question is not left in the
 * buffer: the stopped server finds the question first and the SET behind it, and writes both
 * answers at once. */
static void test_message_behind_pong(void **state)
{
    pid_t pid = (pid_t)ek_embedded_pid(server.embedded);
    redisContext *context = redisConnectUnix(server.socket);
    redisReply *pong = redisCommand(context, "PING");
    int done = 0;

    (void)state;
    assert_non_null(pong);
    freeReplyObject(pong);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    pid_t setter = fork();
    if (setter == 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000L}, NULL);
        (void)redisAppendCommand(context, "SET evenkeel:maintenance:h1 1");
        (void)redisBufferWrite(context, &done);
        _exit(kill(pid, SIGCONT) == 0 && done ? 0 : 1);
    }
    assert_true(wait_for(1000));
    int status = -1;
    assert_int_equal(waitpid(setter, &status, 0), setter);
    assert_int_equal(status, 0);
    redisFree(context);
}

/* Deleting wakes, too, and so does a key whose own TTL ends. */
static void test_delete_and_expiry(void **state)
{
    (void)state;
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1");
    assert_true(wait_for(5000));
    (void)server_say(&server, "DEL evenkeel:maintenance:h1");
    assert_true(wait_for(5000));
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1 PX 50");
    assert_true(wait_for(5000));
    while (strcmp(server_say(&server, "EXISTS evenkeel:maintenance:h1"), "1") == 0) {
    }
    assert_true(wait_for(5000));
}

static char ended[256];

static void note_end(void *context, const char *host)
{
    size_t used = strlen(ended);

    (void)context;
    (void)snprintf(ended + used, sizeof(ended) - used, "%s ", host);
}

/* Whose key was gone for a moment is told by name, however often it was set; a SET over a key that
 * is there is no end. */
static void test_ends_are_heard(void **state)
{
    (void)state;
    ended[0] = '\0';
    ek_store_hear_ends(waiter, note_end, &server);
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1");
    (void)server_say(&server, "SET evenkeel:maintenance:h1 2");
    (void)server_say(&server, "DEL evenkeel:maintenance:h1");
    (void)server_say(&server, "SET evenkeel:maintenance:h1 2");
    (void)server_say(&server, "SET evenkeel:maintenance:node:7 1");
    (void)server_say(&server, "RENAME evenkeel:maintenance:node:7 elsewhere");
    (void)server_say(&server, "SET evenkeel:maintenance:h3 1 PX 20");
    while (strcmp(server_say(&server, "EXISTS evenkeel:maintenance:h3"), "1") == 0) {
    }
    while (strstr(ended, "h3") == NULL) {
        assert_true(wait_for(5000));
    }
    assert_string_equal(ended, "h1 node:7 h3 ");
}

/* Flags that others have set stay set. */
static void test_flags_are_merged(void **state)
{
    static const struct {
        const char *before;
        const char *after;
    } cases[] = {{"\"\"", "g$xK"}, {"El", "g$lxKE"}, {"AKE", "AKE"}, {"AE", "AKE"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* An empty argument cannot be said in words, but notifications without channels mean none.
         */
        (void)server_say(&server, "CONFIG SET notify-keyspace-events %s",
                         i == 0 ? "g" : cases[i].before);
        ek_store_destroy(waiter);
        waiter = server_store(&server, 2000);
        assert_true(wait_for(0));
        const char *said = server_say(&server, "CONFIG GET notify-keyspace-events");
        assert_string_equal(said + strlen("notify-keyspace-events "), cases[i].after);
        (void)server_say(&server, "SET evenkeel:maintenance:h1 %zu", i);
        assert_true(wait_for(5000));
    }
}

/* A server that hangs is noticed by the waiter, and after its return the waiter says "look now". */
static void test_hanging_server(void **state)
{
    bool changed = true;
    struct ek_error err;
    pid_t pid = (pid_t)ek_embedded_pid(server.embedded);

    (void)state;
    ek_store_destroy(waiter);
    waiter = server_store(&server, 200);
    assert_true(wait_for(0));
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_false(ek_store_wait_maintenance(waiter, 10000, &changed, &err));
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(err.code, EK_ERR_TIMEOUT);
    assert_false(changed);
    assert_true(wait_for(0));
}

/* A server that ends while we wait is told, and after its restart the waiter says "look now". */
static void test_restart(void **state)
{
    bool changed = true;
    struct ek_error err;

    (void)state;
    server_crash_and_restart(&server);
    assert_false(ek_store_wait_maintenance(waiter, 10000, &changed, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_true(wait_for(0));
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1");
    assert_true(wait_for(5000));
}

/* A user who may not configure the server listens all the same. */
static void test_no_config_right(void **state)
{
    bool changed = false;
    struct ek_error err;

    (void)state;
    (void)server_say(&server, "ACL SETUSER tool on >sesame ~evenkeel:* allchannels +@all -config");
    struct ek_store *store = server_login(&server, "tool", "sesame");
    assert_done(ek_store_wait_maintenance(store, 0, &changed, &err), &err);
    assert_true(changed);
    (void)server_say(&server, "SET evenkeel:maintenance:h1 1");
    assert_done(ek_store_wait_maintenance(store, 5000, &changed, &err), &err);
    assert_true(changed);
    ek_store_destroy(store);
}

/* A prefix with a pattern's signs in it hears its own keys and no others. */
static void test_prefix_is_no_pattern(void **state)
{
    (void)state;
    ek_store_destroy(waiter);
    waiter = ek_store_create(&(struct ek_store_options){.unix_socket = server.socket,
                                                        .key_prefix = "a*[b]:",
                                                        .connect_timeout_ms = 2000,
                                                        .command_timeout_ms = 2000});
    assert_true(wait_for(0));
    (void)server_say(&server, "SET aXb:maintenance:h1 1");
    assert_false(wait_for(50));
    (void)server_say(&server, "SET a*[b]:maintenance:h1 1");
    assert_true(wait_for(5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quiet, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_set_before, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_set_while_waiting, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_message_behind_pong, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_delete_and_expiry, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_ends_are_heard, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_flags_are_merged, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_hanging_server, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_restart, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_no_config_right, listen_anew, close_waiter),
        cmocka_unit_test_setup_teardown(test_prefix_is_no_pattern, listen_anew, close_waiter),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
