/* The moves of a plan document, for those who show what still waits. */
#include "balancer/codec/json.h"
#include "balancer/codec/plan.h"

#include <string.h>

struct reading {
    struct ek_plan_line *lines;
    size_t room;
    size_t count;
};

static bool read_line(const struct ek_json_node *node, size_t index, void *context)
{
    struct reading *reading = context;
    struct ek_plan_line line = {.seq = 0};
    int64_t seq = 0;

    (void)index;
    if (!ek_json_get_integer(node, "seq", EK_JSON_REQUIRED, 1, UINT32_MAX, &seq) ||
        !ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, line.name, sizeof(line.name)) ||
        !ek_json_get_chars(node, "name", EK_JSON_OPTIONAL, 1, line.name, sizeof(line.name)) ||
        !ek_json_get_chars(node, "source", EK_JSON_REQUIRED, 1, line.source, sizeof(line.source)) ||
        !ek_json_get_chars(node, "destination", EK_JSON_REQUIRED, 1, line.destination,
                           sizeof(line.destination)) ||
        !ek_json_get_chars(node, "kind", EK_JSON_OPTIONAL, 0, line.kind, sizeof(line.kind))) {
        return false;
    }
    line.seq = (uint32_t)seq;
    if (reading->count < reading->room) {
        reading->lines[reading->count++] = line;
    }
    return true;
}

bool ek_codec_read_plan_lines(struct ek_plan_line *out, size_t room, size_t *count,
                              const char *text, size_t size, const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    struct ek_json_list moves = {.key = "moves"};
    struct reading reading = {.lines = out, .room = room};
    cJSON *document EK_JSON_SCOPED = NULL;

    if (!ek_json_open(&reader, text, size, &moves, 1, &document) ||
        !ek_json_read_list(&reader, &moves, read_line, &reading)) {
        return false;
    }
    *count = reading.count;
    return true;
}
