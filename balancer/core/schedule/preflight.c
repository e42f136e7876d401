#include "balancer/core/schedule/preflight.h"

#include "balancer/core/explain/explain_replay.h"
#include "balancer/core/learned.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a preflight");
}

/* ---- costs at their ends --------------------------------------------------------------------- */

enum end { LOW, LIKELY, HIGH, END_COUNT };

bool ek_preflight_measured(const struct ek_domain *domain)
{
    return domain->dirty_measured_at_ms > 0 || domain->dirty_mib_s > 0;
}

/* What the moves of a schedule cost depends on the rates that its pace gives them. */
struct pricing {
    const struct ek_plan *plan;
    const struct ek_policy *policy;
    struct ek_limits usual;
    struct ek_limits paced;
};

static struct pricing pricing_of(const struct ek_plan *plan, const struct ek_policy *policy,
                                 enum ek_pace pace)
{
    return (struct pricing){.plan = plan,
                            .policy = policy,
                            .usual = ek_limits_of(policy),
                            .paced = ek_pace_limits(policy, pace)};
}

static struct ek_cost cost_at(enum end end, const struct pricing *pricing, enum ek_move_kind kind,
                              uint32_t index, uint32_t source, uint32_t destination)
{
    const struct ek_host *hosts = pricing->plan->snapshot->hosts;
    const struct ek_policy *policy = pricing->policy;
    struct ek_domain domain = pricing->plan->snapshot->domains[index];
    bool paced = ek_pace_binds(kind, &hosts[source]);
    double rate_mib_s = ek_limits_rate(paced ? &pricing->paced : &pricing->usual, &hosts[source],
                                       &hosts[destination]);
    double factor = domain.migration_factor > 0 ? domain.migration_factor : 1;
    double newest = fmin(fmax(2 * factor - 1, EK_LEARNED_MIN), EK_LEARNED_MAX);

    if (end == LOW) {
        domain.dirty_mib_s = 0;
        domain.migration_factor = fmin(1, newest);
    } else if (end == HIGH) {
        domain.dirty_mib_s = ek_preflight_measured(&domain) ? domain.dirty_mib_s : rate_mib_s / 2;
        domain.migration_factor = fmax(1, newest);
    }
    struct ek_cost cost = ek_migration_cost(&domain, rate_mib_s, policy->max_downtime_ms);
    int64_t deadline_ms = ek_migration_timeout_ms(&domain, policy);
    if (end == HIGH && !cost.converges && cost.duration_ms < deadline_ms) {
        cost.duration_ms = deadline_ms;
    }
    return cost;
}

/* The same moves at other costs, at the same pace; the caller finishes the schedule. */
static bool schedule_at(enum end end, const struct ek_plan *plan, const struct ek_policy *policy,
                        enum ek_pace pace, struct ek_schedule *schedule, struct ek_error *err)
{
    const struct pricing pricing = pricing_of(plan, policy, pace);
    struct ek_arena arena = {.newest = NULL};
    struct ek_cost *costs = ek_arena_alloc(&arena, plan->move_count, sizeof(*costs));

    for (size_t i = 0; costs != NULL && i < plan->move_count; i++) {
        const struct ek_plan_move *move = &plan->moves[i];
        costs[i] =
            cost_at(end, &pricing, move->kind, move->domain, move->source, move->destination);
    }
    bool ok =
        costs != NULL ? ek_schedule_make_at(schedule, plan, policy, pace, costs, err) : nomem(err);
    ek_arena_finish(&arena);
    return ok;
}

bool ek_preflight_schedule(struct ek_schedule *out, const struct ek_plan *plan,
                           const struct ek_policy *policy, enum ek_pace pace, struct ek_error *err)
{
    /* The costs are the plan's until the links give more. */
    return pace == EK_PACE_URGENT ? schedule_at(LIKELY, plan, policy, pace, out, err)
                                  : ek_schedule_make_at(out, plan, policy, pace, NULL, err);
}

/* ---- times ----------------------------------------------------------------------------------- */

/* When the last move away from there ends; 0: there is none. */
static int64_t last_end_ms(const struct ek_schedule *schedule, uint32_t host)
{
    int64_t end_ms = 0;

    for (size_t i = 0; i < schedule->slot_count; i++) {
        const struct ek_slot *slot = &schedule->slots[i];
        if (schedule->plan->moves[i].source == host &&
            slot->start_ms + slot->duration_ms > end_ms) {
            end_ms = slot->start_ms + slot->duration_ms;
        }
    }
    return end_ms;
}

/* What is left of the migrations that run from there, were each to take that long in all. Of one
 * that no sample shows nothing is known. */
static int64_t flights_ms(const struct pricing *pricing, uint32_t host, enum end end)
{
    const struct ek_snapshot *snapshot = pricing->plan->snapshot;
    int64_t left_ms = 0;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->source != host || flight->domain == EK_NONE) {
            continue;
        }
        struct ek_cost cost = cost_at(end, pricing, EK_MOVE_EVACUATE, flight->domain,
                                      flight->source, flight->destination);
        int64_t of_it_ms = cost.duration_ms - (snapshot->taken_at_ms - flight->started_at_ms);
        left_ms = of_it_ms > left_ms ? of_it_ms : left_ms;
    }
    return left_ms;
}

int64_t ek_preflight_likely_ms(const struct ek_schedule *schedule, const struct ek_policy *policy,
                               uint32_t host)
{
    const struct pricing pricing = pricing_of(schedule->plan, policy, schedule->pace);

    return last_end_ms(schedule, host) + flights_ms(&pricing, host, LIKELY);
}

/* What runs has its links to itself in the schedule until nothing else can start: at worst all that
 * waits comes after it, at best beside it. */
static struct ek_eta estimate(const struct ek_plan *plan, const struct ek_policy *policy,
                              const struct ek_schedule *const ends[END_COUNT], uint32_t host)
{
    const struct pricing pricing = pricing_of(plan, policy, ends[LIKELY]->pace);
    int64_t first_ms = flights_ms(&pricing, host, LOW);
    int64_t low_ms = last_end_ms(ends[LOW], host);
    int64_t likely_ms = ek_preflight_likely_ms(ends[LIKELY], policy, host);
    int64_t high_ms = last_end_ms(ends[HIGH], host) + flights_ms(&pricing, host, HIGH);

    /* Dearer moves may by chance make a shorter schedule. */
    low_ms = low_ms > first_ms ? low_ms : first_ms;
    low_ms = low_ms < likely_ms ? low_ms : likely_ms;
    high_ms = high_ms > likely_ms ? high_ms : likely_ms;
    return (struct ek_eta){
        .low_ms = (int64_t)((1 - EK_PREFLIGHT_ERROR) * (double)low_ms),
        .likely_ms = likely_ms,
        .high_ms = (int64_t)ceil((1 + EK_PREFLIGHT_ERROR) * (double)high_ms),
    };
}

/* ---- what stands on the hosts ---------------------------------------------------------------- */

static void count_domains(const struct ek_schedule *schedule, struct ek_preflight_host *it)
{
    const struct ek_plan *plan = schedule->plan;
    const struct ek_snapshot *snapshot = plan->snapshot;

    for (size_t d = 0; d < snapshot->domain_count; d++) {
        it->domains += snapshot->domains[d].host == it->host ? 1 : 0;
    }
    for (size_t c = 0; c < snapshot->copy_count; c++) {
        it->domains += snapshot->copies[c].host == it->host ? 1 : 0;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        it->leaving += snapshot->in_flight[f].source == it->host ? 1 : 0;
        it->arriving += snapshot->in_flight[f].destination == it->host ? 1 : 0;
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        if (plan->moves[i].source == it->host) {
            const struct ek_domain *domain = &snapshot->domains[plan->moves[i].domain];
            it->unmeasured += ek_preflight_measured(domain) ? 0 : 1;
            it->doubtful += schedule->slots[i].cost.converges ? 0 : 1;
        }
    }
    for (size_t i = 0; i < plan->stop_count; i++) {
        const struct ek_plan_stop *stop = &plan->stops[i];
        bool here = stop->host == it->host;
        it->saved += here && stop->kind == EK_MOVE_SAVE ? 1 : 0;
        it->shut_down += here && stop->kind == EK_MOVE_SHUTDOWN ? 1 : 0;
    }
    it->waits = true;
    for (size_t i = 0; i < plan->stuck_count - plan->withheld_count; i++) {
        bool here = plan->unresolved[i].host == it->host;
        it->stuck += here ? 1 : 0;
        it->waits = it->waits && (!here || plan->unresolved[i].for_now);
    }
    it->waits = it->waits && it->stuck > 0;
}

static void add_host(struct ek_preflight *out, const struct ek_policy *policy,
                     const struct ek_schedule *const ends[END_COUNT], uint32_t host)
{
    struct ek_preflight_host *it = &out->hosts[out->host_count++];

    *it = (struct ek_preflight_host){.host = host, .eta = estimate(out->plan, policy, ends, host)};
    assert(it->eta.low_ms <= it->eta.likely_ms && it->eta.likely_ms <= it->eta.high_ms);
    count_domains(out->schedule, it);
    if (out->plan->snapshot->hosts[host].state != EK_HOST_UP) {
        it->problem = "the host has no fresh sample";
    }
    it->feasible = it->problem == NULL && it->stuck == 0;
}

static bool list_hosts(struct ek_preflight *out, const struct ek_policy *policy,
                       struct ek_error *err)
{
    const struct ek_plan *plan = out->plan;
    struct ek_schedule low = {.plan = NULL};
    struct ek_schedule high = {.plan = NULL};
    const struct ek_schedule *const ends[END_COUNT] = {&low, out->schedule, &high};
    bool ok = schedule_at(LOW, plan, policy, out->schedule->pace, &low, err) &&
              schedule_at(HIGH, plan, policy, out->schedule->pace, &high, err);

    for (uint32_t h = 0; ok && h < plan->snapshot->host_count; h++) {
        if (plan->snapshot->hosts[h].maintenance) {
            add_host(out, policy, ends, h);
        }
    }
    ek_schedule_finish(&low);
    ek_schedule_finish(&high);
    return ok;
}

/* ---- who cannot leave ------------------------------------------------------------------------ */

static bool refuse(struct ek_replay *replay, struct ek_preflight_stuck *stuck, struct ek_error *err)
{
    const struct ek_snapshot *snapshot = replay->plan->snapshot;
    const struct ek_cooldown *cooldown = replay->request->cooldown;
    struct ek_refusal *refusals =
        ek_arena_alloc(replay->out, snapshot->host_count, sizeof(*refusals));

    for (uint32_t h = 0; refusals != NULL && h < snapshot->host_count; h++) {
        enum ek_block block = ek_constraint_pair(&replay->cluster, cooldown, stuck->domain, h,
                                                 EK_PURPOSE_EVACUATE_FORCED);
        if (block == EK_BLOCK_SAME_HOST) {
            continue;
        }
        const char *reason = block == EK_BLOCK_NONE
                                 ? "in a later plan"
                                 : ek_constraint_explain(&replay->cluster, cooldown, stuck->domain,
                                                         h, block, replay->out);
        if (reason == NULL) {
            return nomem(err);
        }
        refusals[stuck->refusal_count++] = (struct ek_refusal){h, reason};
    }
    stuck->refusals = refusals;
    return refusals != NULL || nomem(err);
}

/* The other half of a domain that two hosts report: no move of it would help. */
static bool is_copy(const struct ek_replay *replay, const struct ek_preflight_stuck *stuck)
{
    return replay->plan->snapshot->domains[stuck->domain].host != stuck->host;
}

static bool explain(struct ek_replay *replay, const struct ek_unresolved *unresolved,
                    struct ek_preflight_stuck *stuck, struct ek_error *err)
{
    enum ek_block block = ek_constraint_domain(&replay->cluster, replay->request->cooldown,
                                               unresolved->domain, EK_PURPOSE_EVACUATE);

    *stuck = (struct ek_preflight_stuck){.domain = unresolved->domain,
                                         .host = unresolved->host,
                                         .for_now = unresolved->for_now,
                                         .relaxation = unresolved->relaxation};
    if (block != EK_BLOCK_NONE || is_copy(replay, stuck) || !replay->request->as_far) {
        stuck->reason = unresolved->reason;
        return true;
    }
    return refuse(replay, stuck, err);
}

/* Reasons are those after the plan. */
static bool list_stuck(struct ek_preflight *out, const struct ek_plan_request *request,
                       struct ek_error *err)
{
    const struct ek_plan *plan = out->plan;
    struct ek_replay replay;
    bool ok = ek_replay_begin(&replay, plan, request, false, &out->arena, err) &&
              ek_replay_until(&replay, plan->move_count, err);

    for (size_t i = 0; ok && i < plan->stuck_count - plan->withheld_count; i++) {
        ok = explain(&replay, &plan->unresolved[i], &out->stuck[i], err);
        out->stuck_count += ok ? 1 : 0;
    }
    ek_replay_end(&replay);
    return ok;
}

bool ek_preflight_make(struct ek_preflight *out, const struct ek_plan *plan,
                       const struct ek_schedule *schedule, const struct ek_plan_request *request,
                       struct ek_error *err)
{
    assert(schedule->plan == plan && request->evaluation->snapshot == plan->snapshot);
    memset(out, 0, sizeof(*out));
    out->plan = plan;
    out->schedule = schedule;
    out->hosts = ek_arena_alloc(&out->arena, plan->snapshot->host_count, sizeof(*out->hosts));
    out->stuck = ek_arena_alloc(&out->arena, plan->stuck_count, sizeof(*out->stuck));
    bool ok = (out->hosts != NULL && out->stuck != NULL) || nomem(err);
    ok = ok && list_hosts(out, request->evaluation->policy, err) && list_stuck(out, request, err);
    if (!ok) {
        ek_preflight_finish(out);
    }
    return ok;
}

void ek_preflight_finish(struct ek_preflight *preflight)
{
    ek_arena_finish(&preflight->arena);
    memset(preflight, 0, sizeof(*preflight));
}

/* Who is waited for may start only later than he himself was waited for: until nothing is added. */
void ek_preflight_moves(const struct ek_preflight *preflight, const bool *asked, bool *wanted)
{
    const struct ek_plan *plan = preflight->plan;
    bool added = true;

    for (size_t i = 0; i < plan->move_count; i++) {
        wanted[i] = asked[plan->moves[i].source];
    }
    while (added) {
        added = false;
        for (size_t i = 0; i < plan->move_count; i++) {
            const struct ek_slot *slot = &preflight->schedule->slots[i];
            for (size_t k = 0; wanted[i] && k < slot->depends_count; k++) {
                added = added || !wanted[slot->depends_on[k] - 1];
                wanted[slot->depends_on[k] - 1] = true;
            }
        }
    }
}
