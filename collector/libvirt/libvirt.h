/* The collector's port over libvirt: one connection per host, used for statistics and for the
 * events that hint at migrations. */
#ifndef EK_COLLECTOR_LIBVIRT_H
#define EK_COLLECTOR_LIBVIRT_H

#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"
#include "collector/port.h"

struct ek_collector;

struct ek_collector_host {
    const char *name;
    const char *uri;
};

struct ek_collector_config {
    const struct ek_collector_host *hosts; /* copied */
    size_t host_count;
    int connect_timeout_ms; /* of the probe before each new connection */
    int64_t dirty_every_ms; /* how often a domain's dirty rate is measured at most; 0: never */
};

/* Starts libvirt's events; connections are opened by the first read of each host and after every
 * failure. Errors: NOMEM, and those of ek_libvirt_events_start. The caller owns the result. */
struct ek_collector *ek_collector_create(const struct ek_collector_config *config,
                                         struct ek_error *err);

/* Its port, valid as long as the collector. Errors of `read`: those of ek_libvirt_open and
 * ek_libvirt_error; after one, the connection is closed. */
struct ek_collector_port ek_collector_port(struct ek_collector *collector);

/* Whether the dirty rates of that host's domains are to be measured from now on; at first they are
 * not. From any thread. */
void ek_collector_measure(struct ek_collector *collector, size_t host, bool wanted);

/* Closes the connections, many at once, and frees; takes NULL. Waits two seconds at most for hosts
 * that do not answer: what is theirs is freed later, or with the process. No read may be under way:
 * this is what fits ek_pool_config.release. */
void ek_collector_destroy(void *collector);

#endif
