/* What a host is: hypervisor, CPU model, UUID, networks and storages, asked over libvirt. */
#ifndef EK_COLLECTOR_HOST_FACTS_H
#define EK_COLLECTOR_HOST_FACTS_H

#include "balancer/core/error.h"
#include "collector/libvirt/lookout.h"
#include "collector/sampling/reading.h"
#include "collector/xml/host_xml.h"

#include <libvirt/libvirt.h>

/* Zero-initialised: empty. Owns its strings through the arena. */
struct ek_host_survey {
    struct ek_host_facts facts; /* go into each reading */
    double cpu_cores;           /* ek_node_cpu_cores() */
    int64_t due_at;             /* which of the host's reads asks for all of it again ... */
    int64_t told_due_at;        /* ... and from which on what the lookout was told of may be */
    struct ek_arena arena;
};

/* Reads all of it anew; half a dozen calls, so not for every tick. Networks are the active libvirt
 * networks, their bridges, and the host's active interfaces as far as libvirt has a driver for
 * them; a list whose driver is absent or refuses is not given. On failure *survey is as before.
 * Errors: as ek_libvirt_error, NOMEM. */
bool ek_host_survey_read(struct ek_host_survey *survey, virConnectPtr connection, const char *uri,
                         struct ek_error *err);

/* Keeps it fresh, at the host's read of that number: all of it when it is due, which is each 20th
 * read (EK_FACTS_EVERY_READS), and networks or pools alone when the lookout was told of them since
 * they were asked for. That happens at most at each 4th read: a program that refreshes pools all
 * the time is to cost no call per read. Errors: as above. */
bool ek_host_survey_refresh(struct ek_host_survey *survey, virConnectPtr connection,
                            const char *uri, int64_t reads, struct ek_lookout *lookout,
                            struct ek_error *err);

void ek_host_survey_finish(struct ek_host_survey *survey);

#endif
