/* The eight checks before a move, each a named step on fresh data, and what the attempt needs on
 * its destination. None of them changes anything. */
#include "balancer/core/plural.h"
#include "migrator/disks.h"
#include "migrator/libvirt_port.h"
#include "migrator/needs.h"
#include "migrator/own_word.h"
#include "migrator/xpath.h"

#include <stdio.h>
#include <string.h>

struct check {
    struct ek_libvirt_port *port;
    const struct ek_move_record *record;
    struct ek_end source;
    struct ek_end destination;
    struct ek_xpath *xml; /* the running domain */
    char source_uuid[VIR_UUID_STRING_BUFLEN];
    char destination_uuid[VIR_UUID_STRING_BUFLEN];
    struct ek_findings *findings;
    ek_note note;
    void *note_context;
    char good[EK_TEXT_SIZE]; /* what to note when a step is passed */
};

static const struct ek_call_result passed = {.ok = true};

/* ---- 1 permission, 2 parameters ------------------------------------------------------------ */

/* Opening read-write is all that libvirt lets us ask; finer rights show when they are used. */
static struct ek_call_result permission(struct check *check)
{
    static const char step[] = "precheck-permission";
    const struct ek_move_order *order = &check->record->order;
    struct ek_call_result result;

    if (!ek_end_open(&check->source, check->port, order->source, check->record, true, step,
                     &result) ||
        !ek_end_open(&check->destination, check->port, order->destination, check->record, false,
                     step, &result)) {
        return result;
    }
    snprintf(check->good, sizeof(check->good), "both hosts accept us");
    return passed;
}

/* A host that left the configuration may still be reached by an old link: nothing new goes there.
 */
static struct ek_call_result parameters(struct check *check)
{
    static const char step[] = "precheck-parameters";
    const struct ek_move_order *order = &check->record->order;

    if (!check->destination.link->listed) {
        return ek_fail(EK_FAILURE_OTHER_HOST, order->destination, step,
                       "the host is no longer in the configuration");
    }
    if (!check->destination.link->endpoint.remote) {
        return ek_fail(EK_FAILURE_OTHER_HOST, order->destination, step,
                       "its URI %.100s is local: the source cannot reach it there",
                       check->destination.link->uri);
    }
    if (check->source.domain == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, order->source, step, "domain %s is not there",
                       order->domain);
    }
    snprintf(check->good, sizeof(check->good), "both hosts and the domain are known");
    return passed;
}

/* ---- 3 destination ------------------------------------------------------------------------- */

/* As libvirt compares it: from the board, or from host_uuid in libvirtd.conf. */
static bool read_host_uuid(const struct ek_end *end, char *uuid)
{
    EK_SCOPED_STRING char *text = virConnectGetCapabilities(end->connection);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    bool read =
        xml != NULL && ek_xpath_read(xml, "/capabilities/host/uuid", uuid, VIR_UUID_STRING_BUFLEN);

    ek_xpath_free(xml);
    return read;
}

/* An inactive definition of the same UUID and name is replaced by libvirt; all else is in the way.
 */
static struct ek_call_result no_double(struct check *check, const char *step)
{
    const struct ek_move_order *order = &check->record->order;
    const char *name = virDomainGetName(check->source.domain);
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (check->destination.domain != NULL) {
        if (virDomainIsActive(check->destination.domain) != 0 &&
            ek_domain_job(check->destination.domain) == EK_JOB_IN) {
            return ek_fail(EK_FAILURE_SAME_PAIR, order->destination, step,
                           "somebody's migration brings the domain here already");
        }
        if (virDomainIsActive(check->destination.domain) != 0) {
            return ek_fail(EK_FAILURE_DOMAIN, order->destination, step,
                           "a domain with this UUID is active here, too: an operator must look");
        }
        /* libvirt would refuse it, with OPERATION_FAILED. */
        if (strcmp(virDomainGetName(check->destination.domain), name) != 0) {
            return ek_fail(EK_FAILURE_OTHER_HOST, order->destination, step,
                           "the same UUID is defined here as %.80s",
                           virDomainGetName(check->destination.domain));
        }
        return passed;
    }
    EK_SCOPED_DOMAIN virDomainPtr other =
        virDomainLookupByName(check->destination.connection, name);

    if (other != NULL && virDomainGetUUIDString(other, uuid) == 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, order->destination, step,
                       "another domain of this name is here, UUID %s", uuid);
    }
    return passed;
}

/* Its UUID is kept for the check of identity: one call less. */
static struct ek_call_result destination(struct check *check)
{
    static const char step[] = "precheck-destination";

    if (!read_host_uuid(&check->destination, check->destination_uuid)) {
        return ek_fail(EK_FAILURE_OTHER_HOST, check->record->order.destination, step,
                       "its capabilities cannot be read");
    }
    snprintf(check->good, sizeof(check->good), "it answers, and has no domain in the way");
    return no_double(check, step);
}

/* ---- 4 domain ------------------------------------------------------------------------------ */

/* What libvirt 9.0 refuses to migrate, or migrates wrongly, as far as the domain's XML shows it. */
static const struct {
    const char *path;
    const char *text;
} obstacles[] = {
    {"/domain/devices/hostdev", "it has a host device"},
    {"/domain/devices/interface[@type='hostdev' or @type='vdpa']",
     "a network interface is a host device"},
    {"/domain/devices/filesystem[driver/@type='virtiofs']", "it shares a virtiofs directory"},
    {"/domain/devices/shmem[not(model) or model/@type='ivshmem']", "it has legacy shared memory"},
    {"/domain/devices/disk[transient]", "it has a transient disk"},
    {"/domain/devices/disk/mirror", "a block job runs on one of its disks"},
};

/* A domain that its user paused moves and stays paused. Any other pause is a fault, or somebody's
 * work that must not be disturbed. */
static struct ek_call_result state_of_domain(struct check *check, const char *step)
{
    const char *host = check->record->order.source;
    int state, reason;

    if (virDomainGetState(check->source.domain, &state, &reason, 0) < 0) {
        return ek_end_fail(&check->source, step);
    }
    check->findings->user_paused = state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_USER;
    if (state == VIR_DOMAIN_RUNNING || check->findings->user_paused) {
        return passed;
    }
    if (state == VIR_DOMAIN_PAUSED &&
        (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_POSTCOPY)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, host, step, "a migration has paused it");
    }
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_IOERROR) {
        return ek_fail(EK_FAILURE_DOMAIN, host, step, "it is paused by an I/O error");
    }
    return ek_fail(EK_FAILURE_DOMAIN, host, step, "it is not running (state %d, reason %d)", state,
                   reason);
}

/* A collector's question occupies the monitor for a moment; what lasts longer than this is a job.
 */
enum { A_MOMENT_MS = 2000 };

/* Control info first: it needs no lock, and tells a broken monitor from one that is busy. */
static struct ek_call_result no_job(const struct check *check, const char *step)
{
    const char *host = check->record->order.source;
    virDomainControlInfo control;

    if (virDomainGetControlInfo(check->source.domain, &control, 0) < 0) {
        return ek_end_fail(&check->source, step);
    }
    if (control.state == VIR_DOMAIN_CONTROL_ERROR) {
        return ek_fail(EK_FAILURE_DOMAIN, host, step, "libvirt lost its control of the guest");
    }
    if ((control.state != VIR_DOMAIN_CONTROL_OK && control.stateTime > A_MOMENT_MS) ||
        ek_domain_job(check->source.domain) != EK_JOB_NONE) {
        return ek_fail(EK_FAILURE_SAME_PAIR, host, step, "another job runs on it");
    }
    return passed;
}

static struct ek_call_result no_obstacle(const struct check *check, const char *step)
{
    const char *host = check->record->order.source;
    /* libvirt refuses to migrate a domain with snapshots. */
    int snapshots = virDomainSnapshotNum(check->source.domain, 0);

    if (snapshots < 0) {
        return ek_end_fail(&check->source, step);
    }
    if (snapshots > 0) {
        return ek_fail(EK_FAILURE_DOMAIN, host, step, "it has %d snapshot%s", snapshots,
                       ek_plural((size_t)snapshots));
    }
    for (size_t i = 0; i < sizeof(obstacles) / sizeof(obstacles[0]); i++) {
        if (ek_xpath_count(check->xml, obstacles[i].path) > 0) {
            return ek_fail(EK_FAILURE_DOMAIN, host, step, "%s", obstacles[i].text);
        }
    }
    return passed;
}

/* Said since the sample was taken, it is heard all the same. */
static struct ek_call_result own_word(const struct check *check, const char *step)
{
    const struct ek_move_order *order = &check->record->order;
    struct ek_own_word word;
    char why[EK_TEXT_SIZE];

    ek_own_word_read(check->xml, &word);
    return ek_own_word_forbids(&word, order->kind, why) == NULL
               ? passed
               : ek_fail(EK_FAILURE_DOMAIN, order->source, step, "%s", why);
}

static struct ek_call_result domain(struct check *check)
{
    static const char step[] = "precheck-domain";
    struct ek_call_result result = state_of_domain(check, step);

    if (result.ok) {
        result = no_job(check, step);
    }
    if (!result.ok) {
        return result;
    }
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(check->source.domain, 0);

    if (text == NULL) {
        return ek_end_fail(&check->source, step);
    }
    /* Kept for the checks after this one, which look at the same moment's domain. */
    check->xml = ek_xpath_parse(text);
    if (check->xml == NULL) {
        return ek_fail(EK_FAILURE_DOMAIN, check->record->order.source, step,
                       "its XML cannot be read");
    }
    snprintf(check->good, sizeof(check->good), "it %s, no job, no snapshot",
             check->findings->user_paused ? "is paused by its user" : "runs");
    result = own_word(check, step);
    return result.ok ? no_obstacle(check, step) : result;
}

/* ---- 5 libvirt, 6 identity ----------------------------------------------------------------- */

/* A cheap question to each, although both were opened above: a lent connection may have died
 * unseen. */
static struct ek_call_result libvirt(struct check *check)
{
    static const char step[] = "precheck-libvirt";
    virNodeInfo info;

    if (virNodeGetInfo(check->source.connection, &info) < 0) {
        return ek_end_fail(&check->source, step);
    }
    if (virNodeGetInfo(check->destination.connection, &info) < 0) {
        struct ek_call_result result = ek_end_fail(&check->destination, step);

        result.failure = EK_FAILURE_OTHER_HOST;
        return result;
    }
    snprintf(check->good, sizeof(check->good), "both answer");
    return passed;
}

/* libvirt refuses a migration within one host by these two. */
static struct ek_call_result identity(struct check *check)
{
    static const char step[] = "precheck-identity";
    EK_SCOPED_STRING char *source = virConnectGetHostname(check->source.connection);
    EK_SCOPED_STRING char *goal = virConnectGetHostname(check->destination.connection);

    if (!read_host_uuid(&check->source, check->source_uuid)) {
        return ek_fail(EK_FAILURE_SAME_PAIR, check->record->order.source, step,
                       "its capabilities cannot be read");
    }
    if (strcmp(check->source_uuid, check->destination_uuid) == 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, check->record->order.destination, step,
                       "both hosts have the UUID %s: set host_uuid in libvirtd.conf",
                       check->source_uuid);
    }
    if (source != NULL && goal != NULL && strcmp(source, goal) == 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, check->record->order.destination, step,
                       "both hosts call themselves %.100s", source);
    }
    snprintf(check->good, sizeof(check->good), "%.60s and %.60s are two hosts",
             source == NULL ? "?" : source, goal == NULL ? "?" : goal);
    return passed;
}

/* ---- 7 memory ------------------------------------------------------------------------------ */

/* QEMU beside its guest's memory: page tables, devices, migration buffers. */
enum { OVERHEAD_MIB = 216, OVERHEAD_PERCENT = 2 };

static bool read_memory_mib(virConnectPtr connection, double *available_mib, double *total_mib)
{
    enum { MOST = 16 };
    virNodeMemoryStats stats[MOST];
    unsigned long long kib = 0, total_kib = 0;
    int count = 0;

    /* The first call tells how many there are, and the second takes no other number. */
    if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &count, 0) < 0) {
        return false;
    }
    count = count < MOST ? count : MOST;
    if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &count, 0) < 0) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_FREE) == 0 ||
            strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_BUFFERS) == 0 ||
            strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_CACHED) == 0) {
            kib += stats[i].value;
        } else if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL) == 0) {
            total_kib = stats[i].value;
        }
    }
    *available_mib = (double)kib / 1024;
    *total_mib = (double)total_kib / 1024;
    return true;
}

static double reserve_of(struct ek_libvirt_port *port)
{
    pthread_mutex_lock(&port->mutex);
    double reserve = port->memory_reserve;
    pthread_mutex_unlock(&port->mutex);
    return reserve;
}

/* What fits is reserved at once: two checks for one host must not both count the same room. */
static struct ek_call_result memory(struct check *check)
{
    static const char step[] = "precheck-memory";
    /* The maximum, in KiB from libvirt: a balloon may be let go at any time, also while it is
     * copied. */
    double domain_mib = (double)virDomainGetMaxMemory(check->source.domain) / 1024;
    double need_mib = domain_mib + domain_mib * OVERHEAD_PERCENT / 100 + OVERHEAD_MIB;
    double available_mib, total_mib, kept_mib, others_mib;

    if (domain_mib <= 0) {
        return ek_end_fail(&check->source, step);
    }
    if (!read_memory_mib(check->destination.connection, &available_mib, &total_mib)) {
        struct ek_call_result result = ek_end_fail(&check->destination, step);

        result.failure = EK_FAILURE_OTHER_HOST;
        return result;
    }
    kept_mib = total_mib * reserve_of(check->port);
    if (!ek_arrivals_reserve(&check->port->arrivals, check->record, need_mib,
                             available_mib - kept_mib, &others_mib)) {
        return ek_fail(EK_FAILURE_OTHER_HOST, check->record->order.destination, step,
                       "%.0f MiB are available, %.0f MiB are needed; %.0f MiB are for other moves "
                       "and %.0f MiB stay free",
                       available_mib, need_mib, others_mib, kept_mib);
    }
    snprintf(check->good, sizeof(check->good),
             "%.0f of %.0f MiB available are needed, beside %.0f MiB of other moves", need_mib,
             available_mib, others_mib);
    return passed;
}

/* ---- 8 hypervisor -------------------------------------------------------------------------- */

/* New QEMUs load what old ones wrote; the reverse fails at the very end of the copying, with "load
 * of migration failed". */
static struct ek_call_result versions(const struct check *check, const char *step)
{
    const char *host = check->record->order.destination;
    unsigned long qemu[2] = {0, 0}, libvirt_version[2] = {0, 0};
    const char *source = virConnectGetType(check->source.connection);
    const char *goal = virConnectGetType(check->destination.connection);

    if (source == NULL || goal == NULL || strcmp(source, goal) != 0) {
        return ek_fail(EK_FAILURE_OTHER_HOST, host, step, "its hypervisor is of another kind");
    }
    virConnectGetVersion(check->source.connection, &qemu[0]);
    virConnectGetVersion(check->destination.connection, &qemu[1]);
    virConnectGetLibVersion(check->source.connection, &libvirt_version[0]);
    virConnectGetLibVersion(check->destination.connection, &libvirt_version[1]);
    if (qemu[1] < qemu[0] || libvirt_version[1] < libvirt_version[0]) {
        return ek_fail(EK_FAILURE_OTHER_HOST, host, step,
                       "its %s is older (%lu) than the source's (%lu)",
                       qemu[1] < qemu[0] ? "QEMU" : "libvirt",
                       qemu[1] < qemu[0] ? qemu[1] : libvirt_version[1],
                       qemu[1] < qemu[0] ? qemu[0] : libvirt_version[0]);
    }
    return passed;
}

/* The guest's CPU against what the destination's hypervisor can give. Emulation (TCG) gives any. */
static struct ek_call_result processor(const struct check *check, const char *step,
                                       const char *emulator, const char *arch, const char *machine,
                                       const char *type)
{
    const char *host = check->record->order.destination;
    EK_SCOPED_STRING char *cpu = ek_xpath_dump(check->xml, "/domain/cpu");
    int verdict;

    /* No <cpu> in the live XML means the machine's default, which both hosts have. */
    if (strcmp(type, "qemu") == 0 || cpu == NULL) {
        return passed;
    }
    verdict = virConnectCompareHypervisorCPU(check->destination.connection, emulator, arch, machine,
                                             type, cpu, 0);
    if (verdict == VIR_CPU_COMPARE_INCOMPATIBLE) {
        return ek_fail(EK_FAILURE_OTHER_HOST, host, step, "it cannot give the guest its CPU");
    }
    if (verdict == VIR_CPU_COMPARE_ERROR) {
        struct ek_call_result result = ek_end_fail(&check->destination, step);

        result.failure = EK_FAILURE_OTHER_HOST;
        return result;
    }
    return passed;
}

static struct ek_call_result hypervisor(struct check *check)
{
    static const char step[] = "precheck-hypervisor";
    char emulator[256], arch[32], machine[64], type[16];
    struct ek_call_result result = versions(check, step);

    if (!result.ok) {
        return result;
    }
    /* Of the running domain: the destination is asked for exactly this emulator and machine type.
     */
    ek_xpath_read(check->xml, "/domain/devices/emulator", emulator, sizeof(emulator));
    ek_xpath_read(check->xml, "/domain/os/type/@arch", arch, sizeof(arch));
    ek_xpath_read(check->xml, "/domain/os/type/@machine", machine, sizeof(machine));
    ek_xpath_read(check->xml, "/domain/@type", type, sizeof(type));
    EK_SCOPED_STRING char *capabilities = virConnectGetDomainCapabilities(
        check->destination.connection, emulator, arch, machine, type, 0);

    if (capabilities == NULL) {
        result = ek_end_fail(&check->destination, step);
        result.failure = EK_FAILURE_OTHER_HOST;
        return result;
    }
    snprintf(check->good, sizeof(check->good), "%s on %s, %s, not older", machine, arch, type);
    return processor(check, step, emulator, arch, machine, type);
}

/* ---- what it needs ------------------------------------------------------------------------- */

static struct ek_call_result need_networks(struct check *check)
{
    return ek_networks_find(&check->source, &check->destination, check->xml, check->findings,
                            check->good, sizeof(check->good));
}

static struct ek_call_result need_filters(struct check *check)
{
    return ek_filters_find(&check->source, &check->destination, check->xml, check->findings,
                           check->note, check->note_context, check->good, sizeof(check->good));
}

static struct ek_call_result need_disks(struct check *check)
{
    return ek_disks_find(check->port, &check->source, &check->destination, check->record,
                         check->xml, check->findings, check->good, sizeof(check->good));
}

/* ---- all ----------------------------------------------------------------------------------- */

/* The eight checks, and then the needs: disks last, for they may take long. */
static const struct {
    const char *step;
    struct ek_call_result (*check)(struct check *check);
} steps[] = {
    {"precheck-permission", permission},
    {"precheck-parameters", parameters},
    {"precheck-destination", destination},
    {"precheck-domain", domain},
    {"precheck-libvirt", libvirt},
    {"precheck-identity", identity},
    {"precheck-memory", memory},
    {"precheck-hypervisor", hypervisor},
    {"need-networks", need_networks},
    {"need-filters", need_filters},
    {"need-disks", need_disks},
};

struct ek_call_result ek_port_precheck(void *context, const struct ek_move_record *record,
                                       struct ek_findings *findings, ek_note note,
                                       void *note_context)
{
    struct check check = {.port = context,
                          .record = record,
                          .findings = findings,
                          .note = note,
                          .note_context = note_context};
    struct ek_call_result result = passed;

    *findings = (struct ek_findings){.preparation_count = 0};
    if (ek_move_stops(record->order.kind)) {
        return ek_stop_precheck(context, record, findings, note, note_context);
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result.ok; i++) {
        result = steps[i].check(&check);
        /* Every step is noted, passed ones, too: a move that was refused shows how far it came. */
        note(note_context, steps[i].step, result.ok ? check.good : result.error);
    }
    if (!result.ok) { /* what was reserved for it is free again */
        ek_arrivals_close(&check.port->arrivals, record);
    }
    ek_xpath_free(check.xml);
    ek_end_close(&check.destination);
    ek_end_close(&check.source);
    return result;
}
