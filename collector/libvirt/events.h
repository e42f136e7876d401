/* The thread that serves libvirt's events (collector/libvirt/event_loop.h).
 *
 * Keepalive and domain events need a running loop. */
#ifndef EK_COLLECTOR_EVENTS_H
#define EK_COLLECTOR_EVENTS_H

#include "balancer/core/error.h"

/* Prepares libvirt for this process (virInitialize, no error texts on stderr) and starts the
 * thread; does nothing when it runs already. To be called before the first connection is opened;
 * from any thread. Errors: REMOTE with libvirt's message; IO when no thread can be had. */
bool ek_libvirt_events_start(struct ek_error *err);

/* Ends the thread and waits for it; does nothing when it does not run. Connections must be closed
 * before, and not just before: libvirt frees part of a closed connection from the loop. Meant for
 * the end of the program; the loop can be started again. */
void ek_libvirt_events_stop(void);

#endif
