/* Deep copies of what samples and snapshots are made of.
 *
 * Each replaces what its first argument points to by a copy in the arena, so that the original may
 * go; figures are left as they are. False: out of memory, and parts of it still point to the
 * original. */
#ifndef EK_CORE_SNAPSHOT_COPY_H
#define EK_CORE_SNAPSHOT_COPY_H

#include "balancer/core/snapshot.h"

/* NULL stays NULL. */
bool ek_text_copy(const char **text, struct ek_arena *arena);

bool ek_strings_copy(struct ek_strings *strings, struct ek_arena *arena);
bool ek_labels_copy(struct ek_labels *labels, struct ek_arena *arena);
bool ek_numa_cells_copy(struct ek_numa_cells *cells, struct ek_arena *arena);
bool ek_storage_pools_copy(struct ek_storage_pools *pools, struct ek_arena *arena);

/* All that they point to. */
bool ek_host_copy(struct ek_host *host, struct ek_arena *arena);
bool ek_domain_copy(struct ek_domain *domain, struct ek_arena *arena);

#endif
