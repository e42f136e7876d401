#include "migrator/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 0, or the errno of the connect; ETIMEDOUT when the time is up. */
static int await_connected(int fd, int64_t until_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);
    int ready;

    do {
        int64_t left_ms = until_ms - monotonic_ms();

        ready = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return ready == 0 ? ETIMEDOUT : errno;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static int try_address(const struct addrinfo *address, int64_t until_ms)
{
    int fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    int error = 0;

    if (fd < 0) {
        return errno;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        error = errno;
    } else if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
        error = errno == EINPROGRESS ? await_connected(fd, until_ms) : errno;
    }
    close(fd);
    return error;
}

bool ek_probe(const struct ek_uri_target *target, int timeout_ms, struct ek_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int64_t until_ms = monotonic_ms() + timeout_ms;
    int error;

    if (!target->remote) {
        return true;
    }
    error = getaddrinfo(target->host, target->port, &hints, &list);
    if (error != 0) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "%s: %s", target->host, gai_strerror(error));
    }
    error = EHOSTUNREACH;
    for (const struct addrinfo *at = list; at != NULL && error != 0; at = at->ai_next) {
        error = try_address(at, until_ms);
    }
    freeaddrinfo(list);
    return error == 0 || ek_error_set(err, error == ETIMEDOUT ? EK_ERR_TIMEOUT : EK_ERR_UNAVAILABLE,
                                      "%s:%s: %s", target->host, target->port, strerror(error));
}
