#include "balancer/codec/unsampled.h"

#include "balancer/codec/json.h"

char *ek_codec_write_unsampled(const struct ek_unsampled *unsampled)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "at_ms", unsampled->at_ms);
    ek_json_put_text(&writer, "collector", unsampled->collector);
    ek_json_put_text(&writer, "error", unsampled->error);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

bool ek_codec_read_unsampled(struct ek_unsampled *out, const char *text, size_t size,
                             const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    cJSON *document EK_JSON_SCOPED = NULL;

    *out = (struct ek_unsampled){0};
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    return ek_json_get_integer(&node, "at_ms", EK_JSON_REQUIRED, 1, (int64_t)EK_JSON_MAX_NUMBER,
                               &out->at_ms) &&
           ek_json_get_chars(&node, "collector", EK_JSON_REQUIRED, 1, out->collector,
                             sizeof(out->collector)) &&
           ek_json_get_chars(&node, "error", EK_JSON_REQUIRED, 1, out->error, sizeof(out->error));
}
