/* Writing the values that are in force as a file that reads back as the same values. Rows of one
 * section stand together in the schema, so that each section is opened once; a test reads the dump
 * back and compares. */
#include "balancer/config/schema.h"

#include <errno.h>
#include <string.h>

/* WIDTH: as long as the lines of the source tree, so that a dump can be kept beside it. */
enum { INDENT = 2, WIDTH = 100 };

/* Nothing is checked here: a stream remembers its error, and ek_schema_dump asks it once at the
 * end. */
static void indent(int columns, FILE *out)
{
    (void)fprintf(out, "%*s", columns, "");
}

/* How many bytes of the path are sections that the row before has opened already. */
static size_t common_sections(const char *path, const char *before)
{
    size_t common = 0;

    for (size_t i = 0; path[i] != '\0' && path[i] == before[i]; i++) {
        if (path[i] == '.') {
            common = i + 1;
        }
    }
    return common;
}

/* Writes "section:" for each section of `path` that `before` was not in; returns the column of the
 * key. */
static int open_sections(const char *path, const char *before, int column, FILE *out)
{
    size_t opened = common_sections(path, before);

    for (const char *start = path, *dot; (dot = strchr(start, '.')) != NULL; start = dot + 1) {
        if ((size_t)(dot - path) >= opened) {
            indent(column, out);
            (void)fprintf(out, "%.*s:\n", (int)(dot - start), start);
        }
        column += INDENT;
    }
    return column;
}

static void write_item(const struct ek_schema *schema, const unsigned char *item, int column,
                       FILE *out);

/* Copied out of the structure as bytes: the table knows where the pointer lies, not what it points
 * to. */
static void write_list(const struct ek_schema_row *row, const unsigned char *base, int column,
                       FILE *out)
{
    const unsigned char *items;
    size_t count;

    memcpy(&items, base + row->offset, sizeof(items));
    memcpy(&count, base + row->count_offset, sizeof(count));
    (void)fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        write_item(row->items, items + i * row->item_size, column + INDENT, out);
    }
}

/* Whether the program, not the file, chose: then the field has no value to write. */
static bool is_unset(const struct ek_schema_row *row, const void *field)
{
    static const unsigned char zeros[sizeof(double)];
    size_t size = sizeof(double);

    if (row->type == EK_VALUE_STRING || row->type == EK_VALUE_LIST) {
        size = sizeof(const char *);
    } else if (row->type == EK_VALUE_INT) {
        size = sizeof(int);
    } else if (row->type == EK_VALUE_LABELS) {
        return ((const struct ek_labels *)field)->count == 0;
    } else if (row->type == EK_VALUE_TEXTS) {
        return ((const struct ek_strings *)field)->count == 0;
    }
    return row->optional && memcmp(field, zeros, size) == 0;
}

/* What the program chose itself is written as a comment with what it chose: a value there would
 * freeze today's choice when the file is read back. */
static void write_key(const struct ek_schema_row *row, const unsigned char *base, int column,
                      FILE *out)
{
    const char *dot = strrchr(row->path, '.');
    const char *key = dot == NULL ? row->path : dot + 1;
    const void *field = base + row->offset;

    if (is_unset(row, field)) {
        (void)fprintf(out, "#%s:%s%s\n", key, row->fallback == NULL ? "" : " ",
                      row->fallback == NULL ? "" : row->fallback);
        return;
    }
    (void)fprintf(out, "%s:", key);
    if (row->type == EK_VALUE_LIST) {
        write_list(row, base, column, out);
        return;
    }
    (void)fputc(' ', out);
    ek_value_print(row, field, out);
    (void)fputc('\n', out);
}

/* One host: without comments, which would drown the list. */
static void write_item(const struct ek_schema *schema, const unsigned char *item, int column,
                       FILE *out)
{
    for (size_t i = 0; i < schema->count; i++) {
        const struct ek_schema_row *row = &schema->rows[i];
        if (i > 0 && is_unset(row, item + row->offset)) {
            continue;
        }
        indent(column, out);
        (void)fputs(i == 0 ? "- " : "  ", out);
        write_key(row, item, column, out);
    }
}

/* The sentence in lines of at most WIDTH columns. */
static void write_comment(const char *text, int column, FILE *out)
{
    size_t room = (size_t)(WIDTH - column - 3);

    while (*text != '\0') {
        size_t length = strlen(text);
        if (length > room) { /* no word is as long as that */
            length = room;
            while (text[length] != ' ') {
                length--;
            }
        }
        /* The schema's sentences have no full stop, since messages go on after them; here the last
         * line gets one. */
        bool last = text[length] == '\0';
        indent(column, out);
        (void)fprintf(out, "# %.*s%s\n", (int)length, text, last ? "." : "");
        text += last ? length : length + 1;
    }
}

bool ek_schema_dump(const struct ek_schema *schema, const void *base, FILE *out,
                    struct ek_error *err)
{
    const char *before = "";

    (void)fprintf(out, "# %s\n", schema->title);
    for (size_t i = 0; i < schema->count; i++) {
        const struct ek_schema_row *row = &schema->rows[i];
        if (row->type == EK_VALUE_REFUSED) {
            continue;
        }
        /* A blank line before a section and before a key at the top, none inside a section. */
        (void)fputs(common_sections(row->path, before) == 0 ? "\n" : "", out);
        int column = open_sections(row->path, before, 0, out);
        write_comment(row->doc, column, out);
        indent(column, out);
        write_key(row, base, column, out);
        before = row->path;
    }
    /* A full disk shows here and not before: what stdio holds back has not failed yet. */
    if (fflush(out) != 0 || ferror(out)) {
        return ek_error_set(err, EK_ERR_IO, "found that the output cannot be written (%s)",
                            strerror(errno));
    }
    return true;
}
