/* Progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2) in whole units: all shares
 * grow together; who meets a link that is used up stops there. */
#include "balancer/core/bandwidth.h"

#include "balancer/core/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct filling {
    uint64_t *left;    /* per link */
    uint64_t *growing; /* per link: flows on it that still grow */
    bool *done;        /* per flow */
    size_t link_count;
};

static int flow_cmp(const void *left, const void *right)
{
    return strcmp(((const struct ek_flow *)left)->key, ((const struct ek_flow *)right)->key);
}

/* One unit for everybody, even where that is more than there is. */
static void begin(struct filling *filling, struct ek_flow *flows, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        bool bounded = false;
        for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
            uint32_t link = flows[f].links[i];
            if (link != EK_NONE) {
                assert(link < filling->link_count);
                filling->growing[link]++;
                filling->left[link] -= filling->left[link] > 0 ? 1 : 0;
                bounded = true;
            }
        }
        flows[f].share_mib_s = bounded ? 1 : 0;
        filling->done[f] = !bounded;
    }
}

/* By how much all may grow before some link is used up. */
static uint64_t common_growth(const struct filling *filling)
{
    uint64_t growth = UINT64_MAX;

    for (size_t link = 0; link < filling->link_count; link++) {
        if (filling->growing[link] > 0) {
            uint64_t each = filling->left[link] / filling->growing[link];
            growth = each < growth ? each : growth;
        }
    }
    return growth;
}

static bool has_room(const struct filling *filling, const struct ek_flow *flow, uint64_t growth)
{
    for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
        if (flow->links[i] != EK_NONE && filling->left[flow->links[i]] < growth) {
            return false;
        }
    }
    return true;
}

static void grow(struct filling *filling, struct ek_flow *flow, uint64_t growth)
{
    for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
        if (flow->links[i] != EK_NONE) {
            filling->left[flow->links[i]] -= growth;
        }
    }
    flow->share_mib_s += growth;
}

static void stop(struct filling *filling, const struct ek_flow *flow)
{
    for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
        if (flow->links[i] != EK_NONE) {
            filling->growing[flow->links[i]]--;
        }
    }
}

/* A round of equal growth, or, when a link has less than one for each, of one for the first. Each
 * of the latter ends at least one flow. */
static bool fill_round(struct filling *filling, struct ek_flow *flows, size_t count)
{
    uint64_t growth = common_growth(filling);
    bool growing = false;

    growth = growth == 0 ? 1 : growth;
    for (size_t f = 0; f < count; f++) {
        if (filling->done[f]) {
            continue;
        }
        if (has_room(filling, &flows[f], growth)) {
            grow(filling, &flows[f], growth);
            growing = true;
        } else {
            filling->done[f] = true;
            stop(filling, &flows[f]);
        }
    }
    return growing;
}

bool ek_bandwidth_share(const uint64_t *budgets_mib_s, size_t budget_count, struct ek_flow *flows,
                        size_t flow_count, struct ek_arena *arena)
{
    struct filling filling = {
        .left = ek_arena_alloc(arena, budget_count, sizeof(*filling.left)),
        .growing = ek_arena_alloc(arena, budget_count, sizeof(*filling.growing)),
        .done = ek_arena_alloc(arena, flow_count, sizeof(*filling.done)),
        .link_count = budget_count,
    };

    if (filling.left == NULL || filling.growing == NULL || filling.done == NULL) {
        return false;
    }
    if (budget_count > 0) {
        memcpy(filling.left, budgets_mib_s, budget_count * sizeof(*budgets_mib_s));
    }
    if (flow_count > 0) {
        qsort(flows, flow_count, sizeof(*flows), flow_cmp);
    }
    begin(&filling, flows, flow_count);
    while (fill_round(&filling, flows, flow_count)) {
    }
    return true;
}
