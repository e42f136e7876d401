/* What a policy is to the planner: whether it wants moves, and which one next.
 *
 * A policy is one .c with one .md beside it and one line in registry.c. It is pure: it sees the
 * model and answers; the planner makes the move and asks again. */
#ifndef EK_POLICIES_POLICY_OPS_H
#define EK_POLICIES_POLICY_OPS_H

#include "balancer/core/constraint.h"
#include "balancer/core/evaluate.h"
#include "balancer/core/planner/choice.h"
#include "balancer/core/planner/search.h"

struct ek_policy_ops {
    const char *name;
    enum ek_move_kind kind; /* of its moves */
    const char *quiet;      /* why nothing moves although moves are wanted */

    /* What it moves domains for, after its name; of a policy with `choose`. */
    const char *chooses;

    /* A policy with `choose` may have another one choose before it, in the same plan. */
    const struct ek_policy_ops *before;

    /* Whether moves are wanted now; writes the reason, a sentence without a full stop. */
    bool (*wants)(const struct ek_cluster *cluster, const struct ek_levels *levels, char *why,
                  size_t why_size);

    /* Whether a move may be chosen at all; NULL: the policy's moves are not chosen again. */
    ek_pays *pays;

    /* The best next move, domain EK_NONE when no move pays. NULL: it has `choose`. */
    struct ek_candidate (*next)(struct ek_search *search);

    /* All moves at once, for a policy whose moves are worth something as a set only: at most
     * `limit` choices, made in the model, each feasible after those before it. The planner takes
     * them as they are: it neither chooses again nor weighs them by the score. NULL: it has `next`.
     * Error: NOMEM. */
    bool (*choose)(struct ek_search *search, struct ek_choice *choices, size_t limit, size_t *count,
                   struct ek_error *err);

    /* The reason of a move that was chosen, before it is made. Owned by the arena. */
    const char *(*reason)(const struct ek_search *search, const struct ek_candidate *chosen,
                          struct ek_arena *arena);
};

extern const struct ek_policy_ops ek_policy_spread;
extern const struct ek_policy_ops ek_policy_hotspot;
extern const struct ek_policy_ops ek_policy_pack;
extern const struct ek_policy_ops ek_policy_drain;

/* The policy that policy.yaml names. `drain` is chosen by maintenance, never by name. */
const struct ek_policy_ops *ek_policy_find(enum ek_policy_kind kind);

/* What ops->wants says; and where no host takes part that the policy could see, that. */
bool ek_policy_wants(const struct ek_policy_ops *ops, const struct ek_cluster *cluster,
                     const struct ek_levels *levels, char *why, size_t why_size);

/* The best host for a domain that must leave its host in maintenance; domain EK_NONE: no host takes
 * it. In a big cluster the coolest hosts are asked before all others. */
struct ek_candidate ek_drain_place(struct ek_search *search, uint32_t domain);

#endif
