/* The protocol of sd_notify: a real socket listens. */
#include "balancer/daemon/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char heard[256];

/* A socket that listens at `name`, whose first byte is zero for an abstract one. */
static int listen_at(const char *name, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, name, length);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    return fd;
}

/* The datagram that waits there; "" when none does. */
static const char *hear(int fd)
{
    ssize_t size = recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);

    heard[size > 0 ? size : 0] = '\0';
    return heard;
}

static void test_a_path_is_spoken_to(void **state)
{
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/ek-notify-%ld", (long)getpid());
    int fd = listen_at(path, strlen(path));
    (void)setenv("NOTIFY_SOCKET", path, 1);
    assert_true(ek_notify("READY=1\nSTATUS=well"));
    assert_string_equal(hear(fd), "READY=1\nSTATUS=well");
    (void)unlink(path);
    (void)close(fd);
    assert_false(ek_notify("READY=1")); /* gone: said, and nothing else comes of it */
}

/* Containers give one of these: its name begins with a zero byte and has no other at its end. */
static void test_an_abstract_name_is_spoken_to(void **state)
{
    char name[64];

    (void)state;
    (void)snprintf(name, sizeof(name), "@ek-notify-%ld", (long)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    int fd = listen_at(name, 1 + strlen(name + 1));
    assert_true(ek_notify("STOPPING=1"));
    assert_string_equal(hear(fd), "STOPPING=1");
    (void)close(fd);
}

static void test_nobody_to_be_told(void **state)
{
    char overlong[200];

    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    assert_false(ek_notify("READY=1"));
    memset(overlong, 'a', sizeof(overlong) - 1);
    overlong[sizeof(overlong) - 1] = '\0';
    overlong[0] = '/';
    (void)setenv("NOTIFY_SOCKET", overlong, 1);
    assert_false(ek_notify("READY=1"));
    (void)setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    assert_false(ek_notify("READY=1"));
}

/* A service manager that stands still fills its socket: what does not fit is lost, and the daemon
 * goes on. */
static void test_a_full_socket_does_not_hold_us_up(void **state)
{
    char path[64];
    int sent = 0;

    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/ek-notify-%ld", (long)getpid());
    int fd = listen_at(path, strlen(path));
    (void)setenv("NOTIFY_SOCKET", path, 1);
    while (sent < 100000 && ek_notify("STATUS=again")) {
        sent++;
    }
    assert_in_range(sent, 1, 99999);
    (void)unlink(path);
    (void)close(fd);
}

static void test_the_watchdog_may_mean_another_process(void **state)
{
    char pid[32];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    (void)setenv("WATCHDOG_USEC", "180000000", 1);
    assert_int_equal(ek_notify_watchdog_ms(), 180000);
    (void)setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(ek_notify_watchdog_ms(), 180000);
    (void)setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(ek_notify_watchdog_ms(), 0);
    (void)unsetenv("WATCHDOG_PID");
    (void)setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(ek_notify_watchdog_ms(), 0);
    (void)unsetenv("WATCHDOG_USEC");
    assert_int_equal(ek_notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_is_spoken_to),
        cmocka_unit_test(test_an_abstract_name_is_spoken_to),
        cmocka_unit_test(test_nobody_to_be_told),
        cmocka_unit_test(test_a_full_socket_does_not_hold_us_up),
        cmocka_unit_test(test_the_watchdog_may_mean_another_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
