#include "migrator/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *transport;
    const char *port; /* NULL: not over the network */
} transports[] = {
    {"tcp", "16509"}, {"tls", "16514"},  {"ssh", "22"},
    {"libssh", "22"}, {"libssh2", "22"}, {"unix", NULL},
};

static bool default_port(const char *transport, size_t length, const char **port)
{
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strlen(transports[i].transport) == length &&
            strncmp(transports[i].transport, transport, length) == 0) {
            *port = transports[i].port;
            return true;
        }
    }
    return false;
}

/* "[::1]:123" or "name:123": cuts `authority` into host and port, both in place. */
static bool cut_host(char *authority, char **host, char **port)
{
    char *colon;

    *port = NULL;
    *host = authority;
    if (*authority == '[') {
        char *end = strchr(authority, ']');

        if (end == NULL) {
            return false;
        }
        *end = '\0';
        *host = authority + 1;
        colon = end + 1;
        if (*colon != '\0' && *colon != ':') {
            return false;
        }
    } else {
        colon = strchr(authority, ':');
    }
    if (colon != NULL && *colon == ':') {
        *colon = '\0';
        *port = colon + 1;
    }
    return true;
}

static bool port_is_valid(const char *port)
{
    char *end;
    long number = strtol(port, &end, 10);

    return *port != '\0' && *end == '\0' && number > 0 && number < 65536;
}

static bool set_target(const char *uri, const char *host, const char *port,
                       struct ek_uri_target *out, struct ek_error *err)
{
    if (!port_is_valid(port) || strlen(host) >= sizeof(out->host)) {
        return ek_error_set(err, EK_ERR_INVALID, "URI %s: expected a host and a port", uri);
    }
    out->remote = true;
    snprintf(out->host, sizeof(out->host), "%s", host);
    snprintf(out->port, sizeof(out->port), "%s", port);
    return true;
}

bool ek_uri_parse(const char *uri, struct ek_uri_target *out, struct ek_error *err)
{
    const char *end = strstr(uri, "://");
    const char *plus = end == NULL ? NULL : memchr(uri, '+', (size_t)(end - uri));
    const char *port = "16514";
    char authority[512];
    char *at, *host, *given;
    int length;

    memset(out, 0, sizeof(*out));
    if (end == NULL || end == uri) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "URI %s: expected e.g. qemu+tls://host.example/system", uri);
    }
    if (plus != NULL && !default_port(plus + 1, (size_t)(end - plus - 1), &port)) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "URI %s: expected the transport tcp, tls, ssh or unix", uri);
    }
    length = (int)strcspn(end + 3, "/?#");
    snprintf(authority, sizeof(authority), "%.*s", length, end + 3);
    at = strrchr(authority, '@');
    if (!cut_host(at == NULL ? authority : at + 1, &host, &given)) {
        return ek_error_set(err, EK_ERR_INVALID, "URI %s: the host's bracket is not closed", uri);
    }
    if (port == NULL || *host == '\0') {
        return true;
    }
    return set_target(uri, host, given == NULL ? port : given, out, err);
}
