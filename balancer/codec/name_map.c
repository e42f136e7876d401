/* Names to indices, while a document is read: the index of a name is the order in which it was
 * added. */
#include "balancer/codec/name_map.h"

#include "balancer/core/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out; with it the new entry's handle has no
 * table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct ek_name_entry {
    const char *name;
    UT_hash_handle hh;
};

bool ek_name_map_init(struct ek_name_map *map, size_t capacity)
{
    /* One more, so that an empty document does not depend on what calloc(0) gives. */
    *map = (struct ek_name_map){.entries = calloc(capacity + 1, sizeof(*map->entries))};
    return map->entries != NULL;
}

bool ek_name_map_add(struct ek_name_map *map, const char *name, uint32_t *first)
{
    struct ek_name_entry *entry = &map->entries[map->count];
    struct ek_name_entry *found = NULL;

    assert(map->count < EK_NONE);
    HASH_FIND_STR(map->head, name, found);
    /* The place in the array is the index, so that no entry has to hold one. */
    *first = (uint32_t)((found != NULL ? found : entry) - map->entries);
    entry->name = name;
    /* Counted even when the name was there: indices follow the document's lists. */
    map->count++;
    if (found == NULL) {
        HASH_ADD_KEYPTR(hh, map->head, name, strlen(name), entry);
        return entry->hh.tbl != NULL;
    }
    return true;
}

/* Of equal names the first: the others were refused by whoever added them. */
uint32_t ek_name_map_find(const struct ek_name_map *map, const char *name)
{
    struct ek_name_entry *found = NULL;

    HASH_FIND_STR(map->head, name, found);
    return found == NULL ? EK_NONE : (uint32_t)(found - map->entries);
}

void ek_name_map_finish(struct ek_name_map *map)
{
    HASH_CLEAR(hh, map->head);
    free(map->entries);
    *map = (struct ek_name_map){.head = NULL};
}
