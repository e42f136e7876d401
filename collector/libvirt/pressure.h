/* Pressure stall information (Linux): for how long tasks waited for want of CPU, memory or disk.
 * Read from the kernel's files, hence of the machine alone on which the collector itself runs. */
#ifndef EK_COLLECTOR_PRESSURE_H
#define EK_COLLECTOR_PRESSURE_H

#include "collector/sampling/reading.h"

/* Where the kernel and libvirt keep what is read here; for tests other directories. */
struct ek_pressure_places {
    const char *proc;    /* "/proc" */
    const char *run;     /* "/run/libvirt/qemu": the pid files of the domains */
    const char *cgroups; /* "/sys/fs/cgroup" */
};

extern const struct ek_pressure_places ek_pressure_here;

/* Whether the URI leads to a libvirtd of this machine, over no network. */
bool ek_pressure_is_local(const char *uri);

/* The whole machine's. What the kernel does not say (no PSI, CONFIG_PSI_DEFAULT_DISABLED) is not
 * known. */
void ek_pressure_of_host(struct ek_pressure_counters *out, const struct ek_pressure_places *places);

/* Those of the domain's cgroup, QEMU and its vCPUs together: its emulator's group is below the one
 * that is meant. Not known without cgroups of version 2. */
void ek_pressure_of_domain(struct ek_pressure_counters *out, const char *name,
                           const struct ek_pressure_places *places);

#endif
