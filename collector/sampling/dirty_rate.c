/* Measurements of dirty rates, as a timetable and a memory: who is next, who is under way, what is
 * known and since when. */
#include "collector/sampling/dirty_rate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* uthash ends the process when memory runs out, unless told to say so instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) (entry_lost = true)
#include <uthash.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* A measurement takes a second. One without a result after a minute was lost, with a libvirtd that
 * was restarted for example. */
#define GIVE_UP_NS (60 * NS_PER_S)

/* What a guest writes follows the hour of the day: older figures say more of yesterday. */
#define LIFE_NS (24 * 3600 * NS_PER_S)

struct ek_dirty_entry {
    int id;
    bool pending;
    int64_t asked_ns;
    int64_t measured_ns; /* when the measurement of `mib_s` began; 0: there is none */
    double mib_s;
    int64_t seen_ns; /* in the newest reading of that time */
    UT_hash_handle hh;
    char uuid[];
};

static struct ek_dirty_entry *entry_find(const struct ek_dirty_rates *rates, const char *uuid)
{
    struct ek_dirty_entry *entry = NULL;

    HASH_FIND_STR(rates->entries, uuid, entry);
    return entry;
}

static struct ek_dirty_entry *entry_create(struct ek_dirty_rates *rates, const char *uuid)
{
    size_t length = strlen(uuid);
    struct ek_dirty_entry *entry = calloc(1, sizeof(*entry) + length + 1);
    bool entry_lost = false;

    if (entry == NULL) {
        return NULL;
    }
    memcpy(entry->uuid, uuid, length + 1);
    HASH_ADD_KEYPTR(hh, rates->entries, entry->uuid, length, entry);
    if (entry_lost) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void settle(struct ek_dirty_rates *rates, struct ek_dirty_entry *entry)
{
    assert(!entry->pending || rates->pending > 0);
    rates->pending -= entry->pending ? 1 : 0;
    entry->pending = false;
}

static void entry_drop(struct ek_dirty_rates *rates, struct ek_dirty_entry *entry)
{
    settle(rates, entry);
    HASH_DEL(rates->entries, entry);
    free(entry);
}

void ek_dirty_init(struct ek_dirty_rates *rates, int64_t every_ms)
{
    *rates = (struct ek_dirty_rates){.every_ns = every_ms * NS_PER_MS};
}

/* A guest that its user paused moves paused: it writes nothing meanwhile. */
static void fill_one(struct ek_dirty_rates *rates, struct ek_domain_reading *domain, int64_t now_ns)
{
    struct ek_dirty_entry *entry = entry_find(rates, domain->uuid);

    if (entry == NULL || entry->id != domain->id) {
        return;
    }
    entry->seen_ns = now_ns;
    if (entry->pending && now_ns - entry->asked_ns > GIVE_UP_NS) {
        settle(rates, entry);
    }
    if (entry->measured_ns != 0 && now_ns - entry->measured_ns <= LIFE_NS) {
        domain->dirty_mib_s = domain->paused ? 0 : entry->mib_s;
        domain->dirty_at_ns = entry->measured_ns;
    }
}

void ek_dirty_fill(struct ek_dirty_rates *rates, struct ek_reading *reading)
{
    struct ek_dirty_entry *entry = NULL;
    struct ek_dirty_entry *next = NULL;

    for (size_t i = 0; i < reading->domain_count; i++) {
        fill_one(rates, &reading->domains[i], reading->monotonic_ns);
    }
    /* What left, by migration or for good, may come back as another process with another load. */
    HASH_ITER(hh, rates->entries, entry, next)
    {
        if (entry->seen_ns != reading->monotonic_ns) {
            entry_drop(rates, entry);
        }
    }
}

/* A domain without its monitor's answer is in a job, as a rule its migration: libvirt would hold up
 * the request until that is over. */
static bool is_due(const struct ek_dirty_rates *rates, const struct ek_domain_reading *domain,
                   int64_t now_ns)
{
    const struct ek_dirty_entry *entry = entry_find(rates, domain->uuid);

    return domain->running && domain->answered && !domain->incoming && domain->facts.movable &&
           (entry == NULL || (!entry->pending && now_ns - entry->asked_ns >= rates->every_ns));
}

/* Whether `a` is measured before `b`. */
static bool is_sooner(const struct ek_dirty_rates *rates, const struct ek_domain_reading *a,
                      const struct ek_domain_reading *b)
{
    const struct ek_dirty_entry *of_a = entry_find(rates, a->uuid);
    const struct ek_dirty_entry *of_b = entry_find(rates, b->uuid);
    int64_t asked_a = of_a == NULL ? INT64_MIN : of_a->asked_ns;
    int64_t asked_b = of_b == NULL ? INT64_MIN : of_b->asked_ns;

    if (asked_a != asked_b) {
        return asked_a < asked_b;
    }
    /* Of a big guest the rate decides most. NAN, not known yet, comes last. */
    double rss_a = isnan(a->memory_rss_mib) ? 0 : a->memory_rss_mib;
    double rss_b = isnan(b->memory_rss_mib) ? 0 : b->memory_rss_mib;
    return rss_a > rss_b || (!(rss_a < rss_b) && strcmp(a->uuid, b->uuid) < 0);
}

size_t ek_dirty_choose(const struct ek_dirty_rates *rates, const struct ek_reading *reading,
                       struct ek_dirty_choice chosen[EK_DIRTY_AT_ONCE])
{
    const struct ek_domain_reading *best[EK_DIRTY_AT_ONCE] = {NULL};
    size_t room = rates->pending < EK_DIRTY_AT_ONCE ? EK_DIRTY_AT_ONCE - rates->pending : 0;
    size_t count = 0;

    for (size_t i = 0; rates->every_ns > 0 && i < reading->domain_count; i++) {
        const struct ek_domain_reading *domain = &reading->domains[i];
        size_t place = count;
        if (!is_due(rates, domain, reading->monotonic_ns)) {
            continue;
        }
        while (place > 0 && is_sooner(rates, domain, best[place - 1])) {
            place--;
        }
        count += count < room ? 1 : 0;
        for (size_t k = count; k-- > place + 1;) {
            best[k] = best[k - 1];
        }
        if (place < count) {
            best[place] = domain;
        }
    }
    for (size_t i = 0; i < count; i++) {
        chosen[i] = (struct ek_dirty_choice){best[i]->uuid, best[i]->id};
    }
    return count;
}

bool ek_dirty_begin(struct ek_dirty_rates *rates, const char *uuid, int id, int64_t now_ns)
{
    struct ek_dirty_entry *entry = entry_find(rates, uuid);

    if (entry != NULL && entry->id != id) {
        entry_drop(rates, entry);
        entry = NULL;
    }
    if (entry == NULL) {
        entry = entry_create(rates, uuid);
        if (entry == NULL) {
            return false;
        }
        entry->id = id;
    }
    rates->pending += entry->pending ? 0 : 1;
    entry->pending = true;
    entry->asked_ns = now_ns;
    return true;
}

bool ek_dirty_pending(const struct ek_dirty_rates *rates, const char *uuid)
{
    const struct ek_dirty_entry *entry = rates->pending == 0 ? NULL : entry_find(rates, uuid);

    return entry != NULL && entry->pending;
}

void ek_dirty_result(struct ek_dirty_rates *rates, const char *uuid, double mib_s)
{
    struct ek_dirty_entry *entry = entry_find(rates, uuid);

    if (entry == NULL || !entry->pending) {
        return;
    }
    settle(rates, entry);
    if (!isnan(mib_s)) {
        entry->mib_s = mib_s;
        entry->measured_ns = entry->asked_ns;
    }
}

void ek_dirty_finish(struct ek_dirty_rates *rates)
{
    struct ek_dirty_entry *entry = NULL;
    struct ek_dirty_entry *next = NULL;

    HASH_ITER(hh, rates->entries, entry, next)
    {
        entry_drop(rates, entry);
    }
}
