/* A move's life as data: who may follow whom. The life asserts each of its steps against this
 * table, and the journal refuses a record that it forbids. */
#include "balancer/core/move_state.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Sets of states as bits of one word; there are 20 of them. */
#define BIT(state) (1U << (state))

static_assert(EK_MOVE_STATE_COUNT <= 8 * sizeof(unsigned int), "a bit for each state");

static const struct {
    const char *name;
    const char *meaning;
    bool terminal;
} states[EK_MOVE_STATE_COUNT] = {
#define X(state, text, is_terminal, means) [state] = {text, means, is_terminal},
    EK_MOVE_STATES(X)
#undef X
};

/* Followers of each state, beside `reconcile`, which may follow any that is not terminal. */
static const unsigned int followers[EK_MOVE_STATE_COUNT] = {
    [EK_MOVE_PLANNED] = BIT(EK_MOVE_CLAIMED) | BIT(EK_MOVE_CANCELLED),
    [EK_MOVE_CLAIMED] = BIT(EK_MOVE_PRECHECK) | BIT(EK_MOVE_CANCELLED),
    /* Up to here nothing was touched anywhere: it may be rejected or cancelled at once. */
    [EK_MOVE_PRECHECK] = BIT(EK_MOVE_PREPARE) | BIT(EK_MOVE_REJECTED) | BIT(EK_MOVE_RETRY_WAIT) |
                         BIT(EK_MOVE_CANCELLED),
    /* From here on something may stand on the destination, so that every way back leads through
     * unprepare. */
    [EK_MOVE_PREPARE] = BIT(EK_MOVE_RUNNING) | BIT(EK_MOVE_UNPREPARE),
    /* A failed call does not lead to "failed": its return code is not the truth, so it is
     * reconciled. */
    [EK_MOVE_RUNNING] = BIT(EK_MOVE_SWITCHOVER) | BIT(EK_MOVE_COMMIT_PENDING),
    /* Back to running: the source goes on when the hand-over did not come about. */
    [EK_MOVE_SWITCHOVER] = BIT(EK_MOVE_COMMIT_PENDING) | BIT(EK_MOVE_RUNNING),
    [EK_MOVE_COMMIT_PENDING] = BIT(EK_MOVE_POST),
    [EK_MOVE_POST] = BIT(EK_MOVE_DONE),
    /* The decision table's verdicts, and "it still runs" after our own restart: a P2P migration
     * does not end with us. */
    [EK_MOVE_RECONCILE] = BIT(EK_MOVE_RUNNING) | BIT(EK_MOVE_SWITCHOVER) | BIT(EK_MOVE_POST) |
                          BIT(EK_MOVE_UNPREPARE) | BIT(EK_MOVE_GUEST_OFF) | BIT(EK_MOVE_VM_DOWN) |
                          BIT(EK_MOVE_UNVERIFIED) | BIT(EK_MOVE_UNKNOWN) | BIT(EK_MOVE_CANCELLED),
    [EK_MOVE_UNPREPARE] = BIT(EK_MOVE_RETRY_WAIT) | BIT(EK_MOVE_ROLLED_BACK) |
                          BIT(EK_MOVE_CANCELLED) | BIT(EK_MOVE_FAILED) | BIT(EK_MOVE_GUEST_OFF) |
                          BIT(EK_MOVE_VM_DOWN),
    [EK_MOVE_RETRY_WAIT] = BIT(EK_MOVE_CLAIMED) | BIT(EK_MOVE_CANCELLED) |
                           BIT(EK_MOVE_ROLLED_BACK) | BIT(EK_MOVE_REJECTED),
};

/* The same of a stop. Only one host is asked, so that nothing can be "unverified"; it is "failed"
 * when the guest is left paused. */
static const unsigned int stop_followers[EK_MOVE_STATE_COUNT] = {
    [EK_MOVE_PLANNED] = BIT(EK_MOVE_CLAIMED) | BIT(EK_MOVE_CANCELLED),
    [EK_MOVE_CLAIMED] = BIT(EK_MOVE_PRECHECK) | BIT(EK_MOVE_CANCELLED),
    [EK_MOVE_PRECHECK] = BIT(EK_MOVE_RUNNING) | BIT(EK_MOVE_REJECTED) | BIT(EK_MOVE_CANCELLED),
    [EK_MOVE_RUNNING] = BIT(EK_MOVE_COMMIT_PENDING),
    [EK_MOVE_COMMIT_PENDING] = BIT(EK_MOVE_DONE),
    /* Back to running: the save goes on, or the guest may still shut down. */
    [EK_MOVE_RECONCILE] = BIT(EK_MOVE_RUNNING) | BIT(EK_MOVE_DONE) | BIT(EK_MOVE_ROLLED_BACK) |
                          BIT(EK_MOVE_CANCELLED) | BIT(EK_MOVE_GUEST_OFF) | BIT(EK_MOVE_VM_DOWN) |
                          BIT(EK_MOVE_FAILED) | BIT(EK_MOVE_UNKNOWN),
};

const char *ek_move_state_name(enum ek_move_state state)
{
    assert((unsigned int)state < EK_MOVE_STATE_COUNT);
    return states[state].name;
}

const char *ek_move_state_meaning(enum ek_move_state state)
{
    assert((unsigned int)state < EK_MOVE_STATE_COUNT);
    return states[state].meaning;
}

enum ek_move_state ek_move_state_parse(const char *name)
{
    unsigned int state = 0;

    assert(name != NULL);
    while (state < EK_MOVE_STATE_COUNT && strcmp(states[state].name, name) != 0) {
        state++;
    }
    return (enum ek_move_state)state;
}

bool ek_move_state_terminal(enum ek_move_state state)
{
    assert((unsigned int)state < EK_MOVE_STATE_COUNT);
    return states[state].terminal;
}

bool ek_move_state_blocks(enum ek_move_state state)
{
    assert((unsigned int)state < EK_MOVE_STATE_COUNT);
    return state == EK_MOVE_UNKNOWN || state == EK_MOVE_UNVERIFIED;
}

static bool allowed(const unsigned int *table, enum ek_move_state from, enum ek_move_state to)
{
    assert((unsigned int)from < EK_MOVE_STATE_COUNT && (unsigned int)to < EK_MOVE_STATE_COUNT);
    assert(!states[from].terminal || table[from] == 0);
    if (states[from].terminal) {
        return false;
    }
    /* Any step may be cut off by a crash or an error, reconcile's own included: it repeats itself
     * without a step. */
    return (to == EK_MOVE_RECONCILE && from != EK_MOVE_RECONCILE) || (table[from] & BIT(to)) != 0;
}

static bool may_write(const unsigned int *table, enum ek_move_state from, enum ek_move_state to)
{
    bool resolved = ek_move_state_blocks(from) && states[to].terminal && !ek_move_state_blocks(to);

    return from == to || resolved || allowed(table, from, to);
}

bool ek_move_state_allowed(enum ek_move_state from, enum ek_move_state to)
{
    return allowed(followers, from, to);
}

bool ek_move_state_may_write(enum ek_move_state from, enum ek_move_state to)
{
    return may_write(followers, from, to);
}

bool ek_stop_state_allowed(enum ek_move_state from, enum ek_move_state to)
{
    return allowed(stop_followers, from, to);
}

bool ek_stop_state_may_write(enum ek_move_state from, enum ek_move_state to)
{
    return may_write(stop_followers, from, to);
}
