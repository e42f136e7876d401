/* SAMPLE and SNAPSHOT: what was seen of one host, and of the whole cluster at one time.
 *
 * A sample is one host and the domains on it, as a collector saw them. A snapshot is assembled from
 * the newest sample of each host; the policy engine sees nothing else. Both are const once
 * returned, own all they point to through one arena, and are freed by their finish function.
 *
 * Units are in the names. A usage figure that is not known is NAN; ek_demand_*() say what then
 * counts. A list with `given` false constrains nothing; a given list of count 0 means "none". */
#ifndef EK_CORE_SNAPSHOT_H
#define EK_CORE_SNAPSHOT_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No host, no domain: an index that points nowhere. */
#define EK_NONE UINT32_MAX

/* 1 Gbit/s is about 110 MiB/s of payload; default for a host that states nothing. */
#define EK_DEFAULT_MIGRATION_MIB_S 110.0

struct ek_strings {
    const char *const *items;
    size_t count;
    bool given;
};

struct ek_label {
    const char *key;
    const char *value;
};

struct ek_labels {
    const struct ek_label *items;
    size_t count;
};

/* A quantity of a further resource (utilization.h). */
struct ek_quantity {
    const char *name;
    double capacity; /* of a host; >= 0; of a domain not used */
    double used;     /* of a host NAN: not known */
};

struct ek_quantities {
    struct ek_quantity *items;
    size_t count;
};

/* A NUMA cell of a host: CPUs, and the memory that is near them. */
struct ek_numa_cell {
    uint32_t id; /* the hypervisor's number; there may be gaps */
    uint32_t cpus;
    double memory_mib; /* 0: its CPUs have none of their own */
    double free_mib;   /* without buffers and cache; NAN: not known */
};

struct ek_numa_cells {
    struct ek_numa_cell *items;
    size_t count; /* 0: none, or not known */
};

/* An active storage pool of a host. Its room is as of the hypervisor's last look at the pool. */
struct ek_storage_pool {
    const char *name;
    const char *type;      /* "dir", "netfs", "rbd", ... */
    const char *target;    /* the directory of its volumes; NULL: none */
    const char *source;    /* where they really are: the volume group, the Ceph pool,
                              "host:directory"; NULL: none */
    double capacity_mib;   /* NAN: not known */
    double allocation_mib; /* likewise */
    double available_mib;  /* likewise */
};

struct ek_storage_pools {
    struct ek_storage_pool *items;
    size_t count; /* 0: none, or not known */
};

/* Parts of the time in which some, or all, tasks waited for want of it, 0..1 (Linux, PSI); NAN: not
 * known. Only a collector that runs on the host itself sees them. */
struct ek_pressure {
    bool given; /* some of it is known */
    double cpu_some;
    double memory_some;
    double memory_full;
    double io_some;
    double io_full;
};

/* What an evacuation may do with a domain; its metadata say so. */
enum ek_evacuation {
    EK_EVACUATE_MIGRATE,
    EK_EVACUATE_POSTCOPY, /* migrate, by post-copy if it does not converge */
    EK_EVACUATE_SAVE,     /* not moved by an evacuation, but saved last of all ... */
    EK_EVACUATE_SHUTDOWN, /* ... or shut down */
    EK_EVACUATE_BLOCK,    /* not moved by an evacuation: left to a person */
    EK_EVACUATION_COUNT
};

const char *ek_evacuation_name(enum ek_evacuation evacuation);

/* Whether no evacuation moves it. */
bool ek_evacuation_stays(enum ek_evacuation evacuation);

/* Whether it is stopped instead: saved or shut down. */
bool ek_evacuation_stops(enum ek_evacuation evacuation);

enum ek_host_state {
    EK_HOST_UP,    /* a fresh sample is there */
    EK_HOST_STALE, /* the newest sample is older than 2 periods: watched, not used as a destination
                    */
    EK_HOST_DOWN,  /* older than 4 periods, never seen, or refusing connections */
};

struct ek_host {
    const char *name;
    enum ek_host_state state;
    double cpu_cores;       /* > 0 */
    double memory_mib;      /* > 0 */
    double cpu_used_cores;  /* NAN: not known */
    double memory_used_mib; /* NAN: not known */
    bool maintenance;
    int64_t deadline_ms; /* of maintenance: until when it should be empty; 0: none */
    bool partial;        /* of maintenance: what can leave leaves, though others cannot */
    bool begun; /* likewise: its evacuation has begun, and goes on whatever becomes of some */
    double migration_mib_s;         /* payload rate of its migration link */
    struct ek_quantities resources; /* beside CPU and memory */
    struct ek_labels labels;
    struct ek_strings networks;
    struct ek_strings storages;
    const char *hypervisor; /* "QEMU 7.2.22"; NULL: not known */
    const char *cpu_model;  /* NULL: not known */
    const char *uuid;       /* the hypervisor host's UUID; NULL: not known */
    struct ek_pressure pressure;
    struct ek_numa_cells numa_cells;       /* for people: nothing is decided by them */
    struct ek_storage_pools storage_pools; /* likewise; by name */
    int64_t sampled_at_ms;                 /* 0: not from a sample */
    int64_t period_ms;                     /* of its collector; 0: not from a sample */
};

/* What a domain is expected to want of one resource, in the unit of its figure (forecast.h).
 * Zeroed: nothing is known. */
struct ek_outlook {
    bool known;    /* `demand` counts instead of the newest sample */
    double demand; /* >= 0 */
    double noise;  /* standard deviation from sample to sample, >= 0; 0: none, or not known */
};

struct ek_domain {
    const char *uuid;
    const char *name;
    uint32_t host; /* index into the hosts of the snapshot; 0 in a sample */
    bool paused;   /* paused by its user: it moves paused */
    bool incoming; /* a migration brings it here, it does not run here yet; in a snapshot: no host
                      is seen to run it */
    double vcpus;
    double memory_mib;      /* configured */
    double cpu_used_cores;  /* NAN: not known */
    double cpu_steal;       /* 0..1 of its vCPUs' time in which they waited for a CPU of the host;
                               NAN: not known */
    double memory_used_mib; /* NAN: not known */
    double memory_rss_mib;  /* NAN: not known */
    double emulator_mib; /* of that, what is its QEMU's and not the guest's, as far as it is much;
                            0: little, or not known */
    double dirty_mib_s;  /* memory that it writes; 0 when it was not measured */
    int64_t dirty_measured_at_ms;     /* 0: never, or not said */
    double swap_in_mib_s;             /* its kernel reads back from its swap; 0: nothing, or not
                                         known, which memory_used_mib tells apart */
    struct ek_pressure pressure;      /* of its cgroup */
    double local_disk_mib;            /* bytes that a migration must copy beside memory */
    struct ek_outlook cpu_outlook;    /* cores */
    struct ek_outlook memory_outlook; /* MiB */
    double migration_factor; /* real over predicted cost of its earlier moves (learned.h); 0: not
                                known, 1 counts */
    enum ek_evacuation evacuation;
    bool movable;
    const char *immovable_reason;   /* why movable is false; NULL when it is true or not said */
    struct ek_quantities resources; /* beside CPU and memory */
    struct ek_labels labels;
    struct ek_strings networks;
    struct ek_strings storages;
    struct ek_strings rules;   /* that travel with it, each as ek_rule_parse reads it */
    struct ek_strings devices; /* host devices that tie it to its host */
    const char *machine;       /* NULL: not known */
    const char *cpu_model;     /* NULL: not known */
};

/* A migration that runs while the snapshot is taken; its domain counts on both hosts. */
struct ek_in_flight {
    uint32_t
        domain; /* EK_NONE: between two samples, seen on neither host; nothing may arrive there */
    uint32_t source;
    uint32_t destination;
    int64_t started_at_ms; /* of a foreign one: when it was first seen */
    bool foreign;          /* no move of ours: an operator's, or another tool's */
};

/* A further host that reports a domain as its own, and no migration explains: an operator must
 * look. The domain stands once in the snapshot, immovable; its copy takes room and keeps its host
 * from being empty. */
struct ek_copy {
    uint32_t domain;
    uint32_t host;
};

struct ek_sample {
    int64_t taken_at_ms;
    int64_t period_ms;     /* of the collector that took it */
    const char *collector; /* whose sample it is: "hostname:pid" */
    struct ek_host host;   /* state is EK_HOST_UP */
    struct ek_domain *domains;
    size_t domain_count;
    struct ek_arena arena;
};

struct ek_snapshot {
    int64_t taken_at_ms;
    struct ek_host *hosts;
    size_t host_count;
    struct ek_domain *domains;
    size_t domain_count;
    struct ek_in_flight *in_flight;
    size_t in_flight_count;
    struct ek_copy *copies;
    size_t copy_count;
    struct ek_arena arena;
};

/* What the balancer knows of a host before any sample: its line in evenkeel.yaml, and its key. */
struct ek_host_entry {
    const char *name;
    struct ek_labels labels;
    bool maintenance;
    bool partial;
    int64_t deadline_ms;    /* 0: none */
    double migration_mib_s; /* 0: not configured, the sample's figure or the default counts */
};

/* What the balancer knows of a move that the samples may not show yet. A foreign one is what the
 * snapshot before showed in flight, and explains only that its domain has arrived meanwhile. */
struct ek_known_move {
    const char *domain; /* UUID */
    const char *source;
    const char *destination;
    int64_t started_at_ms;
    int64_t ended_at_ms; /* 0: it still runs */
    bool failed; /* it ended where it began: tells why older samples show a copy coming in */
    bool foreign;
};

struct ek_assembly {
    const struct ek_host_entry *hosts;
    size_t host_count;
    const struct ek_sample
        *samples; /* any order; samples of hosts not in the list are passed over */
    size_t sample_count;
    const struct ek_known_move *moves; /* running, or ended within the last 4 periods */
    size_t move_count;
    int64_t now_ms;
};

/* Assembles the newest samples into a snapshot: hosts by name, domains by UUID.
 *
 * A host is up while its sample is at most 2 periods old (or that far in the future), stale up to
 * 4, else down (so is a host without a sample); a stale host's domains are kept, a down host's are
 * not known. A domain that a running move explains on two hosts stays on its source; one whose move
 * has ended is on the destination, whatever older samples say. A copy that comes in is no second
 * domain: where no move of ours explains it, the two hosts stand in `in_flight` as a foreign
 * migration; without a host that runs it, the domain is where it comes in. A domain that two hosts
 * report without such a move stays once, on the first of them, is immovable, and each further host
 * is listed in `copies`: that is no error of the call. Two hosts with one hypervisor UUID are one
 * machine listed twice: INVALID, naming both. Other errors: NOMEM. The caller owns the result:
 * ek_snapshot_finish. */
bool ek_snapshot_assemble(struct ek_snapshot *out, const struct ek_assembly *in,
                          struct ek_error *err);

/* Checks all that the stages rely on: positive finite capacities, finite non-negative figures, host
 * indices in range (of moves in flight, too, which have their domain on one of their hosts, each
 * once), unique host names and domain
 * UUIDs that fit into an order (move.h). Error: INVALID, naming e.g.
 * "hosts[3].memory_mib: found -1, expected a number above 0". */
bool ek_snapshot_check(const struct ek_snapshot *snapshot, struct ek_error *err);

/* Puts hosts in the order of their names and domains in that of their UUIDs, as every stage after
 * this one may rely on: what indices decide does not depend on the order of the input. The snapshot
 * must have passed ek_snapshot_check(). Error: NOMEM. */
bool ek_snapshot_sort(struct ek_snapshot *snapshot, struct ek_error *err);
bool ek_snapshot_sorted(const struct ek_snapshot *snapshot);

/* The index of a domain, found in the order of their UUIDs, in which they must stand; EK_NONE: it
 * is not there. */
uint32_t ek_snapshot_find_uuid(const struct ek_snapshot *snapshot, const char *uuid);

/* Index of the host or the domain of that name or UUID; EK_NONE when there is none. A domain name
 * that two domains bear gives EK_NONE and sets *ambiguous. O(n): for commands, not for loops. */
uint32_t ek_snapshot_find_host(const struct ek_snapshot *snapshot, const char *name);
uint32_t ek_snapshot_find_domain(const struct ek_snapshot *snapshot, const char *name_or_uuid,
                                 bool *ambiguous);

const char *ek_host_state_name(enum ek_host_state state);

void ek_snapshot_finish(struct ek_snapshot *snapshot);
void ek_sample_finish(struct ek_sample *sample);

#endif
