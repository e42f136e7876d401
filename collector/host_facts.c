/* What changes seldom of a host: what it is, and what it offers to domains. Read after connecting
 * and each 20th read. */
#include "collector/host_facts.h"

#include "collector/connect.h"
#include "collector/handles.h"
#include "collector/node.h"

#include <string.h>

/* The survey is made into a fresh struct and swapped in whole: a host that fails half way through
 * keeps its last complete facts. */

static bool out_of_memory(struct ek_error *err, const char *uri)
{
    return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory for the facts of the host", uri);
}

/* "QEMU 7.2.22": libvirt packs a version as major * 1000000 + minor * 1000 + release. */
static bool read_hypervisor(struct ek_host_survey *survey, virConnectPtr connection,
                            const char *uri, struct ek_error *err)
{
    /* The version of the hypervisor (QEMU), not of libvirt: it decides whether a migrated guest can
     * be loaded. */
    const char *type = virConnectGetType(connection);
    unsigned long version = 0;

    if (type == NULL || virConnectGetVersion(connection, &version) < 0) {
        return ek_libvirt_error(err, uri, "cannot read the hypervisor's version");
    }
    survey->facts.hypervisor =
        ek_arena_printf(&survey->arena, "%s %lu.%lu.%lu", type, version / 1000000,
                        version / 1000 % 1000, version % 1000);
    return survey->facts.hypervisor != NULL || out_of_memory(err, uri);
}

static bool read_capabilities(struct ek_host_survey *survey, virConnectPtr connection,
                              const char *uri, struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virConnectGetCapabilities(connection);

    if (xml == NULL) {
        return ek_libvirt_error(err, uri, "cannot read the capabilities of the host");
    }
    return ek_capabilities_parse(&survey->facts, xml, &survey->arena, err) ||
           ek_error_wrap(err, "%s: capabilities", uri);
}

/* A network and its bridge may share a name, and the bridge is an interface as well. */
static bool add_name(struct ek_host_survey *survey, const char **names, size_t *count,
                     const char *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    names[*count] = ek_arena_strdup(&survey->arena, name);
    return names[(*count)++] != NULL;
}

static bool add_network(struct ek_host_survey *survey, const char **names, size_t *count,
                        virNetworkPtr network)
{
    /* Both names are offered: a domain's live XML may refer to either. */
    EK_SCOPED_STRING char *bridge = virNetworkGetBridgeName(network); /* NULL: has none */

    return add_name(survey, names, count, virNetworkGetName(network)) &&
           (bridge == NULL || add_name(survey, names, count, bridge));
}

static bool read_networks(struct ek_host_survey *survey, virConnectPtr connection, const char *uri,
                          struct ek_error *err)
{
    EK_SCOPED_NETWORKS virNetworkPtr *networks = NULL;
    EK_SCOPED_INTERFACES virInterfacePtr *interfaces = NULL;
    /* A failure gives -1 and no list: a host without these drivers is no error. */
    int network_count =
        virConnectListAllNetworks(connection, &networks, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
    int interface_count =
        virConnectListAllInterfaces(connection, &interfaces, VIR_CONNECT_LIST_INTERFACES_ACTIVE);
    /* Each network gives up to two names; an arena cannot lengthen what it handed out. */
    size_t room = (network_count > 0 ? 2 * (size_t)network_count : 0) +
                  (interface_count > 0 ? (size_t)interface_count : 0);
    const char **names = ek_arena_alloc(&survey->arena, room, sizeof(*names));
    size_t count = 0;
    bool done = names != NULL;

    for (int i = 0; done && i < network_count; i++) {
        done = add_network(survey, names, &count, networks[i]);
    }
    for (int i = 0; done && i < interface_count; i++) {
        done = add_name(survey, names, &count, virInterfaceGetName(interfaces[i]));
    }
    /* "given" tells a host that has no networks from one that cannot say: only the former is a
     * reason to keep a domain away. */
    survey->facts.networks =
        (struct ek_strings){.items = names, .count = count, .given = network_count >= 0};
    return done || out_of_memory(err, uri);
}

/* A pool that vanishes between list and query is passed over. */
static bool add_pool(struct ek_host_survey *survey, virStoragePoolPtr pool, const char **names,
                     struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virStoragePoolGetXMLDesc(pool, 0);
    struct ek_storage_pool *out = &survey->pools.items[survey->pools.count];

    if (xml == NULL) {
        return true;
    }
    if (!ek_storage_pool_parse(out, xml, &survey->arena, err)) {
        return ek_error_wrap(err, "storage pool %s", virStoragePoolGetName(pool));
    }
    names[survey->pools.count++] = out->name;
    return true;
}

static bool read_storages(struct ek_host_survey *survey, virConnectPtr connection, const char *uri,
                          struct ek_error *err)
{
    EK_SCOPED_POOLS virStoragePoolPtr *pools = NULL;
    int found =
        virConnectListAllStoragePools(connection, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
    /* Active pools only: of an inactive one libvirt does not know what lies in it. */
    size_t room = found > 0 ? (size_t)found : 0;
    const char **names = ek_arena_alloc(&survey->arena, room, sizeof(*names));

    survey->pools.items = ek_arena_alloc(&survey->arena, room, sizeof(*survey->pools.items));
    if (names == NULL || survey->pools.items == NULL) {
        return out_of_memory(err, uri);
    }
    for (size_t i = 0; i < room; i++) {
        if (!add_pool(survey, pools[i], names, err)) {
            return ek_error_wrap(err, "%s", uri);
        }
    }
    survey->facts.storages =
        (struct ek_strings){.items = names, .count = survey->pools.count, .given = found >= 0};
    return true;
}

bool ek_host_survey_read(struct ek_host_survey *survey, virConnectPtr connection, const char *uri,
                         struct ek_error *err)
{
    struct ek_host_survey fresh = {0};

    if (ek_node_cpu_cores(connection, uri, &fresh.cpu_cores, err) &&
        read_hypervisor(&fresh, connection, uri, err) &&
        read_capabilities(&fresh, connection, uri, err) &&
        read_networks(&fresh, connection, uri, err) &&
        read_storages(&fresh, connection, uri, err)) {
        ek_host_survey_finish(survey);
        *survey = fresh;
        return true;
    }
    ek_host_survey_finish(&fresh);
    return false;
}

void ek_host_survey_finish(struct ek_host_survey *survey)
{
    ek_arena_finish(&survey->arena);
    memset(survey, 0, sizeof(*survey));
}
