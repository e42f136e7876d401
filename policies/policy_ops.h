/* What a policy is to the planner: whether it wants moves, and which one next.
 *
 * A policy is one .c with one .md beside it and one line in registry.c. It is pure: it sees the
 * model and answers; the planner makes the move and asks again. */
#ifndef EK_POLICIES_POLICY_OPS_H
#define EK_POLICIES_POLICY_OPS_H

#include "balancer/core/constraint.h"
#include "balancer/core/evaluate.h"
#include "balancer/core/search.h"

struct ek_policy_ops {
    const char *name;
    enum ek_move_kind kind; /* of its moves */

    /* Whether moves are wanted now; writes the reason, a sentence without a full stop. */
    bool (*wants)(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size);

    /* What it wants is that overload and spread fall (struct ek_score) at small cost, and nothing
     * else: its moves may be chosen as a whole. */
    bool spreads;

    /* Whether a move may be chosen at all; NULL: the policy's moves are not chosen again. */
    ek_pays *pays;

    /* The best next move, domain EK_NONE when no move pays. */
    struct ek_candidate (*next)(struct ek_search *search);

    /* The reason of a move that was chosen, before it is made. Owned by the arena. */
    const char *(*reason)(const struct ek_search *search, const struct ek_candidate *chosen,
                          struct ek_arena *arena);
};

extern const struct ek_policy_ops ek_policy_spread;
extern const struct ek_policy_ops ek_policy_drain;

/* The policy that policy.yaml names. `drain` is chosen by maintenance, never by name. */
const struct ek_policy_ops *ek_policy_find(enum ek_policy_kind kind);

#endif
