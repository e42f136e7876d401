/* Values: between the text of one key and a field.
 *
 * Numbers are read and written without strtod and printf's %f, because both obey the locale. Eleven
 * digits keep every product below in 64 bits and every quotient the nearest double there is, so
 * that dump and read give the same bits. */
#include "balancer/config/schema.h"

#include <ctype.h>
#include <string.h>

/* An exact fraction of whole numbers: 0.1 stays one tenth until the one division at the end rounds
 * it. */
struct decimal {
    uint64_t digits; /* the value is digits / power */
    uint64_t power;
    bool point;
};

/* Reads "12.5" and returns what follows; NULL when there is no such number, or too long a one. */
static const char *parse_decimal(const char *text, struct decimal *out)
{
    int digits = 0;
    int decimals = 0;

    *out = (struct decimal){.power = 1};
    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && isdigit((unsigned char)text[1]))) {
        return NULL; /* YAML 1.1 would read 010 as eight */
    }
    for (; isdigit((unsigned char)*text) || (*text == '.' && !out->point); text++) {
        /* No separator of thousands, no exponent, no sign: nothing that is configured here can be
         * below 0. */
        if (*text == '.') {
            out->point = true;
            continue;
        }
        out->digits = out->digits * 10 + (uint64_t)(*text - '0');
        /* Leading zeros of "0.05" are no digits that count; decimals are limited apart, for they
         * are what the power grows with. */
        digits += out->digits > 0;
        decimals += out->point;
        if (digits > EK_MAX_DIGITS || decimals > EK_MAX_DECIMALS) {
            return NULL;
        }
        out->power *= out->point ? 10 : 1;
    }
    return text[-1] == '.' ? NULL : text;
}

/* Smallest first. An empty suffix is a number without unit: durations and sizes have none, since 30
 * could be seconds, minutes or milliseconds. */
static const struct ek_unit durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                           {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct ek_unit sizes[] = {{"MiB", 1}, {"GiB", 1024}, {NULL, 0}};
static const struct ek_unit rates[] = {{"MiB/s", 1}, {"GiB/s", 1024}, {NULL, 0}};
/* Counted in hundredths, so that 0.85 and 85% are the same digits and the same double. */
static const struct ek_unit ratios[] = {{"", 100}, {"%", 1}, {NULL, 0}};
/* For all other types, and for the fallback of the switch below. */
static const struct ek_unit plain[] = {{"", 1}, {NULL, 0}};

const struct ek_unit *ek_value_units(const struct ek_schema_row *row)
{
    switch ((int)row->type) {
    case EK_VALUE_DURATION:
        return durations;
    case EK_VALUE_SIZE:
        return sizes;
    case EK_VALUE_RATE:
        return rates;
    case EK_VALUE_RATIO:
        return ratios;
    default:
        return plain;
    }
}

/* A number with a unit of the row, as a count of the smallest unit over a power of ten. */
static bool parse_quantity(const struct ek_schema_row *row, const char *text, struct decimal *out)
{
    const char *suffix = parse_decimal(text, out);

    for (const struct ek_unit *unit = ek_value_units(row); suffix != NULL && unit->suffix != NULL;
         unit++) {
        if (strcmp(unit->suffix, suffix) == 0) {
            out->digits *= unit->factor;
            return true;
        }
    }
    return false;
}

/* Fields are written as bytes: their types are those of the table, not known here. Always true. */
static bool store(void *field, const void *value, size_t size)
{
    memcpy(field, value, size);
    return true;
}

/* Both ends belong to it; a NAN cannot come up, for the grammar has no way to write one. */
static bool in_range(const struct ek_schema_row *row, double value)
{
    return value >= row->min && value <= row->max;
}

/* Range after rounding: a value is judged as it will be used, not as it was written. */
static bool parse_double(const struct ek_schema_row *row, const char *text, void *field)
{
    struct decimal decimal;

    if (!parse_quantity(row, text, &decimal)) {
        return false;
    }
    double scale = row->type == EK_VALUE_RATIO ? 100.0 : 1.0;
    double value = (double)decimal.digits / ((double)decimal.power * scale);
    return in_range(row, value) && store(field, &value, sizeof(value));
}

/* Whole numbers: a count, or milliseconds. */
static bool parse_whole(const struct ek_schema_row *row, const char *text, int64_t *value)
{
    struct decimal decimal;

    /* 1.5s is a whole number of milliseconds; 1.5 threads is not a whole number, and neither is 2.0
     * meant as one. */
    if (!parse_quantity(row, text, &decimal) || decimal.digits % decimal.power != 0 ||
        (row->type != EK_VALUE_DURATION && decimal.point)) {
        return false;
    }
    *value = (int64_t)(decimal.digits / decimal.power);
    return in_range(row, (double)*value);
}

static bool parse_int(const struct ek_schema_row *row, const char *text, void *field)
{
    int64_t whole;

    if (!parse_whole(row, text, &whole)) {
        return false;
    }
    int value = (int)whole; /* within the row's range */
    return store(field, &value, sizeof(value));
}

static bool parse_duration(const struct ek_schema_row *row, const char *text, void *field)
{
    int64_t value;

    return parse_whole(row, text, &value) && store(field, &value, sizeof(value));
}

/* YAML 1.1 also knows yes, no, on and off: refused, for "no" is as often a country or a name. */
static bool parse_bool(const char *text, void *field)
{
    bool value = strcmp(text, "true") == 0;

    return (value || strcmp(text, "false") == 0) && store(field, &value, sizeof(value));
}

static bool parse_word(const struct ek_schema_row *row, const char *text, void *field)
{
    int value = ek_value_word(row, text);

    /* The compilers' enums have the size of int; EK_FIELD has checked that the field is such an
     * enum. */
    _Static_assert(sizeof(enum ek_mode) == sizeof(int), "an enum is not as large as an int");
    return value >= 0 && store(field, &value, sizeof(value));
}

/* Control characters are refused even where YAML allows them in quotes: these texts go to logs and
 * terminals. */
bool ek_value_parse_text(const struct ek_schema_row *row, const char *text, void *field,
                         struct ek_arena *arena, bool *no_memory)
{
    if (text[0] == '\0' || !ek_text_is_printable(text) ||
        (row->check != NULL && !row->check(text))) {
        return false;
    }
    const char *copy = ek_arena_strdup(arena, text);
    *no_memory = copy == NULL;
    return copy != NULL && store(field, &copy, sizeof(copy));
}

bool ek_value_parse(const struct ek_schema_row *row, const char *text, void *field,
                    struct ek_arena *arena, bool *no_memory)
{
    int64_t version;

    *no_memory = false;
    switch (row->type) {
    case EK_VALUE_VERSION:
        return parse_whole(row, text, &version);
    case EK_VALUE_BOOL:
        return parse_bool(text, field);
    case EK_VALUE_INT:
        return parse_int(row, text, field);
    case EK_VALUE_NUMBER:
    case EK_VALUE_RATIO:
    case EK_VALUE_SIZE:
    case EK_VALUE_RATE:
        return parse_double(row, text, field);
    case EK_VALUE_DURATION:
        return parse_duration(row, text, field);
    case EK_VALUE_STRING:
        return ek_value_parse_text(row, text, field, arena, no_memory);
    case EK_VALUE_WORD:
        return parse_word(row, text, field);
    case EK_VALUE_WORDS:
    case EK_VALUE_LABELS:
    case EK_VALUE_TEXTS:
    case EK_VALUE_LIST:
    case EK_VALUE_REFUSED:
        break;
    }
    return false;
}

/* Words are compared as they are: a second spelling would have to be kept for ever. */
int ek_value_word(const struct ek_schema_row *row, const char *text)
{
    for (int i = 0; i < row->word_count; i++) {
        if (strcmp(row->word(i), text) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- text ---------------------------------------------------------------------------------- */

/* The tree holds valid UTF-8 only; what a terminal, a log or YAML would not take as it is, is
 * looked for as bytes: C0 and DEL, C1 (C2 80..9F), line separators (E2 80 A8/A9), BOM (EF BB BF),
 * EF BF BE/BF. */
bool ek_text_is_printable(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    for (; *c != '\0'; c++) {
        bool line = c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9);
        bool mark = c[0] == 0xEF && ((c[1] == 0xBB && c[2] == 0xBF) ||
                                     (c[1] == 0xBF && (c[2] == 0xBE || c[2] == 0xBF)));
        if (*c < 0x20 || *c == 0x7F || (c[0] == 0xC2 && c[1] < 0xA0) || line || mark) {
            return false;
        }
    }
    return true;
}
