/* What is ordered, and what came of it: the two values that cross between engine and migrator. */
#ifndef EK_CORE_MOVE_H
#define EK_CORE_MOVE_H

#include "balancer/core/move_state.h"

#include <stdbool.h>
#include <stdint.h>

enum ek_move_kind {
    EK_MOVE_BALANCE,  /* to level the hosts */
    EK_MOVE_RULE,     /* to repair a rule */
    EK_MOVE_EVACUATE, /* to empty a host */
    EK_MOVE_PARK,     /* to make room; followed by the domain's last move */
    EK_MOVE_MANUAL,   /* ordered by an operator */
};

const char *ek_move_kind_name(enum ek_move_kind kind);

/* The kind of that name; false when there is none. */
bool ek_move_kind_parse(const char *name, enum ek_move_kind *kind);

/* The hand-over in two steps: the destination stays paused until the source is known to be gone,
 * and is then resumed by us. It closes the one window in which libvirt may let two copies run (a
 * lost Finish reply), for the price of a round trip of ours within the downtime. Storage with locks
 * closes it without that price. */
enum ek_two_step {
    EK_TWO_STEP_COPIED, /* where disks are copied: nothing else keeps two copies apart there */
    EK_TWO_STEP_ALWAYS,
    EK_TWO_STEP_NEVER,
    EK_TWO_STEP_COUNT
};

const char *ek_two_step_name(enum ek_two_step when);

enum { EK_ID_SIZE = 48, EK_UUID_SIZE = 37, EK_NAME_SIZE = 128, EK_TEXT_SIZE = 256 };

/* An order to move one domain: complete in itself, copied by value, no pointers. */
struct ek_move_order {
    char id[EK_ID_SIZE]; /* "<plan id>-<seq>" */
    char plan_id[EK_ID_SIZE];
    uint32_t seq;
    enum ek_move_kind kind;
    char domain[EK_UUID_SIZE];
    char name[EK_NAME_SIZE];
    char source[EK_NAME_SIZE];
    char destination[EK_NAME_SIZE];
    char reason[EK_TEXT_SIZE];

    /* How to carry it out; from the policy, so that a reload does not change a running move. */
    int64_t timeout_ms;          /* of one attempt's copying */
    int64_t progress_timeout_ms; /* without a new minimum of what remains */
    int64_t max_downtime_ms;
    int64_t backoff_ms;
    int retries;
    bool auto_converge;
    uint64_t bandwidth_mib_s; /* its share when it was started; 0: unlimited */
    bool post_copy;
    bool tls;
    int parallel_connections; /* 0 and 1: one */
    enum ek_two_step two_step;
    int64_t disk_grace_ms;

    double predicted_transfer_mib;
    int64_t predicted_duration_ms;
    int64_t predicted_downtime_ms;
};

/* How a move ended. `state` is terminal. */
struct ek_outcome {
    char id[EK_ID_SIZE];
    char plan_id[EK_ID_SIZE];
    char domain[EK_UUID_SIZE];
    char source[EK_NAME_SIZE];
    char destination[EK_NAME_SIZE];
    enum ek_move_kind kind;
    enum ek_move_state state;
    int attempts;
    bool destination_at_fault; /* another host may do: the pair is to be avoided for a while */
    int64_t started_at_ms;
    int64_t ended_at_ms;
    double transferred_mib; /* 0: not known */
    int64_t downtime_ms;    /* 0: not known */
    char error[EK_TEXT_SIZE];
};

/* A move's record in the journal: what it was ordered to be, where it is in its life. */
struct ek_move_record {
    struct ek_move_order order;
    enum ek_move_state state;
    int attempt; /* 1 for the first; 0 before it */
    int64_t epoch;
    int64_t planned_at_ms;
    int64_t started_at_ms; /* of the first attempt's claim; 0 before it */
    int64_t updated_at_ms;
    double progress; /* 0..1 of the bytes to copy; of the running attempt */
    int64_t eta_ms;  /* predicted rest of the copying; -1: not known */
    double transferred_mib;
    double rate_mib_s; /* at the newest look: what is copied, and what the guest writes anew */
    double dirty_mib_s;
    int iteration; /* of the copying of memory; 0: not known */
    int64_t downtime_ms;
    bool user_paused;         /* it was when the attempt began, and is to stay so */
    bool copies_disks;        /* this attempt copies disks along */
    bool two_step;            /* this attempt hands over in two steps */
    bool post_copy_begun;     /* the switch to post-copy was ordered: there is no way back */
    char error[EK_TEXT_SIZE]; /* of the newest failed attempt */
};

#endif
