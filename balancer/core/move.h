/* What is ordered, and what came of it: the two values that cross between engine and migrator. */
#ifndef EK_CORE_MOVE_H
#define EK_CORE_MOVE_H

#include "balancer/core/move_state.h"

#include <stdbool.h>
#include <stdint.h>

enum { EK_ID_SIZE = 48, EK_UUID_SIZE = 37, EK_NAME_SIZE = 128, EK_TEXT_SIZE = 256 };

enum ek_move_kind {
    EK_MOVE_BALANCE,  /* to level the hosts */
    EK_MOVE_RULE,     /* to repair a rule */
    EK_MOVE_EVACUATE, /* to empty a host */
    EK_MOVE_PARK,     /* to make room; followed by the domain's last move */
    EK_MOVE_MANUAL,   /* ordered by an operator */
    /* Stops: the domain stays where it is, and ends there, because its own metadata say so. */
    EK_MOVE_SAVE,     /* its memory goes to its host's disk (a managed save) */
    EK_MOVE_SHUTDOWN, /* its guest is asked to shut down, and never forced */
    EK_MOVE_KIND_COUNT
};

const char *ek_move_kind_name(enum ek_move_kind kind);

/* The kind of that name; false when there is none. */
bool ek_move_kind_parse(const char *name, enum ek_move_kind *kind);

/* Whether it is a stop: an order without a destination, and with a life of its own
 * (ek_stop_state_allowed). */
bool ek_move_stops(enum ek_move_kind kind);

/* What a running move tells before its end. */
enum ek_sign_kind {
    EK_SIGN_ANEW,    /* another attempt begins: what was told of the last one is void */
    EK_SIGN_ENDING,  /* its copying is about to end: what follows on its links may begin */
    EK_SIGN_SAMPLED, /* how much its guest writes was measured when its memory began to be copied */
    EK_SIGN_COUNT
};

/* Of a move: a value, no pointers. */
struct ek_sign {
    char id[EK_ID_SIZE]; /* the move's */
    enum ek_sign_kind kind;
    double dirty_mib_s; /* of SAMPLED */
};

/* Whether a running move was told to stop, and why. */
enum ek_abort {
    EK_ABORT_NONE,
    EK_ABORT_OPERATOR, /* who does not want it again soon */
    EK_ABORT_YIELD,    /* others go first */
    EK_ABORT_UNWANTED, /* its host is not to be emptied any more */
};

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

/* An order to move one domain: complete in itself, copied by value, no pointers. */
struct ek_move_order {
    char id[EK_ID_SIZE]; /* "<plan id>-<seq>" */
    char plan_id[EK_ID_SIZE];
    uint32_t seq;
    enum ek_move_kind kind;
    char domain[EK_UUID_SIZE];
    char name[EK_NAME_SIZE];
    char source[EK_NAME_SIZE];
    char destination[EK_NAME_SIZE]; /* "": of a stop */
    char reason[EK_TEXT_SIZE];

    /* How to carry it out; from the policy, so that a reload does not change a running move. */
    int64_t timeout_ms;          /* of one attempt's copying */
    int64_t progress_timeout_ms; /* without a new minimum of what remains */
    int64_t max_downtime_ms;
    int64_t backoff_ms;
    int retries;
    bool auto_converge;
    uint64_t
        bandwidth_mib_s; /* its share of the links, which changes while it runs; 0: unlimited */
    bool post_copy;
    bool tls;
    int parallel_connections; /* 0 and 1: one */
    enum ek_two_step two_step;
    int64_t disk_grace_ms;
    int64_t shutdown_timeout_ms; /* of a shutdown: how long its guest may take */

    double predicted_transfer_mib;
    int64_t predicted_duration_ms;
    int64_t predicted_downtime_ms;
};

/* What people call its domain: the name, or the UUID where none is known. */
static inline const char *ek_move_domain(const struct ek_move_order *order)
{
    return order->name[0] != '\0' ? order->name : order->domain;
}

enum { EK_WAY_SIZE = 2 * EK_NAME_SIZE + 8 };

/* Where it goes, for people: "h1 -> h2", or of a stop "stays on h1". Returns `out`. */
const char *ek_move_way(const struct ek_move_order *order, char out[EK_WAY_SIZE]);

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

/* What an attempt needs on its destination before anything can be copied there. In the order in
 * which it is made: what others rest on comes first. */
enum ek_preparation_kind {
    EK_PREPARATION_NETWORK, /* a network that is to run; stays */
    EK_PREPARATION_FILTER,  /* a network filter that is copied; stays */
    EK_PREPARATION_BASE,    /* a backing file that overlays rest on: the same content there */
    EK_PREPARATION_OVERLAY, /* a disk's own file: made empty, filled by the migration */
    EK_PREPARATION_KIND_COUNT
};

enum ek_preparation_state {
    EK_PREPARATION_WANTED,
    EK_PREPARATION_BEGUN, /* written before it is made: it may be there or not, whole or not */
    EK_PREPARATION_MADE,  /* by this attempt: it is this attempt's to undo */
    EK_PREPARATION_FOUND, /* it was there, and is good */
    EK_PREPARATION_UNDONE,
    EK_PREPARATION_STATE_COUNT
};

const char *ek_preparation_kind_name(enum ek_preparation_kind kind);
const char *ek_preparation_state_name(enum ek_preparation_state state);

/* More disks, bases and networks than this no domain has in practice; one that has is not moved. */
enum { EK_PREPARATION_MOST = 32, EK_PREPARATION_SIZE = 256, EK_DISK_SIZE = 32 };

struct ek_preparation {
    enum ek_preparation_kind kind;
    enum ek_preparation_state state;
    char what[EK_PREPARATION_SIZE]; /* a name; of a base or an overlay its path, on both hosts */
    char disk[EK_DISK_SIZE];        /* of an overlay: the disk's target, e.g. "vda" */
    double size_mib;                /* what is to be copied for it; 0: nothing to speak of */
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
    bool user_paused;      /* it was when the attempt began, and is to stay so */
    bool copies_disks;     /* this attempt copies disks along */
    bool two_step;         /* this attempt hands over in two steps */
    bool post_copy_begun;  /* the switch to post-copy was ordered: there is no way back */
    int preparation_count; /* of this attempt; a new one begins with none */
    struct ek_preparation preparations[EK_PREPARATION_MOST];
    /* Volumes are left to be discarded from then on: on the source of a move that is done, on the
     * destination of one that failed. 0: none. Of a terminal record only. */
    int64_t discard_at_ms;
    char error[EK_TEXT_SIZE]; /* of the newest failed attempt */
};

/* The preparation that is begun and not yet answered; NULL: none is. At most one is at a time. */
const struct ek_preparation *ek_move_begun(const struct ek_move_record *record);

/* Whether volumes that this attempt made, or may have made, are left on the destination. */
bool ek_move_has_leftovers(const struct ek_move_record *record);

#endif
