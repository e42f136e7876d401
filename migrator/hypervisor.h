/* The migrator's port: what it needs of the two hosts of a move, as blocking calls.
 *
 * Two implementations: libvirt (migrator/libvirt.c) and the simulator's (balancer/sim/). All
 * strings of results are copied into fixed buffers; nothing is owned by the caller. Calls may come
 * from several threads, for one move from two at once (one inside `migrate`, one for the rest), and
 * beside them from calls that hang and were given up: those may still return, and nobody reads what
 * they say. */
#ifndef EK_MIGRATOR_HYPERVISOR_H
#define EK_MIGRATOR_HYPERVISOR_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"

#include <stdbool.h>
#include <stdint.h>

/* What one host says of one domain. */
enum ek_presence {
    EK_PRESENCE_UNREACHABLE, /* the host could not be asked */
    EK_PRESENCE_ABSENT,      /* verified over a live connection: not there */
    EK_PRESENCE_INACTIVE,    /* defined, not running */
    EK_PRESENCE_ACTIVE,
};

/* Reasons that the decision table tells apart (virDomainState and its reasons, libvirt 9.0). */
enum ek_run_state {
    EK_RUN_NONE, /* not active, or not known */
    EK_RUN_RUNNING,
    EK_RUN_RUNNING_MIGRATED,           /* RUNNING, reason MIGRATED or UNPAUSED */
    EK_RUN_RUNNING_MIGRATION_CANCELED, /* RUNNING, reason MIGRATION_CANCELED */
    EK_RUN_RUNNING_POSTCOPY,
    EK_RUN_PAUSED_USER,
    EK_RUN_PAUSED_MIGRATION, /* reason MIGRATION; on the destination STARTING_UP, too */
    EK_RUN_PAUSED_IOERROR,
    EK_RUN_PAUSED_POSTCOPY,
    EK_RUN_PAUSED_POSTCOPY_FAILED, /* it broke off: each side has a part of the memory */
    EK_RUN_PAUSED_OTHER,
    EK_RUN_SHUTOFF_MIGRATED,
    EK_RUN_SHUTOFF_SHUTDOWN, /* by its guest or user: SHUTDOWN, DESTROYED */
    EK_RUN_SHUTOFF_CRASHED,  /* CRASHED, FAILED */
    EK_RUN_SHUTOFF_OTHER,
};

enum ek_job { EK_JOB_NONE, EK_JOB_OUT, EK_JOB_IN, EK_JOB_OTHER, EK_JOB_NOT_KNOWN };

struct ek_observation {
    enum ek_presence presence;
    enum ek_run_state run;
    enum ek_job job;
    bool persistent;
    bool saving; /* of a stop: a save of it runs */
    bool saved;  /* of a stop: it is off, and has a managed save image to start from */
    /* The domain's metadata names a move of ours: `migrate` marks the domain with order.id before
     * it begins, the mark travels along, `post` takes it away. Not readable while the domain comes
     * in. */
    bool attempt_known;
    char attempt_id[EK_ID_SIZE];
    /* Of a completed incoming migration, as the destination remembers it; 0: not known. */
    int64_t downtime_ms;
    double transferred_mib;
    char text[EK_TEXT_SIZE]; /* the same for people: "running (migrated), job none" */
};

/* What all configured hosts but the two ends of a move say of its domain. */
struct ek_elsewhere {
    unsigned int asked;
    unsigned int active;      /* it runs there, or is paused there */
    unsigned int inactive;    /* defined there, not running */
    unsigned int unreachable; /* could not be asked: it might run there */
    char text[EK_TEXT_SIZE];  /* those that did not say "absent": "h3: active; h4: unreachable" */
};

struct ek_job_progress {
    bool active;
    bool source_paused; /* by the migration: it is switching over */
    int64_t elapsed_ms; /* since the job began; 0: not known */
    double total_mib;
    double remaining_mib;
    double transferred_mib;
    double bandwidth_mib_s;
    double dirty_mib_s;   /* by the migration's own log of dirty pages: 0 in its first iteration */
    double sampled_mib_s; /* the same by sampled pages since the call; 0: not known (yet) */
    int iteration;        /* 1: everything; then what was written meanwhile; 0: not known */
    int throttle_percent; /* of the guest's CPU time that auto-converge takes away */
    int64_t downtime_ms;  /* of a completed job; 0: not known */
};

/* What is to change of a migration that runs; 0 and false leave as it is. */
struct ek_tuning {
    int64_t max_downtime_ms;
    int64_t bandwidth_mib_s; /* EK_TUNING_UNLIMITED: no limit */
    bool start_post_copy;    /* there is no way back from it */
};

#define EK_TUNING_UNLIMITED INT64_MAX

/* Why an attempt failed, as far as its error tells: which retry may help (facts: retry classes). */
enum ek_failure {
    EK_FAILURE_NONE,
    EK_FAILURE_SAME_PAIR,  /* busy, locked, ports exhausted: again after a backoff */
    EK_FAILURE_OTHER_HOST, /* unreachable, out of memory, storage or network missing there */
    EK_FAILURE_DOMAIN,     /* a property of the domain: no retry helps */
    EK_FAILURE_ABORTED,    /* an abort was asked for */
    EK_FAILURE_LOST,       /* our connection broke: the outcome is not known from the call */
};

struct ek_call_result {
    bool ok;
    enum ek_failure failure;
    char error[EK_TEXT_SIZE];
};

/* What the checks found out for the attempt that follows them. */
struct ek_findings {
    bool user_paused;  /* its user paused it: it is to stay so */
    bool copies_disks; /* disks go along with the guest's memory */
    int preparation_count;
    struct ek_preparation preparations[EK_PREPARATION_MOST]; /* all WANTED, in order */
};

/* Called with a step's name and what came of it. */
typedef void (*ek_note)(void *context, const char *step, const char *text);

struct ek_hypervisor {
    /* Of a stop's record the calls that it needs (precheck, stop, progress, abort, observe; for an
     * operator's resolve unprepare, post and search) work on the source alone: there is no other
     * end, and `destination` is observed as absent. Its precheck also asks the domain's own
     * metadata anew: nobody is stopped who does not ask for it at that moment. */

    /* One named check after another, which change nothing; stops at the first that fails. When all
     * pass, `findings` is filled. */
    struct ek_call_result (*precheck)(void *context, const struct ek_move_record *record,
                                      struct ek_findings *findings, ek_note note,
                                      void *note_context);

    /* Makes the one preparation of the record that is BEGUN. *found: nothing had to be made. */
    struct ek_call_result (*prepare)(void *context, const struct ek_move_record *record,
                                     bool *found, ek_note note, void *note_context);

    /* The migration itself; returns when it ended, or when the connection to the source is lost. */
    struct ek_call_result (*migrate)(void *context, const struct ek_move_record *record);

    /* Saves the domain, and returns when its memory is on disk; or tells its guest to shut down,
     * and returns when that is said. Never forces anything. */
    struct ek_call_result (*stop)(void *context, const struct ek_move_record *record);

    /* While `migrate` or a save runs, or for an adopted one. The last two touch only a migration of
     * a domain that bears the move's mark. */
    bool (*progress)(void *context, const struct ek_move_record *record,
                     struct ek_job_progress *out);
    bool (*abort)(void *context, const struct ek_move_record *record, struct ek_error *err);
    bool (*tune)(void *context, const struct ek_move_record *record, const struct ek_tuning *tuning,
                 struct ek_error *err);

    /* Both ends, freshly read in one pass. */
    void (*observe)(void *context, const struct ek_move_record *record,
                    struct ek_observation *source, struct ek_observation *destination);

    /* All other hosts, one after the other, each freshly asked. */
    void (*search)(void *context, const struct ek_move_record *record, struct ek_elsewhere *out);

    /* What the decision table may ask for; each reads both ends again and refuses unless the table
     * still asks for it. A resume also asks all other hosts and refuses unless each says that it
     * does not run the domain: somebody else may have moved it on since. Only in commit-pending,
     * right after the migrate call returned well, it does not: the guest stands still meanwhile. */
    struct ek_call_result (*resume_source)(void *context, const struct ek_move_record *record);
    struct ek_call_result (*resume_destination)(void *context, const struct ek_move_record *record);
    struct ek_call_result (*destroy_source)(void *context, const struct ek_move_record *record);
    struct ek_call_result (*destroy_destination)(void *context,
                                                 const struct ek_move_record *record);

    /* Takes a post-copy up again that broke off, after asking the table as above. Returns when the
     * migration ended. */
    struct ek_call_result (*resume_postcopy)(void *context, const struct ek_move_record *record);

    /* Undoes what this attempt made: the volumes that are MADE, newest first, and those that are
     * BEGUN if they hold nothing of value. Never while the destination may have run the domain.
     * Networks and filters stay. Can be done again without harm. */
    struct ek_call_result (*unprepare)(void *context, const struct ek_move_record *record,
                                       ek_note note, void *note_context);

    /* The clean-ups after a verified move. */
    struct ek_call_result (*post)(void *context, const struct ek_move_record *record, ek_note note,
                                  void *note_context);

    /* The move's life was dropped or let go, and the move is another's: calls of it that are still
     * out make nothing more and undo nothing. Returns at once, without asking any host. */
    void (*disown)(void *context, const struct ek_move_record *record);

    /* Long after a move's end: removes the volumes that it left, from the source when it is DONE,
     * from the destination else. Looks anew whether anybody needs them, and is well when they are
     * gone already. Failure DOMAIN: they are not to be removed, now and later; any other: again
     * later. */
    struct ek_call_result (*discard)(void *context, const struct ek_move_record *record,
                                     ek_note note, void *note_context);

    void *context;
};

#endif
