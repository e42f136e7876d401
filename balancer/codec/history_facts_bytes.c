/* Facts as bytes. */
#include "balancer/codec/history_facts.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Entries of one list: no host has as many labels, and a damaged block asks for no more. */
enum { MAX_LIST = 1 << 16 };

/* ---- writing --------------------------------------------------------------------------------- */

static void put_text(const struct ek_history_texts *texts, struct ek_bytes *bytes, const char *text)
{
    ek_bytes_put_number(bytes, text == NULL ? 0 : ek_history_text_number(texts, text) + 1);
}

/* Whole numbers, which nearly all are, as such; others to the bit. */
static void put_number(struct ek_bytes *bytes, double number)
{
    uint64_t bits = 0;

    static_assert(sizeof(bits) == sizeof(number), "a double has 64 bits");
    if (number == floor(number) && number < (double)EK_SERIES_MAX) {
        ek_bytes_put_number(bytes, 2 * (uint64_t)number);
        return;
    }
    memcpy(&bits, &number, sizeof(bits));
    ek_bytes_put_number(bytes, 1);
    for (size_t i = 0; i < sizeof(bits); i++) {
        uint8_t byte = (uint8_t)(bits >> (8 * i));
        ek_bytes_put(bytes, &byte, 1);
    }
}

static bool get_number(struct ek_bytes_reader *reader, double *number)
{
    uint64_t bits = 0;

    if (!ek_bytes_get_number(reader, "a number below 2^51", 2 * (uint64_t)EK_SERIES_MAX, &bits)) {
        return false;
    }
    if ((bits & 1) == 0) {
        *number = (double)(bits / 2);
        return true;
    }
    const uint8_t *data = ek_bytes_get(reader, sizeof(bits));
    bits = 0;
    for (size_t i = 0; data != NULL && i < sizeof(bits); i++) {
        bits |= (uint64_t)data[i] << (8 * i);
    }
    memcpy(number, &bits, sizeof(bits));
    return data != NULL;
}

static void put_fact(enum ek_fact_type type, const struct ek_history_texts *texts,
                     struct ek_bytes *bytes, const void *at)
{
    const struct ek_strings *strings = at;
    const struct ek_labels *labels = at;
    const struct ek_quantities *quantities = at;

    switch (type) {
    case EK_FACT_TEXT:
        put_text(texts, bytes, *(const char *const *)at);
        break;
    case EK_FACT_NUMBER:
        put_number(bytes, *(const double *)at);
        break;
    case EK_FACT_FLAG:
        ek_bytes_put_number(bytes, *(const bool *)at);
        break;
    case EK_FACT_STRINGS:
        ek_bytes_put_number(bytes, strings->given ? strings->count + 1 : 0);
        for (size_t i = 0; strings->given && i < strings->count; i++) {
            put_text(texts, bytes, strings->items[i]);
        }
        break;
    case EK_FACT_LABELS:
        ek_bytes_put_number(bytes, labels->count);
        for (size_t i = 0; i < labels->count; i++) {
            put_text(texts, bytes, labels->items[i].key);
            put_text(texts, bytes, labels->items[i].value);
        }
        break;
    case EK_FACT_QUANTITIES:
        ek_bytes_put_number(bytes, quantities->count);
        for (size_t i = 0; i < quantities->count; i++) {
            put_text(texts, bytes, quantities->items[i].name);
            put_number(bytes, quantities->items[i].capacity);
        }
        break;
    }
}

void ek_facts_put(const struct ek_history_kind *kind, const struct ek_history_texts *texts,
                  struct ek_bytes *bytes, const void *entity)
{
    struct ek_bytes facts = {0};

    for (size_t f = 0; f < kind->fact_count; f++) {
        put_fact(kind->facts[f].type, texts, &facts, (const char *)entity + kind->facts[f].offset);
    }
    ek_bytes_put_number(bytes, facts.size);
    ek_bytes_put(bytes, facts.data, facts.size);
    bytes->failed = bytes->failed || facts.failed;
    free(facts.data);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* `out` is NULL only where none was written. */
static bool get_reference(struct ek_bytes_reader *reader, const struct ek_history_texts *texts,
                          bool needed, const char **out)
{
    uint64_t number = 0;

    if (!ek_bytes_get_number(reader, "the number of a text of the block", texts->count, &number)) {
        return false;
    }
    *out = number == 0 ? NULL : ek_history_text_at(texts, (size_t)number - 1);
    return number > 0 || !needed || ek_bytes_refuse(reader, "a text", "none");
}

static bool get_count(struct ek_bytes_reader *reader, struct ek_history_texts *texts, size_t size,
                      bool may_be_absent, uint64_t *count, void *list)
{
    /* Each entry takes a byte at least: what is left bounds what is asked for. */
    uint64_t left = reader->size - reader->at;
    uint64_t max = (left < MAX_LIST ? left : MAX_LIST) + may_be_absent;

    if (!ek_bytes_get_number(reader, "no more entries than bytes are left", max, count)) {
        return false;
    }
    uint64_t entries = *count - (may_be_absent && *count > 0);
    void *room = ek_arena_alloc(&texts->arena, (size_t)entries, size);
    memcpy(list, &room, sizeof(room));
    return room != NULL ||
           ek_error_set(reader->err, EK_ERR_NOMEM, "%s: out of memory", reader->name);
}

static bool get_strings(struct ek_bytes_reader *reader, struct ek_history_texts *texts,
                        struct ek_strings *out)
{
    const char **items = NULL;
    uint64_t count = 0;
    bool done = get_count(reader, texts, sizeof(*items), true, &count, &items);

    for (uint64_t i = 0; done && i + 1 < count; i++) {
        done = get_reference(reader, texts, true, &items[i]);
    }
    *out = (struct ek_strings){
        .items = items, .count = (size_t)(count == 0 ? 0 : count - 1), .given = count > 0};
    return done;
}

static bool get_labels(struct ek_bytes_reader *reader, struct ek_history_texts *texts,
                       struct ek_labels *out)
{
    struct ek_label *items = NULL;
    uint64_t count = 0;
    bool done = get_count(reader, texts, sizeof(*items), false, &count, &items);

    for (uint64_t i = 0; done && i < count; i++) {
        done = get_reference(reader, texts, true, &items[i].key) &&
               get_reference(reader, texts, true, &items[i].value);
    }
    *out = (struct ek_labels){.items = items, .count = (size_t)count};
    return done;
}

static bool get_quantities(struct ek_bytes_reader *reader, struct ek_history_texts *texts,
                           struct ek_quantities *out)
{
    struct ek_quantity *items = NULL;
    uint64_t count = 0;
    bool done = get_count(reader, texts, sizeof(*items), false, &count, &items);

    for (uint64_t i = 0; done && i < count; i++) {
        done = get_reference(reader, texts, true, &items[i].name) &&
               get_number(reader, &items[i].capacity);
    }
    *out = (struct ek_quantities){.items = items, .count = (size_t)count};
    return done;
}

static bool get_fact(enum ek_fact_type type, struct ek_history_texts *texts,
                     struct ek_bytes_reader *reader, void *at)
{
    uint64_t flag = 0;

    switch (type) {
    case EK_FACT_TEXT:
        return get_reference(reader, texts, false, at);
    case EK_FACT_NUMBER:
        return get_number(reader, at);
    case EK_FACT_FLAG:
        if (!ek_bytes_get_number(reader, "0 or 1", 1, &flag)) {
            return false;
        }
        *(bool *)at = flag == 1;
        return true;
    case EK_FACT_STRINGS:
        return get_strings(reader, texts, at);
    case EK_FACT_LABELS:
        return get_labels(reader, texts, at);
    case EK_FACT_QUANTITIES:
        return get_quantities(reader, texts, at);
    }
    return false;
}

bool ek_facts_get(const struct ek_history_kind *kind, struct ek_history_texts *texts,
                  struct ek_bytes_reader *reader, void *entity)
{
    struct ek_bytes_reader facts = *reader;
    uint64_t size = 0;
    bool done = true;

    if (!ek_bytes_get_number(reader, "facts within the block", reader->size - reader->at, &size)) {
        return false;
    }
    facts.at = reader->at;
    facts.size = reader->at + (size_t)size;
    if (facts.size > reader->size) {
        return ek_bytes_refuse(reader, "facts within the block", "%d bytes of facts", (int)size);
    }
    /* Facts that an older writer did not know stay zero; newer ones are passed over. */
    for (size_t f = 0; done && f < kind->fact_count && facts.at < facts.size; f++) {
        done = get_fact(kind->facts[f].type, texts, &facts, (char *)entity + kind->facts[f].offset);
    }
    reader->at = facts.size;
    return done && ek_facts_check(kind, entity, reader->name, reader->err);
}
