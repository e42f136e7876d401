/* One play of the tasks in whole milliseconds: a stream, no waves.
 *
 * A task becomes ready when the earlier move of its domain has ended, those before it in the queues
 * of its rules have started, and it has room. Of the ready ones the first in the order is tried; if
 * a link or a rule stands in its way, it waits at that alone and is tried again when that changes.
 * So a play looks at few of many waiting tasks. */
#include "balancer/core/schedule/schedule_state.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define NONE EK_SCHEDULE_NONE

/* Rates are added and taken off again, which is not exact; this part of a rate is never missed. */
#define SLACK 1e-6

enum direction { OUT, IN };

struct link {
    int running;
    double used_mib_s;
    uint32_t waiting; /* head of a list of tasks */
};

/* Of one part. */
struct place {
    struct link links[2];
    struct ek_schedule_space room; /* beside what is promised */
    uint32_t unfit;                /* first of the arrivals that have no promise yet */
    uint32_t waiting; /* head of the list of those that lack room, when it is not promised */
};

enum phase { WAITING, RUNNING, ENDED };

struct ek_schedule_play {
    struct ek_schedule_tasks *it;
    struct place *places;
    struct link cluster;
    enum phase *phases;
    uint32_t *missing;      /* per task: conditions without which it is not even tried */
    uint32_t *next_waiting; /* per task: in the list that it waits in */
    uint32_t *rank_of;      /* per task: its place in the order */
    uint32_t *blocked;      /* per rule: the task that it keeps waiting */
    uint32_t *head;         /* per rule: entry of the first in its queue that has not started */
    uint32_t *first_head;
    struct ek_schedule_heap ready;
    struct ek_schedule_heap running; /* by end */
    bool landed;                     /* moves of others are taken to have ended */
    int64_t now_ms;
    int64_t makespan_ms;
    uint32_t started;
    enum ek_schedule_room room;
    int64_t *starts_ms;
    struct ek_schedule_notes *notes; /* NULL: nobody wants to know */
};

struct ek_schedule_play *ek_schedule_play_make(struct ek_schedule_tasks *tasks)
{
    struct ek_arena *scratch = &tasks->occupied.arena;
    struct ek_schedule_play *play = ek_arena_alloc(scratch, 1, sizeof(*play));
    size_t count = tasks->count;

    if (play == NULL) {
        return NULL;
    }
    play->it = tasks;
    play->places = ek_arena_alloc(scratch, tasks->part_count, sizeof(*play->places));
    play->phases = ek_arena_alloc(scratch, count, sizeof(*play->phases));
    play->missing = ek_arena_alloc(scratch, count, sizeof(*play->missing));
    play->next_waiting = ek_arena_alloc(scratch, count, sizeof(*play->next_waiting));
    play->rank_of = ek_arena_alloc(scratch, count, sizeof(*play->rank_of));
    play->blocked = ek_arena_alloc(scratch, tasks->rule_count, sizeof(*play->blocked));
    play->head = ek_arena_alloc(scratch, tasks->rule_count, sizeof(*play->head));
    play->first_head = ek_arena_alloc(scratch, tasks->rule_count, sizeof(*play->first_head));
    play->ready.items = ek_arena_alloc(scratch, count, sizeof(*play->ready.items));
    play->running.items = ek_arena_alloc(scratch, count, sizeof(*play->running.items));
    if (play->places == NULL || play->phases == NULL || play->missing == NULL ||
        play->next_waiting == NULL || play->rank_of == NULL || play->blocked == NULL ||
        play->head == NULL || play->first_head == NULL || play->ready.items == NULL ||
        play->running.items == NULL) {
        return NULL;
    }
    for (uint32_t e = tasks->entry_count; e-- > 0;) {
        play->first_head[tasks->entries[e].rule] = e;
    }
    return play;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void ready(struct ek_schedule_play *play, uint32_t task)
{
    ek_schedule_heap_push(&play->ready, play->rank_of[task], task);
}

/* One of its conditions is met. */
static void relieve(struct ek_schedule_play *play, uint32_t task)
{
    assert(play->missing[task] > 0 && play->phases[task] == WAITING);
    if (--play->missing[task] == 0) {
        ready(play, task);
    }
}

static void wait_in(struct ek_schedule_play *play, uint32_t *list, uint32_t task)
{
    play->next_waiting[task] = *list;
    *list = task;
}

static void wake(struct ek_schedule_play *play, uint32_t *list)
{
    for (uint32_t task = *list; task != NONE; task = play->next_waiting[task]) {
        ready(play, task);
    }
    *list = NONE;
}

static struct link *link_at(struct ek_schedule_play *play, uint32_t part, enum direction direction)
{
    return &play->places[part].links[direction];
}

/* What a move of that class finds on the link when nothing runs there. */
static double capacity(const struct ek_schedule_play *play, uint32_t part,
                       enum ek_schedule_class class)
{
    return play->it->parts[part].link_mib_s[class];
}

static double cluster_capacity(const struct ek_schedule_play *play, enum ek_schedule_class class)
{
    double limit = play->it->limits[class].bandwidth_cluster_mib_s;

    return limit > 0 ? limit : HUGE_VAL;
}

/* Only what takes its full rate counts against a link: two slow ones may share a fast one. All that
 * runs counts, under whichever limits it was started. */
static bool carries(const struct link *link, int limit, double capacity_mib_s, double rate_mib_s)
{
    return link->running < limit &&
           rate_mib_s <= capacity_mib_s - link->used_mib_s + SLACK * rate_mib_s;
}

static void load(struct link *link, double rate_mib_s)
{
    link->running++;
    link->used_mib_s += rate_mib_s;
}

static void unload(struct link *link, double rate_mib_s)
{
    assert(link->running > 0);
    link->running--;
    /* Idle means idle, whatever the sum says. */
    link->used_mib_s = link->running == 0 ? 0 : link->used_mib_s - rate_mib_s;
}

/* ---- start and end -------------------------------------------------------------------------- */

static void start(struct ek_schedule_play *play, uint32_t index)
{
    const struct ek_schedule_task *task = &play->it->tasks[index];
    int64_t end_ms = play->now_ms + task->duration_ms;

    assert(play->phases[index] == WAITING && play->missing[index] == 0);
    play->phases[index] = RUNNING;
    play->started++;
    play->starts_ms[index] = play->now_ms;
    play->makespan_ms = end_ms > play->makespan_ms ? end_ms : play->makespan_ms;
    if (play->room == EK_SCHEDULE_ROOM_FREE) {
        ek_schedule_change_room(play->it, task, &play->places[task->destination].room, -1);
    }
    load(&play->cluster, task->rate_mib_s);
    load(link_at(play, task->source, OUT), task->rate_mib_s);
    load(link_at(play, task->destination, IN), task->rate_mib_s);
    ek_rule_set_occupy(&play->it->occupied.rules, task->domain,
                       play->it->parts[task->destination].host);
    ek_schedule_heap_push(&play->running, end_ms, index);
    for (uint32_t e = task->first_entry; e < task[1].first_entry; e++) {
        const struct ek_schedule_entry *entry = &play->it->entries[e];
        play->head[entry->rule] = entry->next;
        if (entry->next != NONE) {
            relieve(play, play->it->entries[entry->next].task);
        }
    }
}

/* The rule of a queue that keeps the task waiting now; NONE: none. *never: no move's end will
 * change it. */
static uint32_t forbidding(const struct ek_schedule_play *play, uint32_t index, bool *never)
{
    const struct ek_schedule_task *task = &play->it->tasks[index];
    uint32_t rule = ek_rule_set_transit_block(&play->it->occupied.rules, task->domain,
                                              play->it->parts[task->destination].host);

    *never = rule != EK_NONE && play->it->rule_of[rule] == NONE;
    return rule == EK_NONE ? NONE : play->it->rule_of[rule];
}

/* What was promised is there; else first come, first served. */
static bool has_room(const struct ek_schedule_play *play, const struct ek_schedule_task *task)
{
    const struct place *place = &play->places[task->destination];

    return play->room == EK_SCHEDULE_ROOM_PROMISED ||
           ek_schedule_fits(play->it, task, &place->room);
}

/* Starts the task, or lets it wait at the first thing that stands in its way. */
static void consider(struct ek_schedule_play *play, uint32_t index)
{
    const struct ek_schedule_task *task = &play->it->tasks[index];
    const struct ek_limits *limits = &play->it->limits[task->class];
    struct link *out = link_at(play, task->source, OUT);
    struct link *in = link_at(play, task->destination, IN);
    bool never = false;
    uint32_t rule = forbidding(play, index, &never);

    if (never) {
        return; /* no plan holds such a move */
    }
    if (rule != NONE) {
        play->blocked[rule] = index;
    } else if (!has_room(play, task)) {
        wait_in(play, &play->places[task->destination].waiting, index);
    } else if (!carries(out, limits->host_out, capacity(play, task->source, task->class),
                        task->rate_mib_s)) {
        wait_in(play, &out->waiting, index);
    } else if (!carries(in, limits->host_in, capacity(play, task->destination, task->class),
                        task->rate_mib_s)) {
        wait_in(play, &in->waiting, index);
    } else if (!carries(&play->cluster, limits->cluster, cluster_capacity(play, task->class),
                        task->rate_mib_s)) {
        wait_in(play, &play->cluster.waiting, index);
    } else {
        start(play, index);
    }
}

/* Room has come to a part: the next ones in the plan's order get it. */
static void admit(struct ek_schedule_play *play, uint32_t part)
{
    struct place *place = &play->places[part];

    while (place->unfit < play->it->parts[part + 1].first_arrival) {
        uint32_t index = play->it->arrivals[place->unfit];
        const struct ek_schedule_task *task = &play->it->tasks[index];
        if (!ek_schedule_fits(play->it, task, &place->room)) {
            break;
        }
        ek_schedule_change_room(play->it, task, &place->room, -1);
        place->unfit++;
        if (play->notes != NULL) {
            ek_schedule_note_room(play->notes, index);
        }
        relieve(play, index);
    }
}

/* How many in the queue of a rule are asked whether they wait for it: the first alone may start,
 * the others are noted so that they need not be tried in vain. */
enum { LOOK_AHEAD = 16 };

/* Before the end of a task changes what its rules count. */
static void note_rules(struct ek_schedule_play *play, uint32_t ended)
{
    const struct ek_schedule_task *task = &play->it->tasks[ended];

    for (uint32_t e = task->first_entry; e < task[1].first_entry; e++) {
        uint32_t rule = play->it->entries[e].rule;
        uint32_t at = play->head[rule];
        for (int i = 0; at != NONE && i < LOOK_AHEAD; i++, at = play->it->entries[at].next) {
            uint32_t index = play->it->entries[at].task;
            uint32_t after = play->it->tasks[index].after;
            bool never = false;
            bool arrived = after == NONE || play->phases[after] == ENDED;
            if (arrived && forbidding(play, index, &never) == rule) {
                ek_schedule_note_rule(play->notes, index, ended);
            }
        }
    }
}

static void finish(struct ek_schedule_play *play, uint32_t index)
{
    const struct ek_schedule_task *task = &play->it->tasks[index];
    struct ek_rule_set *rules = &play->it->occupied.rules;
    uint32_t destination = play->it->parts[task->destination].host;

    if (play->notes != NULL) {
        note_rules(play, index);
        ek_schedule_note_departure(play->notes, index);
    }
    play->phases[index] = ENDED;
    unload(&play->cluster, task->rate_mib_s);
    unload(link_at(play, task->source, OUT), task->rate_mib_s);
    unload(link_at(play, task->destination, IN), task->rate_mib_s);
    ek_rule_set_vacate(rules, task->domain, destination);
    ek_rule_set_move(rules, task->domain, destination);
    /* Only now: until its end a failed move has to find its room on the source again. */
    ek_schedule_change_room(play->it, task, &play->places[task->source].room, 1);
    if (play->room == EK_SCHEDULE_ROOM_PROMISED) {
        admit(play, task->source);
    }
    wake(play, &play->places[task->source].waiting);
    if (task->next != NONE) {
        relieve(play, task->next);
    }
    wake(play, &play->cluster.waiting);
    wake(play, &link_at(play, task->source, OUT)->waiting);
    wake(play, &link_at(play, task->destination, IN)->waiting);
    for (uint32_t e = task->first_entry; e < task[1].first_entry; e++) {
        uint32_t *blocked = &play->blocked[play->it->entries[e].rule];
        if (*blocked != NONE) {
            ready(play, *blocked);
            *blocked = NONE;
        }
    }
}

/* ---- moves of others ------------------------------------------------------------------------ */

/* What a move in flight takes of the links is not known; the most that it can is assumed. What
 * leaves a host with a deadline is its evacuation. */
static double flight_rate(const struct ek_schedule_play *play, const struct ek_in_flight *flight)
{
    const struct ek_host *hosts = play->it->plan->snapshot->hosts;
    bool paced = ek_pace_binds(EK_MOVE_EVACUATE, &hosts[flight->source]);

    return ek_limits_rate(&play->it->limits[paced ? EK_SCHEDULE_PACED : EK_SCHEDULE_USUAL],
                          &hosts[flight->source], &hosts[flight->destination]);
}

static void fly(struct ek_schedule_play *play, const struct ek_in_flight *flight)
{
    double rate = flight_rate(play, flight);
    uint32_t source = play->it->part_of[flight->source];
    uint32_t destination = play->it->part_of[flight->destination];

    load(&play->cluster, rate);
    if (source != NONE) {
        load(link_at(play, source, OUT), rate);
    }
    if (destination != NONE) {
        load(link_at(play, destination, IN), rate);
    }
}

static void unfly(struct ek_schedule_play *play, const struct ek_in_flight *flight)
{
    const struct ek_snapshot *snapshot = play->it->plan->snapshot;
    double rate = flight_rate(play, flight);
    uint32_t source = play->it->part_of[flight->source];
    uint32_t destination = play->it->part_of[flight->destination];

    unload(&play->cluster, rate);
    if (source != NONE) {
        unload(link_at(play, source, OUT), rate);
        wake(play, &link_at(play, source, OUT)->waiting);
    }
    if (destination != NONE) {
        unload(link_at(play, destination, IN), rate);
        wake(play, &link_at(play, destination, IN)->waiting);
    }
    if (flight->domain != EK_NONE) {
        ek_rule_set_vacate(&play->it->occupied.rules, flight->domain,
                           ek_rule_set_other_host(snapshot, flight));
    }
}

/* When moves of others end is not known. They are thought to run until nothing more can start, and
 * to have ended then. Their room on the source stays taken, which errs on the safe side. */
static bool land(struct ek_schedule_play *play)
{
    const struct ek_snapshot *snapshot = play->it->plan->snapshot;

    if (play->landed || snapshot->in_flight_count == 0) {
        return false;
    }
    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        unfly(play, &snapshot->in_flight[f]);
    }
    wake(play, &play->cluster.waiting);
    for (uint32_t r = 0; r < play->it->rule_count; r++) {
        if (play->blocked[r] != NONE) {
            ready(play, play->blocked[r]);
            play->blocked[r] = NONE;
        }
    }
    play->landed = true;
    return true;
}

/* ---- the play ------------------------------------------------------------------------------- */

static struct link idle(void)
{
    return (struct link){.running = 0, .used_mib_s = 0, .waiting = NONE};
}

static void begin_tasks(struct ek_schedule_play *play, const uint32_t *order)
{
    for (uint32_t rank = 0; rank < play->it->count; rank++) {
        play->rank_of[order[rank]] = rank;
    }
    for (uint32_t i = 0; i < play->it->count; i++) {
        const struct ek_schedule_task *task = &play->it->tasks[i];
        play->phases[i] = WAITING;
        bool promised = task->fits || play->room == EK_SCHEDULE_ROOM_FREE;
        play->missing[i] = (task->after == NONE ? 0U : 1U) + (promised ? 0U : 1U);
        for (uint32_t e = task->first_entry; e < task[1].first_entry; e++) {
            play->missing[i] += play->head[play->it->entries[e].rule] == e ? 0 : 1;
        }
        if (play->missing[i] == 0) {
            ready(play, i);
        }
    }
}

static void begin_place(struct place *place, const struct ek_schedule_part *part,
                        enum ek_schedule_room room)
{
    bool promised = room == EK_SCHEDULE_ROOM_PROMISED;

    *place = (struct place){.links = {idle(), idle()},
                            .room = promised ? part->left : part->room,
                            .unfit = part->unfit,
                            .waiting = NONE};
}

static void begin(struct ek_schedule_play *play, const uint32_t *order)
{
    const struct ek_schedule_tasks *it = play->it;

    play->ready.count = 0;
    play->running.count = 0;
    play->landed = false;
    play->now_ms = 0;
    play->makespan_ms = 0;
    play->started = 0;
    play->cluster = idle();
    for (uint32_t p = 0; p < it->part_count; p++) {
        begin_place(&play->places[p], &it->parts[p], play->room);
    }
    if (it->rule_count > 0) {
        memcpy(play->head, play->first_head, it->rule_count * sizeof(*play->head));
        memset(play->blocked, 0xff, it->rule_count * sizeof(*play->blocked));
    }
    for (size_t f = 0; f < it->plan->snapshot->in_flight_count; f++) {
        fly(play, &it->plan->snapshot->in_flight[f]);
    }
    begin_tasks(play, order);
}

/* Everyone back to where the plan found them, for the next play. */
static void rewind_rules(struct ek_schedule_play *play)
{
    const struct ek_snapshot *snapshot = play->it->plan->snapshot;
    struct ek_rule_set *rules = &play->it->occupied.rules;

    for (uint32_t i = play->it->count; rules->rule_count > 0 && i-- > 0;) {
        const struct ek_schedule_task *task = &play->it->tasks[i];
        if (play->phases[i] == RUNNING) {
            ek_rule_set_vacate(rules, task->domain, play->it->parts[task->destination].host);
        } else if (play->phases[i] == ENDED) {
            ek_rule_set_move(rules, task->domain, play->it->parts[task->source].host);
        }
    }
    for (size_t f = 0; play->landed && f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (flight->domain != EK_NONE) {
            ek_rule_set_occupy(rules, flight->domain, ek_rule_set_other_host(snapshot, flight));
        }
    }
}

/* All that end at the next instant, before anything starts: at one instant ends come first. */
static bool advance(struct ek_schedule_play *play)
{
    if (play->running.count == 0) {
        return land(play);
    }
    play->now_ms = play->running.items[0].key;
    while (play->running.count > 0 && play->running.items[0].key == play->now_ms) {
        finish(play, ek_schedule_heap_pop(&play->running).task);
    }
    return true;
}

int64_t ek_schedule_play(struct ek_schedule_play *play, const uint32_t *order,
                         enum ek_schedule_room room, int64_t limit_ms, int64_t *starts_ms)
{
    play->room = room;
    play->starts_ms = starts_ms;
    begin(play, order);
    bool more = true;
    while (more && play->makespan_ms <= limit_ms) {
        int most = play->it->limits[EK_SCHEDULE_PACED].cluster;
        while (play->ready.count > 0 && play->cluster.running < most) {
            consider(play, ek_schedule_heap_pop(&play->ready).task);
        }
        more = advance(play);
    }
    rewind_rules(play);
    return play->started < play->it->count || more ? INT64_MAX : play->makespan_ms;
}

bool ek_schedule_play_noting(struct ek_schedule_play *play, const uint32_t *order,
                             int64_t *starts_ms, struct ek_schedule *out)
{
    play->notes = ek_schedule_notes_make(play->it, out);
    if (play->notes == NULL) {
        return false;
    }
    (void)ek_schedule_play(play, order, EK_SCHEDULE_ROOM_PROMISED, INT64_MAX, starts_ms);
    out->makespan_ms = play->makespan_ms;
    return ek_schedule_notes_write(play->notes);
}
