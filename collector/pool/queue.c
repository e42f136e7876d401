/* Lists of numbers through one array. */
#include "collector/pool/queue.h"

#include <assert.h>

void ek_queue_push(struct ek_queue *queue, size_t number)
{
    if (queue->count == 0) {
        queue->first = number;
    } else {
        queue->next[queue->last] = number;
    }
    queue->last = number;
    queue->count++;
}

size_t ek_queue_pop(struct ek_queue *queue)
{
    assert(queue->count > 0);
    size_t number = queue->first;

    /* What follows the last one is never looked at: `first` counts only while the count does. */
    queue->first = queue->next[number];
    queue->count--;
    return number;
}
