/* Capabilities and storage pools, out of the XML that libvirt describes them with. */
#include "collector/xml/host_xml.h"

#include "collector/libvirt/handles.h"
#include "collector/xml/xml.h"

#include <math.h>
#include <string.h>

/* Only what the sample carries is read; the documents hold far more. */

bool ek_storage_pool_is_shared(const struct ek_storage_pool *pool)
{
    /* The types whose data lie on the host itself. All others (netfs, iscsi, rbd, gluster and those
     * to come) lead elsewhere. A directory may be a mounted NFS all the same: the migrator tries
     * that out before it copies anything (migrator/storage.c). */
    static const char *const local[] = {"dir", "fs", "logical", "disk", "zfs"};

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (strcmp(pool->type, local[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* A cell may have CPUs alone, or memory alone (a device's). What is free is not in the document. */
static bool add_cell(void *context, struct ek_xml *xml)
{
    struct ek_numa_cells *cells = context;
    double id = ek_xml_number(xml, "@id");
    double cpus = ek_xml_number(xml, "count(cpus/cpu)");
    double kib = ek_xml_number(xml, "memory[@unit='KiB']");

    if (id >= 0 && id <= UINT32_MAX && cpus >= 0) {
        cells->items[cells->count++] =
            (struct ek_numa_cell){.id = (uint32_t)id,
                                  .cpus = (uint32_t)cpus,
                                  .memory_mib = kib >= 0 ? kib / 1024 : 0,
                                  .free_mib = NAN};
    }
    return true;
}

static bool read_cells(struct ek_numa_cells *out, struct ek_xml *document, struct ek_arena *arena)
{
    static const char path[] = "/capabilities/host/topology/cells/cell";

    *out = (struct ek_numa_cells){
        .items = ek_arena_alloc(arena, ek_xml_count(document, path), sizeof(*out->items))};
    return out->items != NULL && ek_xml_each(document, path, add_cell, out);
}

bool ek_capabilities_parse(struct ek_host_facts *facts, const char *xml, struct ek_arena *arena,
                           struct ek_error *err)
{
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(xml, err);

    if (document == NULL) {
        return false;
    }
    /* The board's UUID, unless host_uuid is set in libvirtd.conf: cheap boards share one, and
     * libvirt then refuses to migrate between them. */
    facts->uuid = ek_xml_string(document, "/capabilities/host/uuid", arena);
    facts->cpu_model = ek_xml_string(document, "/capabilities/host/cpu/model", arena);
    return (read_cells(&facts->numa_cells, document, arena) && !ek_xml_failed(document)) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for the capabilities");
}

/* Where a pool's volumes really are, as people write it. */
static const char *read_source(struct ek_xml *document, struct ek_arena *arena)
{
#define PLACE "(/pool/source/dir | /pool/source/device)/@path"
    const char *name = ek_xml_string(document, "/pool/source/name", arena);
    bool remote = ek_xml_has(document, "/pool/source/host");

    return name != NULL
               ? name
               : ek_xml_string(document,
                               remote ? "concat(/pool/source/host/@name, ':', " PLACE ")" : PLACE,
                               arena);
#undef PLACE
}

/* NAN where the document does not say. */
static double read_mib(struct ek_xml *document, const char *expression)
{
    return ek_xml_number(document, expression) / (1024.0 * 1024.0);
}

bool ek_storage_pool_parse(struct ek_storage_pool *pool, const char *xml, struct ek_arena *arena,
                           struct ek_error *err)
{
    EK_SCOPED(ek_xml_release) struct ek_xml *document = ek_xml_parse(xml, err);

    if (document == NULL) {
        return false;
    }
    /* Pools of files have a target, the directory; rbd and gluster have a source name, below which
     * their images are named. */
    *pool = (struct ek_storage_pool){
        .name = ek_xml_string(document, "/pool/name", arena),
        .type = ek_xml_string(document, "/pool/@type", arena),
        .target = ek_xml_string(document, "/pool/target/path", arena),
        .source = read_source(document, arena),
        .capacity_mib = read_mib(document, "/pool/capacity[@unit='bytes']"),
        .allocation_mib = read_mib(document, "/pool/allocation[@unit='bytes']"),
        .available_mib = read_mib(document, "/pool/available[@unit='bytes']"),
    };
    if (ek_xml_failed(document)) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a storage pool");
    }
    return (pool->name != NULL && pool->type != NULL) ||
           ek_error_set(err, EK_ERR_INVALID, "found no <pool> with type and name");
}
