/* What `evenkeel doctor` asks of a host once: facts that decide whether moving domains there is
 * safe, and that no sample holds.
 *
 * Only what can be seen is told. Settings of libvirtd are files of their host: libvirt does not
 * hand them out over a connection, so that they are read where the URI is local and else are "not
 * seen". Which domains Pacemaker manages is in its own database; here only its presence shows. */
#ifndef EK_COLLECTOR_INSPECT_H
#define EK_COLLECTOR_INSPECT_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The lines of qemu.conf that decide about shared storage; NULL: not set, the default counts. */
struct ek_qemu_conf {
    bool seen;                     /* false: it is on another machine, or may not be read */
    const char *lock_manager;      /* default: none */
    const char *dynamic_ownership; /* "0" or "1"; default "1" */
    const char *remember_owner;    /* likewise */
};

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

struct ek_inspection {
    const char *host;
    const char *why_not; /* it cannot be reached; NULL: it can, and what follows is known */
    bool local;          /* its URI leads to this machine */
    const char *uuid;
    const char *pacemaker; /* what shows that Pacemaker runs there; NULL: nothing does */
    struct ek_qemu_conf conf;
    struct ek_shared_disk *disks;
    size_t disk_count;
    struct ek_arena arena; /* owns all of it */
};

/* Prepares the process; once, before the first inspection. Errors: as ek_libvirt_events_start. */
bool ek_inspect_begin(struct ek_error *err);
void ek_inspect_end(void);

/* Looks at one host: connects (a probe of `timeout_ms` first), reads capabilities, pools and the
 * XML of every running domain, and tries Pacemaker's ports. A host that does not answer is no error
 * but told. The strings given are copied. Error: NOMEM. The caller owns the result:
 * ek_inspection_finish. */
bool ek_inspect_host(struct ek_inspection *out, const char *host, const char *uri, int timeout_ms,
                     struct ek_error *err);

void ek_inspection_finish(struct ek_inspection *inspection);

/* ---- parts of it, which need no connection --------------------------------------------------- */

struct ek_domain_surroundings;

/* Adds the shared writable disks of a live domain's XML to `disks`, which has room for one per
 * <disk>. Errors: INVALID, NOMEM. */
bool ek_inspect_disks(struct ek_shared_disk *disks, size_t *count, const char *xml,
                      const struct ek_domain_surroundings *around, struct ek_arena *arena,
                      struct ek_error *err);

/* Reads a qemu.conf. A file that cannot be read leaves `seen` false. Error: NOMEM. */
bool ek_qemu_conf_read(struct ek_qemu_conf *out, const char *path, struct ek_arena *arena,
                       struct ek_error *err);

/* The name of a process of Pacemaker's that runs here, "pacemakerd" or "corosync"; NULL: none.
 * `proc` is where procfs is mounted. */
const char *ek_pacemaker_process(const char *proc);

#endif
