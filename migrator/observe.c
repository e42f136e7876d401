/* Both ends of a move, freshly read: what the decision table decides from. */
#include "migrator/libvirt_port.h"

#include <stdio.h>
#include <string.h>

/* ---- jobs ---------------------------------------------------------------------------------- */

/* A backup, a snapshot or a save is a job, too: it keeps a migration out, but is none. */
static enum ek_job job_of_operation(int operation)
{
    if (operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT) {
        return EK_JOB_OUT;
    }
    return operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN ? EK_JOB_IN : EK_JOB_OTHER;
}

/* Statistics and not control info: only they tell which way a migration goes. Type NONE without an
 * error means that no job runs. */
enum ek_job ek_domain_job(virDomainPtr domain)
{
    virTypedParameterPtr params = NULL;
    int type = VIR_DOMAIN_JOB_NONE;
    int count = 0;
    int operation = 0;

    if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0) {
        /* "migration statistics are available only on the source host": one comes in */
        int code = virGetLastErrorCode();

        if (code == VIR_ERR_OPERATION_UNSUPPORTED) {
            return EK_JOB_IN;
        }
        return code == VIR_ERR_OPERATION_INVALID ? EK_JOB_NONE : EK_JOB_NOT_KNOWN;
    }
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsFree(params, count);
    return type == VIR_DOMAIN_JOB_NONE ? EK_JOB_NONE : job_of_operation(operation);
}

/* What the destination remembers of the migration that brought the domain. */
static void read_completed(virDomainPtr domain, struct ek_observation *out)
{
    virTypedParameterPtr params = NULL;
    int type, operation = 0, count = 0;
    unsigned long long downtime_ms = 0, bytes = 0;

    if (virDomainGetJobStats(domain, &type, &params, &count,
                             VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED) <
        0) {
        return;
    }
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    /* KEEP_COMPLETED above, since a plain look deletes them; they are gone anyway when libvirtd
     * restarts. */
    if (type == VIR_DOMAIN_JOB_COMPLETED && job_of_operation(operation) == EK_JOB_IN) {
        virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_DOWNTIME, &downtime_ms);
        virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_DATA_PROCESSED, &bytes);
        out->downtime_ms = (int64_t)downtime_ms;
        out->transferred_mib = (double)bytes / (1024.0 * 1024.0);
    }
    virTypedParamsFree(params, count);
}

/* ---- states -------------------------------------------------------------------------------- */

/* A pair of libvirt's numbers, and what it means to the decision table. */
struct reading {
    int state;
    int reason; /* -1: any */
    enum ek_run_state run;
    const char *text;
};

/* First match wins. */
static const struct reading readings[] = {
    {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, EK_RUN_RUNNING_MIGRATED,
     "running (migrated)"},
    {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED, EK_RUN_RUNNING_MIGRATED,
     "running (unpaused)"},
    {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, EK_RUN_RUNNING_MIGRATION_CANCELED,
     "running (migration canceled)"},
    {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY, EK_RUN_RUNNING_POSTCOPY,
     "running (post-copy)"},
    {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, EK_RUN_RUNNING_POSTCOPY,
     "running (post-copy failed)"},
    {VIR_DOMAIN_RUNNING, -1, EK_RUN_RUNNING, "running"},
    {VIR_DOMAIN_BLOCKED, -1, EK_RUN_RUNNING, "running (blocked)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, EK_RUN_PAUSED_USER, "paused (user)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, EK_RUN_PAUSED_MIGRATION, "paused (migration)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, EK_RUN_PAUSED_MIGRATION,
     "paused (starting up)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, EK_RUN_PAUSED_IOERROR, "paused (I/O error)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, EK_RUN_PAUSED_POSTCOPY, "paused (post-copy)"},
    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, EK_RUN_PAUSED_POSTCOPY_FAILED,
     "paused (post-copy failed)"},
    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, EK_RUN_SHUTOFF_MIGRATED, "off (migrated)"},
    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, EK_RUN_SHUTOFF_SHUTDOWN, "off (shut down)"},
    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED, EK_RUN_SHUTOFF_SHUTDOWN, "off (destroyed)"},
    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, EK_RUN_SHUTOFF_CRASHED, "off (crashed)"},
    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, EK_RUN_SHUTOFF_CRASHED, "off (failed)"},
    {VIR_DOMAIN_SHUTOFF, -1, EK_RUN_SHUTOFF_OTHER, "off"},
};

/* In-shutdown, crashed, suspended and all other pauses: active, and not as its user wants it. */
static const struct reading otherwise = {0, -1, EK_RUN_PAUSED_OTHER, "stopped"};

/* Reasons that are not listed take the last row of their state where that takes any, else
 * "stopped". */
static const struct reading *read_as(int state, int reason)
{
    for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
        if (readings[i].state == state &&
            (readings[i].reason == reason || readings[i].reason == -1)) {
            return &readings[i];
        }
    }
    return &otherwise;
}

static const char *job_text(enum ek_job job)
{
    static const char *const texts[] = {
        [EK_JOB_NONE] = "no job",
        [EK_JOB_OUT] = "migrating out",
        [EK_JOB_IN] = "coming in",
        [EK_JOB_OTHER] = "other job",
        [EK_JOB_NOT_KNOWN] = "job not known",
    };

    return texts[job];
}

/* The job, the mark and the memories, as far as reading them cannot block behind an incoming
 * migration. */
static void read_active(virDomainPtr domain, struct ek_observation *out)
{
    struct ek_mark mark;

    out->job = ek_domain_job(domain);
    if (out->job == EK_JOB_IN ||
        (out->job == EK_JOB_NOT_KNOWN && out->run == EK_RUN_PAUSED_MIGRATION)) {
        return;
    }
    out->attempt_known = ek_mark_read(domain, &mark);
    memcpy(out->attempt_id, mark.id, sizeof(out->attempt_id));
    /* While a job is active libvirt gives the statistics of that one only. */
    if (out->job == EK_JOB_NONE) {
        read_completed(domain, out);
    }
}

static bool read_domain(virDomainPtr domain, bool is_source, struct ek_observation *out)
{
    const struct reading *reading;
    struct ek_mark mark;
    int state, reason;

    /* Served by libvirtd's priority workers and without a job: this answers even while migrations
     * keep all others busy. */
    if (virDomainGetState(domain, &state, &reason, 0) < 0) {
        return false;
    }
    reading = read_as(state, reason);
    out->run = reading->run;
    /* On the source somebody starts it: that is no leftover of a migration. */
    if (is_source && state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP) {
        out->run = EK_RUN_PAUSED_OTHER;
    }
    out->persistent = virDomainIsPersistent(domain) == 1;
    out->presence = state == VIR_DOMAIN_SHUTOFF ? EK_PRESENCE_INACTIVE : EK_PRESENCE_ACTIVE;
    if (out->presence == EK_PRESENCE_ACTIVE) {
        read_active(domain, out);
    } else {
        out->job = EK_JOB_NONE;
        out->attempt_known = ek_mark_read(domain, &mark);
        memcpy(out->attempt_id, mark.id, sizeof(out->attempt_id));
    }
    snprintf(out->text, sizeof(out->text), "%s, %s", reading->text, job_text(out->job));
    return true;
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* An error of any kind: what could not be read is not "absent", for absent is what destructive
 * steps rely on. */
static struct ek_observation unreachable(const char *why)
{
    struct ek_observation out = {.presence = EK_PRESENCE_UNREACHABLE, .job = EK_JOB_NOT_KNOWN};

    snprintf(out.text, sizeof(out.text), "unreachable (%s)", why);
    return out;
}

static struct ek_observation observe_end(struct ek_libvirt_port *port,
                                         const struct ek_move_record *record, bool is_source)
{
    const char *host = is_source ? record->order.source : record->order.destination;
    /* Absent until seen: ek_end_open fails unless the host itself said that it has no such domain.
     */
    struct ek_observation out = {
        .presence = EK_PRESENCE_ABSENT, .job = EK_JOB_NONE, .text = "absent"};
    struct ek_call_result result;
    struct ek_end end;

    if (!ek_end_open(&end, port, host, record, is_source, "observe", &result)) {
        return unreachable(result.error);
    }
    if (end.domain != NULL && !read_domain(end.domain, is_source, &out)) {
        /* It may have gone between the lookup and the reading: then the next look says so. */
        out = unreachable(virGetLastErrorMessage());
    }
    if (ek_move_stops(record->order.kind) && out.presence != EK_PRESENCE_UNREACHABLE &&
        end.domain != NULL) {
        ek_stop_observe(end.domain, &out);
    }
    /* Also one that a predecessor began: its memory is still to be taken there. */
    if (is_source && out.presence == EK_PRESENCE_ACTIVE && out.job == EK_JOB_OUT) {
        ek_arrivals_note(&port->arrivals, record, (double)virDomainGetMaxMemory(end.domain) / 1024);
    }
    ek_end_close(&end);
    return out;
}

/* The source first: it changes last (its process ends after the destination runs), so that a pair
 * read in between errs towards "still there". */
void ek_port_observe(void *context, const struct ek_move_record *record,
                     struct ek_observation *source, struct ek_observation *destination)
{
    *source = observe_end(context, record, true);
    if (ek_move_stops(record->order.kind)) {
        *destination = (struct ek_observation){
            .presence = EK_PRESENCE_ABSENT, .job = EK_JOB_NONE, .text = "none"};
        return;
    }
    *destination = observe_end(context, record, false);
}
