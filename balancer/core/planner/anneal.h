/* Annealing: a local search over goals (goal.h) that also accepts what is a little worse, less and
 * less so as it cools down, by draws that are the same each time (Kirkpatrick et al., Science
 * 1983).
 *
 * Its steps: a domain sets out, stays, goes elsewhere or goes in another's place; two exchange
 * their destinations or their hosts; one is pushed on by another (an ejection chain). */
#ifndef EK_CORE_ANNEAL_H
#define EK_CORE_ANNEAL_H

#include "balancer/core/planner/goal.h"

/* Whether the cluster is so small that annealing needs no good start. */
bool ek_anneal_alone(const struct ek_goal *goal);

/* Makes the goal's cost small; never ends worse than it began. Starts from the moves that the goal
 * has, and makes `most` trials at most, 0: as many as are worth while. A goal of a few moves is
 * kept orderable. Moves that do not earn their price are dropped in the end. Error: NOMEM. */
bool ek_anneal(struct ek_goal *goal, uint64_t most, struct ek_error *err);

#endif
