/* Random numbers of the simulator: small, seeded, the same on every machine.
 *
 * splitmix64 by Sebastiano Vigna (https://prng.di.unimi.it/splitmix64.c, public domain): one
 * 64-bit state, passes BigCrush, every seed is a good one. Nothing here uses libm, whose last bits
 * differ between machines. Each purpose (latency, noise, ...) draws from a stream of its own, so
 * that one more look at a clock does not change the weather. */
#ifndef EK_SIM_RANDOM_H
#define EK_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct ek_random {
    uint64_t state;
};

/* A stream of its own for each pair of seed and purpose. */
struct ek_random ek_random_stream(uint64_t seed, uint64_t purpose);

uint64_t ek_random_next(struct ek_random *random);

/* In [0, 1). */
double ek_random_unit(struct ek_random *random);

/* In [low, high], both ends included; low <= high. */
int64_t ek_random_between(struct ek_random *random, int64_t low, int64_t high);

/* True in `percent` of 100 cases. */
bool ek_random_chance(struct ek_random *random, unsigned int percent);

/* Mean 0, standard deviation 1, in [-3.5, 3.5]: the sum of twelve uniform numbers. */
double ek_random_noise(struct ek_random *random);

#endif
