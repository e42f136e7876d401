/* Cells are kept as texts until all are known: a column is as wide as its widest. Colour sequences
 * are added when a cell is printed, so that they never count as width. */
#include "balancer/tools/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct ek_cell {
    const char *text;
    enum ek_colour colour;
};

/* Longer than any error of a record (EK_TEXT_SIZE); what is longer is cut, for it would be no table
 * any more. GAP: two blanks still part columns whose cells hold single ones. */
enum { CELL_SIZE = 600, GAP = 2 };

/* Doubling: a table of 50,000 domains is not copied at each row. */
static bool make_room(struct ek_table *table)
{
    if (table->cell_count < table->cell_room) {
        return true;
    }
    size_t room = table->cell_room == 0 ? 64 : 2 * table->cell_room;
    struct ek_cell *grown = realloc(table->cells, room * sizeof(*grown));
    if (grown != NULL) {
        table->cells = grown;
        table->cell_room = room;
    }
    return grown != NULL;
}

void ek_table_cell(struct ek_table *table, enum ek_colour colour, const char *format, ...)
{
    char text[CELL_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = '\0'; /* a row is one line */
    ek_terminal_clean(text);
    /* A failure is remembered and told once, when the table is printed: callers add dozens of cells
     * and check none. */
    const char *kept = ek_arena_strdup(&table->arena, text);
    if (kept == NULL || !make_room(table)) {
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] = (struct ek_cell){kept, colour};
}

void ek_table_number(struct ek_table *table, double number, int decimals)
{
    if (isnan(number)) {
        ek_table_cell(table, EK_COLOUR_FAINT, "-");
    } else {
        ek_table_cell(table, EK_COLOUR_NONE, "%.*f", decimals, number);
    }
}

/* In bytes, as the header says: colour is not in these texts. */
static int width_of(const struct ek_table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title);

    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        size_t length = strlen(table->cells[i].text);
        width = length > width ? length : width;
    }
    return (int)width;
}

/* Blanks are printed before the next text only, so that lines end with their text. */
static int print_cell(FILE *out, int blanks, bool right, int width, const char *text,
                      enum ek_colour colour)
{
    int pad = width - (int)strlen(text);

    if (text[0] == '\0') {
        return blanks + width + GAP;
    }
    (void)fprintf(out, "%*s%s%s%s", blanks + (right ? pad : 0), "", ek_colour_begin(colour), text,
                  ek_colour_end(colour));
    return (right ? 0 : pad) + GAP;
}

/* Whether `out` takes colour is asked once: it costs a system call. */
static void print_rows(const struct ek_table *table, const int *widths, FILE *out)
{
    bool colours = table->painted || ek_terminal_colours(out);
    size_t count = table->column_count;
    int blanks = 0;

    /* Row 0 is the titles. */
    for (size_t i = 0; i < count + table->cell_count; i++) {
        const struct ek_column *column = &table->columns[i % count];
        struct ek_cell cell =
            i < count ? (struct ek_cell){column->title, EK_COLOUR_STRONG} : table->cells[i - count];
        blanks = print_cell(out, blanks, column->right, widths[i % count], cell.text,
                            colours ? cell.colour : EK_COLOUR_NONE);
        if (i % count == count - 1) {
            (void)fputc('\n', out);
            blanks = 0;
        }
    }
}

bool ek_table_print(struct ek_table *table, FILE *out)
{
    /* Printed or not, the table is empty afterwards: it may be filled again. */
    int *widths = ek_arena_alloc(&table->arena, table->column_count, sizeof(*widths));
    bool done = widths != NULL && !table->failed;

    for (size_t c = 0; done && c < table->column_count; c++) {
        widths[c] = width_of(table, c);
    }
    if (done) {
        print_rows(table, widths, out);
    } else {
        (void)fputs("evenkeel: out of memory for a table\n", stderr);
    }
    free(table->cells);
    ek_arena_finish(&table->arena);
    table->cells = NULL;
    table->cell_count = 0;
    table->cell_room = 0;
    return done;
}
