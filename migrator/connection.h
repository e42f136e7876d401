/* Connections to one host: borrowed for one call, by one thread at a time.
 *
 * libvirt allows several threads on one connection, but a hung call would then share its fate,
 * and 9.0 has a use-after-free race there (CVE-2024-4418). So a call takes the idle connection or
 * opens another; what is idle beyond EK_HOST_IDLE is closed. At most EK_HOST_BUSY are lent at once:
 * a host where that many hang is away. */
#ifndef EK_MIGRATOR_CONNECTION_H
#define EK_MIGRATOR_CONNECTION_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"
#include "collector/libvirt/endpoint.h"
#include "migrator/libvirt.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdbool.h>

enum { EK_HOST_IDLE = 2, EK_HOST_BUSY = 16 };

struct ek_host_link {
    char name[EK_NAME_SIZE];
    char uri[512];
    char migration_uri[256]; /* "": libvirt's choice */
    struct ek_endpoint endpoint;
    int connect_ms;
    bool listed; /* guarded by the port: still in the list of hosts */
    struct ek_host_link *next;

    pthread_mutex_t mutex; /* of what follows; held for moments */
    virConnectPtr idle[EK_HOST_IDLE];
    int idle_count;
    int busy;
};

/* A link to the described host, without a connection. NULL: NOMEM, INVALID. */
struct ek_host_link *ek_host_link_create(const struct ek_libvirt_host *host, int connect_ms,
                                         struct ek_error *err);

/* Closes what is idle. Nothing may be lent. */
void ek_host_link_destroy(struct ek_host_link *link);

/* A new connection that is not one of the lent ones; the caller closes it. Errors as of
 * ek_libvirt_open. */
virConnectPtr ek_host_open(struct ek_host_link *link, struct ek_error *err);

/* Lends a living connection; give it back with ek_host_return. Errors as of open. */
virConnectPtr ek_host_borrow(struct ek_host_link *link, struct ek_error *err);
void ek_host_return(struct ek_host_link *link, virConnectPtr connection);

#endif
