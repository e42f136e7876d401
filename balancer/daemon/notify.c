#include "balancer/daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/path", or "@name" of Linux's abstract sockets, which begin with a zero byte and are as long as
 * they are told to be. False: neither, or too long. */
static bool read_address(const char *name, struct sockaddr_un *address, socklen_t *size)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(address->sun_path)) {
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, length);
    if (name[0] == '@') {
        address->sun_path[0] = '\0';
    }
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

bool ek_notify(const char *words)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size = 0;

    if (name == NULL || !read_address(name, &address, &size)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    size_t length = strlen(words);
    ssize_t sent = sendto(fd, words, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, size);
    (void)close(fd);
    return sent == (ssize_t)length;
}

/* A number of the environment, 0 when it is absent or none. */
static long long number(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;

    errno = 0;
    long long value = text == NULL ? 0 : strtoll(text, &end, 10);
    return text == NULL || end == text || *end != '\0' || errno != 0 || value < 0 ? 0 : value;
}

int64_t ek_notify_watchdog_ms(void)
{
    long long pid = number("WATCHDOG_PID");

    return pid != 0 && pid != (long long)getpid() ? 0 : number("WATCHDOG_USEC") / 1000;
}
