/* The fields of a host's history in Redis, inside the store: what their names say.
 *
 * A field of history:<host> holds a block of samples and is called FIRST-LAST-SAMPLES-BYTES (times
 * in Unix ms), so that what to fold and what to trim is found without reading blocks. A field of
 * history-rows:<host> holds a block of one sample and is called by its time. */
#ifndef EK_STORE_HISTORY_PIECES_H
#define EK_STORE_HISTORY_PIECES_H

#include "balancer/codec/history_block.h"
#include "balancer/store/connection.h"

/* At one sample a minute a row waits at most a quarter of an hour, and a block is four hours.
 * Larger blocks are smaller per sample by less than a tenth; smaller ones begin to pay for their
 * facts. */
enum { EK_HISTORY_FOLD_ROWS = 16, EK_HISTORY_BLOCK_SAMPLES = 240 };

enum { EK_HISTORY_NAME_SIZE = 96 };

/* A block or a row by its name; texts and bytes belong to a reply. */
struct ek_piece {
    int64_t first_ms;
    int64_t last_ms;
    int64_t samples;
    int64_t size;
    const char *name;
    const redisReply *bytes; /* NULL: not read */
    bool folded;             /* a row that a block holds now */
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

#endif
