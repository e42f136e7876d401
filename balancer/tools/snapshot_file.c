/* Read to the end instead of asked for its size alone: standard input and pipes have none. */
#include "balancer/tools/snapshot_file.h"

#include "balancer/codec/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool fail_read(const char *name, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_IO, "%s: cannot read it: %s", name, strerror(errno));
}

static bool refuse_size(const char *name, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_INVALID, "%s: found more than %zu MiB, the limit of a snapshot",
                        name, EK_CODEC_MAX_BYTES >> 20);
}

/* A file tells its size: one that is too large is not read at all. */
static bool check_size(FILE *file, const char *name, struct ek_error *err)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0) {
        return fail_read(name, err);
    }
    return !S_ISREG(status.st_mode) || status.st_size <= (off_t)EK_CODEC_MAX_BYTES ||
           refuse_size(name, err);
}

/* Reads to the end into a text that doubles; one byte above the limit is enough to refuse. */
static bool read_all(FILE *file, const char *name, char **text, size_t *size, struct ek_error *err)
{
    /* 64 KiB hold a small cluster; from there eleven doublings reach the limit of 128 MiB. */
    size_t room = (size_t)64 << 10;

    *size = 0;
    *text = malloc(room);
    while (*text != NULL) {
        *size += fread(*text + *size, 1, room - *size, file);
        if (ferror(file)) {
            return fail_read(name, err);
        }
        if (*size > EK_CODEC_MAX_BYTES) {
            return refuse_size(name, err);
        }
        if (*size < room) {
            return true;
        }
        room *= 2;
        char *grown = realloc(*text, room);
        /* realloc leaves the old piece to us when it fails. */
        if (grown == NULL) {
            free(*text);
        }
        *text = grown;
    }
    return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", name);
}

bool ek_snapshot_file_read(struct ek_snapshot *out, const char *path, struct ek_error *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    const char *name = from_stdin ? "standard input" : path;
    /* "e": not handed on to programs that might be started (O_CLOEXEC). */
    FILE *file = from_stdin ? stdin : fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL) {
        return fail_read(name, err);
    }
    bool done = check_size(file, name, err) && read_all(file, name, &text, &size, err) &&
                ek_codec_read_snapshot(out, text, size, name, err);
    free(text);
    if (!from_stdin) {
        (void)fclose(file);
    }
    /* The codec checks form and types; what fields say about each other is the core's to check, as
     * for every snapshot that is planned from. */
    if (done && !ek_snapshot_check(out, err)) {
        ek_snapshot_finish(out);
        return ek_error_wrap(err, "%s", name);
    }
    if (done && !ek_snapshot_sort(out, err)) {
        ek_snapshot_finish(out);
        return false;
    }
    return done;
}
