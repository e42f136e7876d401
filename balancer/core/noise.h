/* Noise: how much of an imbalance, and of a move's gain, the jumping about of demands explains.
 *
 * A host's variance is the sum of its domains' (their demands are taken as independent of each
 * other). docs/planner.md derives the formulas. */
#ifndef EK_CORE_NOISE_H
#define EK_CORE_NOISE_H

#include "balancer/core/cluster.h"

/* The imbalance of a resource that is left when what noise explains is taken out of it, 0..0.5:
 * sqrt(max(0, sigma^2 - H^2 * (1 + noise_sigma * sqrt(2 / n)))) with H^2 the mean over the n
 * counted hosts of the variance of their utilization. With noise_sigma 0, or without noise, sigma
 * itself. */
double ek_noise_beyond(const struct ek_cluster *cluster, enum ek_resource resource,
                       double imbalance);

/* noise_sigma standard deviations of the gain of a move of `domain` to `destination`, in units of
 * the score, while the score is `spread`: sqrt(sum of w^2 * (x^2 + e^2) * (A^2 + B^2)) / (n *
 * spread * sum of w), with x the domain's demand, e its noise, A and B those of all others on the
 * source and on the destination, all as parts of a host. With `back` not EK_NONE that domain of the
 * destination comes to the source in exchange, and x is the difference. O(resources). 0 without
 * noise. */
double ek_noise_of_move(const struct ek_cluster *cluster, double spread, uint32_t domain,
                        uint32_t destination, uint32_t back);

#endif
