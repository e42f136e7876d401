/* What the moves of this process are about to bring to their destinations: the attempts that are
 * under way, with the memory that each will still take and the volumes that it prepares. In memory
 * only: a successor's moves are adopted, make nothing anew, and enter themselves when both ends
 * are read.
 *
 * An attempt that nobody heard of for EK_ARRIVAL_STALE_MS is forgotten, so that no call that hung
 * holds room for good. Thread-safe; no call of libvirt is made under the lock. */
#ifndef EK_MIGRATOR_ARRIVALS_H
#define EK_MIGRATOR_ARRIVALS_H

#include "balancer/core/move.h"

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { EK_ARRIVAL_STALE_MS = 300000 };

struct ek_arrival;
struct ek_known_digest;
struct ek_known_storage;

struct ek_arrivals {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* on the monotonic clock */
    struct ek_arrival *items;
    struct ek_known_digest *digests;
    struct ek_known_storage *storages;
};

bool ek_arrivals_init(struct ek_arrivals *arrivals);
void ek_arrivals_finish(struct ek_arrivals *arrivals);

/* ---- memory -------------------------------------------------------------------------------- */

/* Enters the attempt, in place of an earlier one of the same move, if `available_mib` holds what it
 * needs beside what the others will still take on the same destination. *others_mib says how much
 * that is. */
bool ek_arrivals_reserve(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                         double need_mib, double available_mib, double *others_mib);

/* The attempt is under way, here or begun by a predecessor; it has `left_mib` still to take (less
 * than 0: as much as is known). A record whose attempt is known is only kept fresh. */
void ek_arrivals_note(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                      double left_mib);

/* ---- effects ------------------------------------------------------------------------------- */

/* Before something is made for the attempt: false when it is over, for its call was given up. Until
 * ek_arrivals_leave nobody undoes it. */
bool ek_arrivals_enter(struct ek_arrivals *arrivals, const struct ek_move_record *record);
void ek_arrivals_leave(struct ek_arrivals *arrivals, const struct ek_move_record *record);

/* Whether the attempt goes on; keeps it fresh. */
bool ek_arrivals_goes_on(struct ek_arrivals *arrivals, const struct ek_move_record *record);

/* The attempt is over: nothing is made for it from now on. False while a call still makes
 * something: then nothing can be undone yet. */
bool ek_arrivals_close(struct ek_arrivals *arrivals, const struct ek_move_record *record);

/* The move is another life's by now, which may make anew what this attempt made: its calls make
 * nothing more, and undo nothing. */
void ek_arrivals_disown(struct ek_arrivals *arrivals, const struct ek_move_record *record);

/* Whether a call that is inside may still undo what it made itself: not after ek_arrivals_disown.
 */
bool ek_arrivals_may_undo(struct ek_arrivals *arrivals, const struct ek_move_record *record);

/* Whether the domain is on its way to that host: volumes of it there are not old ones. */
bool ek_arrivals_expects(struct ek_arrivals *arrivals, const char *host, const char *domain);

/* ---- backing files ------------------------------------------------------------------------- */

/* One at a time makes a base on a host; waits for the others. False: the attempt is over. */
bool ek_arrivals_lock_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                           const char *path);
void ek_arrivals_unlock_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                             const char *path, bool made);

/* Whether another attempt that is under way made that base: then it is as new as this attempt, and
 * goes with the last of them should all fail. */
bool ek_arrivals_base_is_new(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                             const char *path);

/* Whether another attempt needs that base on the record's destination. */
bool ek_arrivals_need_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                           const char *path);

/* ---- what was found out and does not change soon ------------------------------------------- */

/* Digests of files, by a key that names host, path, size and time of change. */
bool ek_arrivals_digest(struct ek_arrivals *arrivals, const char *key,
                        unsigned char out[SHA256_DIGEST_SIZE]);
void ek_arrivals_keep_digest(struct ek_arrivals *arrivals, const char *key,
                             const unsigned char digest[SHA256_DIGEST_SIZE]);

/* Whether two hosts have the same storage at a path; the key names them. For an hour. */
bool ek_arrivals_storage(struct ek_arrivals *arrivals, const char *key, bool *same);
void ek_arrivals_keep_storage(struct ek_arrivals *arrivals, const char *key, bool same);

#endif
