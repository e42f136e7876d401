/* The life of a move: its states, which are terminal, and which may follow which.
 *
 * The table is the contract of the journal, of the migrator and of all who show moves; it is
 * printed by `evenkeel states` (docs/move-states.svg is drawn from it). The states follow what
 * libvirt's migration protocol v3 can leave behind.
 *
 *   planned -> claimed -> precheck -> prepare -> running -> [switchover] -> commit-pending -> post
 * -> done
 *
 * After an error or a restart a move passes `reconcile`, where both hosts are asked and the
 * decision table says what happened. `unknown` and `unverified` are terminal for us: they block the
 * domain until an operator resolves it; nothing is retried or destroyed there. */
#ifndef EK_CORE_MOVE_STATE_H
#define EK_CORE_MOVE_STATE_H

#include <stdbool.h>

/* state, name, terminal, what is done in it or what it means */
#define EK_MOVE_STATES(X)                                                                   \
    X(EK_MOVE_PLANNED, "planned", false, "wanted by a plan, not yet begun")                 \
    X(EK_MOVE_CLAIMED, "claimed", false, "ours: lease, epoch, attempt")                     \
    X(EK_MOVE_PRECHECK, "precheck", false, "the eight checks on fresh data")                \
    X(EK_MOVE_PREPARE, "prepare", false, "disks, networks, filters on the destination")     \
    X(EK_MOVE_RUNNING, "running", false, "the migrate call is out, memory is copied")       \
    X(EK_MOVE_SWITCHOVER, "switchover", false, "the migration paused the source")           \
    X(EK_MOVE_COMMIT_PENDING, "commit-pending", false,                                      \
      "the call returned well, both ends are read")                                         \
    X(EK_MOVE_POST, "post", false, "clean-up after a verified move")                        \
    X(EK_MOVE_RECONCILE, "reconcile", false, "both hosts are asked what is true")           \
    X(EK_MOVE_UNPREPARE, "unprepare", false, "what this attempt made is undone")            \
    X(EK_MOVE_RETRY_WAIT, "retry-wait", false, "the pause before the next attempt")         \
    X(EK_MOVE_DONE, "done", true, "runs on the destination, verified")                      \
    X(EK_MOVE_REJECTED, "rejected", true, "a check said no; nothing was touched")           \
    X(EK_MOVE_ROLLED_BACK, "rolled-back", true, "runs on the source, nothing left behind")  \
    X(EK_MOVE_CANCELLED, "cancelled", true, "told to stop; runs on the source")             \
    X(EK_MOVE_GUEST_OFF, "guest-off", true, "its user or guest shut it down meanwhile")     \
    X(EK_MOVE_VM_DOWN, "vm-down", true, "the guest crashed; never started by us")           \
    X(EK_MOVE_UNVERIFIED, "unverified", true, "runs on the source, destination unreadable") \
    X(EK_MOVE_FAILED, "failed", true, "on the source, but something was left")              \
    X(EK_MOVE_UNKNOWN, "unknown", true, "cannot be told: an operator must look")

enum ek_move_state {
#define X(state, name, terminal, meaning) state,
    EK_MOVE_STATES(X)
#undef X
        EK_MOVE_STATE_COUNT
};

const char *ek_move_state_name(enum ek_move_state state);

/* What is done in the state, or what it means as an end: a few words, static. */
const char *ek_move_state_meaning(enum ek_move_state state);

/* The state of that name, or EK_MOVE_STATE_COUNT. */
enum ek_move_state ek_move_state_parse(const char *name);

bool ek_move_state_terminal(enum ek_move_state state);

/* Terminal states that forbid further moves of the domain until an operator resolved it. */
bool ek_move_state_blocks(enum ek_move_state state);

/* Whether `to` may follow `from`. Every non-terminal state may go to reconcile (a crash of ours may
 * come at any time), and nothing follows a terminal state. */
bool ek_move_state_allowed(enum ek_move_state from, enum ek_move_state to);

/* The same for two records of one move, the older first: a record may also be written again in the
 * state where it is, and one that blocks its domain is closed by an operator's word. */
bool ek_move_state_may_write(enum ek_move_state from, enum ek_move_state to);

/* The same of a stop (a save, a shutdown): the same states and fewer of them, since nothing is
 * prepared, copied to another host or cleaned up.
 *
 *   planned -> claimed -> precheck -> running -> commit-pending -> done
 *
 * Between running and commit-pending the guest's memory is written to disk, or the guest shuts
 * down; a stop is not tried again within its life. */
bool ek_stop_state_allowed(enum ek_move_state from, enum ek_move_state to);
bool ek_stop_state_may_write(enum ek_move_state from, enum ek_move_state to);

#endif
