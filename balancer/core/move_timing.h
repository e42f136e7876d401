/* How long the steps of a move may take: what `timeouts.` of evenkeel.yaml sets and the life of a
 * move (migrator/life.h) is given.
 *
 * Every state of the table in move_state.h that can last has its limit here, or, for the copying
 * itself, in the order (policy.yaml, `migration.`). Nothing here decides what is true: a limit that
 * is over leads to a question, never to an assumption. */
#ifndef EK_CORE_MOVE_TIMING_H
#define EK_CORE_MOVE_TIMING_H

#include "balancer/core/move_state.h"

#include <stdint.h>

/* All in milliseconds; in brackets the default. Each is `timeouts.` and its name without the unit.
 */
struct ek_move_timing {
    int64_t precheck_ms;  /* [60 s] all checks of an attempt */
    int64_t prepare_ms;   /* [120 s] all preparations of an attempt */
    int64_t observe_ms;   /* [45 s] reading both ends once */
    int64_t action_ms;    /* [60 s] one abort, one repair, one look at the progress */
    int64_t unprepare_ms; /* [120 s] undoing what an attempt made */
    int64_t post_ms;      /* [120 s] the clean-ups after a move, each time */

    int64_t progress_poll_ms; /* [1 s] between two looks at the progress */
    int64_t switchover_ms;    /* [60 s] source paused by the migration: then both ends are asked */
    int64_t abort_wait_ms;    /* [60 s] until an abort that was not followed is asked for again */
    int64_t settle_ms;        /* [2 s] between two looks at both ends, and for EK_PATIENCE_SETTLE */
    int64_t autodestroy_ms;   /* [60 s] EK_PATIENCE_AUTODESTROY */
    int64_t reachable_ms;     /* [180 s] EK_PATIENCE_REACHABLE; a call that does not return */
    int64_t post_retry_ms;    /* [5 s] before a clean-up is tried again, twice */
    int64_t attempt_grace_ms; /* [15 min] an attempt beyond its copying: then unknown */
    int64_t backoff_cap_ms;   /* [5 min] the longest wait before a retry */

    /* [30 s] A call that has come no further by then does not begin to change anything: it may have
     * been given up, and its life decided otherwise. So it is at most action, prepare, unprepare
     * and post; an adopted move that may not have been begun is waited for twice as long. */
    int64_t fresh_ms;
};

void ek_move_timing_defaults(struct ek_move_timing *timing);

/* What ends a state that does not end by itself. */
struct ek_state_limit {
    const char *key; /* of evenkeel.yaml, or of policy.yaml for the copying; NULL: none, static */
    int64_t ms;      /* 0: none here */
};

/* The limit of one state; terminal ones, and those that only wait for the journal, have none. */
struct ek_state_limit ek_move_state_limit(const struct ek_move_timing *timing,
                                          enum ek_move_state state);

#endif
