/* The schedule: the plan's moves as tasks, an order to try them in, one play of it. Predicted times
 * only: at run time the engine dispatches by real ends, in the same order under the same limits,
 * and keeps the dependencies. */
#include "balancer/core/schedule/schedule.h"

#include "balancer/core/schedule/schedule_state.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Whatever the order: a link cannot carry more than its rate, and the longest move takes its
 * time. */
static bool lower_bound(struct ek_schedule_tasks *tasks, int64_t *out)
{
    double bound = 0;
    double *mib =
        ek_arena_alloc(&tasks->occupied.arena, 2 * (size_t)tasks->part_count, sizeof(*mib));

    for (uint32_t i = 0; mib != NULL && i < tasks->count; i++) {
        const struct ek_schedule_task *task = &tasks->tasks[i];
        mib[2 * task->source] += task->cost.transfer_mib;
        mib[2 * task->destination + 1] += task->cost.transfer_mib;
        bound = fmax(bound, (double)task->cost.duration_ms);
    }
    for (uint32_t p = 0; mib != NULL && p < tasks->part_count; p++) {
        double link_mib_s = tasks->parts[p].link_mib_s[EK_SCHEDULE_PACED];
        bound = fmax(bound, fmax(mib[2 * p], mib[2 * p + 1]) / link_mib_s * 1e3);
    }
    *out = (int64_t)ceil(fmin(bound, EK_FOREVER_MS));
    return mib != NULL;
}

static bool fill(struct ek_schedule *out, struct ek_schedule_tasks *tasks)
{
    struct ek_schedule_play *play = ek_schedule_play_make(tasks);
    int64_t *starts_ms = ek_arena_alloc(&tasks->occupied.arena, tasks->count, sizeof(*starts_ms));

    out->slots = ek_arena_alloc(&out->arena, tasks->count, sizeof(*out->slots));
    out->order = ek_arena_alloc(&out->arena, tasks->count, sizeof(*out->order));
    if (play == NULL || starts_ms == NULL || out->slots == NULL || out->order == NULL ||
        !ek_schedule_choose(tasks, play, out->order) ||
        !ek_schedule_play_noting(play, out->order, starts_ms, out)) {
        return false;
    }
    out->slot_count = tasks->count;
    for (uint32_t i = 0; i < tasks->count; i++) {
        out->slots[i].start_ms = starts_ms[i];
        out->slots[i].duration_ms = tasks->tasks[i].duration_ms;
        out->slots[i].rate_mib_s = tasks->tasks[i].rate_mib_s;
        out->slots[i].cost = tasks->tasks[i].cost;
        assert(out->slots[i].duration_ms >= 1);
    }
    return lower_bound(tasks, &out->lower_bound_ms);
}

bool ek_schedule_make(struct ek_schedule *out, const struct ek_plan *plan,
                      const struct ek_policy *policy, struct ek_error *err)
{
    return ek_schedule_make_at(out, plan, policy, EK_PACE_LIMITS, NULL, err);
}

bool ek_schedule_make_at(struct ek_schedule *out, const struct ek_plan *plan,
                         const struct ek_policy *policy, enum ek_pace pace,
                         const struct ek_cost *costs, struct ek_error *err)
{
    struct ek_schedule_tasks tasks;

    memset(out, 0, sizeof(*out));
    out->plan = plan;
    out->pace = pace;
    if (!ek_schedule_tasks_init(&tasks, plan, policy, pace, costs, err)) {
        return false;
    }
    bool ok = fill(out, &tasks);
    ek_schedule_tasks_finish(&tasks);
    if (!ok) {
        ek_schedule_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory while scheduling");
    }
    return true;
}

void ek_schedule_finish(struct ek_schedule *schedule)
{
    ek_arena_finish(&schedule->arena);
    memset(schedule, 0, sizeof(*schedule));
}
