/* What came of plans, as JSON. */
#include "balancer/codec/outcome.h"

#include "balancer/codec/json.h"

#include <stdio.h>
#include <string.h>

#define MAX_INTEGER ((int64_t)EK_JSON_MAX_NUMBER)

char *ek_codec_write_verified(const struct ek_verified *verified)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "plan", verified->plan_id);
    ek_json_put_figures(&writer, "before", &verified->resources, verified->before);
    ek_json_put_figures(&writer, "predicted", &verified->resources, verified->predicted);
    ek_json_put_figures(&writer, "real", &verified->resources, verified->real);
    ek_json_put_number(&writer, "predicted_gain", verified->predicted_gain);
    ek_json_put_number(&writer, "gain", verified->gain);
    ek_json_put_integer(&writer, "predicted_length_ms", verified->predicted_length_ms);
    ek_json_put_integer(&writer, "length_ms", verified->length_ms);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

bool ek_codec_read_verified(struct ek_verified *out, const char *text, size_t size,
                            const char *name, struct ek_error *err)
{
    static const struct ek_json_range any = {-1e9, 1e9, false, "a number"};
    const struct ek_json_reader reader = {.name = name, .err = err};
    EK_JSON_SCOPED cJSON *document = NULL;

    memset(out, 0, sizeof(*out));
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    const struct ek_json_node node = {.reader = &reader, .item = document};
    return ek_json_get_chars(&node, "plan", EK_JSON_REQUIRED, 1, out->plan_id,
                             sizeof(out->plan_id)) &&
           ek_json_get_figures(&node, "before", EK_JSON_REQUIRED, true, &out->resources,
                               out->before) &&
           ek_json_get_figures(&node, "predicted", EK_JSON_REQUIRED, false, &out->resources,
                               out->predicted) &&
           ek_json_get_figures(&node, "real", EK_JSON_REQUIRED, false, &out->resources,
                               out->real) &&
           ek_json_get_number(&node, "predicted_gain", EK_JSON_REQUIRED, &any,
                              &out->predicted_gain) &&
           ek_json_get_number(&node, "gain", EK_JSON_REQUIRED, &any, &out->gain) &&
           ek_json_get_integer(&node, "predicted_length_ms", EK_JSON_REQUIRED, 0, MAX_INTEGER,
                               &out->predicted_length_ms) &&
           ek_json_get_integer(&node, "length_ms", EK_JSON_REQUIRED, 0, MAX_INTEGER,
                               &out->length_ms);
}

static bool read_levels(const struct ek_json_node *node, struct ek_plan_promise *out)
{
    struct ek_json_node before;
    struct ek_json_node after;

    return ek_json_get_chars(node, "policy", EK_JSON_REQUIRED, 0, out->policy,
                             sizeof(out->policy)) &&
           ek_json_get_number(node, "makespan_s", EK_JSON_REQUIRED, &ek_json_at_least_0,
                              &out->seconds) &&
           ek_json_get_object(node, "before", EK_JSON_REQUIRED, &before) &&
           ek_json_get_object(node, "after", EK_JSON_REQUIRED, &after) &&
           ek_json_get_figures(&before, "imbalance", EK_JSON_REQUIRED, true, &out->resources,
                               out->before) &&
           ek_json_get_figures(&after, "imbalance", EK_JSON_REQUIRED, false, &out->resources,
                               out->after);
}

bool ek_codec_read_promise(struct ek_plan_promise *out, const char *text, size_t size,
                           const char *name, struct ek_error *err)
{
    struct ek_arena scratch = {0};
    const struct ek_json_reader reader = {.name = name, .arena = &scratch, .err = err};
    struct ek_json_list moves = {.key = "moves"};
    EK_JSON_SCOPED cJSON *document = NULL;
    const char *summary = "";

    memset(out, 0, sizeof(*out));
    bool ok = ek_json_open(&reader, text, size, &moves, 1, &document);
    const struct ek_json_node node = {.reader = &reader, .item = document};
    out->moves = moves.left;
    ok = ok && ek_json_get_text(&node, "summary", EK_JSON_REQUIRED, &summary) &&
         read_levels(&node, out);
    (void)snprintf(out->summary, sizeof(out->summary), "%s", summary);
    ek_arena_finish(&scratch);
    return ok;
}
