/* Facts in memory: compared, and copied into a block. */
#include "balancer/codec/history_facts.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_strings(const struct ek_strings *a, const struct ek_strings *b)
{
    bool same = a->given == b->given && a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool same_labels(const struct ek_labels *a, const struct ek_labels *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i].key, b->items[i].key) == 0 &&
               strcmp(a->items[i].value, b->items[i].value) == 0;
    }
    return same;
}

static bool same_quantities(const struct ek_quantities *a, const struct ek_quantities *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i].name, b->items[i].name) == 0 &&
               a->items[i].capacity == b->items[i].capacity;
    }
    return same;
}

static bool same_fact(enum ek_fact_type type, const void *a, const void *b)
{
    switch (type) {
    case EK_FACT_TEXT:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case EK_FACT_NUMBER:
        return *(const double *)a == *(const double *)b;
    case EK_FACT_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case EK_FACT_STRINGS:
        return same_strings(a, b);
    case EK_FACT_LABELS:
        return same_labels(a, b);
    case EK_FACT_QUANTITIES:
        return same_quantities(a, b);
    }
    return false;
}

bool ek_facts_equal(const struct ek_history_kind *kind, const void *a, const void *b)
{
    bool same = true;

    for (size_t f = 0; same && f < kind->fact_count; f++) {
        size_t offset = kind->facts[f].offset;
        same = same_fact(kind->facts[f].type, (const char *)a + offset, (const char *)b + offset);
    }
    return same;
}

static bool copy_text(struct ek_history_texts *texts, const char **out, const char *in)
{
    *out = in == NULL ? NULL : ek_history_intern(texts, in);
    return in == NULL || *out != NULL;
}

static bool copy_strings(struct ek_history_texts *texts, struct ek_strings *out,
                         const struct ek_strings *in)
{
    const char **items = ek_arena_alloc(&texts->arena, in->count, sizeof(*items));
    bool done = items != NULL;

    for (size_t i = 0; done && i < in->count; i++) {
        done = copy_text(texts, &items[i], in->items[i]);
    }
    *out = (struct ek_strings){.items = items, .count = in->count, .given = in->given};
    return done;
}

static bool copy_labels(struct ek_history_texts *texts, struct ek_labels *out,
                        const struct ek_labels *in)
{
    struct ek_label *items = ek_arena_alloc(&texts->arena, in->count, sizeof(*items));
    bool done = items != NULL;

    for (size_t i = 0; done && i < in->count; i++) {
        done = copy_text(texts, &items[i].key, in->items[i].key) &&
               copy_text(texts, &items[i].value, in->items[i].value);
    }
    *out = (struct ek_labels){.items = items, .count = in->count};
    return done;
}

static bool copy_quantities(struct ek_history_texts *texts, struct ek_quantities *out,
                            const struct ek_quantities *in)
{
    struct ek_quantity *items = ek_arena_alloc(&texts->arena, in->count, sizeof(*items));
    bool done = items != NULL;

    for (size_t i = 0; done && i < in->count; i++) {
        items[i].capacity = in->items[i].capacity;
        done = copy_text(texts, &items[i].name, in->items[i].name);
    }
    *out = (struct ek_quantities){.items = items, .count = in->count};
    return done;
}

static bool copy_fact(enum ek_fact_type type, struct ek_history_texts *texts, void *out,
                      const void *in)
{
    switch (type) {
    case EK_FACT_TEXT:
        return copy_text(texts, out, *(const char *const *)in);
    case EK_FACT_NUMBER:
        *(double *)out = *(const double *)in;
        return true;
    case EK_FACT_FLAG:
        *(bool *)out = *(const bool *)in;
        return true;
    case EK_FACT_STRINGS:
        return copy_strings(texts, out, in);
    case EK_FACT_LABELS:
        return copy_labels(texts, out, in);
    case EK_FACT_QUANTITIES:
        return copy_quantities(texts, out, in);
    }
    return false;
}

bool ek_facts_copy(const struct ek_history_kind *kind, struct ek_history_texts *texts, void *out,
                   const void *in)
{
    bool done = true;

    for (size_t f = 0; done && f < kind->fact_count; f++) {
        size_t offset = kind->facts[f].offset;
        done =
            copy_fact(kind->facts[f].type, texts, (char *)out + offset, (const char *)in + offset);
    }
    return done;
}
