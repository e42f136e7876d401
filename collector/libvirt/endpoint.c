/* Which port a libvirt URI means, and whether anybody listens there. libvirt has no time-out for
 * connecting: an address that answers nothing would hold a thread for as long as the kernel repeats
 * its SYN. */
#include "collector/libvirt/endpoint.h"

#include "collector/clock.h"
#include "collector/libvirt/handles.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/uri.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The URI is libvirt's: driver[+transport]://[user@][host][:port]/[path][?parameters]. Ports are
 * those of libvirt's remote driver; "ext" runs a program of the user's and "unix" is local: neither
 * has a port to try. */

/* The first two ports are the defaults of libvirtd.conf; that of ssh is the system's. */
static const struct transport {
    const char *name;
    uint16_t port;
    bool ssh;
} transports[] = {
    {"tcp", 16509, false}, {"tls", 16514, false}, {"ssh", 22, true},
    {"libssh", 22, true},  {"libssh2", 22, true},
};

static void uri_release(xmlURIPtr *uri)
{
    xmlFreeURI(*uri);
}

/* Kept below 0 when there is none: 0 is a descriptor, too. */
static void descriptor_release(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static void addresses_release(struct addrinfo **list)
{
    if (*list != NULL) {
        freeaddrinfo(*list);
    }
}

static const struct transport *transport_find(const char *scheme, bool has_host)
{
    /* As libvirt reads it: a host without a transport means TLS, no host means the local socket. */
    const char *plus = strchr(scheme, '+');
    const char *name = plus != NULL ? plus + 1 : has_host ? "tls" : "unix";

    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strcmp(transports[i].name, name) == 0) {
            return &transports[i];
        }
    }
    return NULL;
}

/* "[::1]" is an address in a URI and "::1" one for the resolver. */
static void copy_host(struct ek_endpoint *out, const char *server)
{
    size_t length = strlen(server);

    if (length > 1 && server[0] == '[' && server[length - 1] == ']') {
        server++;
        length -= 2;
    }
    (void)snprintf(out->host, sizeof(out->host), "%.*s", (int)length, server);
}

bool ek_endpoint_parse(struct ek_endpoint *out, const char *uri, struct ek_error *err)
{
    /* libxml2 parses URIs for libvirt as well: both read the same thing out of odd ones. */
    EK_SCOPED(uri_release) xmlURIPtr parts = xmlParseURI(uri);

    memset(out, 0, sizeof(*out));
    /* Zeroed until the end: an endpoint that is not remote has nothing to be probed. */
    if (parts == NULL || parts->scheme == NULL) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "%s: found no URI, expected one like qemu+tls://host/system", uri);
    }
    bool has_host = parts->server != NULL && parts->server[0] != '\0';
    const struct transport *transport = transport_find(parts->scheme, has_host);
    if (transport == NULL) {
        return true;
    }
    if (parts->port > UINT16_MAX) {
        return ek_error_set(err, EK_ERR_INVALID, "%s: found port %d, expected 1 to 65535", uri,
                            parts->port);
    }
    out->remote = true;
    out->ssh = transport->ssh;
    out->port = parts->port > 0 ? (uint16_t)parts->port : transport->port;
    copy_host(out, has_host ? parts->server : "localhost");
    return true;
}

/* Waits until a connection under way is decided; 0, or its errno. */
static int await_connection(int fd, int64_t deadline_ns)
{
    struct pollfd watched = {.fd = fd, .events = POLLOUT};
    int failure = 0;
    socklen_t length = sizeof(failure);

    for (;;) {
        int64_t left_ns = deadline_ns - ek_monotonic_ns();
        int left_ms = left_ns <= 0 ? 0 : (int)((left_ns + EK_NS_PER_MS - 1) / EK_NS_PER_MS);
        /* POLLERR and POLLHUP come unasked; whether the connection came about is in SO_ERROR, not
         * in the event. */
        int ready = poll(&watched, 1, left_ms);
        if (ready > 0) {
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0 ? errno : failure;
        }
        if (ready == 0) {
            return ETIMEDOUT;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

/* One attempt; 0, or the errno that ended it. */
static int try_address(const struct addrinfo *address, int64_t deadline_ns)
{
    EK_SCOPED(descriptor_release)
    int fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);

    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        return errno;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
        return 0;
    }
    return errno == EINPROGRESS ? await_connection(fd, deadline_ns) : errno;
}

/* In the resolver's order (RFC 6724), which is the one libvirt tries them in, too. */
static int try_addresses(const struct addrinfo *list, int timeout_ms)
{
    int64_t end_ns = ek_monotonic_ns() + timeout_ms * EK_NS_PER_MS;
    int64_t left = 0;
    int failure = 0;

    for (const struct addrinfo *address = list; address != NULL; address = address->ai_next) {
        left++;
    }
    /* Equal shares: an IPv6 address that leads nowhere must not use up what IPv4 would need. */
    for (; list != NULL; list = list->ai_next, left--) {
        int64_t now_ns = ek_monotonic_ns();
        failure = try_address(list, now_ns + (end_ns - now_ns) / left);
        if (failure == 0) {
            return 0;
        }
    }
    return failure;
}

/* getaddrinfo itself has no time-out but the resolver's; its error, or 0. */
static int resolve(const char *host, uint16_t port, struct addrinfo **addresses)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char number[8];

    (void)snprintf(number, sizeof(number), "%u", (unsigned int)port);
    return getaddrinfo(host, number, &wanted, addresses);
}

int ek_port_try(const char *host, uint16_t port, int timeout_ms)
{
    EK_SCOPED(addresses_release) struct addrinfo *addresses = NULL;

    return resolve(host, port, &addresses) == 0 ? try_addresses(addresses, timeout_ms) : -1;
}

bool ek_port_answers(const char *host, uint16_t port, int timeout_ms)
{
    return ek_port_try(host, port, timeout_ms) == 0;
}

bool ek_migration_uri_parse(struct ek_endpoint *out, const char *uri, struct ek_error *err)
{
    EK_SCOPED(uri_release) xmlURIPtr parts = xmlParseURI(uri);

    memset(out, 0, sizeof(*out));
    if (parts == NULL || parts->server == NULL || parts->server[0] == '\0' ||
        parts->port > UINT16_MAX) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "%s: found no migration URI, expected one like tcp://ADDRESS", uri);
    }
    out->remote = true;
    out->port = parts->port > 0 ? (uint16_t)parts->port : 0;
    copy_host(out, parts->server);
    return true;
}

/* 127.0.0.0/8 and ::1, also as an IPv4 address in IPv6. */
static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, address, sizeof(ip4));
        return ntohl(ip4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ip6;
        memcpy(&ip6, address, sizeof(ip6));
        return IN6_IS_ADDR_LOOPBACK(&ip6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&ip6.sin6_addr) &&
                ip6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    }
    return false;
}

bool ek_name_resolves(const char *host, bool *loopback)
{
    EK_SCOPED(addresses_release) struct addrinfo *addresses = NULL;

    *loopback = resolve(host, 0, &addresses) == 0;
    if (!*loopback) {
        return false;
    }
    for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        *loopback = *loopback && is_loopback(at->ai_addr);
    }
    return true;
}

bool ek_libvirt_probe(const char *uri, int timeout_ms, struct ek_error *err)
{
    EK_SCOPED(addresses_release) struct addrinfo *addresses = NULL;
    struct ek_endpoint end;

    if (!ek_endpoint_parse(&end, uri, err)) {
        return false;
    }
    if (!end.remote) {
        return true;
    }
    /* Names of ssh may be aliases from ~/.ssh/config that no resolver knows: then ssh is left to
     * find out. */
    int unresolved = resolve(end.host, end.port, &addresses);
    if (unresolved != 0) {
        return end.ssh || ek_error_set(err, EK_ERR_UNAVAILABLE, "%s: cannot resolve host %s: %s",
                                       uri, end.host, gai_strerror(unresolved));
    }
    int failure = try_addresses(addresses, timeout_ms);
    if (failure == ETIMEDOUT) {
        return ek_error_set(err, EK_ERR_TIMEOUT, "%s: no answer from %s port %u within %d ms", uri,
                            end.host, (unsigned int)end.port, timeout_ms);
    }
    return failure == 0 || ek_error_set(err, EK_ERR_UNAVAILABLE, "%s: cannot reach %s port %u: %s",
                                        uri, end.host, (unsigned int)end.port, strerror(failure));
}
