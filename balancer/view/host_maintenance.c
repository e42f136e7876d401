/* Hosts in maintenance: the operator's key and the balancer's word. */
#include "balancer/codec/writer.h"
#include "balancer/view/view.h"

#include <stdlib.h>
#include <string.h>

static int compare_items(const void *left, const void *right)
{
    const struct ek_host_maintenance *a = left;
    const struct ek_host_maintenance *b = right;

    return strcmp(a->host, b->host);
}

struct ek_host_maintenance *ek_view_read_maintenance(struct ek_store *store,
                                                     const struct ek_config *config,
                                                     const struct ek_maintenance *keys,
                                                     struct ek_arena *arena, struct ek_error *err)
{
    size_t count = config->host_count;
    struct ek_host_maintenance *items = ek_arena_alloc(arena, count, sizeof(*items));

    if (items == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory");
        return NULL;
    }
    for (size_t h = 0; h < count; h++) {
        items[h].host = config->hosts[h].name;
        items[h].key = keys[h];
        /* A status may outlive its key: without the key it says nothing any more. */
        if (keys[h].wanted &&
            !ek_view_read_maintenance_status(store, items[h].host, &items[h].status,
                                             &items[h].has_status, arena, err)) {
            return NULL;
        }
    }
    /* The keys came in the order of the file; whoever shows them goes by the snapshot's. */
    qsort(items, count, sizeof(*items), compare_items);
    return items;
}

/* Fields that say nothing are left out: an absent status is not one of zeros. */
void ek_host_maintenance_write(struct ek_json_writer *writer,
                               const struct ek_host_maintenance *item)
{
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "host", item->host);
    ek_json_put_bool(writer, "wanted", item->key.wanted);
    if (item->key.wanted) {
        ek_json_put_text(writer, "reason", item->key.reason);
    }
    if (item->key.deadline_ms != 0) {
        ek_json_put_integer(writer, "deadline_ms", item->key.deadline_ms);
    }
    if (item->has_status) {
        ek_json_key(writer, "status");
        ek_json_write_maintenance(writer, &item->status);
    }
    ek_json_end(writer, '}');
}
