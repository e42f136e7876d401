/* A load that is made up: each domain follows the day, wanders, jitters, and bursts now and then.
 *
 *     cores = mean x day x wander x jitter, in a burst at least nine tenths of the vCPUs
 *
 * The day is a smooth hump around the domain's own hour, lower at weekends; the wander a level that
 * changes over hours, the jitter one that changes every five minutes. All of it is a function of
 * the domain's key and the time (load.h), by arithmetic alone: no libm, whose last bits differ
 * between machines. Memory rises a little with the day; what is written rises with the cores. */
#ifndef EK_SIM_LOAD_DAY_H
#define EK_SIM_LOAD_DAY_H

#include "balancer/sim/load.h"

#include <stdint.h>

struct ek_load_day_domain {
    uint64_t key; /* of all that is random about it; another for each domain */
    double mean_cores;
    double vcpus;            /* it never wants more */
    double swing;            /* 0: the day does not matter; 1: nothing at its night, twice its mean
                                at its hour */
    int64_t peak_ms;         /* its hour: milliseconds since midnight, UTC */
    double weekend;          /* its load on Saturdays and Sundays, in times of other days */
    double bursts_per_day;   /* mean, at most 24; each takes 5 to 60 minutes */
    double memory_mib;       /* resident at its night; a tenth more at its hour */
    double dirty_mib_s_core; /* written for each core in use */
};

struct ek_load_day {
    int64_t begin_ms; /* of the simulation, Unix milliseconds: which day of the week it is */
    const struct ek_load_day_domain *domains;
    uint32_t domain_count;
};

/* The source over it, which is borrowed. */
struct ek_load ek_load_day(const struct ek_load_day *day);

#endif
