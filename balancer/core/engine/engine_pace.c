/* The engine's pace: what hosts with a deadline may take, chosen anew with every plan. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/schedule/pace_choice.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- whom it binds --------------------------------------------------------------------------- */

bool ek_engine_is_paced(const struct ek_engine *engine, const struct ek_move_order *order)
{
    uint32_t source = ek_snapshot_find_host(&engine->snapshot, order->source);

    return source != EK_NONE && ek_pace_binds(order->kind, &engine->snapshot.hosts[source]);
}

struct ek_limits ek_engine_limits(const struct ek_engine *engine, const struct ek_move_order *order)
{
    bool paced = engine->pace != EK_PACE_LIMITS && ek_engine_is_paced(engine, order);

    return ek_pace_limits(&engine->policy, paced ? engine->pace : EK_PACE_LIMITS);
}

/* What leaves a host in maintenance is its evacuation. */
double ek_engine_rate(const struct ek_engine *engine, uint32_t source, uint32_t destination)
{
    const struct ek_host *hosts = engine->snapshot.hosts;
    bool paced = ek_pace_binds(EK_MOVE_EVACUATE, &hosts[source]);
    const struct ek_limits limits =
        ek_pace_limits(&engine->policy, paced ? engine->pace : EK_PACE_LIMITS);

    return ek_limits_rate(&limits, &hosts[source], &hosts[destination]);
}

/* ---- telling --------------------------------------------------------------------------------- */

static const char *name_of(const struct ek_engine *engine, const struct ek_pace_host *host)
{
    return engine->snapshot.hosts[host->host].name;
}

/* Why the gentler one does not do, or no steeper one is needed. */
static const char *why(const struct ek_engine *engine, const struct ek_pace_choice *choice,
                       struct ek_arena *arena)
{
    bool raised = choice->pace > choice->before;
    enum ek_pace asked = raised ? ek_pace_gentler(choice) : choice->pace;
    const struct ek_pace_host *worst = ek_pace_worst(choice, asked);

    if (worst == NULL) {
        return "nothing has to leave a host with a deadline";
    }
    int64_t slack_ms = ek_pace_slack_ms(worst, asked);
    if (raised) {
        return ek_arena_printf(arena, "at pace %s %s would be empty %.0f s %s its deadline",
                               ek_pace_name(asked), name_of(engine, worst),
                               (double)(slack_ms < 0 ? -slack_ms : slack_ms) / 1000,
                               slack_ms < 0 ? "after" : "before");
    }
    return ek_arena_printf(arena, "%s will be empty %.0f s before its deadline",
                           name_of(engine, worst), (double)slack_ms / 1000);
}

static bool tell_pace(const struct ek_engine *engine, const struct ek_pace_choice *choice,
                      struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_limits limits = ek_pace_limits(&engine->policy, choice->pace);
    const struct ek_pace_host *worst = ek_pace_worst(choice, choice->pace);
    const char *allowed = ek_limits_text(&limits, &effects->arena);
    const char *reason = why(engine, choice, &effects->arena);

    if (choice->pace == choice->before) {
        return true;
    }
    if (allowed == NULL || reason == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the pace of an evacuation");
    }
    return ek_effect_event(effects, "pace", worst == NULL ? "" : name_of(engine, worst), err,
                           "hosts with a deadline are emptied at pace %s (%s): %s",
                           ek_pace_name(choice->pace), allowed, reason);
}

/* Told when other hosts are late than before, not with every plan. */
static bool tell_late(struct ek_engine *engine, const struct ek_pace_choice *choice,
                      struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_pace_host *worst = ek_pace_worst(choice, choice->pace);
    char late[EK_TEXT_SIZE] = "";
    size_t length = 0;

    for (size_t i = 0; i < choice->host_count && length < sizeof(late); i++) {
        if (choice->hosts[i].likely_ms[choice->pace] > 0 &&
            ek_pace_slack_ms(&choice->hosts[i], choice->pace) < 0) {
            length += (size_t)snprintf(late + length, sizeof(late) - length, " %s",
                                       name_of(engine, &choice->hosts[i]));
        }
    }
    bool same = strcmp(late, engine->late_shown) == 0;
    (void)snprintf(engine->late_shown, sizeof(engine->late_shown), "%s", late);
    if (same || late[0] == '\0') {
        return true;
    }
    if (!ek_effect_event(effects, "pace", name_of(engine, worst), err,
                         "%s will miss its deadline by %.0f s, and no pace is steeper than %s",
                         name_of(engine, worst),
                         -(double)ek_pace_slack_ms(worst, choice->pace) / 1000,
                         ek_pace_name(choice->pace))) {
        return false;
    }
    effects->items[effects->count - 1].u.event.warning = true;
    return true;
}

/* ---- choosing -------------------------------------------------------------------------------- */

bool ek_engine_choose_pace(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err)
{
    struct ek_pace_choice choice;

    assert(engine->request.pace == engine->pace);
    if (!ek_pace_choose(&choice, &engine->schedule, &engine->plan, &engine->policy, engine->pace,
                        err)) {
        return false;
    }
    engine->pace = choice.pace;
    engine->pace_in_time = choice.in_time;
    /* In recommend mode nothing is emptied, at whatever pace. */
    bool ok =
        engine->policy.mode == EK_MODE_RECOMMEND ||
        (tell_pace(engine, &choice, effects, err) && tell_late(engine, &choice, effects, err));
    ek_pace_choice_finish(&choice);
    return ok;
}

/* When the host's last move ends if all that waits of it is as late as the latest. */
static int64_t delayed_end_ms(const struct ek_engine *engine, const char *host)
{
    int64_t end_ms = 0;
    int64_t behind_ms = 0;

    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; it->kind == EK_COURSE_PLANNED && i < it->step_count; i++) {
            const struct ek_step *step = &it->steps[i];
            int64_t start_ms = it->started_at_ms + step->start_ms;
            int64_t late_ms = engine->now_ms - start_ms;
            if (step->state == EK_STEP_WAITING && strcmp(step->order.source, host) == 0) {
                int64_t step_ms = start_ms + step->order.predicted_duration_ms;
                end_ms = step_ms > end_ms ? step_ms : end_ms;
                behind_ms = late_ms > behind_ms ? late_ms : behind_ms;
            }
        }
    }
    return end_ms + behind_ms;
}

/* Half of the margin may be used up before all is planned anew for it. */
bool ek_engine_falls_behind(const struct ek_engine *engine)
{
    bool falls = false;

    for (size_t i = 0; engine->pace_in_time && !falls && i < engine->promise_count; i++) {
        const struct ek_promise *promise = &engine->promises[i];
        uint32_t host = ek_snapshot_find_host(&engine->snapshot, promise->host);
        if (host == EK_NONE || !ek_pace_binds(EK_MOVE_EVACUATE, &engine->snapshot.hosts[host])) {
            continue;
        }
        int64_t left_ms = engine->snapshot.hosts[host].deadline_ms - engine->now_ms;
        int64_t likely_ms = delayed_end_ms(engine, promise->host) - engine->now_ms;
        falls = (double)likely_ms * (1 + EK_PREFLIGHT_ERROR / 2) > (double)left_ms;
    }
    return falls;
}
