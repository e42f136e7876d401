/* What a host has room in: its NUMA cells, {"0": {"cpus": 16, "memory_mib": 64211, "free_mib":
 * 1800}}, and its storage pools, {"default": {"type": "dir", "capacity_mib": 102400, ...}}. */
#include "balancer/codec/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- objects by name ------------------------------------------------------------------------- */

/* Reads one of them into its place in a list that was made for all. */
typedef bool read_fn(const struct ek_json_node *object, const char *name,
                     const struct ek_json_node *figures, void *items, size_t index);

/* *items stays as it is when the member is absent. */
static bool read_all(const struct ek_json_node *object, const char *key, size_t size, read_fn *read,
                     void **items, size_t *count)
{
    const struct ek_json_reader *reader = object->reader;
    struct ek_json_node all;

    if (!ek_json_get_object(object, key, EK_JSON_OPTIONAL, &all)) {
        return false;
    }
    if (all.item == NULL) {
        return true;
    }
    *items = ek_arena_alloc(reader->arena, (size_t)cJSON_GetArraySize(all.item), size);
    if (*items == NULL) {
        return ek_json_no_memory(reader);
    }
    for (const cJSON *item = all.item->child; item != NULL; item = item->next) {
        struct ek_json_node figures;
        if (!ek_json_get_object(&all, item->string, EK_JSON_REQUIRED, &figures) ||
            !read(&all, item->string, &figures, *items, *count)) {
            return false;
        }
        (*count)++;
    }
    return true;
}

/* ---- NUMA cells ------------------------------------------------------------------------------ */

static bool read_cell(const struct ek_json_node *object, const char *name,
                      const struct ek_json_node *figures, void *items, size_t index)
{
    struct ek_numa_cell *cell = &((struct ek_numa_cell *)items)[index];
    int64_t cpus = 0;
    char *end = NULL;
    unsigned long id = strtoul(name, &end, 10);

    /* strtoul takes signs, spaces and an empty text as well: a number is digits. */
    if (name[strspn(name, "0123456789")] != '\0' || end == name || id >= UINT32_MAX) {
        return ek_json_refuse(object, name, "a NUMA cell's number as its name");
    }
    *cell = (struct ek_numa_cell){.id = (uint32_t)id, .free_mib = NAN};
    bool done = ek_json_get_integer(figures, "cpus", EK_JSON_OPTIONAL, 0, UINT32_MAX, &cpus) &&
                ek_json_get_number(figures, "memory_mib", EK_JSON_REQUIRED, &ek_json_at_least_0,
                                   &cell->memory_mib) &&
                ek_json_get_number(figures, "free_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                                   &cell->free_mib);
    cell->cpus = (uint32_t)cpus;
    return done;
}

bool ek_json_get_numa_cells(const struct ek_json_node *object, struct ek_numa_cells *out)
{
    void *items = NULL;
    bool done = read_all(object, "numa_cells", sizeof(*out->items), read_cell, &items, &out->count);

    out->items = items;
    return done;
}

void ek_json_put_numa_cells(struct ek_json_writer *writer, const struct ek_numa_cells *cells)
{
    if (cells->count == 0) {
        return;
    }
    ek_json_key(writer, "numa_cells");
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < cells->count; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%u", (unsigned int)cells->items[i].id);
        ek_json_key(writer, id);
        ek_json_begin(writer, '{');
        ek_json_put_integer(writer, "cpus", cells->items[i].cpus);
        ek_json_put_number(writer, "memory_mib", cells->items[i].memory_mib);
        ek_json_put_number(writer, "free_mib", cells->items[i].free_mib);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, '}');
}

/* ---- storage pools --------------------------------------------------------------------------- */

static bool read_pool(const struct ek_json_node *object, const char *name,
                      const struct ek_json_node *figures, void *items, size_t index)
{
    struct ek_storage_pool *pool = &((struct ek_storage_pool *)items)[index];

    *pool = (struct ek_storage_pool){.name = ek_arena_strdup(object->reader->arena, name),
                                     .capacity_mib = NAN,
                                     .allocation_mib = NAN,
                                     .available_mib = NAN};
    if (pool->name == NULL) {
        return ek_json_no_memory(object->reader);
    }
    return ek_json_get_text(figures, "type", EK_JSON_REQUIRED, &pool->type) &&
           ek_json_get_text(figures, "target", EK_JSON_OPTIONAL, &pool->target) &&
           ek_json_get_text(figures, "source", EK_JSON_OPTIONAL, &pool->source) &&
           ek_json_get_number(figures, "capacity_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &pool->capacity_mib) &&
           ek_json_get_number(figures, "allocation_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &pool->allocation_mib) &&
           ek_json_get_number(figures, "available_mib", EK_JSON_OPTIONAL, &ek_json_at_least_0,
                              &pool->available_mib);
}

bool ek_json_get_storage_pools(const struct ek_json_node *object, struct ek_storage_pools *out)
{
    void *items = NULL;
    bool done =
        read_all(object, "storage_pools", sizeof(*out->items), read_pool, &items, &out->count);

    out->items = items;
    return done;
}

void ek_json_put_storage_pools(struct ek_json_writer *writer, const struct ek_storage_pools *pools)
{
    if (pools->count == 0) {
        return;
    }
    ek_json_key(writer, "storage_pools");
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < pools->count; i++) {
        const struct ek_storage_pool *pool = &pools->items[i];
        ek_json_key(writer, pool->name);
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "type", pool->type);
        ek_json_put_text(writer, "target", pool->target);
        ek_json_put_text(writer, "source", pool->source);
        ek_json_put_number(writer, "capacity_mib", pool->capacity_mib);
        ek_json_put_number(writer, "allocation_mib", pool->allocation_mib);
        ek_json_put_number(writer, "available_mib", pool->available_mib);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, '}');
}
