/* Refining: what the greedy search chose is taken back move by move and chosen again with all
 * others in place; moves that the result does not need fall away. */
#ifndef EK_CORE_REFINE_H
#define EK_CORE_REFINE_H

#include "balancer/core/search.h"

/* One move of a set whose order is still open. */
struct ek_choice {
    uint32_t domain;
    uint32_t source;
    uint32_t destination;
};

/* Improves the `*count` choices in place, all of them made in the model; may drop some. Never ends
 * worse than it began; stops when a pass changes nothing or after `budget` more ratings. What is
 * hard at the end holds; the order in which the moves are feasible is the caller's to find. */
void ek_refine(struct ek_search *search, struct ek_choice *choices, size_t *count, ek_pays *pays,
               uint64_t budget);

#endif
