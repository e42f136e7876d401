/* The default times of a move, and which of them ends which state. */
#include "balancer/core/move_timing.h"

#include <assert.h>
#include <stddef.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

void ek_move_timing_defaults(struct ek_move_timing *timing)
{
    *timing = (struct ek_move_timing){
        /* A call that connects may take 5 s to probe and 30 s for a lock; the checks are a dozen
         * such calls, nearly all of them quick. */
        .precheck_ms = MINUTE,
        .prepare_ms = 2 * MINUTE,
        /* Above the 30 s after which libvirt gives up waiting for a domain's lock: a busy domain is
         * to be told from a host that is away. */
        .observe_ms = 45 * SECOND,
        .action_ms = MINUTE,
        .unprepare_ms = 2 * MINUTE,
        .post_ms = 2 * MINUTE,
        .progress_poll_ms = SECOND,
        /* KubeVirt waits as long. A switchover takes milliseconds; one that takes a minute hangs.
         */
        .switchover_ms = MINUTE,
        .abort_wait_ms = MINUTE,
        .settle_ms = 2 * SECOND,
        /* Keepalive (5 s, 5 times) lets libvirt find a dead peer within 30 s and destroy its
         * incoming domain: twice that, before we do it. */
        .autodestroy_ms = MINUTE,
        /* As long as a host may take to come back from a restart of its services or its network. */
        .reachable_ms = 3 * MINUTE,
        .post_retry_ms = 5 * SECOND,
        .attempt_grace_ms = 15 * MINUTE,
        .backoff_cap_ms = 5 * MINUTE,
        /* As long as libvirt itself waits for a domain's lock. */
        .fresh_ms = 30 * SECOND,
    };
}

struct ek_state_limit ek_move_state_limit(const struct ek_move_timing *timing,
                                          enum ek_move_state state)
{
    static const struct ek_state_limit none = {NULL, 0};

    /* All states by name and no default: the compiler tells of a new one. */
    switch (state) {
    case EK_MOVE_PRECHECK:
        return (struct ek_state_limit){"timeouts.precheck", timing->precheck_ms};
    case EK_MOVE_PREPARE:
        return (struct ek_state_limit){"timeouts.prepare", timing->prepare_ms};
    case EK_MOVE_RUNNING: /* by the size of the guest; the order has it */
        return (struct ek_state_limit){"migration.timeout_min, timeout_per_gib", 0};
    case EK_MOVE_SWITCHOVER:
        return (struct ek_state_limit){"timeouts.switchover", timing->switchover_ms};
    case EK_MOVE_COMMIT_PENDING:
        return (struct ek_state_limit){"timeouts.observe", timing->observe_ms};
    case EK_MOVE_RECONCILE: /* two hosts that never agree are waited for twice as long as one */
        return (struct ek_state_limit){"2 x timeouts.reachable", 2 * timing->reachable_ms};
    case EK_MOVE_UNPREPARE:
        return (struct ek_state_limit){"timeouts.unprepare", timing->unprepare_ms};
    case EK_MOVE_POST:
        return (struct ek_state_limit){"3 x timeouts.post", 3 * timing->post_ms};
    case EK_MOVE_RETRY_WAIT:
        return (struct ek_state_limit){"timeouts.backoff_cap", timing->backoff_cap_ms};
    case EK_MOVE_PLANNED:
    case EK_MOVE_CLAIMED:
    case EK_MOVE_DONE:
    case EK_MOVE_REJECTED:
    case EK_MOVE_ROLLED_BACK:
    case EK_MOVE_CANCELLED:
    case EK_MOVE_GUEST_OFF:
    case EK_MOVE_VM_DOWN:
    case EK_MOVE_UNVERIFIED:
    case EK_MOVE_FAILED:
    case EK_MOVE_UNKNOWN:
    case EK_MOVE_STATE_COUNT:
        break;
    }
    assert((unsigned int)state < EK_MOVE_STATE_COUNT);
    return none;
}
