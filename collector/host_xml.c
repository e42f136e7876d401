/* Capabilities and storage pools, out of the XML that libvirt describes them with. */
#include "collector/host_xml.h"

#include "collector/handles.h"
#include "collector/xml.h"

#include <string.h>

/* Only what the sample carries is read; the documents hold far more. */

bool ek_storage_pool_is_shared(const struct ek_storage_pool *pool)
{
    /* The types whose data lie on the host itself. All others (netfs, iscsi, rbd, gluster and those
     * to come) lead elsewhere; a directory may be a mounted NFS all the same, which is what
     * shared_paths is for. */
    static const char *const local[] = {"dir", "fs", "logical", "disk", "zfs"};

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (strcmp(pool->type, local[i]) == 0) {
            return false;
        }
    }
    return true;
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
    return !ek_xml_failed(document) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for the capabilities");
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
        .source = ek_xml_string(document, "/pool/source/name", arena),
    };
    if (ek_xml_failed(document)) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a storage pool");
    }
    return (pool->name != NULL && pool->type != NULL) ||
           ek_error_set(err, EK_ERR_INVALID, "found no <pool> with type and name");
}
