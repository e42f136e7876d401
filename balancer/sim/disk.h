/* Files of disks on the hosts' own storage: overlays, one per host that holds one, over a base that
 * every host with an overlay has. What is in a file is not simulated: only where files are. */
#ifndef EK_SIM_DISK_H
#define EK_SIM_DISK_H

#include "balancer/sim/hypervisor_internal.h"

/* Adds a file of the domain's disk to the host's storage, and its base; false: no room for it. */
bool ek_sim_disk_put(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

/* Takes it away; nothing happens when there is none. */
void ek_sim_disk_take(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

bool ek_sim_disk_is_on(const struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

/* What the port's calls do about disks; each fails the reply where the real one would. */
void ek_sim_disk_find(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                      struct ek_sim_reply *reply);
void ek_sim_disk_prepare(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                         struct ek_sim_reply *reply);
void ek_sim_disk_unprepare(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                           struct ek_sim_reply *reply);
void ek_sim_disk_post(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                      struct ek_sim_reply *reply);

/* Removes the file that a move left on that host, unless the domain is back there; false: the host
 * cannot be reached now. */
bool ek_sim_disk_discard(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

#endif
