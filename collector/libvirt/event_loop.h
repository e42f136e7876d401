/* The event loop that libvirt is given: sockets and timers, changed from any thread, served by one.
 *
 * In place of libvirt's own, which polls all sockets anew after every change, and libvirt's client
 * changes its socket twice per call: at 1,000 hosts that alone took a third of a core
 * (docs/collector.md). Not libuv, whose loops may be changed by their own thread only. */
#ifndef EK_COLLECTOR_EVENT_LOOP_H
#define EK_COLLECTOR_EVENT_LOOP_H

#include "balancer/core/error.h"

/* Makes the loop and gives it to libvirt; once per process, before the first connection; can never
 * be taken back. Error: IO with the system's reason. */
bool ek_event_loop_register(struct ek_error *err);

/* Waits until something is due or ek_event_loop_wake() is called, and serves all that is. By one
 * thread at a time. False: the wait itself failed. */
bool ek_event_loop_turn(void);

/* Hands back what its owners removed; by the same thread, for the last turn's removals. */
void ek_event_loop_release(void);

/* Ends the wait of the turn that runs, or of the next; from any thread. */
void ek_event_loop_wake(void);

#endif
