/* One careful look at a host, for the doctor. */
#include "collector/inspect/inspect.h"

#include "collector/inspect/crew.h"
#include "collector/inspect/inspect_internal.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/events.h"
#include "collector/libvirt/handles.h"
#include "collector/libvirt/host_facts.h"
#include "collector/xml/domain_xml.h"
#include "collector/xml/xml.h"

#include <math.h>
#include <string.h>

#define QEMU_CONF "/etc/libvirt/qemu.conf"

/* Longer than any answer on a network takes; a firewall that drops is waited for in full. */
enum { PORT_TIMEOUT_MS = 1000 };

bool ek_inspect_begin(struct ek_error *err)
{
    ek_xml_init();
    return ek_libvirt_events_start(err);
}

bool ek_inspect_end(void)
{
    if (ek_crew_left_behind() > 0) {
        return false; /* who hangs may still need the events */
    }
    ek_libvirt_events_stop();
    return true;
}

static bool nomem(struct ek_error *err, const char *host)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is seen of %s", host);
}

/* ---- disks --------------------------------------------------------------------------------- */

struct disk_parse {
    const struct ek_domain_xml *domain;
    const char *name;
    bool relabels;
    bool leased;
    struct ek_shared_disk *disks;
    size_t *count;
    struct ek_arena *arena;
};

static bool is_one_of(const struct ek_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Written files and devices; what of them is this host's alone the domain's facts say already. */
static bool visit_disk(void *context, struct ek_xml *xml)
{
    static const char *const places[] = {"source/@file", "source/@dev", "source/@volume"};
    struct disk_parse *parse = context;
    const char *source = NULL;

    for (size_t i = 0; source == NULL && i < sizeof(places) / sizeof(places[0]); i++) {
        source = ek_xml_string(xml, places[i], parse->arena);
    }
    if (source == NULL || is_one_of(&parse->domain->local_disks, source)) {
        return true;
    }
    const char *target = ek_xml_string(xml, "target/@dev", parse->arena);
    parse->disks[(*parse->count)++] = (struct ek_shared_disk){
        .domain = parse->name,
        .target = target == NULL ? "" : target,
        .source = source,
        .relabels = parse->relabels && !ek_xml_has(xml, "source/seclabel[@relabel='no' and"
                                                        " (@model='dac' or not(@model))]"),
        .leased = parse->leased};
    return true;
}

#define WRITTEN_DISKS "/domain/devices/disk[@device='disk' and not(readonly)]"

bool ek_inspect_disks(struct ek_shared_disk *disks, size_t *count, const char *xml,
                      const struct ek_host_facts *host, struct ek_arena *arena,
                      struct ek_error *err)
{
    struct ek_domain_xml domain;

    if (!ek_domain_xml_parse(&domain, xml, host, arena, err)) {
        return false;
    }
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(xml, err);
    if (document == NULL) {
        return false;
    }
    struct disk_parse parse = {
        .domain = &domain,
        .name = ek_xml_string(document, "/domain/name", arena),
        .relabels = !ek_xml_has(document, "/domain/seclabel[@model='dac' and @relabel='no']"),
        .leased = ek_xml_has(document, "/domain/devices/lease"),
        .disks = disks,
        .count = count,
        .arena = arena};
    (void)ek_xml_each(document, WRITTEN_DISKS, visit_disk, &parse);
    return !ek_xml_failed(document) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for the disks of a domain");
}

/* Grown by doubling: a document tells how many disks it has only when it is read. */
static struct ek_shared_disk *room_for(struct ek_inspection *out, size_t more, size_t *room)
{
    if (out->disk_count + more <= *room) {
        return out->disks;
    }
    size_t wanted = 2 * (out->disk_count + more);
    struct ek_shared_disk *grown = ek_arena_alloc(&out->arena, wanted, sizeof(*grown));
    if (grown != NULL && out->disk_count > 0) {
        memcpy(grown, out->disks, out->disk_count * sizeof(*grown));
    }
    *room = wanted;
    return grown;
}

/* A domain that vanishes meanwhile, or whose XML nobody can read, has nothing to speak of. */
static bool read_domain(struct ek_inspection *out, virDomainPtr domain,
                        const struct ek_host_facts *host, size_t *room, struct ek_error *err)
{
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(domain, 0);
    struct ek_error bad = {0};

    if (text == NULL) {
        return true;
    }
    if (ek_inspect_needs(&out->domains[out->domain_count], text, host, &out->arena, &bad)) {
        out->domain_count++;
    } else if (bad.code == EK_ERR_NOMEM) {
        return nomem(err, out->host);
    }
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(text, &bad);
    size_t disks = document == NULL ? 0 : ek_xml_count(document, WRITTEN_DISKS);
    if (disks == 0) {
        return true;
    }
    out->disks = room_for(out, disks, room);
    if (out->disks == NULL) {
        return nomem(err, out->host);
    }
    return ek_inspect_disks(out->disks, &out->disk_count, text, host, &out->arena, &bad) ||
           bad.code != EK_ERR_NOMEM || nomem(err, out->host);
}

static bool read_domains(struct ek_inspection *out, virConnectPtr connection,
                         const struct ek_host_survey *survey, struct ek_error *err)
{
    EK_SCOPED_DOMAINS virDomainPtr *domains = NULL;
    size_t room = 0;
    int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    out->domains =
        ek_arena_alloc(&out->arena, count > 0 ? (size_t)count : 0, sizeof(*out->domains));
    bool ok = out->domains != NULL || nomem(err, out->host);

    for (int i = 0; ok && i < count; i++) {
        ok = read_domain(out, domains[i], &survey->facts, &room, err);
    }
    return ok;
}

/* ---- the host ------------------------------------------------------------------------------ */

/* Of what Pacemaker listens on: pcsd for its tools, pacemaker_remote for hosts without corosync.
 * corosync itself speaks UDP, which answers nobody who does not belong. */
static const char *pacemaker_of(const struct ek_endpoint *end)
{
    static const struct {
        uint16_t port;
        const char *text;
    } ports[] = {{2224, "TCP port 2224 (pcsd) answers"},
                 {3121, "TCP port 3121 (pacemaker_remote) answers"}};
    const char *process = end->remote ? NULL : ek_pacemaker_process("/proc");

    if (process != NULL) {
        return strcmp(process, "corosync") == 0 ? "corosync runs" : "pacemakerd runs";
    }
    for (size_t i = 0; end->remote && i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ek_port_answers(end->host, ports[i].port, PORT_TIMEOUT_MS)) {
            return ports[i].text;
        }
    }
    return NULL;
}

/* Facts that other hosts are compared by; what the host does not say is left as not known. */
static bool read_identity(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    EK_SCOPED_STRING char *own_name = virConnectGetHostname(connection);
    EK_SCOPED_STRING char *text = virConnectGetCapabilities(connection);
    const char *type = virConnectGetType(connection);
    struct ek_error bad = {0};
    virNodeInfo node;

    out->hypervisor = type == NULL ? NULL : ek_arena_strdup(&out->arena, type);
    out->own_name = own_name == NULL ? NULL : ek_arena_strdup(&out->arena, own_name);
    (void)virConnectGetVersion(connection, &out->version);
    (void)virConnectGetLibVersion(connection, &out->lib_version);
    out->memory_mib = virNodeGetInfo(connection, &node) < 0 ? NAN : (double)node.memory / 1024;
    EK_SCOPED(ek_xml_release)
    struct ek_xml *xml = text == NULL ? NULL : ek_xml_parse(text, &bad);
    if (xml != NULL) {
        out->cpu.xml = ek_xml_dump(xml, "/capabilities/host/cpu", &out->arena);
    }
    return ((type == NULL) == (out->hypervisor == NULL) &&
            (own_name == NULL) == (out->own_name == NULL) && bad.code != EK_ERR_NOMEM &&
            (xml == NULL || !ek_xml_failed(xml))) ||
           nomem(err, out->host);
}

static bool read_host(struct ek_inspection *out, virConnectPtr connection,
                      const struct ek_endpoint *end, const struct ek_inspect_order *order,
                      struct ek_error *err)
{
    struct ek_host_survey survey = {.cpu_cores = 0};
    struct ek_error bad = {0};

    if (!ek_host_survey_read(&survey, connection, order->uri, &bad)) {
        out->why_not = ek_arena_strdup(&out->arena, bad.message);
        return out->why_not != NULL || nomem(err, out->host);
    }
    out->uuid = survey.facts.uuid == NULL ? NULL : ek_arena_strdup(&out->arena, survey.facts.uuid);
    bool ok = (survey.facts.uuid == NULL || out->uuid != NULL || nomem(err, out->host)) &&
              read_identity(out, connection, err) && ek_inspect_offers(out, connection, err) &&
              read_domains(out, connection, &survey, err) &&
              ek_inspect_arrivals(out, end, order->migration_uri, err);
    ek_host_survey_finish(&survey);
    return ok;
}

/* Without a connection: what the URI says, what this machine shows, and Pacemaker's ports. */
static bool read_outside(struct ek_inspection *out, const struct ek_endpoint *end,
                         struct ek_error *err)
{
    out->local = !end->remote;
    out->ssh = end->ssh;
    out->pacemaker = pacemaker_of(end);
    return !out->local || ek_qemu_conf_read(&out->conf, QEMU_CONF, &out->arena, err);
}

bool ek_inspect_host(struct ek_inspection *out, const struct ek_inspect_order *order,
                     int timeout_ms, struct ek_error *err)
{
    struct ek_error bad = {0};
    struct ek_endpoint end;

    *out = (struct ek_inspection){.memory_mib = NAN};
    out->host = ek_arena_strdup(&out->arena, order->name);
    out->uri = ek_arena_strdup(&out->arena, order->uri);
    bool ok = (out->host != NULL && out->uri != NULL) || nomem(err, order->name);
    bool parsed = ok && ek_endpoint_parse(&end, order->uri, &bad);
    ok = ok && (!parsed || read_outside(out, &end, err));
    EK_SCOPED_CONNECT virConnectPtr connection =
        parsed && ok ? ek_libvirt_open(order->uri, timeout_ms, &bad) : NULL;
    if (ok && connection == NULL) {
        out->why_not = ek_arena_strdup(&out->arena, bad.message);
        ok = out->why_not != NULL || nomem(err, order->name);
    } else if (ok) {
        ok = read_host(out, connection, &end, order, err);
    }
    if (!ok) {
        ek_inspection_finish(out);
    }
    return ok;
}

void ek_inspection_finish(struct ek_inspection *inspection)
{
    ek_arena_finish(&inspection->arena);
    memset(inspection, 0, sizeof(*inspection));
}
