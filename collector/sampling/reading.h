/* READING: what one blocking read of a host yields, before it is turned into rates.
 *
 * Counters are raw and count from an origin of their own (boot, start of the QEMU process); a
 * counter that the host did not say carries `known` false. Gauges that are not known are NAN.
 * Strings and lists live in the reading's arena; a reading is const once its port has returned it.
 */
#ifndef EK_COLLECTOR_READING_H
#define EK_COLLECTOR_READING_H

#include "balancer/core/arena.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What costs the hypervisor a query of each domain (vCPUs' delay, network and disks) is said at
 * every n-th read only, and after a domain came (collector/sampling/turns.h). */
enum { EK_SELDOM_EVERY_READS = 4 };

/* Facts, host's and domains', are read anew after this many reads of the host. */
enum { EK_FACTS_EVERY_READS = 20 };

struct ek_counter {
    uint64_t value;
    unsigned int parts; /* that it is the sum of: another number of them is another counter */
    bool known;
};

/* How long some, or all, tasks waited for want of it, in microseconds
 * (collector/libvirt/pressure.h). */
struct ek_pressure_counters {
    struct ek_counter cpu_some_us;
    struct ek_counter memory_some_us;
    struct ek_counter memory_full_us;
    struct ek_counter io_some_us;
    struct ek_counter io_full_us;
};

/* Of all the host's CPUs together, in nanoseconds. */
struct ek_cpu_counters {
    uint64_t kernel_ns;
    uint64_t user_ns; /* with guests and nice */
    uint64_t idle_ns;
    uint64_t iowait_ns;
};

/* What a host is rather than does; read seldom. */
struct ek_host_facts {
    struct ek_strings networks;
    struct ek_strings storages;
    const char *hypervisor; /* "QEMU 7.2.22"; NULL: not known */
    const char *cpu_model;  /* NULL: not known */
    const char *uuid;       /* NULL: not known */
    struct ek_numa_cells numa_cells;
    struct ek_storage_pools storage_pools; /* the active ones, by name */
};

/* What a domain is rather than does; read when it appears, and seldom again. */
struct ek_domain_facts {
    double vcpus;
    double local_disk_mib;
    double balloon_period_s; /* how often the guest reports its memory; 0: never */
    double emulator_mib;     /* as in struct ek_domain */
    enum ek_evacuation evacuation;
    bool huge_pages; /* its memory is set aside as a whole, and not seen in its RSS */
    bool movable;
    const char *immovable_reason; /* NULL when movable */
    struct ek_labels labels;
    struct ek_strings rules; /* as in struct ek_domain */
    struct ek_strings networks;
    struct ek_strings storages;
    struct ek_strings devices;
    const char *machine;   /* NULL: not known */
    const char *cpu_model; /* NULL: not known, or nothing asked of the host's CPU */
};

struct ek_domain_reading {
    const char *uuid;
    const char *name;
    int id;                   /* of this run on this host; counters restart when it changes */
    int state_reason;         /* state and its reason in one number, only ever compared */
    bool running;             /* its vCPUs run, as far as the hypervisor is concerned */
    bool paused;              /* by its user */
    bool incoming;            /* a migration brings it here; it does not run here yet */
    bool answered;            /* its monitor did in this reading: it was in no job */
    struct ek_counter cpu_ns; /* of vCPUs, emulator and I/O threads */
    struct ek_counter
        haltpoll_ns;            /* the part of it that KVM spent waiting for an idle vCPU's work */
    struct ek_counter delay_ns; /* all vCPUs' waits for a CPU of the host */
    struct ek_counter net_rx_bytes;    /* as the guest sees it: what all its cards received ... */
    struct ek_counter net_tx_bytes;    /* ... and sent */
    struct ek_counter disk_read_bytes; /* of all its disks */
    struct ek_counter disk_write_bytes;
    struct ek_counter swap_in_kib; /* what its kernel read back from its swap; its own report */
    double memory_mib;             /* configured */
    double memory_rss_mib;
    double guest_available_mib;  /* what the guest's kernel has in all */
    double guest_usable_mib;     /* what it could still give */
    uint64_t guest_memory_stamp; /* changes whenever the guest reported anew; 0: never did */
    struct ek_pressure_counters pressure; /* of its cgroup */
    double dirty_mib_s;                   /* memory that it writes; 0 without a measurement */
    int64_t dirty_at_ns;                  /* when that was measured, as monotonic_ns; 0: never */
    struct ek_domain_facts facts;
};

struct ek_reading {
    int64_t taken_at_ms;  /* Unix milliseconds: when the domains were asked for */
    int64_t monotonic_ns; /* when the domains' counters arrived, of any clock that never jumps */
    int64_t asked_ns;     /* when they, and the host's, were asked for; 0: not known */
    double cpu_cores;     /* the CPUs that `cpu` counts, > 0 */
    struct ek_cpu_counters cpu;
    double memory_mib;      /* > 0 */
    double memory_used_mib; /* total - (free + buffers + cached) */
    struct ek_pressure_counters pressure;
    struct ek_host_facts facts;
    struct ek_domain_reading *domains;
    size_t domain_count;
    struct ek_arena arena;
};

/* Deep copies into an arena. Error: NOMEM. */
bool ek_host_facts_copy(struct ek_host_facts *out, const struct ek_host_facts *facts,
                        struct ek_arena *arena, struct ek_error *err);
bool ek_domain_facts_copy(struct ek_domain_facts *out, const struct ek_domain_facts *facts,
                          struct ek_arena *arena, struct ek_error *err);

void ek_reading_finish(struct ek_reading *reading);

#endif
