/* libvirt's own event loop: keepalive works only while it runs. */
#ifndef EK_MIGRATOR_EVENTS_H
#define EK_MIGRATOR_EVENTS_H

#include "balancer/core/error.h"

#include <stdbool.h>

/* Initialises libvirt, silences its printing of errors, and runs its event loop in a thread for the
 * rest of the process. To be called before the first connection; again is fine. Thread-safe. Error:
 * REMOTE, also on every later call when the first failed. */
bool ek_libvirt_events_start(struct ek_error *err);

#endif
