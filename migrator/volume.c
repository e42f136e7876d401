/* Finding, describing and making volumes. */
#include "migrator/volume.h"

#include "collector/libvirt/handles.h"
#include "migrator/failure.h"
#include "migrator/xpath.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- pools --------------------------------------------------------------------------------- */

/* Pool types that lead to storage of the network, whatever their directory is called. */
static const char *const network_pools[] = {"netfs", "gluster", "vstorage"};

virStoragePoolPtr ek_pool_around(virConnectPtr connection, const char *path)
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

bool ek_pool_is_network(virStoragePoolPtr pool)
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

/* ---- volumes ------------------------------------------------------------------------------- */

/* A pool in which a volume is being made is not refreshed: a matter of a moment. */
enum { BUSY_LOOKS = 50, BUSY_NS = 100000000 };

static bool is_busy(void)
{
    const char *message = virGetLastErrorMessage();

    return message != NULL && strstr(message, "asynchronous jobs") != NULL;
}

bool ek_pool_refresh_around(virConnectPtr connection, const char *path)
{
    EK_SCOPED_POOL virStoragePoolPtr pool = ek_pool_around(connection, path);

    for (int looks = 0; pool != NULL && looks < BUSY_LOOKS; looks++) {
        if (virStoragePoolRefresh(pool, 0) == 0) {
            return true;
        }
        ek_failure_keep();
        if (!is_busy()) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = BUSY_NS}, NULL);
    }
    ek_failure_keep();
    return false;
}

enum ek_sought ek_volume_find(virConnectPtr connection, const char *path, virStorageVolPtr *out)
{
    virStorageVolInfo info;

    /* A pool remembers what it saw when it was last refreshed; the file itself is asked for. */
    *out = virStorageVolLookupByPath(connection, path);
    if (*out != NULL && virStorageVolGetInfo(*out, &info) == 0) {
        return EK_SOUGHT_FOUND;
    }
    if (*out != NULL) {
        virStorageVolFree(*out);
        *out = NULL;
    }
    if (!ek_pool_refresh_around(connection, path)) {
        return EK_SOUGHT_ERROR;
    }
    *out = virStorageVolLookupByPath(connection, path);
    if (*out != NULL) {
        return EK_SOUGHT_FOUND;
    }
    return virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL ? EK_SOUGHT_ABSENT : EK_SOUGHT_ERROR;
}

static uint64_t read_bytes(const struct ek_xpath *xml, const char *path)
{
    char text[32];

    /* libvirt writes these figures in bytes. */
    return ek_xpath_read(xml, path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static bool describe(const struct ek_xpath *xml, struct ek_volume *out)
{
    static const char backing[] = "/volume/backingStore/path";

    memset(out, 0, sizeof(*out));
    ek_xpath_read(xml, "/volume/target/format/@type", out->format, sizeof(out->format));
    ek_xpath_read(xml, "/volume/backingStore/format/@type", out->backing_format,
                  sizeof(out->backing_format));
    ek_xpath_read(xml, "/volume/target/timestamps/mtime", out->changed, sizeof(out->changed));
    ek_xpath_read(xml, "/volume/target/permissions/owner", out->owner, sizeof(out->owner));
    ek_xpath_read(xml, "/volume/target/permissions/group", out->group, sizeof(out->group));
    ek_xpath_read(xml, "/volume/target/permissions/mode", out->mode, sizeof(out->mode));
    out->capacity = read_bytes(xml, "/volume/capacity");
    out->allocated = read_bytes(xml, "/volume/allocation");
    out->physical = read_bytes(xml, "/volume/physical");
    out->encrypted = ek_xpath_count(xml, "/volume/target/encryption") > 0;
    return ek_xpath_read(xml, backing, out->backing, sizeof(out->backing)) ||
           ek_xpath_count(xml, backing) == 0;
}

bool ek_volume_read(virStorageVolPtr volume, struct ek_volume *out)
{
    EK_SCOPED_STRING char *text = virStorageVolGetXMLDesc(volume, 0);
    struct ek_xpath *xml = text == NULL ? NULL : ek_xpath_parse(text);
    bool read = xml != NULL && describe(xml, out);

    ek_xpath_free(xml);
    return read;
}

bool ek_volume_path_is_plain(const char *path)
{
    return path[0] == '/' && strpbrk(path, "<>&'\"") == NULL;
}

/* ---- making -------------------------------------------------------------------------------- */

static void write_rights(const struct ek_volume *like, char *out, size_t size)
{
    out[0] = '\0';
    if (like->mode[0] != '\0' && like->owner[0] != '\0' && like->group[0] != '\0') {
        snprintf(out, size,
                 "<permissions><mode>%s</mode><owner>%s</owner><group>%s</group></permissions>",
                 like->mode, like->owner, like->group);
    }
}

static void write_backing(const struct ek_volume *like, char *out, size_t size)
{
    out[0] = '\0';
    if (like->backing[0] != '\0') {
        snprintf(out, size, "<backingStore><path>%s</path><format type='%s'/></backingStore>",
                 like->backing, like->backing_format);
    }
}

bool ek_volume_make(virConnectPtr connection, const char *path, const struct ek_volume *like,
                    uint64_t capacity)
{
    EK_SCOPED_POOL virStoragePoolPtr pool = ek_pool_around(connection, path);
    const char *compat = strcmp(like->format, "qcow2") == 0 ? "<compat>1.1</compat>" : "";
    char rights[4 * EK_VOLUME_TEXT_SIZE];
    char backing[2 * EK_PREPARATION_SIZE];
    char xml[2048];

    if (pool == NULL) {
        return false;
    }
    write_rights(like, rights, sizeof(rights));
    write_backing(like, backing, sizeof(backing));
    snprintf(xml, sizeof(xml),
             "<volume><name>%s</name><capacity unit='bytes'>%llu</capacity>"
             "<allocation unit='bytes'>0</allocation>"
             "<target><format type='%s'/>%s%s</target>%s</volume>",
             strrchr(path, '/') + 1, (unsigned long long)capacity, like->format, compat, rights,
             backing);
    /* libvirt refuses a name that the pool knows, and a file that it finds at the path. */
    EK_SCOPED_VOLUME virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);

    if (volume == NULL) {
        ek_failure_keep();
    }
    return volume != NULL;
}

/* ---- users --------------------------------------------------------------------------------- */

static bool names_path(const char *text, const char *query, const char *path)
{
    struct ek_xpath *xml = ek_xpath_parse(text);
    size_t count = xml == NULL ? 0 : ek_xpath_count(xml, query);
    bool found = xml == NULL; /* not read: it might */

    for (size_t i = 0; i < count && !found; i++) {
        EK_SCOPED_STRING char *name = ek_xpath_text(xml, query, i);

        found = name == NULL || strcmp(name, path) == 0;
    }
    ek_xpath_free(xml);
    return found;
}

/* After a call of libvirt that failed: what is gone meanwhile uses nothing; what is there and
 * cannot be read might. */
static bool may_use(int code_when_gone)
{
    return virGetLastErrorCode() != code_when_gone;
}

/* A disk that names pool and volume names no path: resolved like libvirt does. */
static bool names_volume(virConnectPtr connection, const char *text, const char *path)
{
    EK_SCOPED_VOLUME virStorageVolPtr volume = virStorageVolLookupByPath(connection, path);

    if (volume == NULL) {
        return may_use(VIR_ERR_NO_STORAGE_VOL);
    }
    return names_path(text, "//disk/source[@pool]/@volume", virStorageVolGetName(volume));
}

/* What is live or what is to come, by `flags`: a definition may differ from what runs. */
static bool definition_uses(virConnectPtr connection, virDomainPtr domain, unsigned int flags,
                            const char *path, char *who, size_t size)
{
    EK_SCOPED_STRING char *text = virDomainGetXMLDesc(domain, flags);

    if (text == NULL && may_use(VIR_ERR_NO_DOMAIN)) {
        snprintf(who, size, "domain %.100s, perhaps: it cannot be read", virDomainGetName(domain));
        return true;
    }
    if (text == NULL || (!names_path(text, "//source/@file | //source/@dev", path) &&
                         !names_volume(connection, text, path))) {
        return false;
    }
    snprintf(who, size, "domain %.100s", virDomainGetName(domain));
    return true;
}

static bool domain_uses(virConnectPtr connection, const char *path, char *who, size_t size)
{
    EK_SCOPED_DOMAINS virDomainPtr *domains = NULL;

    if (virConnectListAllDomains(connection, &domains, 0) < 0) {
        snprintf(who, size, "a domain, perhaps: they cannot be listed");
        return true;
    }
    for (size_t i = 0; domains[i] != NULL; i++) {
        if (definition_uses(connection, domains[i], 0, path, who, size) ||
            definition_uses(connection, domains[i], VIR_DOMAIN_XML_INACTIVE, path, who, size)) {
            return true;
        }
    }
    return false;
}

static bool rests_on(virStorageVolPtr volume, const char *path, char *who, size_t size)
{
    EK_SCOPED_STRING char *text = virStorageVolGetXMLDesc(volume, 0);

    if (text == NULL && may_use(VIR_ERR_NO_STORAGE_VOL)) {
        snprintf(who, size, "volume %.100s, perhaps: it cannot be read",
                 virStorageVolGetName(volume));
        return true;
    }
    if (text == NULL || !names_path(text, "/volume/backingStore/path", path)) {
        return false;
    }
    snprintf(who, size, "volume %.100s", virStorageVolGetName(volume));
    return true;
}

static bool pool_uses(virStoragePoolPtr pool, const char *path, char *who, size_t size)
{
    virStorageVolPtr *volumes = NULL;
    int count = virStoragePoolListAllVolumes(pool, &volumes, 0);
    bool used = count < 0 && may_use(VIR_ERR_NO_STORAGE_POOL);

    if (used) {
        snprintf(who, size, "a volume, perhaps: pool %.100s cannot be listed",
                 virStoragePoolGetName(pool));
    }
    for (int i = 0; i < count; i++) {
        used = used || rests_on(volumes[i], path, who, size);
        virStorageVolFree(volumes[i]);
    }
    free(volumes);
    return used;
}

static bool volume_uses(virConnectPtr connection, const char *path, char *who, size_t size)
{
    EK_SCOPED_POOLS virStoragePoolPtr *pools = NULL;

    if (virConnectListAllStoragePools(connection, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE) <
        0) {
        snprintf(who, size, "a volume, perhaps: the pools cannot be listed");
        return true;
    }
    for (size_t i = 0; pools[i] != NULL; i++) {
        if (pool_uses(pools[i], path, who, size)) {
            return true;
        }
    }
    return false;
}

bool ek_volume_is_used(virConnectPtr connection, const char *path, char *who, size_t size)
{
    return domain_uses(connection, path, who, size) || volume_uses(connection, path, who, size);
}
