/* The collector's port over libvirt: one read of one host, from the connection to the reading. */
#include "collector/libvirt/libvirt.h"

#include "collector/clock.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/dirty_calc.h"
#include "collector/libvirt/domain_facts.h"
#include "collector/libvirt/domain_stats.h"
#include "collector/libvirt/events.h"
#include "collector/libvirt/farewell.h"
#include "collector/libvirt/handles.h"
#include "collector/libvirt/host_facts.h"
#include "collector/libvirt/lookout.h"
#include "collector/libvirt/node.h"
#include "collector/libvirt/pressure.h"
#include "collector/sampling/turns.h"
#include "collector/xml/xml.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A host is read by one thread at a time (the pool sees to it), so that its connection, survey and
 * cache need no lock, and no two threads ever share a connection. Any failure closes the
 * connection: opening is cheap, and what half a broken one still says is not worth telling apart.
 */

/* How long the end waits for connections to be closed. The kernel closes those of hosts that hang,
 * at the latest when the process ends; their libvirtds notice. */
enum { CLOSE_MS = 2000 };

/* What is kept of a host between two reads. */
struct host {
    const char *name;
    const char *uri;
    virConnectPtr connection;   /* NULL: to be opened */
    struct ek_lookout *lookout; /* its events */
    struct ek_turns turns;
    struct ek_host_survey survey;
    struct ek_domain_cache domains;
    atomic_bool measured; /* its domains' dirty rates are wanted; set by other threads */
    struct ek_dirty_rates dirty;
    struct ek_dirty_choice next[EK_DIRTY_AT_ONCE]; /* to be measured after this read */
    size_t next_count;
    struct ek_arena next_arena; /* their strings */
};

struct ek_collector {
    struct host *hosts;
    size_t host_count;
    int connect_timeout_ms;
    struct ek_arena arena;
};

/* Also for a connection that is broken: only closing frees what the client holds. */
static void host_disconnect(struct host *host)
{
    if (host->connection != NULL) {
        ek_lookout_end(host->lookout, host->connection);
        (void)virConnectClose(host->connection);
    }
    host->connection = NULL;
}

/* After a reconnect all facts are asked for anew: the host may have changed meanwhile. */
static bool host_connect(const struct ek_collector *collector, struct host *host,
                         struct ek_error *err)
{
    if (host->connection == NULL) {
        host->connection = ek_libvirt_open(host->uri, collector->connect_timeout_ms, err);
        host->survey.due_at = host->turns.reads;
        ek_domain_cache_expire(&host->domains);
        if (host->connection != NULL) {
            ek_lookout_begin(host->lookout, host->connection);
        }
    }
    return host->connection != NULL;
}

/* Copied into each reading, since readings cross threads and outlive the next survey. */
static bool read_survey(struct host *host, struct ek_reading *out, struct ek_error *err)
{
    if (!ek_host_survey_refresh(&host->survey, host->connection, host->uri, host->turns.reads,
                                host->lookout, err)) {
        return false;
    }
    out->cpu_cores = host->survey.cpu_cores;
    return ek_host_facts_copy(&out->facts, &host->survey.facts, &out->arena, err);
}

static bool add_domain(struct host *host, const virDomainStatsRecord *record,
                       struct ek_reading *out, struct ek_error *err)
{
    /* Written into the next free place, which is kept only if the domain turns out to be present.
     */
    struct ek_domain_reading *domain = &out->domains[out->domain_count];
    bool present = false;

    if (!ek_domain_stats_read(domain, record, &out->arena, err) ||
        !ek_domain_cache_complete(&host->domains, domain, record->dom, &host->survey.facts,
                                  host->turns.reads, &out->arena, &present, err)) {
        return ek_error_wrap(err, "%s", host->uri);
    }
    out->domain_count += present ? 1 : 0;
    return true;
}

/* NOWAIT: a domain in a job (an incoming migration) is passed over where it would have to be waited
 * for, instead of holding up the whole host for 30 s. */
static bool read_domains(struct host *host, struct ek_reading *out, struct ek_error *err)
{
    EK_SCOPED_RECORDS virDomainStatsRecordPtr *records = NULL;
    /* The others cost a query of each QEMU (VCPU some 40 fields per vCPU on top, BLOCK two queries)
     * or a file per card, hence not each time. */
    unsigned int groups =
        VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON;

    if (ek_turns_all(&host->turns)) {
        groups |= VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
    }
    /* One call for all domains: libvirtd walks them one after another on its side, and one that it
     * has passed may leave before the others are told of. So a sample is as old as the asking: a
     * move that ended after that is newer than what the sample shows. */
    out->taken_at_ms = ek_unix_ms();
    int count = virConnectGetAllDomainStats(host->connection, groups, &records,
                                            VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                                VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0) {
        return ek_libvirt_error(err, host->uri, "cannot read the statistics of the domains");
    }
    /* Stamped as soon as the counters are here: what follows may ask for facts and take its time.
     */
    out->monotonic_ns = ek_monotonic_ns();
    out->domains = ek_arena_alloc(&out->arena, (size_t)count, sizeof(*out->domains));
    if (out->domains == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory for %d domains", host->uri,
                            count);
    }
    for (int i = 0; i < count; i++) {
        if (!add_domain(host, records[i], out, err)) {
            return false;
        }
    }
    /* Only after a read that saw all domains: half a list would make the other half forget what is
     * known of it. */
    ek_domain_cache_sweep(&host->domains, host->turns.reads);
    ek_dirty_calc_collect(&host->dirty, records, (size_t)count);
    ek_dirty_fill(&host->dirty, out);
    return true;
}

/* The reading changes hands before they are measured: their names are copied. Without memory for
 * that nothing is measured this time. */
static void choose_measured(struct host *host, const struct ek_reading *reading)
{
    ek_arena_finish(&host->next_arena);
    host->next_count =
        atomic_load(&host->measured) ? ek_dirty_choose(&host->dirty, reading, host->next) : 0;
    for (size_t i = 0; i < host->next_count; i++) {
        host->next[i].uuid = ek_arena_strdup(&host->next_arena, host->next[i].uuid);
        if (host->next[i].uuid == NULL) {
            host->next_count = i;
        }
    }
}

static void collector_after(void *context, size_t index)
{
    const struct ek_collector *collector = context;
    struct host *host = &collector->hosts[index];

    for (size_t i = 0; i < host->next_count; i++) {
        ek_dirty_calc_start(&host->dirty, host->connection, host->next[i].uuid, host->next[i].id);
    }
    host->next_count = 0;
}

/* On the machine itself the kernel tells more than libvirt does. */
static void read_pressure(const struct host *host, struct ek_reading *out)
{
    if (!ek_pressure_is_local(host->uri)) {
        return;
    }
    ek_pressure_of_host(&out->pressure, &ek_pressure_here);
    for (size_t i = 0; i < out->domain_count; i++) {
        ek_pressure_of_domain(&out->domains[i].pressure, out->domains[i].name, &ek_pressure_here);
    }
}

static bool read_counters(struct host *host, struct ek_reading *out, struct ek_error *err)
{
    out->asked_ns = ek_monotonic_ns();
    return ek_node_read(host->connection, host->uri, out, err) && read_domains(host, out, err);
}

static bool collector_read(void *context, size_t index, struct ek_reading *out,
                           struct ek_error *err)
{
    const struct ek_collector *collector = context;

    /* The pool reads by index into the list that it was created with. */
    assert(index < collector->host_count);
    struct host *host = &collector->hosts[index];
    memset(out, 0, sizeof(*out));
    /* Survey before domains: a domain's networks and storages are judged by what its host offers.
     */
    if (host_connect(collector, host, err) && read_survey(host, out, err) &&
        read_counters(host, out, err)) {
        read_pressure(host, out);
        choose_measured(host, out);
        ek_turns_note(&host->turns, out);
        return true;
    }
    host_disconnect(host);
    ek_reading_finish(out);
    return ek_error_wrap(err, "%s", host->name);
}

/* The configuration may be gone at the next reload; a collector lives on its own copies. */
static bool copy_hosts(struct ek_collector *collector, const struct ek_collector_config *config)
{
    struct host *hosts = ek_arena_alloc(&collector->arena, config->host_count, sizeof(*hosts));

    for (size_t i = 0; hosts != NULL && i < config->host_count; i++) {
        hosts[i].name = ek_arena_strdup(&collector->arena, config->hosts[i].name);
        hosts[i].uri = ek_arena_strdup(&collector->arena, config->hosts[i].uri);
        hosts[i].lookout = ek_lookout_create(i);
        atomic_init(&hosts[i].measured, false);
        ek_dirty_init(&hosts[i].dirty, config->dirty_every_ms);
        /* Counted one by one: whoever destroys the collector frees the lookouts that it has. */
        collector->hosts = hosts;
        collector->host_count = i + 1;
        if (hosts[i].name == NULL || hosts[i].uri == NULL || hosts[i].lookout == NULL) {
            return false;
        }
    }
    return hosts != NULL;
}

struct ek_collector *ek_collector_create(const struct ek_collector_config *config,
                                         struct ek_error *err)
{
    /* Both before any thread parses or opens: libxml2's globals and libvirt's loop are set up once.
     */
    ek_xml_init();
    if (!ek_libvirt_events_start(err)) {
        return NULL;
    }
    struct ek_collector *collector = calloc(1, sizeof(*collector));
    if (collector == NULL || !copy_hosts(collector, config)) {
        ek_collector_destroy(collector);
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a collector of %zu hosts",
                           config->host_count);
        return NULL;
    }
    collector->connect_timeout_ms = config->connect_timeout_ms;
    return collector;
}

static void collector_listen(void *context, ek_port_hint *hint, void *receiver)
{
    const struct ek_collector *collector = context;

    for (size_t i = 0; i < collector->host_count; i++) {
        ek_lookout_direct(collector->hosts[i].lookout, hint, receiver);
    }
}

struct ek_collector_port ek_collector_port(struct ek_collector *collector)
{
    return (struct ek_collector_port){.read = collector_read,
                                      .after = collector_after,
                                      .listen = collector_listen,
                                      .context = collector};
}

void ek_collector_measure(struct ek_collector *collector, size_t host, bool wanted)
{
    assert(host < collector->host_count);
    atomic_store(&collector->hosts[host].measured, wanted);
}

/* To close takes six round trips: each callback holds the connection, so that it stays open until
 * the last one is deregistered. */
static void part_from(void *context, size_t index)
{
    const struct ek_collector *collector = context;

    host_disconnect(&collector->hosts[index]);
}

static void collector_free(void *context)
{
    struct ek_collector *collector = context;

    /* Caches and surveys hold no handles of the connections. */
    for (size_t i = 0; i < collector->host_count; i++) {
        ek_lookout_destroy(collector->hosts[i].lookout);
        ek_domain_cache_finish(&collector->hosts[i].domains);
        ek_dirty_finish(&collector->hosts[i].dirty);
        ek_arena_finish(&collector->hosts[i].next_arena);
        ek_host_survey_finish(&collector->hosts[i].survey);
    }
    ek_arena_finish(&collector->arena);
    free(collector);
}

void ek_collector_destroy(void *context)
{
    const struct ek_collector *collector = context;

    if (collector != NULL) {
        (void)ek_farewell(&(struct ek_farewell_work){.count = collector->host_count,
                                                     .each = part_from,
                                                     .finish = collector_free,
                                                     .context = context},
                          CLOSE_MS);
    }
}
