/* Where the HTTP endpoint listens. */
#include "balancer/config/syntax.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool ek_listen_parse(const char *text, char address[EK_ADDRESS_SIZE], int *port, bool *loopback)
{
    struct in_addr v4;
    struct in6_addr v6;

    *port = EK_HTTP_PORT;
    *loopback = false;
    const char *rest = ek_syntax_host_port(text, address, EK_ADDRESS_SIZE, port);
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    if (text[0] == '[') {
        /* A zone is nothing that inet_pton() takes: link-local addresses are refused. */
        *loopback = inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
        return inet_pton(AF_INET6, address, &v6) == 1;
    }
    if (inet_pton(AF_INET, address, &v4) != 1) {
        return false;
    }
    *loopback = (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
    return true;
}

bool ek_syntax_listen(const char *text)
{
    char address[EK_ADDRESS_SIZE];
    int port;
    bool loopback;

    return ek_listen_parse(text, address, &port, &loopback);
}
