/* The time between two readings of a host, from three clocks that may each be wrong. */
#include "collector/sampling/host_time.h"

/* The CPUs' times miss what a hypervisor below the host stole, and a CPU that came is counted
 * before it is known of: only that much more than we can explain means that our own clock stood. */
enum { LONGER_NUMERATOR = 5, LONGER_DENOMINATOR = 4 };

bool ek_cpu_between(const struct ek_cpu_counters *before, const struct ek_cpu_counters *now,
                    double *busy_ns, double *idle_ns)
{
    /* These three only grow while a host is up: a fall is a reboot. iowait alone may fall a little
     * on a live kernel (Linux, proc(5)). */
    if (now->kernel_ns < before->kernel_ns || now->user_ns < before->user_ns ||
        now->idle_ns < before->idle_ns) {
        return false;
    }
    *busy_ns = (double)(now->kernel_ns - before->kernel_ns + now->user_ns - before->user_ns);
    *idle_ns = (double)(now->idle_ns - before->idle_ns);
    if (now->iowait_ns > before->iowait_ns) {
        *idle_ns += (double)(now->iowait_ns - before->iowait_ns);
    }
    return true;
}

/* By the host's own CPUs; 0: not known. */
static int64_t by_cpus(const struct ek_cpu_counters *before, const struct ek_reading *reading)
{
    double busy_ns = 0.0;
    double idle_ns = 0.0;

    return ek_cpu_between(before, &reading->cpu, &busy_ns, &idle_ns) && reading->cpu_cores > 0.0
               ? (int64_t)((busy_ns + idle_ns) / reading->cpu_cores)
               : 0;
}

static int64_t elapsed(const struct ek_host_time *time, const struct ek_reading *reading,
                       int64_t asked_ns)
{
    int64_t least_ns = asked_ns - time->arrived_ns;
    int64_t most_ns = reading->monotonic_ns - time->asked_ns;
    int64_t cpus_ns = by_cpus(&time->cpu, reading);

    if (cpus_ns == 0 || most_ns <= 0) {
        return reading->monotonic_ns - time->arrived_ns;
    }
    if (cpus_ns / LONGER_NUMERATOR > most_ns / LONGER_DENOMINATOR) {
        return cpus_ns;
    }
    cpus_ns = cpus_ns < least_ns ? least_ns : cpus_ns;
    return cpus_ns > most_ns ? most_ns : cpus_ns;
}

int64_t ek_host_time_advance(struct ek_host_time *time, const struct ek_reading *reading)
{
    int64_t asked_ns = reading->asked_ns == 0 ? reading->monotonic_ns : reading->asked_ns;

    if (!time->seen) {
        time->now_ns = reading->monotonic_ns;
    } else if (reading->monotonic_ns != time->arrived_ns) {
        time->now_ns += elapsed(time, reading, asked_ns);
    }
    time->cpu = reading->cpu;
    time->asked_ns = asked_ns;
    time->arrived_ns = reading->monotonic_ns;
    time->seen = true;
    return time->now_ns;
}
