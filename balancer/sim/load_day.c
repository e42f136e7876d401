/* The made-up load, as a pure function of key and time: what is random is drawn from a stream that
 * begins anew for each question. */
#include "balancer/sim/load_day.h"

#include "balancer/sim/random.h"

#include <assert.h>

/* Changes come on a grid of five minutes, as most monitoring shows them; each domain has its own,
 * so that they do not all change at once. */
#define SLOT_MS ((int64_t)300000)
#define SLOTS_PER_HOUR ((int64_t)12)
#define HOUR_MS (SLOTS_PER_HOUR * SLOT_MS)
#define DAY_MS (24 * HOUR_MS)

/* A level lasts some hours. */
enum { WANDER_HOURS = 3 };

#define WANDER 0.3
#define JITTER 0.15
#define BURST 0.9

/* Streams of one domain. */
enum { WANDER_DRAW = 1, JITTER_DRAW, BURST_DRAW, PHASE_DRAW };

/* A number in [0, 1) for that place of that stream. */
static double draw(uint64_t key, uint64_t what, int64_t place)
{
    struct ek_random random = {.state = (key + what) ^ ((uint64_t)place * 0xd1342543de82ef95U)};

    (void)ek_random_next(&random);
    return ek_random_unit(&random);
}

/* In [0, 1], mean a half: smooth over the day, highest at 0. `off` is in days, any number. */
static double hump(double off)
{
    off -= (double)(int64_t)off;
    off = off < 0 ? off + 1 : off;
    double near = off < 0.5 ? 1 - 2 * off : 2 * off - 1;

    return near * near * (3 - 2 * near);
}

/* Monday is 0; the epoch was a Thursday. */
static bool is_weekend(int64_t unix_ms)
{
    int64_t days = unix_ms / DAY_MS;

    return (days + 3) % 7 >= 5;
}

/* Between the levels of two knots; mean 1. */
static double wander(uint64_t key, int64_t slot)
{
    int64_t width = WANDER_HOURS * SLOTS_PER_HOUR;
    int64_t knot = slot / width;
    double part = (double)(slot % width) / (double)width;
    double level =
        (1 - part) * draw(key, WANDER_DRAW, knot) + part * draw(key, WANDER_DRAW, knot + 1);

    return 1 + WANDER * (2 * level - 1);
}

/* Whether the burst of that hour, if there is one, is on in that slot. */
static bool bursts_in(const struct ek_load_day_domain *domain, int64_t hour, int64_t slot)
{
    struct ek_random random = {.state = (domain->key + BURST_DRAW) ^
                                        ((uint64_t)hour * 0xd1342543de82ef95U)};

    (void)ek_random_next(&random);
    if (hour < 0 || ek_random_unit(&random) >= domain->bursts_per_day / 24) {
        return false;
    }
    int64_t first = hour * SLOTS_PER_HOUR + ek_random_between(&random, 0, SLOTS_PER_HOUR - 1);
    return slot >= first && slot < first + ek_random_between(&random, 1, SLOTS_PER_HOUR);
}

static void want(const void *context, uint32_t index, int64_t at_ms, struct ek_load_want *out)
{
    const struct ek_load_day *day = context;
    assert(index < day->domain_count && at_ms >= 0);
    const struct ek_load_day_domain *it = &day->domains[index];
    int64_t phase_ms = (int64_t)(draw(it->key, PHASE_DRAW, 0) * (double)SLOT_MS);
    int64_t slot = (at_ms + phase_ms) / SLOT_MS;
    int64_t unix_ms = day->begin_ms + slot * SLOT_MS;
    double here = hump((double)(unix_ms % DAY_MS - it->peak_ms) / (double)DAY_MS);

    double cores = it->mean_cores * (1 - it->swing + 2 * it->swing * here) *
                   (is_weekend(unix_ms) ? it->weekend : 1) * wander(it->key, slot) *
                   (1 + JITTER * (2 * draw(it->key, JITTER_DRAW, slot) - 1));
    /* A burst lasts an hour at most: the one of the hour before may still be on. */
    if (bursts_in(it, slot / SLOTS_PER_HOUR, slot) ||
        bursts_in(it, slot / SLOTS_PER_HOUR - 1, slot)) {
        cores = cores < BURST * it->vcpus ? BURST * it->vcpus : cores;
    }
    out->cpu_cores = cores < it->vcpus ? cores : it->vcpus;
    out->memory_mib = it->memory_mib * (1 + 0.1 * here);
    out->dirty_mib_s = it->dirty_mib_s_core * out->cpu_cores;
    out->until_ms = (slot + 1) * SLOT_MS - phase_ms;
}

struct ek_load ek_load_day(const struct ek_load_day *day)
{
    return (struct ek_load){.want = want, .context = day};
}
