/* Files of history (codec/history_file.h), written and read block by block. */
#ifndef EK_TOOLS_HISTORY_FILE_H
#define EK_TOOLS_HISTORY_FILE_H

#include "balancer/codec/history_block.h"
#include "balancer/core/profile.h"

#include <stdio.h>

/* A file that is being written. */
struct ek_history_output {
    FILE *file;
    const char *name; /* for messages */
    uint32_t frames;  /* blocks and profiles */
};

/* "-" is standard output. Errors of all four: IO, naming the file; NOMEM. Without the end, which
 * closes the file, what was written is no file of history. */
bool ek_history_file_begin(struct ek_history_output *output, const char *path,
                           struct ek_error *err);
bool ek_history_file_put(struct ek_history_output *output, const struct ek_history_block *block,
                         struct ek_error *err);
bool ek_history_file_put_profile(struct ek_history_output *output, const struct ek_profile *profile,
                                 struct ek_error *err);
bool ek_history_file_end(struct ek_history_output *output, struct ek_error *err);

/* Closes what cannot be ended. */
void ek_history_file_abandon(struct ek_history_output *output);

/* Gets what a file has, which it does not own; returns false with the error to stop. */
struct ek_history_visitor {
    bool (*block)(void *context, const struct ek_history_block *block, struct ek_error *err);
    bool (*profile)(void *context, const struct ek_profile *profile, struct ek_error *err);
    void *context;
};

/* Reads the file ("-": standard input) to its end; functions that are NULL are not called. Errors:
 * INVALID as "FILE: byte 1234: found ..., expected ..." or "FILE block 3: byte 17: ..."; IO;
 * NOMEM. */
bool ek_history_file_read(const char *path, const struct ek_history_visitor *visitor,
                          struct ek_error *err);

#endif
