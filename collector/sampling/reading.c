/* Deep copies of a host's and a domain's facts, and the end of a reading. */
#include "collector/sampling/reading.h"

#include "balancer/core/snapshot_copy.h"

#include <string.h>

/* Facts are kept per host and copied into each reading, so that a reading owns all it points to and
 * can cross threads. */

bool ek_host_facts_copy(struct ek_host_facts *out, const struct ek_host_facts *facts,
                        struct ek_arena *arena, struct ek_error *err)
{
    /* Plain figures first; every pointer is then replaced by a copy, or the reading would point
     * into what is kept. */
    *out = *facts;
    if (ek_strings_copy(&out->networks, arena) && ek_strings_copy(&out->storages, arena) &&
        ek_text_copy(&out->hypervisor, arena) && ek_text_copy(&out->cpu_model, arena) &&
        ek_text_copy(&out->uuid, arena) && ek_numa_cells_copy(&out->numa_cells, arena) &&
        ek_storage_pools_copy(&out->storage_pools, arena)) {
        return true;
    }
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the facts of a host");
}

bool ek_domain_facts_copy(struct ek_domain_facts *out, const struct ek_domain_facts *facts,
                          struct ek_arena *arena, struct ek_error *err)
{
    *out = *facts;
    if (ek_text_copy(&out->immovable_reason, arena) && ek_labels_copy(&out->labels, arena) &&
        ek_strings_copy(&out->rules, arena) && ek_strings_copy(&out->networks, arena) &&
        ek_strings_copy(&out->storages, arena) && ek_strings_copy(&out->devices, arena) &&
        ek_text_copy(&out->machine, arena) && ek_text_copy(&out->cpu_model, arena)) {
        return true;
    }
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the facts of a domain");
}

void ek_reading_finish(struct ek_reading *reading)
{
    ek_arena_finish(&reading->arena);
    memset(reading, 0, sizeof(*reading));
}
