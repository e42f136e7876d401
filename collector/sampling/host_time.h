/* How much time passed on a host between two readings of it.
 *
 * Not simply ours between two answers: counters are read somewhere between question and answer, and
 * an answer may come late; and our own clock stands while the machine that we run on does. The host
 * itself says how long its CPUs worked and rested. */
#ifndef EK_COLLECTOR_HOST_TIME_H
#define EK_COLLECTOR_HOST_TIME_H

#include "collector/sampling/reading.h"

/* What all CPUs of a host did between two readings, in ns. False: it was booted in between. */
bool ek_cpu_between(const struct ek_cpu_counters *before, const struct ek_cpu_counters *now,
                    double *busy_ns, double *idle_ns);

/* All zero: no reading yet. */
struct ek_host_time {
    struct ek_cpu_counters cpu;
    int64_t asked_ns;
    int64_t arrived_ns;
    int64_t now_ns; /* on the host's axis: advances as the host's time does, from any beginning */
    bool seen;
};

/* The reading's moment on the host's axis, in ns. Asked again with the same reading it stands. */
int64_t ek_host_time_advance(struct ek_host_time *time, const struct ek_reading *reading);

#endif
