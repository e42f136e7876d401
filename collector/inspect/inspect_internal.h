/* What the doctor's look at one host is made of. */
#ifndef EK_COLLECTOR_INSPECT_INTERNAL_H
#define EK_COLLECTOR_INSPECT_INTERNAL_H

#include "collector/inspect/inspect.h"
#include "collector/libvirt/endpoint.h"

#include <libvirt/libvirt.h>

/* Looks at one host: connects (a probe of `timeout_ms` first), reads what it is and offers, and the
 * XML of every running domain, and tries ports. Error: NOMEM; then nothing is left to free. */
bool ek_inspect_host(struct ek_inspection *out, const struct ek_inspect_order *order,
                     int timeout_ms, struct ek_error *err);

void ek_inspection_finish(struct ek_inspection *inspection);

/* Pools, networks, filters, and the host's network devices. What the host does not list is not
 * seen. Error: NOMEM. */
bool ek_inspect_offers(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err);

/* Where it is told that guests are to be sent, and whether the ports there are reached from here.
 * Error: NOMEM. */
bool ek_inspect_arrivals(struct ek_inspection *out, const struct ek_endpoint *end,
                         const char *migration_uri, struct ek_error *err);

#endif
