/* Tables for people: columns as wide as their widest cell, numbers to the right.
 *
 * Cells are added row by row; a table that ran out of memory says so when it is printed. Width is
 * counted in bytes: names of hosts and domains are ASCII in practice, others shift their row. */
#ifndef EK_TOOLS_TABLE_H
#define EK_TOOLS_TABLE_H

#include "balancer/core/arena.h"
#include "balancer/tools/terminal.h"

struct ek_column {
    const char *title;
    bool right; /* aligned to the right */
};

struct ek_cell;

struct ek_table {
    const struct ek_column *columns; /* borrowed */
    size_t column_count;
    struct ek_cell *cells;
    size_t cell_count;
    size_t cell_room;
    bool failed;
    bool painted; /* colours whatever the stream is: the caller has asked where it ends up */
    struct ek_arena arena; /* of the cells' texts */
};

#define EK_TABLE(array)                                                        \
    (struct ek_table)                                                          \
    {                                                                          \
        .columns = (array), .column_count = sizeof(array) / sizeof((array)[0]) \
    }

/* Adds the next cell; a row is full when all columns have one. The text is formatted at once. */
void ek_table_cell(struct ek_table *table, enum ek_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds "-" for a figure that is not known (NAN), else the number with so many decimals. */
void ek_table_number(struct ek_table *table, double number, int decimals);

/* Prints titles and rows, and frees what the table owns. False when memory had run out (nothing is
 * printed then). */
bool ek_table_print(struct ek_table *table, FILE *out);

#endif
