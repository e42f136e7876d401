/* A load that was recorded: for each domain what it wanted, from which moment on. */
#ifndef EK_SIM_LOAD_SERIES_H
#define EK_SIM_LOAD_SERIES_H

#include "balancer/sim/load.h"

#include <stddef.h>
#include <stdint.h>

struct ek_load_point {
    int64_t at_ms; /* since the simulation's beginning */
    float cpu_cores;
    float memory_mib; /* NAN: not known */
};

/* One domain's points, ascending in time. Before the first it wants nothing; the last one lasts. */
struct ek_load_track {
    const struct ek_load_point *points;
    size_t count;
};

struct ek_load_series {
    const struct ek_load_track *tracks; /* one for each domain */
    uint32_t track_count;
    int64_t repeat_ms; /* all of it begins anew after so long; 0: never */
};

/* The source over it, which is borrowed. Each answer O(log points). */
struct ek_load ek_load_series(const struct ek_load_series *series);

#endif
