/* Which samples are kept: the collector's part of the history (docs/history.md).
 *
 * A host's samples are kept once per history.interval. What was kept is kept in Redis alone: after
 * a restart the first sample of each host is, whenever the last one was. */
#ifndef EK_DAEMON_KEEPING_H
#define EK_DAEMON_KEEPING_H

#include "balancer/config/config.h"
#include "balancer/store/store.h"

struct ek_keeping;

/* NULL when memory ran out. */
struct ek_keeping *ek_keeping_create(const struct ek_config *config);
void ek_keeping_destroy(struct ek_keeping *keeping);

/* Whether the host's sample of that time is due. Calls must not overlap with those below. */
bool ek_keeping_due(const struct ek_keeping *keeping, size_t host, int64_t taken_at_ms);

/* The host's sample of that time is there; the next one is due an interval later. One that did not
 * get there leaves the next one due. */
void ek_keeping_kept(struct ek_keeping *keeping, size_t host, int64_t taken_at_ms);

/* How long and how much, for ek_store_add_history; constant. */
const struct ek_history_limits *ek_keeping_limits(const struct ek_keeping *keeping);

#endif
