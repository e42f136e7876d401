/* The order of a snapshot: hosts by name, domains by UUID. Ties that indices decide are then
 * decided alike, and sums add up to the same bits, in whatever order the input came. */
#include "balancer/core/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* One entry with its key and the place it had. */
struct place {
    const char *key;
    uint32_t from;
};

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct place *)left)->key, ((const struct place *)right)->key);
}

static const char *host_key(const struct ek_snapshot *snapshot, size_t index)
{
    return snapshot->hosts[index].name;
}

static const char *domain_key(const struct ek_snapshot *snapshot, size_t index)
{
    return snapshot->domains[index].uuid;
}

typedef const char *key_of(const struct ek_snapshot *snapshot, size_t index);

static bool ordered(const struct ek_snapshot *snapshot, size_t count, key_of *key)
{
    size_t i = 1;

    while (i < count && strcmp(key(snapshot, i - 1), key(snapshot, i)) <= 0) {
        i++;
    }
    return i >= count;
}

bool ek_snapshot_sorted(const struct ek_snapshot *snapshot)
{
    return ordered(snapshot, snapshot->host_count, host_key) &&
           ordered(snapshot, snapshot->domain_count, domain_key);
}

/* The places in order; `to` tells where each entry goes. NULL: out of memory. */
static struct place *arrange(const struct ek_snapshot *snapshot, size_t count, key_of *key,
                             struct ek_arena *scratch, uint32_t **to)
{
    struct place *places = ek_arena_alloc(scratch, count, sizeof(*places));

    *to = ek_arena_alloc(scratch, count, sizeof(**to));
    if (places == NULL || *to == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = (struct place){key(snapshot, i), (uint32_t)i};
    }
    qsort(places, count, sizeof(*places), by_key);
    for (size_t i = 0; i < count; i++) {
        (*to)[places[i].from] = (uint32_t)i;
    }
    return places;
}

static bool sort_hosts(struct ek_snapshot *snapshot, struct ek_arena *scratch)
{
    uint32_t *to = NULL;
    const struct place *places = arrange(snapshot, snapshot->host_count, host_key, scratch, &to);
    struct ek_host *hosts =
        ek_arena_alloc(&snapshot->arena, snapshot->host_count, sizeof(*snapshot->hosts));

    if (places == NULL || hosts == NULL) {
        return false;
    }
    for (size_t i = 0; i < snapshot->host_count; i++) {
        hosts[i] = snapshot->hosts[places[i].from];
    }
    snapshot->hosts = hosts;
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        snapshot->domains[d].host = to[snapshot->domains[d].host];
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        snapshot->in_flight[f].source = to[snapshot->in_flight[f].source];
        snapshot->in_flight[f].destination = to[snapshot->in_flight[f].destination];
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        snapshot->copies[c].host = to[snapshot->copies[c].host];
    }
    return true;
}

static bool sort_domains(struct ek_snapshot *snapshot, struct ek_arena *scratch)
{
    uint32_t *to = NULL;
    const struct place *places =
        arrange(snapshot, snapshot->domain_count, domain_key, scratch, &to);
    struct ek_domain *domains =
        ek_arena_alloc(&snapshot->arena, snapshot->domain_count, sizeof(*snapshot->domains));

    if (places == NULL || domains == NULL) {
        return false;
    }
    for (size_t i = 0; i < snapshot->domain_count; i++) {
        domains[i] = snapshot->domains[places[i].from];
    }
    snapshot->domains = domains;
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        struct ek_in_flight *flight = &snapshot->in_flight[f];
        flight->domain = flight->domain == EK_NONE ? EK_NONE : to[flight->domain];
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        snapshot->copies[c].domain = to[snapshot->copies[c].domain];
    }
    return true;
}

bool ek_snapshot_sort(struct ek_snapshot *snapshot, struct ek_error *err)
{
    struct ek_arena scratch = {0};

    bool ok =
        (ordered(snapshot, snapshot->host_count, host_key) || sort_hosts(snapshot, &scratch)) &&
        (ordered(snapshot, snapshot->domain_count, domain_key) || sort_domains(snapshot, &scratch));
    ek_arena_finish(&scratch);
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory while sorting a snapshot");
}
