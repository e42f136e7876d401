/* The collector of the simulation: every period it samples each host that answers, as the real one
 * would, and assembles the newest samples by the same path (ek_snapshot_assemble).
 *
 * Rates come from two readings of a counter: the first sample of a host and of a domain that has
 * just arrived has none (NAN). An incoming domain is listed and has none either. A host that does
 * not answer leaves its old sample to grow stale. CPU that the host cannot give shows as steal.
 * Noise is relative and seeded. Hosts take their turns over the period. */
#ifndef EK_SIM_SAMPLER_H
#define EK_SIM_SAMPLER_H

#include "balancer/core/snapshot.h"
#include "balancer/sim/cluster.h"
#include "balancer/sim/random.h"

struct ek_sim_reading;

struct ek_sim_sampler {
    struct ek_sim_cluster *cluster; /* borrowed; samples borrow its strings */
    struct ek_random random;
    int64_t period_ms;
    double noise;              /* relative standard deviation of CPU rates; 0: none */
    bool dirty_known;          /* the collector measures dirty rates */
    double target_max;         /* of CPU, for overload_s */
    struct ek_sample *samples; /* newest of each host that was ever sampled */
    size_t sample_count;
    size_t *sample_of; /* per host: index + 1 into samples; 0: none */
    bool *fresh;       /* per host: the reading before is there */
    size_t host_room;
    struct ek_sim_reading *readings; /* per domain */
    size_t domain_room;
    uint64_t samples_taken;
    double overload_s; /* host-seconds with CPU demand above target_max; true, not noisy */
    double starved_s;  /* host-seconds with CPU demand above the host's cores */
};

void ek_sim_sampler_init(struct ek_sim_sampler *sampler, struct ek_sim_cluster *cluster,
                         uint64_t seed);
void ek_sim_sampler_finish(struct ek_sim_sampler *sampler);

/* Reads one host now. Error: NOMEM. O(domains there). */
bool ek_sim_sampler_read(struct ek_sim_sampler *sampler, uint32_t host, struct ek_error *err);

/* The collector starts anew: counters that it read before are forgotten. */
void ek_sim_sampler_forget(struct ek_sim_sampler *sampler);

#endif
