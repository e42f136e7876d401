/* Threads that may hang in libvirt for good, and so cannot be joined. */
#ifndef EK_COLLECTOR_THREAD_H
#define EK_COLLECTOR_THREAD_H

#include <stdbool.h>

/* Starts `entry(context)` in a thread of its own, detached, with a small stack and without signals,
 * which belong to the program's main thread. False when no thread can be had. */
bool ek_thread_start(void *(*entry)(void *), void *context);

#endif
