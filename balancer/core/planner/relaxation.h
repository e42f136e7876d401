/* RELAXATION: the least that would have to change so that a domain which no host takes can leave.
 *
 * Not the first reason alone, behind which the next one would wait: everything that is in the way
 * on one host, of the host that asks for least. What each asks for is ranked by who can give it:
 * time; an operator's word (a maintenance that ends, a rule); room; what a host would have to be or
 * to offer; another guest. Of room less is cheaper than more. */
#ifndef EK_CORE_RELAXATION_H
#define EK_CORE_RELAXATION_H

#include "balancer/core/constraint.h"

struct ek_relaxation {
    uint32_t host;    /* where it could go then; EK_NONE: there is no other host */
    uint32_t lifted;  /* what would have to go: a bit for each enum ek_block */
    double weight;    /* of all that together; orders, and has no unit */
    const char *text; /* "maintenance of h3 has to end, and 512 MiB more have to be free ..." */
};

/* The cheapest relaxation that lets the domain leave its host for another one, by the model as it
 * is. Text is owned by the arena. Error: NOMEM. */
bool ek_relaxation_find(struct ek_relaxation *out, const struct ek_cluster *cluster,
                        const struct ek_cooldown *cooldown, uint32_t domain, struct ek_arena *arena,
                        struct ek_error *err);

/* Makes it so in the model: the room is there, and the domain has gone. What others lack afterwards
 * they lack beside it. */
void ek_relaxation_apply(const struct ek_relaxation *relaxation, struct ek_cluster *cluster,
                         uint32_t domain);

#endif
