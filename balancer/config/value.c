/* Values: between the text of one key and a field.
 *
 * Numbers are read and written without strtod and printf's %f, because both obey the locale. Eleven
 * digits keep every product below in 64 bits and every quotient the nearest double there is, so
 * that dump and read give the same bits. */
#include "balancer/config/schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_DIGITS = 11, MAX_DECIMALS = MAX_DIGITS + 2 /* of a percentage */ };

static const uint64_t digits_limit = 100000000000u; /* 10 to the power of MAX_DIGITS */

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
        if (*text == '.') {
            out->point = true;
            continue;
        }
        out->digits = out->digits * 10 + (uint64_t)(*text - '0');
        digits += out->digits > 0;
        decimals += out->point;
        if (digits > MAX_DIGITS || decimals > MAX_DECIMALS) {
            return NULL;
        }
        out->power *= out->point ? 10 : 1;
    }
    return text[-1] == '.' ? NULL : text;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit sizes[] = {{"MiB", 1}, {"GiB", 1024}, {NULL, 0}};
static const struct unit rates[] = {{"MiB/s", 1}, {"GiB/s", 1024}, {NULL, 0}};
static const struct unit ratios[] = {{"", 100}, {"%", 1}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(const struct ek_schema_row *row)
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

    for (const struct unit *unit = units_of(row); suffix != NULL && unit->suffix != NULL; unit++) {
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

static bool in_range(const struct ek_schema_row *row, double value)
{
    return value >= row->min && value <= row->max;
}

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

static bool parse_string(const struct ek_schema_row *row, const char *text, void *field,
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
        return parse_string(row, text, field, arena, no_memory);
    case EK_VALUE_WORD:
        return parse_word(row, text, field);
    case EK_VALUE_WORDS:
    case EK_VALUE_LABELS:
    case EK_VALUE_LIST:
    case EK_VALUE_REFUSED:
        break;
    }
    return false;
}

int ek_value_word(const struct ek_schema_row *row, const char *text)
{
    for (int i = 0; i < row->word_count; i++) {
        if (strcmp(row->word(i), text) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- printing ------------------------------------------------------------------------------ */

/* The fewest decimals that give the same bits back. */
static void format_double(char *out, size_t size, double value)
{
    uint64_t power = 1;
    uint64_t digits = (uint64_t)llround(value);
    int decimals = 0;

    /* A number that no text gave, but a sum, may have no such end; then eleven digits must do. */
    while (decimals < MAX_DECIMALS && digits < digits_limit / 10 &&
           (double)digits / (double)power != value) {
        decimals++;
        power *= 10;
        digits = (uint64_t)llround(value * (double)power);
    }
    if (decimals == 0) {
        (void)snprintf(out, size, "%" PRIu64, digits);
    } else {
        (void)snprintf(out, size, "%" PRIu64 ".%0*" PRIu64, digits / power, decimals,
                       digits % power);
    }
}

enum { NUMBER_SIZE = 48 };

/* In the largest unit up to hours that gives a whole number. */
static void format_duration(char *out, int64_t ms)
{
    const struct unit *best = &durations[ms == 0 ? 1 : 0];

    for (const struct unit *unit = durations; ms != 0 && unit->factor <= 3600000; unit++) {
        if (ms % (int64_t)unit->factor == 0) {
            best = unit;
        }
    }
    (void)snprintf(out, NUMBER_SIZE, "%" PRId64 "%s", ms / (int64_t)best->factor, best->suffix);
}

static void format_quantity(char *out, double mib, const struct unit *units)
{
    bool large = mib >= 1024.0 && fmod(mib, 1024.0) == 0.0;
    char number[NUMBER_SIZE];

    format_double(number, sizeof(number), large ? mib / 1024.0 : mib);
    (void)snprintf(out, NUMBER_SIZE, "%s%s", number, units[large ? 1 : 0].suffix);
}

/* A number in the row's form; `value` is in the field's unit. */
static void format_number(const struct ek_schema_row *row, double value, char out[NUMBER_SIZE])
{
    if (row->type == EK_VALUE_DURATION) {
        format_duration(out, (int64_t)value);
    } else if (row->type == EK_VALUE_SIZE || row->type == EK_VALUE_RATE) {
        format_quantity(out, value, units_of(row));
    } else {
        format_double(out, NUMBER_SIZE, value);
    }
}

static bool is_plain_text(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    return strspn(text, letters) > 0 && strcmp(text, "null") != 0 &&
           text[strspn(
               text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

void ek_value_print_text(const char *text, FILE *out)
{
    if (is_plain_text(text)) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void print_words(const struct ek_schema_row *row, unsigned int bits, FILE *out)
{
    const char *separator = "";

    (void)fputc('[', out);
    for (int i = 0; i < row->word_count; i++) {
        if ((bits >> i & 1u) != 0) {
            (void)fprintf(out, "%s%s", separator, row->word(i));
            separator = ", ";
        }
    }
    (void)fputc(']', out);
}

static void print_labels(const struct ek_labels *labels, FILE *out)
{
    (void)fputc('{', out);
    for (size_t i = 0; i < labels->count; i++) {
        (void)fputs(i == 0 ? "" : ", ", out);
        ek_value_print_text(labels->items[i].key, out);
        (void)fputs(": ", out);
        ek_value_print_text(labels->items[i].value, out);
    }
    (void)fputc('}', out);
}

static double field_as_double(const struct ek_schema_row *row, const void *field)
{
    double value = row->min;

    if (row->type == EK_VALUE_INT) {
        value = *(const int *)field;
    } else if (row->type == EK_VALUE_DURATION) {
        value = (double)*(const int64_t *)field;
    } else if (row->type != EK_VALUE_VERSION) {
        value = *(const double *)field;
    }
    return value;
}

void ek_value_print(const struct ek_schema_row *row, const void *field, FILE *out)
{
    char number[NUMBER_SIZE];

    switch (row->type) {
    case EK_VALUE_BOOL:
        (void)fputs(*(const bool *)field ? "true" : "false", out);
        break;
    case EK_VALUE_VERSION:
    case EK_VALUE_INT:
    case EK_VALUE_NUMBER:
    case EK_VALUE_RATIO:
    case EK_VALUE_DURATION:
    case EK_VALUE_SIZE:
    case EK_VALUE_RATE:
        format_number(row, field_as_double(row, field), number);
        (void)fputs(number, out);
        break;
    case EK_VALUE_STRING:
        if (*(const char *const *)field != NULL) {
            ek_value_print_text(*(const char *const *)field, out);
        }
        break;
    case EK_VALUE_WORD:
        (void)fputs(row->word(*(const int *)field), out);
        break;
    case EK_VALUE_WORDS:
        print_words(row, *(const unsigned int *)field, out);
        break;
    case EK_VALUE_LABELS:
        print_labels(field, out);
        break;
    case EK_VALUE_LIST:
    case EK_VALUE_REFUSED:
        break;
    }
}

/* ---- what is expected ---------------------------------------------------------------------- */

static void expect_number(char *out, const struct ek_schema_row *row, const char *what)
{
    char min[NUMBER_SIZE];
    char max[NUMBER_SIZE];

    format_number(row, row->min, min);
    format_number(row, row->max, max);
    (void)snprintf(out, EK_EXPECTED_SIZE, "%s from %s to %s", what, min, max);
}

const char *ek_value_example(const struct ek_schema_row *row)
{
    switch ((int)row->type) {
    case EK_VALUE_RATIO:
        return ", such as 0.5 or 50%";
    case EK_VALUE_DURATION:
        return ", such as 500ms, 30s, 5m or 2h";
    case EK_VALUE_SIZE:
        return ", such as 512MiB or 4GiB";
    case EK_VALUE_RATE:
        return ", such as 110MiB/s";
    default:
        return "";
    }
}

static void expect_words(char *out, const struct ek_schema_row *row, const char *before,
                         const char *last)
{
    int used = snprintf(out, EK_EXPECTED_SIZE, "%s", before);

    for (int i = 0; i < row->word_count && used < EK_EXPECTED_SIZE; i++) {
        const char *separator = i == 0 ? "" : i == row->word_count - 1 ? last : ", ";
        used +=
            snprintf(out + used, EK_EXPECTED_SIZE - (size_t)used, "%s%s", separator, row->word(i));
    }
}

const char *ek_value_expected(char out[EK_EXPECTED_SIZE], const struct ek_schema_row *row)
{
    switch (row->type) {
    case EK_VALUE_VERSION:
        (void)snprintf(out, EK_EXPECTED_SIZE, "%d", (int)row->min);
        break;
    case EK_VALUE_BOOL:
        return "true or false";
    case EK_VALUE_INT:
        expect_number(out, row, "a whole number");
        break;
    case EK_VALUE_NUMBER:
        expect_number(out, row, "a number");
        break;
    case EK_VALUE_RATIO:
        expect_number(out, row, "a ratio");
        break;
    case EK_VALUE_DURATION:
        expect_number(out, row, "a duration");
        break;
    case EK_VALUE_SIZE:
        expect_number(out, row, "a size");
        break;
    case EK_VALUE_RATE:
        expect_number(out, row, "a rate");
        break;
    case EK_VALUE_STRING:
        return row->form == NULL ? "a text" : row->form;
    case EK_VALUE_WORD:
        expect_words(out, row, "", " or ");
        break;
    case EK_VALUE_WORDS:
        expect_words(out, row, "a list of one or more of ", " and ");
        break;
    case EK_VALUE_LABELS:
        return "a mapping of names to texts, such as {rack: r1}";
    case EK_VALUE_LIST:
        return "a list of one or more mappings";
    case EK_VALUE_REFUSED:
        return row->doc;
    }
    return out;
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
