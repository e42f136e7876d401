/* One connection to a libvirtd: opened with a bound on the time, watched by keepalive.
 *
 * Use one connection per thread and purpose: threads that share one take turns at its socket, and
 * the client library before 10.4 has a race there (CVE-2024-4418). */
#ifndef EK_COLLECTOR_CONNECT_H
#define EK_COLLECTOR_CONNECT_H

#include "balancer/core/error.h"
#include "collector/libvirt/endpoint.h"

#include <libvirt/libvirt.h>

/* Opens a read-write connection: a probe of at most `connect_timeout_ms` (ek_libvirt_probe), then
 * libvirt's own open, then keepalive 5 x 5 s, so that calls on a dead connection end after about 30
 * s. The events must run (ek_libvirt_events_start). Nobody is asked for a password: credentials
 * come from libvirt's auth.conf, certificates or ssh's agent. The open itself has no timeout: a
 * libvirtd that accepts and stays silent holds the calling thread. NULL on error: those of the
 * probe; DENIED (authentication), UNAVAILABLE, REMOTE; the message names the URI. The caller owns
 * the connection: virConnectClose. */
virConnectPtr ek_libvirt_open(const char *uri, int connect_timeout_ms, struct ek_error *err);

/* Writes "uri: what: libvirt's message" in one line from the calling thread's last libvirt error,
 * and the code that fits: DENIED, NOT_FOUND, UNAVAILABLE (the connection broke), TIMEOUT (a lock of
 * the domain was not to be had), NOMEM, else REMOTE. Always returns false. Call it before any other
 * libvirt call of the thread. */
bool ek_libvirt_error(struct ek_error *err, const char *uri, const char *what);

#endif
