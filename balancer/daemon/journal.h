/* The migrator's journal over the store's thread: each write waits until Redis has it. What Redis
 * does not take because it is away is spooled. */
#ifndef EK_DAEMON_JOURNAL_H
#define EK_DAEMON_JOURNAL_H

#include "balancer/core/journal.h"
#include "balancer/daemon/spool.h"
#include "balancer/daemon/store_thread.h"

struct ek_journal_parts {
    struct ek_store_thread *thread;
    struct ek_spool *spool;
};

/* The port; `parts` must stay in place and, with what it names, outlive it. Its calls come from the
 * migrations' threads, never from the loop's. */
struct ek_journal ek_daemon_journal(struct ek_journal_parts *parts);

#endif
