/* The referee of a simulation: what the hosts really bore, from the ground truth alone.
 *
 * It reads every domain's CPU counter at each interval's end, so that its figures are exact means
 * of the interval: no sample, no noise, nothing of what the balancer believes. A domain counts for
 * the interval where it runs at its end. Where more CPU is wanted than a host has, everybody there
 * goes short by the same part. */
#ifndef EK_SIM_METER_H
#define EK_SIM_METER_H

#include "balancer/sim/cluster.h"

/* One host in one interval. */
struct ek_meter_host {
    bool on;
    uint32_t domains; /* that run there */
    double cpu_cores; /* that the host has; 0: off */
    double cpu_wanted;
    double memory_mib;
    double memory_used_mib; /* resident, with the host's own */
};

/* One domain over the whole run. */
struct ek_meter_domain {
    double cpu_core_ms; /* as its counter was read last */
    double short_ms;    /* of its time, the part that it wanted CPU and had none: as if it had stood
                           still for so long */
    double wanted;      /* cores, in this interval */
    uint32_t host;      /* where it runs; EK_NONE: nowhere */
};

/* All hosts in one interval. Utilization is use over capacity, 0..1 but for `wanted`. */
struct ek_meter_point {
    int64_t at_ms; /* the interval's end, since the simulation's beginning */
    double cpu_mean;
    double cpu_most;      /* wanted, so that it may exceed 1 */
    double cpu_imbalance; /* standard deviation over the hosts that are on */
    double memory_mean;
    double memory_most;
    double memory_imbalance;
    uint32_t on;         /* hosts */
    uint32_t used;       /* with a domain on them */
    uint32_t overloaded; /* above a target, in CPU or memory */
    uint32_t full;       /* with all of their CPU in use */
    uint32_t moves;      /* that were done in the interval */
    double moved_mib;    /* by all migrations in the interval */
};

struct ek_meter {
    struct ek_sim_cluster *cluster; /* borrowed */
    double target_cpu;              /* above that a host is overloaded, 0..1 of its capacity */
    double target_memory;
    struct ek_meter_host *hosts;
    size_t host_count;
    struct ek_meter_domain *domains;
    size_t domain_count;
    int64_t read_ms; /* of the newest reading */
};

/* Reads the counters as they are now. All hosts and domains are there already. Error: NOMEM. */
bool ek_meter_init(struct ek_meter *meter, struct ek_sim_cluster *cluster, double target_cpu,
                   double target_memory, struct ek_error *err);
void ek_meter_finish(struct ek_meter *meter);

/* The interval since the reading before ends now: fills `hosts` and `domains` anew, and the point
 * but for its moves. Some time must have passed. O(hosts + domains). */
void ek_meter_read(struct ek_meter *meter, struct ek_meter_point *point);

#endif
