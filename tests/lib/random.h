/* Random numbers and random clusters, the same for the same seed on every machine. */
#ifndef EK_TESTS_LIB_RANDOM_H
#define EK_TESTS_LIB_RANDOM_H

#include "balancer/core/policy.h"

#include <stdint.h>

struct ek_random {
    uint64_t state;
};

/* 0 .. below - 1; below > 0. */
uint32_t ek_random_below(struct ek_random *random, uint32_t below);

/* 0 <= x < 1. */
double ek_random_real(struct ek_random *random);

/* A cluster of 2..max_hosts hosts and up to 8 domains a host: uneven, some hosts in maintenance,
 * stale or down, some domains immovable or in flight, networks that not every host has. Half of
 * the clusters are tight in memory. The caller owns the result. */
void ek_random_cluster(struct ek_snapshot *out, struct ek_random *random, uint32_t max_hosts);

/* Racks for most of the hosts, and up to 6 rules of all kinds, must and should, over some of the
 * domains; they may be broken, contradict each other, and be about nothing. Some travel with their
 * domains instead. The caller owns the rules. */
void ek_random_rules(struct ek_rules *out, struct ek_random *random, struct ek_snapshot *snapshot);

/* A copy with hosts and domains in another order. The caller owns the result. */
void ek_random_permute(struct ek_snapshot *out, const struct ek_snapshot *in,
                       struct ek_random *random);

/* Any policy and aggressiveness, with limits that bind or not; without rules. */
void ek_random_policy(struct ek_policy *out, struct ek_random *random);

/* Often adds a further resource to the policy, which some hosts have and some domains need. */
void ek_random_resources(struct ek_policy *policy, struct ek_random *random,
                         struct ek_snapshot *snapshot);

#endif
