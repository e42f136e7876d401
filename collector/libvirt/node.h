/* A host's own figures over libvirt: CPU counters, memory, number of CPUs. */
#ifndef EK_COLLECTOR_NODE_H
#define EK_COLLECTOR_NODE_H

#include "balancer/core/error.h"
#include "collector/sampling/reading.h"

#include <libvirt/libvirt.h>

/* How many CPUs virNodeGetCPUStats counts together, into *cores. On an ordinary host this is the
 * number of CPUs online; where libvirtd itself lives under a quota (a container with lxcfs)
 * virNodeGetInfo and the CPU map still say the machine's number, while the statistics know fewer
 * CPUs. Errors: as ek_libvirt_error. */
bool ek_node_cpu_cores(virConnectPtr connection, const char *uri, double *cores,
                       struct ek_error *err);

/* Sets cpu, memory_mib and memory_used_mib; two quick calls, served even by a busy libvirtd. */
bool ek_node_read(virConnectPtr connection, const char *uri, struct ek_reading *reading,
                  struct ek_error *err);

#endif
