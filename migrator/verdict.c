/* The decision table as data, and the matching. Rows are ordered: what must never be acted on
 * stands above what may be. */
#include "migrator/verdict.h"

#include <assert.h>
#include <string.h>

enum {
    ANY = (1 << 14) - 1,
    UNREACHABLE = EK_SIGHT_UNREACHABLE,
    ABSENT = EK_SIGHT_ABSENT,
    OFF_MIGRATED = EK_SIGHT_OFF_MIGRATED,
    OFF_SHUTDOWN = EK_SIGHT_OFF_SHUTDOWN,
    OFF_CRASHED = EK_SIGHT_OFF_CRASHED,
    OFF_OTHER = EK_SIGHT_OFF_OTHER,
    /* Groups as the rows speak of them. GONE is the source after success: undefined, or kept as a
     * definition that is off. */
    OFF = OFF_MIGRATED | OFF_SHUTDOWN | OFF_CRASHED | OFF_OTHER,
    GONE = ABSENT | OFF_MIGRATED,
    NOT_ACTIVE = ABSENT | OFF,
    RUNNING = EK_SIGHT_RUNNING,
    POSTCOPY = EK_SIGHT_POSTCOPY,
    POSTCOPY_FAILED = EK_SIGHT_POSTCOPY_FAILED,
    PAUSED_USER = EK_SIGHT_PAUSED_USER,
    PAUSED_MIGRATION = EK_SIGHT_PAUSED_MIGRATION,
    PAUSED_FAULT = EK_SIGHT_PAUSED_IOERROR | EK_SIGHT_PAUSED_OTHER,
    LIVE = RUNNING | PAUSED_USER, /* as its user wants it */

    /* A source without a job only: what a running job still does to it cannot be told from one
     * look. */
    IDLE = EK_JOB_SIGHT_NONE,
    LEAVING = EK_JOB_SIGHT_OUT,
    ANY_JOB = EK_JOB_SIGHT_ANY,
};

/* SEE_OURS: the domain's metadata name this move. Asked where a repair or a success would otherwise
 * rest on the states alone, which somebody else's migration could give as well. */
/* clang-format off */
#define SEE(sights, jobs) {(sights), (jobs), false, false}
#define SEE_OURS(sights, jobs) {(sights), (jobs), true, false}
#define SEE_OURS_PERSISTENT(sights, jobs) {(sights), (jobs), true, true}

/* The attempt's traits, with and without: one that was to be resumed by us, one that stays paused.
 */
#define ALWAYS 0, 0
#define TWO_STEP EK_TRAIT_TWO_STEP, 0
#define TO_RESUME EK_TRAIT_TWO_STEP, EK_TRAIT_USER_PAUSED
#define NOT_USER_PAUSED 0, EK_TRAIT_USER_PAUSED
#define POST_COPY EK_TRAIT_POST_COPY, 0

static const struct ek_verdict_row rows[] = {
    /* Post-copy that we ordered: each side has a part of the memory, so that nothing is ever
     * destroyed. Ours by the mark, and begun by the record. */
    {SEE_OURS(POSTCOPY, LEAVING), SEE(ANY, ANY_JOB),
     EK_VERDICT_IN_PROGRESS, EK_REPAIR_NONE, EK_PATIENCE_NONE, POST_COPY, false,
     "the migration goes on in post-copy"},
    {SEE_OURS(POSTCOPY_FAILED, ANY_JOB), SEE(POSTCOPY | POSTCOPY_FAILED, ANY_JOB),
     EK_VERDICT_REPAIR, EK_REPAIR_RESUME_POSTCOPY, EK_PATIENCE_SETTLE, POST_COPY, true,
     "its post-copy broke off: each host has a part of its memory, destroy neither"},
    {SEE_OURS(POSTCOPY_FAILED, ANY_JOB), SEE(NOT_ACTIVE, ANY_JOB),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, POST_COPY, true,
     "its destination went down in post-copy, and the memory that had moved is lost"},

    /* Any other post-copy: whoever began it must end it. */
    {SEE(POSTCOPY | POSTCOPY_FAILED, ANY_JOB), SEE(ANY, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the source is in a post-copy that this move cannot end"},
    {SEE(ANY, ANY_JOB), SEE(POSTCOPY | POSTCOPY_FAILED, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the destination is in a post-copy that this move cannot end"},

    /* A migration goes on. The mark tells ours from somebody else's. */
    {SEE_OURS(LIVE | PAUSED_FAULT, LEAVING), SEE(ANY, ANY_JOB),
     EK_VERDICT_IN_PROGRESS, EK_REPAIR_NONE, EK_PATIENCE_NONE, ALWAYS, false,
     "the migration goes on"},
    {SEE_OURS(PAUSED_MIGRATION, LEAVING), SEE(ANY, ANY_JOB),
     EK_VERDICT_SWITCHOVER, EK_REPAIR_NONE, EK_PATIENCE_NONE, ALWAYS, false,
     "the migration is switching over"},
    {SEE(LIVE | PAUSED_FAULT | PAUSED_MIGRATION, LEAVING), SEE(ANY, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "a migration runs which this move did not start"},
    {SEE(LIVE | PAUSED_FAULT | PAUSED_MIGRATION, EK_JOB_SIGHT_NOT_KNOWN | EK_JOB_SIGHT_IN),
     SEE(ANY, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the source does not tell whether a migration runs"},

    /* The source cannot be read: whatever the destination says, the source may run too. */
    {SEE(UNREACHABLE, ANY_JOB), SEE(RUNNING, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "it runs on the destination, but the source cannot be read"},
    {SEE(UNREACHABLE, ANY_JOB), SEE(ANY, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the source cannot be read"},

    /* The destination cannot be read. */
    {SEE(LIVE, IDLE), SEE(UNREACHABLE, ANY_JOB),
     EK_VERDICT_UNVERIFIED, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "it is on its source, but the destination cannot be read and might run it too"},
    {SEE(PAUSED_MIGRATION, IDLE), SEE(UNREACHABLE, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the source was left paused and the destination, which may run it, cannot be read"},
    {SEE(ANY, ANY_JOB), SEE(UNREACHABLE, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the destination cannot be read"},

    /* Two copies run: libvirt's one window (a lost Finish reply). Neither may be destroyed. */
    {SEE(RUNNING, IDLE), SEE(RUNNING, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "it RUNS ON BOTH HOSTS: suspend one of them at once and compare their disks"},

    /* The two-step hand-over: the destination has all of the guest and waits for us. Resumed only
     * where the source is verifiably gone; what else is off there may have run on before. */
    {SEE(GONE, ANY_JOB), SEE_OURS(PAUSED_USER, IDLE),
     EK_VERDICT_REPAIR, EK_REPAIR_RESUME_DESTINATION, EK_PATIENCE_NONE, TO_RESUME, false,
     "it left the source and waits on the destination to be resumed"},
    {SEE(GONE, ANY_JOB), SEE(PAUSED_USER, EK_JOB_SIGHT_IN | EK_JOB_SIGHT_NOT_KNOWN),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, TO_RESUME, true,
     "it left the source, and the destination does not end its migration"},
    {SEE(OFF_SHUTDOWN | OFF_CRASHED | OFF_OTHER, ANY_JOB), SEE_OURS(PAUSED_USER, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, TO_RESUME, true,
     "it is off on the source, where it may have run on, and waits paused on the destination"},
    /* The commit never happened: the source has it, and the destination was never resumed. Both
     * must bear our mark, which goes when a move is done or undone. */
    {SEE_OURS(LIVE, IDLE), SEE_OURS(PAUSED_USER, IDLE),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, EK_PATIENCE_AUTODESTROY, TWO_STEP, false,
     "it is on its source; the destination keeps a whole copy that was never resumed"},
    {SEE_OURS_PERSISTENT(PAUSED_MIGRATION, IDLE), SEE_OURS(PAUSED_USER, IDLE),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, EK_PATIENCE_AUTODESTROY, TO_RESUME, false,
     "both ends were left paused, and the destination was never resumed"},

    /* The source is gone: the destination's state is the domain's. */
    {SEE(GONE, ANY_JOB), SEE(RUNNING, ANY_JOB),
     EK_VERDICT_MOVED, EK_REPAIR_NONE, EK_PATIENCE_NONE, ALWAYS, false,
     "it runs on the destination and left the source"},
    {SEE(GONE, ANY_JOB), SEE(PAUSED_USER, ANY_JOB),
     EK_VERDICT_MOVED, EK_REPAIR_NONE, EK_PATIENCE_NONE, ALWAYS, false,
     "it is on the destination, paused by its user, and left the source"},
    {SEE(GONE, ANY_JOB), SEE(PAUSED_FAULT, ANY_JOB),
     EK_VERDICT_MOVED, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "it moved, and the destination then paused it because of a fault"},
    {SEE(OFF_SHUTDOWN | OFF_CRASHED | OFF_OTHER, ANY_JOB), SEE_OURS(LIVE, ANY_JOB),
     EK_VERDICT_MOVED, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, false,
     "it is on the destination, and off on the source"},
    {SEE(GONE, ANY_JOB), SEE(OFF_SHUTDOWN, ANY_JOB),
     EK_VERDICT_GUEST_OFF, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, false,
     "it left the source and was then shut down on the destination"},
    {SEE(GONE, ANY_JOB), SEE(OFF, ANY_JOB),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "it left the source and is down on the destination, where it is defined"},

    /* The guest ended while it was being moved. */
    {SEE(OFF_SHUTDOWN, ANY_JOB), SEE(NOT_ACTIVE, ANY_JOB),
     EK_VERDICT_GUEST_OFF, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, false,
     "its guest or its user shut it down on the source"},
    {SEE(OFF, ANY_JOB), SEE(NOT_ACTIVE, ANY_JOB),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "it is down: off on the source, not running on the destination"},
    {SEE(ABSENT, ANY_JOB), SEE(ABSENT, ANY_JOB),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "neither host has it"},

    /* The source has it and no job: the plain failure. */
    {SEE(LIVE, IDLE), SEE(NOT_ACTIVE, ANY_JOB),
     EK_VERDICT_ROLLED_BACK, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, false,
     "it is on its source as before"},
    {SEE(PAUSED_FAULT, IDLE), SEE(NOT_ACTIVE, ANY_JOB),
     EK_VERDICT_FAULTY, EK_REPAIR_NONE, EK_PATIENCE_SETTLE, ALWAYS, true,
     "it is on its source, paused by a fault"},

    /* What libvirt may leave behind. A copy that is paused by the migration has never run. */
    {SEE(LIVE, IDLE), SEE(PAUSED_MIGRATION, ANY_JOB),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, EK_PATIENCE_AUTODESTROY, ALWAYS, false,
     "it is on its source; the destination keeps an orphan that never ran"},
    {SEE(PAUSED_MIGRATION, IDLE), SEE_OURS(RUNNING, ANY_JOB),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_SOURCE, EK_PATIENCE_AUTODESTROY, ALWAYS, false,
     "it runs on the destination; the source keeps a paused copy"},
    /* Only with our mark: what somebody else's migration paused may run on a third host. */
    {SEE_OURS_PERSISTENT(PAUSED_MIGRATION, IDLE), SEE(ABSENT, ANY_JOB),
     EK_VERDICT_REPAIR, EK_REPAIR_RESUME_SOURCE, EK_PATIENCE_SETTLE, NOT_USER_PAUSED, false,
     "the source was left paused and the destination has nothing"},
    {SEE(PAUSED_MIGRATION, IDLE), SEE(PAUSED_MIGRATION, ANY_JOB),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, EK_PATIENCE_AUTODESTROY, ALWAYS, false,
     "both ends were left paused and the destination never ran"},

    /* Last and for everything: what nobody thought of is left alone. */
    {SEE(ANY, ANY_JOB), SEE(ANY, ANY_JOB),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_PATIENCE_REACHABLE, ALWAYS, true,
     "the two hosts' states fit no known outcome"},
};
/* clang-format on */

/* These words are in the journal's notes and in docs/migrator.md. */
static const char *const verdict_names[] = {
    [EK_VERDICT_MOVED] = "moved",           [EK_VERDICT_ROLLED_BACK] = "rolled-back",
    [EK_VERDICT_FAULTY] = "faulty",         [EK_VERDICT_IN_PROGRESS] = "in-progress",
    [EK_VERDICT_SWITCHOVER] = "switchover", [EK_VERDICT_REPAIR] = "repair",
    [EK_VERDICT_GUEST_OFF] = "guest-off",   [EK_VERDICT_VM_DOWN] = "vm-down",
    [EK_VERDICT_UNVERIFIED] = "unverified", [EK_VERDICT_UNKNOWN] = "unknown",
};

static const char *const repair_names[] = {
    [EK_REPAIR_NONE] = "none",
    [EK_REPAIR_RESUME_SOURCE] = "resume-source",
    [EK_REPAIR_RESUME_DESTINATION] = "resume-destination",
    [EK_REPAIR_DESTROY_SOURCE] = "destroy-source",
    [EK_REPAIR_DESTROY_DESTINATION] = "destroy-destination",
    [EK_REPAIR_RESUME_POSTCOPY] = "resume-postcopy",
};

/* A run state that contradicts the presence counts as off for a reason not known; of an active
 * domain it is ODD, which fits only the rows that take anything. */
static enum ek_sight sight_of_inactive(enum ek_run_state run)
{
    if (run == EK_RUN_SHUTOFF_MIGRATED) {
        return EK_SIGHT_OFF_MIGRATED;
    }
    if (run == EK_RUN_SHUTOFF_SHUTDOWN) {
        return EK_SIGHT_OFF_SHUTDOWN;
    }
    return run == EK_RUN_SHUTOFF_CRASHED ? EK_SIGHT_OFF_CRASHED : EK_SIGHT_OFF_OTHER;
}

static enum ek_sight sight_of_active(enum ek_run_state run)
{
    switch (run) {
    case EK_RUN_RUNNING:
    case EK_RUN_RUNNING_MIGRATED:
    case EK_RUN_RUNNING_MIGRATION_CANCELED:
        return EK_SIGHT_RUNNING;
    case EK_RUN_RUNNING_POSTCOPY:
    case EK_RUN_PAUSED_POSTCOPY:
        return EK_SIGHT_POSTCOPY;
    case EK_RUN_PAUSED_POSTCOPY_FAILED:
        return EK_SIGHT_POSTCOPY_FAILED;
    case EK_RUN_PAUSED_USER:
        return EK_SIGHT_PAUSED_USER;
    case EK_RUN_PAUSED_MIGRATION:
        return EK_SIGHT_PAUSED_MIGRATION;
    case EK_RUN_PAUSED_IOERROR:
        return EK_SIGHT_PAUSED_IOERROR;
    case EK_RUN_PAUSED_OTHER:
        return EK_SIGHT_PAUSED_OTHER;
    case EK_RUN_NONE:
    case EK_RUN_SHUTOFF_MIGRATED:
    case EK_RUN_SHUTOFF_SHUTDOWN:
    case EK_RUN_SHUTOFF_CRASHED:
    case EK_RUN_SHUTOFF_OTHER:
        return EK_SIGHT_ODD;
    }
    return EK_SIGHT_ODD;
}

enum ek_sight ek_sight_of(const struct ek_observation *observation)
{
    switch (observation->presence) {
    case EK_PRESENCE_UNREACHABLE:
        return EK_SIGHT_UNREACHABLE;
    case EK_PRESENCE_ABSENT:
        return EK_SIGHT_ABSENT;
    case EK_PRESENCE_INACTIVE:
        return sight_of_inactive(observation->run);
    case EK_PRESENCE_ACTIVE:
        return sight_of_active(observation->run);
    }
    return EK_SIGHT_ODD;
}

/* A job of another kind (a backup) moves nothing: to the table the domain is idle. */
static enum ek_job_sight job_sight_of(enum ek_job job)
{
    switch (job) {
    case EK_JOB_NONE:
    case EK_JOB_OTHER:
        return EK_JOB_SIGHT_NONE;
    case EK_JOB_OUT:
        return EK_JOB_SIGHT_OUT;
    case EK_JOB_IN:
        return EK_JOB_SIGHT_IN;
    case EK_JOB_NOT_KNOWN:
        return EK_JOB_SIGHT_NOT_KNOWN;
    }
    return EK_JOB_SIGHT_NOT_KNOWN;
}

static unsigned int traits_of(const struct ek_move_record *record)
{
    return (record->two_step ? (unsigned int)EK_TRAIT_TWO_STEP : 0) |
           (record->user_paused ? (unsigned int)EK_TRAIT_USER_PAUSED : 0) |
           (record->post_copy_begun ? (unsigned int)EK_TRAIT_POST_COPY : 0);
}

static bool fits(const struct ek_verdict_row *row, unsigned int traits)
{
    return (traits & row->with) == row->with && (traits & row->without) == 0;
}

static bool matches(const struct ek_sight_pattern *pattern, const struct ek_observation *end,
                    const char *id)
{
    if ((pattern->sights & (unsigned int)ek_sight_of(end)) == 0) {
        return false;
    }
    /* Jobs of a domain that is not active mean nothing, and are not asked for. */
    if (end->presence == EK_PRESENCE_ACTIVE &&
        (pattern->jobs & (unsigned int)job_sight_of(end->job)) == 0) {
        return false;
    }
    if (pattern->ours && !(end->attempt_known && strcmp(end->attempt_id, id) == 0)) {
        return false;
    }
    return !pattern->persistent || end->persistent;
}

const struct ek_verdict_row *ek_verdict_rows(size_t *count)
{
    *count = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

const struct ek_verdict_row *ek_verdict_decide(const struct ek_move_record *record,
                                               const struct ek_observation *source,
                                               const struct ek_observation *destination)
{
    /* First match wins; the assertion states what a test proves over all combinations. */
    unsigned int traits = traits_of(record);
    size_t i = 0;

    while (!fits(&rows[i], traits) || !matches(&rows[i].source, source, record->order.id) ||
           !matches(&rows[i].destination, destination, record->order.id)) {
        i++;
        assert(i < sizeof(rows) / sizeof(rows[0]) && "the last row matches everything");
    }
    return &rows[i];
}

const char *ek_verdict_name(enum ek_verdict verdict)
{
    assert((size_t)verdict < sizeof(verdict_names) / sizeof(verdict_names[0]));
    return verdict_names[verdict];
}

const char *ek_repair_name(enum ek_repair repair)
{
    assert((size_t)repair < sizeof(repair_names) / sizeof(repair_names[0]));
    return repair_names[repair];
}
