/* A thread with a connection of its own that waits for something to change in Redis, so that it is
 * noticed at once: maintenance keys, commands. */
#ifndef EK_DAEMON_WATCH_H
#define EK_DAEMON_WATCH_H

#include "balancer/store/store.h"

#include <uv.h>

struct ek_watch;

/* What is waited for, and who hears of it. */
struct ek_watch_options {
    struct ek_store *store; /* taken over; used by the thread alone */
    /* ek_store_wait_maintenance or one like it. */
    bool (*wait)(struct ek_store *store, int timeout_ms, bool *changed, struct ek_error *err);
    const char *without;            /* what it means that waiting fails, for the log; static */
    void (*changed)(void *context); /* called on the loop's thread */
    void *context;
};

/* NULL on error; the store is then destroyed. */
struct ek_watch *ek_watch_start(uv_loop_t *loop, const struct ek_watch_options *options,
                                struct ek_error *err);

/* Ends the thread (within its waiting time of one second) and closes its handle. NULL is fine. */
void ek_watch_stop(struct ek_watch *watch);

/* After the loop has closed all handles. NULL is fine. */
void ek_watch_destroy(struct ek_watch *watch);

#endif
