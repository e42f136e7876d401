/* What the tests of the configuration share. */
#ifndef EK_TESTS_CONFIG_SUPPORT_H
#define EK_TESTS_CONFIG_SUPPORT_H

#include "balancer/config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A whole file, malloc'ed and NUL-terminated. */
static inline char *load(const char *path, size_t *size)
{
    struct ek_arena arena = {0};
    struct ek_config_problems problems = {0};
    struct ek_report report = {.file = path, .problems = &problems};
    const char *text = ek_file_load(path, size, &arena, &report);

    assert_non_null(text);
    char *copy = calloc(*size + 1, 1);
    assert_non_null(copy);
    memcpy(copy, text, *size);
    ek_arena_finish(&arena);
    return copy;
}

/* All problems, one per line, in a static buffer; "" when there is none. */
static inline const char *joined(const struct ek_config_problems *problems)
{
    static char text[EK_CONFIG_MAX_PROBLEMS * EK_CONFIG_PROBLEM_SIZE + 64];
    FILE *out = fmemopen(text, sizeof(text), "w");

    memset(text, 0, sizeof(text));
    assert_non_null(out);
    ek_config_problems_print(problems, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The fewest lines of a valid evenkeel.yaml. */
#define ONE_HOST "hosts:\n  - {name: h1, uri: 'qemu:///system'}\n"

#endif
