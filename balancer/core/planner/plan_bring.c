/* A plan of moves that somebody wants, whatever they gain: an operator's order, the way back of a
 * failed plan. */
#include "balancer/core/planner/plan_work.h"

#include <assert.h>

/* The first reason against it where it stands in the model; NONE: it may go. */
static enum ek_block look(const struct ek_plan_work *work, const struct ek_plan_wish *wish)
{
    enum ek_block block = ek_constraint_domain(&work->cluster, work->request->cooldown,
                                               wish->domain, EK_PURPOSE_ORDERED);

    return block != EK_BLOCK_NONE
               ? block
               : ek_constraint_pair(&work->cluster, work->request->cooldown, wish->domain,
                                    wish->destination, EK_PURPOSE_ORDERED);
}

static bool take(struct ek_plan_work *work, const struct ek_plan_wish *wish, struct ek_error *err)
{
    struct ek_candidate chosen = ek_candidate_rate(&work->search, wish->domain, wish->destination);

    return ek_plan_add(work, EK_MOVE_MANUAL, &chosen, wish->reason, err);
}

/* Again and again: one that goes may make the room of another. */
static bool take_all(struct ek_plan_work *work, const struct ek_plan_wish *wishes, size_t count,
                     bool *taken, struct ek_error *err)
{
    bool progress = true;

    while (progress) {
        progress = false;
        for (size_t i = 0; i < count; i++) {
            if (taken[i] || look(work, &wishes[i]) != EK_BLOCK_NONE) {
                continue;
            }
            if (!take(work, &wishes[i], err)) {
                return false;
            }
            taken[i] = true;
            progress = true;
        }
    }
    return true;
}

static bool list_rest(struct ek_plan_work *work, const struct ek_plan_wish *wishes, size_t count,
                      const bool *taken, struct ek_error *err)
{
    struct ek_plan *out = work->out;

    for (size_t i = 0; i < count; i++) {
        if (taken[i]) {
            continue;
        }
        enum ek_block block = look(work, &wishes[i]);
        const char *reason =
            ek_constraint_explain(&work->cluster, work->request->cooldown, wishes[i].domain,
                                  wishes[i].destination, block, &out->arena);
        assert(block != EK_BLOCK_NONE);
        if (reason == NULL) {
            return ek_plan_nomem(err);
        }
        out->unresolved[out->unresolved_count++] =
            (struct ek_unresolved){.domain = wishes[i].domain,
                                   .host = work->cluster.host_of[wishes[i].domain],
                                   .rule = EK_NONE,
                                   .for_now = true,
                                   .reason = reason};
    }
    return true;
}

bool ek_plan_bring(struct ek_plan *out, const struct ek_plan_request *request,
                   const struct ek_plan_wish *wishes, size_t count, const char *summary,
                   struct ek_error *err)
{
    struct ek_plan_work work = {.request = request, .out = out};
    bool ok = ek_plan_begin(&work, wishes, count, err);
    bool *taken = ok ? ek_arena_alloc(&work.cluster.arena, count, sizeof(*taken)) : NULL;

    ok = ok && (taken != NULL || ek_plan_nomem(err)) &&
         take_all(&work, wishes, count, taken, err) && list_rest(&work, wishes, count, taken, err);
    if (ok) {
        out->summary = ek_arena_strdup(&out->arena, summary);
        out->after = ek_levels_of(&work.cluster);
        ok = out->summary != NULL || ek_plan_nomem(err);
    }
    if (!ok) {
        ek_plan_finish(out);
    }
    ek_cluster_finish(&work.cluster);
    return ok;
}
