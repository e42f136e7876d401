/* LOAD: what the domains of a simulation want, and when: where a simulated cluster has its weather
 * from.
 *
 * A source answers one question: what does a domain want from this moment on, and until when does
 * that stay so? The simulated guests take exactly that: their CPU counters rise by it, their hosts
 * fall short where it adds up to more than there is. Who asks is the cluster (cluster.h), once for
 * each stretch of each domain; samples, noise and steal are made of the answers as of any guest.
 *
 * The answer depends on source, domain and time alone: asked again, in any order and by whomever,
 * it is the same. So a source keeps no cursor, has no clock, does no I/O and draws no random number
 * that is not a function of domain and time; what it looks answers up in is made beforehand. O(1),
 * or O(log n) of its own data: a week of 20,000 domains is asked some hundred million times.
 *
 * Times are milliseconds since the simulation's beginning, domains the indices of the simulation's
 * domains in the order in which they were added. */
#ifndef EK_SIM_LOAD_H
#define EK_SIM_LOAD_H

#include <stdint.h>

struct ek_load_want {
    double cpu_cores;   /* >= 0 and finite; a guest that is off or idle wants 0 */
    double memory_mib;  /* resident: what a migration copies at least; > 0. NAN: not known, the
                           domain's own figure goes on */
    double dirty_mib_s; /* >= 0. NAN: likewise */
    int64_t until_ms;   /* from then on the answer may be another; later than the time that was
                           asked about. INT64_MAX: it stays for good */
};

/* A source by its one function; copied by value. `context` is the source's own, const to everybody
 * else, and outlives the simulation. */
struct ek_load {
    void (*want)(const void *context, uint32_t domain, int64_t at_ms, struct ek_load_want *out);
    const void *context;
};

#endif
