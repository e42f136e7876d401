/* One move of a set whose order is still open. */
#ifndef EK_CORE_CHOICE_H
#define EK_CORE_CHOICE_H

#include <stdint.h>

/* Indices into the snapshot. */
struct ek_choice {
    uint32_t domain;
    uint32_t source;
    uint32_t destination;
};

#endif
