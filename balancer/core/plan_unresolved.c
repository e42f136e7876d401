/* What a plan leaves undone: domains that should leave their host and cannot, with the first reason
 * of each host. */
#include "balancer/core/plan_work.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Whether time may end what keeps a domain off a host: what ends by itself, or with a move that
 * runs. */
static bool passes(const struct ek_cluster *cluster, uint32_t host, enum ek_block block)
{
    const struct ek_snapshot *snapshot = cluster->snapshot;
    bool room = block == EK_BLOCK_MEMORY || block == EK_BLOCK_VCPUS || block == EK_BLOCK_RULE;

    return block == EK_BLOCK_AVOIDED || block == EK_BLOCK_UNSEEN ||
           (block == EK_BLOCK_HOST_STATE && snapshot->hosts[host].state == EK_HOST_STALE) ||
           (room && snapshot->in_flight_count > 0);
}

/* The texts behind one another, "; " between them; owned by the arena, NULL: out of memory. */
static const char *join(const char *const *texts, size_t count, struct ek_arena *arena)
{
    size_t length = 1;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        length += strlen(texts[i]) + 2;
    }
    char *joined = ek_arena_alloc(arena, length, 1);
    for (size_t i = 0; joined != NULL && i < count; i++) {
        used +=
            (size_t)snprintf(joined + used, length - used, "%s%s", i == 0 ? "" : "; ", texts[i]);
    }
    return joined;
}

/* The first reason of each host, for a domain that no host takes. */
static const char *hosts_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now)
{
    struct ek_arena *arena = &work->out->arena;
    struct ek_arena *scratch = &work->cluster.arena;
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    size_t count = 0;
    const char **texts = ek_arena_alloc(scratch, cluster->snapshot->host_count, sizeof(*texts));

    for (uint32_t h = 0; texts != NULL && h < cluster->snapshot->host_count; h++) {
        enum ek_block block =
            ek_constraint_pair(cluster, cooldown, domain, h, EK_PURPOSE_EVACUATE_FORCED);
        if (block == EK_BLOCK_SAME_HOST) {
            continue;
        }
        const char *why = ek_constraint_explain(cluster, cooldown, domain, h, block, scratch);
        const char *text = ek_arena_printf(scratch, "%s: %s", cluster->snapshot->hosts[h].name,
                                           why == NULL ? "" : why);
        if (why == NULL || text == NULL) {
            return NULL;
        }
        texts[count++] = text;
        /* One host that may take it later is enough to wait for. */
        *for_now = *for_now || passes(cluster, h, block);
    }
    if (texts == NULL) {
        return NULL;
    }
    return count == 0 ? "there is no other host" : join(texts, count, arena);
}

static const char *stuck_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now)
{
    const struct ek_cluster *cluster = &work->cluster;
    const struct ek_cooldown *cooldown = work->request->cooldown;
    enum ek_block block = ek_constraint_domain(cluster, cooldown, domain, EK_PURPOSE_EVACUATE);

    /* Rests end, moves end, operators resolve; a passed-through device stays. */
    *for_now = block != EK_BLOCK_NONE && block != EK_BLOCK_IMMOVABLE;
    if (block != EK_BLOCK_NONE) {
        /* These reasons name no destination, so that any host's index will do. */
        return ek_constraint_explain(cluster, cooldown, domain, 0, block, &work->out->arena);
    }
    return hosts_reason(work, domain, for_now);
}

/* The other half of a domain that two hosts report: it keeps its host from being empty. */
static void list_copies(struct ek_plan_work *work)
{
    struct ek_plan *out = work->out;

    for (size_t c = 0; c < out->snapshot->copy_count; c++) {
        const struct ek_copy *copy = &out->snapshot->copies[c];
        if (out->snapshot->hosts[copy->host].maintenance) {
            out->unresolved[out->unresolved_count++] = (struct ek_unresolved){
                copy->domain, copy->host, true, "two hosts report it as theirs"};
        }
    }
}

bool ek_plan_list_unresolved(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    for (uint32_t d = 0; d < out->snapshot->domain_count; d++) {
        uint32_t host = work->cluster.host_of[d];
        /* What is in flight is leaving already. */
        if (!out->snapshot->hosts[host].maintenance || work->cluster.in_flight[d]) {
            continue;
        }
        bool for_now = false;
        const char *reason = stuck_reason(work, d, &for_now);
        if (reason == NULL) {
            return ek_plan_nomem(err);
        }
        out->unresolved[out->unresolved_count++] = (struct ek_unresolved){d, host, for_now, reason};
    }
    list_copies(work);
    assert(out->unresolved_count <= out->snapshot->domain_count + out->snapshot->copy_count);
    return true;
}
