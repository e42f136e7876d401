/* The ladder is climbed until every host is in time; each step is one schedule of the same plan. */
#include "balancer/core/schedule/pace_choice.h"

#include <assert.h>
#include <string.h>

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the pace of an evacuation");
}

static bool list_hosts(struct ek_pace_choice *out, const struct ek_snapshot *snapshot)
{
    size_t count = 0;

    for (size_t h = 0; h < snapshot->host_count; h++) {
        count += snapshot->hosts[h].maintenance && snapshot->hosts[h].deadline_ms != 0 ? 1 : 0;
    }
    out->hosts = ek_arena_alloc(&out->arena, count, sizeof(*out->hosts));
    for (uint32_t h = 0; out->hosts != NULL && h < snapshot->host_count; h++) {
        const struct ek_host *host = &snapshot->hosts[h];
        if (!host->maintenance || host->deadline_ms == 0) {
            continue;
        }
        struct ek_pace_host *it = &out->hosts[out->host_count++];
        *it =
            (struct ek_pace_host){.host = h, .left_ms = host->deadline_ms - snapshot->taken_at_ms};
        for (int pace = 0; pace < EK_PACE_COUNT; pace++) {
            it->likely_ms[pace] = -1;
        }
    }
    return out->hosts != NULL;
}

/* Down again only with a reserve. */
static bool is_in_time(const struct ek_pace_choice *choice, enum ek_pace pace)
{
    double margin = pace < choice->before ? 2 * EK_PREFLIGHT_ERROR : EK_PREFLIGHT_ERROR;
    bool all = true;

    for (size_t i = 0; i < choice->host_count; i++) {
        const struct ek_pace_host *it = &choice->hosts[i];
        bool leaves = it->likely_ms[pace] > 0;
        all = all && (!leaves || (double)it->likely_ms[pace] * (1 + margin) <= (double)it->left_ms);
    }
    return all;
}

/* Another schedule in place of the one before. */
static bool ask(struct ek_pace_choice *choice, struct ek_schedule *schedule,
                const struct ek_plan *plan, const struct ek_policy *policy, enum ek_pace pace,
                struct ek_error *err)
{
    ek_schedule_finish(schedule);
    if (!ek_preflight_schedule(schedule, plan, policy, pace, err)) {
        return false;
    }
    for (size_t i = 0; i < choice->host_count; i++) {
        struct ek_pace_host *it = &choice->hosts[i];
        it->likely_ms[pace] = ek_preflight_likely_ms(schedule, policy, it->host);
    }
    choice->pace = pace;
    choice->in_time = is_in_time(choice, pace);
    return true;
}

/* Where the ceilings are the limits a step changes nothing, and is none. */
static bool climb(struct ek_pace_choice *choice, struct ek_schedule *schedule,
                  const struct ek_plan *plan, const struct ek_policy *policy, struct ek_error *err)
{
    bool ok = ask(choice, schedule, plan, policy, EK_PACE_LIMITS, err);

    for (int pace = EK_PACE_HALF; ok && !choice->in_time && pace < EK_PACE_COUNT; pace++) {
        const struct ek_limits now = ek_pace_limits(policy, choice->pace);
        const struct ek_limits next = ek_pace_limits(policy, (enum ek_pace)pace);
        ok = ek_limits_equal(&now, &next) ||
             ask(choice, schedule, plan, policy, (enum ek_pace)pace, err);
    }
    return ok;
}

bool ek_pace_choose(struct ek_pace_choice *out, struct ek_schedule *schedule,
                    const struct ek_plan *plan, const struct ek_policy *policy, enum ek_pace before,
                    struct ek_error *err)
{
    memset(out, 0, sizeof(*out));
    memset(schedule, 0, sizeof(*schedule));
    out->before = before;
    bool ok =
        list_hosts(out, plan->snapshot) ? climb(out, schedule, plan, policy, err) : nomem(err);
    if (!ok) {
        ek_schedule_finish(schedule);
        ek_pace_choice_finish(out);
    }
    assert(!ok || schedule->pace == out->pace);
    return ok;
}

void ek_pace_choice_finish(struct ek_pace_choice *choice)
{
    ek_arena_finish(&choice->arena);
    memset(choice, 0, sizeof(*choice));
}

const struct ek_pace_host *ek_pace_find(const struct ek_pace_choice *choice, uint32_t host)
{
    for (size_t i = 0; i < choice->host_count; i++) {
        if (choice->hosts[i].host == host) {
            return &choice->hosts[i];
        }
    }
    return NULL;
}

int64_t ek_pace_slack_ms(const struct ek_pace_host *host, enum ek_pace pace)
{
    assert(host->likely_ms[pace] >= 0);
    return host->left_ms - host->likely_ms[pace];
}

enum ek_pace ek_pace_gentler(const struct ek_pace_choice *choice)
{
    for (int pace = (int)choice->pace - 1; choice->host_count > 0 && pace >= 0; pace--) {
        if (choice->hosts[0].likely_ms[pace] >= 0) {
            return (enum ek_pace)pace;
        }
    }
    return choice->pace;
}

const struct ek_pace_host *ek_pace_worst(const struct ek_pace_choice *choice, enum ek_pace pace)
{
    const struct ek_pace_host *worst = NULL;

    for (size_t i = 0; i < choice->host_count; i++) {
        const struct ek_pace_host *it = &choice->hosts[i];
        bool less = worst == NULL || ek_pace_slack_ms(it, pace) < ek_pace_slack_ms(worst, pace);
        worst = it->likely_ms[pace] > 0 && less ? it : worst;
    }
    return worst;
}
