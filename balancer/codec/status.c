/* status:<role>: what a balancer says of itself, for `evenkeel status` and for whoever watches
 * it. */
#include "balancer/codec/status.h"

#include "balancer/codec/json.h"

#include <string.h>

void ek_json_write_status(struct ek_json_writer *writer, const struct ek_balancer_status *status)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "identity", status->identity);
    /* "version" is the document's, so the program's goes by its name. */
    ek_json_put_text(writer, "evenkeel", status->version);
    ek_json_put_text(writer, "mode", status->mode);
    ek_json_put_text(writer, "policy", status->policy);
    ek_json_put_text(writer, "policy_file", status->policy_file);
    ek_json_put_bool(writer, "leading", status->leading);
    ek_json_put_integer(writer, "epoch", status->epoch);
    ek_json_put_integer(writer, "at_ms", status->at_ms);
    ek_json_put_integer(writer, "started_at_ms", status->started_at_ms);
    ek_json_put_integer(writer, "cycles", status->cycles);
    ek_json_put_integer(writer, "running", status->running);
    ek_json_put_integer(writer, "waiting", status->waiting);
    ek_json_put_text(writer, "holding", status->holding);
    ek_json_put_text(writer, "paused", status->paused);
    ek_json_put_text(writer, "closed", status->closed);
    ek_json_put_text(writer, "circuits", status->circuits);
    ek_json_put_text(writer, "summary", status->summary);
    ek_json_put_text(writer, "plan_id", status->plan_id);
    ek_json_put_text(writer, "offer_id", status->offer_id);
    ek_json_put_integer(writer, "offered", status->offered);
    ek_json_put_integer(writer, "offer_lapses_at_ms", status->offer_lapses_at_ms);
    ek_json_put_text(writer, "redis", status->redis);
    ek_json_end(writer, '}');
}

char *ek_codec_write_status(const struct ek_balancer_status *status)
{
    /* Alone it is the value of its key; `evenkeel --json status` puts it into a larger object. */
    struct ek_json_writer writer = {0};

    ek_json_write_status(&writer, status);
    return ek_json_finish(&writer);
}

/* All optional: an older or a newer balancer may leave some out and is still worth showing. */
static bool read_texts(const struct ek_json_node *node, struct ek_balancer_status *out)
{
    const struct {
        const char *key;
        char *to;
        size_t size;
    } texts[] = {
        {"identity", out->identity, sizeof(out->identity)},
        {"evenkeel", out->version, sizeof(out->version)},
        {"mode", out->mode, sizeof(out->mode)},
        {"policy", out->policy, sizeof(out->policy)},
        {"policy_file", out->policy_file, sizeof(out->policy_file)},
        {"holding", out->holding, sizeof(out->holding)},
        {"paused", out->paused, sizeof(out->paused)},
        {"closed", out->closed, sizeof(out->closed)},
        {"circuits", out->circuits, sizeof(out->circuits)},
        {"summary", out->summary, sizeof(out->summary)},
        {"plan_id", out->plan_id, sizeof(out->plan_id)},
        {"offer_id", out->offer_id, sizeof(out->offer_id)},
        {"redis", out->redis, sizeof(out->redis)},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!ek_json_get_chars(node, texts[i].key, EK_JSON_OPTIONAL, 0, texts[i].to,
                               texts[i].size)) {
            return false;
        }
    }
    return true;
}

/* Of an older balancer: there were none. */
static bool read_offer(const struct ek_json_node *node, struct ek_balancer_status *out)
{
    const int64_t max = (int64_t)EK_JSON_MAX_NUMBER;

    return ek_json_get_integer(node, "offered", EK_JSON_OPTIONAL, 0, max, &out->offered) &&
           ek_json_get_integer(node, "offer_lapses_at_ms", EK_JSON_OPTIONAL, 0, max,
                               &out->offer_lapses_at_ms);
}

/* Required: without its time and its epoch nobody could tell what an answer is worth. */
static bool read_integers(const struct ek_json_node *node, struct ek_balancer_status *out)
{
    const struct {
        const char *key;
        int64_t *to;
    } integers[] = {
        {"epoch", &out->epoch},
        {"at_ms", &out->at_ms},
        {"started_at_ms", &out->started_at_ms},
        {"cycles", &out->cycles},
        {"running", &out->running},
        {"waiting", &out->waiting},
    };
    const int64_t max = (int64_t)EK_JSON_MAX_NUMBER;

    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        if (!ek_json_get_integer(node, integers[i].key, EK_JSON_REQUIRED, 0, max, integers[i].to)) {
            return false;
        }
    }
    return true;
}

bool ek_codec_read_status(struct ek_balancer_status *out, const char *text, size_t size,
                          const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    EK_JSON_SCOPED cJSON *document = NULL;

    /* Absent texts are "" and not what stood there before. */
    memset(out, 0, sizeof(*out));
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    const struct ek_json_node node = {.reader = &reader, .item = document};
    return read_texts(&node, out) && read_integers(&node, out) && read_offer(&node, out) &&
           ek_json_get_bool(&node, "leading", EK_JSON_REQUIRED, &out->leading);
}
