/* Tables of bad inputs and the exact words about them. */
#ifndef EK_TESTS_CONFIG_BAD_H
#define EK_TESTS_CONFIG_BAD_H

#include "support.h"

struct bad {
    const char *text;
    const char *message; /* all problems, without the last line break */
    size_t size;         /* 0: strlen(text) */
};

static inline size_t bad_size(const struct bad *bad)
{
    return bad->size == 0 ? strlen(bad->text) : bad->size;
}

/* Fails unless the problems are the expected ones; all differing cases are shown first. */
static inline int compare_bad(const struct bad *bad, bool read,
                              const struct ek_config_problems *problems)
{
    const char *found = joined(problems);
    size_t length = strlen(found);

    if (!read && length == strlen(bad->message) + 1 &&
        strncmp(found, bad->message, length - 1) == 0) {
        return 0;
    }
    print_error("--- text\n%s\n--- found%s\n%s--- expected\n%s\n", bad->text,
                read ? " no fault" : "", found, bad->message);
    return 1;
}

#endif
