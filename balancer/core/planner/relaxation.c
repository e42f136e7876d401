#include "balancer/core/planner/relaxation.h"

#include "balancer/core/explain/explain.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Weights of one kind are further apart than all that a cheaper kind can add up to on one pair. */
#define TIME 1.0
#define WORD 16.0
#define ROOM 128.0
#define HOST 1024.0
#define GUEST 8192.0

static double weight_of(enum ek_block block)
{
    static const double weights[EK_BLOCK_COUNT] = {
        [EK_BLOCK_IN_FLIGHT] = TIME,     [EK_BLOCK_RESTING] = TIME,
        [EK_BLOCK_FAILED_LATELY] = TIME, [EK_BLOCK_AVOIDED] = TIME,
        [EK_BLOCK_CIRCUIT] = TIME,       [EK_BLOCK_UNSEEN] = TIME,
        [EK_BLOCK_UNRESOLVED] = WORD,    [EK_BLOCK_EVACUATION] = WORD,
        [EK_BLOCK_MAINTENANCE] = WORD,   [EK_BLOCK_RULE] = WORD,
        [EK_BLOCK_IGNORED] = WORD,       [EK_BLOCK_SOURCE_IGNORED] = WORD,
        [EK_BLOCK_HOST_IGNORED] = WORD,  [EK_BLOCK_MEMORY] = ROOM,
        [EK_BLOCK_VCPUS] = ROOM,         [EK_BLOCK_RESOURCE] = ROOM,
        [EK_BLOCK_TARGET] = ROOM,        [EK_BLOCK_HOST_STATE] = HOST,
        [EK_BLOCK_SOURCE_STATE] = HOST,  [EK_BLOCK_NETWORK] = HOST,
        [EK_BLOCK_STORAGE] = HOST,       [EK_BLOCK_IMMOVABLE] = GUEST,
        [EK_BLOCK_CPU_MODEL] = GUEST,    [EK_BLOCK_HYPERVISOR] = 2 * GUEST,
    };

    assert((unsigned int)block < EK_BLOCK_COUNT);
    return weights[block];
}

/* What the host lacks for it, in parts of what the domain needs: chooses between hosts that all
 * lack the same. */
static double lack_of(const struct ek_cluster *cluster, uint32_t domain, uint32_t host,
                      enum ek_block block)
{
    const struct ek_domain *it = &cluster->snapshot->domains[domain];

    if (block == EK_BLOCK_MEMORY) {
        return 1 - ek_constraint_memory_room(cluster, host) / it->memory_mib;
    }
    return block == EK_BLOCK_VCPUS ? 1 - ek_constraint_vcpu_room(cluster, host) / it->vcpus : 0;
}

/* All that is in the way there; false: it is the domain's own host. */
static bool lift(struct ek_relaxation *out, const struct ek_cluster *cluster,
                 const struct ek_cooldown *cooldown, uint32_t domain, uint32_t host)
{
    *out = (struct ek_relaxation){.host = host};
    for (;;) {
        enum ek_block block = ek_constraint_beyond(cluster, cooldown, domain, host,
                                                   EK_PURPOSE_EVACUATE_FORCED, out->lifted);
        if (block == EK_BLOCK_NONE || block == EK_BLOCK_SAME_HOST) {
            return block == EK_BLOCK_NONE;
        }
        assert((out->lifted >> block & 1U) == 0);
        out->lifted |= 1U << block;
        /* Far over capacity one host may lack many times what is needed; it stays room. */
        out->weight += weight_of(block) + fmin(lack_of(cluster, domain, host, block), TIME);
    }
}

/* One clause for each block, in the order in which they are checked. */
static const char *say(const struct ek_relaxation *it, const struct ek_cluster *cluster,
                       uint32_t domain, struct ek_arena *arena)
{
    const char *text = "";

    for (unsigned int b = 0; text != NULL && b < EK_BLOCK_COUNT; b++) {
        if ((it->lifted >> b & 1U) == 0) {
            continue;
        }
        const char *clause =
            ek_constraint_remedy(cluster, domain, it->host, (enum ek_block)b, arena);
        text = clause == NULL ? NULL
                              : ek_arena_printf(arena, "%s%s%s", text,
                                                text[0] == '\0' ? "" : ", and ", clause);
    }
    /* Nothing is in the way any more: the room came with moves that others made. */
    return text != NULL && text[0] == '\0' ? "only time: a later plan takes it" : text;
}

bool ek_relaxation_find(struct ek_relaxation *out, const struct ek_cluster *cluster,
                        const struct ek_cooldown *cooldown, uint32_t domain, struct ek_arena *arena,
                        struct ek_error *err)
{
    struct ek_relaxation other;

    assert(domain < cluster->snapshot->domain_count);
    *out = (struct ek_relaxation){.host = EK_NONE, .text = "there has to be another host"};
    for (uint32_t h = 0; h < cluster->snapshot->host_count; h++) {
        if (lift(&other, cluster, cooldown, domain, h) &&
            (out->host == EK_NONE || other.weight < out->weight)) {
            *out = other;
        }
    }
    if (out->host != EK_NONE) {
        out->text = say(out, cluster, domain, arena);
    }
    return out->text != NULL ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory while explaining what is in the way");
}

void ek_relaxation_apply(const struct ek_relaxation *relaxation, struct ek_cluster *cluster,
                         uint32_t domain)
{
    const struct ek_domain *it = &cluster->snapshot->domains[domain];
    uint32_t host = relaxation->host;

    if (host == EK_NONE || cluster->in_flight[domain]) {
        return;
    }
    struct ek_host_load *load = &cluster->hosts[host];
    load->memory_mib -= fmax(0, it->memory_mib - ek_constraint_memory_room(cluster, host));
    load->vcpus -= fmax(0, it->vcpus - ek_constraint_vcpu_room(cluster, host));
    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        enum ek_resource resource = (enum ek_resource)r;
        load->held[r] -= fmax(0, ek_cluster_demand(cluster, domain, resource) -
                                     ek_constraint_resource_room(cluster, host, resource));
    }
    ek_cluster_move(cluster, domain, host);
}
