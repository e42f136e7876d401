/* The journal's port: where a move's record is written before the effect that it announces.
 *
 * The migrator knows only this; balancer/store/ gives the one in Redis, the simulator one in
 * memory. */
#ifndef EK_CORE_JOURNAL_H
#define EK_CORE_JOURNAL_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"

struct ek_journal {
    /* Writes `record` if the stored one still is at (attempt, state, epoch) of `expected`, or if
     * there is none and `expected` is NULL. Blocking, thread-safe. Errors: CONFLICT, FENCED,
     * INVALID (see ek_journal_check_step; an effect must not follow any of them), UNAVAILABLE (the
     * record may be written or not; an effect must not follow). */
    bool (*write)(void *context, const struct ek_move_record *record,
                  const struct ek_move_record *expected, struct ek_error *err);

    /* Writes progress, eta_ms, transferred_mib alone; best effort, must not block for long. */
    void (*progress)(void *context, const struct ek_move_record *record);

    /* One line of audit: what was done to which domain and what came out, e.g. a precheck's result.
     * Best effort. `step` is a word such as "precheck-memory". */
    void (*note)(void *context, const struct ek_move_record *record, const char *step,
                 const char *text);

    void *context;
};

/* Whether the table of states lets `record` follow `expected` (NULL: the first). Every journal asks
 * before it writes: the second line of defence behind the life's own assertions. Error: INVALID. */
bool ek_journal_check_step(const struct ek_move_record *record,
                           const struct ek_move_record *expected, struct ek_error *err);

#endif
