/* The migration itself, its progress and its abort. */
#include "migrator/libvirt_port.h"

#include <stdio.h>
#include <string.h>

/* ---- the call ------------------------------------------------------------------------------ */

/* A transient domain is to be transient there; a persistent one leaves no definition behind. */
static unsigned int flags_for(virDomainPtr domain, const struct ek_move_record *record)
{
    const struct ek_move_order *order = &record->order;
    /* Peer to peer, so that the source's libvirtd drives it to its end whatever becomes of us.
     * Never UNSAFE: libvirt's own check of the disks is the last before data could be lost. Never
     * post-copy: it can lose the guest. */
    unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;

    /* Together: the definition moves along, and success leaves nothing on the source that could be
     * started by mistake. */
    if (virDomainIsPersistent(domain) == 1) {
        flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    }
    /* QEMU then slows the guest's CPUs down, by 20 % and 10 % more at a time, until it writes less
     * than is copied. */
    if (order->auto_converge) {
        flags |= VIR_MIGRATE_AUTO_CONVERGE;
    }
    /* Incremental: what the disks rest on was prepared, only their own files are copied. */
    if (record->copies_disks) {
        flags |= VIR_MIGRATE_NON_SHARED_INC;
    }
    return flags;
}

/* By name, each that is to be copied: without any libvirt would take all that are writable, shared
 * ones, too. */
static bool add_disks(const struct ek_move_record *record, virTypedParameterPtr *params, int *count,
                      int *room)
{
    int before = *count;

    for (int i = 0; i < record->preparation_count; i++) {
        const struct ek_preparation *it = &record->preparations[i];

        if (it->kind == EK_PREPARATION_OVERLAY &&
            virTypedParamsAddString(params, count, room, VIR_MIGRATE_PARAM_MIGRATE_DISKS,
                                    it->disk) < 0) {
            return false;
        }
    }
    return *count > before;
}

/* Without a URI the destination gives its host name, which the source must be able to resolve;
 * without a bandwidth libvirt sets no limit. */
static bool add_params(const struct ek_host_link *destination, const struct ek_move_record *record,
                       virTypedParameterPtr *params, int *count)
{
    const struct ek_move_order *order = &record->order;
    int room = 0;

    if (record->copies_disks && !add_disks(record, params, count, &room)) {
        return false;
    }
    if (destination->migration_uri[0] != '\0' &&
        virTypedParamsAddString(params, count, &room, VIR_MIGRATE_PARAM_URI,
                                destination->migration_uri) < 0) {
        return false;
    }
    return order->bandwidth_mib_s == 0 ||
           virTypedParamsAddULLong(params, count, &room, VIR_MIGRATE_PARAM_BANDWIDTH,
                                   order->bandwidth_mib_s) == 0;
}

/* The one call that moves anything. It returns when the migration is over, minutes or hours from
 * now. */
static int call(virDomainPtr domain, const struct ek_host_link *destination,
                const struct ek_move_record *record)
{
    virTypedParameterPtr params = NULL;
    int count = 0;
    int result = -1;

    if (add_params(destination, record, &params, &count)) {
        result = virDomainMigrateToURI3(domain, destination->uri, params, (unsigned int)count,
                                        flags_for(domain, record));
    }
    virTypedParamsFree(params, count);
    return result;
}

static struct ek_call_result mark_and_call(const struct ek_end *source,
                                           const struct ek_host_link *destination,
                                           const struct ek_move_record *record, int64_t begin_ms)
{
    int autostart = 0;

    if (source->domain == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, source->link->name, "migrate",
                       "the domain is not there any more");
    }
    /* A failure leaves 0: the flag is then not carried along, and the move goes on. */
    virDomainGetAutostart(source->domain, &autostart);
    /* Before the call: the metadata travels with the domain, and during a migration job it cannot
     * be changed. A domain without the mark could not be told from somebody else's afterwards. */
    if (!ek_mark_write(source->domain, record, autostart != 0)) {
        return ek_end_fail(source, "migrate-mark");
    }
    /* Asked last, just before the effect: whoever gave this call up may have decided otherwise
     * since. */
    if (!ek_is_fresh(begin_ms)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, source->link->name, "migrate",
                       "not begun, for libvirt took too long to get there");
    }
    if (call(source->domain, destination, record) < 0) {
        return ek_end_fail(source, "migrate");
    }
    return (struct ek_call_result){.ok = true};
}

struct ek_call_result ek_port_migrate(void *context, const struct ek_move_record *record)
{
    struct ek_libvirt_port *port = context;
    const struct ek_host_link *destination = ek_port_host(port, record->order.destination);
    struct ek_end source = {.link = ek_port_host(port, record->order.source)};
    int64_t begin_ms = ek_fresh_begin();
    struct ek_call_result result;
    struct ek_error err = {0};

    if (source.link == NULL || destination == NULL) {
        return ek_fail(EK_FAILURE_OTHER_HOST, record->order.destination, "migrate",
                       "one of the two hosts is not in the configuration");
    }
    /* A connection of its own, not a lent one: it is in use as long as the migration runs, and one
     * connection serves five calls at a time. */
    source.connection = ek_host_open(source.link, &err);
    if (source.connection == NULL) {
        return ek_fail(EK_FAILURE_LOST, record->order.source, "migrate", "%s", err.message);
    }
    source.domain = virDomainLookupByUUIDString(source.connection, record->order.domain);
    result = mark_and_call(&source, destination, record, begin_ms);
    if (source.domain != NULL) {
        virDomainFree(source.domain);
    }
    virConnectClose(source.connection);
    return result;
}

/* ---- progress ------------------------------------------------------------------------------ */

/* A field that is missing leaves 0. */
static double mib(virTypedParameterPtr params, int count, const char *name)
{
    unsigned long long bytes = 0;

    virTypedParamsGetULLong(params, count, name, &bytes);
    return (double)bytes / (1024.0 * 1024.0);
}

static void read_stats(virTypedParameterPtr params, int count, struct ek_job_progress *out)
{
    /* The dirty rate comes in pages per second, of 4 KiB unless the job says otherwise; everything
     * else in bytes. */
    unsigned long long pages = 0, page = 4096, iteration = 0, elapsed_ms = 0;

    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, &pages);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, &page);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION, &iteration);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_TIME_ELAPSED, &elapsed_ms);
    out->total_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_TOTAL);
    out->remaining_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_REMAINING);
    out->transferred_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_PROCESSED);
    out->bandwidth_mib_s = mib(params, count, VIR_DOMAIN_JOB_MEMORY_BPS);
    out->dirty_mib_s = (double)pages * (double)page / (1024.0 * 1024.0);
    out->iteration = (int)iteration;
    out->elapsed_ms = (int64_t)elapsed_ms;
}

/* The state is answered by libvirtd itself, without asking QEMU: it cannot hang behind the job. */
static bool is_paused_by_migration(virDomainPtr domain)
{
    int state, reason;

    return virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
           reason == VIR_DOMAIN_PAUSED_MIGRATION;
}

/* The limit can be set only while the job runs: done in its first seconds, then never asked again.
 */
static void set_downtime(virDomainPtr domain, const struct ek_move_order *order,
                         const struct ek_job_progress *progress)
{
    enum { EARLY_MS = 15000 };
    unsigned long long set_ms = 0;

    if (order->max_downtime_ms <= 0 || progress->elapsed_ms > EARLY_MS) {
        return;
    }
    /* Set only where it differs, so once and not with each look. */
    if (virDomainMigrateGetMaxDowntime(domain, &set_ms, 0) == 0 &&
        set_ms != (unsigned long long)order->max_downtime_ms) {
        virDomainMigrateSetMaxDowntime(domain, (unsigned long long)order->max_downtime_ms, 0);
    }
}

static bool read_progress(virDomainPtr domain, const struct ek_move_order *order,
                          struct ek_job_progress *out)
{
    virTypedParameterPtr params = NULL;
    int type, count = 0, operation = 0;

    if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0) {
        return false;
    }
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    /* A job coming in, a backup or a snapshot is not our migration. */
    out->active =
        type != VIR_DOMAIN_JOB_NONE && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    read_stats(params, count, out);
    virTypedParamsFree(params, count);
    if (out->active) {
        out->source_paused = is_paused_by_migration(domain);
        /* While the source is paused the switchover is under way: a new limit would come too late.
         */
        if (!out->source_paused) {
            set_downtime(domain, order, out);
        }
    }
    return true;
}

/* Once all of the memory was sent, the destination has given it: what is sent again takes no more.
 * Until then the guest's whole memory counts: some of what was sent may be zeros. */
static void note_arrival(struct ek_libvirt_port *port, const struct ek_move_record *record,
                         const struct ek_end *source, const struct ek_job_progress *progress)
{
    double memory_mib = (double)virDomainGetMaxMemory(source->domain) / 1024;

    if (progress->active) {
        ek_arrivals_note(&port->arrivals, record, progress->iteration > 1 ? 0 : memory_mib);
    }
}

bool ek_port_progress(void *context, const struct ek_move_record *record,
                      struct ek_job_progress *out)
{
    struct ek_libvirt_port *port = context;
    struct ek_call_result result;
    struct ek_end end;
    bool read = true;

    *out = (struct ek_job_progress){.active = false};
    if (!ek_end_open(&end, context, record->order.source, record, true, "progress", &result)) {
        return false;
    }
    if (end.domain != NULL) {
        read = read_progress(end.domain, &record->order, out);
        note_arrival(port, record, &end, out);
    }
    ek_end_close(&end);
    return read;
}

/* ---- abort --------------------------------------------------------------------------------- */

/* Only a migration that goes out: AbortJob ends whatever job there is, a backup as well. It returns
 * at once and races with the switchover; what it came to shows on both ends. */
static bool abort_job(const struct ek_end *end, struct ek_error *err)
{
    if (end->domain == NULL || ek_domain_job(end->domain) != EK_JOB_OUT) {
        return ek_error_set(err, EK_ERR_NOT_FOUND, "%s: no migration runs that could be aborted",
                            end->link->name);
    }
    if (virDomainAbortJob(end->domain) < 0) {
        return ek_error_set(err, EK_ERR_REMOTE, "%s: abort: %s", end->link->name,
                            virGetLastErrorMessage());
    }
    return true;
}

bool ek_port_abort(void *context, const struct ek_move_record *record, struct ek_error *err)
{
    struct ek_call_result result;
    struct ek_end end;
    bool done;

    if (!ek_end_open(&end, context, record->order.source, record, true, "abort", &result)) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "%s", result.error);
    }
    done = abort_job(&end, err);
    ek_end_close(&end);
    return done;
}
