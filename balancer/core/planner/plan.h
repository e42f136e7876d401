/* PLAN: which domains should move where, in a feasible order, and why; or why nothing moves. */
#ifndef EK_CORE_PLAN_H
#define EK_CORE_PLAN_H

#include "balancer/core/cooldown.h"
#include "balancer/core/evaluate.h"
#include "balancer/core/migration_cost.h"
#include "balancer/core/move.h"
#include "balancer/core/pace.h"
#include "balancer/core/planner/relaxation.h"

struct ek_policy_ops;

/* Domains and hosts are indices into the plan's snapshot. */
struct ek_plan_move {
    uint32_t seq; /* from 1; each move is feasible after those before it */
    uint32_t domain;
    uint32_t source;
    uint32_t destination;
    enum ek_move_kind kind;
    double gain; /* fall of the score by this move; below 0 for what had to be */
    struct ek_cost cost;
    const char *reason;
};

/* A domain that should leave its host and cannot. */
struct ek_unresolved {
    uint32_t domain;
    uint32_t host;
    uint32_t rule;      /* the must rule that stays broken, an index of the rule set of snapshot
                           and policy; EK_NONE: its host is in maintenance */
    bool for_now;       /* time or an operator may change it; else no host can take it */
    bool has_place;     /* nothing but time, or its own unknown outcome, is in its way: a place is
                           kept for it */
    bool withheld;      /* it could leave, and stays because others on its host cannot */
    const char *reason; /* the first reason of each host */
    struct ek_relaxation relaxation; /* of who is stuck, made after those before it; text NULL: not
                                        looked for */
};

/* A domain whose own metadata say that it is stopped when its host is emptied: last of all, when
 * nobody else is left there. It is no move, and needs no place. */
struct ek_plan_stop {
    uint32_t domain;
    uint32_t host;
    enum ek_move_kind kind; /* EK_MOVE_SAVE or EK_MOVE_SHUTDOWN */
};

struct ek_plan {
    char id[EK_ID_SIZE];
    const struct ek_snapshot *snapshot; /* borrowed; must outlive the plan */
    const struct ek_cluster *model; /* before any move, of the evaluation: borrowed; NULL: a plan
                                       that was not made by ek_plan_make */
    const char *policy;             /* its name */
    struct ek_resources resources;  /* what the levels are of */
    struct ek_levels before;
    struct ek_levels after;
    struct ek_plan_move *moves;
    size_t move_count;
    struct ek_unresolved *unresolved;
    size_t unresolved_count;    /* those on hosts in maintenance come first ... */
    size_t stuck_count;         /* ... and are so many, ... */
    size_t withheld_count;      /* ... of whom the last so many are withheld */
    struct ek_plan_stop *stops; /* on hosts in maintenance that can be emptied */
    size_t stop_count;
    const char *summary; /* one sentence: what it does, or why it does nothing */
    double offered_gain; /* relative fall of the score by the balance moves that were found, taken
                            or too little; NAN: none were weighed */
    struct ek_arena arena;
};

struct ek_plan_request {
    const struct ek_evaluation *evaluation;
    const struct ek_policy_ops *balance; /* the policy that levels; NULL: evacuate only */
    const struct ek_cooldown *cooldown;  /* NULL: nobody rests (offline) */
    const char *balance_held;            /* why balancing must wait; NULL: it need not */
    bool evacuate_only;                  /* must rules wait as well */
    bool prefer_held;                    /* figures are in motion: should rules wait, too */
    bool as_far;       /* what can leave a host in maintenance leaves it, whatever its key says */
    enum ek_pace pace; /* of the plan before; the planner itself does not ask (pace_choice.h) */
    uint64_t trials;   /* the most that the search may make; 0: as many as are worth while */
};

/* Every move of the result is feasible after those before it. A host in maintenance that cannot be
 * emptied keeps all of its domains, unless it is `partial` or has `begun`. Same request, same
 * bytes. Error: NOMEM. The caller owns the result. */
bool ek_plan_make(struct ek_plan *out, const struct ek_plan_request *request, struct ek_error *err);
void ek_plan_finish(struct ek_plan *plan);

/* A move that somebody wants, whatever it gains. */
struct ek_plan_wish {
    uint32_t domain;
    uint32_t destination;
    const char *reason; /* outlives the plan */
};

/* A plan of just those moves (kind manual), in an order in which each is feasible after those
 * before it; those named first come first. Rests and target_max bind none of them, all else does.
 * What cannot be done is in `unresolved`, with its reason. Error: NOMEM. The caller owns the
 * result. */
bool ek_plan_bring(struct ek_plan *out, const struct ek_plan_request *request,
                   const struct ek_plan_wish *wishes, size_t count, const char *summary,
                   struct ek_error *err);

#endif
