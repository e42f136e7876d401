/* What schedule*.c share: the moves as tasks, and one play of them. Private to these files.
 *
 * Hosts that take part are numbered anew (`parts`), so that nothing costs O(hosts) but the first
 * look at the plan; a play costs O(moves x log moves). All arrays live in one scratch arena. */
#ifndef EK_CORE_SCHEDULE_STATE_H
#define EK_CORE_SCHEDULE_STATE_H

#include "balancer/core/cluster.h"
#include "balancer/core/schedule/schedule.h"

#define EK_SCHEDULE_NONE UINT32_MAX

/* Of two that could start, the one of the lower rank does, except as the plan orders it. */
enum ek_schedule_rank {
    EK_SCHEDULE_DUE,      /* to empty a host, to repair a rule, by hand */
    EK_SCHEDULE_WISHED,   /* to level */
    EK_SCHEDULE_DOUBTFUL, /* its guest is not expected to converge */
};

/* Under whose limits a move is. Those of the pace are nowhere below the policy's. */
enum ek_schedule_class { EK_SCHEDULE_USUAL, EK_SCHEDULE_PACED, EK_SCHEDULE_CLASS_COUNT };

/* Room on a host. */
struct ek_schedule_space {
    double mib;
    double vcpus;
    double further[EK_RESOURCE_MAX]; /* of further resources, from EK_RESOURCE_FURTHER on */
};

/* One move. Its rate is that of its slower end for as long as it runs: few at full bandwidth beat
 * many at a share, which all of them would have to send more at. */
struct ek_schedule_task {
    uint32_t domain;
    uint32_t source;      /* part */
    uint32_t destination; /* part */
    uint32_t after;       /* the earlier move of the same domain, which is parked; or NONE */
    uint32_t next;        /* its later move; or NONE */
    enum ek_schedule_rank rank;
    enum ek_schedule_class class;
    uint32_t first_entry; /* in entries; the next task's tells the end */
    double rate_mib_s;
    double memory_mib;
    double vcpus;
    int64_t duration_ms;
    struct ek_cost cost;
    bool fits; /* at the beginning, beside all that go there before it in the plan */
};

/* One task in the queue of one must rule whose members may not overtake each other. */
struct ek_schedule_entry {
    uint32_t rule; /* numbered anew */
    uint32_t task;
    uint32_t next; /* entry of the next task in that queue; or NONE */
};

/* One host that is a source or a destination. */
struct ek_schedule_part {
    uint32_t host;
    double link_mib_s[EK_SCHEDULE_CLASS_COUNT]; /* what is left of it, in each direction */
    struct ek_schedule_space room;              /* at the beginning */
    struct ek_schedule_space left;              /* of that, beside those arrivals that fit then */
    uint32_t unfit;         /* first of its arrivals that does not fit then; or their end */
    uint32_t first_arrival; /* in arrivals; the next part's tells the end */
    uint32_t first_departure;
};

struct ek_schedule_tasks {
    const struct ek_plan *plan;
    struct ek_limits limits[EK_SCHEDULE_CLASS_COUNT];
    const struct ek_cost *costs; /* by the plan's moves; NULL: their own */
    struct ek_cluster occupied;  /* rules at the present instant of a play; scratch is its arena */
    struct ek_schedule_task *tasks;
    uint32_t count;
    struct ek_schedule_part *parts;
    uint32_t part_count;
    uint32_t *part_of;  /* per host; or NONE */
    uint32_t *arrivals; /* tasks by destination, in the order in which room is promised */
    bool tight;         /* some do not fit at the beginning */
    struct ek_schedule_entry *entries;
    uint32_t entry_count;
    uint32_t *rule_of; /* per rule of the set: its new number; or NONE */
    uint32_t rule_count;
};

/* Error: NOMEM. */
bool ek_schedule_tasks_init(struct ek_schedule_tasks *out, const struct ek_plan *plan,
                            const struct ek_policy *policy, enum ek_pace pace,
                            const struct ek_cost *costs, struct ek_error *err);
void ek_schedule_tasks_finish(struct ek_schedule_tasks *tasks);

/* Whether that room is enough for the task. */
bool ek_schedule_fits(const struct ek_schedule_tasks *tasks, const struct ek_schedule_task *task,
                      const struct ek_schedule_space *room);

/* Adds (sign 1) or takes (sign -1) what the task needs. */
void ek_schedule_change_room(const struct ek_schedule_tasks *tasks,
                             const struct ek_schedule_task *task, struct ek_schedule_space *room,
                             double sign);

/* Room is promised in that order of all tasks (NULL: the plan's). What does not fit keeps all after
 * it waiting: were a later one to take the room that an earlier one was planned into, both could
 * wait for ever. */
void ek_schedule_promise(struct ek_schedule_tasks *tasks, const uint32_t *order);

/* In milliseconds: no order of these tasks, each at its rate, is faster under the limits. False:
 * NOMEM. */
bool ek_schedule_bound(struct ek_schedule_tasks *tasks, int64_t *out);

/* ---- schedule_play.c -------------------------------------------------------------------------
 */

struct ek_schedule_play; /* the changing state; made once, played often */

/* The state for any number of plays, in the scratch arena; NULL: NOMEM. */
struct ek_schedule_play *ek_schedule_play_make(struct ek_schedule_tasks *tasks);

enum ek_schedule_room {
    EK_SCHEDULE_ROOM_PROMISED, /* see ek_schedule_promise; always comes to an end */
    EK_SCHEDULE_ROOM_FREE,     /* first come, first served; may end with some that wait for ever */
};

/* Plays the tasks through: at each end all starts that limits, links, room and rules allow, the
 * first of `order` first. Returns the makespan, or INT64_MAX when not all have started or as soon
 * as it exceeds `limit_ms`. Writes starts_ms[task]. */
int64_t ek_schedule_play(struct ek_schedule_play *play, const uint32_t *order,
                         enum ek_schedule_room room, int64_t limit_ms, int64_t *starts_ms);

/* Plays once more, with promises, and notes in the slots of `out` what each waited for. False:
 * NOMEM. */
bool ek_schedule_play_noting(struct ek_schedule_play *play, const uint32_t *order,
                             int64_t *starts_ms, struct ek_schedule *out);

/* ---- schedule_depends.c ----------------------------------------------------------------------
 */

struct ek_schedule_notes; /* which ends each task had to wait for */

/* NULL: NOMEM. Lists are taken from the arena of `out`. */
struct ek_schedule_notes *ek_schedule_notes_make(const struct ek_schedule_tasks *tasks,
                                                 struct ek_schedule *out);

/* A task ended that left that part; those in whose way it stood come first. */
void ek_schedule_note_departure(struct ek_schedule_notes *notes, uint32_t task);

/* What has departed until now made room for the task. */
void ek_schedule_note_room(struct ek_schedule_notes *notes, uint32_t task);

/* A rule forbade the task to start until the other one ended. */
void ek_schedule_note_rule(struct ek_schedule_notes *notes, uint32_t task, uint32_t ended);

/* Writes the lists into the slots. False: NOMEM, now or in a note before. */
bool ek_schedule_notes_write(struct ek_schedule_notes *notes);

/* ---- schedule_order.c ------------------------------------------------------------------------
 */

/* Finds the fastest order within its budget of plays, and writes the tasks by their starts in it
 * (of equal starts the first in the plan). Promises the room so that a play of that with promises
 * gives the same starts. False: NOMEM. */
bool ek_schedule_choose(struct ek_schedule_tasks *tasks, struct ek_schedule_play *play,
                        uint32_t *order);

/* ---- schedule_heap.c: the task with the smallest key first, of equal keys the first task ------
 */

struct ek_schedule_item {
    int64_t key;
    uint32_t task;
};

struct ek_schedule_heap {
    struct ek_schedule_item *items; /* room for all that will be in it at once */
    size_t count;
};

void ek_schedule_heap_push(struct ek_schedule_heap *heap, int64_t key, uint32_t task);

/* Not from an empty one. */
struct ek_schedule_item ek_schedule_heap_pop(struct ek_schedule_heap *heap);

#endif
