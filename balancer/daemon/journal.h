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

/* The record as a life may go on from it: the journal has the machine's times, which may have been
 * stepped, and a life those of the clock that never jumps. The port writes the former. */
struct ek_move_record ek_journal_recalled(const struct ek_move_record *record);

/* The port; `parts` must stay in place and, with what it names, outlive it. Its calls come from the
 * migrations' threads, never from the loop's. */
struct ek_journal ek_daemon_journal(struct ek_journal_parts *parts);

#endif
