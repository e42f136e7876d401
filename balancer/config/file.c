/* Files as bytes, and where files lie that another one names. The reading is bounded: a path that
 * leads to a device or a log must not eat the memory of a daemon. */
#include "balancer/config/schema.h"

#include <errno.h>
#include <string.h>

/* Absence is told apart because a policy file may be absent; missing rights because that is what an
 * operator repairs without looking into the file. */
static enum ek_error_code code_of(int error)
{
    if (error == ENOENT || error == ENOTDIR) {
        return EK_ERR_NOT_FOUND;
    }
    return error == EACCES || error == EPERM ? EK_ERR_DENIED : EK_ERR_IO;
}

/* Of the file as a whole, hence without a line. */
static const char *report_unreadable(const struct ek_report *report, int error)
{
    (void)ek_report_add(report, code_of(error), 0, "found no readable file (%s), expected one",
                        strerror(error));
    return NULL;
}

/* Reads to the end, in a buffer that doubles; the arena keeps the smaller ones until it is freed.
 */
static const char *read_all(FILE *file, size_t *size, struct ek_arena *arena,
                            const struct ek_report *report)
{
    /* Larger than nearly every configuration: one piece, one read. The extra byte of each piece is
     * for the NUL, and the arena hands it out zeroed. */
    size_t room = 16 * 1024;
    char *text = ek_arena_alloc(arena, room + 1, 1);

    *size = 0;
    while (text != NULL) {
        /* A short read that is no error is the end: fread waits for the rest of a pipe. */
        *size += fread(text + *size, 1, room - *size, file);
        if (ferror(file)) {
            return report_unreadable(report, errno);
        }
        if (*size > EK_CONFIG_MAX_BYTES) {
            (void)ek_report_add(report, EK_ERR_INVALID, 0,
                                "found a file of more than %d bytes, expected a smaller one",
                                EK_CONFIG_MAX_BYTES);
            return NULL;
        }
        if (*size < room) {
            return text;
        }
        char *larger = ek_arena_alloc(arena, room * 2 + 1, 1);
        text = larger == NULL ? NULL : memcpy(larger, text, *size);
        room *= 2;
    }
    (void)ek_report_no_memory(report);
    return NULL;
}

const char *ek_file_load(const char *path, size_t *size, struct ek_arena *arena,
                         const struct ek_report *report)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return report_unreadable(report, errno);
    }
    const char *text = read_all(file, size, arena, report);
    (void)fclose(file);
    return text;
}

const char *ek_file_beside(const char *file, const char *path, struct ek_arena *arena)
{
    /* Beside the file, not below the working directory: `evenkeeld -c` must mean the same from
     * everywhere. */
    const char *slash = strrchr(file, '/');

    if (path[0] == '/' || slash == NULL) {
        return ek_arena_strdup(arena, path);
    }
    return ek_arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}
