/* What a host's capabilities and storage pools say, from their XML. */
#ifndef EK_COLLECTOR_HOST_XML_H
#define EK_COLLECTOR_HOST_XML_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "collector/sampling/reading.h"

/* Whether other hosts reach the same volumes: "dir", "fs", "logical", "disk" and "zfs" pools are
 * the host's own, all other types (netfs, rbd, iscsi, iscsi-direct, gluster, scsi, mpath, ...) lead
 * elsewhere. */
bool ek_storage_pool_is_shared(const struct ek_storage_pool *pool);

/* Sets uuid, cpu_model and the NUMA cells, without what is free in them, from the capabilities'
 * XML; the other facts are left alone. All lives in the arena. Errors: INVALID, NOMEM. */
bool ek_capabilities_parse(struct ek_host_facts *facts, const char *xml, struct ek_arena *arena,
                           struct ek_error *err);

/* Reads a pool's XML. A source without a name is "host:directory", or the directory or device
 * alone. Strings live in the arena. Errors: INVALID, NOMEM. */
bool ek_storage_pool_parse(struct ek_storage_pool *pool, const char *xml, struct ek_arena *arena,
                           struct ek_error *err);

#endif
