/* Writing JSON: straight into one growing text.
 *
 * cJSON's printer is not used: it compares numbers with a tolerance (0.1 + 0.2 becomes 0.3), and
 * its tree would take several times the text's memory. */
#include "balancer/codec/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A failure is remembered and asked for once, at the end: callers need no check after each
 * value. */
static void append(struct ek_json_writer *writer, const char *bytes, size_t size)
{
    if (!writer->failed && writer->capacity - writer->size <= size) {
        /* Doubling keeps copying linear in the result; 64 so that small texts take one step. */
        size_t capacity = 2 * (writer->capacity + size) + 64;
        char *text = realloc(writer->text, capacity);
        writer->failed = text == NULL;
        if (text != NULL) {
            writer->text = text;
            writer->capacity = capacity;
        }
    }
    if (!writer->failed) {
        memcpy(writer->text + writer->size, bytes, size);
        writer->size += size;
    }
}

/* What stands between the last value and the next. */
static void separate(struct ek_json_writer *writer)
{
    if (writer->comma) {
        append(writer, ",", 1);
    }
    if (writer->line) {
        append(writer, "\n", 1);
    }
    writer->comma = false;
    writer->line = false;
}

char *ek_json_finish(struct ek_json_writer *writer)
{
    /* The final NUL: `size` leaves it out until here. */
    append(writer, "", 1);
    char *text = writer->text;
    if (writer->failed) {
        free(text);
        text = NULL;
    }
    *writer = (struct ek_json_writer){.text = NULL};
    return text;
}

void ek_json_begin(struct ek_json_writer *writer, char bracket)
{
    separate(writer);
    append(writer, &bracket, 1);
}

void ek_json_end(struct ek_json_writer *writer, char bracket)
{
    writer->comma = false;
    separate(writer);
    append(writer, &bracket, 1);
    writer->comma = true;
}

void ek_json_break(struct ek_json_writer *writer)
{
    writer->line = true;
}

/* The bytes that stand for one character of the text, and how many of its bytes that takes. */
static size_t escape(const char *at, size_t left, char out[8])
{
    /* JSON's short escapes: the n-th letter stands for the n-th character. */
    static const char plain[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    size_t length = ek_json_utf8_length(at, left);
    /* Never NUL: the caller stops at the text's end, so that strchr does not find its own. */
    const char *special = strchr(plain, *at);

    if (special != NULL) {
        (void)snprintf(out, 8, "\\%c", letters[special - plain]);
    } else if ((unsigned char)*at < ' ') {
        (void)snprintf(out, 8, "\\u%04x", (unsigned int)(unsigned char)*at);
    } else if (length == 0) {
        /* Names come from libvirt as bytes: one that is no UTF-8 becomes a question mark, so that
         * the document stays valid. */
        (void)snprintf(out, 8, "?");
        return 1;
    } else {
        memcpy(out, at, length);
        out[length] = '\0';
    }
    return length;
}

void ek_json_text(struct ek_json_writer *writer, const char *text)
{
    size_t left = strlen(text);
    char out[8];

    separate(writer);
    append(writer, "\"", 1);
    while (left > 0) {
        size_t taken = escape(text, left, out);
        append(writer, out, strlen(out));
        text += taken;
        left -= taken;
    }
    append(writer, "\"", 1);
    writer->comma = true;
}

void ek_json_key(struct ek_json_writer *writer, const char *key)
{
    ek_json_text(writer, key);
    append(writer, ":", 1);
    writer->comma = false;
}

void ek_json_number(struct ek_json_writer *writer, double number)
{
    char digits[32];

    assert(isfinite(number));
    separate(writer);
    /* Whole numbers without a point or an exponent: figures in MiB read as people write them. */
    if (number == floor(number) && fabs(number) <= EK_JSON_MAX_NUMBER) {
        (void)snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)number);
    } else {
        /* The shortest of 15 to 17 digits that reads back as the same double: 17 always do, 15
         * mostly look better. */
        int precision = 15;
        do {
            (void)snprintf(digits, sizeof(digits), "%.*g", precision, number);
        } while (strtod(digits, NULL) != number && ++precision <= 17);
        /* Whatever LC_NUMERIC says, JSON's point is a point. */
        char *point = strchr(digits, ',');
        if (point != NULL) {
            *point = '.';
        }
    }
    append(writer, digits, strlen(digits));
    writer->comma = true;
}

void ek_json_integer(struct ek_json_writer *writer, int64_t number)
{
    char digits[24];

    separate(writer);
    (void)snprintf(digits, sizeof(digits), "%" PRId64, number);
    append(writer, digits, strlen(digits));
    writer->comma = true;
}

void ek_json_bool(struct ek_json_writer *writer, bool value)
{
    separate(writer);
    append(writer, value ? "true" : "false", value ? 4 : 5);
    writer->comma = true;
}

void ek_json_put_text(struct ek_json_writer *writer, const char *key, const char *text)
{
    if (text != NULL) {
        ek_json_key(writer, key);
        ek_json_text(writer, text);
    }
}

/* JSON has no NAN and no infinity: what is not known is left out. */
void ek_json_put_number(struct ek_json_writer *writer, const char *key, double number)
{
    if (isfinite(number)) {
        ek_json_key(writer, key);
        ek_json_number(writer, number);
    }
}

void ek_json_put_integer(struct ek_json_writer *writer, const char *key, int64_t number)
{
    ek_json_key(writer, key);
    ek_json_integer(writer, number);
}

void ek_json_put_bool(struct ek_json_writer *writer, const char *key, bool value)
{
    ek_json_key(writer, key);
    ek_json_bool(writer, value);
}

void ek_json_put_strings(struct ek_json_writer *writer, const char *key, struct ek_strings list)
{
    /* Absent and empty mean opposite things: anything, and nothing at all. */
    if (!list.given) {
        return;
    }
    ek_json_key(writer, key);
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < list.count; i++) {
        ek_json_text(writer, list.items[i]);
    }
    ek_json_end(writer, ']');
}

void ek_json_put_labels(struct ek_json_writer *writer, const char *key, struct ek_labels labels)
{
    /* For labels, no list and an empty one mean the same. */
    if (labels.count == 0) {
        return;
    }
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    for (size_t i = 0; i < labels.count; i++) {
        ek_json_put_text(writer, labels.items[i].key, labels.items[i].value);
    }
    ek_json_end(writer, '}');
}

/* From the integer, not through a double: three decimals that are exactly the milliseconds. */
void ek_json_put_seconds(struct ek_json_writer *writer, const char *key, int64_t milliseconds)
{
    char digits[40];

    assert(milliseconds >= 0);
    (void)snprintf(digits, sizeof(digits), "%" PRId64 ".%03" PRId64, milliseconds / 1000,
                   milliseconds % 1000);
    ek_json_key(writer, key);
    separate(writer);
    append(writer, digits, strlen(digits));
    writer->comma = true;
}

/* Not checked again: for text that this codec has written itself. */
void ek_json_raw(struct ek_json_writer *writer, const char *json)
{
    separate(writer);
    append(writer, json, strlen(json));
    writer->comma = true;
}

void ek_json_put_figures(struct ek_json_writer *writer, const char *key,
                         const struct ek_resources *resources, const double *figures)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    for (unsigned int r = 0; r < resources->count; r++) {
        ek_json_put_number(writer, resources->names[r], figures[r]);
    }
    ek_json_end(writer, '}');
}
