/* Who is read next: hosts that wait for a worker, and the places of those that are read. Without a
 * lock of its own.
 *
 * A host that is read in its turn takes one of `max` places, which bound how many are asked at
 * once. One that takes too long gives its place up, and one that failed the last time (a trial)
 * needs none: whatever the number of such hosts, the others find theirs. */
#ifndef EK_COLLECTOR_PLACES_H
#define EK_COLLECTOR_PLACES_H

#include "collector/pool/queue.h"

#include <stdbool.h>

struct ek_places {
    struct ek_queue turns;
    struct ek_queue trials;
    size_t max;
    size_t taken;
};

/* `next`: what the queues are made of, a number for each host; the owner's. */
void ek_places_init(struct ek_places *places, size_t *next, size_t max);

/* Puts a host last that does not wait already. */
void ek_places_queue(struct ek_places *places, size_t host, bool trial);

/* How many of those that wait may be read beside those that are. */
size_t ek_places_ready(const struct ek_places *places);

/* The next one, which there must be (ek_places_ready), and whether it takes a place, which is given
 * back with ek_places_leave. */
size_t ek_places_take(struct ek_places *places, bool *placed);
void ek_places_leave(struct ek_places *places);

#endif
