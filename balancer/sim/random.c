/* Random numbers that are the same everywhere: splitmix64 (Sebastiano Vigna, public domain), one
 * stream for each purpose, so that one more draw in one place changes nothing in another. */
#include "balancer/sim/random.h"

#include <assert.h>

uint64_t ek_random_next(struct ek_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

struct ek_random ek_random_stream(uint64_t seed, uint64_t purpose)
{
    struct ek_random random = {.state = seed};
    uint64_t first = ek_random_next(&random);

    /* An odd multiplier spreads small purposes over all bits; one draw then mixes them. */
    random.state = first ^ (purpose * 0xd1342543de82ef95U);
    (void)ek_random_next(&random);
    return random;
}

double ek_random_unit(struct ek_random *random)
{
    /* 53 bits: as many as a double's significand has. */
    return (double)(ek_random_next(random) >> 11) * 0x1.0p-53;
}

int64_t ek_random_between(struct ek_random *random, int64_t low, int64_t high)
{
    assert(low <= high);
    /* The bias of the remainder is below 2^-40 for the ranges used here. */
    return low + (int64_t)(ek_random_next(random) % (uint64_t)(high - low + 1));
}

bool ek_random_chance(struct ek_random *random, unsigned int percent)
{
    return ek_random_next(random) % 100 < percent;
}

double ek_random_noise(struct ek_random *random)
{
    double sum = -6; /* the mean of twelve uniform numbers, whose variances sum up to 1 */

    for (int draw = 0; draw < 4; draw++) {
        uint64_t bits = ek_random_next(random);
        for (int part = 0; part < 3; part++) {
            /* 21 bits a part, three parts a draw: four draws make the twelve. */
            sum += (double)(bits & 0x1fffff) * 0x1.0p-21;
            bits >>= 21;
        }
    }
    /* Cut at 3.5 deviations, so that a noisy figure stays plausible. */
    return sum < -3.5 ? -3.5 : sum > 3.5 ? 3.5 : sum;
}
