/* A block as bytes. */
#include "balancer/codec/history_track.h"

#include <stdlib.h>

enum { VERSION = 1 };

/* Runs of samples: how many are passed over, how many follow. */
static void put_runs(struct ek_bytes *bytes, const struct ek_track *track)
{
    struct ek_bytes runs = {0};
    uint64_t count = 0;
    uint32_t end = 0;

    for (size_t i = 0, next = 0; i < track->count; i = next, count++) {
        for (next = i + 1; next < track->count && track->at[next] == track->at[next - 1] + 1;) {
            next++;
        }
        ek_bytes_put_number(&runs, track->at[i] - end);
        ek_bytes_put_number(&runs, next - i);
        end = track->at[next - 1] + 1;
    }
    ek_bytes_put_number(bytes, count);
    ek_bytes_put(bytes, runs.data, runs.size);
    bytes->failed = bytes->failed || runs.failed;
    free(runs.data);
}

/* One without samples was begun and taken back. */
static void put_tracks(struct ek_bytes *bytes, const struct ek_history_texts *texts,
                       const struct ek_tracks *tracks)
{
    uint64_t count = 0;

    for (size_t i = 0; i < tracks->count; i++) {
        count += tracks->items[i]->count > 0;
    }
    ek_bytes_put_number(bytes, count);
    for (size_t i = 0; i < tracks->count; i++) {
        if (tracks->items[i]->count > 0) {
            ek_facts_put(tracks->kind, texts, bytes, tracks->items[i]->facts);
            put_runs(bytes, tracks->items[i]);
        }
    }
}

static void put_times(struct ek_bytes *bytes, const struct ek_history_block *block,
                      int64_t *scratch)
{
    for (size_t i = 1; i < block->count; i++) {
        scratch[i - 1] = block->times_ms[i] - block->times_ms[i - 1];
    }
    ek_bytes_put_series(bytes, scratch, block->count == 0 ? 0 : block->count - 1);
}

static bool is_known(const struct ek_tracks *tracks, size_t column)
{
    int64_t any = 0;

    for (size_t t = 0; t < tracks->count; t++) {
        const struct ek_track *track = tracks->items[t];
        for (size_t i = 0; i < track->count; i++) {
            any |= track->figures[i * track->columns + column];
        }
    }
    return any != 0;
}

/* How many columns of the table stand there: the last ones of which nothing is known do not, as if
 * an older program had written the block. What few collectors see costs the others nothing. */
static size_t count_columns(const struct ek_tracks *tracks)
{
    size_t count = tracks->kind->column_count;

    while (count > 0 && !is_known(tracks, count - 1)) {
        count--;
    }
    return count;
}

static void put_columns(struct ek_bytes *bytes, const struct ek_tracks *tracks, int64_t *scratch)
{
    const size_t known = count_columns(tracks);

    for (size_t t = 0; t < tracks->count; t++) {
        const struct ek_track *track = tracks->items[t];
        for (size_t c = 0; c < track->columns; c++) {
            for (size_t i = 0; i < track->count; i++) {
                scratch[i] = track->figures[i * track->columns + c];
            }
            if (c < known || c >= tracks->kind->column_count) {
                ek_bytes_put_series(bytes, scratch, track->count);
            }
        }
    }
}

bool ek_history_block_write(const struct ek_history_block *block, uint8_t **bytes, size_t *size,
                            struct ek_error *err)
{
    struct ek_bytes out = {0};
    int64_t *scratch = calloc(block->count + 1, sizeof(*scratch));

    ek_bytes_put_number(&out, VERSION);
    ek_bytes_put_number(&out, block->count);
    ek_bytes_put_number(&out, block->count == 0 ? 0 : (uint64_t)block->times_ms[0]);
    ek_texts_put(&out, &block->texts);
    ek_bytes_put_number(&out, count_columns(&block->hosts));
    ek_bytes_put_number(&out, count_columns(&block->domains));
    put_tracks(&out, &block->texts, &block->hosts);
    put_tracks(&out, &block->texts, &block->domains);
    if (scratch != NULL) {
        put_times(&out, block, scratch);
        put_columns(&out, &block->hosts, scratch);
        put_columns(&out, &block->domains, scratch);
    }
    if (scratch == NULL || out.failed) {
        free(scratch);
        free(out.data);
        return ek_error_set(err, EK_ERR_NOMEM, "history: out of memory");
    }
    free(scratch);
    *bytes = out.data;
    *size = out.size;
    return true;
}
