/* One careful look at a host, for the doctor. */
#include "collector/inspect.h"

#include "collector/connect.h"
#include "collector/domain_xml.h"
#include "collector/events.h"
#include "collector/handles.h"
#include "collector/host_facts.h"
#include "collector/xml.h"

#include <string.h>

#define QEMU_CONF "/etc/libvirt/qemu.conf"

/* Longer than any answer on a network takes; a firewall that drops is waited for in full. */
enum { PORT_TIMEOUT_MS = 1000 };

bool ek_inspect_begin(struct ek_error *err)
{
    ek_xml_init();
    return ek_libvirt_events_start(err);
}

void ek_inspect_end(void)
{
    ek_libvirt_events_stop();
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
                      const struct ek_domain_surroundings *around, struct ek_arena *arena,
                      struct ek_error *err)
{
    struct ek_domain_xml domain;

    if (!ek_domain_xml_parse(&domain, xml, around, arena, err)) {
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

/* A domain that vanishes meanwhile, or whose XML nobody can read, has no disks to speak of. */
static bool read_domain(struct ek_inspection *out, virDomainPtr domain,
                        const struct ek_domain_surroundings *around, size_t *room,
                        struct ek_error *err)
{
    enum { MOST_DISKS = 64 };
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(domain, 0);
    struct ek_error bad = {0};

    if (text == NULL) {
        return true;
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
    return ek_inspect_disks(out->disks, &out->disk_count, text, around, &out->arena, &bad) ||
           bad.code != EK_ERR_NOMEM || nomem(err, out->host);
}

static bool read_domains(struct ek_inspection *out, virConnectPtr connection,
                         const struct ek_host_survey *survey, struct ek_error *err)
{
    static const struct ek_strings no_paths = {.count = 0};
    const struct ek_domain_surroundings around = {
        .host = &survey->facts, .pools = &survey->pools, .shared_paths = &no_paths};
    EK_SCOPED_DOMAINS virDomainPtr *domains = NULL;
    size_t room = 0;
    bool ok = true;
    int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    for (int i = 0; ok && i < count; i++) {
        ok = read_domain(out, domains[i], &around, &room, err);
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

static bool read_host(struct ek_inspection *out, virConnectPtr connection, const char *uri,
                      struct ek_error *err)
{
    struct ek_host_survey survey = {.cpu_cores = 0};
    struct ek_error bad = {0};

    if (!ek_host_survey_read(&survey, connection, uri, &bad)) {
        out->why_not = ek_arena_strdup(&out->arena, bad.message);
        return out->why_not != NULL || nomem(err, out->host);
    }
    out->uuid = ek_arena_strdup(&out->arena, survey.facts.uuid);
    bool ok = read_domains(out, connection, &survey, err);
    ek_host_survey_finish(&survey);
    return ok;
}

bool ek_inspect_host(struct ek_inspection *out, const char *host, const char *uri, int timeout_ms,
                     struct ek_error *err)
{
    struct ek_error bad = {0};
    struct ek_endpoint end;

    memset(out, 0, sizeof(*out));
    out->host = ek_arena_strdup(&out->arena, host);
    bool ok = out->host != NULL || nomem(err, host);
    bool parsed = ok && ek_endpoint_parse(&end, uri, &bad);
    if (parsed) {
        out->local = !end.remote;
        out->pacemaker = pacemaker_of(&end);
        ok = !out->local || ek_qemu_conf_read(&out->conf, QEMU_CONF, &out->arena, err);
    }
    EK_SCOPED_CONNECT virConnectPtr connection =
        parsed && ok ? ek_libvirt_open(uri, timeout_ms, &bad) : NULL;
    if (ok && connection == NULL) {
        out->why_not = ek_arena_strdup(&out->arena, bad.message);
        ok = out->why_not != NULL || nomem(err, host);
    } else if (ok) {
        ok = read_host(out, connection, uri, err);
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
