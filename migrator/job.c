/* The migration itself, its progress and its abort. */
#include "migrator/libvirt_port.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- the call ------------------------------------------------------------------------------ */

static bool may_post_copy(const struct ek_move_record *record)
{
    return record->order.post_copy && !record->two_step;
}

/* QEMU 7.2 does not refuse post-copy over several connections, and does not survive it either. */
static bool is_parallel(const struct ek_move_order *order)
{
    return order->parallel_connections > 1 && !order->post_copy;
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The name that the destination's certificate must bear; NULL: libvirt takes it from the URI. An
 * address of the migration network stands in no certificate, but the host has a name. */
static const char *certificate_name(const struct ek_host_link *destination)
{
    const char *host = strstr(destination->migration_uri, "://");
    char address[INET6_ADDRSTRLEN] = "";

    if (host == NULL || is_address(destination->endpoint.host)) {
        return NULL;
    }
    host += strspn(host, ":/[");
    snprintf(address, sizeof(address), "%.*s", (int)strcspn(host, "]/"), host);
    address[strchr(address, '.') != NULL ? strcspn(address, ":") : strlen(address)] = '\0';
    return is_address(address) ? destination->endpoint.host : NULL;
}

/* A transient domain is to be transient there; a persistent one leaves no definition behind. */
static unsigned int flags_for(virDomainPtr domain, const struct ek_move_record *record)
{
    /* Peer to peer, so that the source's libvirtd drives it to its end whatever becomes of us.
     * Never UNSAFE: libvirt's own check of the disks is the last before data could be lost. */
    unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;

    /* Together: the definition moves along, and success leaves nothing on the source that could be
     * started by mistake. */
    if (virDomainIsPersistent(domain) == 1) {
        flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    }
    /* QEMU then slows the guest's CPUs down, by 20 % and 10 % more at a time, until it writes less
     * than is copied. */
    if (record->order.auto_converge) {
        flags |= VIR_MIGRATE_AUTO_CONVERGE;
    }
    /* Incremental: what the disks rest on was prepared, only their own files are copied. */
    if (record->copies_disks) {
        flags |= VIR_MIGRATE_NON_SHARED_INC;
    }
    /* The destination then waits paused until the life has seen the source gone. */
    if (record->two_step) {
        flags |= VIR_MIGRATE_PAUSED;
    }
    /* Begins nothing yet; it must be asked for at the beginning. */
    if (may_post_copy(record)) {
        flags |= VIR_MIGRATE_POSTCOPY;
    }
    if (record->order.tls) {
        flags |= VIR_MIGRATE_TLS;
    }
    if (is_parallel(&record->order)) {
        flags |= VIR_MIGRATE_PARALLEL;
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
    const char *name = order->tls ? certificate_name(destination) : NULL;
    if (name != NULL && virTypedParamsAddString(params, count, &room,
                                                VIR_MIGRATE_PARAM_TLS_DESTINATION, name) < 0) {
        return false;
    }
    if (is_parallel(order) &&
        virTypedParamsAddInt(params, count, &room, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS,
                             order->parallel_connections) < 0) {
        return false;
    }
    return order->bandwidth_mib_s == 0 ||
           virTypedParamsAddULLong(params, count, &room, VIR_MIGRATE_PARAM_BANDWIDTH,
                                   order->bandwidth_mib_s) == 0;
}

/* The one call that moves anything. It returns when the migration is over, minutes or hours from
 * now. */
int ek_job_call(virDomainPtr domain, const struct ek_host_link *destination,
                const struct ek_move_record *record, bool resume)
{
    unsigned int flags = flags_for(domain, record) | (resume ? VIR_MIGRATE_POSTCOPY_RESUME : 0);
    virTypedParameterPtr params = NULL;
    int count = 0;
    int result = -1;

    if (add_params(destination, record, &params, &count)) {
        result =
            virDomainMigrateToURI3(domain, destination->uri, params, (unsigned int)count, flags);
    }
    virTypedParamsFree(params, count);
    return result;
}

static struct ek_call_result mark_and_call(const struct ek_end *source,
                                           const struct ek_host_link *destination,
                                           const struct ek_move_record *record, bool samples,
                                           int64_t fresh_until_ms)
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
    /* What is written is known to the migration after its first iteration only, by sampled pages a
     * second from now; a failure leaves that. While a measurement runs, this one is refused, and
     * that one serves. */
    if (samples) {
        virDomainStartDirtyRateCalc(source->domain, 1, VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING);
    }
    /* Asked last, just before the effect: whoever gave this call up may have decided otherwise
     * since. */
    if (!ek_is_fresh(fresh_until_ms)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, source->link->name, "migrate",
                       "not begun, for libvirt took too long to get there");
    }
    if (ek_job_call(source->domain, destination, record, false) < 0) {
        return ek_end_fail(source, "migrate");
    }
    return (struct ek_call_result){.ok = true};
}

struct ek_call_result ek_port_migrate(void *context, const struct ek_move_record *record)
{
    struct ek_libvirt_port *port = context;
    const struct ek_host_link *destination = ek_port_host(port, record->order.destination);
    struct ek_end source = {.link = ek_port_host(port, record->order.source)};
    int64_t fresh_until_ms = ek_fresh_until(port);
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
    result =
        mark_and_call(&source, destination, record, atomic_load(&port->samples), fresh_until_ms);
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
    int throttle = 0; /* absent until auto-converge begins */

    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, &pages);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, &page);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION, &iteration);
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_TIME_ELAPSED, &elapsed_ms);
    out->total_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_TOTAL);
    out->remaining_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_REMAINING);
    out->transferred_mib = mib(params, count, VIR_DOMAIN_JOB_DATA_PROCESSED);
    out->bandwidth_mib_s = mib(params, count, VIR_DOMAIN_JOB_MEMORY_BPS);
    out->dirty_mib_s = (double)pages * (double)page / (1024.0 * 1024.0);
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, &throttle);
    out->iteration = (int)iteration;
    out->throttle_percent = throttle;
    out->elapsed_ms = (int64_t)elapsed_ms;
}

/* The state is answered by libvirtd itself, without asking QEMU: it cannot hang behind the job. */
static bool is_paused_by_migration(virDomainPtr domain)
{
    int state, reason;

    return virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
           reason == VIR_DOMAIN_PAUSED_MIGRATION;
}

/* The measurement takes a second: what is not known by then will not be, or is 0. */
enum { SAMPLED_WITHIN_MS = 10000 };

/* MiB/s that are written by the measurement that began with the call; 0: not known. */
static double read_sampled(virDomainPtr domain)
{
    virDomainPtr asked[] = {domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    long long mib_s = 0; /* -1 where QEMU found nothing to sample */

    if (virDomainListGetStats(asked, VIR_DOMAIN_STATS_DIRTYRATE, &records,
                              VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) == 1) {
        virTypedParamsGetLLong(records[0]->params, records[0]->nparams,
                               "dirtyrate.megabytes_per_second", &mib_s);
    }
    virDomainStatsRecordListFree(records);
    return mib_s > 0 ? (double)mib_s : 0;
}

static bool read_progress(virDomainPtr domain, bool stops, struct ek_job_progress *out)
{
    int ours = stops ? VIR_DOMAIN_JOB_OPERATION_SAVE : VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    virTypedParameterPtr params = NULL;
    int type, count = 0, operation = 0;

    if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0) {
        return false;
    }
    virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    /* A job coming in, a backup or a snapshot is not our migration. */
    out->active = type != VIR_DOMAIN_JOB_NONE && operation == ours;
    read_stats(params, count, out);
    virTypedParamsFree(params, count);
    if (out->active && !stops) {
        out->source_paused = is_paused_by_migration(domain);
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
    bool stops = ek_move_stops(record->order.kind);
    bool read = true;

    *out = (struct ek_job_progress){.active = false};
    if (!ek_end_open(&end, context, record->order.source, record, true, "progress", &result)) {
        return false;
    }
    if (end.domain != NULL) {
        read = read_progress(end.domain, stops, out);
        if (!stops && out->active && out->iteration <= 1 && out->elapsed_ms < SAMPLED_WITHIN_MS &&
            record->dirty_mib_s == 0 && atomic_load(&port->samples)) {
            out->sampled_mib_s = read_sampled(end.domain);
        }
        if (!stops) {
            note_arrival(port, record, &end, out);
        }
    }
    ek_end_close(&end);
    return read;
}

/* ---- abort and tuning ---------------------------------------------------------------------- */

/* Only a migration that goes out, and only this move's: AbortJob ends whatever job there is, a
 * backup or somebody else's migration as well. */
static bool is_our_job(const struct ek_end *end, const struct ek_move_record *record)
{
    struct ek_mark mark;

    return end->domain != NULL && ek_domain_job(end->domain) == EK_JOB_OUT &&
           ek_mark_read(end->domain, &mark) && strcmp(mark.id, record->order.id) == 0;
}

static bool open_job(struct ek_end *end, void *context, const struct ek_move_record *record,
                     const char *step, struct ek_error *err)
{
    struct ek_call_result result;

    if (!ek_end_open(end, context, record->order.source, record, true, step, &result)) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "%s", result.error);
    }
    if (!is_our_job(end, record)) {
        ek_error_set(err, EK_ERR_NOT_FOUND, "%s: %s: no migration of this move runs",
                     end->link->name, step);
        ek_end_close(end);
        return false;
    }
    return true;
}

static bool say(const struct ek_end *end, const char *step, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_REMOTE, "%s: %s: %s", end->link->name, step,
                        virGetLastErrorMessage());
}

/* It returns at once and races with the switchover; what it came to shows on both ends. */
bool ek_port_abort(void *context, const struct ek_move_record *record, struct ek_error *err)
{
    struct ek_end end;
    bool done;

    if (ek_move_stops(record->order.kind)) {
        return ek_stop_abort(context, record, err);
    }
    if (!open_job(&end, context, record, "abort", err)) {
        return false;
    }
    done = virDomainAbortJob(end.domain) == 0 || say(&end, "abort", err);
    ek_end_close(&end);
    return done;
}

/* libvirt counts bytes in 63 bits: more MiB than this are refused, and none are fewer than all. */
static unsigned long speed(int64_t mib_s)
{
    const int64_t most = INT64_MAX / (1024 * 1024);

    return (unsigned long)(mib_s < most ? mib_s : most);
}

static bool tune_job(const struct ek_end *end, const struct ek_tuning *tuning, struct ek_error *err)
{
    if (tuning->bandwidth_mib_s > 0 &&
        virDomainMigrateSetMaxSpeed(end->domain, speed(tuning->bandwidth_mib_s), 0) < 0) {
        return say(end, "bandwidth", err);
    }
    if (tuning->max_downtime_ms > 0 &&
        virDomainMigrateSetMaxDowntime(end->domain, (unsigned long long)tuning->max_downtime_ms,
                                       0) < 0) {
        return say(end, "downtime", err);
    }
    return !tuning->start_post_copy || virDomainMigrateStartPostCopy(end->domain, 0) == 0 ||
           say(end, "post-copy", err);
}

bool ek_port_tune(void *context, const struct ek_move_record *record,
                  const struct ek_tuning *tuning, struct ek_error *err)
{
    struct ek_end end;
    bool done;

    if (!open_job(&end, context, record, "tune", err)) {
        return false;
    }
    done = tune_job(&end, tuning, err);
    ek_end_close(&end);
    return done;
}
