/* Steps: moves that a policy tries in the search's model one behind the other, all of a set or
 * none, before it believes in them.
 *
 * Every step is feasible after those before it, under the limits of balance moves, so that the
 * order of the steps is an order of the plan. Nothing is ever gained by an exchange of two domains
 * here: it would have to park one of them on a third host, and could leave it there. */
#ifndef EK_POLICIES_STEPS_H
#define EK_POLICIES_STEPS_H

#include "balancer/core/planner/choice.h"
#include "balancer/core/planner/search.h"

/* Which of the hosts that can take a domain gets it. */
enum ek_fit {
    EK_FIT_COOLEST, /* the one that stays farthest below its targets */
    EK_FIT_FULLEST, /* the one that is left with the least room */
};

struct ek_steps {
    struct ek_search *search;
    struct ek_choice *choices; /* in the caller's memory, room for `limit` */
    size_t count;
    size_t limit; /* steps, at most */
    enum ek_fit fit;
    double margin; /* so far below target_max a destination must stay; 0..1 of capacity */
    bool *closed;  /* per host: takes nobody in */
    bool *empty;   /* per host: no domain is there; asked after all others, if `keep_empty` */
    bool keep_empty;
    uint64_t looks; /* pairs of domain and host that may still be looked at: the budget of work */
};

/* Nothing is closed, what stands empty is noted. Takes memory from the cluster's arena. Error:
 * NOMEM. */
bool ek_steps_init(struct ek_steps *steps, struct ek_search *search, struct ek_choice *choices,
                   size_t limit, struct ek_error *err);

/* Makes a step; there must be room for it below the limit. */
void ek_steps_push(struct ek_steps *steps, uint32_t domain, uint32_t destination);

/* Takes steps back, the newest first, until `count` are left. */
void ek_steps_pop(struct ek_steps *steps, size_t count);

/* What copying the steps after the first `mark` costs, in units of the score. */
double ek_steps_price(const struct ek_steps *steps, size_t mark);

/* Whether nothing holds the domain where it is, and it has made no step. */
bool ek_steps_may_leave(const struct ek_steps *steps, uint32_t domain);

/* The host that the domain should go to: hosts in use before empty ones where these are to be kept,
 * then least harm to should rules, then by `fit`; equal ones by index. EK_NONE: none takes it, or
 * the budget is used up. */
uint32_t ek_steps_destination(struct ek_steps *steps, uint32_t domain);

/* Sends the domain to such a host. */
bool ek_steps_place(struct ek_steps *steps, uint32_t domain);

/* Where no host takes the domain: sends the cheapest domain of some host elsewhere that makes room
 * for it, and it there. Two steps, or none: false. */
bool ek_steps_make_room(struct ek_steps *steps, uint32_t domain);

#endif
