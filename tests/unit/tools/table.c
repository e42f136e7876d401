/* Tables: columns, alignment, and texts that are not trusted. */
#include "balancer/tools/table.h"
#include "tests/lib/cmocka.h"

#include <stdlib.h>
#include <string.h>

static const struct ek_column columns[] = {{"NAME", false}, {"N", true}, {"NOTE", false}};

/* What the table prints into a file; free it. */
static char *printed(struct ek_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_true(ek_table_print(table, out));
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_printed(struct ek_table *table, const char *expected)
{
    char *text = printed(table);

    assert_string_equal(text, expected);
    free(text);
}

/* Columns are as wide as their widest cell, numbers stand to the right, lines end with their text.
 */
static void test_alignment(void **state)
{
    struct ek_table table = EK_TABLE(columns);

    (void)state;
    ek_table_cell(&table, EK_COLOUR_NONE, "a-long-name");
    ek_table_number(&table, 7, 0);
    ek_table_cell(&table, EK_COLOUR_NONE, "fine");
    ek_table_cell(&table, EK_COLOUR_NONE, "b");
    ek_table_number(&table, 1234.5, 1);
    ek_table_cell(&table, EK_COLOUR_NONE, "%s", "");
    assert_printed(&table, "NAME              N  NOTE\n"
                           "a-long-name       7  fine\n"
                           "b            1234.5\n");
}

/* A table without rows is its titles; printing leaves it empty for the next use. */
static void test_reuse(void **state)
{
    struct ek_table table = EK_TABLE(columns);

    (void)state;
    assert_printed(&table, "NAME  N  NOTE\n");
    for (int i = 0; i < 3; i++) {
        ek_table_cell(&table, EK_COLOUR_NONE, "x");
    }
    assert_printed(&table, "NAME  N  NOTE\nx     x  x\n");
    assert_int_equal(table.arena.bytes, 0);
}

/* A figure that is not known is a dash. */
static void test_unknown_number(void **state)
{
    struct ek_table table = EK_TABLE(columns);

    (void)state;
    ek_table_cell(&table, EK_COLOUR_NONE, "x");
    ek_table_number(&table, NAN, 2);
    ek_table_number(&table, 0.125, 2);
    assert_printed(&table, "NAME  N  NOTE\nx     -  0.12\n");
}

/* A cell is one line without control characters, and colour is for terminals. */
static void test_untrusted(void **state)
{
    struct ek_table table = EK_TABLE(columns);

    (void)state;
    ek_table_cell(&table, EK_COLOUR_BAD, "red");
    ek_table_cell(&table, EK_COLOUR_NONE, "a\tb");
    ek_table_cell(&table, EK_COLOUR_NONE, "evil \033[31m\nsecond line");
    assert_printed(&table, "NAME    N  NOTE\nred   a b  evil  [31m\n");
}

/* Many rows: the table grows. */
static void test_growth(void **state)
{
    struct ek_table table = EK_TABLE(columns);
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 3 * 5000; i++) {
        ek_table_cell(&table, EK_COLOUR_NONE, "%d", i);
    }
    char *text = printed(&table);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 5001);
    assert_non_null(strstr(text, "\n14997  14998  14999\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment),      cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_unknown_number), cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
