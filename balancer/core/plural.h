/* Numbers in sentences: "1 move", "2 moves". */
#ifndef EK_CORE_PLURAL_H
#define EK_CORE_PLURAL_H

#include <stddef.h>

/* What follows a noun that is counted: "s", or "" for one. */
static inline const char *ek_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

#endif
