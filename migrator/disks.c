/* Shared or local: asked of storage pools, since libvirt tells over the network nothing of file
 * systems. */
#include "migrator/disks.h"

#include "collector/handles.h"

#include <stdio.h>
#include <string.h>

/* Only what the guest writes: a CD image or a read-only disk has no state that could be left
 * behind. */
#define WRITABLE_FILE \
    "/domain/devices/disk[@type='file' and not(readonly) and not(@device='cdrom')]"

/* Pool types that lead to storage of the network, whatever their directory is called. */
static const char *const network_pools[] = {"netfs", "gluster", "vstorage"};

/* The pool over the file's directory; NULL when there is none. */
static virStoragePoolPtr pool_of(virConnectPtr connection, const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[1024];

    /* Pools are looked up by the very directory: a file further below has none, which counts as
     * "cannot tell". */
    if (slash == NULL || (size_t)(slash - path) >= sizeof(directory)) {
        return NULL;
    }
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    return virStoragePoolLookupByTargetPath(connection, directory);
}

static bool is_network_pool(virStoragePoolPtr pool)
{
    EK_SCOPED_STRING char *text = virStoragePoolGetXMLDesc(pool, 0);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    char type[32] = "";
    bool found = false;

    /* What cannot be read is no network pool: then the destination is asked for the file. */
    if (xml != NULL) {
        ek_xpath_read(xml, "/pool/@type", type, sizeof(type));
    }
    for (size_t i = 0; i < sizeof(network_pools) / sizeof(network_pools[0]); i++) {
        found = found || strcmp(type, network_pools[i]) == 0;
    }
    ek_xpath_free(xml);
    return found;
}

static bool sees(virConnectPtr connection, virStoragePoolPtr pool, const char *path)
{
    EK_SCOPED_VOLUME virStorageVolPtr known = virStorageVolLookupByPath(connection, path);

    if (known != NULL) {
        return true;
    }
    /* A pool remembers what it saw when it was last refreshed. */
    if (virStoragePoolRefresh(pool, 0) < 0) {
        return true; /* not verified: libvirt's own check is to tell */
    }
    EK_SCOPED_VOLUME virStorageVolPtr volume = virStorageVolLookupByPath(connection, path);

    return volume != NULL;
}

/* Local only when the destination looked and lacks the file: a wrong "local" forbids a move that
 * libvirt would do well. */
static bool is_local(const char *path, virConnectPtr source, virConnectPtr destination)
{
    EK_SCOPED_POOL virStoragePoolPtr here = pool_of(source, path);

    if (here != NULL && is_network_pool(here)) {
        return false;
    }
    EK_SCOPED_POOL virStoragePoolPtr there = pool_of(destination, path);

    return there != NULL && !sees(destination, there, path);
}

bool ek_disks_are_local(const struct ek_xpath *domain, virConnectPtr source,
                        virConnectPtr destination, char *why, size_t size)
{
    size_t count = ek_xpath_count(domain, WRITABLE_FILE "/source/@file");

    for (size_t i = 0; i < count; i++) {
        /* The two lists run side by side: both name the same disks in the document's order. */
        EK_SCOPED_STRING char *path = ek_xpath_text(domain, WRITABLE_FILE "/source/@file", i);
        EK_SCOPED_STRING char *name =
            ek_xpath_text(domain, WRITABLE_FILE "[source/@file]/target/@dev", i);

        if (path != NULL && is_local(path, source, destination)) {
            snprintf(why, size,
                     "disk %s (%.120s) is on local storage; such disks are not copied yet",
                     name == NULL ? "?" : name, path);
            return true;
        }
    }
    return false;
}
