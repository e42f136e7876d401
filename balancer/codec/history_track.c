#include "balancer/codec/history_track.h"

#include <stdlib.h>
#include <string.h>

const char *ek_track_name(const struct ek_tracks *tracks, const void *facts)
{
    const char *at = (const char *)facts + tracks->kind->facts[0].offset;

    return *(const char *const *)(const void *)at;
}

struct ek_track *ek_track_find(const struct ek_tracks *tracks, const char *name)
{
    struct ek_track *track = NULL;

    HASH_FIND_STR(tracks->by_name, name, track);
    return track;
}

/* uthash reports want of memory by leaving the handle without a table. */
static bool remember(struct ek_tracks *tracks, struct ek_track *track)
{
    const char *name = ek_track_name(tracks, track->facts);
    struct ek_track *first = ek_track_find(tracks, name);

    if (first != NULL) {
        track->same = first->same;
        first->same = track;
        return true;
    }
    HASH_ADD_KEYPTR(hh, tracks->by_name, name, strlen(name), track);
    return track->hh.tbl != NULL;
}

struct ek_track *ek_track_make(struct ek_tracks *tracks, void *facts)
{
    if (tracks->count == tracks->room) {
        size_t room = 2 * tracks->room + 16;
        struct ek_track **items = realloc(tracks->items, room * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        tracks->items = items;
        tracks->room = room;
    }
    struct ek_track *track = calloc(1, sizeof(*track));
    if (track == NULL) {
        return NULL;
    }
    track->facts = facts;
    track->columns = ek_columns_of(tracks->kind, facts);
    if (!remember(tracks, track)) {
        free(track);
        return NULL;
    }
    tracks->items[tracks->count++] = track;
    return track;
}

bool ek_track_reserve(struct ek_track *track, size_t count)
{
    if (count <= track->room) {
        return true;
    }
    size_t room = count > 2 * track->room ? count : 2 * track->room;
    uint32_t *at = realloc(track->at, room * sizeof(*at));
    if (at == NULL) {
        return false;
    }
    track->at = at;
    int64_t *figures = realloc(track->figures, room * track->columns * sizeof(*figures));
    if (figures == NULL) {
        return false;
    }
    track->figures = figures;
    track->room = room;
    return true;
}

bool ek_track_has(const struct ek_track *track, uint32_t sample, size_t *index)
{
    size_t low = 0;
    size_t high = track->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (track->at[middle] < sample) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return low < track->count && track->at[low] == sample;
}

bool ek_history_block_reserve(struct ek_history_block *block, size_t count)
{
    if (count <= block->room) {
        return true;
    }
    size_t room = count > 2 * block->room ? count : 2 * block->room;
    int64_t *times_ms = realloc(block->times_ms, room * sizeof(*times_ms));
    if (times_ms == NULL) {
        return false;
    }
    block->times_ms = times_ms;
    block->room = room;
    return true;
}
