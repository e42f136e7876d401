/* Shares of bandwidth by max-min fairness, in whole MiB/s.
 *
 * Flows cross links; every link has a budget. A share is fair when it can only be raised by
 * lowering one that is not larger: who is limited elsewhere leaves the rest to the others. Here, in
 * whole units: each share is 1 at least, no budget is exceeded (unless 1 for each exceeds it
 * already), and every flow crosses a link that is used up and on which nobody has more than 1 above
 * its share.
 */
#ifndef EK_CORE_BANDWIDTH_H
#define EK_CORE_BANDWIDTH_H

#include "balancer/core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Out of the source, into the destination, through the cluster; and the same once more, where what
 * a flow may take of them is less than what they carry. */
enum { EK_FLOW_LINKS = 6 };

struct ek_flow {
    const char *key;               /* orders flows that have the same claim; borrowed */
    uint32_t links[EK_FLOW_LINKS]; /* indices of budgets; EK_NONE: no link there */
    uint64_t share_mib_s;          /* the result; 0: no link bounds it */
};

/* Sorts the flows by their keys, which are to differ, and fills in their shares: the same flows in
 * any order get the same. `budgets_mib_s` has `budget_count` of them; scratch memory is taken from
 * the arena. False: out of memory. */
bool ek_bandwidth_share(const uint64_t *budgets_mib_s, size_t budget_count, struct ek_flow *flows,
                        size_t flow_count, struct ek_arena *arena);

#endif
