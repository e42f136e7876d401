/* The fields of a host's history in Redis, inside the store: what their names say.
 *
 * A field of history:<host> holds a block of samples and is called FIRST-LAST-SAMPLES-BYTES (times
 * in Unix ms), so that what to fold and what to trim is found without reading blocks. A field of
 * history-rows:<host> holds a block of one sample and is called by its time. */
#ifndef EK_STORE_HISTORY_PIECES_H
#define EK_STORE_HISTORY_PIECES_H

#include "balancer/codec/history_block.h"
#include "balancer/core/profile.h"
#include "balancer/store/connection.h"

/* At one sample a minute a row waits at most 23 minutes, and a block is four hours.
 * Larger blocks are smaller per sample by less than a tenth; smaller ones begin to pay for their
 * facts. */
enum {
    EK_HISTORY_FOLD_ROWS = 16,  /* this many at least, ... */
    EK_HISTORY_FOLD_SPREAD = 8, /* ... and up to so many more, by the host's name */
    EK_HISTORY_BLOCK_SAMPLES = 240
};

enum { EK_HISTORY_NAME_SIZE = 96 };

/* A block or a row by its name; texts and bytes belong to a reply. */
struct ek_piece {
    int64_t first_ms;
    int64_t last_ms;
    int64_t samples;
    int64_t size;
    const char *name;
    const redisReply *bytes; /* NULL: not read */
    bool unwanted;           /* a block holds it now, or it is beyond the limits */
    bool gone;               /* as that it was taken away */
};

/* By their first times; zeroed is empty. */
struct ek_pieces {
    struct ek_piece *items;
    size_t count;
};

void ek_pieces_release(struct ek_pieces *pieces);
#define EK_PIECES_SCOPED __attribute__((cleanup(ek_pieces_release)))

/* The name of a block that is not empty and has so many bytes. */
void ek_piece_name(const struct ek_history_block *block, size_t size,
                   char name[EK_HISTORY_NAME_SIZE]);

/* Adds the fields of a hash, of HKEYS or (`with_bytes`) HGETALL. A name of another form is nobody's
 * of ours and is passed over. Errors: REMOTE, NOMEM. */
bool ek_pieces_add(struct ek_store *store, const char *key, const redisReply *reply,
                   bool with_bytes, struct ek_pieces *pieces, struct ek_error *err);

/* The block that the piece's bytes hold, which the caller destroys; NULL: INVALID, as "KEY NAME:
 * byte 17: found ..., expected ...", or NOMEM. */
struct ek_history_block *ek_piece_read(const char *key, const struct ek_piece *piece,
                                       struct ek_error *err);

/* Gives what the pieces hold, as ek_store_get_history() does. */
bool ek_pieces_visit(const char *key, const struct ek_pieces *pieces, ek_store_history_fn *visit,
                     void *context, char *bad, size_t bad_size, struct ek_error *err);

/* Takes the hours that are complete into the profiles of the host and its domains (profile_fold.c);
 * `newest_ms` is when its newest sample was taken. What is done is not done again. A profile that
 * cannot be read stops none of the others and is told of in *noted. */
bool ek_profiles_fold(struct ek_store *store, const char *host, int64_t newest_ms, int64_t keep_ms,
                      struct ek_error *noted, struct ek_error *err);

/* The key of a profile, and for how long it is to live. */
bool ek_profile_key(const struct ek_store *store, char key[EK_KEY_SIZE], enum ek_profile_kind kind,
                    const char *name, struct ek_error *err);
int64_t ek_profile_life_ms(int64_t keep_ms);

/* The profile of a reply to GET; *there is false where there is none. Errors: INVALID, of a profile
 * that cannot be read, whose key is named; REMOTE. */
bool ek_profile_take(struct ek_store *store, const char *key, const redisReply *reply,
                     struct ek_profile *out, bool *there, struct ek_error *err);

#endif
