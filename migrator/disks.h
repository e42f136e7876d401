/* Whether a domain's disks can be reached from both hosts, as far as libvirt's API shows it. */
#ifndef EK_MIGRATOR_DISKS_H
#define EK_MIGRATOR_DISKS_H

#include "migrator/xpath.h"

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stddef.h>

/* True when a writable disk is verifiably local to the source; `why` then names it. Network and
 * block disks are taken for shared, and so are files in a pool that is a network file system.
 * Another file is local when the destination has a pool over the same directory and does not see
 * the file there. Where the API cannot tell, libvirt's own check of the file system refuses an
 * unsafe migration at its very beginning. */
bool ek_disks_are_local(const struct ek_xpath *domain, virConnectPtr source,
                        virConnectPtr destination, char *why, size_t size);

#endif
