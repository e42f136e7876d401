/* The decision table: from what both hosts say of a domain to what became of its move.
 *
 * The return code of a migrate call is not the truth; both ends are. The rows are data, the first
 * that matches wins, and the last matches everything, so that every pair of observations has a
 * verdict. These laws hold for the rows and are tested over every combination: no row repairs
 * anything while the other end is unreachable or running (but for a source that libvirt left paused
 * beside a destination that verifiably runs with this move's mark, and a destination of the
 * two-step hand-over that was never resumed); a destination is never resumed unless the source was
 * read as gone; a copy that may have run is never destroyed; and a destination is never called the
 * domain's home unless it was read there.
 *
 * docs/migrator.md prints the table for people. */
#ifndef EK_MIGRATOR_VERDICT_H
#define EK_MIGRATOR_VERDICT_H

#include "balancer/core/move.h"
#include "migrator/hypervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An end as the table sees it: presence and run state in one, as bits of a mask. */
enum ek_sight {
    EK_SIGHT_UNREACHABLE = 1 << 0,
    EK_SIGHT_ABSENT = 1 << 1,
    EK_SIGHT_OFF_MIGRATED = 1 << 2,
    EK_SIGHT_OFF_SHUTDOWN = 1 << 3,
    EK_SIGHT_OFF_CRASHED = 1 << 4,
    EK_SIGHT_OFF_OTHER = 1 << 5, /* inactive; also when its run state says otherwise */
    EK_SIGHT_RUNNING = 1 << 6,   /* whatever the reason */
    EK_SIGHT_POSTCOPY = 1 << 7,  /* running or paused in post-copy */
    EK_SIGHT_PAUSED_USER = 1 << 8,
    EK_SIGHT_PAUSED_MIGRATION = 1 << 9,
    EK_SIGHT_PAUSED_IOERROR = 1 << 10,
    EK_SIGHT_PAUSED_OTHER = 1 << 11,
    EK_SIGHT_ODD = 1 << 12, /* active, and its run state contradicts that */
    EK_SIGHT_POSTCOPY_FAILED = 1 << 13,
};

/* What a row asks of a job: as bits of a mask. A job of another kind (a backup) counts as none. */
enum ek_job_sight {
    EK_JOB_SIGHT_NONE = 1 << 0,
    EK_JOB_SIGHT_OUT = 1 << 1,
    EK_JOB_SIGHT_IN = 1 << 2,
    EK_JOB_SIGHT_NOT_KNOWN = 1 << 3,
    EK_JOB_SIGHT_ANY = (1 << 4) - 1,
};

enum ek_verdict {
    EK_VERDICT_MOVED,       /* its home is the destination */
    EK_VERDICT_ROLLED_BACK, /* its home is the source, nothing is on the destination */
    EK_VERDICT_FAULTY,      /* as rolled back, but the source is paused by a fault */
    EK_VERDICT_IN_PROGRESS, /* our migration goes on */
    EK_VERDICT_SWITCHOVER,  /* ... and has paused the source */
    EK_VERDICT_REPAIR,      /* libvirt left something behind: see `repair` */
    EK_VERDICT_GUEST_OFF,   /* its guest or user shut it down */
    EK_VERDICT_VM_DOWN,     /* it is down and nobody wanted that */
    EK_VERDICT_UNVERIFIED,  /* on the source; the destination cannot be read */
    EK_VERDICT_UNKNOWN,     /* cannot be told; nothing may be done */
};

enum ek_repair {
    EK_REPAIR_NONE,
    EK_REPAIR_RESUME_SOURCE,
    EK_REPAIR_RESUME_DESTINATION, /* the second step of the two-step hand-over */
    EK_REPAIR_DESTROY_SOURCE,
    EK_REPAIR_DESTROY_DESTINATION,
    EK_REPAIR_RESUME_POSTCOPY, /* a post-copy that broke off is taken up again */
};

/* How long the same row must be seen before it counts. */
enum ek_patience {
    EK_PATIENCE_NONE,        /* a state that can only get more true */
    EK_PATIENCE_SETTLE,      /* twice, some seconds apart: reads of two hosts are not one instant */
    EK_PATIENCE_AUTODESTROY, /* until libvirt's own cleaning would have come: two keepalive times */
    EK_PATIENCE_REACHABLE,   /* as long as a host may take to come back */
};

/* What the record says of the attempt: as bits of a mask. */
enum ek_attempt_trait {
    EK_TRAIT_TWO_STEP = 1 << 0,    /* record.two_step */
    EK_TRAIT_USER_PAUSED = 1 << 1, /* record.user_paused */
    EK_TRAIT_POST_COPY = 1 << 2,   /* record.post_copy_begun */
};

/* One end's pattern. `jobs` counts for an active end only. */
struct ek_sight_pattern {
    unsigned int sights;
    unsigned int jobs;
    bool ours;       /* the domain's metadata must name this move */
    bool persistent; /* the domain must be defined beyond its run */
};

struct ek_verdict_row {
    struct ek_sight_pattern source;
    struct ek_sight_pattern destination;
    enum ek_verdict verdict;
    enum ek_repair repair;
    enum ek_patience patience;
    unsigned int with;    /* traits that the attempt must have */
    unsigned int without; /* traits that it must not have */
    bool alarm;       /* `text` is a fault that the move's record must show, even if it is done */
    const char *text; /* what it means, for people; static */
};

/* The table, `*count` rows; static. */
const struct ek_verdict_row *ek_verdict_rows(size_t *count);

/* The first row that matches; never NULL, static. `record` gives the move's id, which an end that
 * must be ours has to bear, and the attempt's traits. */
const struct ek_verdict_row *ek_verdict_decide(const struct ek_move_record *record,
                                               const struct ek_observation *source,
                                               const struct ek_observation *destination);

/* The one bit that an observation is; for tests and texts. */
enum ek_sight ek_sight_of(const struct ek_observation *observation);

const char *ek_verdict_name(enum ek_verdict verdict);
const char *ek_repair_name(enum ek_repair repair);

#endif
