/* Whether two hosts have the same storage at a path, and the errors that storage has. */
#include "migrator/disks.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

struct ek_call_result ek_fail_there(const struct ek_end *destination, const char *step)
{
    struct ek_call_result result = ek_end_fail(destination, step);

    if (result.failure != EK_FAILURE_SAME_PAIR) {
        result.failure = EK_FAILURE_OTHER_HOST;
    }
    return result;
}

bool ek_findings_add(struct ek_findings *findings, const struct ek_preparation *preparation,
                     const char *host, const char *step, struct ek_call_result *result)
{
    for (int i = 0; i < findings->preparation_count; i++) {
        if (findings->preparations[i].kind == preparation->kind &&
            strcmp(findings->preparations[i].what, preparation->what) == 0) {
            return true;
        }
    }
    if (findings->preparation_count == EK_PREPARATION_MOST) {
        *result = ek_fail(EK_FAILURE_DOMAIN, host, step,
                          "it needs more than %d networks, filters and disks to be prepared",
                          EK_PREPARATION_MOST);
        return false;
    }
    findings->preparations[findings->preparation_count++] = *preparation;
    return true;
}

/* ---- the marker ---------------------------------------------------------------------------- */

/* One name for each move: two tests at once do not mistake each other's marker. */
static void name_marker(const struct ek_move_record *record, char *name, size_t size)
{
    snprintf(name, size, "evenkeel-marker-%s", record->order.id);
}

static void remove_marker(virStoragePoolPtr pool, const char *name)
{
    EK_SCOPED_VOLUME virStorageVolPtr marker = virStorageVolLookupByName(pool, name);

    if (marker != NULL) {
        virStorageVolDelete(marker, 0);
    }
}

void ek_storage_forget_marker(const struct ek_end *source, const struct ek_move_record *record)
{
    EK_SCOPED_POOLS virStoragePoolPtr *pools = NULL;
    char name[EK_ID_SIZE + 32];

    name_marker(record, name, sizeof(name));
    if (virConnectListAllStoragePools(source->connection, &pools,
                                      VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE) < 0) {
        return;
    }
    for (size_t i = 0; pools[i] != NULL; i++) {
        remove_marker(pools[i], name);
    }
}

static bool make_marker(virStoragePoolPtr pool, const char *name)
{
    char xml[512];

    remove_marker(pool, name);
    snprintf(xml, sizeof(xml),
             "<volume><name>%s</name><capacity unit='bytes'>1</capacity><target>"
             "<format type='raw'/></target></volume>",
             name);
    EK_SCOPED_VOLUME virStorageVolPtr made = virStorageVolCreateXML(pool, xml, 0);

    return made != NULL;
}

static bool sees_marker(virStoragePoolPtr pool, const char *name, bool *told)
{
    *told = virStoragePoolRefresh(pool, 0) == 0;
    EK_SCOPED_VOLUME virStorageVolPtr seen = *told ? virStorageVolLookupByName(pool, name) : NULL;

    *told = *told && (seen != NULL || virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL);
    if (!*told) {
        ek_failure_keep();
    }
    return seen != NULL;
}

static bool test(virStoragePoolPtr here, virStoragePoolPtr there, const char *name, bool *told)
{
    bool seen;

    if (!make_marker(here, name)) {
        ek_failure_keep();
        *told = false;
        return false;
    }
    seen = sees_marker(there, name, told);
    remove_marker(here, name);
    if (seen) { /* it remembers a file that is gone now */
        virStoragePoolRefresh(there, 0);
    }
    return seen;
}

/* The two hosts and the directory; false: it does not fit. */
static bool write_key(const struct ek_end *source, const struct ek_end *destination,
                      const char *path, char *key, size_t size)
{
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? -1
                               : snprintf(key, size, "%s %s %.*s", source->link->name,
                                          destination->link->name, (int)(slash - path), path);

    return length >= 0 && (size_t)length < size;
}

static virStoragePoolPtr pool_of(const struct ek_end *end, const char *path)
{
    virStoragePoolPtr pool = ek_pool_around(end->connection, path);

    if (pool == NULL) {
        ek_failure_keep();
    }
    return pool;
}

bool ek_storage_is_same_now(struct ek_libvirt_port *port, const struct ek_end *source,
                            const struct ek_end *destination, const struct ek_move_record *record,
                            const char *path, bool *told)
{
    EK_SCOPED_POOL virStoragePoolPtr here = pool_of(source, path);
    EK_SCOPED_POOL virStoragePoolPtr there = pool_of(destination, path);
    char key[1024], name[EK_ID_SIZE + 32];
    bool same = false;

    *told = false;
    if (here == NULL || there == NULL) {
        return false;
    }
    name_marker(record, name, sizeof(name));
    same = test(here, there, name, told);
    if (*told && write_key(source, destination, path, key, sizeof(key))) {
        ek_arrivals_keep_storage(&port->arrivals, key, same);
    }
    return same;
}

bool ek_storage_is_same(struct ek_libvirt_port *port, const struct ek_end *source,
                        const struct ek_end *destination, const struct ek_move_record *record,
                        const char *path, bool *told)
{
    char key[1024];
    virError reason;
    bool same = false;

    *told = write_key(source, destination, path, key, sizeof(key)) &&
            ek_arrivals_storage(&port->arrivals, key, &same);
    if (!*told) {
        same = ek_storage_is_same_now(port, source, destination, record, path, told);
        ek_failure_take(&reason); /* what cannot be told fails nothing here */
    }
    return same;
}
