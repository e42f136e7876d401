#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A second server on one directory is refused, and told who has it. */
static void test_second_is_refused(void **state)
{
    struct server server;
    struct ek_error err;
    char owner[32];

    (void)state;
    server_start(&server);
    assert_null(ek_embedded_start(server.dir, 5000, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    (void)snprintf(owner, sizeof(owner), "the process %ld", (long)getpid());
    assert_non_null(strstr(err.message, owner));
    assert_done(ek_store_ping(server.store, &err), &err);
    server_stop(&server);
}

/* The server listens on a socket for owner and group alone, syncs every write, and has no port. */
static void test_configuration(void **state)
{
    struct server server;
    struct stat status;

    (void)state;
    server_start(&server);
    assert_int_equal(stat(server.socket, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0770);
    assert_string_equal(server_say(&server, "CONFIG GET appendfsync"), "appendfsync always");
    assert_string_equal(server_say(&server, "CONFIG GET appendonly"), "appendonly yes");
    assert_string_equal(server_say(&server, "CONFIG GET port"), "port 0");
    assert_string_equal(server_say(&server, "CONFIG GET save"), "save ");
    server_stop(&server);
}

/* Destroying ends exactly this server, and leaves its data for the next one. */
static void test_destroy(void **state)
{
    struct server server;
    struct ek_error err;

    (void)state;
    server_start(&server);
    assert_done(ek_embedded_alive(server.embedded, &err), &err);
    (void)server_say(&server, "SET kept yes");
    pid_t pid = (pid_t)ek_embedded_pid(server.embedded);
    ek_embedded_destroy(server.embedded);
    assert_int_equal(kill(pid, 0), -1);
    server.embedded = ek_embedded_start(server.dir, 10000, &err);
    assert_done(server.embedded != NULL, &err);
    assert_string_equal(server_say(&server, "GET kept"), "yes");
    server_stop(&server);
}

/* A server that ended is noticed, and how it ended is said. */
static void test_alive(void **state)
{
    struct server server;
    struct ek_error err = {.message = ""};

    (void)state;
    server_start(&server);
    (void)kill((pid_t)ek_embedded_pid(server.embedded), SIGKILL);
    int64_t deadline_ms = monotonic_ms() + 5000;
    while (ek_embedded_alive(server.embedded, &err) && monotonic_ms() < deadline_ms) {
    }
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "ended by signal 9"));
    server_stop(&server);
}

/* When the daemon is killed its server ends, and a successor gets the directory with all data. */
static void test_parent_killed(void **state)
{
    struct server server = {.dir = "/tmp/ek-store-XXXXXX"};
    struct ek_error err;
    int report[2];
    long server_pid = 0;

    (void)state;
    assert_non_null(mkdtemp(server.dir));
    assert_int_equal(pipe(report), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1),
                     0); /* so that we may wait for a grandchild */
    pid_t daemon_pid = fork();
    if (daemon_pid == 0) {
        struct ek_embedded *embedded = ek_embedded_start(server.dir, 10000, &err);
        long pid = embedded == NULL ? -1 : ek_embedded_pid(embedded);
        (void)!write(report[1], &pid, sizeof(pid));
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(report[0], &server_pid, sizeof(server_pid)), sizeof(server_pid));
    assert_true(server_pid > 0);
    assert_done(ek_embedded_socket_path(server.dir, server.socket, sizeof(server.socket), &err),
                &err);
    (void)server_say(&server, "SET kept yes");
    assert_int_equal(kill(daemon_pid, SIGKILL), 0);
    assert_int_equal(waitpid(daemon_pid, NULL, 0), daemon_pid);
    /* At once, while the old server may still be ending. */
    server.embedded = ek_embedded_start(server.dir, 10000, &err);
    assert_done(server.embedded != NULL, &err);
    assert_string_equal(server_say(&server, "GET kept"), "yes");
    assert_int_equal(waitpid((pid_t)server_pid, NULL, 0), server_pid);
    server.store = NULL;
    server_stop(&server);
    (void)close(report[0]);
    (void)close(report[1]);
}

/* A directory's name that leaves no room for the socket's is refused before anything is made. */
static void test_long_path(void **state)
{
    char dir[160] = "/tmp/";
    char path[200];
    struct ek_error err;

    (void)state;
    memset(dir + 5, 'x', sizeof(dir) - 6);
    assert_false(ek_embedded_socket_path(dir, path, sizeof(path), &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "too long for a unix socket"));
    assert_non_null(strstr(err.message, "at most 107 fit"));
}

/* A directory is made for owner and group; one that others may write is refused. */
static void test_directory_mode(void **state)
{
    char base[] = "/tmp/ek-store-XXXXXX";
    char dir[64];
    struct stat status;
    struct ek_error err;

    (void)state;
    assert_non_null(mkdtemp(base));
    (void)snprintf(dir, sizeof(dir), "%s/it's \"quoted\" \\ here", base);
    mode_t before = umask(0077);
    struct ek_embedded *embedded = ek_embedded_start(dir, 10000, &err);
    (void)umask(before);
    assert_done(embedded != NULL, &err);
    assert_int_equal(stat(dir, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0750);
    ek_embedded_destroy(embedded);
    assert_int_equal(chmod(dir, 0757), 0);
    assert_null(ek_embedded_start(dir, 10000, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "found mode 0757"));
    remove_tree(base);
}

/* Without redis-server on PATH the error says what to do. */
static void test_no_redis(void **state)
{
    char dir[] = "/tmp/ek-store-XXXXXX";
    char path[4096];
    struct ek_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s", getenv("PATH"));
    assert_int_equal(setenv("PATH", dir, 1), 0);
    assert_null(ek_embedded_start(dir, 5000, &err));
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(err.code, EK_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "no redis-server on PATH"));
    remove_tree(dir);
}

/* A server that cannot start is told with the last line of its log. */
static void test_broken_data(void **state)
{
    struct server server;
    struct ek_error err;
    char path[128];

    (void)state;
    server_start(&server);
    ek_embedded_destroy(server.embedded);
    (void)snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.manifest", server.dir);
    FILE *manifest = fopen(path, "w");
    assert_non_null(manifest);
    (void)fputs("nonsense\n", manifest);
    assert_int_equal(fclose(manifest), 0);
    server.embedded = ek_embedded_start(server.dir, 10000, &err);
    assert_null(server.embedded);
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "ended by itself with status 1"));
    assert_non_null(strstr(err.message, "redis.log ends with: "));
    assert_non_null(strstr(err.message, "manifest"));
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_is_refused), cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_destroy),           cmocka_unit_test(test_alive),
        cmocka_unit_test(test_parent_killed),     cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_directory_mode),    cmocka_unit_test(test_no_redis),
        cmocka_unit_test(test_broken_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
