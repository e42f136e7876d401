/* A block from bytes, which may be anybody's: whatever they say, no more is asked for than the
 * limits of history_block.h, and what was read is as good as what was written. */
#include "balancer/codec/history_track.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, MAX_COLUMNS = 1000, MAX_TRACKS = EK_HISTORY_MAX_DOMAIN_SAMPLES };

struct reading {
    struct ek_bytes_reader in;
    struct ek_history_block *block;
    int64_t *scratch; /* room for a column */
};

static bool no_memory(struct reading *reading)
{
    return ek_error_set(reading->in.err, EK_ERR_NOMEM, "%s: out of memory", reading->in.name);
}

/* ---- tracks ---------------------------------------------------------------------------------- */

/* No two tracks of one host or domain share a sample. */
static bool is_taken(const struct ek_tracks *tracks, const struct ek_track *track, uint32_t sample)
{
    const struct ek_track *other = ek_track_find(tracks, ek_track_name(tracks, track->facts));
    bool taken = false;
    size_t at = 0;

    for (; other != NULL; other = other->same) {
        taken = taken || (other != track && ek_track_has(other, sample, &at));
    }
    return taken;
}

static bool get_run(struct reading *reading, const struct ek_tracks *tracks, struct ek_track *track,
                    uint64_t *end)
{
    uint64_t left = reading->block->count - *end;
    uint64_t passed = 0;
    uint64_t length = 0;

    if (!ek_bytes_get_number(&reading->in, "no more samples than the block has", left, &passed) ||
        !ek_bytes_get_number(&reading->in, "no more samples than the block has", left - passed,
                             &length)) {
        return false;
    }
    if (!ek_track_reserve(track, track->count + (size_t)length)) {
        return no_memory(reading);
    }
    for (uint64_t i = 0; i < length; i++) {
        uint32_t sample = (uint32_t)(*end + passed + i);
        if (is_taken(tracks, track, sample)) {
            return ek_bytes_refuse(&reading->in, "it once", "%s %.60s twice in sample %u",
                                   tracks->kind->name, ek_track_name(tracks, track->facts),
                                   (unsigned int)sample);
        }
        track->at[track->count++] = sample;
    }
    *end += passed + length;
    return true;
}

static bool get_runs(struct reading *reading, const struct ek_tracks *tracks,
                     struct ek_track *track)
{
    uint64_t count = 0;
    uint64_t end = 0;
    bool done = ek_bytes_get_number(&reading->in, "no more runs than samples",
                                    reading->block->count, &count);

    for (uint64_t i = 0; done && i < count; i++) {
        done = get_run(reading, tracks, track, &end);
    }
    return done && (track->count > 0 ||
                    ek_bytes_refuse(&reading->in, "one at least", "a track without samples"));
}

static bool get_track(struct reading *reading, struct ek_tracks *tracks)
{
    struct ek_history_texts *texts = &reading->block->texts;
    void *facts = ek_arena_alloc(&texts->arena, 1, tracks->kind->size);

    if (facts == NULL) {
        return no_memory(reading);
    }
    /* What no sample could say would be refused only when its samples are added somewhere. */
    if (!ek_facts_get(tracks->kind, texts, &reading->in, facts) ||
        !ek_facts_check(tracks->kind, facts, reading->in.name, reading->in.err)) {
        return false;
    }
    struct ek_track *track = ek_track_make(tracks, facts);
    if (track == NULL) {
        return no_memory(reading);
    }
    return get_runs(reading, tracks, track);
}

static bool get_tracks(struct reading *reading, struct ek_tracks *tracks, size_t max_samples,
                       size_t *samples)
{
    uint64_t count = 0;
    bool done =
        ek_bytes_get_number(&reading->in, "at most half a million tracks", MAX_TRACKS, &count);

    *samples = 0;
    for (uint64_t i = 0; done && i < count; i++) {
        done = get_track(reading, tracks);
        *samples += done ? tracks->items[tracks->count - 1]->count : 0;
        if (done && *samples > max_samples) {
            done = ek_bytes_refuse(&reading->in, "no more than a block may have",
                                   "%zu samples of %ss", *samples, tracks->kind->name);
        }
    }
    return done;
}

/* There is one host, and it is in each sample. */
static bool get_all_tracks(struct reading *reading)
{
    struct ek_history_block *block = reading->block;
    size_t samples = 0;

    if (!get_tracks(reading, &block->hosts, block->count, &samples)) {
        return false;
    }
    if (samples != block->count) {
        return ek_bytes_refuse(&reading->in, "it in all of them", "the host in %zu of %zu samples",
                               samples, block->count);
    }
    if (HASH_COUNT(block->hosts.by_name) > 1) {
        return ek_bytes_refuse(&reading->in, "one", "%u hosts",
                               (unsigned int)HASH_COUNT(block->hosts.by_name));
    }
    return get_tracks(reading, &block->domains, EK_HISTORY_MAX_DOMAIN_SAMPLES,
                      &block->domain_samples);
}

/* ---- series ---------------------------------------------------------------------------------- */

static bool get_times(struct reading *reading)
{
    struct ek_history_block *block = reading->block;

    if (block->count == 0) {
        return true;
    }
    if (!ek_bytes_get_series(&reading->in, reading->scratch, block->count - 1)) {
        return false;
    }
    for (size_t i = 1; i < block->count; i++) {
        int64_t step = reading->scratch[i - 1];
        block->times_ms[i] = block->times_ms[i - 1] + step;
        if (step < 1 || block->times_ms[i] > EK_SERIES_MAX) {
            return ek_bytes_refuse(&reading->in, "times that rise", "a step of %lld ms",
                                   (long long)step);
        }
    }
    return true;
}

static bool get_column(struct reading *reading, const struct ek_history_kind *kind,
                       struct ek_track *track, size_t column)
{
    int64_t max = ek_column_max(kind, column);

    if (!ek_bytes_get_series(&reading->in, reading->scratch, track->count)) {
        return false;
    }
    for (size_t i = 0; i < track->count; i++) {
        if (reading->scratch[i] > max) {
            return ek_bytes_refuse(&reading->in, "a figure within its column's bounds", "%lld",
                                   (long long)reading->scratch[i]);
        }
        track->figures[i * track->columns + column] = reading->scratch[i];
    }
    return true;
}

/* Columns of the table come first in the bytes, then the quantities'. Of the table's, those that
 * the writer had not are unknown, and those that we have not are passed over. */
static bool get_columns(struct reading *reading, const struct ek_tracks *tracks, uint64_t written)
{
    size_t known = tracks->kind->column_count;
    bool done = true;

    for (size_t t = 0; done && t < tracks->count; t++) {
        struct ek_track *track = tracks->items[t];
        if (track->count > 0) {
            memset(track->figures, 0, track->count * track->columns * sizeof(*track->figures));
        }
        for (size_t c = 0; done && c < written; c++) {
            done = c < known ? get_column(reading, tracks->kind, track, c)
                             : ek_bytes_get_series(&reading->in, reading->scratch, track->count);
        }
        for (size_t c = known; done && c < track->columns; c++) {
            done = get_column(reading, tracks->kind, track, c);
        }
    }
    return done;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool get_head(struct reading *reading)
{
    struct ek_history_block *block = reading->block;
    uint64_t version = 0;
    uint64_t count = 0;
    uint64_t first_ms = 0;

    if (!ek_bytes_get_number(&reading->in, "version 1", VERSION, &version)) {
        return false;
    }
    if (version != VERSION) {
        return ek_bytes_refuse(&reading->in, "version 1", "version %d", (int)version);
    }
    if (!ek_bytes_get_number(&reading->in, "at most 4096 samples", EK_HISTORY_MAX_SAMPLES,
                             &count) ||
        !ek_bytes_get_number(&reading->in, "a time in ms", (uint64_t)EK_SERIES_MAX, &first_ms)) {
        return false;
    }
    reading->scratch = calloc((size_t)count + 1, sizeof(*reading->scratch));
    if (reading->scratch == NULL || !ek_history_block_reserve(block, (size_t)count + 1)) {
        return no_memory(reading);
    }
    block->count = (size_t)count;
    block->times_ms[0] = (int64_t)first_ms;
    return true;
}

static bool get_block(struct reading *reading)
{
    struct ek_history_block *block = reading->block;
    struct ek_bytes_reader *in = &reading->in;
    uint64_t host_columns = 0;
    uint64_t domain_columns = 0;

    if (!get_head(reading) || !ek_texts_get(in, &block->texts) ||
        !ek_bytes_get_number(in, "at most 1000 columns", MAX_COLUMNS, &host_columns) ||
        !ek_bytes_get_number(in, "at most 1000 columns", MAX_COLUMNS, &domain_columns) ||
        !get_all_tracks(reading) || !get_times(reading) ||
        !get_columns(reading, &block->hosts, host_columns) ||
        !get_columns(reading, &block->domains, domain_columns)) {
        return false;
    }
    in->at += in->bits > 0;
    return in->at == in->size ||
           ek_bytes_refuse(in, "the end of the block", "%zu more bytes", in->size - in->at);
}

struct ek_history_block *ek_history_block_read(const void *bytes, size_t size, const char *name,
                                               struct ek_error *err)
{
    struct reading reading = {
        .in = {.name = name, .data = bytes, .size = size, .err = err},
        .block = ek_history_block_create(),
    };
    bool done = reading.block != NULL ? get_block(&reading) : no_memory(&reading);

    free(reading.scratch);
    if (!done) {
        ek_history_block_destroy(reading.block);
        return NULL;
    }
    return reading.block;
}
