/* What of a libvirt URI matters before libvirt is asked: whether it goes over the network, and
 * where to. */
#ifndef EK_MIGRATOR_URI_H
#define EK_MIGRATOR_URI_H

#include "balancer/core/error.h"

#include <stdbool.h>

struct ek_uri_target {
    bool remote; /* false: this machine, nothing to probe */
    char host[256];
    char port[6];
};

/* Reads "driver[+transport]://[user@][host][:port]/...". A host in brackets is an IPv6 address;
 * without a transport a host means TLS. Ports default to 16509 (tcp), 16514 (tls), 22 (ssh and its
 * variants). Error: INVALID. */
bool ek_uri_parse(const char *uri, struct ek_uri_target *out, struct ek_error *err);

#endif
