/* The engine's state; private to engine*.c. */
#ifndef EK_CORE_ENGINE_STATE_H
#define EK_CORE_ENGINE_STATE_H

#include "balancer/core/engine/engine.h"
#include "balancer/core/engine/engine_keep.h"
#include "balancer/core/engine/engine_memory.h"
#include "balancer/core/schedule/preflight.h"
#include "policies/policy_ops.h"

/* How far a move of a plan has come. */
enum ek_step_state {
    EK_STEP_WAITING,
    EK_STEP_OFFERED, /* shown; it waits when an operator approves it */
    EK_STEP_RUNNING,
    EK_STEP_DONE,
    EK_STEP_ENDED, /* it ran, and did not end well */
    EK_STEP_DROPPED,
};

/* One move of a plan that is under way. */
struct ek_step {
    struct ek_move_order order;
    enum ek_step_state state;
    uint32_t *depends_on; /* seqs */
    size_t depends_count;
    uint32_t domain;  /* its index when it was last looked for */
    int rank;         /* 0 is dispatched first (engine_priority.c) */
    bool laggard;     /* it may never converge: behind all others of its rank */
    bool held;        /* in this pass: an earlier one must not be overtaken */
    int64_t start_ms; /* from the plan's start on, as it was predicted */
    int64_t ended_at_ms;
};

enum ek_course_kind {
    EK_COURSE_PLANNED, /* the planner's */
    EK_COURSE_ORDERED, /* an operator's one move */
    EK_COURSE_REVERT,  /* brings back what a failed plan had moved */
};

/* A plan that is under way, until none of its moves waits or runs. */
struct ek_course {
    char id[EK_ID_SIZE]; /* of the plan */
    enum ek_course_kind kind;
    const char *fate;    /* static; "done" until something speaks against it */
    bool broken;         /* a move that was no evacuation failed: on_plan_failure applies */
    bool was_offered;    /* some of it was shown before anything began */
    bool approved;       /* some of that was approved */
    bool partial;        /* and not all of it */
    uint64_t digest;     /* of an offer: of all of its moves */
    double offered_fall; /* of the score, as it was promised */
    int64_t offered_at_ms;
    char why[EK_TEXT_SIZE]; /* the first failure */
    struct ek_step *steps;  /* in the order of the schedule */
    size_t step_count;
    uint32_t *place; /* [seq]: index of its step */
    int64_t started_at_ms;
    int64_t makespan_ms;
    struct ek_levels before;
    struct ek_levels predicted;
    struct ek_course *next; /* the next younger one */
    struct ek_arena arena;  /* of its arrays */
};

/* A move that ended, until samples show it. */
struct ek_recent {
    struct ek_outcome outcome;
};

/* A domain that cannot leave, as the newest plan found it. */
struct ek_stuck {
    const char *domain;
    const char *name;
    const char *host;
    const char *reason;
    const char *relaxation;
    const char *relaxation_host;
    bool for_now;
};

/* A domain that is stopped last, as the newest plan found it. */
struct ek_due {
    const char *domain;
    const char *name;
    const char *host;
    enum ek_move_kind kind;
};

/* How a domain's last save or shutdown ended, until its host is used again. */
struct ek_stop_end {
    struct ek_move_order order;
    bool done;
    bool earlier; /* the host's key went since then: another maintenance may stop it again */
    int64_t ended_at_ms;
    char error[EK_TEXT_SIZE];
};

/* What the newest preflight said of a host that is to be emptied. */
struct ek_promise {
    const char *host;
    bool feasible;
    bool waits;
    struct ek_eta eta; /* from `made_at_ms` on */
    int64_t made_at_ms;
    const char **order; /* names of the domains that leave, as they are to start */
    size_t order_count;
};

/* A domain that no sample shows any more: where it was seen last. */
struct ek_lost {
    const char *domain;
    const char *host;
    int64_t seen_at_ms;
    bool found; /* by the newest snapshot */
};

/* How many migrations of others run: from one host, to another, in all. */
struct ek_foreign_load {
    int out;
    int in;
    int all;
};

struct ek_running {
    struct ek_move_order order;
    int64_t started_at_ms;
    enum ek_abort abort;
    bool adopted;     /* begun by an earlier run */
    bool ending;      /* its copying is about to end */
    bool laggard;     /* it may copy until its deadline, as was predicted or measured */
    bool share_known; /* the migration was told order.bandwidth_mib_s; not so after an adoption */
};

struct ek_engine {
    struct ek_policy policy;
    const struct ek_policy_ops *ops;
    struct ek_cooldown *cooldown;
    struct ek_forecast *forecast;
    struct ek_learned *learned;
    struct ek_sustained recalled; /* of an earlier run, until the next snapshot; cycles 0: none */
    struct ek_snapshot snapshot;
    bool has_snapshot;
    bool outdated; /* starting was held since it was taken: the next one is waited for */
    struct ek_levels levels;
    uint64_t rules_digest; /* of the rules' problems that were last told */
    bool rules_shown;      /* since the policy was loaded: which of them are about no domain */
    int64_t now_ms;
    int64_t clock_back_ms; /* how far the clock went back since the last snapshot */
    int sustained;         /* cycles in a row that wanted balancing */
    bool trigger_asked;    /* in this cycle, and what it said: */
    bool trigger_wants;
    char trigger[EK_TEXT_SIZE];
    enum ek_cycle_end plan_end;           /* what became of this cycle's plan, if it has moves */
    struct ek_cycle cycle;                /* the newest */
    char hold[EK_TEXT_SIZE];              /* told by the caller; "": not holding */
    char self_hold[EK_TEXT_SIZE];         /* found in the snapshot */
    char holding_shown[2 * EK_TEXT_SIZE]; /* last one recorded */
    char summary[2 * EK_TEXT_SIZE];
    char circuits_view[4 * EK_TEXT_SIZE];
    struct ek_pause pause;
    struct ek_closing closing; /* of the calendar, as of the newest event */
    int local_offset_min;      /* as of the newest snapshot */
    char closing_shown[160];

    struct ek_course *courses; /* what is under way, the oldest first */
    char plan_id[EK_ID_SIZE];  /* the planner's newest plan that was started */
    int64_t replan_at_ms;      /* a new plan is wanted then, whatever waits; 0: it is not */
    struct ek_running *running;
    size_t running_count;
    size_t running_room;
    struct ek_move_order *running_view;
    struct ek_recent *recent;
    size_t recent_count;
    size_t recent_room;
    uint64_t rejected_digest;    /* of the last offer that was rejected as a whole ... */
    int64_t rejected_at_ms;      /* ... then */
    uint64_t maintenance_digest; /* of the set of hosts to be emptied, when the plan was made */
    uint64_t deadline_digest;    /* of their deadlines then */

    struct ek_levels plan_before; /* of the plan whose result is to be verified */
    struct ek_levels plan_predicted;
    int64_t plan_makespan_ms;
    int64_t plan_started_at_ms;
    bool verify_pending;
    int64_t last_end_ms;

    struct ek_stuck *stuck;
    size_t stuck_count;
    struct ek_arena stuck_arena;

    enum ek_pace pace;             /* of hosts with deadlines, since the newest plan */
    bool pace_in_time;             /* it was enough then */
    char late_shown[EK_TEXT_SIZE]; /* hosts of which it was told that they will be late */

    struct ek_due *dues; /* in stuck_arena */
    size_t due_count;

    struct ek_stop_end *stop_ends;
    size_t stop_end_count;

    struct ek_promise *promises;
    size_t promise_count;
    struct ek_arena promise_arena;

    const char **begun; /* hosts in maintenance whose evacuation has begun */
    size_t begun_count;
    struct ek_arena begun_arena;

    struct ek_lost *lost;
    size_t lost_count;
    struct ek_arena lost_arena;

    const char **maintained; /* hosts whose status is shown */
    size_t maintained_count;
    struct ek_arena maintained_arena;

    /* Results of the newest step that effects point to. */
    struct ek_evaluation evaluation;
    struct ek_plan_request request; /* that the plan answers */
    char balance_held[EK_TEXT_SIZE];
    const struct ek_plan_wish *wishes; /* of a plan that somebody wanted; NULL: of none */
    size_t wish_count;
    struct ek_plan plan;
    struct ek_schedule schedule;
};

#endif
