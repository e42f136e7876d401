/* What a host's capabilities and storage pools say, from their XML. */
#ifndef EK_COLLECTOR_HOST_XML_H
#define EK_COLLECTOR_HOST_XML_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "collector/reading.h"

/* One active storage pool, as far as disks are to be found in it. */
struct ek_storage_pool {
    const char *name;
    const char *type;   /* "dir", "netfs", "rbd", ... */
    const char *target; /* the directory of its volumes; NULL: none */
    const char *source; /* <source><name>: the volume group, the Ceph pool; NULL: none */
};

struct ek_storage_pools {
    struct ek_storage_pool *items;
    size_t count;
};

/* Whether other hosts reach the same volumes: "dir", "fs", "logical", "disk" and "zfs" pools are
 * the host's own, all other types (netfs, rbd, iscsi, iscsi-direct, gluster, scsi, mpath, ...) lead
 * elsewhere. */
bool ek_storage_pool_is_shared(const struct ek_storage_pool *pool);

/* Sets uuid and cpu_model from the capabilities' XML; the other facts are left alone. Strings live
 * in the arena. Errors: INVALID, NOMEM. */
bool ek_capabilities_parse(struct ek_host_facts *facts, const char *xml, struct ek_arena *arena,
                           struct ek_error *err);

/* Reads a pool's XML. Strings live in the arena. Errors: INVALID, NOMEM. */
bool ek_storage_pool_parse(struct ek_storage_pool *pool, const char *xml, struct ek_arena *arena,
                           struct ek_error *err);

#endif
