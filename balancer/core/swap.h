/* Swaps: two domains that change places, where neither move alone pays or fits. */
#ifndef EK_CORE_SWAP_H
#define EK_CORE_SWAP_H

#include "balancer/core/refine.h"

/* Finds the best exchange of a domain of a loaded host for one of a cool host, and makes it in the
 * model; *pair are its two choices. False: none pays, or none would hold at the end. Looks at a
 * bounded number of hosts. */
bool ek_swap_best(struct ek_search *search, struct ek_choice pair[2]);

#endif
