/* Copies into an arena, piece by piece: on failure the caller gives up the arena as a whole. */
#include "balancer/core/snapshot_copy.h"

bool ek_text_copy(const char **text, struct ek_arena *arena)
{
    const char *copy = ek_arena_strdup(arena, *text);
    bool ok = copy != NULL || *text == NULL;

    *text = copy;
    return ok;
}

bool ek_strings_copy(struct ek_strings *strings, struct ek_arena *arena)
{
    const char **items = ek_arena_alloc(arena, strings->count, sizeof(*items));
    bool ok = items != NULL;

    for (size_t i = 0; ok && i < strings->count; i++) {
        items[i] = ek_arena_strdup(arena, strings->items[i]);
        ok = items[i] != NULL;
    }
    strings->items = items;
    return ok;
}

bool ek_labels_copy(struct ek_labels *labels, struct ek_arena *arena)
{
    struct ek_label *items = ek_arena_alloc(arena, labels->count, sizeof(*items));
    bool ok = items != NULL;

    for (size_t i = 0; ok && i < labels->count; i++) {
        items[i].key = ek_arena_strdup(arena, labels->items[i].key);
        items[i].value = ek_arena_strdup(arena, labels->items[i].value);
        ok = items[i].key != NULL && items[i].value != NULL;
    }
    labels->items = items;
    return ok;
}

static bool copy_quantities(struct ek_quantities *quantities, struct ek_arena *arena)
{
    struct ek_quantity *items = ek_arena_alloc(arena, quantities->count, sizeof(*items));
    bool ok = items != NULL;

    for (size_t i = 0; ok && i < quantities->count; i++) {
        items[i] = quantities->items[i];
        items[i].name = ek_arena_strdup(arena, items[i].name);
        ok = items[i].name != NULL;
    }
    quantities->items = items;
    return ok;
}

bool ek_numa_cells_copy(struct ek_numa_cells *cells, struct ek_arena *arena)
{
    struct ek_numa_cell *items = ek_arena_alloc(arena, cells->count, sizeof(*items));

    for (size_t i = 0; items != NULL && i < cells->count; i++) {
        items[i] = cells->items[i];
    }
    cells->items = items;
    return items != NULL;
}

bool ek_storage_pools_copy(struct ek_storage_pools *pools, struct ek_arena *arena)
{
    struct ek_storage_pool *items = ek_arena_alloc(arena, pools->count, sizeof(*items));
    bool ok = items != NULL;

    for (size_t i = 0; ok && i < pools->count; i++) {
        items[i] = pools->items[i];
        ok = ek_text_copy(&items[i].name, arena) && ek_text_copy(&items[i].type, arena) &&
             ek_text_copy(&items[i].target, arena) && ek_text_copy(&items[i].source, arena);
    }
    pools->items = items;
    return ok;
}

bool ek_host_copy(struct ek_host *host, struct ek_arena *arena)
{
    return ek_text_copy(&host->name, arena) && ek_text_copy(&host->hypervisor, arena) &&
           ek_text_copy(&host->cpu_model, arena) && ek_text_copy(&host->uuid, arena) &&
           copy_quantities(&host->resources, arena) && ek_labels_copy(&host->labels, arena) &&
           ek_strings_copy(&host->networks, arena) && ek_strings_copy(&host->storages, arena) &&
           ek_numa_cells_copy(&host->numa_cells, arena) &&
           ek_storage_pools_copy(&host->storage_pools, arena);
}

bool ek_domain_copy(struct ek_domain *domain, struct ek_arena *arena)
{
    return ek_text_copy(&domain->uuid, arena) && ek_text_copy(&domain->name, arena) &&
           ek_text_copy(&domain->immovable_reason, arena) &&
           ek_text_copy(&domain->machine, arena) && ek_text_copy(&domain->cpu_model, arena) &&
           copy_quantities(&domain->resources, arena) && ek_labels_copy(&domain->labels, arena) &&
           ek_strings_copy(&domain->networks, arena) && ek_strings_copy(&domain->storages, arena) &&
           ek_strings_copy(&domain->devices, arena) && ek_strings_copy(&domain->rules, arena);
}
