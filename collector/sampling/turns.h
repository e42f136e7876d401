/* Which reads of a host ask for everything, and which only for what is cheap.
 *
 * Every n-th does (EK_SELDOM_EVERY_READS), and the two after a domain came, or began or ceased to
 * run: its counters then count from a new origin, and a rate needs two of them. A planner that
 * waits for two samples after a move would otherwise take its cards and disks for idle. Owned by
 * the thread that reads the host; all zero at first. */
#ifndef EK_COLLECTOR_TURNS_H
#define EK_COLLECTOR_TURNS_H

#include "collector/sampling/reading.h"

struct ek_turns {
    int64_t reads;       /* that succeeded */
    int64_t all_until;   /* reads before this one ask for everything */
    uint64_t population; /* which domains there were, and whether they ran: a digest */
};

/* Whether the read that comes asks for everything. */
bool ek_turns_all(const struct ek_turns *turns);

/* It has succeeded with this. */
void ek_turns_note(struct ek_turns *turns, const struct ek_reading *reading);

#endif
