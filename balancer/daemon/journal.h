/* The migrator's journal over the store's thread: each write waits until Redis has it. */
#ifndef EK_DAEMON_JOURNAL_H
#define EK_DAEMON_JOURNAL_H

#include "balancer/core/journal.h"
#include "balancer/daemon/store_thread.h"

/* The port; `thread` must outlive it. Its calls come from the migrations' threads, never from the
 * loop's. */
struct ek_journal ek_daemon_journal(struct ek_store_thread *thread);

#endif
