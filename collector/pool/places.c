/* Who is read next, as two queues and a count. */
#include "collector/pool/places.h"

#include <assert.h>

void ek_places_init(struct ek_places *places, size_t *next, size_t max)
{
    *places = (struct ek_places){.turns = {.next = next}, .trials = {.next = next}, .max = max};
}

/* A host that cannot be reached uses up the probe's time, and there may be many (a switch, a room):
 * as trials they wait apart, where they are in nobody's way. */
void ek_places_queue(struct ek_places *places, size_t host, bool trial)
{
    ek_queue_push(trial ? &places->trials : &places->turns, host);
}

static size_t ready_turns(const struct ek_places *places)
{
    size_t free = places->max - places->taken;

    assert(places->taken <= places->max);
    return places->turns.count < free ? places->turns.count : free;
}

size_t ek_places_ready(const struct ek_places *places)
{
    return ready_turns(places) + places->trials.count;
}

/* Turns first: trials have missed theirs already. */
size_t ek_places_take(struct ek_places *places, bool *placed)
{
    *placed = ready_turns(places) > 0;
    places->taken += *placed ? 1 : 0;
    return ek_queue_pop(*placed ? &places->turns : &places->trials);
}

void ek_places_leave(struct ek_places *places)
{
    assert(places->taken > 0);
    places->taken--;
}
