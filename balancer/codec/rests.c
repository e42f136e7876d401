/* The engine's rests as JSON: cooldowns, failures and what is avoided outlive a restart, or the
 * first cycle after it would move everything again. Blocked domains are not kept here: the
 * journal's blocking moves tell them. */
#include "balancer/codec/rests.h"

#include "balancer/codec/json.h"

#include <stdlib.h>

/* Unix milliseconds stay far below 2^53, which is what JSON's numbers keep exactly. */
/* Moves and failures are counted on from what is read: far below where an int ends. */
#define MAX_COUNT 1000000

#define MAX_TIME ((int64_t)EK_JSON_MAX_NUMBER)

char *ek_codec_write_rests(const struct ek_rest *rests, size_t count)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "rests");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        const struct ek_rest *rest = &rests[i];
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "domain", rest->domain);
        ek_json_put_integer(&writer, "until_ms", rest->until_ms);
        ek_json_put_integer(&writer, "moved_at_ms", rest->moved_at_ms);
        ek_json_put_integer(&writer, "repeats", rest->repeats);
        ek_json_put_text(&writer, "avoid", rest->avoid);
        ek_json_put_integer(&writer, "avoid_until_ms", rest->avoid_until_ms);
        ek_json_put_integer(&writer, "failed_until_ms", rest->failed_until_ms);
        ek_json_put_integer(&writer, "failures", rest->failures);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* Grows with the elements that were good; a bad one ends the reading. */
struct list {
    struct ek_rest *items;
    size_t count;
};

static bool read_int(const struct ek_json_node *node, const char *key, int *out)
{
    int64_t value = 0;

    if (!ek_json_get_integer(node, key, EK_JSON_REQUIRED, 0, MAX_COUNT, &value)) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool read_rest(const struct ek_json_node *node, size_t index, void *context)
{
    struct list *list = context;
    struct ek_rest rest = {.until_ms = 0};
    /* One by one: rests are those of one week's moves, and the list is read once at a start. */
    struct ek_rest *grown = realloc(list->items, (index + 1) * sizeof(*grown));

    if (grown == NULL) {
        return ek_json_no_memory(node->reader);
    }
    list->items = grown;
    /* All required: this text is ours alone, so that a missing member is damage and no choice. */
    if (!ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, rest.domain, sizeof(rest.domain)) ||
        !ek_json_get_chars(node, "avoid", EK_JSON_REQUIRED, 0, rest.avoid, sizeof(rest.avoid)) ||
        !ek_json_get_integer(node, "until_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &rest.until_ms) ||
        !ek_json_get_integer(node, "moved_at_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                             &rest.moved_at_ms) ||
        !ek_json_get_integer(node, "avoid_until_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                             &rest.avoid_until_ms) ||
        !ek_json_get_integer(node, "failed_until_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                             &rest.failed_until_ms) ||
        !read_int(node, "repeats", &rest.repeats) || !read_int(node, "failures", &rest.failures)) {
        return false;
    }
    list->items[list->count++] = rest;
    return true;
}

bool ek_codec_read_rests(struct ek_rest **rests, size_t *count, const char *text, size_t size,
                         const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    struct ek_json_list list = {.key = "rests"};
    struct list read = {0};
    EK_JSON_SCOPED cJSON *document = NULL;

    if (!ek_json_open(&reader, text, size, &list, 1, &document) ||
        !ek_json_read_list(&reader, &list, read_rest, &read)) {
        /* Whole or not at all: half a memory would let the other half move at once. */
        free(read.items);
        return false;
    }
    *rests = read.items;
    *count = read.count;
    return true;
}
