/* Values as text: in a dump, in a message, in the documentation. What is written here, value.c
 * reads back. */
#include "balancer/config/schema.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const uint64_t digits_limit = 100000000000u; /* 10 to the power of EK_MAX_DIGITS */

/* The fewest decimals that give the same bits back. */
static void format_double(char *out, size_t size, double value)
{
    uint64_t power = 1;
    uint64_t digits = (uint64_t)llround(value);
    int decimals = 0;

    /* A number that no text gave, but a sum, may have no such end; then eleven digits must do. */
    while (decimals < EK_MAX_DECIMALS && digits < digits_limit / 10 &&
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

/* Room for the 20 digits of 64 bits, a point, 13 decimals and the longest suffix. */
enum { NUMBER_SIZE = 48 };

/* In the largest unit up to hours that gives a whole number. */
static void format_duration(const struct ek_schema_row *row, int64_t ms, char *out)
{
    const struct ek_unit *units = ek_value_units(row);
    /* 0 is written in seconds: 0ms and 0h would be as true and read oddly. */
    const struct ek_unit *best = &units[ms == 0 ? 1 : 0];

    for (const struct ek_unit *unit = units; ms != 0 && unit->factor <= 3600000; unit++) {
        if (ms % (int64_t)unit->factor == 0) {
            best = unit;
        }
    }
    (void)snprintf(out, NUMBER_SIZE, "%" PRId64 "%s", ms / (int64_t)best->factor, best->suffix);
}

/* GiB only when it comes out even: 1536MiB stays exact and short. */
static void format_quantity(char *out, double mib, const struct ek_unit *units)
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
        format_duration(row, (int64_t)value, out);
    } else if (row->type == EK_VALUE_SIZE || row->type == EK_VALUE_RATE) {
        format_quantity(out, value, ek_value_units(row));
    } else {
        format_double(out, NUMBER_SIZE, value);
    }
}

/* Unquoted only what no reader of YAML takes for something else: it begins with a letter and has no
 * character with a meaning. "null" alone would be read as nothing; true and numbers are texts to
 * our reader. */
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
        /* The two that YAML's double quotes give a meaning; control characters cannot be there, the
         * reader refuses them. */
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

/* In one line, as flow style: labels stand inside an item of a list, whose indentation block style
 * would have to know. */
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

/* A version has no field: the one that is read is its minimum. */
static void print_texts(const struct ek_strings *texts, FILE *out)
{
    (void)fputc('[', out);
    for (size_t i = 0; i < texts->count; i++) {
        (void)fputs(i == 0 ? "" : ", ", out);
        ek_value_print_text(texts->items[i], out);
    }
    (void)fputc(']', out);
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
    case EK_VALUE_TEXTS:
        print_texts(field, out);
        break;
    case EK_VALUE_LIST:
    case EK_VALUE_REFUSED:
        break;
    }
}

/* ---- what is expected ---------------------------------------------------------------------- */

/* The range is in every message: a value that is out of it needs no second try to be right. */
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

    /* used may pass the buffer's size when words are cut: then the loop ends before it would write
     * there. */
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
    case EK_VALUE_TEXTS:
        return row->form == NULL ? "a list of one or more texts" : row->form;
    case EK_VALUE_LIST:
        return row->optional ? "a list of mappings" : "a list of one or more mappings";
    case EK_VALUE_REFUSED:
        return row->doc;
    }
    return out;
}
