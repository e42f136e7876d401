/* What a host is rather than does, for people: hypervisor, networks, NUMA cells, storage pools. */
#ifndef EK_TOOLS_HOST_FACTS_H
#define EK_TOOLS_HOST_FACTS_H

#include "balancer/core/snapshot.h"

#include <stdio.h>

/* Prints what is known, each part after an empty line; nothing of a host that was never seen.
 * False: out of memory, which is said on standard error. */
bool ek_host_facts_print(const struct ek_host *host, FILE *out);

#endif
