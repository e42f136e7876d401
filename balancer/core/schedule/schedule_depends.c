/* What each move had to wait for: the earlier move of its domain, those that made its room, those
 * that a rule made it wait for.
 *
 * Room comes to a host by departures, in the order in which they end, and is given in the plan's
 * order; so what an arrival waits for is always a beginning of its destination's list of
 * departures. Such beginnings are shared, not copied: all lists together take O(moves). */
#include "balancer/core/schedule/schedule_state.h"

#include <assert.h>
#include <string.h>

/* Of one task. */
struct note {
    uint32_t departures; /* how many of its destination's it waited for */
    uint32_t *rules;     /* seqs */
    uint32_t rule_count;
    uint32_t rule_room;
};

struct ek_schedule_notes {
    const struct ek_schedule_tasks *it;
    struct ek_schedule *out;
    uint32_t *departed; /* seqs by part, from its first_departure on, in the order of their ends */
    uint32_t *counts;   /* per part: how many have departed */
    struct note *notes;
    bool lost; /* memory ran out */
};

struct ek_schedule_notes *ek_schedule_notes_make(const struct ek_schedule_tasks *tasks,
                                                 struct ek_schedule *out)
{
    struct ek_arena *arena = &out->arena;
    struct ek_schedule_notes *notes = ek_arena_alloc(arena, 1, sizeof(*notes));

    if (notes == NULL) {
        return NULL;
    }
    notes->it = tasks;
    notes->out = out;
    notes->departed = ek_arena_alloc(arena, tasks->count, sizeof(*notes->departed));
    notes->counts = ek_arena_alloc(arena, tasks->part_count, sizeof(*notes->counts));
    notes->notes = ek_arena_alloc(arena, tasks->count, sizeof(*notes->notes));
    bool ok = notes->departed != NULL && notes->counts != NULL && notes->notes != NULL;
    return ok ? notes : NULL;
}

static uint32_t seq_of(const struct ek_schedule_notes *notes, uint32_t task)
{
    return notes->it->plan->moves[task].seq;
}

void ek_schedule_note_departure(struct ek_schedule_notes *notes, uint32_t task)
{
    uint32_t part = notes->it->tasks[task].source;
    uint32_t first = notes->it->parts[part].first_departure;

    notes->departed[first + notes->counts[part]++] = seq_of(notes, task);
    assert(first + notes->counts[part] <= notes->it->parts[part + 1].first_departure);
}

void ek_schedule_note_room(struct ek_schedule_notes *notes, uint32_t task)
{
    notes->notes[task].departures = notes->counts[notes->it->tasks[task].destination];
}

/* Doubling in the arena: the old lists are given up with it. */
void ek_schedule_note_rule(struct ek_schedule_notes *notes, uint32_t task, uint32_t ended)
{
    struct note *note = &notes->notes[task];

    if (note->rule_count == note->rule_room) {
        uint32_t room = note->rule_room == 0 ? 4 : 2 * note->rule_room;
        uint32_t *list = ek_arena_alloc(&notes->out->arena, room, sizeof(*list));
        if (list == NULL) {
            notes->lost = true;
            return;
        }
        if (note->rule_count > 0) {
            memcpy(list, note->rules, note->rule_count * sizeof(*list));
        }
        note->rules = list;
        note->rule_room = room;
    }
    note->rules[note->rule_count++] = seq_of(notes, ended);
}

/* Adds those of `from` that the list does not have yet. The lists of rules are short. */
static uint32_t merge(uint32_t *list, uint32_t count, const uint32_t *from, uint32_t from_count)
{
    uint32_t had = count;

    for (uint32_t i = 0; i < from_count; i++) {
        bool found = false;
        for (uint32_t k = 0; !found && k < had; k++) {
            found = list[k] == from[i];
        }
        if (!found) {
            list[count++] = from[i];
        }
    }
    return count;
}

static bool write(struct ek_schedule_notes *notes, uint32_t index)
{
    const struct ek_schedule_task *task = &notes->it->tasks[index];
    const struct note *note = &notes->notes[index];
    struct ek_slot *slot = &notes->out->slots[index];
    const uint32_t *departed =
        notes->departed + notes->it->parts[task->destination].first_departure;
    uint32_t own = task->after == EK_SCHEDULE_NONE ? 0 : 1;

    slot->depends_on = departed;
    slot->depends_count = note->departures;
    if (own == 0 && note->rule_count == 0) {
        return true;
    }
    uint32_t *list = ek_arena_alloc(
        &notes->out->arena, (size_t)own + note->departures + note->rule_count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    if (own > 0) {
        list[0] = seq_of(notes, task->after);
    }
    uint32_t count = merge(list, own, departed, note->departures);
    slot->depends_on = list;
    slot->depends_count = merge(list, count, note->rules, note->rule_count);
    return true;
}

bool ek_schedule_notes_write(struct ek_schedule_notes *notes)
{
    bool ok = !notes->lost;

    for (uint32_t i = 0; ok && i < notes->it->count; i++) {
        ok = write(notes, i);
    }
    return ok;
}
