/* What a host is: hypervisor, CPU model, UUID, networks and storages, asked over libvirt. */
#ifndef EK_COLLECTOR_HOST_FACTS_H
#define EK_COLLECTOR_HOST_FACTS_H

#include "balancer/core/error.h"
#include "collector/host_xml.h"
#include "collector/reading.h"

#include <libvirt/libvirt.h>

/* Zero-initialised: empty. Owns its strings through the arena. */
struct ek_host_survey {
    struct ek_host_facts facts;    /* go into each reading */
    struct ek_storage_pools pools; /* to find the pool that a disk lies in */
    double cpu_cores;              /* ek_node_cpu_cores() */
    struct ek_arena arena;
};

/* Reads all of it anew; half a dozen calls, so not for every tick. Networks are the active libvirt
 * networks, their bridges, and the host's active interfaces as far as libvirt has a driver for
 * them; a list whose driver is absent or refuses is not given. On failure *survey is as before.
 * Errors: as ek_libvirt_error, NOMEM. */
bool ek_host_survey_read(struct ek_host_survey *survey, virConnectPtr connection, const char *uri,
                         struct ek_error *err);

void ek_host_survey_finish(struct ek_host_survey *survey);

#endif
