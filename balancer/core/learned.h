/* What earlier moves of a domain really cost, beside what was predicted.
 *
 * A lesson is a factor by which the pre-copy model is corrected for that domain (struct ek_domain,
 * migration_factor): of each move the geometric mean of real over predicted bytes and time, both
 * padded so that the fixed part of short moves does not count, taken over by half into what was
 * known. Predictions of a move already hold the factor of then, so that it is multiplied on.
 * Between 1/4 and 4: beyond that it was an accident and no habit. Times are Unix milliseconds. */
#ifndef EK_CORE_LEARNED_H
#define EK_CORE_LEARNED_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"
#include "balancer/core/snapshot.h"

#define EK_LEARNED_MIN 0.25
#define EK_LEARNED_MAX 4.0

struct ek_lesson {
    char domain[EK_UUID_SIZE];
    double factor;       /* EK_LEARNED_MIN..EK_LEARNED_MAX */
    int64_t moved_at_ms; /* its newest move */
};

struct ek_learned;

/* NULL: out of memory. Destroy takes NULL. */
struct ek_learned *ek_learned_create(void);
void ek_learned_destroy(struct ek_learned *learned);

/* Learns from a move that went well. Moves that tell nothing (no prediction, several attempts and
 * no bytes) are passed over. Error: NOMEM. */
bool ek_learned_note(struct ek_learned *learned, const struct ek_move_order *order,
                     const struct ek_outcome *outcome, struct ek_error *err);

/* The domain's factor; 1 when nothing is known. */
double ek_learned_factor(const struct ek_learned *learned, const char *domain);

/* Writes the factors into the snapshot, where it does not bring its own. */
void ek_learned_apply(const struct ek_learned *learned, struct ek_snapshot *snapshot);

/* Forgets lessons of moves more than 30 days ago: guests change. */
void ek_learned_expire(struct ek_learned *learned, int64_t now_ms);

/* All lessons, by UUID: fills at most `room`, returns how many there are. */
size_t ek_learned_export(const struct ek_learned *learned, struct ek_lesson *out, size_t room);

/* Puts a kept lesson back. Error: NOMEM. */
bool ek_learned_import(struct ek_learned *learned, const struct ek_lesson *lesson,
                       struct ek_error *err);

#endif
