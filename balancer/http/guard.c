#include "balancer/http/guard.h"

#include "balancer/config/syntax.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_address(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

bool ek_guard_host(const char *host, struct ek_strings names)
{
    char name[256];
    int port = 0;
    const char *rest = host == NULL ? NULL : ek_syntax_host_port(host, name, sizeof(name), &port);

    if (rest == NULL || *rest != '\0') {
        return false;
    }
    /* The port is not compared: whoever comes through a tunnel asks for that of its other end. */
    if (is_address(name) || strcasecmp(name, "localhost") == 0) {
        return true;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strcasecmp(name, names.items[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool ek_guard_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://";

    /* https: a proxy that passes our name on speaks TLS to the browser. */
    return (strncasecmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
            strcasecmp(origin + sizeof(scheme) - 1, host) == 0) ||
           (strncasecmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0);
}

bool ek_guard_token(const char *authorization, const char *token)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof(scheme) - 1;

    if (authorization == NULL || token == NULL || strncasecmp(authorization, scheme, skip) != 0) {
        return false;
    }
    const char *given = authorization + skip;
    size_t given_size = strlen(given);
    size_t size = strlen(token);
    /* All that was given is looked at, whatever differs first; the token is not empty. */
    unsigned char different = given_size != size;
    for (size_t i = 0; i < given_size; i++) {
        different |= (unsigned char)(given[i] ^ token[i % size]);
    }
    return different == 0;
}

bool ek_guard_type(const char *type)
{
    static const char json[] = "application/json";

    if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0) {
        return false;
    }
    const char *rest = type + sizeof(json) - 1;
    return *rest == '\0' || *rest == ';' || *rest == ' ';
}
