/* A block in memory: it grows by samples and gives them back. */
#include "balancer/codec/history_track.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ek_history_block *ek_history_block_create(void)
{
    struct ek_history_block *block = calloc(1, sizeof(*block));

    if (block != NULL) {
        block->hosts.kind = &ek_history_hosts;
        block->domains.kind = &ek_history_domains;
    }
    return block;
}

static void free_tracks(struct ek_tracks *tracks)
{
    HASH_CLEAR(hh, tracks->by_name);
    for (size_t i = 0; i < tracks->count; i++) {
        free(tracks->items[i]->at);
        free(tracks->items[i]->figures);
        free(tracks->items[i]);
    }
    free(tracks->items);
}

void ek_history_block_destroy(struct ek_history_block *block)
{
    if (block == NULL) {
        return;
    }
    free_tracks(&block->hosts);
    free_tracks(&block->domains);
    ek_history_texts_finish(&block->texts);
    free(block->times_ms);
    free(block);
}

size_t ek_history_block_count(const struct ek_history_block *block)
{
    return block->count;
}

size_t ek_history_block_domain_samples(const struct ek_history_block *block)
{
    return block->domain_samples;
}

const char *ek_history_block_host(const struct ek_history_block *block)
{
    return block->hosts.count == 0 ? NULL
                                   : ek_track_name(&block->hosts, block->hosts.items[0]->facts);
}

int64_t ek_history_block_time_ms(const struct ek_history_block *block, size_t index)
{
    assert(index < block->count);
    return block->times_ms[index];
}

size_t ek_history_block_domains(const struct ek_history_block *block)
{
    return block->domains.count;
}

const char *ek_history_block_domain(const struct ek_history_block *block, size_t index)
{
    assert(index < block->domains.count);
    return ek_track_name(&block->domains, block->domains.items[index]->facts);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static bool no_memory(const struct ek_sample *sample, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "history of %s: out of memory", sample->host.name);
}

static bool check_place(const struct ek_history_block *block, const struct ek_sample *sample,
                        struct ek_error *err)
{
    const char *host = ek_history_block_host(block);
    const char *name = sample->host.name;
    int64_t last_ms = block->count == 0 ? -1 : block->times_ms[block->count - 1];

    if (host != NULL && strcmp(host, name) != 0) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "history of %s: found a sample of %s, expected one of that host", host,
                            name);
    }
    if (sample->taken_at_ms <= last_ms || sample->taken_at_ms > EK_SERIES_MAX) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "history of %s: found a sample of time %" PRId64
                            ", expected one above %" PRId64,
                            name, sample->taken_at_ms, last_ms);
    }
    return (block->count < EK_HISTORY_MAX_SAMPLES &&
            block->domain_samples + sample->domain_count <= EK_HISTORY_MAX_DOMAIN_SAMPLES) ||
           ek_error_set(err, EK_ERR_INVALID,
                        "history of %s: found %zu samples with %zu domains, expected no more in "
                        "one block",
                        name, block->count + 1, block->domain_samples + sample->domain_count);
}

/* The track of these facts, made if there is none yet. */
static struct ek_track *track_of(struct ek_history_block *block, struct ek_tracks *tracks,
                                 const void *facts)
{
    struct ek_track *track = ek_track_find(tracks, ek_track_name(tracks, facts));

    while (track != NULL && !ek_facts_equal(tracks->kind, track->facts, facts)) {
        track = track->same;
    }
    if (track != NULL) {
        return track;
    }
    void *copy = ek_arena_alloc(&block->texts.arena, 1, tracks->kind->size);
    if (copy == NULL || !ek_facts_copy(tracks->kind, &block->texts, copy, facts)) {
        return NULL;
    }
    return ek_track_make(tracks, copy);
}

/* Whether a track of that name has the newest sample already. */
static bool is_there(const struct ek_history_block *block, const struct ek_tracks *tracks,
                     const void *facts)
{
    const struct ek_track *track = ek_track_find(tracks, ek_track_name(tracks, facts));
    bool there = false;

    for (; track != NULL; track = track->same) {
        there = there || (track->count > 0 && track->at[track->count - 1] == block->count);
    }
    return there;
}

static bool add_to_track(struct ek_history_block *block, struct ek_tracks *tracks,
                         const void *facts, const struct ek_sample *sample, struct ek_error *err)
{
    if (!ek_facts_check(tracks->kind, facts, sample->host.name, err)) {
        return false;
    }
    if (is_there(block, tracks, facts)) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "history of %s: found %s %s twice, expected it once", sample->host.name,
                            tracks->kind->name, ek_track_name(tracks, facts));
    }
    struct ek_track *track = track_of(block, tracks, facts);
    if (track == NULL || !ek_track_reserve(track, track->count + 1)) {
        return no_memory(sample, err);
    }
    ek_columns_take(tracks->kind, facts, track->figures + track->count * track->columns);
    track->at[track->count++] = (uint32_t)block->count;
    return true;
}

/* What was added of a sample that failed in the middle. A track without samples stays, and is not
 * written. */
static void take_back(const struct ek_history_block *block, struct ek_tracks *tracks)
{
    for (size_t i = 0; i < tracks->count; i++) {
        struct ek_track *track = tracks->items[i];
        track->count -= track->count > 0 && track->at[track->count - 1] == block->count;
    }
}

bool ek_history_block_add(struct ek_history_block *block, const struct ek_sample *sample,
                          struct ek_error *err)
{
    const struct ek_history_host host = {.host = sample->host,
                                         .collector = sample->collector,
                                         .period_ms = (double)sample->period_ms};

    if (!check_place(block, sample, err)) {
        return false;
    }
    bool done = ek_history_block_reserve(block, block->count + 1) || no_memory(sample, err);
    done = done && add_to_track(block, &block->hosts, &host, sample, err);
    for (size_t d = 0; done && d < sample->domain_count; d++) {
        done = add_to_track(block, &block->domains, &sample->domains[d], sample, err);
    }
    if (!done) {
        take_back(block, &block->hosts);
        take_back(block, &block->domains);
        return false;
    }
    block->times_ms[block->count++] = sample->taken_at_ms;
    block->domain_samples += sample->domain_count;
    return true;
}

bool ek_history_block_append(struct ek_history_block *block, const struct ek_history_block *more,
                             struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < more->count; i++) {
        struct ek_sample sample;
        done = ek_history_block_sample(more, i, &sample, err);
        if (done) {
            done = ek_history_block_add(block, &sample, err);
            ek_sample_finish(&sample);
        }
    }
    return done;
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* Quantities are written to, so that each sample has its own. */
static bool give(const struct ek_tracks *tracks, const struct ek_track *track, size_t index,
                 struct ek_arena *arena, void *out)
{
    struct ek_quantities *quantities = (void *)((char *)out + tracks->kind->quantities);

    memcpy(out, track->facts, tracks->kind->size);
    if (quantities->count > 0) {
        struct ek_quantity *items =
            ek_arena_alloc(arena, quantities->count, sizeof(*quantities->items));
        if (items == NULL) {
            return false;
        }
        memcpy(items, quantities->items, quantities->count * sizeof(*items));
        quantities->items = items;
    }
    ek_columns_give(tracks->kind, out, track->figures + index * track->columns);
    return true;
}

static bool give_host(const struct ek_history_block *block, size_t index, struct ek_sample *out)
{
    struct ek_history_host host;
    size_t at = 0;

    for (size_t i = 0; i < block->hosts.count; i++) {
        const struct ek_track *track = block->hosts.items[i];
        if (ek_track_has(track, (uint32_t)index, &at)) {
            bool done = give(&block->hosts, track, at, &out->arena, &host);
            out->host = host.host;
            out->collector = host.collector;
            /* Whole and above 0, whatever bytes say that we did not write. */
            out->period_ms = (int64_t)fmax(1, fmin(host.period_ms, (double)EK_SERIES_MAX));
            return done;
        }
    }
    assert(false); /* each sample has its host */
    return false;
}

static bool give_domains(const struct ek_history_block *block, size_t index, struct ek_sample *out)
{
    const struct ek_tracks *tracks = &block->domains;
    size_t at = 0;

    for (size_t i = 0; i < tracks->count; i++) {
        out->domain_count += ek_track_has(tracks->items[i], (uint32_t)index, &at);
    }
    out->domains = ek_arena_alloc(&out->arena, out->domain_count, sizeof(*out->domains));
    bool done = out->domains != NULL;
    for (size_t i = 0, d = 0; done && i < tracks->count; i++) {
        if (ek_track_has(tracks->items[i], (uint32_t)index, &at)) {
            done = give(tracks, tracks->items[i], at, &out->arena, &out->domains[d++]);
        }
    }
    return done;
}

bool ek_history_block_sample(const struct ek_history_block *block, size_t index,
                             struct ek_sample *out, struct ek_error *err)
{
    assert(index < block->count);
    *out = (struct ek_sample){.taken_at_ms = block->times_ms[index]};
    if (give_host(block, index, out) && give_domains(block, index, out)) {
        return true;
    }
    ek_sample_finish(out);
    return ek_error_set(err, EK_ERR_NOMEM, "history of %s: out of memory",
                        ek_history_block_host(block));
}
