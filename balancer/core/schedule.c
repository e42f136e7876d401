/* The schedule: the plan played through in whole milliseconds. At each end of a move all that may
 * start now starts; what lacked room depends on the moves that freed it. Predicted times only: at
 * run time the engine dispatches by real ends and keeps the dependencies. */
#include "balancer/core/schedule.h"

#include "balancer/core/constraint.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* One move while the schedule is made. */
struct task {
    int64_t end_ms;
    bool started;
    bool ended;
    bool waits_for_room; /* it lacks room now, whatever the limits say */
    uint32_t rule;       /* must rule that forbids it now; EK_NONE: none does */
    size_t after;        /* the earlier move of the same domain, which is parked; NOTHING: none */
    uint32_t *depends_on;
    size_t depends_count;
    size_t depends_room;
};

#define NOTHING SIZE_MAX

/* What one host has under way: links are full duplex, so that in and out are counted apart. */
struct link {
    int in;
    int out;
    double promised_mib; /* room that earlier moves of the plan still wait to take */
    double promised_vcpus;
};

struct work {
    const struct ek_plan *plan;
    const struct ek_policy *policy;
    struct ek_schedule *out;
    struct ek_cluster occupied; /* allocations at the present instant */
    struct task *tasks;
    struct link *links;
    int running;
    int64_t now_ms;
};

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while scheduling");
}

/* Moves that run already take (sign 1) or leave (sign -1) their places under the limits. */
static void count_in_flight(struct work *work, int sign)
{
    const struct ek_snapshot *snapshot = work->plan->snapshot;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        work->links[snapshot->in_flight[f].source].out += sign;
        work->links[snapshot->in_flight[f].destination].in += sign;
        work->running += sign;
    }
}

static void land_in_flight(struct work *work)
{
    const struct ek_snapshot *snapshot = work->plan->snapshot;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->domain != EK_NONE) {
            ek_rule_set_vacate(&work->occupied.rules, flight->domain,
                               ek_rule_set_other_host(snapshot, flight));
        }
    }
}

/* Doubling in the arena: the old lists are given up with it. */
static bool depend(struct work *work, struct task *task, uint32_t seq, struct ek_error *err)
{
    if (task->depends_count == task->depends_room) {
        size_t room = task->depends_room == 0 ? 4 : 2 * task->depends_room;
        uint32_t *list = ek_arena_alloc(&work->out->arena, room, sizeof(*list));
        if (list == NULL) {
            return nomem(err);
        }
        if (task->depends_count > 0) {
            memcpy(list, task->depends_on, task->depends_count * sizeof(*list));
        }
        task->depends_on = list;
        task->depends_room = room;
    }
    task->depends_on[task->depends_count++] = seq;
    return true;
}

/* A domain that is parked moves twice: its second move waits for its first. */
static bool chain(struct work *work, struct ek_error *err)
{
    const struct ek_plan *plan = work->plan;
    size_t *newest =
        ek_arena_alloc(&work->occupied.arena, plan->snapshot->domain_count, sizeof(*newest));

    if (newest == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        size_t earlier = newest[plan->moves[i].domain]; /* 1 + index; 0: none */
        work->tasks[i].after = earlier == 0 ? NOTHING : earlier - 1;
        newest[plan->moves[i].domain] = i + 1;
        if (earlier != 0 && !depend(work, &work->tasks[i], plan->moves[earlier - 1].seq, err)) {
            return false;
        }
    }
    return true;
}

static bool begin(struct work *work, struct ek_error *err)
{
    const struct ek_plan *plan = work->plan;
    struct ek_schedule *out = work->out;
    struct ek_arena *scratch = &work->occupied.arena;

    if (!ek_cluster_init(&work->occupied, plan->snapshot, work->policy, err)) {
        return false;
    }
    out->plan = plan;
    out->slot_count = plan->move_count;
    out->slots = ek_arena_alloc(&out->arena, plan->move_count, sizeof(*out->slots));
    work->tasks = ek_arena_alloc(scratch, plan->move_count, sizeof(*work->tasks));
    work->links = ek_arena_alloc(scratch, plan->snapshot->host_count, sizeof(*work->links));
    if (out->slots == NULL || work->tasks == NULL || work->links == NULL) {
        return nomem(err);
    }
    count_in_flight(work, 1);
    return chain(work, err);
}

/* The same three limits that the engine keeps when it dispatches. */
static bool limits_allow(const struct work *work, const struct ek_plan_move *move)
{
    return work->running < work->policy->limit_cluster &&
           work->links[move->source].out < work->policy->limit_host_out &&
           work->links[move->destination].in < work->policy->limit_host_in;
}

/* Memory and vCPUs on both hosts from start to end: QEMU on the destination is given all memory at
 * once, and the source keeps its own until the guest has gone. */
static bool room_allows(const struct work *work, const struct ek_plan_move *move)
{
    const struct ek_domain *domain = &work->plan->snapshot->domains[move->domain];

    const struct link *link = &work->links[move->destination];
    double memory_mib = ek_constraint_memory_room(&work->occupied, move->destination);
    double vcpus = ek_constraint_vcpu_room(&work->occupied, move->destination);

    return domain->memory_mib + link->promised_mib <= memory_mib + 1e-3 &&
           domain->vcpus + link->promised_vcpus <= vcpus + 1e-3;
}

/* A later move may overtake, but must not take the room that this one was planned into: the two
 * could then wait for each other for ever. */
static void promise(struct work *work, const struct ek_plan_move *move)
{
    const struct ek_domain *domain = &work->plan->snapshot->domains[move->domain];

    work->links[move->destination].promised_mib += domain->memory_mib;
    work->links[move->destination].promised_vcpus += domain->vcpus;
}

static void occupy(struct work *work, uint32_t host, uint32_t domain, double sign)
{
    const struct ek_domain *it = &work->plan->snapshot->domains[domain];

    work->occupied.hosts[host].memory_mib += sign * it->memory_mib;
    work->occupied.hosts[host].vcpus += sign * it->vcpus;
}

/* At full share: a link that limit moves use at once gives each its part. */
static int64_t duration_of(const struct work *work, const struct ek_plan_move *move)
{
    const struct ek_host *hosts = work->plan->snapshot->hosts;
    double rate = fmin(hosts[move->source].migration_mib_s / work->policy->limit_host_out,
                       hosts[move->destination].migration_mib_s / work->policy->limit_host_in);
    struct ek_cost cost = ek_migration_cost(&work->plan->snapshot->domains[move->domain], rate,
                                            work->policy->max_downtime_ms);

    return cost.duration_ms > 0 ? cost.duration_ms : 1;
}

static void start(struct work *work, size_t index)
{
    const struct ek_plan_move *move = &work->plan->moves[index];
    struct ek_slot *slot = &work->out->slots[index];
    struct task *task = &work->tasks[index];

    assert(!task->started && !task->ended && limits_allow(work, move));
    slot->start_ms = work->now_ms;
    slot->duration_ms = duration_of(work, move);
    slot->depends_on = task->depends_on;
    slot->depends_count = task->depends_count;
    assert(slot->duration_ms >= 1);
    task->started = true;
    task->end_ms = slot->start_ms + slot->duration_ms;
    work->running++;
    work->links[move->source].out++;
    work->links[move->destination].in++;
    occupy(work, move->destination, move->domain, 1);
    ek_rule_set_occupy(&work->occupied.rules, move->domain, move->destination);
}

static void consider(struct work *work, size_t index)
{
    const struct ek_plan_move *move = &work->plan->moves[index];
    struct ek_rule_set *rules = &work->occupied.rules;
    struct task *task = &work->tasks[index];

    bool arrived = task->after == NOTHING || work->tasks[task->after].ended;
    task->waits_for_room = !room_allows(work, move);
    task->rule =
        arrived ? ek_rule_set_transit_block(rules, move->domain, move->destination) : EK_NONE;
    if (arrived && !task->waits_for_room && task->rule == EK_NONE && limits_allow(work, move) &&
        !ek_rule_set_held(rules, move->domain)) {
        start(work, index);
    } else {
        promise(work, move);
        ek_rule_set_hold(rules, move->domain);
    }
}

/* In the plan's order: the plan is feasible in that order, which is why this always comes to an
 * end. */
static void start_all_possible(struct work *work)
{
    for (size_t h = 0; h < work->plan->snapshot->host_count; h++) {
        /* Promises are of one instant; who still waits at the next one makes its own again. */
        work->links[h].promised_mib = 0;
        work->links[h].promised_vcpus = 0;
    }
    ek_rule_set_release(&work->occupied.rules);
    for (size_t i = 0; i < work->plan->move_count; i++) {
        if (!work->tasks[i].started) {
            consider(work, i);
        }
    }
}

/* Whether that move's end may be what the task waits for: it frees room that lacks, or changes what
 * its rule counts. To wait for one too many is safe, for one too few is not. */
static bool waits_for(const struct work *work, size_t index, const struct ek_plan_move *ended)
{
    const struct task *task = &work->tasks[index];

    if (task->started || (task->after != NOTHING && &work->plan->moves[task->after] == ended)) {
        return false; /* a parked domain's own first move is waited for already */
    }
    return (task->waits_for_room && work->plan->moves[index].destination == ended->source) ||
           (task->rule != EK_NONE &&
            ek_rule_set_concerns(&work->occupied.rules, task->rule, ended->domain));
}

static bool finish(struct work *work, size_t index, struct ek_error *err)
{
    const struct ek_plan_move *move = &work->plan->moves[index];

    assert(work->tasks[index].started && !work->tasks[index].ended);
    assert(work->running > 0 && work->links[move->source].out > 0);
    work->tasks[index].ended = true;
    work->running--;
    work->links[move->source].out--;
    work->links[move->destination].in--;
    /* Only now: until its end a failed move has to find its room on the source again. */
    occupy(work, move->source, move->domain, -1);
    ek_rule_set_vacate(&work->occupied.rules, move->domain, move->destination);
    ek_rule_set_move(&work->occupied.rules, move->domain, move->destination);
    for (size_t i = 0; i < work->plan->move_count; i++) {
        struct task *task = &work->tasks[i];
        if (waits_for(work, i, move) && !depend(work, task, move->seq, err)) {
            return false;
        }
    }
    return true;
}

/* Goes to the next end; false in *more when nothing runs that could end. */
static bool advance(struct work *work, bool *more, struct ek_error *err)
{
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; i < work->plan->move_count; i++) {
        const struct task *task = &work->tasks[i];
        if (task->started && !task->ended && task->end_ms < next_ms) {
            next_ms = task->end_ms;
        }
    }
    assert(next_ms >= work->now_ms);
    *more = next_ms != INT64_MAX;
    work->now_ms = *more ? next_ms : work->now_ms;
    /* All that end at this instant, before anything starts: at one instant ends come first. */
    for (size_t i = 0; *more && i < work->plan->move_count; i++) {
        if (work->tasks[i].started && !work->tasks[i].ended && work->tasks[i].end_ms == next_ms &&
            !finish(work, i, err)) {
            return false;
        }
    }
    return true;
}

static bool run(struct work *work, struct ek_error *err)
{
    bool more = true;
    bool ok = true;

    while (ok && more) {
        start_all_possible(work);
        ok = advance(work, &more, err);
    }
    return ok;
}

/* When moves of others end is not known. They are thought to run until nothing more can start, and
 * to have ended then. */
static bool run_all(struct work *work, struct ek_error *err)
{
    bool ok = run(work, err);

    /* Their limits are freed; their room on the source stays taken, which errs on the safe side. */
    count_in_flight(work, -1);
    land_in_flight(work);
    return ok && run(work, err);
}

/* Whatever the order: a link cannot carry more than its rate, and the longest move takes its
 * time. */
static int64_t lower_bound_ms(const struct work *work)
{
    const struct ek_plan *plan = work->plan;
    double bound = 0;

    for (uint32_t h = 0; h < plan->snapshot->host_count; h++) {
        double out_mib = 0;
        double in_mib = 0;
        for (size_t i = 0; i < plan->move_count; i++) {
            out_mib += plan->moves[i].source == h ? plan->moves[i].cost.transfer_mib : 0;
            in_mib += plan->moves[i].destination == h ? plan->moves[i].cost.transfer_mib : 0;
        }
        bound = fmax(bound, fmax(out_mib, in_mib) / plan->snapshot->hosts[h].migration_mib_s * 1e3);
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        bound = fmax(bound, (double)plan->moves[i].cost.duration_ms);
    }
    return (int64_t)ceil(fmin(bound, EK_FOREVER_MS));
}

bool ek_schedule_make(struct ek_schedule *out, const struct ek_plan *plan,
                      const struct ek_policy *policy, struct ek_error *err)
{
    struct work work = {.plan = plan, .policy = policy, .out = out};

    memset(out, 0, sizeof(*out));
    bool ok = begin(&work, err) && run_all(&work, err);
    if (ok) {
        for (size_t i = 0; i < plan->move_count; i++) {
            out->makespan_ms =
                work.tasks[i].end_ms > out->makespan_ms ? work.tasks[i].end_ms : out->makespan_ms;
        }
        out->lower_bound_ms = lower_bound_ms(&work);
    } else {
        ek_schedule_finish(out);
    }
    ek_cluster_finish(&work.occupied);
    return ok;
}

void ek_schedule_finish(struct ek_schedule *schedule)
{
    ek_arena_finish(&schedule->arena);
    memset(schedule, 0, sizeof(*schedule));
}
