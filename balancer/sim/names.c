/* Names to indices for the simulated cluster: stories name what orders and outcomes name. */
#include "balancer/sim/names.h"

#include <stdio.h>
#include <stdlib.h>

/* Without this uthash ends the process when memory runs out; an entry that it could not keep is
 * marked. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

struct ek_sim_names {
    /* A copy: the map does not depend on how long its callers keep their texts. */
    char name[EK_NAME_SIZE];
    uint32_t index;
    bool lost; /* uthash had no memory to keep it */
    UT_hash_handle hh;
};

uint32_t ek_sim_names_find(const struct ek_sim_names *names, const char *name)
{
    const struct ek_sim_names *found = NULL;

    HASH_FIND_STR(names, name, found);
    return found == NULL ? UINT32_MAX : found->index;
}

bool ek_sim_names_add(struct ek_sim_names **names, const char *name, uint32_t index)
{
    struct ek_sim_names *entry = calloc(1, sizeof(*entry));

    if (entry == NULL || ek_sim_names_find(*names, name) != UINT32_MAX) {
        free(entry);
        return false;
    }
    (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->index = index;
    HASH_ADD_STR(*names, name, entry);
    if (entry->lost) {
        free(entry);
        return false;
    }
    return true;
}

void ek_sim_names_destroy(struct ek_sim_names *names)
{
    struct ek_sim_names *entry = NULL;
    struct ek_sim_names *next = NULL;

    HASH_ITER(hh, names, entry, next)
    {
        HASH_DEL(names, entry);
        free(entry);
    }
}
