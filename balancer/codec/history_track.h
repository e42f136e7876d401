/* Tracks: the inside of a history block, for its writer and its reader. */
#ifndef EK_CODEC_HISTORY_TRACK_H
#define EK_CODEC_HISTORY_TRACK_H

#include "balancer/codec/history_block.h"
#include "balancer/codec/history_facts.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* One set of facts, and the samples that have it. */
struct ek_track {
    void *facts;      /* a struct ek_history_host or ek_domain; the texts' arena has it */
    size_t columns;   /* figures per sample */
    uint32_t *at;     /* indices of samples, rising */
    int64_t *figures; /* [i * columns + column], of sample at[i] */
    size_t count;     /* samples */
    size_t room;
    struct ek_track *same; /* another of the same host or domain; NULL: no more */
    UT_hash_handle hh;     /* by the name of the host or the UUID of the domain */
};

/* All tracks of hosts (there is one host), or of domains. */
struct ek_tracks {
    const struct ek_history_kind *kind;
    struct ek_track **items; /* in the order in which they were made */
    size_t count;
    size_t room;
    struct ek_track *by_name; /* uthash's table: the first of each */
};

struct ek_history_block {
    struct ek_history_texts texts;
    struct ek_tracks hosts;
    struct ek_tracks domains;
    int64_t *times_ms;
    size_t count;
    size_t room;
    size_t domain_samples;
};

/* The name that tracks go by: the first fact of either table. */
const char *ek_track_name(const struct ek_tracks *tracks, const void *facts);

/* The first track of that name; NULL: there is none. */
struct ek_track *ek_track_find(const struct ek_tracks *tracks, const char *name);

/* A new track without samples; `facts` becomes its own, all texts being the block's. NULL: memory
 * ran out. */
struct ek_track *ek_track_make(struct ek_tracks *tracks, void *facts);

/* Room for so many samples in all; false: memory ran out. */
bool ek_track_reserve(struct ek_track *track, size_t count);

/* Whether the track has that sample, and as which of its own. */
bool ek_track_has(const struct ek_track *track, uint32_t sample, size_t *index);

/* Room for so many times in all; false: memory ran out. */
bool ek_history_block_reserve(struct ek_history_block *block, size_t count);

#endif
