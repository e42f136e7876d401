/* A plan in the making; private to plan*.c.
 *
 * A plan is made in phases, one behind the other on the same model: each chooses its moves and puts
 * them in an order in which every one is feasible after those before it. */
#ifndef EK_CORE_PLAN_WORK_H
#define EK_CORE_PLAN_WORK_H

#include "balancer/core/plan.h"
#include "balancer/core/refine.h"
#include "policies/policy_ops.h"

/* One sentence with two names of hosts. */
enum { EK_PLAN_WHY_SIZE = 200 };

/* Everything that is needed while one plan is made. */
struct ek_plan_work {
    const struct ek_plan_request *request;
    const struct ek_policy *policy;
    struct ek_cluster cluster; /* after the moves so far */
    struct ek_search search;
    struct ek_plan *out;
    char why[EK_PLAN_WHY_SIZE]; /* why the hosts are balanced, or not */
};

/* What the moves of one phase have in common. */
struct ek_plan_phase {
    const struct ek_policy_ops *ops;
    enum ek_purpose purpose;
    size_t mark; /* moves of the plan before it */
    size_t most; /* moves of the plan after it, at most */
};

bool ek_plan_nomem(struct ek_error *err);

/* ---- plan_order.c ------------------------------------------------------------------------------
 */

/* Makes one move: in the model, and as the plan's next. Error: NOMEM. */
bool ek_plan_take(struct ek_plan_work *work, const struct ek_policy_ops *ops,
                  const struct ek_candidate *chosen, struct ek_error *err);

/* Takes the choices in an order in which each is feasible, those first that stand first; where each
 * of some waits for another, one is parked. `left` of them could not be made; they stand at the
 * front. The model is as before the choices. Error: NOMEM. */
bool ek_plan_order(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                   struct ek_choice *choices, size_t *left, struct ek_error *err);

/* The same, where any of several orders will do: choices are put in another order until none is
 * left, a few times. They are not changed otherwise. Error: NOMEM. */
bool ek_plan_order_any(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                       struct ek_choice *choices, size_t count, size_t *left, struct ek_error *err);

/* Undoes all moves after the first `mark`. */
void ek_plan_drop(struct ek_plan_work *work, size_t mark);

/* ---- plan_balance.c ----------------------------------------------------------------------------
 */

/* Lets the request's policy balance, unless it is held. Error: NOMEM. */
bool ek_plan_balance(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_unresolved.c -------------------------------------------------------------------------
 */

/* Lists the domains that are still on hosts in maintenance. Error: NOMEM. */
bool ek_plan_list_unresolved(struct ek_plan_work *work, struct ek_error *err);

#endif
