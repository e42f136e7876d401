/* Quantities of further resources, as hosts and domains state them. */
#include "balancer/codec/json.h"

#include <math.h>

/* Of a host {"capacity": 1250, "used": 310}, of a domain 12.5. */
static bool read_quantity(const struct ek_json_node *node, const char *name, bool of_host,
                          struct ek_quantity *out)
{
    struct ek_json_node figures;

    out->used = NAN;
    if (!of_host) {
        return ek_json_get_number(node, name, EK_JSON_REQUIRED, &ek_json_at_least_0, &out->used);
    }
    return ek_json_get_object(node, name, EK_JSON_REQUIRED, &figures) &&
           ek_json_get_number(&figures, "capacity", EK_JSON_REQUIRED, &ek_json_at_least_0,
                              &out->capacity) &&
           ek_json_get_number(&figures, "used", EK_JSON_OPTIONAL, &ek_json_at_least_0, &out->used);
}

bool ek_json_get_quantities(const struct ek_json_node *object, const char *key, bool of_host,
                            struct ek_quantities *out)
{
    const struct ek_json_reader *reader = object->reader;
    struct ek_json_node node;

    if (!ek_json_get_object(object, key, EK_JSON_OPTIONAL, &node)) {
        return false;
    }
    if (node.item == NULL) {
        return true;
    }
    size_t room = (size_t)cJSON_GetArraySize(node.item);
    struct ek_quantity *items = ek_arena_alloc(reader->arena, room, sizeof(*items));
    if (items == NULL) {
        return ek_json_no_memory(reader);
    }
    *out = (struct ek_quantities){.items = items};
    for (const cJSON *item = node.item->child; item != NULL; item = item->next) {
        struct ek_quantity *quantity = &items[out->count++];
        quantity->name = ek_arena_strdup(reader->arena, item->string);
        if (quantity->name == NULL) {
            return ek_json_no_memory(reader);
        }
        if (!read_quantity(&node, item->string, of_host, quantity)) {
            return false;
        }
    }
    return true;
}

void ek_json_put_quantities(struct ek_json_writer *writer, const char *key, bool of_host,
                            struct ek_quantities quantities)
{
    if (quantities.count == 0) {
        return;
    }
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < quantities.count; i++) {
        const struct ek_quantity *quantity = &quantities.items[i];
        if (!of_host) {
            ek_json_put_number(writer, quantity->name, quantity->used);
            continue;
        }
        ek_json_key(writer, quantity->name);
        ek_json_begin(writer, '{');
        ek_json_put_number(writer, "capacity", quantity->capacity);
        ek_json_put_number(writer, "used", quantity->used);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, '}');
}
