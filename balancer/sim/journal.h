/* The journal's port in memory: compare-and-set on (attempt, state, epoch), as the one in Redis.
 *
 * It outlives the simulated daemon, as Redis does. While it is away every write says UNAVAILABLE;
 * the port's contract leaves open whether such a write was done, so here every other one is. */
#ifndef EK_SIM_JOURNAL_H
#define EK_SIM_JOURNAL_H

#include "balancer/core/journal.h"
#include "balancer/sim/random.h"

#include <stddef.h>

struct ek_sim_entry;

struct ek_sim_journal {
    struct ek_journal port; /* `context` is this */
    struct ek_sim_entry *entries;
    struct ek_random random;
    bool away;
    bool lands;    /* writes that are called UNAVAILABLE are done in half of the cases */
    int64_t epoch; /* of the balancer in charge: lower ones are FENCED */
    uint64_t writes;
    uint64_t refused; /* CONFLICT and FENCED */

    /* Each note and each written state, for the trace; may be NULL. */
    void (*noted)(void *context, const struct ek_move_record *record, const char *step,
                  const char *text);
    void *context;
};

/* Must stay where it is: the port points to it. */
void ek_sim_journal_init(struct ek_sim_journal *journal, uint64_t seed);
void ek_sim_journal_finish(struct ek_sim_journal *journal);

/* The record of that move; NULL: none. Valid until the next write. */
const struct ek_move_record *ek_sim_journal_find(const struct ek_sim_journal *journal,
                                                 const char *id);

/* Calls `visit` for every record, in the order of their first writing. */
void ek_sim_journal_each(const struct ek_sim_journal *journal,
                         void (*visit)(void *context, const struct ek_move_record *record),
                         void *context);

/* Records that are not terminal. */
size_t ek_sim_journal_open(const struct ek_sim_journal *journal);

#endif
