/* What a plan, above all an evacuation, leaves of the spare capacity: people who empty a host
 * should know that they lean on the last one. */
#include "balancer/core/planner/plan_work.h"
#include "balancer/core/plural.h"
#include "balancer/core/spare.h"

#include <assert.h>

bool ek_plan_warn_of_spare(struct ek_plan_work *work, struct ek_error *err)
{
    struct ek_plan *out = work->out;
    size_t count = (size_t)work->policy->spare_hosts;
    struct ek_spare spare;

    assert(out->summary != NULL);
    if (count == 0) {
        return true;
    }
    if (!ek_spare_init(&spare, &work->cluster, err)) {
        return false;
    }
    if (ek_spare_bears(&spare, count, NULL, false)) {
        return true;
    }
    out->summary = ek_arena_printf(
        &out->arena, "%s; the loss of %zu host%s could not be borne%s", out->summary, count,
        ek_plural(count), work->request->evaluation->spare_lacks ? "" : " any more after it");
    return out->summary != NULL || ek_plan_nomem(err);
}
