/* A snapshot from a file, for planning offline. */
#ifndef EK_TOOLS_SNAPSHOT_FILE_H
#define EK_TOOLS_SNAPSHOT_FILE_H

#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"

/* Reads and checks the file, "-" being standard input. Errors: INVALID (contents, or more than 128
 * MiB), IO, NOMEM; messages begin with the file's name ("standard input"). The caller owns the
 * result: ek_snapshot_finish. */
bool ek_snapshot_file_read(struct ek_snapshot *out, const char *path, struct ek_error *err);

#endif
