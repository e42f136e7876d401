/* The simulated cluster's ground truth: hosts, domains, and every copy of a domain on every host.
 *
 * A copy is what one libvirtd knows of one domain: running, paused by a migration, coming in, off.
 * A domain has one running copy, or none for the moment of a switchover, or what a fault left of
 * it. Every run state changes in ek_sim_cluster_set(), which counts running copies: two at once is
 * a violation that stays on record for the rest of the run (the law that the whole product exists
 * to keep).
 *
 * Nothing here decides anything, and nothing here waits: the migrations, the hypervisor and the
 * faults of the other files change this state at virtual times. */
#ifndef EK_SIM_CLUSTER_H
#define EK_SIM_CLUSTER_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/move.h"
#include "balancer/core/snapshot.h"
#include "balancer/sim/load.h"
#include "balancer/sim/queue.h"
#include "migrator/hypervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What answers on a host when libvirt is called. */
enum ek_sim_daemon {
    EK_SIM_DAEMON_UP,
    EK_SIM_DAEMON_DOWN, /* refuses: it restarts, or was stopped; guests run on */
    EK_SIM_DAEMON_HUNG, /* accepts and does not answer; calls are served when it wakes up */
};

struct ek_sim_host_spec {
    const char *name; /* copied; shorter than EK_NAME_SIZE */
    double cpu_cores;
    double memory_mib;
    double link_in_mib_s;  /* of the migration network; links are full duplex */
    double link_out_mib_s; /* */
    double base_cpu_cores; /* used by the host itself */
    double base_memory_mib;
    const struct ek_host *like; /* what samples say of it beside its figures; NULL: little */
};

struct ek_sim_host {
    const char *name; /* the cluster's, for its whole life; so is the UUID */
    const char *uuid;
    double cpu_cores;
    double memory_mib;
    double link_in_mib_s;
    double link_out_mib_s;
    double base_cpu_cores;
    double base_memory_mib;
    const struct ek_host *like; /* borrowed for the cluster's whole life */

    bool on; /* false: crashed, with all that ran on it */
    enum ek_sim_daemon daemon;
    bool control_link; /* libvirt can be reached over the network, by us and by its peers */
    bool data_link;    /* guest memory can be sent and received */

    uint32_t *domains; /* that have a copy here, in no particular order */
    size_t domain_count;
    size_t domain_room;
    double active_memory_mib; /* configured memory of the active copies */
    bool base;                /* its storage holds the backing file of local disks */
};

/* From `at_ms` on (relative to the cluster's beginning) the domain wants that many cores. */
struct ek_sim_step {
    int64_t at_ms;
    double cores;
};

struct ek_sim_domain_spec {
    const char *name; /* copied */
    const char *uuid; /* copied; NULL: made up from the domain's number */
    uint32_t host;    /* where it runs at first */
    bool off;         /* it is defined there only, until somebody starts it */
    double vcpus;
    double memory_mib;
    double rss_mib;   /* what a migration must copy at least once; 0: all its memory */
    double cpu_cores; /* wanted until the first step */
    const struct ek_sim_step *steps; /* copied; ascending */
    size_t step_count;
    int64_t repeat_ms; /* the steps begin anew this long after they began; 0: never */
    double dirty_mib_s;
    double disk_mib; /* of a disk on its host's own storage, over a base; 0: shared storage */
    const struct ek_load *load;   /* asked with the domain's index instead of cpu_cores and steps */
    const struct ek_domain *like; /* what samples say of it beside its figures; NULL: little */
};

/* What one host's libvirt knows of one domain. */
struct ek_sim_copy {
    uint32_t host;
    uint32_t slot; /* index into the host's list */
    bool active;
    bool persistent;
    bool whole; /* has all of the guest's memory: false while it comes in, and for an orphan */
    enum ek_run_state run;
    enum ek_job job;       /* OUT: this copy leaves; IN: it comes in */
    char mark[EK_ID_SIZE]; /* the move whose mark its metadata bears; "": none */
    bool saving;           /* a save of it runs: its job is OTHER meanwhile */
    bool saved;          /* off, with its memory on disk: what started it next would go on there */
    int64_t since_ms;    /* since when it is here: its counters begin at zero then */
    int64_t downtime_ms; /* of the migration that brought it; 0: not known */
    double transferred_mib;
};

/* A source, a destination, and what older faults have left elsewhere. */
enum { EK_SIM_COPIES = 6 };

/* How a domain came to have no running copy for good. */
enum ek_sim_fate {
    EK_SIM_ALIVE,
    EK_SIM_SHUT_DOWN, /* by its guest or user */
    EK_SIM_KILLED,    /* its QEMU or its host crashed */
};

struct ek_sim_domain {
    const char *name; /* the cluster's, for its whole life; so is the UUID */
    const char *uuid;
    double vcpus;
    double memory_mib;
    double rss_mib;
    double dirty_mib_s;
    enum ek_sim_fate fate;
    int64_t foreign_ms; /* when a migration that is not ours began or ended last; 0: never */
    struct ek_sim_copy copies[EK_SIM_COPIES];
    size_t copy_count;
    double disk_mib;                    /* 0: no disk of its own */
    uint32_t disk_hosts[EK_SIM_COPIES]; /* whose storage holds a file of its disk: disk.h */
    size_t disk_count;
    unsigned int running; /* copies whose guest CPUs run */

    /* CPU: a counter as libvirt's cpu.time, brought up to date when it is read. */
    double cores_wanted;
    double cpu_core_ms;
    int64_t cpu_at_ms;
    struct ek_sim_step *steps;
    size_t step_count;
    size_t next_step;
    int64_t round_ms; /* when the present round of the steps began */
    int64_t repeat_ms;
    struct ek_load load;          /* `want` NULL: the steps count */
    int64_t load_ms;              /* when it is asked next */
    const struct ek_domain *like; /* borrowed for the cluster's whole life */

    int64_t stopped_at_ms;    /* since when no copy runs; 0: one does, or none is meant to */
    int64_t stopped_total_ms; /* over all moves and crashes so far */
};

struct ek_sim_names; /* name -> index */

struct ek_sim_cluster {
    struct ek_sim_queue *queue; /* borrowed: what time it is */
    int64_t begin_ms;
    struct ek_sim_host *hosts;
    size_t host_count;
    size_t host_room;
    struct ek_sim_domain *domains;
    size_t domain_count;
    size_t domain_room;
    struct ek_sim_names *host_names;
    struct ek_sim_names *domain_uuids;
    struct ek_arena arena; /* of names and UUIDs */
    uint64_t violations;
    char violation[EK_TEXT_SIZE]; /* the first */
    bool nomem;                   /* as the queue's `lost` */
};

/* An empty cluster at the queue's present time. */
void ek_sim_cluster_init(struct ek_sim_cluster *cluster, struct ek_sim_queue *queue);
void ek_sim_cluster_finish(struct ek_sim_cluster *cluster);

/* Index of the new host, which is up and reachable, or of the new domain, which runs unless it is
 * to be off. EK_NONE and an error: NOMEM; INVALID (a name that is there already, a host that is
 * not). */
uint32_t ek_sim_cluster_add_host(struct ek_sim_cluster *cluster,
                                 const struct ek_sim_host_spec *spec, struct ek_error *err);
uint32_t ek_sim_cluster_add_domain(struct ek_sim_cluster *cluster,
                                   const struct ek_sim_domain_spec *spec, struct ek_error *err);

/* EK_NONE: there is none. O(1); the domain's UUID, or O(n) its name. */
uint32_t ek_sim_cluster_find_host(const struct ek_sim_cluster *cluster, const char *name);
uint32_t ek_sim_cluster_find_domain(const struct ek_sim_cluster *cluster, const char *uuid);
uint32_t ek_sim_cluster_find_domain_named(const struct ek_sim_cluster *cluster, const char *name);

/* ---- copies -------------------------------------------------------------------------------- */

/* The domain's copy on that host; NULL: none. Valid until a copy of the domain comes or goes. */
struct ek_sim_copy *ek_sim_cluster_copy(struct ek_sim_cluster *cluster, uint32_t domain,
                                        uint32_t host);

/* Whether its guest's CPUs run. */
bool ek_sim_copy_runs(const struct ek_sim_copy *copy);

/* A new active copy, paused by the migration that brings it. NULL: there is one on that host, or no
 * room for one. */
struct ek_sim_copy *ek_sim_cluster_bring(struct ek_sim_cluster *cluster, uint32_t domain,
                                         uint32_t host);

/* The copy vanishes, whatever it did; nothing happens if there is none. */
void ek_sim_cluster_remove(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

/* The one place where a copy's state changes. A second running copy is counted as a violation, and
 * so is one that runs without all of the guest's memory. */
void ek_sim_cluster_set(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                        enum ek_run_state run, enum ek_job job);

/* Where it runs; EK_NONE: nowhere at this moment. */
uint32_t ek_sim_cluster_home(const struct ek_sim_cluster *cluster, uint32_t domain);

/* ---- hosts --------------------------------------------------------------------------------- */

/* Whether libvirt on that host answers over the network. A hung one does not. */
bool ek_sim_host_answers(const struct ek_sim_host *host);

/* All that ran there is killed; definitions of persistent domains stay on disk. */
void ek_sim_cluster_crash(struct ek_sim_cluster *cluster, uint32_t host);

/* Its guest or user shuts the domain down on its host, where the definition stays. That is no
 * downtime. */
void ek_sim_cluster_shut_down(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host);

/* A domain that ended is started anew there, as autostart or an operator does. False: it has not
 * ended, the host is off or, unless it may be crowded, has no room for it, or its disk is
 * elsewhere. */
bool ek_sim_cluster_start(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                          bool crowded);

/* Where a domain that ended is defined, the newest place if there are several; EK_NONE: nowhere. */
uint32_t ek_sim_cluster_defined(const struct ek_sim_cluster *cluster, uint32_t domain);

/* ---- time and truth ------------------------------------------------------------------------ */

/* The domain's CPU counter in core-milliseconds, brought up to now. */
double ek_sim_cluster_cpu(struct ek_sim_cluster *cluster, uint32_t domain);

/* What that host would say of the domain if it could be asked. */
void ek_sim_cluster_observe(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                            struct ek_observation *out);

/* The invariant over all domains: never two running copies (now or ever); none at all only if a
 * fault or its guest ended it; and a domain that does not run has a copy that can be made to run
 * again. Error: CONFLICT, naming the first domain that breaks it. */
bool ek_sim_cluster_check(const struct ek_sim_cluster *cluster, struct ek_error *err);

/* Domains that are alive and run nowhere. */
size_t ek_sim_cluster_stopped(const struct ek_sim_cluster *cluster);

#endif
