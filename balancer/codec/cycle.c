/* A cycle's account as JSON: flat, so that a line of `redis-cli XREVRANGE` can be read. */
#include "balancer/codec/cycle.h"

#include "balancer/codec/json.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define MAX_INTEGER ((int64_t)EK_JSON_MAX_NUMBER)

/* Both directions go by these tables; the order is the document's. */
struct text {
    const char *key;
    size_t offset;
    size_t size;
};
#define TEXT(member)                                        \
    {                                                       \
#member, offsetof(struct ek_cycle, member),         \
            sizeof(((const struct ek_cycle *)NULL)->member) \
    }
static const struct text texts[] = {
    TEXT(summary),          TEXT(plan_id),      TEXT(holding),  TEXT(paused),
    TEXT(closed),           TEXT(balance_held), TEXT(trigger),  TEXT(hottest_host),
    TEXT(hottest_resource), TEXT(rests_first),  TEXT(circuits),
};

struct count {
    const char *key;
    size_t offset;
};
#define COUNT(member)                              \
    {                                              \
#member, offsetof(struct ek_cycle, member) \
    }
static const struct count counts[] = {
    COUNT(moves),   COUNT(stuck),   COUNT(hosts),   COUNT(hosts_up), COUNT(hosts_in_maintenance),
    COUNT(domains), COUNT(resting), COUNT(blocked), COUNT(running),  COUNT(waiting),
};

static const struct count numbers[] = {
    COUNT(min_gain),     COUNT(trigger_imbalance),   COUNT(trigger_comfort),
    COUNT(offered_gain), COUNT(hottest_utilization),
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

char *ek_codec_write_cycle(const struct ek_cycle *cycle, int64_t number)
{
    const char *base = (const char *)cycle;
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "cycle", number);
    ek_json_put_integer(&writer, "at_ms", cycle->at_ms);
    ek_json_put_text(&writer, "end", ek_cycle_end_name(cycle->end));
    for (size_t i = 0; i < LENGTH(texts); i++) {
        ek_json_put_text(&writer, texts[i].key, base + texts[i].offset);
    }
    ek_json_put_bool(&writer, "asked", cycle->asked);
    ek_json_put_bool(&writer, "wants", cycle->wants);
    ek_json_put_integer(&writer, "sustained", cycle->sustained);
    ek_json_put_integer(&writer, "sustained_cycles", cycle->sustained_cycles);
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        /* NAN is left out: not known. */
        ek_json_put_number(&writer, numbers[i].key, *(const double *)(base + numbers[i].offset));
    }
    ek_json_put_figures(&writer, "imbalance", &cycle->resources, cycle->imbalance);
    for (size_t i = 0; i < LENGTH(counts); i++) {
        ek_json_put_integer(&writer, counts[i].key, *(const uint32_t *)(base + counts[i].offset));
    }
    ek_json_put_integer(&writer, "rests_until_ms", cycle->rests_until_ms);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

static bool read_end(const struct ek_json_node *node, struct ek_cycle *out)
{
    const char *names[EK_CYCLE_END_COUNT];
    unsigned int end = 0;

    for (unsigned int i = 0; i < EK_CYCLE_END_COUNT; i++) {
        names[i] = ek_cycle_end_name((enum ek_cycle_end)i);
    }
    bool ok = ek_json_get_choice(node, "end", EK_JSON_REQUIRED, names, EK_CYCLE_END_COUNT, &end);
    out->end = (enum ek_cycle_end)end;
    return ok;
}

static bool read_count(const struct ek_json_node *node, const char *key, int64_t max,
                       int64_t *value)
{
    *value = 0;
    return ek_json_get_integer(node, key, EK_JSON_OPTIONAL, 0, max, value);
}

static bool read_counts(const struct ek_json_node *node, struct ek_cycle *out)
{
    int64_t value = 0;

    for (size_t i = 0; i < LENGTH(counts); i++) {
        if (!read_count(node, counts[i].key, UINT32_MAX, &value)) {
            return false;
        }
        *(uint32_t *)((char *)out + counts[i].offset) = (uint32_t)value;
    }
    if (!read_count(node, "sustained", INT32_MAX, &value)) {
        return false;
    }
    out->sustained = (int)value;
    if (!read_count(node, "sustained_cycles", INT32_MAX, &value)) {
        return false;
    }
    out->sustained_cycles = (int)value;
    return read_count(node, "rests_until_ms", MAX_INTEGER, &out->rests_until_ms);
}

static bool read_numbers(const struct ek_json_node *node, struct ek_cycle *out)
{
    /* A plan may be forced to raise the score. */
    static const struct ek_json_range any = {-1e9, 1e9, false, "a number"};

    out->offered_gain = NAN;
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        double *to = (double *)((char *)out + numbers[i].offset);
        if (!ek_json_get_number(node, numbers[i].key, EK_JSON_OPTIONAL, &any, to)) {
            return false;
        }
    }
    return true;
}

static bool read_texts(const struct ek_json_node *node, struct ek_cycle *out)
{
    for (size_t i = 0; i < LENGTH(texts); i++) {
        if (!ek_json_get_chars(node, texts[i].key, EK_JSON_OPTIONAL, 0,
                               (char *)out + texts[i].offset, texts[i].size)) {
            return false;
        }
    }
    return true;
}

bool ek_codec_read_cycle(struct ek_cycle *out, int64_t *number, const char *text, size_t size,
                         const char *name, struct ek_error *err)
{
    const struct ek_json_reader reader = {.name = name, .err = err};
    EK_JSON_SCOPED cJSON *document = NULL;

    memset(out, 0, sizeof(*out));
    if (!ek_json_open(&reader, text, size, NULL, 0, &document)) {
        return false;
    }
    const struct ek_json_node node = {.reader = &reader, .item = document};
    return ek_json_get_integer(&node, "cycle", EK_JSON_REQUIRED, 0, MAX_INTEGER, number) &&
           ek_json_get_integer(&node, "at_ms", EK_JSON_REQUIRED, 0, MAX_INTEGER, &out->at_ms) &&
           read_end(&node, out) && read_texts(&node, out) &&
           ek_json_get_bool(&node, "asked", EK_JSON_OPTIONAL, &out->asked) &&
           ek_json_get_bool(&node, "wants", EK_JSON_OPTIONAL, &out->wants) &&
           read_numbers(&node, out) && read_counts(&node, out) &&
           ek_json_get_figures(&node, "imbalance", EK_JSON_OPTIONAL, true, &out->resources,
                               out->imbalance);
}
