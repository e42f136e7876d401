/* The engine's memory as JSON. It is written in each cycle, for every domain, and read at starts
 * alone: so a history is one text of hexadecimal digits, 8 of the mean's float, 2 of the count, 4
 * of each point, and reads back to the bit. */
#include "balancer/codec/memory.h"

#include "balancer/codec/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Unix milliseconds stay far below 2^53, which is what JSON's numbers keep exactly. */
#define MAX_TIME ((int64_t)EK_JSON_MAX_NUMBER)

/* Cycles are counted on from what is read: far below where an int ends. */
#define MAX_COUNT 1000000

enum { MEAN = 8, COUNT = 2, POINT = 4 };
enum { HISTORY_TEXT = MEAN + COUNT + POINT * EK_FORECAST_POINTS };

/* ---- hexadecimal digits -------------------------------------------------------------------- */

static void put_digits(char *to, uint32_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4) {
        to[i] = "0123456789abcdef"[value & 15];
    }
}

static bool get_digits(const char *from, int digits, uint32_t *value)
{
    static const char known[] = "0123456789abcdef";

    *value = 0;
    for (int i = 0; i < digits; i++) {
        const char *digit = from[i] == '\0' ? NULL : strchr(known, from[i]);
        if (digit == NULL) {
            return false;
        }
        *value = *value << 4 | (uint32_t)(digit - known);
    }
    return true;
}

static void put_history(struct ek_json_writer *writer, const char *key,
                        const struct ek_history *history)
{
    char text[HISTORY_TEXT + 1] = "";
    uint32_t mean = 0;

    static_assert(sizeof(mean) == sizeof(history->mean), "a float has 32 bits");
    memcpy(&mean, &history->mean, sizeof(mean));
    put_digits(text, mean, MEAN);
    put_digits(text + MEAN, history->count, COUNT);
    for (size_t i = 0; i < EK_FORECAST_POINTS; i++) {
        put_digits(text + MEAN + COUNT + i * POINT, history->points[i], POINT);
    }
    ek_json_put_text(writer, key, text);
}

/* What no figure can be is damage: a mean or a point below 0, infinite or not a number. */
static bool read_history(const struct ek_json_node *node, const char *key,
                         struct ek_history *history)
{
    char text[HISTORY_TEXT + 1] = "";
    uint32_t value = 0;

    if (!ek_json_get_chars(node, key, EK_JSON_REQUIRED, HISTORY_TEXT, text, sizeof(text))) {
        return false;
    }
    bool ok = get_digits(text, MEAN, &value);
    memcpy(&history->mean, &value, sizeof(value));
    ok = ok && isfinite(history->mean) && history->mean >= 0 &&
         get_digits(text + MEAN, COUNT, &value);
    history->count = (uint8_t)value;
    for (size_t i = 0; ok && i < EK_FORECAST_POINTS; i++) {
        ok = get_digits(text + MEAN + COUNT + i * POINT, POINT, &value);
        history->points[i] = (uint16_t)value;
        ok = ok && (value == EK_NO_POINT || isfinite(ek_point_unpack((uint16_t)value)));
    }
    ok = ok && (history->points[0] != EK_NO_POINT || history->count == 0);
    return ok || ek_json_refuse(node, key, "a history in hexadecimal digits");
}

/* ---- writing ------------------------------------------------------------------------------- */

static void write_sustained(struct ek_json_writer *writer, const struct ek_sustained *sustained)
{
    char policy[17] = "";

    put_digits(policy, (uint32_t)(sustained->policy >> 32), 8);
    put_digits(policy + 8, (uint32_t)sustained->policy, 8);
    ek_json_key(writer, "sustained");
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "cycles", sustained->cycles);
    ek_json_put_integer(writer, "at_ms", sustained->at_ms);
    ek_json_put_text(writer, "policy", policy);
    ek_json_end(writer, '}');
}

char *ek_codec_write_memory(const struct ek_engine_memory *memory)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    write_sustained(&writer, &memory->sustained);
    ek_json_put_integer(&writer, "window_ms", memory->window_ms);
    ek_json_key(&writer, "forecasts");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < memory->forecast_count; i++) {
        const struct ek_forecast_entry *entry = &memory->forecasts[i];
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "domain", entry->domain);
        ek_json_put_integer(&writer, "at_ms", entry->at_ms);
        put_history(&writer, "cpu", &entry->history[EK_CPU]);
        put_history(&writer, "memory", &entry->history[EK_MEMORY]);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_key(&writer, "learned");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < memory->lesson_count; i++) {
        const struct ek_lesson *lesson = &memory->lessons[i];
        ek_json_begin(&writer, '{');
        ek_json_put_text(&writer, "domain", lesson->domain);
        ek_json_put_number(&writer, "factor", lesson->factor);
        ek_json_put_integer(&writer, "moved_at_ms", lesson->moved_at_ms);
        ek_json_end(&writer, '}');
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* All members are required: this text is ours alone, so that a missing one is damage and no
 * choice. */
static bool read_sustained(const struct ek_json_node *document, struct ek_sustained *out)
{
    struct ek_json_node node;
    char policy[17] = "";
    int64_t cycles = 0;
    uint32_t high = 0;
    uint32_t low = 0;

    if (!ek_json_get_object(document, "sustained", EK_JSON_REQUIRED, &node) ||
        !ek_json_get_integer(&node, "cycles", EK_JSON_REQUIRED, 0, MAX_COUNT, &cycles) ||
        !ek_json_get_integer(&node, "at_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &out->at_ms) ||
        !ek_json_get_chars(&node, "policy", EK_JSON_REQUIRED, 16, policy, sizeof(policy))) {
        return false;
    }
    if (!get_digits(policy, 8, &high) || !get_digits(policy + 8, 8, &low)) {
        return ek_json_refuse(&node, "policy", "16 hexadecimal digits");
    }
    out->cycles = (int)cycles;
    out->policy = (uint64_t)high << 32 | low;
    return true;
}

static bool read_forecast(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_forecast_entry *entry = &((struct ek_engine_memory *)context)->forecasts[index];

    return ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, entry->domain,
                             sizeof(entry->domain)) &&
           ek_json_get_integer(node, "at_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &entry->at_ms) &&
           read_history(node, "cpu", &entry->history[EK_CPU]) &&
           read_history(node, "memory", &entry->history[EK_MEMORY]);
}

static bool read_lesson(const struct ek_json_node *node, size_t index, void *context)
{
    struct ek_lesson *lesson = &((struct ek_engine_memory *)context)->lessons[index];

    return ek_json_get_chars(node, "domain", EK_JSON_REQUIRED, 1, lesson->domain,
                             sizeof(lesson->domain)) &&
           ek_json_get_number(node, "factor", EK_JSON_REQUIRED, &ek_json_above_0,
                              &lesson->factor) &&
           ek_json_get_integer(node, "moved_at_ms", EK_JSON_REQUIRED, 0, MAX_TIME,
                               &lesson->moved_at_ms);
}

bool ek_codec_read_memory(struct ek_engine_memory *out, const char *text, size_t size,
                          const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    struct ek_json_list lists[] = {{.key = "forecasts"}, {.key = "learned"}};
    EK_JSON_SCOPED cJSON *document = NULL;

    memset(out, 0, sizeof(*out));
    bool ok = ek_json_open(&reader, text, size, lists, 2, &document);
    const struct ek_json_node node = {.reader = &reader, .item = document};
    ok = ok && read_sustained(&node, &out->sustained) &&
         ek_json_get_integer(&node, "window_ms", EK_JSON_REQUIRED, 0, MAX_TIME, &out->window_ms);
    out->forecast_count = ok ? lists[0].left : 0;
    out->lesson_count = ok ? lists[1].left : 0;
    out->forecasts = ek_arena_alloc(&out->arena, out->forecast_count, sizeof(*out->forecasts));
    out->lessons = ek_arena_alloc(&out->arena, out->lesson_count, sizeof(*out->lessons));
    if (ok && (out->forecasts == NULL || out->lessons == NULL)) {
        ok = ek_json_no_memory(&reader);
    }
    ok = ok && ek_json_read_list(&reader, &lists[0], read_forecast, out) &&
         ek_json_read_list(&reader, &lists[1], read_lesson, out);
    /* Whole or not at all, as every document. */
    if (!ok) {
        ek_engine_memory_finish(out);
    }
    return ok;
}
