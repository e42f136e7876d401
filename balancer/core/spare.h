/* Spare capacity: whether the guests of lost hosts would find room on those that remain
 * (capacity.spare_hosts). */
#ifndef EK_CORE_SPARE_H
#define EK_CORE_SPARE_H

#include "balancer/core/cluster.h"

/* Scratch for many questions about one model. */
struct ek_spare_guest {
    double memory_mib;
    double vcpus;
    uint32_t domain;
};

struct ek_spare {
    const struct ek_cluster *cluster; /* borrowed; asked as it is then */
    uint32_t *hosts;
    bool *lost; /* per host, as the next two */
    double *memory_room;
    double *vcpu_room;
    struct ek_spare_guest *guests;
};

/* Takes memory from the cluster's arena. Error: NOMEM. */
bool ek_spare_init(struct ek_spare *spare, struct ek_cluster *cluster, struct ek_error *err);

/* Whether the loss of the `count` hosts with most allocated memory, and that of those with most
 * vCPUs, could be borne: all their guests, the largest first, fit on the other hosts by configured
 * memory and vCPUs (docs/planner.md, what must hold), each on the host with most memory left.
 * Rules and targets do not count: after a loss they give way first. Hosts that do not count, that
 * are `closed` (NULL: none) or, with `only_used`, that hold nobody, are neither lost nor take
 * anybody in. A count of 0 is always borne. O(domains + guests * hosts). */
bool ek_spare_bears(struct ek_spare *spare, size_t count, const bool *closed, bool only_used);

#endif
