/* candidates: what a balancer tells the collectors, which meet it only in Redis. */
#include "balancer/codec/candidates.h"

#include "balancer/codec/json.h"

char *ek_codec_write_candidates(const struct ek_strings *hosts)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_strings(&writer, "hosts", *hosts);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

bool ek_codec_read_candidates(struct ek_strings *hosts, struct ek_arena *arena, const char *text,
                              size_t size, const char *name, struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .arena = arena, .err = err};
    cJSON *document EK_JSON_SCOPED = NULL;

    *hosts = (struct ek_strings){.count = 0};
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    if (!ek_json_get_strings(&node, "hosts", hosts)) {
        return false;
    }
    return hosts->given || ek_json_refuse(&node, "hosts", "a list of hosts");
}
