/* Where a libvirt URI leads over the network, and whether something listens there. */
#ifndef EK_COLLECTOR_ENDPOINT_H
#define EK_COLLECTOR_ENDPOINT_H

#include "balancer/core/error.h"

#include <stdint.h>

struct ek_endpoint {
    bool remote;    /* false: a local URI, the rest is empty */
    bool ssh;       /* the host may be an alias from ssh's own configuration */
    char host[256]; /* name or address, IPv6 without brackets */
    uint16_t port;
};

/* Takes a libvirt URI apart: "qemu+tcp://host[:port]/system" and likewise tls, ssh, libssh,
 * libssh2. Default ports: 16509, 16514, 22. Without "+transport" a URI with a host is tls, one
 * without is local; a transport without a host means localhost. Errors: INVALID, naming the URI. */
bool ek_endpoint_parse(struct ek_endpoint *out, const char *uri, struct ek_error *err);

/* Opens a TCP connection to the URI's host and closes it again; at once true for local URIs.
 * libvirt's own open has no timeout and needs about 39 s to notice that a host is gone. All
 * addresses of a name are tried, each with an equal share of what is left of `timeout_ms`; the
 * resolver's own time is not counted. With ssh, a name that does not resolve is accepted:
 * ssh_config may know it. Errors: INVALID; UNAVAILABLE (refused, no route, name not known),
 * TIMEOUT. */
bool ek_libvirt_probe(const char *uri, int timeout_ms, struct ek_error *err);

/* Tries a TCP port of a host in the same way: 0 when something listens there, else the errno that
 * ended the attempt, ETIMEDOUT without an answer, or -1 when the name is not known. */
int ek_port_try(const char *host, uint16_t port, int timeout_ms);

/* Whether something listens there. */
bool ek_port_answers(const char *host, uint16_t port, int timeout_ms);

/* Takes the host out of a migration URI, "tcp://ADDRESS[:PORT]"; without a port it is 0. Error:
 * INVALID, naming the URI. */
bool ek_migration_uri_parse(struct ek_endpoint *out, const char *uri, struct ek_error *err);

/* Whether a name resolves here, and whether all that it resolves to is this machine's loopback. */
bool ek_name_resolves(const char *host, bool *loopback);

#endif
