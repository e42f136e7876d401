/* What a stand-in answers to each procedure of libvirt's remote protocol that the collector calls.
 */
#ifndef EK_STANDIN_ANSWERS_H
#define EK_STANDIN_ANSWERS_H

#include "tests/bench/standin/machines.h"
#include "tests/bench/standin/wire.h"

#include <stdbool.h>

/* The documents that a libvirtd gives out, as templates with words like @NAME@. */
struct documents {
    char *capabilities;
    char *domain;
    char *pool;
};

/* Reads them from a folder; ends the program when one is not there. */
void documents_read(struct documents *out, const char *folder);
void documents_finish(struct documents *documents);

/* Takes a call's arguments from `call` and appends its result; false: a procedure that is not
 * known, or arguments that cannot be read, and nothing was appended. */
bool answer(const struct documents *documents, struct host *host, uint32_t procedure,
            struct wire *call, struct wire *out);

#endif
