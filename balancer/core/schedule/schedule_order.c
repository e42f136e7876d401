/* In which order the tasks are tried: several rules of thumb, then the best of them improved.
 *
 * List scheduling by one rule alone may lose a quarter; which rule is best differs from plan to
 * plan, and a play is cheap. Work is counted in plays times moves, never in time, so that the same
 * plan gives the same schedule. The plan's own order is tried first, and kept where no other is
 * faster: what gains most goes first. */
#include "balancer/core/schedule/schedule_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE EK_SCHEDULE_NONE

/* Plays times moves: some milliseconds for improving, some tenths of a second for what is tried in
 * any case. */
enum { RULES_BUDGET = 400000, IMPROVE_BUDGET = 8000 };

struct choice {
    struct ek_schedule_tasks *it;
    struct ek_schedule_play *play;
    int64_t bound_ms;
    int64_t best_ms;
    int64_t best_sum_ms; /* of all starts: of two with the same end the one that is done earlier */
    uint32_t *best;      /* borrowed from the caller, with its starts */
    int64_t *best_starts;
    uint32_t *order;
    int64_t *starts;
    double *tail_ms;  /* per task: the longest chain of moves that begins with it */
    double *pressed;  /* per task: the work of the busier of its two links, in ms */
    double *per_part; /* scratch, two of each */
    struct rated *rated;
    enum ek_schedule_room room; /* of choice->order */
    enum ek_schedule_room best_room;
    uint32_t plays;
};

struct rated {
    enum ek_schedule_rank rank;
    double key;
    uint32_t task;
};

static int by_rating(const void *a, const void *b)
{
    const struct rated *x = a;
    const struct rated *y = b;

    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    if (x->key < y->key || x->key > y->key) {
        return x->key > y->key ? -1 : 1;
    }
    return x->task < y->task ? -1 : x->task > y->task ? 1 : 0;
}

static bool prepare(struct choice *choice)
{
    struct ek_arena *scratch = &choice->it->occupied.arena;
    size_t count = choice->it->count;

    choice->order = ek_arena_alloc(scratch, count, sizeof(*choice->order));
    choice->starts = ek_arena_alloc(scratch, count, sizeof(*choice->starts));
    choice->best_starts = ek_arena_alloc(scratch, count, sizeof(*choice->best_starts));
    choice->tail_ms = ek_arena_alloc(scratch, count, sizeof(*choice->tail_ms));
    choice->pressed = ek_arena_alloc(scratch, count, sizeof(*choice->pressed));
    choice->rated = ek_arena_alloc(scratch, count, sizeof(*choice->rated));
    choice->per_part =
        ek_arena_alloc(scratch, 2 * (size_t)choice->it->part_count, sizeof(*choice->per_part));
    return choice->order != NULL && choice->starts != NULL && choice->best_starts != NULL &&
           choice->tail_ms != NULL && choice->pressed != NULL && choice->rated != NULL &&
           choice->per_part != NULL && ek_schedule_bound(choice->it, &choice->bound_ms);
}

/* What must follow a move: the next of its domain, and those that wait for room on its source. */
static void find_tails(struct choice *choice)
{
    double *freed = choice->per_part; /* per part: the longest tail of those that lack room there */

    for (uint32_t i = choice->it->count; i-- > 0;) {
        const struct ek_schedule_task *task = &choice->it->tasks[i];
        double after = freed[task->source];
        if (task->next != NONE) {
            after = fmax(after, choice->tail_ms[task->next]);
        }
        choice->tail_ms[i] = (double)task->duration_ms + after;
        if (!task->fits) {
            freed[task->destination] = fmax(freed[task->destination], choice->tail_ms[i]);
        }
    }
}

/* How long each link would be busy with all that it has to carry. */
static void find_pressure(struct choice *choice)
{
    double *busy = choice->per_part;
    const struct ek_schedule_tasks *it = choice->it;

    memset(busy, 0, 2 * (size_t)it->part_count * sizeof(*busy));
    for (uint32_t i = 0; i < it->count; i++) {
        const struct ek_schedule_task *task = &it->tasks[i];
        double work = (double)task->duration_ms * task->rate_mib_s;
        busy[2 * task->source] += work / it->parts[task->source].link_mib_s[task->class];
        busy[2 * task->destination + 1] +=
            work / it->parts[task->destination].link_mib_s[task->class];
    }
    for (uint32_t i = 0; i < it->count; i++) {
        const struct ek_schedule_task *task = &it->tasks[i];
        choice->pressed[i] = fmax(busy[2 * task->source], busy[2 * task->destination + 1]);
    }
}

/* A thousandth is far below what a prediction is worth. */
static bool perfect(const struct choice *choice)
{
    return choice->best_ms <= choice->bound_ms + choice->bound_ms / 1000;
}

/* Plays choice->order; true when it is the best so far (strictly, or with an earlier mean). */
static bool try(struct choice *choice, bool strictly)
{
    int64_t sum_ms = 0;
    int64_t took_ms = ek_schedule_play(choice->play, choice->order, choice->room, choice->best_ms,
                                       choice->starts);

    choice->plays++;
    for (uint32_t i = 0; took_ms < INT64_MAX && i < choice->it->count; i++) {
        sum_ms += choice->starts[i];
    }
    bool better = took_ms < choice->best_ms ||
                  (!strictly && took_ms == choice->best_ms && sum_ms < choice->best_sum_ms);
    if (better) {
        choice->best_ms = took_ms;
        choice->best_sum_ms = sum_ms;
        choice->best_room = choice->room;
        memcpy(choice->best, choice->order, choice->it->count * sizeof(*choice->best));
        memcpy(choice->best_starts, choice->starts,
               choice->it->count * sizeof(*choice->best_starts));
    }
    return better;
}

enum thumb { AS_PLANNED, MOST_PRESSED, LONGEST_CHAIN, LONGEST, BOTH, THUMB_COUNT };

static double rate(const struct choice *choice, uint32_t task, enum thumb thumb)
{
    switch (thumb) {
    case AS_PLANNED:
        return -(double)task;
    case MOST_PRESSED:
        return choice->pressed[task];
    case LONGEST_CHAIN:
        return choice->tail_ms[task];
    case LONGEST:
        return (double)choice->it->tasks[task].duration_ms;
    case BOTH:
        return choice->pressed[task] + choice->tail_ms[task];
    case THUMB_COUNT:
        break;
    }
    return 0;
}

static void sort(struct choice *choice, enum thumb thumb)
{
    for (uint32_t i = 0; i < choice->it->count; i++) {
        enum ek_schedule_rank rank = choice->it->tasks[i].rank;
        bool planned = thumb == AS_PLANNED && rank == EK_SCHEDULE_WISHED;
        choice->rated[i] = (struct rated){
            .rank = planned ? EK_SCHEDULE_DUE : rank, .key = rate(choice, i, thumb), .task = i};
    }
    qsort(choice->rated, choice->it->count, sizeof(*choice->rated), by_rating);
    for (uint32_t i = 0; i < choice->it->count; i++) {
        choice->order[i] = choice->rated[i].task;
    }
}

/* One task of the best order is put before another one. */
static void shift(struct choice *choice, uint32_t from, uint32_t to)
{
    memcpy(choice->order, choice->best, choice->it->count * sizeof(*choice->order));
    uint32_t task = choice->order[from];
    if (from > to) {
        memmove(choice->order + to + 1, choice->order + to, (from - to) * sizeof(*choice->order));
    } else {
        memmove(choice->order + from, choice->order + from + 1,
                (to - from) * sizeof(*choice->order));
    }
    choice->order[to] = task;
}

static enum ek_schedule_rank rank_at(const struct choice *choice, uint32_t place)
{
    return choice->it->tasks[choice->best[place]].rank;
}

/* Every pair of places in turn, until a whole round has brought nothing. */
static void improve(struct choice *choice)
{
    uint64_t count = choice->it->count;
    uint64_t pairs = count * count;
    uint64_t barren = 0;
    uint32_t limit = choice->plays + (uint32_t)(IMPROVE_BUDGET / count);

    for (uint64_t pair = 0; barren < pairs && choice->plays < limit && !perfect(choice); pair++) {
        uint32_t from = (uint32_t)(pair / count % count);
        uint32_t to = (uint32_t)(pair % count);
        barren++;
        if (from != to && rank_at(choice, from) == rank_at(choice, to)) {
            shift(choice, from, to);
            barren = try(choice, false) ? 0 : barren;
        }
    }
}

static void search(struct choice *choice)
{
    sort(choice, AS_PLANNED);
    (void)try(choice, true);
    if (perfect(choice) || choice->best_ms == INT64_MAX) {
        return;
    }
    find_tails(choice);
    find_pressure(choice);
    /* The plan's order is the proof that there is one; another one proves itself. */
    choice->room = choice->it->tight ? EK_SCHEDULE_ROOM_FREE : EK_SCHEDULE_ROOM_PROMISED;
    for (int thumb = AS_PLANNED + 1; thumb < THUMB_COUNT && !perfect(choice) &&
                                     choice->plays * (uint64_t)choice->it->count < RULES_BUDGET;
         thumb++) {
        sort(choice, (enum thumb)thumb);
        (void)try(choice, true);
    }
    improve(choice);
}

/* The order of starts is one that needs no more room than there is at any time. */
static void sort_starts(struct choice *choice)
{
    for (uint32_t i = 0; i < choice->it->count; i++) {
        choice->rated[i] = (struct rated){
            .rank = EK_SCHEDULE_DUE, .key = -(double)choice->best_starts[i], .task = i};
    }
    qsort(choice->rated, choice->it->count, sizeof(*choice->rated), by_rating);
    for (uint32_t i = 0; i < choice->it->count; i++) {
        choice->best[i] = choice->rated[i].task;
    }
}

bool ek_schedule_choose(struct ek_schedule_tasks *tasks, struct ek_schedule_play *play,
                        uint32_t *order)
{
    struct choice choice = {
        .it = tasks, .play = play, .best_ms = INT64_MAX, .best_sum_ms = INT64_MAX, .best = order};

    if (!prepare(&choice)) {
        return false;
    }
    for (uint32_t i = 0; i < tasks->count; i++) {
        order[i] = i;
    }
    search(&choice);
    if (choice.best_ms < INT64_MAX) {
        sort_starts(&choice);
    }
    if (choice.best_room == EK_SCHEDULE_ROOM_FREE) {
        ek_schedule_promise(tasks, order);
    }
    return true;
}
