/* The snapshot's checks and look-ups. Whatever reaches the planner has passed ek_snapshot_check(),
 * so that the stages may index and divide without asking again. */
#include "balancer/core/snapshot.h"

#include "balancer/core/move.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out; with it the new handle has no
 * table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

const char *ek_evacuation_name(enum ek_evacuation evacuation)
{
    static const char *const names[EK_EVACUATION_COUNT] = {
        [EK_EVACUATE_MIGRATE] = "migrate", [EK_EVACUATE_POSTCOPY] = "postcopy",
        [EK_EVACUATE_SAVE] = "save",       [EK_EVACUATE_SHUTDOWN] = "shutdown",
        [EK_EVACUATE_BLOCK] = "block",
    };

    assert((unsigned int)evacuation < EK_EVACUATION_COUNT);
    return names[evacuation];
}

bool ek_evacuation_stays(enum ek_evacuation evacuation)
{
    return evacuation != EK_EVACUATE_MIGRATE && evacuation != EK_EVACUATE_POSTCOPY;
}

bool ek_evacuation_stops(enum ek_evacuation evacuation)
{
    return evacuation == EK_EVACUATE_SAVE || evacuation == EK_EVACUATE_SHUTDOWN;
}

const char *ek_host_state_name(enum ek_host_state state)
{
    static const char *const names[] = {
        [EK_HOST_UP] = "up", [EK_HOST_STALE] = "stale", [EK_HOST_DOWN] = "down"};

    assert((unsigned int)state < sizeof(names) / sizeof(names[0]));
    return names[state];
}

void ek_snapshot_finish(struct ek_snapshot *snapshot)
{
    ek_arena_finish(&snapshot->arena);
    memset(snapshot, 0, sizeof(*snapshot));
}

void ek_sample_finish(struct ek_sample *sample)
{
    ek_arena_finish(&sample->arena);
    memset(sample, 0, sizeof(*sample));
}

uint32_t ek_snapshot_find_uuid(const struct ek_snapshot *snapshot, const char *uuid)
{
    size_t low = 0;
    size_t high = snapshot->domain_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(snapshot->domains[middle].uuid, uuid);
        if (order == 0) {
            return (uint32_t)middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return EK_NONE;
}

uint32_t ek_snapshot_find_host(const struct ek_snapshot *snapshot, const char *name)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        if (strcmp(snapshot->hosts[h].name, name) == 0) {
            return (uint32_t)h;
        }
    }
    return EK_NONE;
}

uint32_t ek_snapshot_find_domain(const struct ek_snapshot *snapshot, const char *name_or_uuid,
                                 bool *ambiguous)
{
    uint32_t found = EK_NONE;

    *ambiguous = false;
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        const struct ek_domain *domain = &snapshot->domains[d];
        /* A UUID is never ambiguous, even if another domain bears it as its name. */
        if (strcmp(domain->uuid, name_or_uuid) == 0) {
            *ambiguous = false;
            return (uint32_t)d;
        }
        if (domain->name != NULL && strcmp(domain->name, name_or_uuid) == 0) {
            *ambiguous = found != EK_NONE;
            found = (uint32_t)d;
        }
    }
    return *ambiguous ? EK_NONE : found;
}

/* ---- checks -------------------------------------------------------------------------------- */

/* One figure of one host or domain, as the table of checks below sees it. */
struct figure {
    const char *name;
    double value;
    bool positive; /* 0 is refused as well */
    bool optional; /* NAN means "not known" */
};

/* Written so that NAN is refused by isfinite() first and no comparison has to think of it. */
static bool figures_check(const char *list, size_t index, const struct figure *figures,
                          size_t count, struct ek_error *err)
{
    for (size_t i = 0; i < count; i++) {
        double value = figures[i].value;
        if (figures[i].optional && isnan(value)) {
            continue;
        }
        /* JSON knows no infinity, but a sampler's division may make one. */
        if (!isfinite(value) || value < 0 || (figures[i].positive && value <= 0)) {
            return ek_error_set(err, EK_ERR_INVALID, "%s[%zu].%s: found %g, expected a number %s",
                                list, index, figures[i].name, value,
                                figures[i].positive ? "above 0" : "of 0 or more");
        }
    }
    return true;
}

/* Of a host the use may be unknown, of a domain it is what it states. */
static bool quantities_check(const char *list, size_t index, const struct ek_quantities *quantities,
                             bool of_host, struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < quantities->count; i++) {
        const struct ek_quantity *quantity = &quantities->items[i];
        const struct figure figures[] = {{quantity->name, quantity->used, false, of_host},
                                         {quantity->name, quantity->capacity, false, false}};
        ok = figures_check(list, index, figures, of_host ? 2 : 1, err);
    }
    return ok;
}

/* Orders hold copies of these texts; one that is cut would be found nowhere again. */
static bool length_check(const char *list, size_t index, const char *field, const char *text,
                         size_t size, struct ek_error *err)
{
    return strlen(text) < size ||
           ek_error_set(err, EK_ERR_INVALID,
                        "%s[%zu].%s: found %zu characters, expected at most %zu", list, index,
                        field, strlen(text), size - 1);
}

/* Used figures may exceed capacity: a host in trouble swaps, and that is what must be seen. */
static bool host_check(const struct ek_host *host, size_t index, struct ek_error *err)
{
    const struct figure figures[] = {
        {"cpu_cores", host->cpu_cores, true, false},
        {"memory_mib", host->memory_mib, true, false},
        {"cpu_used_cores", host->cpu_used_cores, false, true},
        {"memory_used_mib", host->memory_used_mib, false, true},
        {"migration_mib_s", host->migration_mib_s, true, false},
    };

    return length_check("hosts", index, "name", host->name, EK_NAME_SIZE, err) &&
           figures_check("hosts", index, figures, sizeof(figures) / sizeof(figures[0]), err) &&
           quantities_check("hosts", index, &host->resources, true, err);
}

/* Figures that are not optional have their defaults by now; NAN there is a fault of whoever filled
 * it. */
static bool domain_check(const struct ek_snapshot *snapshot, size_t index, struct ek_error *err)
{
    const struct ek_domain *domain = &snapshot->domains[index];
    const struct figure figures[] = {
        {"vcpus", domain->vcpus, true, false},
        {"memory_mib", domain->memory_mib, true, false},
        {"cpu_used_cores", domain->cpu_used_cores, false, true},
        {"cpu_steal", domain->cpu_steal, false, true},
        {"memory_used_mib", domain->memory_used_mib, false, true},
        {"memory_rss_mib", domain->memory_rss_mib, false, true},
        {"dirty_mib_s", domain->dirty_mib_s, false, false},
        {"swap_in_mib_s", domain->swap_in_mib_s, false, false},
        {"local_disk_mib", domain->local_disk_mib, false, false},
        {"cpu_demand_cores", domain->cpu_outlook.demand, false, false},
        {"cpu_noise_cores", domain->cpu_outlook.noise, false, false},
        {"memory_demand_mib", domain->memory_outlook.demand, false, false},
        {"memory_noise_mib", domain->memory_outlook.noise, false, false},
        {"migration_factor", domain->migration_factor, false, false},
    };

    if (domain->host >= snapshot->host_count) {
        return ek_error_set(err, EK_ERR_INVALID, "domains[%zu].host: found no such host", index);
    }
    return length_check("domains", index, "uuid", domain->uuid, EK_UUID_SIZE, err) &&
           figures_check("domains", index, figures, sizeof(figures) / sizeof(figures[0]), err) &&
           quantities_check("domains", index, &domain->resources, false, err);
}

/* A domain in flight twice would be allocated on three hosts. */
static bool in_flight_check(const struct ek_snapshot *snapshot, size_t index, struct ek_error *err)
{
    const struct ek_in_flight *flight = &snapshot->in_flight[index];

    if (flight->domain != EK_NONE && flight->domain >= snapshot->domain_count) {
        return ek_error_set(err, EK_ERR_INVALID, "in_flight[%zu].domain: found no such domain",
                            index);
    }
    if (flight->source >= snapshot->host_count || flight->destination >= snapshot->host_count ||
        flight->source == flight->destination) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "in_flight[%zu]: found %s, expected two different hosts", index,
                            flight->source == flight->destination ? "one host" : "no such host");
    }
    if (flight->domain != EK_NONE && snapshot->domains[flight->domain].host != flight->source &&
        snapshot->domains[flight->domain].host != flight->destination) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "in_flight[%zu].domain: found it on %s, expected source or destination",
                            index, snapshot->hosts[snapshot->domains[flight->domain].host].name);
    }
    /* Quadratic, in the handful of moves that run. */
    for (size_t i = 0; flight->domain != EK_NONE && i < index; i++) {
        if (snapshot->in_flight[i].domain == flight->domain) {
            return ek_error_set(
                err, EK_ERR_INVALID,
                "in_flight[%zu].domain: found that of in_flight[%zu], expected another", index, i);
        }
    }
    return true;
}

/* One entry of a map from text to place; 200,000 domains rule out comparing pairs. */
struct key {
    const char *text;
    size_t index;
    UT_hash_handle hh;
};

/* Refuses two equal texts among `count`; `text_of` gives the i-th. */
static bool unique_check(const struct ek_snapshot *snapshot, size_t count, const char *list,
                         const char *field,
                         const char *(*text_of)(const struct ek_snapshot *, size_t),
                         struct ek_error *err)
{
    struct ek_arena arena = {0};
    struct key *keys = ek_arena_alloc(&arena, count, sizeof(*keys));
    struct key *map = NULL;
    bool ok = keys != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory");

    for (size_t i = 0; ok && i < count; i++) {
        struct key *known = NULL;
        keys[i].text = text_of(snapshot, i);
        keys[i].index = i;
        HASH_FIND_STR(map, keys[i].text, known);
        if (known != NULL) {
            ok = ek_error_set(err, EK_ERR_INVALID,
                              "%s[%zu].%s: found \"%s\", which %s[%zu] has already", list, i, field,
                              keys[i].text, list, known->index);
            break;
        }
        HASH_ADD_KEYPTR(hh, map, keys[i].text, strlen(keys[i].text), &keys[i]);
        ok = keys[i].hh.tbl != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory");
    }
    /* Frees uthash's tables only; the entries are pieces of the arena. */
    HASH_CLEAR(hh, map);
    ek_arena_finish(&arena);
    return ok;
}

static const char *host_name(const struct ek_snapshot *snapshot, size_t index)
{
    return snapshot->hosts[index].name;
}

static const char *domain_uuid(const struct ek_snapshot *snapshot, size_t index)
{
    return snapshot->domains[index].uuid;
}

bool ek_snapshot_check(const struct ek_snapshot *snapshot, struct ek_error *err)
{
    for (size_t h = 0; h < snapshot->host_count; h++) {
        if (!host_check(&snapshot->hosts[h], h, err)) {
            return false;
        }
    }
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        if (!domain_check(snapshot, d, err)) {
            return false;
        }
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        if (!in_flight_check(snapshot, f, err)) {
            return false;
        }
    }
    return unique_check(snapshot, snapshot->host_count, "hosts", "name", host_name, err) &&
           unique_check(snapshot, snapshot->domain_count, "domains", "uuid", domain_uuid, err);
}
