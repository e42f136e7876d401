/* A plan in the making; private to plan*.c.
 *
 * A plan is made in phases, one behind the other on the same model: each chooses its moves and puts
 * them in an order in which every one is feasible after those before it. */
#ifndef EK_CORE_PLAN_WORK_H
#define EK_CORE_PLAN_WORK_H

#include "balancer/core/planner/plan.h"
#include "policies/policy_ops.h"

/* One sentence with two names of hosts. */
enum { EK_PLAN_WHY_SIZE = 200 };

/* What ends by itself, or when an operator resolves a move without a clear outcome. */
#define EK_PLAN_PASSING                                                                    \
    (1U << EK_BLOCK_SOURCE_STATE | 1U << EK_BLOCK_RESTING | 1U << EK_BLOCK_FAILED_LATELY | \
     1U << EK_BLOCK_UNRESOLVED | 1U << EK_BLOCK_EVACUATION | 1U << EK_BLOCK_AVOIDED |      \
     1U << EK_BLOCK_CIRCUIT | 1U << EK_BLOCK_UNSEEN)

/* Steps that belong together, at most: a group and what makes room for it. */
enum { EK_PLAN_TRAIL = 160 };

/* Moves that are tried in the model before they become the plan's, all or none of them. */
struct ek_plan_trail {
    struct ek_choice steps[EK_PLAN_TRAIL];
    bool settled[EK_PLAN_TRAIL]; /* whether its domain had moved before */
    size_t count;
    bool together; /* they are one group that moves as a whole */
};

/* What a trail is for. */
struct ek_plan_errand {
    enum ek_move_kind kind; /* EK_MOVE_EVACUATE or EK_MOVE_RULE */
    uint32_t domain;        /* for whom */
    uint32_t rule;          /* what it mends; EK_NONE: nothing */
};

/* Hosts in maintenance that nothing leaves in this plan, since not all can: found by attempts. */
struct ek_plan_held {
    bool *hosts;                 /* per host; NULL: none */
    struct ek_unresolved *stuck; /* who is in the way there, as the attempt found them */
    size_t stuck_count;
    uint32_t attempts; /* so far */
    uint32_t robbed; /* whose evacuation has begun, and for whose sake the newest is held; EK_NONE:
                      * for its own */
    uint32_t waits;  /* one of them, of which time decides whether it can be emptied; EK_NONE: none
                      */
    struct ek_arena arena;
};

/* Everything that is needed while one plan is made. */
struct ek_plan_work {
    const struct ek_plan_request *request;
    const struct ek_plan_held *held; /* NULL: none is */
    const struct ek_policy *policy;
    struct ek_cluster cluster; /* after the moves so far */
    struct ek_search search;
    struct ek_plan *out;
    struct ek_plan_trail trail;
    uint8_t *moved;       /* per domain: its moves for maintenance and must rules */
    uint32_t *place;      /* per domain: a host where room is kept for it; EK_NONE: none */
    size_t repairs;       /* moves for must rules: with the balance moves at most moves_per_plan */
    uint64_t looks;       /* pairs of domain and host that making room may still look at */
    uint64_t group_looks; /* the same of moving groups, */
    uint64_t mend_looks;  /* of mending rules by single moves, */
    uint64_t wish_looks;  /* and of moves for should rules */
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

/* plan_hold.c: whether its own metadata say that an evacuation stops it; whether it can be. */
bool ek_plan_goes_nowhere(const struct ek_plan_work *work, uint32_t domain);
bool ek_plan_can_stop(const struct ek_plan_work *work, uint32_t domain);

/* The model before any move, an empty plan with its id, of which the wishes are part. Error: NOMEM;
 * plan and model are to be finished all the same. */
bool ek_plan_begin(struct ek_plan_work *work, const struct ek_plan_wish *wishes, size_t count,
                   struct ek_error *err);

/* ---- plan_order.c ------------------------------------------------------------------------------
 */

/* Makes one move: in the model, and as the plan's next. Error: NOMEM. */
bool ek_plan_take(struct ek_plan_work *work, const struct ek_policy_ops *ops,
                  const struct ek_candidate *chosen, struct ek_error *err);

/* The same without a policy: the reason may be NULL, which is NOMEM. */
bool ek_plan_add(struct ek_plan_work *work, enum ek_move_kind kind,
                 const struct ek_candidate *chosen, const char *reason, struct ek_error *err);

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

/* Calls each move that is not its domain's last a parking, and says where it goes on to. Error:
 * NOMEM. */
bool ek_plan_mark_parks(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_trail.c ------------------------------------------------------------------------------
 */

/* Whether maintenance or a must rule may move the domain: nothing holds it, it has not been
 * balanced, and it moves no third time. */
bool ek_plan_may_go(const struct ek_plan_work *work, uint32_t domain);

/* Tries a move; there must be room in the trail. */
void ek_plan_push(struct ek_plan_work *work, uint32_t domain, uint32_t destination);

/* Takes tried moves back until `mark` are left. */
void ek_plan_pop(struct ek_plan_work *work, size_t mark);

/* Makes the tried moves the plan's; the trail is empty afterwards. Error: NOMEM. */
bool ek_plan_commit(struct ek_plan_work *work, const struct ek_plan_errand *errand,
                    struct ek_error *err);

/* Takes so many looks from a budget; false: it is used up. */
bool ek_plan_spend(uint64_t *budget, uint64_t looks);

/* The price of all tried moves. */
double ek_plan_trail_price(const struct ek_plan_work *work);

/* ---- plan_group.c ------------------------------------------------------------------------------
 */

/* Tries to bring all that must be with the domain to where all have room and each leaves a host in
 * maintenance, or, to mend (`mends`), to where must rules are broken less. True: the trail has the
 * moves. Error: NOMEM, then *ok is false. */
bool ek_plan_group(struct ek_plan_work *work, uint32_t domain, bool mends, bool *ok,
                   struct ek_error *err);

/* ---- plan_chain.c ------------------------------------------------------------------------------
 */

/* Tries to make room for the domain by moving others out of its way, with few moves and a bounded
 * number of looks; `mends` as above. True: the trail has the moves, the domain's last. */
bool ek_plan_chain(struct ek_plan_work *work, uint32_t domain, bool mends);

/* ---- plan_evacuate.c ---------------------------------------------------------------------------
 */

/* Empties the hosts in maintenance as far as that goes. Error: NOMEM. */
bool ek_plan_evacuate(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_repair.c -----------------------------------------------------------------------------
 */

/* Mends must rules that are broken, as far as that goes. Error: NOMEM. */
bool ek_plan_repair(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_puzzle.c -----------------------------------------------------------------------------
 */

/* In a small cluster: empties and mends what the phases before could not. Error: NOMEM. */
bool ek_plan_puzzle(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_prefer.c -----------------------------------------------------------------------------
 */

/* Moves for should rules what earns its price by them. Error: NOMEM. */
bool ek_plan_prefer(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_level.c ------------------------------------------------------------------------------
 */

/* The moves that make overload, spread and prices small together. Error: NOMEM. */
bool ek_plan_level(struct ek_plan_work *work, const struct ek_plan_phase *phase,
                   struct ek_error *err);

/* ---- plan_balance.c ----------------------------------------------------------------------------
 */

/* Lets the request's policy balance, unless it is held. Error: NOMEM. */
bool ek_plan_balance(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_spare.c ------------------------------------------------------------------------------
 */

/* Adds to the summary when the loss of capacity.spare_hosts hosts could not be borne after the
 * plan. Error: NOMEM. */
bool ek_plan_warn_of_spare(struct ek_plan_work *work, struct ek_error *err);

/* ---- plan_unresolved.c -------------------------------------------------------------------------
 */

/* Lists the domains that are still on hosts in maintenance. Error: NOMEM. */
bool ek_plan_list_unresolved(struct ek_plan_work *work, struct ek_error *err);

/* Why the domain cannot leave its host, and whether time may change it. NULL: out of memory. */
const char *ek_plan_stuck_reason(struct ek_plan_work *work, uint32_t domain, bool *for_now);

/* Whether time may change it; the same without a word. */
bool ek_plan_stuck_for_now(const struct ek_plan_work *work, uint32_t domain);

/* ---- plan_hold.c -------------------------------------------------------------------------------
 */

/* Whether nothing leaves that host. */
bool ek_plan_holds(const struct ek_plan_work *work, uint32_t host);

/* After the evacuation and the repairs: keeps room for those that could leave but for time, and
 * adds to `held` hosts that cannot be emptied and are not to be emptied in part, or that take the
 * room of one whose evacuation has begun: one of those that are in each other's way. *again: there
 * is one, and the plan is to be made anew. Error: NOMEM. */
bool ek_plan_hold_back(struct ek_plan_work *work, struct ek_plan_held *held, bool *again,
                       struct ek_error *err);

/* Finds the relaxations of `count` entries of the list, all of the same model. Error: NOMEM. */
bool ek_plan_relax(struct ek_plan_work *work, struct ek_unresolved *list, size_t count,
                   struct ek_arena *arena, struct ek_error *err);

#endif
