/* PREFLIGHT: what emptying hosts will take, said before anything moves.
 *
 * From a plan and its schedule: whether each host in maintenance can be emptied, how long it takes,
 * who is in the way and the least that would let him go.
 *
 * The estimate is the end of the last move away from the host in the schedule, that is the
 * planner's cost model (migration_cost.h) with measured dirty rates and what was learned of each
 * domain (learned.h), under the policy's limits, or at the schedule's pace where a deadline has
 * raised them (pace_choice.h). A dirty rate that was not measured counts as 0.
 * What runs already from there comes before it.
 *
 * The range is two further schedules of the same moves, each with every cost at one end, and then a
 * quarter (EK_PREFLIGHT_ERROR) less and more:
 *
 *   low   no guest writes anything while it is copied; factor min(1, 2f - 1)
 *   high  a guest whose dirty rate was not measured writes half of what its link carries, so that
 *         it is sent about twice; one that is not expected to converge copies until its deadline;
 *         factor max(1, 2f - 1)
 *
 * A lesson is believed by half: a domain with the factor f may have taken 2f - 1 times the model's
 * word in its newest move. The quarter is what tests/bench/preflight.py demands of the estimate on
 * real hosts; half of the link is a convention, since nothing is known: a guest that writes faster
 * is found out while it is copied, and goes last (docs/planner.md). */
#ifndef EK_CORE_PREFLIGHT_H
#define EK_CORE_PREFLIGHT_H

#include "balancer/core/planner/relaxation.h"
#include "balancer/core/schedule/schedule.h"

#define EK_PREFLIGHT_ERROR 0.25

/* Milliseconds from now; low_ms <= likely_ms <= high_ms. */
struct ek_eta {
    int64_t low_ms;
    int64_t likely_ms;
    int64_t high_ms;
};

/* What is in the way on one host. */
struct ek_refusal {
    uint32_t host;
    const char *reason; /* the first one, with its numbers */
};

/* A domain that cannot leave. */
struct ek_preflight_stuck {
    uint32_t domain;
    uint32_t host;      /* that is to be emptied */
    bool for_now;       /* time or an operator may change it; else no host can take it */
    const char *reason; /* what holds the domain itself, whatever the destination; NULL: nothing */
    const struct ek_refusal *refusals; /* of each other host; none when the domain itself is held,
                                          and none unless the request says `as_far` */
    size_t refusal_count;
    struct ek_relaxation relaxation; /* the plan's; text NULL: not looked for */
};

struct ek_preflight_host {
    uint32_t host;
    const char *problem; /* why nothing can be told of it; NULL: it can */
    bool feasible;       /* everything can leave it */
    bool waits;          /* not everything, but time, or an operator who resolves, may change it */
    uint32_t domains;    /* that are there, those that are leaving included */
    uint32_t leaving;    /* migrations that run from there */
    uint32_t arriving;   /* migrations that still run there */
    uint32_t stuck;
    uint32_t saved;      /* that will be saved, when all others have left, */
    uint32_t shut_down;  /* or shut down; the estimate does not count either */
    uint32_t unmeasured; /* of those that move, whose dirty rate is not known */
    uint32_t doubtful;   /* of those that move, who are not expected to converge */
    struct ek_eta eta;   /* until all that can leave has left */
};

struct ek_preflight {
    const struct ek_plan *plan; /* borrowed, and so is the schedule */
    const struct ek_schedule *schedule;
    struct ek_preflight_host *hosts; /* in maintenance, in the snapshot's order */
    size_t host_count;
    struct ek_preflight_stuck *stuck; /* as the plan lists them, without who is withheld */
    size_t stuck_count;
    struct ek_arena arena;
};

/* The plan's schedule at that pace, at likely costs: from one that gives the links more, moves are
 * shorter than the plan says. Error: NOMEM. The caller owns the result. */
bool ek_preflight_schedule(struct ek_schedule *out, const struct ek_plan *plan,
                           const struct ek_policy *policy, enum ek_pace pace, struct ek_error *err);

/* The likely estimate of that host alone; 0: nothing leaves it. */
int64_t ek_preflight_likely_ms(const struct ek_schedule *schedule, const struct ek_policy *policy,
                               uint32_t host);

/* Made from the plan of that request and its schedule, which must outlive it. Error: NOMEM. The
 * caller owns the result. */
bool ek_preflight_make(struct ek_preflight *out, const struct ek_plan *plan,
                       const struct ek_schedule *schedule, const struct ek_plan_request *request,
                       struct ek_error *err);
void ek_preflight_finish(struct ek_preflight *preflight);

/* Whether the domain's dirty rate is known. */
bool ek_preflight_measured(const struct ek_domain *domain);

/* Which moves empty hosts, in wanted[seq - 1]: those away from hosts for which `asked` is true, and
 * what these wait for. `wanted` and `asked` have room for all moves and hosts of the plan. */
void ek_preflight_moves(const struct ek_preflight *preflight, const bool *asked, bool *wanted);

#endif
