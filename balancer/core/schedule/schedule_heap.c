/* A binary heap; its order is total, so that equal inputs give equal schedules. */
#include "balancer/core/schedule/schedule_state.h"

#include <assert.h>

static bool before(struct ek_schedule_item a, struct ek_schedule_item b)
{
    return a.key < b.key || (a.key == b.key && a.task < b.task);
}

void ek_schedule_heap_push(struct ek_schedule_heap *heap, int64_t key, uint32_t task)
{
    struct ek_schedule_item item = {.key = key, .task = task};
    size_t at = heap->count++;

    while (at > 0 && before(item, heap->items[(at - 1) / 2])) {
        heap->items[at] = heap->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->items[at] = item;
}

struct ek_schedule_item ek_schedule_heap_pop(struct ek_schedule_heap *heap)
{
    assert(heap->count > 0);
    struct ek_schedule_item top = heap->items[0];
    struct ek_schedule_item last = heap->items[--heap->count];
    size_t at = 0;

    for (size_t child = 1; child < heap->count; child = 2 * at + 1) {
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child])) {
            child++;
        }
        if (!before(heap->items[child], last)) {
            break;
        }
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return top;
}
