/* Who is lost is decided by allocation, since that is what must be found again elsewhere. Placing
 * on the host with most room left is within one guest of the best for guests that are small beside
 * a host; where it fails although another way exists, more is kept free than needed, never less. */
#include "balancer/core/spare.h"

#include "balancer/core/constraint.h"

#include <assert.h>
#include <stdlib.h>

#define SLACK 1e-9

bool ek_spare_init(struct ek_spare *spare, struct ek_cluster *cluster, struct ek_error *err)
{
    struct ek_arena *arena = &cluster->arena;
    size_t hosts = cluster->snapshot->host_count;
    size_t domains = cluster->snapshot->domain_count;

    spare->cluster = cluster;
    spare->hosts = ek_arena_alloc(arena, hosts, sizeof(*spare->hosts));
    spare->lost = ek_arena_alloc(arena, hosts, sizeof(*spare->lost));
    spare->memory_room = ek_arena_alloc(arena, hosts, sizeof(*spare->memory_room));
    spare->vcpu_room = ek_arena_alloc(arena, hosts, sizeof(*spare->vcpu_room));
    spare->guests = ek_arena_alloc(arena, domains, sizeof(*spare->guests));
    return (spare->hosts != NULL && spare->guests != NULL && spare->memory_room != NULL &&
            spare->vcpu_room != NULL && spare->lost != NULL) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for the spare capacity");
}

/* The hosts that are in use or may be. */
static size_t gather(struct ek_spare *spare, const bool *closed, bool only_used)
{
    const struct ek_cluster *cluster = spare->cluster;
    size_t count = 0;

    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        bool used = cluster->hosts[h].memory_mib > SLACK || cluster->hosts[h].vcpus > SLACK;
        if (cluster->hosts[h].counted && (closed == NULL || !closed[h]) && (used || !only_used)) {
            spare->hosts[count++] = h;
        }
    }
    return count;
}

static double allocated(const struct ek_cluster *cluster, uint32_t host, bool by_vcpus)
{
    return by_vcpus ? cluster->hosts[host].vcpus : cluster->hosts[host].memory_mib;
}

/* Marks the `count` fullest of the hosts, equal ones by index; the others have their room. */
static void lose(struct ek_spare *spare, size_t hosts, size_t count, bool by_vcpus)
{
    for (size_t i = 0; i < hosts; i++) {
        uint32_t h = spare->hosts[i];
        spare->lost[h] = false;
        spare->memory_room[h] = ek_constraint_memory_room(spare->cluster, h);
        spare->vcpu_room[h] = ek_constraint_vcpu_room(spare->cluster, h);
    }
    for (size_t n = 0; n < count; n++) {
        uint32_t fullest = EK_NONE;
        for (size_t i = 0; i < hosts; i++) {
            uint32_t h = spare->hosts[i];
            if (!spare->lost[h] &&
                (fullest == EK_NONE || allocated(spare->cluster, h, by_vcpus) >
                                           allocated(spare->cluster, fullest, by_vcpus))) {
                fullest = h;
            }
        }
        spare->lost[fullest] = true;
    }
}

/* Puts a guest on the host with most memory left that takes it. */
static bool put(struct ek_spare *spare, size_t hosts, const struct ek_spare_guest *guest)
{
    uint32_t best = EK_NONE;

    for (size_t i = 0; i < hosts; i++) {
        uint32_t h = spare->hosts[i];
        if (!spare->lost[h] && guest->memory_mib <= spare->memory_room[h] + SLACK &&
            guest->vcpus <= spare->vcpu_room[h] + SLACK &&
            (best == EK_NONE || spare->memory_room[h] > spare->memory_room[best])) {
            best = h;
        }
    }
    if (best != EK_NONE) {
        spare->memory_room[best] -= guest->memory_mib;
        spare->vcpu_room[best] -= guest->vcpus;
    }
    return best != EK_NONE;
}

/* The largest first: what is hardest to place finds the most room. */
static int guest_cmp(const void *left, const void *right)
{
    const struct ek_spare_guest *a = left;
    const struct ek_spare_guest *b = right;

    if (a->memory_mib > b->memory_mib || a->memory_mib < b->memory_mib) {
        return a->memory_mib > b->memory_mib ? -1 : 1;
    }
    return (a->domain > b->domain) - (a->domain < b->domain);
}

static bool bears(struct ek_spare *spare, size_t hosts, size_t count, bool by_vcpus)
{
    const struct ek_cluster *cluster = spare->cluster;
    size_t guests = 0;
    bool ok = true;

    lose(spare, hosts, count, by_vcpus);
    for (uint32_t d = 0; d < cluster->snapshot->domain_count; d++) {
        const struct ek_domain *domain = &cluster->snapshot->domains[d];
        if (spare->lost[cluster->host_of[d]]) {
            spare->guests[guests++] = (struct ek_spare_guest){domain->memory_mib, domain->vcpus, d};
        }
    }
    if (guests > 0) {
        qsort(spare->guests, guests, sizeof(*spare->guests), guest_cmp);
    }
    for (size_t i = 0; ok && i < guests; i++) {
        ok = put(spare, hosts, &spare->guests[i]);
    }
    return ok;
}

bool ek_spare_bears(struct ek_spare *spare, size_t count, const bool *closed, bool only_used)
{
    size_t hosts = gather(spare, closed, only_used);
    size_t lost = count < hosts ? count : hosts;

    assert(hosts <= spare->cluster->snapshot->host_count);
    /* Of hosts that are not looked at, marks of an earlier question may be left. */
    for (size_t h = 0; h < spare->cluster->snapshot->host_count; h++) {
        spare->lost[h] = false;
    }
    return count == 0 || (bears(spare, hosts, lost, false) && bears(spare, hosts, lost, true));
}
