/* The cycle's own account: what was seen, asked and decided, put down when its step is over. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *ek_cycle_end_name(enum ek_cycle_end end)
{
    static const char *const names[] = {
        [EK_CYCLE_HELD] = "held",       [EK_CYCLE_UNDER_WAY] = "under-way",
        [EK_CYCLE_QUIET] = "quiet",     [EK_CYCLE_RECOMMENDED] = "recommended",
        [EK_CYCLE_STANDS] = "stands",   [EK_CYCLE_PROPOSED] = "proposed",
        [EK_CYCLE_STARTED] = "started",
    };

    static_assert(sizeof(names) / sizeof(names[0]) == EK_CYCLE_END_COUNT, "each has its name");
    assert((unsigned int)end < EK_CYCLE_END_COUNT);
    return names[end];
}

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from == NULL ? "" : from);
}

static void note_levels(const struct ek_engine *engine, struct ek_cycle *cycle)
{
    const struct ek_levels *levels = &engine->levels;
    const struct ek_snapshot *snapshot = &engine->snapshot;

    cycle->resources = engine->policy.resources;
    memcpy(cycle->imbalance, levels->imbalance, sizeof(cycle->imbalance));
    if (levels->hottest.host != EK_NONE) {
        copy(cycle->hottest_host, sizeof(cycle->hottest_host),
             snapshot->hosts[levels->hottest.host].name);
        copy(cycle->hottest_resource, sizeof(cycle->hottest_resource),
             cycle->resources.names[levels->hottest.resource]);
        cycle->hottest_utilization = levels->hottest.utilization;
    }
    cycle->hosts = (uint32_t)snapshot->host_count;
    cycle->domains = (uint32_t)snapshot->domain_count;
    for (size_t h = 0; h < snapshot->host_count; h++) {
        cycle->hosts_up += snapshot->hosts[h].state == EK_HOST_UP ? 1 : 0;
        cycle->hosts_in_maintenance += snapshot->hosts[h].maintenance ? 1 : 0;
    }
}

/* A rest that keeps a domain from being balanced, whatever else would. */
static void note_rest(const struct ek_engine *engine, const struct ek_domain *domain,
                      struct ek_cycle *cycle)
{
    const struct ek_rest *rest = ek_cooldown_find(engine->cooldown, domain->uuid);
    int64_t until_ms = rest == NULL                             ? 0
                       : rest->until_ms > rest->failed_until_ms ? rest->until_ms
                                                                : rest->failed_until_ms;

    if (rest != NULL && rest->blocked) {
        cycle->blocked++;
    } else if (until_ms > engine->snapshot.taken_at_ms) {
        if (cycle->resting++ == 0 || until_ms < cycle->rests_until_ms) {
            cycle->rests_until_ms = until_ms;
            copy(cycle->rests_first, sizeof(cycle->rests_first),
                 domain->name == NULL ? domain->uuid : domain->name);
        }
    }
}

/* What the planner was asked and what it answered, of a cycle that planned. */
static void note_plan(const struct ek_engine *engine, struct ek_cycle *cycle)
{
    const struct ek_plan *plan = &engine->plan;

    cycle->end = plan->move_count == 0 ? EK_CYCLE_QUIET : engine->plan_end;
    cycle->moves = (uint32_t)plan->move_count;
    cycle->stuck = (uint32_t)plan->stuck_count;
    cycle->offered_gain = plan->offered_gain;
    copy(cycle->summary, sizeof(cycle->summary), plan->summary);
    copy(cycle->balance_held, sizeof(cycle->balance_held), engine->request.balance_held);
    /* Of a plan that only says again what is offered nothing is recorded: the offer's id is the one
     * that can be looked up. */
    const struct ek_course *offer = cycle->end == EK_CYCLE_STANDS ? ek_engine_offer(engine) : NULL;
    if (plan->move_count > 0) {
        copy(cycle->plan_id, sizeof(cycle->plan_id), offer == NULL ? plan->id : offer->id);
    }
}

void ek_engine_note_cycle(struct ek_engine *engine)
{
    struct ek_cycle *cycle = &engine->cycle;
    const char *holding = ek_engine_holding(engine);
    /* A plan of wishes, such as the way back of a failed one, is not this cycle's answer. */
    bool planned = engine->plan.snapshot != NULL && engine->wishes == NULL;

    *cycle = (struct ek_cycle){.at_ms = engine->snapshot.taken_at_ms,
                               .end = holding != NULL ? EK_CYCLE_HELD : EK_CYCLE_UNDER_WAY,
                               .asked = engine->trigger_asked,
                               .wants = engine->trigger_wants,
                               .sustained = engine->sustained,
                               .sustained_cycles = engine->policy.sustained_cycles,
                               .offered_gain = NAN,
                               .min_gain = engine->policy.min_gain,
                               .trigger_imbalance = engine->policy.trigger_imbalance,
                               .trigger_comfort = engine->policy.trigger_comfort,
                               .running = (uint32_t)engine->running_count,
                               .waiting = (uint32_t)ek_engine_waiting_count(engine)};
    copy(cycle->holding, sizeof(cycle->holding), holding);
    copy(cycle->paused, sizeof(cycle->paused), engine->pause.why);
    copy(cycle->closed, sizeof(cycle->closed),
         engine->closing.balancing ? engine->closing.why : "");
    copy(cycle->trigger, sizeof(cycle->trigger), engine->trigger_asked ? engine->trigger : "");
    copy(cycle->circuits, sizeof(cycle->circuits), engine->circuits_view);
    note_levels(engine, cycle);
    for (size_t d = 0; d < engine->snapshot.domain_count; d++) {
        note_rest(engine, &engine->snapshot.domains[d], cycle);
    }
    if (planned) {
        note_plan(engine, cycle);
    } else if (cycle->waiting > 0 && holding == NULL) {
        copy(cycle->plan_id, sizeof(cycle->plan_id), engine->plan_id);
    }
}

const struct ek_cycle *ek_engine_cycle(const struct ek_engine *engine)
{
    return engine->cycle.at_ms == 0 ? NULL : &engine->cycle;
}
