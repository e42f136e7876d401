/* The plan's moves as tasks: what each takes, whom it waits for whatever the order. */
#include "balancer/core/schedule/schedule_state.h"

#include "balancer/core/constraint.h"
#include "balancer/core/migration_cost.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The same tolerance as the constraints have: sums of many sizes are not exact. */
#define SLACK 1e-3

/* Of what is needed of a further resource: its unit is not known. */
#define FURTHER_SLACK 1e-6

static struct ek_schedule_space room_of(const struct ek_cluster *cluster, uint32_t host)
{
    struct ek_schedule_space room = {.mib = ek_constraint_memory_room(cluster, host),
                                     .vcpus = ek_constraint_vcpu_room(cluster, host)};

    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        room.further[r] = ek_constraint_resource_room(cluster, host, (enum ek_resource)r);
    }
    return room;
}

static uint32_t part_of(struct ek_schedule_tasks *out, uint32_t host)
{
    if (out->part_of[host] == EK_SCHEDULE_NONE) {
        out->part_of[host] = out->part_count;
        const struct ek_host *it = &out->plan->snapshot->hosts[host];
        out->parts[out->part_count++] = (struct ek_schedule_part){
            .host = host,
            .link_mib_s = {ek_limits_link(&out->limits[EK_SCHEDULE_USUAL], it),
                           ek_limits_link(&out->limits[EK_SCHEDULE_PACED], it)},
            .room = room_of(&out->occupied, host)};
    }
    return out->part_of[host];
}

/* Who empties a host is not kept waiting by who levels, and nobody by a guest that is likely to
 * keep its links until it is aborted. */
static enum ek_schedule_rank rank_of(enum ek_move_kind kind, const struct ek_cost *cost)
{
    if (!cost->converges) {
        return EK_SCHEDULE_DOUBTFUL;
    }
    return kind == EK_MOVE_BALANCE ? EK_SCHEDULE_WISHED : EK_SCHEDULE_DUE;
}

static void take(struct ek_schedule_tasks *out, uint32_t index)
{
    const struct ek_plan_move *move = &out->plan->moves[index];
    const struct ek_snapshot *snapshot = out->plan->snapshot;
    const struct ek_domain *domain = &snapshot->domains[move->domain];
    const struct ek_host *source = &snapshot->hosts[move->source];
    const struct ek_cost *cost = out->costs == NULL ? &move->cost : &out->costs[index];
    enum ek_schedule_class class =
        ek_pace_binds(move->kind, source) ? EK_SCHEDULE_PACED : EK_SCHEDULE_USUAL;

    out->tasks[index] =
        (struct ek_schedule_task){.domain = move->domain,
                                  .source = part_of(out, move->source),
                                  .destination = part_of(out, move->destination),
                                  .after = EK_SCHEDULE_NONE,
                                  .next = EK_SCHEDULE_NONE,
                                  .rank = rank_of(move->kind, cost),
                                  .class = class,
                                  .rate_mib_s = ek_limits_rate(&out->limits[class], source,
                                                               &snapshot->hosts[move->destination]),
                                  .memory_mib = domain->memory_mib,
                                  .vcpus = domain->vcpus,
                                  .duration_ms = cost->duration_ms > 0 ? cost->duration_ms : 1,
                                  .cost = *cost};
}

/* A domain that is parked moves twice: its second move waits for its first. */
static void chain(struct ek_schedule_tasks *out, uint32_t *newest)
{
    for (uint32_t i = 0; i < out->count; i++) {
        uint32_t earlier = newest[out->tasks[i].domain]; /* 1 + index; 0: none */
        if (earlier != 0) {
            out->tasks[i].after = earlier - 1;
            out->tasks[earlier - 1].next = i;
        }
        newest[out->tasks[i].domain] = i + 1;
    }
}

static void count_arrivals(struct ek_schedule_tasks *out)
{
    uint32_t arrivals = 0;
    uint32_t departures = 0;

    for (uint32_t i = 0; i < out->count; i++) {
        out->parts[out->tasks[i].destination].first_arrival++;
        out->parts[out->tasks[i].source].first_departure++;
    }
    for (uint32_t p = 0; p < out->part_count; p++) {
        arrivals += out->parts[p].first_arrival;
        departures += out->parts[p].first_departure;
        out->parts[p].first_arrival = arrivals - out->parts[p].first_arrival;
        out->parts[p].first_departure = departures - out->parts[p].first_departure;
    }
    out->parts[out->part_count].first_arrival = arrivals;
    out->parts[out->part_count].first_departure = departures;
}

static void see_what_fits(struct ek_schedule_tasks *out)
{
    for (uint32_t p = 0; p < out->part_count; p++) {
        struct ek_schedule_part *part = &out->parts[p];
        uint32_t end = part[1].first_arrival;
        part->left = part->room;
        for (part->unfit = part->first_arrival; part->unfit < end; part->unfit++) {
            struct ek_schedule_task *task = &out->tasks[out->arrivals[part->unfit]];
            task->fits = ek_schedule_fits(out, task, &part->left);
            if (!task->fits) {
                break;
            }
            ek_schedule_change_room(out, task, &part->left, -1);
        }
        for (uint32_t a = part->unfit; a < end; a++) {
            out->tasks[out->arrivals[a]].fits = false;
            out->tight = true;
        }
    }
}

void ek_schedule_promise(struct ek_schedule_tasks *tasks, const uint32_t *order)
{
    /* Counting sort, which keeps the order within each part. */
    for (uint32_t p = 0; p < tasks->part_count; p++) {
        tasks->parts[p].unfit = tasks->parts[p].first_arrival;
    }
    for (uint32_t i = 0; i < tasks->count; i++) {
        uint32_t index = order == NULL ? i : order[i];
        tasks->arrivals[tasks->parts[tasks->tasks[index].destination].unfit++] = index;
    }
    see_what_fits(tasks);
}

bool ek_schedule_fits(const struct ek_schedule_tasks *tasks, const struct ek_schedule_task *task,
                      const struct ek_schedule_space *room)
{
    const struct ek_cluster *cluster = &tasks->occupied;
    bool fits = task->memory_mib <= room->mib + SLACK && task->vcpus <= room->vcpus + SLACK;

    for (unsigned int r = EK_RESOURCE_FURTHER; fits && r < cluster->resource_count; r++) {
        double needed = ek_cluster_demand(cluster, task->domain, (enum ek_resource)r);
        /* Who needs nothing of it fits even where there is less than nothing. */
        fits = !(needed > 0) || needed * (1 - FURTHER_SLACK) <= room->further[r];
    }
    return fits;
}

void ek_schedule_change_room(const struct ek_schedule_tasks *tasks,
                             const struct ek_schedule_task *task, struct ek_schedule_space *room,
                             double sign)
{
    const struct ek_cluster *cluster = &tasks->occupied;

    room->mib += sign * task->memory_mib;
    room->vcpus += sign * task->vcpus;
    for (unsigned int r = EK_RESOURCE_FURTHER; r < cluster->resource_count; r++) {
        room->further[r] += sign * ek_cluster_demand(cluster, task->domain, (enum ek_resource)r);
    }
}

static bool queue_rules(struct ek_schedule_tasks *out)
{
    struct ek_arena *scratch = &out->occupied.arena;
    const struct ek_rule_set *rules = &out->occupied.rules;
    size_t total = 0;

    for (uint32_t i = 0; i < out->count; i++) {
        total += ek_rule_set_ordering(rules, out->tasks[i].domain, NULL);
    }
    uint32_t *found = ek_arena_alloc(scratch, rules->rule_count, sizeof(*found));
    uint32_t *newest = ek_arena_alloc(scratch, rules->rule_count, sizeof(*newest));
    out->entries = ek_arena_alloc(scratch, total, sizeof(*out->entries));
    out->rule_of = ek_arena_alloc(scratch, rules->rule_count, sizeof(*out->rule_of));
    if (found == NULL || newest == NULL || out->entries == NULL || out->rule_of == NULL) {
        return false;
    }
    memset(out->rule_of, 0xff, rules->rule_count * sizeof(*out->rule_of));
    for (uint32_t i = 0; i < out->count; i++) {
        size_t count = ek_rule_set_ordering(rules, out->tasks[i].domain, found);
        out->tasks[i].first_entry = out->entry_count;
        for (size_t r = 0; r < count; r++) {
            struct ek_schedule_entry *entry = &out->entries[out->entry_count];
            if (out->rule_of[found[r]] == EK_SCHEDULE_NONE) {
                out->rule_of[found[r]] = out->rule_count++;
            } else {
                out->entries[newest[found[r]]].next = out->entry_count;
            }
            *entry = (struct ek_schedule_entry){
                .rule = out->rule_of[found[r]], .task = i, .next = EK_SCHEDULE_NONE};
            newest[found[r]] = out->entry_count++;
        }
    }
    out->tasks[out->count].first_entry = out->entry_count;
    return true;
}

static bool build(struct ek_schedule_tasks *out)
{
    const struct ek_snapshot *snapshot = out->plan->snapshot;
    struct ek_arena *scratch = &out->occupied.arena;
    /* One more of what is listed by "the next one's first". */
    size_t parts = 2 * (size_t)out->count < snapshot->host_count ? 2 * (size_t)out->count
                                                                 : snapshot->host_count;
    out->tasks = ek_arena_alloc(scratch, (size_t)out->count + 1, sizeof(*out->tasks));
    out->parts = ek_arena_alloc(scratch, parts + 1, sizeof(*out->parts));
    out->part_of = ek_arena_alloc(scratch, snapshot->host_count, sizeof(*out->part_of));
    out->arrivals = ek_arena_alloc(scratch, out->count, sizeof(*out->arrivals));
    uint32_t *newest = ek_arena_alloc(scratch, snapshot->domain_count, sizeof(*newest));
    if (out->tasks == NULL || out->parts == NULL || out->part_of == NULL || newest == NULL ||
        out->arrivals == NULL) {
        return false;
    }
    memset(out->part_of, 0xff, snapshot->host_count * sizeof(*out->part_of));
    for (uint32_t i = 0; i < out->count; i++) {
        take(out, i);
    }
    chain(out, newest);
    count_arrivals(out);
    ek_schedule_promise(out, NULL);
    return queue_rules(out);
}

bool ek_schedule_tasks_init(struct ek_schedule_tasks *out, const struct ek_plan *plan,
                            const struct ek_policy *policy, enum ek_pace pace,
                            const struct ek_cost *costs, struct ek_error *err)
{
    assert(plan->move_count < EK_SCHEDULE_NONE / 2);
    memset(out, 0, sizeof(*out));
    out->plan = plan;
    out->limits[EK_SCHEDULE_USUAL] = ek_limits_of(policy);
    out->limits[EK_SCHEDULE_PACED] = ek_pace_limits(policy, pace);
    out->costs = costs;
    out->count = (uint32_t)plan->move_count;
    if (!(plan->model != NULL ? ek_cluster_copy(&out->occupied, plan->model, err)
                              : ek_cluster_init(&out->occupied, plan->snapshot, policy, err))) {
        return false;
    }
    out->occupied.policy = policy;
    if (!build(out)) {
        ek_schedule_tasks_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory while scheduling");
    }
    return true;
}

void ek_schedule_tasks_finish(struct ek_schedule_tasks *tasks)
{
    ek_cluster_finish(&tasks->occupied);
    memset(tasks, 0, sizeof(*tasks));
}

/* The parts of the bound that one host makes: what its links carry, and how many at once. By the
 * pace, which allows no less than the policy does. */
static double part_bound_ms(const struct ek_schedule_tasks *tasks, const double *work,
                            const double *time, uint32_t part)
{
    const struct ek_limits *limits = &tasks->limits[EK_SCHEDULE_PACED];
    double link = tasks->parts[part].link_mib_s[EK_SCHEDULE_PACED];
    double out = fmax(work[0] / link, time[0] / limits->host_out);
    double in = fmax(work[1] / link, time[1] / limits->host_in);

    return fmax(out, in);
}

/* work and time: two of each part, zeroed. */
static double bound_ms(const struct ek_schedule_tasks *tasks, double *work, double *time)
{
    const struct ek_limits *limits = &tasks->limits[EK_SCHEDULE_PACED];
    double total_work = 0;
    double total_time = 0;
    double bound = 0;

    for (uint32_t i = 0; i < tasks->count; i++) {
        const struct ek_schedule_task *task = &tasks->tasks[i];
        double duration = (double)task->duration_ms;
        work[2 * task->source] += duration * task->rate_mib_s;
        work[2 * task->destination + 1] += duration * task->rate_mib_s;
        time[2 * task->source] += duration;
        time[2 * task->destination + 1] += duration;
        total_work += duration * task->rate_mib_s;
        total_time += duration;
        bound = fmax(bound, duration);
    }
    for (uint32_t p = 0; p < tasks->part_count; p++) {
        bound = fmax(bound, part_bound_ms(tasks, work + 2 * p, time + 2 * p, p));
    }
    if (limits->bandwidth_cluster_mib_s > 0) {
        bound = fmax(bound, total_work / limits->bandwidth_cluster_mib_s);
    }
    return fmax(bound, total_time / limits->cluster);
}

bool ek_schedule_bound(struct ek_schedule_tasks *tasks, int64_t *out)
{
    struct ek_arena *scratch = &tasks->occupied.arena;
    double *work = ek_arena_alloc(scratch, 2 * (size_t)tasks->part_count, sizeof(*work));
    double *time = ek_arena_alloc(scratch, 2 * (size_t)tasks->part_count, sizeof(*time));

    if (work == NULL || time == NULL) {
        return false;
    }
    /* Rates add up inexactly: a bound a hair too high would never be met. */
    *out = (int64_t)ceil(fmin(bound_ms(tasks, work, time) * (1 - 1e-9), EK_FOREVER_MS));
    return true;
}
