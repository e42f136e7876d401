/* The hypervisor's port over libvirt 9.0 (docs/migrator.md).
 *
 * Migrations are peer to peer: the source's libvirtd reaches the destination's by the same URI that
 * we use, so it must name a host. Each migrate call has a connection of its own. All other calls
 * borrow one of their host's control connections: the idle one as a rule, another while that hangs,
 * so that a hung call holds up nothing but itself; no lock is held during a call of libvirt. Calls
 * have no time limit here (the executor gives them up), but connecting has one, and keepalive ends
 * connections to hosts that died. */
#ifndef EK_MIGRATOR_LIBVIRT_H
#define EK_MIGRATOR_LIBVIRT_H

#include "balancer/core/error.h"
#include "migrator/hypervisor.h"

#include <stddef.h>

struct ek_libvirt_port;

struct ek_libvirt_host {
    const char *name;
    const char *uri; /* e.g. "qemu+tls://h1.example/system" */
    const char
        *migration_uri; /* where guests' memory goes: "tcp://10.0.1.7"; NULL: libvirt's choice */
};

/* Remembers the hosts (copied), connects to none yet; starts libvirt's event loop. `connect_ms`
 * limits the probe of a host's port before each new connection; a call that has not come to its
 * effect within `fresh_ms` has none (see ek_move_timing). NULL on error: NOMEM, INVALID (a
 * URI or a name that cannot be: says which), REMOTE (libvirt does not start). */
struct ek_libvirt_port *ek_libvirt_port_create(const struct ek_libvirt_host *hosts, size_t count,
                                               int connect_ms, int64_t fresh_ms,
                                               struct ek_error *err);

/* Replaces the list, e.g. after a reload. Moves that run keep the hosts that they know. Errors as
 * above; on error the old list stays. Thread-safe. */
bool ek_libvirt_port_set_hosts(struct ek_libvirt_port *port, const struct ek_libvirt_host *hosts,
                               size_t count, struct ek_error *err);

/* What of a host's memory (0..1) arrivals must leave free; 0 at first. Thread-safe. */
void ek_libvirt_port_set_reserve(struct ek_libvirt_port *port, double ratio);

/* Whether QEMU may be asked to sample what guests write when their migration begins; at first it is
 * not. Thread-safe. */
void ek_libvirt_port_set_sampling(struct ek_libvirt_port *port, bool samples);

/* The port's calls; owned by the port. */
const struct ek_hypervisor *ek_libvirt_port_hypervisor(struct ek_libvirt_port *port);

/* Closes what is idle and frees. Only when no call is out: see ek_executor_shutdown. NULL is fine.
 */
void ek_libvirt_port_destroy(struct ek_libvirt_port *port);

#endif
