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

/* Whether the host's sample of that time is due; then the next one is an interval later. Calls must
 * not overlap. */
bool ek_keeping_due(struct ek_keeping *keeping, size_t host, int64_t taken_at_ms);

/* How long and how much, for ek_store_add_history; constant. */
const struct ek_history_limits *ek_keeping_limits(const struct ek_keeping *keeping);

#endif
