/* The queue of virtual time: what happens next, and what time it is then.
 *
 * A binary heap: O(log n) per event. Events of one millisecond happen in the order in which they
 * were asked for, so that a run is the same to the byte each time. Nobody waits: the time jumps
 * from event to event. */
#ifndef EK_SIM_QUEUE_H
#define EK_SIM_QUEUE_H

#include "balancer/core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens. `subject` and `ticket` are the asker's: an index rather than a pointer, because
 * tables grow, and a number by which it tells an event that is no longer wanted. */
typedef void ek_sim_fire(void *context, uint32_t subject, uint32_t ticket);

struct ek_sim_event {
    int64_t at_ms;
    uint64_t order;
    ek_sim_fire *fire;
    void *context;
    uint32_t subject;
    uint32_t ticket;
};

/* Zero-initialised but for now_ms it is empty and valid. */
struct ek_sim_queue {
    int64_t now_ms; /* virtual Unix milliseconds */
    struct ek_sim_event *heap;
    size_t count;
    size_t room;
    uint64_t asked; /* events asked for so far */
    uint64_t fired;
    bool lost; /* an event could not be kept: out of memory; no run is valid from then on */
};

void ek_sim_queue_finish(struct ek_sim_queue *queue);

/* Wants `fire` at that time, or now if it is past. `context` must outlive the event. When memory
 * runs out, `lost` is set, which the next run reports. */
void ek_sim_queue_at(struct ek_sim_queue *queue, int64_t at_ms, ek_sim_fire *fire, void *context,
                     uint32_t subject, uint32_t ticket);

/* Lets everything happen that is due up to `until_ms`, which is the time afterwards. Error: NOMEM.
 */
bool ek_sim_queue_run(struct ek_sim_queue *queue, int64_t until_ms, struct ek_error *err);

#endif
