/* Recorded loads in the layouts of two published collections: PlanetLab as CloudSim carries it, and
 * Bitbrains GWA-T-12. One file is one machine. */
#include "balancer/tools/simulate/simulate.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PlanetLab has no times: a line is five minutes. */
#define STEP_MS ((int64_t)300000)

/* A line of Bitbrains has eleven figures. */
enum { LINE_SIZE = 512 };

/* Later than any second and earlier than any millisecond of this century. */
#define MOST_SECONDS 1e11

/* In milliseconds; far from where an int64_t ends. */
#define MOST_TIME 1e14

/* The columns of Bitbrains that are used. */
enum { TIME, CORES, CPU_PERCENT = 4, MEMORY_KIB, MEMORY_USED_KIB, COLUMNS };

struct reader {
    const char *path;
    FILE *file;
    int line;
    char text[LINE_SIZE];
    struct ek_load_point *points;
    size_t count;
    size_t room;
};

const char *ek_trace_layout_name(enum ek_trace_layout layout)
{
    static const char *const names[EK_TRACES_LAYOUT_COUNT] = {
        [EK_TRACES_PLANETLAB] = "planetlab", [EK_TRACES_BITBRAINS] = "bitbrains"};

    return names[layout];
}

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for traces");
}

/* ---- lines --------------------------------------------------------------------------------- */

/* The next line without its end; false: there is none. */
static bool next_line(struct reader *reader)
{
    if (fgets(reader->text, sizeof(reader->text), reader->file) == NULL) {
        return false;
    }
    reader->line++;
    reader->text[strcspn(reader->text, "\r\n")] = '\0';
    return true;
}

static bool wrong(const struct reader *reader, const char *found, const char *expected,
                  struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_INVALID, "%s:%d: found \"%.60s\", expected %s", reader->path,
                        reader->line, found, expected);
}

/* A finite number from 0 on, up to the text's end or a separator; *rest is what follows it. */
static bool take_number(const char *text, double *number, char **rest)
{
    *number = strtod(text, rest);
    return *rest != text && isfinite(*number) && *number >= 0 &&
           (**rest == '\0' || **rest == ';' || **rest == ' ' || **rest == '\t');
}

static bool add_point(struct reader *reader, int64_t at_ms, double part, double memory_mib,
                      struct ek_error *err)
{
    if (reader->count == reader->room) {
        size_t room = reader->room == 0 ? 288 : 2 * reader->room;
        struct ek_load_point *points = realloc(reader->points, room * sizeof(*points));
        if (points == NULL) {
            return nomem(err);
        }
        reader->points = points;
        reader->room = room;
    }
    if (reader->count > 0 && reader->points[reader->count - 1].at_ms >= at_ms) {
        return wrong(reader, reader->text, "a time after that of the line before", err);
    }
    reader->points[reader->count++] = (struct ek_load_point){
        .at_ms = at_ms, .cpu_cores = (float)part, .memory_mib = (float)memory_mib};
    return true;
}

/* ---- PlanetLab ----------------------------------------------------------------------------- */

static bool read_planetlab(struct reader *reader, struct ek_trace *trace, struct ek_error *err)
{
    (void)trace; /* nothing is said of the machine */
    while (next_line(reader)) {
        char *rest = NULL;
        double percent = 0;
        if (!take_number(reader->text, &percent, &rest) || *rest != '\0' || percent > 100) {
            return wrong(reader, reader->text, "a CPU use in percent, 0 to 100", err);
        }
        if (!add_point(reader, (int64_t)reader->count * STEP_MS, percent / 100, NAN, err)) {
            return false;
        }
    }
    return true;
}

/* ---- Bitbrains ----------------------------------------------------------------------------- */

static bool take_columns(const struct reader *reader, double columns[COLUMNS], struct ek_error *err)
{
    const char *text = reader->text;

    for (int i = 0; i < COLUMNS; i++) {
        char *rest = NULL;
        if (!take_number(text, &columns[i], &rest)) {
            return wrong(reader, text, "a number from 0 on, one of eleven separated by \";\"", err);
        }
        text = rest + strspn(rest, "; \t");
    }
    return columns[CORES] > 0 ||
           wrong(reader, reader->text, "more than 0 cores in the second column", err);
}

/* The largest counts: a machine that was given more meanwhile has it from the beginning. */
static void describe(struct ek_trace *trace, const double columns[COLUMNS])
{
    trace->vcpus = fmax(trace->vcpus, columns[CORES]); /* fmax passes over NAN */
    trace->memory_mib = fmax(trace->memory_mib, columns[MEMORY_KIB] / 1024);
}

static bool read_bitbrains(struct reader *reader, struct ek_trace *trace, struct ek_error *err)
{
    double columns[COLUMNS];

    /* Titles, whatever they are called. */
    if (!next_line(reader) || strchr(reader->text, ';') == NULL) {
        return wrong(reader, reader->text, "a line of titles separated by \";\"", err);
    }
    while (next_line(reader)) {
        if (!take_columns(reader, columns, err)) {
            return false;
        }
        if (columns[TIME] > MOST_TIME) {
            return wrong(reader, reader->text, "a time since 1970, in seconds or milliseconds",
                         err);
        }
        describe(trace, columns);
        int64_t at_ms =
            (int64_t)(columns[TIME] > MOST_SECONDS ? columns[TIME] : 1000 * columns[TIME]);
        if (!add_point(reader, at_ms, fmin(columns[CPU_PERCENT] / 100, 1),
                       columns[MEMORY_USED_KIB] / 1024, err)) {
            return false;
        }
    }
    return true;
}

/* ---- files --------------------------------------------------------------------------------- */

/* The trace owns what was read, by the arena, so that one call frees all. */
static bool keep(struct ek_traces *out, const struct reader *reader, struct ek_trace *trace,
                 struct ek_error *err)
{
    trace->points = ek_arena_alloc(&out->arena, reader->count, sizeof(*trace->points));
    if (trace->points == NULL) {
        return nomem(err);
    }
    memcpy(trace->points, reader->points, reader->count * sizeof(*trace->points));
    trace->count = reader->count;
    return true;
}

static bool read_trace(struct ek_traces *out, struct ek_trace *trace, const char *path,
                       enum ek_trace_layout layout, struct ek_error *err)
{
    struct reader reader = {.path = path, .file = fopen(path, "re")};

    if (reader.file == NULL) {
        return ek_error_set(err, EK_ERR_IO, "%s: cannot read it: %s", path, strerror(errno));
    }
    *trace = (struct ek_trace){.name = trace->name, .vcpus = NAN, .memory_mib = NAN};
    bool done = layout == EK_TRACES_PLANETLAB ? read_planetlab(&reader, trace, err)
                                              : read_bitbrains(&reader, trace, err);
    if (done && ferror(reader.file)) {
        done = ek_error_set(err, EK_ERR_IO, "%s: cannot read it: %s", path, strerror(errno));
    } else if (done && reader.count == 0) {
        done = ek_error_set(err, EK_ERR_INVALID, "%s: found no line, expected figures", path);
    }
    done = done && keep(out, &reader, trace, err);
    free(reader.points);
    (void)fclose(reader.file);
    return done;
}

/* ---- folders ------------------------------------------------------------------------------- */

static int trace_cmp(const void *left, const void *right)
{
    return strcmp(((const struct ek_trace *)left)->name, ((const struct ek_trace *)right)->name);
}

/* The names of all files that are not hidden, sorted: the folder's own order is nobody's. */
static bool list_folder(struct ek_traces *out, DIR *folder, struct ek_error *err)
{
    size_t room = 0;

    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (out->count == room) {
            room = room == 0 ? 64 : 2 * room;
            struct ek_trace *items = realloc(out->items, room * sizeof(*items));
            if (items == NULL) {
                return nomem(err);
            }
            out->items = items;
        }
        const char *name = ek_arena_strdup(&out->arena, entry->d_name);
        if (name == NULL) {
            return nomem(err);
        }
        out->items[out->count++] = (struct ek_trace){.name = name};
    }
    /* qsort takes no NULL, even for nothing. */
    if (out->count > 0) {
        qsort(out->items, out->count, sizeof(*out->items), trace_cmp);
    }
    return true;
}

static bool read_all(struct ek_traces *out, const char *folder, enum ek_trace_layout layout,
                     struct ek_error *err)
{
    for (size_t i = 0; i < out->count; i++) {
        struct ek_trace *trace = &out->items[i];
        const char *path = ek_arena_printf(&out->arena, "%s/%s", folder, trace->name);
        size_t length = strlen(trace->name);
        if (path == NULL) {
            return nomem(err);
        }
        if (length > 4 && strcmp(trace->name + length - 4, ".csv") == 0) {
            trace->name = ek_arena_printf(&out->arena, "%.*s", (int)length - 4, trace->name);
        }
        if (trace->name == NULL) {
            return nomem(err);
        }
        if (!read_trace(out, trace, path, layout, err)) {
            return false;
        }
    }
    return true;
}

/* All machines begin with the earliest; what begins later wants nothing before. */
static void align(struct ek_traces *out)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < out->count; i++) {
        int64_t at_ms = out->items[i].points[0].at_ms;
        first_ms = at_ms < first_ms ? at_ms : first_ms;
    }
    for (size_t i = 0; i < out->count; i++) {
        const struct ek_trace *trace = &out->items[i];
        for (size_t p = 0; p < trace->count; p++) {
            trace->points[p].at_ms -= first_ms;
        }
        int64_t end_ms = trace->points[trace->count - 1].at_ms + STEP_MS;
        out->length_ms = end_ms > out->length_ms ? end_ms : out->length_ms;
    }
}

bool ek_traces_read(struct ek_traces *out, const char *folder, enum ek_trace_layout layout,
                    struct ek_error *err)
{
    DIR *directory = opendir(folder);

    memset(out, 0, sizeof(*out));
    if (directory == NULL) {
        return ek_error_set(err, EK_ERR_IO, "%s: cannot read the folder: %s", folder,
                            strerror(errno));
    }
    bool done = list_folder(out, directory, err);
    (void)closedir(directory);
    if (done && out->count == 0) {
        done = ek_error_set(err, EK_ERR_INVALID, "%s: found no file, expected one for each machine",
                            folder);
    }
    if (!done || !read_all(out, folder, layout, err)) {
        ek_traces_finish(out);
        return false;
    }
    align(out);
    return true;
}

void ek_traces_finish(struct ek_traces *traces)
{
    free(traces->items);
    ek_arena_finish(&traces->arena);
    memset(traces, 0, sizeof(*traces));
}
