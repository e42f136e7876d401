/* A cluster that is made up, with its load and its misfortunes: what `evenkeel simulate` runs
 * when it is given no cluster of one's own.
 *
 * Hosts are alike. Domains have one of a few common sizes, most of them small; each wants, on the
 * average, its random share of the load that is asked for, and runs at first on the emptier of
 * two random hosts. Six in ten follow office hours, two in ten the night, two in ten are even. The
 * same options give the same cluster to the byte. */
#ifndef EK_SIM_GENERATE_H
#define EK_SIM_GENERATE_H

#include "balancer/sim/load_day.h"
#include "balancer/sim/simulation.h"

struct ek_generator {
    uint64_t seed;
    int64_t begin_ms;    /* Unix milliseconds */
    int64_t duration_ms; /* for which misfortunes are made up */
    uint32_t hosts;
    uint32_t domains;
    double host_cores;
    double host_memory_mib;
    double link_mib_s; /* of a host's migration network, each way */
    double load;       /* mean CPU that domains want, 0..1 of all hosts' cores; NAN: what they want
                          is not scaled */
    double swing;      /* how far the day moves it, 0..1 of it (load_day.h) */
    double bursts;     /* per domain and day, mean */
    double failures;   /* per host and year, mean: back after 15 minutes to 2 hours */
    double losses;     /* per host and year, mean: for good */
};

/* Plain arrays for a simulation; all of it is the result's own. */
struct ek_generated {
    struct ek_sim_host_spec *hosts;
    size_t host_count;
    struct ek_sim_domain_spec *domains;
    size_t domain_count;
    struct ek_load_day_domain *loads; /* of the domains */
    struct ek_load_day day;
    struct ek_load load; /* points into this structure, which must stay where it is */
    struct ek_world_fault *faults;
    size_t fault_count;
    struct ek_arena arena;
};

/* Seed 1 and the times of ek_simulation_defaults; 100 hosts of 32 cores, 256 GiB and 10 Gbit/s, 20
 * domains each; they want 35 % of the cores, half of it by the day, and burst once a week; each
 * host fails twice a year and is lost once in five years. */
void ek_generator_defaults(struct ek_generator *generator);

/* Makes up what `out` has not: zeroed it gets all; with domains alone they are placed on hosts that
 * are made up; with hosts and domains both stay as they are. Load and misfortunes are made up in
 * any case: the mean of a domain's load is in proportion to its `cpu_cores`, its memory its
 * `rss_mib`. The caller finishes it in any case. Errors: NOMEM; INVALID, the hosts have no room for
 * all domains. O(hosts * days + domains). */
bool ek_generate(struct ek_generated *out, const struct ek_generator *generator,
                 struct ek_error *err);
void ek_generated_finish(struct ek_generated *generated);

#endif
