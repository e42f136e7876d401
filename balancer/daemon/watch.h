/* A thread with a connection of its own that waits for maintenance keys to change, so that they are
 * noticed at once. */
#ifndef EK_DAEMON_WATCH_H
#define EK_DAEMON_WATCH_H

#include "balancer/store/store.h"

#include <uv.h>

struct ek_watch;

/* Takes the store over. `changed` is called on the loop's thread. NULL on error. */
struct ek_watch *ek_watch_start(uv_loop_t *loop, struct ek_store *store, void (*changed)(void *),
                                void *context, struct ek_error *err);

/* Ends the thread (within its waiting time of one second) and closes its handle. */
void ek_watch_stop(struct ek_watch *watch);

/* After the loop has closed all handles. NULL is fine. */
void ek_watch_destroy(struct ek_watch *watch);

#endif
