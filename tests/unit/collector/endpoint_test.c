/* Laws of URIs, probes and connections, over the loopback and libvirt's test driver. */
#include "collector/clock.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/events.h"
#include "collector/libvirt/handles.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct ek_error err;

static void descriptor_release(int *fd)
{
    (void)close(*fd);
}

#define SCOPED_FD EK_SCOPED(descriptor_release)

/* A listener on a free port of 127.0.0.1; *port tells which. */
static int listener(uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static bool probe(const char *format, uint16_t port, int timeout_ms)
{
    char uri[128];

    (void)snprintf(uri, sizeof(uri), "%s:%u/system", format, (unsigned int)port);
    return ek_libvirt_probe(uri, timeout_ms, &err);
}

static void expect_endpoint(const char *uri, bool remote, const char *host, uint16_t port)
{
    struct ek_endpoint end;

    assert_true(ek_endpoint_parse(&end, uri, &err));
    assert_int_equal(end.remote, remote);
    assert_string_equal(end.host, host);
    assert_int_equal(end.port, port);
}

/* Each transport has its port; the URI's own wins; user, path and parameters do not matter. */
static void test_uris_are_taken_apart(void **state)
{
    (void)state;
    expect_endpoint("qemu+tcp://h1/system", true, "h1", 16509);
    expect_endpoint("qemu://h1.example/system?no_verify=1", true, "h1.example", 16514);
    expect_endpoint("qemu+tls://h1:1234/system", true, "h1", 1234);
    expect_endpoint("qemu+ssh://root@h1/system?keyfile=/k", true, "h1", 22);
    expect_endpoint("qemu+libssh2://h1/system", true, "h1", 22);
    expect_endpoint("qemu+tcp://[fe80::1]:77/system", true, "fe80::1", 77);
    expect_endpoint("qemu+tcp:///system", true, "localhost", 16509);
    expect_endpoint("qemu:///system", false, "", 0);
    expect_endpoint("qemu+unix:///system?socket=/run/x", false, "", 0);
    expect_endpoint("test:///default", false, "", 0);
}

/* What is no URI is refused, by name. */
static void test_bad_uris_are_refused(void **state)
{
    struct ek_endpoint end;

    (void)state;
    assert_false(ek_endpoint_parse(&end, "h1", &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_string_equal(err.message, "h1: found no URI, expected one like qemu+tls://host/system");
    assert_false(ek_endpoint_parse(&end, "qemu+tcp://h1:70000/system", &err));
    assert_non_null(strstr(err.message, "found port 70000"));
}

/* A port that listens is reached, by address and by name. */
static void test_listener_is_reached(void **state)
{
    uint16_t port = 0;
    SCOPED_FD int fd = listener(&port, 8);

    (void)state;
    assert_true(fd >= 0);
    assert_true(probe("qemu+tcp://127.0.0.1", port, 2000));
    assert_true(probe("qemu+tls://localhost", port, 2000));
    assert_true(probe("qemu+ssh://127.0.0.1", port, 2000));
}

/* A port where nothing listens is refused at once, and the error says where and why in one line. */
static void test_closed_port_is_unavailable(void **state)
{
    uint16_t port = 0;
    char wanted[128];
    int64_t before_ns = ek_monotonic_ns();

    (void)state;
    (void)close(listener(&port, 1));
    assert_false(probe("qemu+tcp://127.0.0.1", port, 30000));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    (void)snprintf(wanted, sizeof(wanted),
                   "qemu+tcp://127.0.0.1:%u/system: cannot reach 127.0.0.1 port %u: "
                   "Connection refused",
                   (unsigned int)port, (unsigned int)port);
    assert_string_equal(err.message, wanted);
    assert_true(ek_monotonic_ns() - before_ns < 10 * EK_NS_PER_S);
}

/* A host that answers nothing costs the timeout and no more: here a listener with a full backlog,
 * whose kernel drops what else comes. */
static void test_silence_times_out(void **state)
{
    uint16_t port = 0;
    SCOPED_FD int fd = listener(&port, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fillers[4];

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(fcntl(fillers[i], F_SETFL, O_NONBLOCK), 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    int64_t before_ns = ek_monotonic_ns();
    assert_false(probe("qemu+tcp://127.0.0.1", port, 200));
    int64_t elapsed_ns = ek_monotonic_ns() - before_ns;
    assert_int_equal(err.code, EK_ERR_TIMEOUT);
    assert_true(elapsed_ns >= 200 * EK_NS_PER_MS && elapsed_ns < 5 * EK_NS_PER_S);
    for (size_t i = 0; i < 4; i++) {
        (void)close(fillers[i]);
    }
}

/* A name that nothing resolves is an error, but for ssh, whose own configuration may know it. */
static void test_unknown_names(void **state)
{
    (void)state;
    assert_false(ek_libvirt_probe("qemu+tcp://no..such/system", 1000, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "cannot resolve host no..such"));
    assert_true(ek_libvirt_probe("qemu+ssh://no..such/system", 1000, &err));
}

/* Local URIs are not probed at all. */
static void test_local_uris_are_not_probed(void **state)
{
    (void)state;
    assert_true(ek_libvirt_probe("qemu:///system", 0, &err));
}

/* A driver inside the client opens although it knows no keepalive. */
static void test_open_without_keepalive(void **state)
{
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("test:///default", 100, &err);

    (void)state;
    assert_non_null(connection);
    assert_string_equal(virConnectGetType(connection), "TEST");
}

/* libvirt's own message comes with the URI before it, in one line. */
static void test_open_names_the_uri(void **state)
{
    static const char prefix[] = "nosuch:///system: cannot connect: ";
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("nosuch:///system", 100, &err);

    (void)state;
    assert_null(connection);
    assert_ptr_equal(strstr(err.message, prefix), err.message);
    assert_true(strlen(err.message) > strlen(prefix));
    assert_null(strchr(err.message, '\n'));
}

/* What is asked of a domain that is gone is "not found", not a broken host. */
static void test_missing_domain_is_not_found(void **state)
{
    EK_SCOPED_CONNECT virConnectPtr connection = ek_libvirt_open("test:///default", 100, &err);
    EK_SCOPED_DOMAIN virDomainPtr domain = virDomainLookupByName(connection, "nobody");

    (void)state;
    assert_null(domain);
    assert_false(ek_libvirt_error(&err, "test:///default", "cannot find a domain"));
    assert_int_equal(err.code, EK_ERR_NOT_FOUND);
}

/* The loop can be started twice at no harm, and again after it was stopped. */
static void test_events_start_and_stop(void **state)
{
    (void)state;
    assert_true(ek_libvirt_events_start(&err));
    ek_libvirt_events_stop();
    ek_libvirt_events_stop();
    assert_true(ek_libvirt_events_start(&err));
}

static int start_events(void **state)
{
    (void)state;
    return ek_libvirt_events_start(&err) ? 0 : -1;
}

static int stop_events(void **state)
{
    (void)state;
    ek_libvirt_events_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uris_are_taken_apart),
        cmocka_unit_test(test_bad_uris_are_refused),
        cmocka_unit_test(test_listener_is_reached),
        cmocka_unit_test(test_closed_port_is_unavailable),
        cmocka_unit_test(test_silence_times_out),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_local_uris_are_not_probed),
        cmocka_unit_test(test_open_without_keepalive),
        cmocka_unit_test(test_open_names_the_uri),
        cmocka_unit_test(test_missing_domain_is_not_found),
        cmocka_unit_test(test_events_start_and_stop),
    };

    return cmocka_run_group_tests(tests, start_events, stop_events);
}
