/* Open files: how many the daemon may have, against what its hosts' connections take. */
#ifndef EK_DAEMON_DESCRIPTORS_H
#define EK_DAEMON_DESCRIPTORS_H

#include "balancer/core/error.h"

#include <stddef.h>

/* Raises the process's soft limit of open files to what so many hosts take, as far as its hard
 * limit allows; never lowers it. Errors: UNAVAILABLE when that is not enough, with both numbers;
 * the limit is as high then as it can be. */
bool ek_descriptors_allow(size_t hosts, struct ek_error *err);

#endif
