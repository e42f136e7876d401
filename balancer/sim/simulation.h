/* A stretch of a cluster's life under one policy, and what came of it: what `evenkeel simulate`
 * runs once, and a comparison of policies once for each.
 *
 * World (world.h) and referee (meter.h) are made of what is given, virtual time passes, and the
 * result is counted from the ground truth. The same simulation and policy give the same result to
 * the byte. The policy acts whatever its mode says. */
#ifndef EK_SIM_SIMULATION_H
#define EK_SIM_SIMULATION_H

#include "balancer/sim/meter.h"
#include "balancer/sim/world.h"

/* All that is pointed to is borrowed while ek_simulate() runs. Times are milliseconds since the
 * simulation's beginning. */
struct ek_simulation {
    uint64_t seed;
    int64_t begin_ms; /* virtual Unix milliseconds */
    int64_t duration_ms;
    int64_t cycle_ms; /* of engine and collector; the referee's interval */
    double noise;     /* relative standard deviation of sampled CPU rates */

    const struct ek_sim_host_spec *hosts;
    size_t host_count;
    const struct ek_sim_domain_spec *domains; /* `host` is an index of `hosts` */
    size_t domain_count;
    const struct ek_load *load; /* of all domains, by their indices; NULL: what each says */

    const struct ek_world_fault *faults;
    size_t fault_count;
    int64_t restart_ms; /* as of ek_world_options */

    double target_cpu;    /* what counts as overload, 0..1 of capacity; NAN: the policy's, so that
                             results of two policies with limits of their own cannot be compared */
    double target_memory; /* likewise */
    double imbalance;     /* what counts as imbalanced: standard deviation of utilization, 0..0.5 */
    int64_t flap_ms;      /* a domain that comes back to a host within this flaps */

    /* Called at the end of each interval, for progress and for whoever keeps more; NULL: nobody is.
     */
    void (*tick)(void *context, const struct ek_meter *meter, const struct ek_meter_point *point);
    void *context;
};

struct ek_simulation_move {
    int64_t at_ms;
    uint32_t domain; /* index of the simulation's domains, hosts likewise */
    uint32_t source;
    uint32_t destination;
    bool back; /* to a host that it left within flap_ms */
};

struct ek_simulation_domain {
    uint32_t domain; /* EK_NONE: no domain went short */
    double short_h;  /* of its time, the part in which it wanted CPU and had none */
    double down_h;   /* it did not run at all: crashes, and the instants of moves */
    uint32_t moves;
    uint32_t flaps;
};

struct ek_simulation_result {
    struct ek_world_counters counters;
    uint64_t digest; /* of all that happened (ek_world_digest) */
    struct ek_meter_point *points;
    size_t point_count;
    struct ek_simulation_move *moves; /* that were done, in the order of their ends */
    size_t move_count;
    double days; /* that were simulated */

    double on_h;          /* host-hours */
    double used_h;        /* with a domain */
    double overload_h;    /* above a target */
    double full_h;        /* with all CPU in use */
    double imbalance_h;   /* hours in which CPU or memory was imbalanced */
    double cpu_imbalance; /* mean standard deviation of utilization over hosts */
    double memory_imbalance;
    double moved_mib; /* by all migrations */
    uint64_t failed;  /* moves that ended in another way than done, cancelled or the guest off */
    uint64_t flaps;
    double short_h;                    /* domain-hours */
    double down_h;                     /* domain-hours */
    struct ek_simulation_domain worst; /* that went short for longest; of equals the first */
};

/* A week from a Monday's midnight on: seed 1, cycles of a minute, 2 % noise, the policy's targets,
 * an imbalance of 0.10, two hours for a flap, crashed guests start anew after 10 minutes. No hosts.
 */
void ek_simulation_defaults(struct ek_simulation *simulation);

/* Runs it. The caller owns the result (ek_simulation_finish), which is written on success only.
 * Errors: NOMEM; INVALID (hosts and domains that contradict each other); CONFLICT, a law of the
 * world was broken: a fault of ours. */
bool ek_simulate(struct ek_simulation_result *out, const struct ek_simulation *simulation,
                 const struct ek_policy *policy, struct ek_error *err);
void ek_simulation_finish(struct ek_simulation_result *result);

#endif
