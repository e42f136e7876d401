/* Lists of hosts that wait for a worker, by their numbers. Without a lock of their own. */
#ifndef EK_COLLECTOR_QUEUE_H
#define EK_COLLECTOR_QUEUE_H

#include <stddef.h>

/* First in, first out. Several may share `next`, which has a place for each number, as long as a
 * number is in one of them at most: nothing has to be allocated to push. */
struct ek_queue {
    size_t *next; /* whom a number is followed by; the owner's */
    size_t first; /* of no meaning while `count` is 0 */
    size_t last;
    size_t count;
};

/* Puts a number last that is in no queue. */
void ek_queue_push(struct ek_queue *queue, size_t number);

/* Takes the first out of a queue that is not empty. */
size_t ek_queue_pop(struct ek_queue *queue);

#endif
