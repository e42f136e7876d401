/* Offering a domain to hosts: which of them it should rather go to than make the best move so far.
 * Private to search.c. */
#ifndef EK_CORE_SEARCH_OFFER_H
#define EK_CORE_SEARCH_OFFER_H

#include "balancer/core/planner/search.h"

/* Works out the ideal of these hosts in the model's present state. */
struct ek_search_ideal ek_search_idealise(const struct ek_search *search, const uint32_t *hosts,
                                          size_t count);

/* Replaces *best by the best move of the domain to one of `count` hosts, if that is better, pays
 * and may be made. Most domains cost one look at the hosts' ideal (NULL: it is not known) and not
 * one at each. The search's `now` and `level` and the ideal must be those of the model. */
void ek_search_offer(struct ek_search *search, uint32_t domain, const uint32_t *hosts, size_t count,
                     const struct ek_search_ideal *ideal, ek_pays *pays, struct ek_candidate *best);

#endif
