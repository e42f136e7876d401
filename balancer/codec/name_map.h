/* A map from names to indices, for references inside one document. */
#ifndef EK_CODEC_NAME_MAP_H
#define EK_CODEC_NAME_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ek_name_entry;

struct ek_name_map {
    struct ek_name_entry *head; /* uthash's table */
    struct ek_name_entry *entries;
    size_t count;
};

/* Room for `capacity` names. False when memory ran out. */
bool ek_name_map_init(struct ek_name_map *map, size_t capacity);

/* Adds a name, which is borrowed, under the next index (0, 1, ...). *first is the index that it now
 * has: an earlier one if the name was there already. False when memory ran out. */
bool ek_name_map_add(struct ek_name_map *map, const char *name, uint32_t *first);

/* The index of the name, EK_NONE when it is not there. */
uint32_t ek_name_map_find(const struct ek_name_map *map, const char *name);

/* Frees; a zeroed map is fine. */
void ek_name_map_finish(struct ek_name_map *map);

#endif
