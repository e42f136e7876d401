/* What `evenkeel doctor` asks of the hosts once: facts that decide whether moving domains there is
 * possible and safe, and that no sample holds.
 *
 * Only what can be seen is told. Settings of libvirtd are files of their host: libvirt does not
 * hand them out over a connection, so that they are read where the URI is local and else are "not
 * seen". Which domains Pacemaker manages is in its own database; here only its presence shows.
 * Names are resolved and ports tried from this machine: what one host sees of another, libvirt does
 * not tell. */
#ifndef EK_COLLECTOR_INSPECT_H
#define EK_COLLECTOR_INSPECT_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"

/* ---- of the host itself ---------------------------------------------------------------------- */

/* The lines of qemu.conf that decide about shared storage and migrations; NULL: not set, the
 * default counts. */
struct ek_qemu_conf {
    bool seen;                      /* false: it is on another machine, or may not be read */
    const char *lock_manager;       /* default: none */
    const char *dynamic_ownership;  /* "0" or "1"; default "1" */
    const char *remember_owner;     /* likewise */
    const char *migration_host;     /* the name that sources are told; default: the host's own */
    const char *migration_port_min; /* default EK_MIGRATION_PORT_MIN */
    const char *migration_port_max; /* default EK_MIGRATION_PORT_MAX */
};

enum { EK_MIGRATION_PORT_MIN = 49152, EK_MIGRATION_PORT_MAX = 49215 };

/* What a TCP connection to a port comes to. */
enum ek_reach {
    EK_REACH_UNSEEN,  /* not tried */
    EK_REACH_OPEN,    /* somebody listens */
    EK_REACH_CLOSED,  /* the host is reached, and nobody listens: right for a migration port */
    EK_REACH_SILENT,  /* no answer: a firewall drops it, or nobody is there */
    EK_REACH_BARRED,  /* a router or a firewall says that there is no way */
    EK_REACH_UNKNOWN, /* the name of the host does not resolve */
};

struct ek_seen_port {
    uint16_t port;
    enum ek_reach reach;
};

/* Lowest, next and highest: a rule of a firewall for "the" port 49152 is a usual mistake. */
enum { EK_SEEN_PORTS = 3 };

/* Where sources are told to send a guest, as far as it is known here. */
struct ek_seen_arrivals {
    const char *address; /* NULL: not known */
    bool configured;     /* by migration_uri in evenkeel.yaml: the host's own name plays no part */
    bool resolves;
    bool loopback;     /* all that it resolves to here is this machine itself */
    const char *tried; /* whose ports were tried: that address, or the URI's host in its place */
    struct ek_seen_port ports[EK_SEEN_PORTS];
    size_t port_count; /* 0: not tried */
};

struct ek_seen_pool {
    const char *name;
    const char *type;
    const char *target; /* NULL: has none */
    const char *source; /* likewise */
    bool shared;        /* other hosts reach the same volumes, by its type */
    bool active;
    bool autostart;
};

struct ek_seen_network {
    const char *name;
    bool active;
    bool autostart;
};

struct ek_seen_filter {
    const char *name;
    const char *rules; /* its XML without what differs on each host: the UUID */
};

/* ---- of its running domains ------------------------------------------------------------------ */

/* A disk of a running domain that the guest writes and that other hosts reach, too: a file or a
 * block device, for only those are locked and change their owner. */
struct ek_shared_disk {
    const char *domain; /* name */
    const char *target; /* "vda" */
    const char *source; /* path, or volume */
    bool relabels;      /* libvirt may change the owner, as far as the domain's XML says: it says so
                           also where dynamic_ownership is 0 */
    bool leased;        /* the domain holds a lease, which keeps a second copy from running */
};

/* A CPU as libvirt compares it. Of a host: `xml` alone. */
struct ek_seen_cpu {
    const char *xml; /* <cpu>; NULL: any host can give it, as with emulation */
    const char *type;
    const char *arch;
    const char *machine;
    const char *emulator;
    size_t number; /* from 1: its place in the cluster's list; 0: in none */
};

/* What a running domain needs of whatever host it is on. */
struct ek_seen_domain {
    const char *name;
    const char *uuid;           /* NULL: not known */
    struct ek_labels labels;    /* of its metadata */
    double memory_mib;          /* configured */
    struct ek_strings networks; /* of libvirt */
    struct ek_strings bridges;  /* without a network of libvirt */
    struct ek_strings filters;
    struct ek_strings pools;
    struct ek_seen_cpu cpu;
};

struct ek_inspection {
    const char *host;
    const char *uri;
    const char *why_not; /* it cannot be reached; NULL: it can, and what follows is known */
    bool local; /* its URI leads to this machine's own libvirtd, which others do not reach */
    bool ssh;
    const char *uuid;
    const char *own_name;      /* what its libvirtd calls it; NULL: not known */
    const char *hypervisor;    /* "QEMU"; NULL: not known */
    unsigned long version;     /* of it: major * 1000000 + minor * 1000 + release; 0: not known */
    unsigned long lib_version; /* of libvirt, likewise */
    double memory_mib;         /* NAN: not known */
    struct ek_seen_cpu cpu;    /* xml NULL: not known */
    const char *pacemaker;     /* what shows that Pacemaker runs there; NULL: nothing does */
    struct ek_qemu_conf conf;
    struct ek_seen_arrivals arrivals;
    struct ek_seen_pool *pools;
    size_t pool_count;
    bool pools_seen; /* false, here and below: the host has no driver for them, or refuses */
    struct ek_seen_network *networks;
    size_t network_count;
    bool networks_seen;
    struct ek_strings links; /* bridges and other network devices; given: there is a way to list */
    struct ek_seen_filter *filters;
    size_t filter_count;
    bool filters_seen;
    struct ek_seen_domain *domains;
    size_t domain_count;
    struct ek_shared_disk *disks;
    size_t disk_count;
    struct ek_arena arena; /* owns all of it */
};

/* ---- all hosts ------------------------------------------------------------------------------- */

enum ek_cpu_verdict {
    EK_CPU_UNSEEN, /* the host was not asked, or cannot tell */
    EK_CPU_GIVEN,
    EK_CPU_NOT_GIVEN,
};

/* One of the CPUs that hosts or domains have, and what each host says of giving it. */
struct ek_compared_cpu {
    struct ek_seen_cpu cpu;        /* borrowed from one of the inspections */
    enum ek_cpu_verdict *verdicts; /* by host */
};

struct ek_cluster_seen {
    struct ek_inspection *hosts; /* in the order given */
    size_t count;
    struct ek_compared_cpu *cpus;
    size_t cpu_count;
    struct ek_arena arena; /* of `cpus` */
};

struct ek_inspect_order {
    const char *name;
    const char *uri;
    const char *migration_uri; /* NULL: none */
};

struct ek_inspect_watch {
    void (*ended)(void *context, const char *host, size_t done, size_t count);
    void *context;
};

/* Looks at all hosts, many at once, then asks each for the CPUs of the others. A host that does not
 * answer within EK_INSPECT_LIMIT_MS is left, as one that cannot be reached; so is one that does not
 * answer a probe within `timeout_ms`. That a host cannot be reached is no error but told. `watch`
 * (NULL: nobody) is told of each host that was looked at, in the calling thread. Strings are
 * copied. Errors: NOMEM; IO (no thread). The caller owns the result: ek_cluster_seen_finish. */
enum { EK_INSPECT_LIMIT_MS = 30000 };
#define EK_INSPECT_SILENT "%s: it was reached, but its libvirtd gave no answer within %d s"
bool ek_inspect_cluster(struct ek_cluster_seen *out, const struct ek_inspect_order *orders,
                        size_t count, int timeout_ms, const struct ek_inspect_watch *watch,
                        struct ek_error *err);

void ek_cluster_seen_finish(struct ek_cluster_seen *seen);

/* What host number `host` says of that CPU, of a host or domain of the same `seen`. Without one
 * (xml NULL) every host gives it. */
enum ek_cpu_verdict ek_cluster_cpu(const struct ek_cluster_seen *seen,
                                   const struct ek_seen_cpu *cpu, size_t host);

/* Prepares the process; once, before the first inspection. Errors: as ek_libvirt_events_start. */
bool ek_inspect_begin(struct ek_error *err);

/* At the end. False: a thread still hangs in a call to some host, and the process must end by
 * _exit() (ek_crew_left_behind). */
bool ek_inspect_end(void);

/* How many domains are active on a host (running, paused, coming in or going out): its libvirt's
 * own word, asked now. Errors: as ek_libvirt_open; REMOTE; TIMEOUT (it was reached, and is silent
 * for EK_INSPECT_LIMIT_MS); NOMEM; IO (no thread). */
bool ek_inspect_active(size_t *count, const char *uri, int timeout_ms, struct ek_error *err);

/* ---- parts of it, which need no connection --------------------------------------------------- */

struct ek_host_facts;

/* Adds the shared writable disks of a live domain's XML to `disks`, which has room for one per
 * <disk>. Errors: INVALID, NOMEM. */
bool ek_inspect_disks(struct ek_shared_disk *disks, size_t *count, const char *xml,
                      const struct ek_host_facts *host, struct ek_arena *arena,
                      struct ek_error *err);

/* Reads from a live domain's XML what it needs of a host. Errors: INVALID, NOMEM. */
bool ek_inspect_needs(struct ek_seen_domain *out, const char *xml, const struct ek_host_facts *host,
                      struct ek_arena *arena, struct ek_error *err);

/* Reads a qemu.conf. A file that cannot be read leaves `seen` false. Error: NOMEM. */
bool ek_qemu_conf_read(struct ek_qemu_conf *out, const char *path, struct ek_arena *arena,
                       struct ek_error *err);

/* The name of a process of Pacemaker's that runs here, "pacemakerd" or "corosync"; NULL: none.
 * `proc` is where procfs is mounted. */
const char *ek_pacemaker_process(const char *proc);

#endif
