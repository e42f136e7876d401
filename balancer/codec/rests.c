/* What the engine keeps as JSON: cooldowns, failures, circuits and pauses outlive a restart, or the
 * first cycle after it would move everything again. Blocked domains are not kept here: the
 * journal's blocking moves tell them. */
#include "balancer/codec/rests.h"

#include "balancer/codec/json.h"

#include <string.h>

/* Unix milliseconds stay far below 2^53, which is what JSON's numbers keep exactly. */
/* Moves and failures are counted on from what is read: far below where an int ends. */
#define MAX_COUNT 1000000

#define MAX_TIME ((int64_t)EK_JSON_MAX_NUMBER)

static void write_rest(struct ek_json_writer *writer, const struct ek_rest *rest)
{
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "domain", rest->domain);
    ek_json_put_integer(writer, "until_ms", rest->until_ms);
    ek_json_put_integer(writer, "moved_at_ms", rest->moved_at_ms);
    ek_json_put_integer(writer, "repeats", rest->repeats);
    ek_json_put_text(writer, "avoid", rest->avoid);
    ek_json_put_integer(writer, "avoid_until_ms", rest->avoid_until_ms);
    ek_json_put_integer(writer, "failed_until_ms", rest->failed_until_ms);
    ek_json_put_integer(writer, "failures", rest->failures);
    ek_json_put_integer(writer, "lags_until_ms", rest->lags_until_ms);
    ek_json_end(writer, '}');
}

static void write_circuit(struct ek_json_writer *writer, const struct ek_circuit_entry *entry)
{
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "source", entry->source);
    ek_json_put_text(writer, "destination", entry->destination);
    ek_json_put_text(writer, "other", entry->other);
    ek_json_put_bool(writer, "several", entry->several);
    ek_json_put_integer(writer, "failures", entry->failures);
    ek_json_put_integer(writer, "trips", entry->trips);
    ek_json_put_integer(writer, "failed_at_ms", entry->failed_at_ms);
    ek_json_put_integer(writer, "until_ms", entry->until_ms);
    ek_json_end(writer, '}');
}

char *ek_codec_write_rests(const struct ek_kept *kept)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_text(&writer, "paused", kept->pause.why);
    ek_json_put_bool(&writer, "paused_all", kept->pause.all);
    ek_json_key(&writer, "rests");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < kept->rest_count; i++) {
        write_rest(&writer, &kept->rests[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_key(&writer, "circuits");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < kept->circuit_count; i++) {
        write_circuit(&writer, &kept->circuits[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_put_strings(&writer, "begun", kept->begun);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

static bool read_int(const struct ek_json_node *node, const char *key, int *out)
{
    int64_t value = 0;

    if (!ek_json_get_integer(node, key, EK_JSON_REQUIRED, 0, MAX_COUNT, &value)) {
        return false;
    }
    *out = (int)value;
    return true;
}

/* All required: this text is ours alone, so that a missing member is damage and no choice; but what
 * an older version wrote does not know of laggards. */
static bool read_rest(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_rest *rest = &((struct ek_kept *)context)->rests[index];

    return ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, rest->domain,
                             sizeof(rest->domain)) &&
           ek_json_get_chars(node, "avoid", EK_JSON_REQUIRED, 0, rest->avoid,
                             sizeof(rest->avoid)) &&
           ek_json_get_integer(node, "until_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &rest->until_ms) &&
           ek_json_get_integer(node, "moved_at_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                               &rest->moved_at_ms) &&
           ek_json_get_integer(node, "avoid_until_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                               &rest->avoid_until_ms) &&
           ek_json_get_integer(node, "failed_until_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                               &rest->failed_until_ms) &&
           ek_json_get_integer(node, "lags_until_ms", EK_JSON_OPTIONAL, 0, MAX_TIME,
                               &rest->lags_until_ms) &&
           read_int(node, "repeats", &rest->repeats) && read_int(node, "failures", &rest->failures);
}

static bool read_circuit(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_circuit_entry *entry = &((struct ek_kept *)context)->circuits[index];

    return ek_json_get_chars(node, "source", EK_JSON_REQUIRED, 0, entry->source,
                             sizeof(entry->source)) &&
           ek_json_get_chars(node, "destination", EK_JSON_REQUIRED, 0, entry->destination,
                             sizeof(entry->destination)) &&
           ek_json_get_chars(node, "other", EK_JSON_REQUIRED, 0, entry->other,
                             sizeof(entry->other)) &&
           ek_json_get_bool(node, "several", EK_JSON_REQUIRED, &entry->several) &&
           read_int(node, "failures", &entry->failures) && read_int(node, "trips", &entry->trips) &&
           ek_json_get_integer(node, "failed_at_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                               &entry->failed_at_ms) &&
           ek_json_get_integer(node, "until_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &entry->until_ms);
}

/* Circuits and pauses are younger than rests: what an older balancer kept has none. */
bool ek_codec_read_rests(struct ek_kept *out, const char *text, size_t size, const char *name,
                         struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .arena = &out->arena, .err = err};
    struct ek_json_list lists[] = {{.key = "rests"}, {.key = "circuits"}};
    EK_JSON_SCOPED cJSON *document = NULL;

    memset(out, 0, sizeof(*out));
    bool ok = ek_json_open(&reader, text, size, lists, 2, &document);
    const struct ek_json_node node = {.reader = &reader, .item = document};
    ok = ok &&
         ek_json_get_chars(&node, "paused", EK_JSON_OPTIONAL, 0, out->pause.why,
                           sizeof(out->pause.why)) &&
         ek_json_get_bool(&node, "paused_all", EK_JSON_OPTIONAL, &out->pause.all) &&
         ek_json_get_strings(&node, "begun", &out->begun);
    out->rest_count = ok ? lists[0].left : 0;
    out->circuit_count = ok ? lists[1].left : 0;
    out->rests = ek_arena_alloc(&out->arena, out->rest_count, sizeof(*out->rests));
    out->circuits = ek_arena_alloc(&out->arena, out->circuit_count, sizeof(*out->circuits));
    if (ok && (out->rests == NULL || out->circuits == NULL)) {
        ok = ek_json_no_memory(&reader);
    }
    ok = ok && ek_json_read_list(&reader, &lists[0], read_rest, out) &&
         ek_json_read_list(&reader, &lists[1], read_circuit, out);
    /* Whole or not at all: half a memory would let the other half move at once. */
    if (!ok) {
        ek_kept_finish(out);
    }
    return ok;
}
