/* What changes seldom of a host: what it is, and what it offers to domains. Read after connecting
 * and each 20th read. */
#include "collector/libvirt/host_facts.h"

#include "collector/libvirt/connect.h"
#include "collector/libvirt/handles.h"
#include "collector/libvirt/node.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_MIB (1024.0 * 1024.0)

/* libvirt's protocol carries no more, nor has Linux. */
enum { MOST_CELLS = 1024 };

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

/* libvirt gives them by the cells' numbers, which may have gaps. Without them the cells stand there
 * all the same. */
static void read_free_memory(struct ek_host_survey *survey, virConnectPtr connection)
{
    unsigned long long free_bytes[MOST_CELLS] = {0};
    const struct ek_numa_cells *cells = &survey->facts.numa_cells;
    int count =
        cells->count == 0 ? 0 : virNodeGetCellsFreeMemory(connection, free_bytes, 0, MOST_CELLS);

    for (size_t i = 0; count > 0 && i < cells->count; i++) {
        if (cells->items[i].id < (unsigned int)count) {
            cells->items[i].free_mib = (double)free_bytes[cells->items[i].id] / BYTES_PER_MIB;
        }
    }
}

static bool read_capabilities(struct ek_host_survey *survey, virConnectPtr connection,
                              const char *uri, struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virConnectGetCapabilities(connection);

    if (xml == NULL) {
        return ek_libvirt_error(err, uri, "cannot read the capabilities of the host");
    }
    if (!ek_capabilities_parse(&survey->facts, xml, &survey->arena, err)) {
        return ek_error_wrap(err, "%s: capabilities", uri);
    }
    read_free_memory(survey, connection);
    return true;
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

/* A pool that vanishes between list and query is passed over. Its room stands in its XML: no call
 * of its own. */
static bool add_pool(struct ek_storage_pools *out, virStoragePoolPtr pool, struct ek_arena *arena,
                     struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virStoragePoolGetXMLDesc(pool, 0);

    if (xml == NULL) {
        return true;
    }
    if (!ek_storage_pool_parse(&out->items[out->count], xml, arena, err)) {
        return ek_error_wrap(err, "storage pool %s", virStoragePoolGetName(pool));
    }
    out->count++;
    return true;
}

static int compare_pools(const void *left, const void *right)
{
    const struct ek_storage_pool *a = left;
    const struct ek_storage_pool *b = right;

    return strcmp(a->name, b->name);
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
    struct ek_storage_pools fresh = {
        .items = ek_arena_alloc(&survey->arena, room, sizeof(*fresh.items))};

    if (names == NULL || fresh.items == NULL) {
        return out_of_memory(err, uri);
    }
    for (size_t i = 0; i < room; i++) {
        if (!add_pool(&fresh, pools[i], &survey->arena, err)) {
            return ek_error_wrap(err, "%s", uri);
        }
    }
    /* libvirt lists them in any order; the same pools are to give the same sample. */
    qsort(fresh.items, fresh.count, sizeof(*fresh.items), compare_pools);
    for (size_t i = 0; i < fresh.count; i++) {
        names[i] = fresh.items[i].name;
    }
    survey->facts.storage_pools = fresh;
    survey->facts.storages =
        (struct ek_strings){.items = names, .count = fresh.count, .given = found >= 0};
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

bool ek_host_survey_refresh(struct ek_host_survey *survey, virConnectPtr connection,
                            const char *uri, int64_t reads, struct ek_lookout *lookout,
                            struct ek_error *err)
{
    if (reads < survey->due_at && reads < survey->told_due_at) {
        return true;
    }
    /* Taken before it is asked for: what comes to be told meanwhile is for the next time. */
    unsigned int told = ek_lookout_told(lookout);

    if (reads >= survey->due_at) {
        if (!ek_host_survey_read(survey, connection, uri, err)) {
            return false;
        }
        survey->due_at = reads + EK_FACTS_EVERY_READS;
    } else if (told == 0) {
        return true;
    } else if (((told & EK_TOLD_NETWORKS) != 0 && !read_networks(survey, connection, uri, err)) ||
               ((told & EK_TOLD_POOLS) != 0 && !read_storages(survey, connection, uri, err))) {
        return false; /* what they replaced stays in the arena until the next whole survey */
    }
    survey->told_due_at = reads + EK_SELDOM_EVERY_READS;
    return true;
}

void ek_host_survey_finish(struct ek_host_survey *survey)
{
    ek_arena_finish(&survey->arena);
    memset(survey, 0, sizeof(*survey));
}
