/* Hosts in maintenance: the operator's key and the balancer's word. */
#include "balancer/codec/writer.h"
#include "balancer/view/view.h"

#include <stdio.h>
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

/* ---- what was stopped there -------------------------------------------------------------------
 */

/* So many of the newest moves are looked at: a cluster that is emptied host by host. */
enum { NEWEST = 1000 };

/* Whether a later move of the domain is known: then this one says nothing of it any more. Records
 * stand newest first. */
static bool is_newest(const struct ek_move_record *records, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(records[i].order.domain, records[index].order.domain) == 0) {
            return false;
        }
    }
    return true;
}

/* By the URI that the daemon uses: it works from where its operators sit. */
static const char *start_of(const struct ek_config *config, const char *host, const char *name,
                            struct ek_arena *arena)
{
    for (size_t h = 0; h < config->host_count; h++) {
        if (strcmp(config->hosts[h].name, host) == 0) {
            return ek_arena_printf(arena, "virsh -c '%s' start %s", config->hosts[h].uri, name);
        }
    }
    return ek_arena_printf(arena, "virsh start %s", name);
}

static bool add_stopped(const struct ek_config *config, struct ek_host_maintenance *item,
                        struct ek_stopped *list, const struct ek_move_record *record,
                        struct ek_arena *arena)
{
    const struct ek_move_order *order = &record->order;
    struct ek_stopped *it = &list[item->stopped_count++];

    it->domain = ek_arena_strdup(arena, order->domain);
    it->name = ek_arena_strdup(arena, order->name[0] == '\0' ? order->domain : order->name);
    it->kind = order->kind;
    it->at_ms = record->updated_at_ms;
    it->start = it->name == NULL ? NULL : start_of(config, item->host, it->name, arena);
    return it->domain != NULL && it->start != NULL;
}

/* Of one host. What the samples show running was started since, wherever. */
static bool list_stopped(const struct ek_config *config, const struct ek_snapshot *snapshot,
                         const struct ek_move_record *records, size_t count,
                         struct ek_host_maintenance *item, struct ek_arena *arena)
{
    struct ek_stopped *list = ek_arena_alloc(arena, count, sizeof(*list));
    bool ok = list != NULL;

    item->stopped = list;
    for (size_t i = 0; ok && i < count; i++) {
        const struct ek_move_order *order = &records[i].order;
        bool ambiguous = false;
        if (ek_move_stops(order->kind) && records[i].state == EK_MOVE_DONE &&
            strcmp(order->source, item->host) == 0 && is_newest(records, i) &&
            ek_snapshot_find_domain(snapshot, order->domain, &ambiguous) == EK_NONE) {
            ok = add_stopped(config, item, list, &records[i], arena);
        }
    }
    return ok;
}

bool ek_view_read_stopped(const struct ek_view_source *source, struct ek_host_maintenance *items,
                          size_t count, struct ek_arena *arena, struct ek_error *err)
{
    struct ek_move_record *records = NULL;
    size_t record_count = 0;
    struct ek_view view;
    bool ok = true;

    if (!ek_view_read(&view, source, err)) {
        return false;
    }
    ok = ek_store_recent_moves(source->store, NEWEST, &records, &record_count, err);
    for (size_t i = 0; ok && i < count; i++) {
        ok =
            list_stopped(source->config, &view.snapshot, records, record_count, &items[i], arena) ||
            ek_error_set(err, EK_ERR_NOMEM, "out of memory");
    }
    free(records);
    ek_view_finish(&view);
    return ok;
}

static void write_stopped(struct ek_json_writer *writer, const struct ek_host_maintenance *item)
{
    ek_json_key(writer, "stopped");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < item->stopped_count; i++) {
        const struct ek_stopped *it = &item->stopped[i];
        ek_json_begin(writer, '{');
        ek_json_put_text(writer, "domain", it->domain);
        ek_json_put_text(writer, "name", it->name);
        ek_json_put_text(writer, "kind", ek_move_kind_name(it->kind));
        ek_json_put_integer(writer, "at_ms", it->at_ms);
        ek_json_put_text(writer, "start", it->start);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
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
    if (item->key.fault[0] != '\0') {
        ek_json_put_text(writer, "fault", item->key.fault);
    }
    if (item->key.deadline_ms != 0) {
        ek_json_put_integer(writer, "deadline_ms", item->key.deadline_ms);
    }
    if (item->has_status) {
        ek_json_key(writer, "status");
        ek_json_write_maintenance(writer, &item->status);
    }
    if (item->stopped_count > 0) {
        write_stopped(writer, item);
    }
    ek_json_end(writer, '}');
}
