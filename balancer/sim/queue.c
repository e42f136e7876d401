/* The queue of virtual time: a binary heap of events. Nothing waits for real time; a week takes as
 * long as its events. */
#include "balancer/sim/queue.h"

#include <stdlib.h>
#include <string.h>

/* By time, then in the order asked for: equal times have one order, or no run could be repeated. */
static bool before(const struct ek_sim_event *a, const struct ek_sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static bool reserve(struct ek_sim_queue *queue)
{
    if (queue->count < queue->room) {
        return true;
    }
    size_t room = queue->room == 0 ? 64 : 2 * queue->room;
    struct ek_sim_event *heap = realloc(queue->heap, room * sizeof(*heap));
    if (heap == NULL) {
        /* Callers cannot undo what they were about to do: the run ends with NOMEM instead. */
        queue->lost = true;
        return false;
    }
    queue->heap = heap;
    queue->room = room;
    return true;
}

void ek_sim_queue_at(struct ek_sim_queue *queue, int64_t at_ms, ek_sim_fire *fire, void *context,
                     uint32_t subject, uint32_t ticket)
{
    /* What is asked for in the past happens now: time never goes back. */
    struct ek_sim_event event = {.at_ms = at_ms > queue->now_ms ? at_ms : queue->now_ms,
                                 .order = queue->asked++,
                                 .fire = fire,
                                 .context = context,
                                 .subject = subject,
                                 .ticket = ticket};

    if (!reserve(queue)) {
        return;
    }
    size_t at = queue->count++;
    while (at > 0 && before(&event, &queue->heap[(at - 1) / 2])) {
        queue->heap[at] = queue->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->heap[at] = event;
}

/* The last event sinks from the top, past every child that comes before it. */
static struct ek_sim_event pop(struct ek_sim_queue *queue)
{
    struct ek_sim_event first = queue->heap[0];
    struct ek_sim_event last = queue->heap[--queue->count];
    size_t at = 0;

    for (size_t child = 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && before(&queue->heap[child + 1], &queue->heap[child])) {
            child++;
        }
        if (!before(&queue->heap[child], &last)) {
            break;
        }
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    queue->heap[at] = last;
    return first;
}

bool ek_sim_queue_run(struct ek_sim_queue *queue, int64_t until_ms, struct ek_error *err)
{
    while (queue->count > 0 && queue->heap[0].at_ms <= until_ms && !queue->lost) {
        /* Taken out first: firing may add events and move the heap. */
        struct ek_sim_event event = pop(queue);
        queue->now_ms = event.at_ms;
        queue->fired++;
        event.fire(event.context, event.subject, event.ticket);
    }
    if (queue->lost) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for an event of the simulation");
    }
    /* Time passes also when nothing happens. */
    queue->now_ms = until_ms > queue->now_ms ? until_ms : queue->now_ms;
    return true;
}

void ek_sim_queue_finish(struct ek_sim_queue *queue)
{
    free(queue->heap);
    memset(queue, 0, sizeof(*queue));
}
