/* What changes seldom of a domain, kept per host between reads: its XML costs a call per domain,
 * statistics one call for all. */
#include "collector/libvirt/domain_facts.h"

#include "balancer/core/plural.h"
#include "collector/libvirt/connect.h"
#include "collector/libvirt/domain_stats.h"
#include "collector/libvirt/handles.h"

#include <libvirt/virterror.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* uthash ends the process when memory runs out, unless told to say so instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) (entry_lost = true)
#include <uthash.h>

/* An entry is one life of a domain on this host: a new id (a restart, a return by migration) makes
 * its facts and held gauges void. Entries that a read does not see are swept at its end. */

/* A copy in transit for so many reads was left behind: where libvirt does not say whether a
 * migration comes in, and where it says that none does (a read may fall between two steps). */
enum { TRANSIT_READS = 30, NO_JOB_READS = 2 };

static const char in_hand[] = "a migration has it in hand, or left it behind";

#define BYTES_PER_MIB (1024.0 * 1024.0)

struct ek_domain_entry {
    char uuid[VIR_UUID_STRING_BUFLEN];
    int id;
    int64_t read_again_at; /* of the host's reads */
    int64_t seen_at;
    int transit_id;        /* in transit under this id, not known otherwise; 0: not */
    int64_t transit_since; /* of the host's reads */
    bool left_behind;      /* taken for it under this id; libvirt may yet say that it comes in */
    double memory_mib;
    double memory_rss_mib; /* NAN until it was said */
    struct ek_domain_facts facts;
    struct ek_arena arena; /* of the facts */
    UT_hash_handle hh;
};

static struct ek_domain_entry *entry_find(const struct ek_domain_cache *cache, const char *uuid)
{
    struct ek_domain_entry *entry = NULL;

    HASH_FIND_STR(cache->entries, uuid, entry);
    return entry;
}

/* No id yet: 0 is no id of a running domain, so that the first read always asks for the facts. */
static struct ek_domain_entry *entry_create(struct ek_domain_cache *cache, const char *uuid,
                                            struct ek_error *err)
{
    struct ek_domain_entry *entry = calloc(1, sizeof(*entry));
    bool entry_lost = false;

    if (entry != NULL) {
        (void)snprintf(entry->uuid, sizeof(entry->uuid), "%s", uuid);
        HASH_ADD_STR(cache->entries, uuid, entry);
    }
    if (entry == NULL || entry_lost) {
        free(entry);
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the facts of domain %s", uuid);
        return NULL;
    }
    cache->created++;
    return entry;
}

static void entry_drop(struct ek_domain_cache *cache, struct ek_domain_entry *entry)
{
    /* Taken out before it is freed: uthash walks through its neighbours' handles. */
    HASH_DEL(cache->entries, entry);
    ek_arena_finish(&entry->arena);
    free(entry);
}

static bool is_one_of(const struct ek_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Sum of block.N.physical of the disks whose block.N.path is among `paths`. */
static double sum_of_sizes(const virDomainStatsRecord *record, const struct ek_strings *paths)
{
    unsigned int disks = 0;
    double bytes = 0.0;

    /* Looked up by name, unlike the bulk statistics: this is one domain with a handful of disks,
     * and each 10th to 20th read only. */
    (void)virTypedParamsGetUInt(record->params, record->nparams, "block.count", &disks);
    for (unsigned int i = 0; i < disks; i++) {
        /* physical is the size of the file, without its backing chain; capacity would be the disk
         * that the guest sees. */
        char field[VIR_TYPED_PARAM_FIELD_LENGTH];
        const char *path = NULL;
        unsigned long long physical = 0;
        (void)snprintf(field, sizeof(field), "block.%u.path", i);
        (void)virTypedParamsGetString(record->params, record->nparams, field, &path);
        (void)snprintf(field, sizeof(field), "block.%u.physical", i);
        (void)virTypedParamsGetULLong(record->params, record->nparams, field, &physical);
        if (path != NULL && is_one_of(paths, path)) {
            bytes += (double)physical;
        }
    }
    return bytes / BYTES_PER_MIB;
}

/* 0 when a job keeps libvirt from saying; the next reading of the facts asks again. */
static double local_disk_mib(virDomainPtr handle, const struct ek_strings *paths)
{
    EK_SCOPED_RECORDS virDomainStatsRecordPtr *records = NULL;
    virDomainPtr domains[] = {handle, NULL};

    if (paths->count == 0 || virDomainListGetStats(domains, VIR_DOMAIN_STATS_BLOCK, &records,
                                                   VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) < 1) {
        return 0.0;
    }
    return sum_of_sizes(records[0], paths);
}

/* libvirt refuses a domain with snapshots at the very beginning of a migration. A count of -1 (not
 * supported, or vanished) says nothing and is passed over. */
static void judge_snapshots(struct ek_domain_facts *facts, virDomainPtr handle,
                            struct ek_arena *arena)
{
    int count = facts->movable ? virDomainSnapshotNum(handle, 0) : 0;

    if (count > 0) {
        facts->movable = false;
        facts->immovable_reason = ek_arena_printf(arena, "%d snapshot%s, which libvirt cannot move",
                                                  count, ek_plural((size_t)count));
    }
}

/* Reads XML and what it does not say. Errors: as ek_libvirt_error, those of the parser. */
static bool facts_read(struct ek_domain_xml *out, virDomainPtr handle,
                       const struct ek_host_facts *host, struct ek_arena *arena,
                       struct ek_error *err)
{
    EK_SCOPED_STRING char *xml = virDomainGetXMLDesc(handle, 0);

    if (xml == NULL) {
        return ek_libvirt_error(err, virDomainGetName(handle), "cannot read its XML");
    }
    if (!ek_domain_xml_parse(out, xml, host, arena, err)) {
        return ek_error_wrap(err, "%s", virDomainGetName(handle));
    }
    judge_snapshots(&out->facts, handle, arena);
    out->facts.local_disk_mib = local_disk_mib(handle, &out->local_disks);
    return true;
}

/* What can be said of a domain whose XML cannot be read; older facts of the same id stand. */
static bool facts_missing(struct ek_domain_entry *entry, const struct ek_domain_reading *domain,
                          int64_t reads, struct ek_error *err)
{
    if (entry->id != domain->id) {
        ek_arena_finish(&entry->arena);
        entry->facts = (struct ek_domain_facts){
            .vcpus = isnan(domain->facts.vcpus) ? 1.0 : domain->facts.vcpus,
            .immovable_reason = ek_arena_strdup(&entry->arena, err->message)};
        entry->memory_rss_mib = NAN;
        entry->memory_mib = domain->memory_mib;
        entry->id = domain->id;
    }
    entry->read_again_at = reads + 1;
    return true;
}

/* The arena is taken over as a whole: the facts point into it. */
static void entry_fill(struct ek_domain_entry *entry, const struct ek_domain_xml *xml,
                       struct ek_arena *arena, int id)
{
    ek_arena_finish(&entry->arena);
    entry->arena = *arena;
    entry->facts = xml->facts;
    entry->left_behind = false;
    entry->memory_mib = xml->memory_mib;
    /* The held gauge belongs to the QEMU process that is gone. */
    if (entry->id != id) {
        entry->id = id;
        entry->memory_rss_mib = NAN;
    }
}

/* *present false: the domain vanished before it could be asked. */
static bool entry_refresh(struct ek_domain_cache *cache, struct ek_domain_entry *entry,
                          const struct ek_domain_reading *domain, virDomainPtr handle,
                          const struct ek_host_facts *host, int64_t reads, bool *present,
                          struct ek_error *err)
{
    struct ek_arena arena = {0};
    struct ek_domain_xml xml;

    if (!facts_read(&xml, handle, host, &arena, err)) {
        ek_arena_finish(&arena);
        *present = err->code != EK_ERR_NOT_FOUND;
        return err->code != EK_ERR_UNAVAILABLE && err->code != EK_ERR_NOMEM &&
               facts_missing(entry, domain, reads, err);
    }
    entry_fill(entry, &xml, &arena, domain->id);
    /* Domains that were found together shall not all be asked again together. */
    entry->read_again_at =
        reads + EK_FACTS_EVERY_READS - cache->created % (EK_FACTS_EVERY_READS / 2);
    return true;
}

/* Whether a migration into the domain runs. libvirt refuses statistics of an incoming job, and only
 * of that, at once and without waiting for it. A domain that is only being started answers no such
 * question before it has started: it is not asked. */
enum incoming_job { JOB_COMES_IN, NO_JOB_COMES_IN, NOT_SAID };

static enum incoming_job incoming_job(const struct ek_domain_reading *domain, virDomainPtr handle)
{
    EK_SCOPED_PARAMS struct ek_params params = {NULL, 0};
    int type = VIR_DOMAIN_JOB_NONE;

    if (ek_domain_stats_starting(domain)) {
        return NOT_SAID;
    }
    if (virDomainGetJobStats(handle, &type, &params.items, &params.count, 0) == 0) {
        return NO_JOB_COMES_IN;
    }
    return virGetLastErrorCode() == VIR_ERR_OPERATION_UNSUPPORTED ? JOB_COMES_IN : NOT_SAID;
}

/* What is in transit and not known here is arriving, as a rule: its source reports it. But it may
 * be what a migration left behind, paused, perhaps the only copy that there is: when it stays so,
 * or was there before we looked first, its host is not empty. */
static bool is_incoming(struct ek_domain_entry *entry, const struct ek_domain_reading *domain,
                        virDomainPtr handle, int64_t reads)
{
    enum incoming_job job = incoming_job(domain, handle);
    int64_t patience = job == NOT_SAID ? TRANSIT_READS : NO_JOB_READS;

    if (entry->transit_id != domain->id) {
        entry->transit_id = domain->id;
        entry->transit_since = reads;
    }
    entry->seen_at = reads;
    return job == JOB_COMES_IN ||
           (entry->transit_since > 0 && reads - entry->transit_since < patience);
}

/* Its source tells its facts; here only what it takes counts. Nothing of it is kept: when it runs
 * here, it is asked as if it had just appeared. */
static bool mark_incoming(struct ek_domain_reading *domain, struct ek_arena *arena, bool *present,
                          struct ek_error *err)
{
    const struct ek_domain_facts facts = {.vcpus = isnan(domain->facts.vcpus) ? 1.0
                                                                              : domain->facts.vcpus,
                                          .immovable_reason = in_hand};

    domain->incoming = true;
    *present = !isnan(domain->memory_mib);
    return ek_domain_facts_copy(&domain->facts, &facts, arena, err);
}

/* Held gauges in both directions: what is new is kept, what is missing is filled in. */
static void hold(double *kept, double *now)
{
    if (isnan(*now)) {
        *now = *kept;
    } else {
        *kept = *now;
    }
}

bool ek_domain_cache_complete(struct ek_domain_cache *cache, struct ek_domain_reading *domain,
                              virDomainPtr handle, const struct ek_host_facts *host, int64_t reads,
                              struct ek_arena *arena, bool *present, struct ek_error *err)
{
    struct ek_domain_entry *entry = entry_find(cache, domain->uuid);
    bool in_transit = ek_domain_stats_in_transit(domain);
    bool known = entry != NULL && entry->id == domain->id && !entry->left_behind;

    *present = true;
    domain->incoming = false;
    if (entry == NULL) {
        entry = entry_create(cache, domain->uuid, err);
        if (entry == NULL) {
            return false;
        }
    }
    if (in_transit && !known) {
        struct ek_error why = {0};
        if (is_incoming(entry, domain, handle, reads)) {
            return mark_incoming(domain, arena, present, err);
        }
        (void)ek_error_set(&why, EK_ERR_CONFLICT, "%s", in_hand);
        if (!facts_missing(entry, domain, reads, &why)) {
            return false;
        }
        entry->left_behind = true;
    }
    if (!in_transit && (!known || reads >= entry->read_again_at) &&
        !entry_refresh(cache, entry, domain, handle, host, reads, present, err)) {
        return false;
    }
    hold(&entry->facts.vcpus, &domain->facts.vcpus);
    hold(&entry->memory_mib, &domain->memory_mib);
    hold(&entry->memory_rss_mib, &domain->memory_rss_mib);
    *present = *present && !isnan(domain->memory_mib); /* no XML and no figure: nothing to say */
    if (*present) {
        entry->seen_at = reads;
    }
    return ek_domain_facts_copy(&domain->facts, &entry->facts, arena, err);
}

void ek_domain_cache_expire(struct ek_domain_cache *cache)
{
    struct ek_domain_entry *entry = NULL;
    struct ek_domain_entry *next = NULL;

    HASH_ITER(hh, cache->entries, entry, next)
    {
        entry->read_again_at = 0;
    }
}

void ek_domain_cache_sweep(struct ek_domain_cache *cache, int64_t reads)
{
    struct ek_domain_entry *entry = NULL;
    struct ek_domain_entry *next = NULL;

    HASH_ITER(hh, cache->entries, entry, next)
    {
        if (entry->seen_at != reads) {
            entry_drop(cache, entry);
        }
    }
}

void ek_domain_cache_finish(struct ek_domain_cache *cache)
{
    ek_domain_cache_sweep(cache, -1);
}
