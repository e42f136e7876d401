/* What a host offers to domains, as the doctor compares it between hosts, and what a domain asks
 * for. */
#include "collector/inspect/inspect_internal.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/handles.h"
#include "collector/xml/domain_xml.h"
#include "collector/xml/host_xml.h"
#include "collector/xml/xml.h"

#include <string.h>

static bool nomem(struct ek_error *err, const char *host)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is seen of %s", host);
}

/* ---- pools --------------------------------------------------------------------------------- */

/* One that vanishes meanwhile, or whose XML is not understood, is passed over. */
static bool add_pool(struct ek_inspection *out, virStoragePoolPtr pool, struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virStoragePoolGetXMLDesc(pool, 0);
    struct ek_storage_pool read;
    struct ek_error bad = {0};
    int autostart = 0;

    if (xml == NULL || !ek_storage_pool_parse(&read, xml, &out->arena, &bad)) {
        return bad.code != EK_ERR_NOMEM || nomem(err, out->host);
    }
    (void)virStoragePoolGetAutostart(pool, &autostart);
    out->pools[out->pool_count++] =
        (struct ek_seen_pool){.name = read.name,
                              .type = read.type,
                              .target = read.target,
                              .source = read.source,
                              .shared = ek_storage_pool_is_shared(&read),
                              .active = virStoragePoolIsActive(pool) == 1,
                              .autostart = autostart != 0};
    return true;
}

static bool read_pools(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    EK_SCOPED_POOLS virStoragePoolPtr *pools = NULL;
    int count = virConnectListAllStoragePools(connection, &pools, 0);

    out->pools_seen = count >= 0;
    out->pools = ek_arena_alloc(&out->arena, count > 0 ? (size_t)count : 0, sizeof(*out->pools));
    bool ok = out->pools != NULL || nomem(err, out->host);
    for (int i = 0; ok && i < count; i++) {
        ok = add_pool(out, pools[i], err);
    }
    return ok;
}

/* ---- networks, and devices that are none ----------------------------------------------------- */

static bool read_networks(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    EK_SCOPED_NETWORKS virNetworkPtr *networks = NULL;
    int count = virConnectListAllNetworks(connection, &networks, 0);

    out->networks_seen = count >= 0;
    out->networks =
        ek_arena_alloc(&out->arena, count > 0 ? (size_t)count : 0, sizeof(*out->networks));
    bool ok = out->networks != NULL;
    for (int i = 0; ok && i < count; i++) {
        struct ek_seen_network *network = &out->networks[out->network_count++];
        int autostart = 0;
        (void)virNetworkGetAutostart(networks[i], &autostart);
        network->name = ek_arena_strdup(&out->arena, virNetworkGetName(networks[i]));
        network->active = virNetworkIsActive(networks[i]) == 1;
        network->autostart = autostart != 0;
        ok = network->name != NULL;
    }
    return ok || nomem(err, out->host);
}

static void devices_release(virNodeDevicePtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virNodeDeviceFree((*list)[i]);
    }
    free(*list);
}

/* NULL: it has vanished, or is none. */
static const char *interface_of(struct ek_inspection *out, virNodeDevicePtr device)
{
    EK_SCOPED_STRING char *text = virNodeDeviceGetXMLDesc(device, 0);
    struct ek_error bad = {0};
    EK_SCOPED(ek_xml_release)
    struct ek_xml *xml = text == NULL ? NULL : ek_xml_parse(text, &bad);

    return xml == NULL ? NULL : ek_xml_string(xml, "/device/capability/interface", &out->arena);
}

/* By both ways that libvirt has, of which a host may have neither: then nothing is given. */
static bool read_links(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    EK_SCOPED_INTERFACES virInterfacePtr *interfaces = NULL;
    EK_SCOPED(devices_release) virNodeDevicePtr *devices = NULL;
    int interface_count = virConnectListAllInterfaces(connection, &interfaces, 0);
    int device_count =
        virConnectListAllNodeDevices(connection, &devices, VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET);
    size_t room = (interface_count > 0 ? (size_t)interface_count : 0) +
                  (device_count > 0 ? (size_t)device_count : 0);
    const char **names = ek_arena_alloc(&out->arena, room, sizeof(*names));
    size_t count = 0;
    bool ok = names != NULL;

    for (int i = 0; ok && i < interface_count; i++) {
        names[count] = ek_arena_strdup(&out->arena, virInterfaceGetName(interfaces[i]));
        ok = names[count++] != NULL;
    }
    for (int i = 0; ok && i < device_count; i++) {
        names[count] = interface_of(out, devices[i]);
        count += names[count] != NULL ? 1 : 0;
    }
    out->links = (struct ek_strings){.items = names, .count = count, .given = count > 0};
    return ok || nomem(err, out->host);
}

/* ---- filters ------------------------------------------------------------------------------- */

static void filters_release(virNWFilterPtr **list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++) {
        (void)virNWFilterFree((*list)[i]);
    }
    free(*list);
}

/* UUIDs are random on each host, also of libvirt's stock filters: what follows them is compared. */
static bool add_filter(struct ek_inspection *out, virNWFilterPtr filter)
{
    static const char end[] = "</uuid>";
    EK_SCOPED_STRING char *text = virNWFilterGetXMLDesc(filter, 0);
    const char *behind = text == NULL ? NULL : strstr(text, end);

    if (behind == NULL) {
        return true;
    }
    struct ek_seen_filter *seen = &out->filters[out->filter_count++];
    seen->name = ek_arena_strdup(&out->arena, virNWFilterGetName(filter));
    seen->rules = ek_arena_strdup(&out->arena, behind);
    return seen->name != NULL && seen->rules != NULL;
}

static bool read_filters(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    EK_SCOPED(filters_release) virNWFilterPtr *filters = NULL;
    int count = virConnectListAllNWFilters(connection, &filters, 0);

    out->filters_seen = count >= 0;
    out->filters =
        ek_arena_alloc(&out->arena, count > 0 ? (size_t)count : 0, sizeof(*out->filters));
    bool ok = out->filters != NULL;
    for (int i = 0; ok && i < count; i++) {
        ok = add_filter(out, filters[i]);
    }
    return ok || nomem(err, out->host);
}

bool ek_inspect_offers(struct ek_inspection *out, virConnectPtr connection, struct ek_error *err)
{
    return read_pools(out, connection, err) && read_networks(out, connection, err) &&
           read_links(out, connection, err) && read_filters(out, connection, err);
}

/* ---- what a domain needs ------------------------------------------------------------------- */

struct names {
    struct ek_arena *arena;
    const char **items;
    size_t count;
};

static bool add_name(void *context, struct ek_xml *xml)
{
    struct names *names = context;
    const char *name = ek_xml_string(xml, ".", names->arena);

    for (size_t i = 0; name != NULL && i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    if (name != NULL) {
        names->items[names->count++] = name;
    }
    return true;
}

static bool read_names(struct ek_strings *out, struct ek_xml *xml, const char *expression,
                       struct ek_arena *arena)
{
    struct names names = {
        .arena = arena,
        .items = ek_arena_alloc(arena, ek_xml_count(xml, expression), sizeof(*names.items))};

    if (names.items == NULL) {
        return false;
    }
    (void)ek_xml_each(xml, expression, add_name, &names);
    *out = (struct ek_strings){.items = names.items, .count = names.count, .given = true};
    return true;
}

/* Emulation gives any CPU, and without <cpu> the machine's default is meant. */
static struct ek_seen_cpu read_cpu(struct ek_xml *xml, struct ek_arena *arena)
{
    if (ek_xml_has(xml, "/domain[@type='qemu']") || !ek_xml_has(xml, "/domain/cpu")) {
        return (struct ek_seen_cpu){.xml = NULL};
    }
    return (struct ek_seen_cpu){
        .xml = ek_xml_dump(xml, "/domain/cpu", arena),
        .type = ek_xml_string(xml, "/domain/@type", arena),
        .arch = ek_xml_string(xml, "/domain/os/type/@arch", arena),
        .machine = ek_xml_string(xml, "/domain/os/type/@machine", arena),
        .emulator = ek_xml_string(xml, "/domain/devices/emulator", arena),
    };
}

bool ek_inspect_needs(struct ek_seen_domain *out, const char *xml, const struct ek_host_facts *host,
                      struct ek_arena *arena, struct ek_error *err)
{
    struct ek_domain_xml domain;

    if (!ek_domain_xml_parse(&domain, xml, host, arena, err)) {
        return false;
    }
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(xml, err);
    if (document == NULL) {
        return false;
    }
    *out = (struct ek_seen_domain){.name = ek_xml_string(document, "/domain/name", arena),
                                   .uuid = ek_xml_string(document, "/domain/uuid", arena),
                                   .labels = domain.facts.labels,
                                   .memory_mib = domain.memory_mib,
                                   .pools = domain.facts.storages,
                                   .cpu = read_cpu(document, arena)};
    bool ok =
        read_names(&out->networks, document, "/domain/devices/interface/source/@network", arena) &&
        read_names(&out->bridges, document,
                   "/domain/devices/interface[@type='bridge']/source[not(@network)]/@bridge",
                   arena) &&
        read_names(&out->filters, document, "/domain/devices/interface/filterref/@filter", arena);
    if (!ok || ek_xml_failed(document)) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the needs of a domain");
    }
    return out->name != NULL ||
           ek_error_set(err, EK_ERR_INVALID, "found no name, expected a live domain's XML");
}
