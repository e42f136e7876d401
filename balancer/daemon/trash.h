/* The trash: volumes that ended moves have left, removed when their time has come.
 *
 * Asked for once per cycle of the balancer that leads; what is due is put off in Redis under the
 * lease's epoch before anything is removed, so that two balancers do not work on the same. The
 * calls to the hosts run on a thread of their own, one batch at a time. What fails is told as an
 * event and tried again; what must not be removed is told and left. */
#ifndef EK_DAEMON_TRASH_H
#define EK_DAEMON_TRASH_H

#include "balancer/daemon/balancing.h"

struct ek_trash;

/* NULL and NOMEM or IO on error. */
struct ek_trash *ek_trash_start(struct ek_balancing *balancing, struct ek_error *err);

/* Looks for what is due, soon. */
void ek_trash_cycle(struct ek_trash *trash);

/* Takes up nothing more. False: a call to a host is still out, and nothing that it uses may be
 * freed. */
bool ek_trash_stop(struct ek_trash *trash);

/* After the loop has closed all handles. NULL is fine. */
void ek_trash_destroy(struct ek_trash *trash);

#endif
