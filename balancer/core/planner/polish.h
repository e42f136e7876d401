/* Polishing: up to three moves of a goal are taken back at once, and all ways to make as many
 * others instead are tried. What results cannot be improved by changing three moves; in a small
 * cluster that is the optimum nearly always, and with a limit of three moves it is. */
#ifndef EK_CORE_POLISH_H
#define EK_CORE_POLISH_H

#include "balancer/core/planner/goal.h"

/* Improves the goal as far as `budget` trials allow: what would take more than is left is not
 * begun, so that a large cluster is left as it is. Keeps the goal orderable if `strict`. Error:
 * NOMEM.
 */
bool ek_polish(struct ek_goal *goal, uint64_t budget, bool strict, struct ek_error *err);

/* Of hosts that are equally good the first by name is taken; of domains of one host that nothing
 * but their names tells apart, the first by UUID move. */
void ek_polish_ties(struct ek_goal *goal);

#endif
