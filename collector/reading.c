/* Deep copies of a host's and a domain's facts, and the end of a reading. */
#include "collector/reading.h"

#include <string.h>

/* Facts are kept per host and copied into each reading, so that a reading owns all it points to and
 * can cross threads. */

/* NULL is a fact, too ("not known"), and copies to NULL. */
static bool copy_string(const char **out, const char *text, struct ek_arena *arena)
{
    *out = ek_arena_strdup(arena, text);
    return *out != NULL || text == NULL;
}

static bool copy_strings(struct ek_strings *out, const struct ek_strings *list,
                         struct ek_arena *arena)
{
    const char **items = ek_arena_alloc(arena, list->count, sizeof(*items));

    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!copy_string(&items[i], list->items[i], arena)) {
            return false;
        }
    }
    /* "given" goes along: an empty list that was given means none, one that was not means not
     * known. */
    *out = (struct ek_strings){.items = items, .count = list->count, .given = list->given};
    return true;
}

static bool copy_labels(struct ek_labels *out, const struct ek_labels *list, struct ek_arena *arena)
{
    struct ek_label *items = ek_arena_alloc(arena, list->count, sizeof(*items));

    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!copy_string(&items[i].key, list->items[i].key, arena) ||
            !copy_string(&items[i].value, list->items[i].value, arena)) {
            return false;
        }
    }
    *out = (struct ek_labels){.items = items, .count = list->count};
    return true;
}

bool ek_host_facts_copy(struct ek_host_facts *out, const struct ek_host_facts *facts,
                        struct ek_arena *arena, struct ek_error *err)
{
    if (copy_strings(&out->networks, &facts->networks, arena) &&
        copy_strings(&out->storages, &facts->storages, arena) &&
        copy_string(&out->hypervisor, facts->hypervisor, arena) &&
        copy_string(&out->cpu_model, facts->cpu_model, arena) &&
        copy_string(&out->uuid, facts->uuid, arena)) {
        return true;
    }
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the facts of a host");
}

bool ek_domain_facts_copy(struct ek_domain_facts *out, const struct ek_domain_facts *facts,
                          struct ek_arena *arena, struct ek_error *err)
{
    /* Plain figures first; every pointer of it is then replaced by a copy, or the sample would
     * point into the cache. */
    *out = *facts;
    if (copy_string(&out->immovable_reason, facts->immovable_reason, arena) &&
        copy_labels(&out->labels, &facts->labels, arena) &&
        copy_strings(&out->rules, &facts->rules, arena) &&
        copy_strings(&out->networks, &facts->networks, arena) &&
        copy_strings(&out->storages, &facts->storages, arena) &&
        copy_strings(&out->devices, &facts->devices, arena) &&
        copy_string(&out->machine, facts->machine, arena) &&
        copy_string(&out->cpu_model, facts->cpu_model, arena)) {
        return true;
    }
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the facts of a domain");
}

void ek_reading_finish(struct ek_reading *reading)
{
    ek_arena_finish(&reading->arena);
    memset(reading, 0, sizeof(*reading));
}
