/* The steps of annealing; private to anneal*.c. */
#ifndef EK_CORE_ANNEAL_STEPS_H
#define EK_CORE_ANNEAL_STEPS_H

#include "balancer/core/planner/goal.h"

struct ek_anneal_steps {
    const struct ek_goal *goal;
    uint64_t random;
    bool loose;   /* any domain may set out for any host; else only downhill, as the start was */
    double *tilt; /* [host * resources + resource]: how far the host began above the mean, by
                     weight and capacity, so that a product with demands tells up from down */
    uint32_t *leavers; /* domains that lighten a loaded host */
    uint32_t leaver_count;
};

/* Begins the draws. Needs memory of the cluster's arena. Error: NOMEM. */
bool ek_anneal_steps_init(struct ek_anneal_steps *steps, const struct ek_goal *goal, bool loose,
                          struct ek_error *err);

/* The next 32 bits of a sequence that is always the same. */
uint32_t ek_anneal_draw(struct ek_anneal_steps *steps);

/* Fills in the shifts of a trial. False: this draw makes none. */
bool ek_anneal_propose(struct ek_anneal_steps *steps, struct ek_trial *trial);

#endif
