/* The spool: what became of moves while Redis was away, in files, so that a restart meanwhile does
 * not lose it.
 *
 * One file per move in state_dir/spool, named by its id: the record that the journal has, and the
 * one that it could not take, a line of JSON each. Only results are kept: states that follow the
 * migrate call. A spooled record is never a permission; no effect begins from it, and whoever
 * adopts the move asks both hosts all the same. All calls are thread-safe. */
#ifndef EK_DAEMON_SPOOL_H
#define EK_DAEMON_SPOOL_H

#include "balancer/store/store.h"

struct ek_spool;

/* Nothing is made on disk before there is something to keep. NULL when memory ran out. */
struct ek_spool *ek_spool_create(const char *state_dir);
void ek_spool_destroy(struct ek_spool *spool);

/* Keeps the record, which the journal did not take, in the place of an earlier one of that move; on
 * disk when this returns. `expected` is what the journal has. What cannot be kept is logged: memory
 * still has it. */
void ek_spool_keep(struct ek_spool *spool, const struct ek_move_record *record,
                   const struct ek_move_record *expected);

/* The journal has it by now, or will never take it. */
void ek_spool_drop(struct ek_spool *spool, const char *id);

/* Writes what an earlier run kept into the journal, under the lease's epoch, by compare-and-set.
 * Where somebody has gone on with a move meanwhile the file is dropped. Before open moves are
 * adopted, from the store's thread. Errors of the store; what could not be written stays. */
bool ek_spool_replay(struct ek_spool *spool, struct ek_store *store, int64_t epoch,
                     struct ek_error *err);

#endif
