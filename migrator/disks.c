/* Shared or local: asked of storage pools, since libvirt tells over the network nothing of file
 * systems. And of what is local, what the destination lacks. */
#include "migrator/disks.h"
#include "balancer/core/plural.h"

#include <stdio.h>
#include <string.h>

/* What the guest writes. A CD image or a read-only disk has no state that could be left behind. */
#define WRITABLE "/domain/devices/disk[@type='file' and not(readonly) and not(@device='cdrom')]"
#define READ_ONLY "/domain/devices/disk[@type='file' and (readonly or @device='cdrom')]"

static const char step[] = "need-disks";

enum { DEEPEST_CHAIN = 16, MOST_POOLS = 8, BYTES_PER_MIB = 1024 * 1024 };

/* Room that is needed in a directory of the destination. */
struct room {
    char directory[EK_PREPARATION_SIZE];
    double bytes;
};

struct search {
    struct ek_libvirt_port *port;
    const struct ek_end *source;
    const struct ek_end *destination;
    const struct ek_move_record *record;
    const struct ek_xpath *domain;
    struct ek_findings *findings;
    struct ek_call_result result;
    struct room rooms[MOST_POOLS];
    int disks;
    int bases;
};

static bool refuse(struct search *search, enum ek_failure failure, const char *what,
                   const char *path)
{
    bool of_domain = failure == EK_FAILURE_DOMAIN;

    search->result =
        ek_fail(failure, of_domain ? search->source->link->name : search->destination->link->name,
                step, "%.120s: %s", path, what);
    return false;
}

static bool broken(struct search *search, const struct ek_end *end)
{
    search->result =
        end == search->source ? ek_end_fail(end, step) : ek_fail_there(search->destination, step);
    return false;
}

/* ---- room ---------------------------------------------------------------------------------- */

static bool need_room(struct search *search, const char *path, double bytes)
{
    size_t length = (size_t)(strrchr(path, '/') - path);

    for (size_t i = 0; i < MOST_POOLS; i++) {
        struct room *room = &search->rooms[i];

        if (room->directory[0] == '\0') {
            snprintf(room->directory, sizeof(room->directory), "%.*s/", (int)length, path);
        }
        if (strncmp(room->directory, path, length + 1) == 0 &&
            room->directory[length + 1] == '\0') {
            room->bytes += bytes;
            return true;
        }
    }
    return refuse(search, EK_FAILURE_DOMAIN, "its disks are in too many directories", path);
}

/* A hundredth of a pool stays free: file systems that are full to the brim fail in odd ways. */
static bool has_room(struct search *search)
{
    for (size_t i = 0; i < MOST_POOLS && search->rooms[i].directory[0] != '\0'; i++) {
        EK_SCOPED_POOL virStoragePoolPtr pool =
            ek_pool_around(search->destination->connection, search->rooms[i].directory);
        virStoragePoolInfo info;

        if (pool == NULL || virStoragePoolGetInfo(pool, &info) < 0) {
            return broken(search, search->destination);
        }
        if ((double)info.available < search->rooms[i].bytes + (double)info.capacity / 100) {
            search->result =
                ek_fail(EK_FAILURE_OTHER_HOST, search->destination->link->name, step,
                        "pool %.60s has %.0f MiB left, %.0f MiB and a hundredth of it are needed",
                        virStoragePoolGetName(pool), (double)info.available / BYTES_PER_MIB,
                        search->rooms[i].bytes / BYTES_PER_MIB);
            return false;
        }
    }
    return true;
}

/* ---- backing files ------------------------------------------------------------------------- */

static bool same_outside(const struct ek_volume *here, const struct ek_volume *there)
{
    return here->physical == there->physical && strcmp(here->format, there->format) == 0 &&
           here->capacity == there->capacity;
}

/* What is in it is compared when it is prepared, which may take longer than a check. */
static bool need_base(struct search *search, const char *path, const struct ek_volume *here)
{
    struct ek_preparation base = {.kind = EK_PREPARATION_BASE,
                                  .size_mib = (double)here->physical / BYTES_PER_MIB};
    struct ek_volume there;
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    switch (ek_volume_find(search->destination->connection, path, &volume)) {
    case EK_SOUGHT_ERROR:
        return broken(search, search->destination);
    case EK_SOUGHT_ABSENT:
        if (!need_room(search, path, (double)here->allocated)) {
            return false;
        }
        break;
    case EK_SOUGHT_FOUND:
        if (!ek_volume_read(volume, &there)) {
            return broken(search, search->destination);
        }
        /* One that is being streamed there is not whole yet: it is waited for. */
        if (!same_outside(here, &there) &&
            !ek_arrivals_need_base(&search->port->arrivals, search->record, path)) {
            return refuse(search, EK_FAILURE_OTHER_HOST,
                          "a backing file that differs from the source's; it is not overwritten",
                          path);
        }
        break;
    }
    snprintf(base.what, sizeof(base.what), "%s", path);
    search->bases++;
    return ek_findings_add(search->findings, &base, search->destination->link->name, step,
                           &search->result);
}

/* 1: the base is local; 0: both hosts reach it; -1: refused. */
static int base_is_local(struct search *search, const char *path, struct ek_volume *here)
{
    EK_SCOPED_POOL virStoragePoolPtr pool = ek_pool_around(search->source->connection, path);
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    if (pool != NULL && ek_pool_is_network(pool)) {
        return 0;
    }
    if (pool == NULL ||
        ek_volume_find(search->source->connection, path, &volume) != EK_SOUGHT_FOUND) {
        refuse(search, EK_FAILURE_DOMAIN, "a backing file that is in no storage pool", path);
        return -1;
    }
    if (!ek_volume_read(volume, here)) {
        broken(search, search->source);
        return -1;
    }
    if (here->encrypted || !ek_volume_path_is_plain(path)) {
        refuse(search, EK_FAILURE_DOMAIN, "an encrypted backing file, or an unusual name", path);
        return -1;
    }
    return 1;
}

/* From the overlay down, then added from the deepest up: a file must find what it rests on. A raw
 * base ends the chain, whatever a probe of its content would say. */
static bool need_chain(struct search *search, const struct ek_volume *top, int depth)
{
    struct ek_volume base;
    int local;

    if (top->backing[0] == '\0') {
        return true;
    }
    if (depth == DEEPEST_CHAIN) {
        return refuse(search, EK_FAILURE_DOMAIN, "its chain of backing files is too long",
                      top->backing);
    }
    local = base_is_local(search, top->backing, &base);
    if (local <= 0) {
        return local == 0;
    }
    if (strcmp(top->backing_format, "raw") == 0) {
        base.backing[0] = '\0';
    }
    return need_chain(search, &base, depth + 1) && need_base(search, top->backing, &base);
}

/* ---- disks --------------------------------------------------------------------------------- */

bool ek_disk_describe(const struct ek_end *source, const struct ek_xpath *domain, const char *disk,
                      const char *path, struct ek_volume *out, uint64_t *capacity,
                      const char *of_step, struct ek_call_result *result)
{
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;
    virDomainBlockInfo info;
    char query[256];

    if (ek_volume_find(source->connection, path, &volume) != EK_SOUGHT_FOUND) {
        *result = ek_fail(EK_FAILURE_DOMAIN, source->link->name, of_step,
                          "%.120s: a disk that is in no storage pool", path);
        return false;
    }
    if (!ek_volume_read(volume, out) || virDomainGetBlockInfo(source->domain, disk, &info, 0) < 0) {
        *result = ek_end_fail(source, of_step);
        return false;
    }
    *capacity = info.capacity;
    snprintf(query, sizeof(query), "/domain/devices/disk[target/@dev='%s']/driver/@type", disk);
    ek_xpath_read(domain, query, out->format, sizeof(out->format));
    if (strcmp(out->format, "raw") == 0) {
        out->backing[0] = '\0';
    }
    if ((strcmp(out->format, "raw") == 0 || strcmp(out->format, "qcow2") == 0) && !out->encrypted &&
        ek_volume_path_is_plain(path)) {
        return true;
    }
    *result = ek_fail(EK_FAILURE_DOMAIN, source->link->name, of_step,
                      "%.120s: only plain raw and qcow2 files are copied", path);
    return false;
}

static bool need_copy(struct search *search, const char *path, const char *disk)
{
    struct ek_preparation overlay = {.kind = EK_PREPARATION_OVERLAY};
    struct ek_volume here;
    uint64_t capacity;

    if (strlen(path) >= sizeof(overlay.what) || strlen(disk) >= sizeof(overlay.disk)) {
        return refuse(search, EK_FAILURE_DOMAIN, "a path that is too long", path);
    }
    if (!ek_disk_describe(search->source, search->domain, disk, path, &here, &capacity, step,
                          &search->result) ||
        !need_chain(search, &here, 0) || !need_room(search, path, (double)here.allocated)) {
        return false;
    }
    snprintf(overlay.what, sizeof(overlay.what), "%s", path);
    snprintf(overlay.disk, sizeof(overlay.disk), "%s", disk);
    search->disks++;
    search->findings->copies_disks = true;
    return ek_findings_add(search->findings, &overlay, search->destination->link->name, step,
                           &search->result);
}

/* More often than not it is the domain's own: it came from there a moment ago. */
#define IN_THE_WAY                                                                  \
    "a file is in the way (on the host that a domain left, its old disk stays for " \
    "migration.disk_grace)"

/* The destination has a file at that path: the very same on shared storage, or one in the way. */
static bool is_no_other(struct search *search, const char *path)
{
    bool told;
    bool same = ek_storage_is_same(search->port, search->source, search->destination,
                                   search->record, path, &told);

    return same || !told || refuse(search, EK_FAILURE_OTHER_HOST, IN_THE_WAY, path);
}

static bool look_at_disk(struct search *search, const char *path, const char *disk)
{
    EK_SCOPED_POOL virStoragePoolPtr here = ek_pool_around(search->source->connection, path);

    if (here != NULL && ek_pool_is_network(here)) {
        return true;
    }
    EK_SCOPED_POOL virStoragePoolPtr there = ek_pool_around(search->destination->connection, path);
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    if (there == NULL) {
        return true; /* cannot be told: libvirt's own check is to tell */
    }
    switch (ek_volume_find(search->destination->connection, path, &volume)) {
    case EK_SOUGHT_FOUND:
        return here == NULL || is_no_other(search, path);
    case EK_SOUGHT_ABSENT:
        return need_copy(search, path, disk);
    case EK_SOUGHT_ERROR:
        break;
    }
    return broken(search, search->destination);
}

/* Not copied, so it must be there; where the destination has no pool it cannot be told. */
static bool look_at_read_only(struct search *search, const char *path)
{
    EK_SCOPED_POOL virStoragePoolPtr there = ek_pool_around(search->destination->connection, path);
    EK_SCOPED_VOLUME virStorageVolPtr volume = NULL;

    if (there == NULL || ek_pool_is_network(there) ||
        ek_volume_find(search->destination->connection, path, &volume) != EK_SOUGHT_ABSENT) {
        return true;
    }
    return refuse(search, EK_FAILURE_OTHER_HOST, "a read-only image that is not there", path);
}

static bool look_at_all(struct search *search)
{
    size_t count = ek_xpath_count(search->domain, WRITABLE "/source/@file");
    size_t read_only = ek_xpath_count(search->domain, READ_ONLY "/source/@file");

    for (size_t i = 0; i < count; i++) {
        /* The two lists run side by side: both name the same disks in the document's order. */
        EK_SCOPED_STRING char *path = ek_xpath_text(search->domain, WRITABLE "/source/@file", i);
        EK_SCOPED_STRING char *disk =
            ek_xpath_text(search->domain, WRITABLE "[source/@file]/target/@dev", i);

        if (path == NULL || disk == NULL || !look_at_disk(search, path, disk)) {
            return false;
        }
    }
    for (size_t i = 0; i < read_only; i++) {
        EK_SCOPED_STRING char *path = ek_xpath_text(search->domain, READ_ONLY "/source/@file", i);

        if (path == NULL || !look_at_read_only(search, path)) {
            return false;
        }
    }
    return has_room(search);
}

struct ek_call_result ek_disks_find(struct ek_libvirt_port *port, const struct ek_end *source,
                                    const struct ek_end *destination,
                                    const struct ek_move_record *record,
                                    const struct ek_xpath *domain, struct ek_findings *findings,
                                    char *good, size_t size)
{
    struct search search = {.port = port,
                            .source = source,
                            .destination = destination,
                            .record = record,
                            .domain = domain,
                            .findings = findings};

    search.result = ek_fail(EK_FAILURE_SAME_PAIR, source->link->name, step, "out of memory");
    if (look_at_all(&search)) {
        search.result = (struct ek_call_result){.ok = true};
        snprintf(good, size, "%d disk%s to be copied, on %d backing file%s", search.disks,
                 ek_plural((size_t)search.disks), search.bases, ek_plural((size_t)search.bases));
    }
    return search.result;
}
