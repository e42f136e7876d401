/* The sample: one host and its domains. */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"
#include "balancer/codec/name_map.h"

/* What the readers of single elements share. */
struct reading {
    struct ek_sample *out;
    struct ek_name_map uuids;
};

static bool read_domain(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    uint32_t first;

    if (!ek_json_read_domain(node, &reading->out->domains[index])) {
        return false;
    }
    if (!ek_name_map_add(&reading->uuids, reading->out->domains[index].uuid, &first)) {
        return ek_json_no_memory(node->reader);
    }
    return first == index || ek_json_refuse(node, "uuid", "a UUID that no domain before it has");
}

static bool read_head(const struct ek_json_node *node, struct ek_sample *out)
{
    /* A period of 0 would make every sample stale at once, so that it starts at 1. */
    const int64_t max = (int64_t)EK_JSON_MAX_NUMBER;
    struct ek_json_node host;

    if (!ek_json_get_integer(node, "taken_at_ms", EK_JSON_REQUIRED, 0, max, &out->taken_at_ms) ||
        !ek_json_get_integer(node, "period_ms", EK_JSON_REQUIRED, 1, max, &out->period_ms) ||
        !ek_json_get_text(node, "collector", EK_JSON_REQUIRED, &out->collector) ||
        !ek_json_get_object(node, "host", EK_JSON_REQUIRED, &host) ||
        !ek_json_read_host(&host, &out->host)) {
        return false;
    }
    /* Whether a sample is stale is found by who reads it. */
    return out->host.state == EK_HOST_UP || ek_json_refuse(&host, "state", "up");
}

static bool read_domains(const struct ek_json_node *document, struct ek_json_list *list,
                         struct reading *reading)
{
    struct ek_sample *out = reading->out;

    /* Found in the tree: it stood there as something that is no list. */
    if (list->text == NULL || cJSON_HasObjectItem(document->item, list->key)) {
        return ek_json_refuse(document, list->key, "a list, once");
    }
    out->domain_count = list->left;
    out->domains = ek_arena_alloc(&out->arena, list->left, sizeof(*out->domains));
    if (out->domains == NULL || !ek_name_map_init(&reading->uuids, list->left)) {
        return ek_json_no_memory(document->reader);
    }
    return ek_json_read_list(document->reader, list, read_domain, reading);
}

bool ek_codec_read_sample(struct ek_sample *out, const char *text, size_t size, const char *name,
                          struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .arena = &out->arena, .err = err};
    struct ek_json_list list = {.key = "domains"};
    struct reading reading = {.out = out};
    cJSON *document EK_JSON_SCOPED = NULL;

    *out = (struct ek_sample){.taken_at_ms = 0};
    bool done = ek_json_open(&reader, text, size, &list, 1, &document);
    struct ek_json_node node = {.reader = &reader, .item = document};
    done = done && read_head(&node, out) && read_domains(&node, &list, &reading);
    /* On every way out; a map that was never made is all zeroes and takes it. */
    ek_name_map_finish(&reading.uuids);
    /* All or nothing: half a sample would make a host look half empty. */
    if (!done) {
        ek_arena_finish(&out->arena);
        *out = (struct ek_sample){.taken_at_ms = 0};
    }
    return done;
}

char *ek_codec_write_sample(const struct ek_sample *sample)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "taken_at_ms", sample->taken_at_ms);
    ek_json_put_integer(&writer, "period_ms", sample->period_ms);
    /* Shows whose it is when two collectors have one host in their lists. */
    ek_json_put_text(&writer, "collector", sample->collector);
    ek_json_key(&writer, "host");
    ek_json_write_host(&writer, &sample->host);
    ek_json_key(&writer, "domains");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < sample->domain_count; i++) {
        ek_json_write_domain(&writer, &sample->domains[i], NULL);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
