/* The engine's state; private to engine*.c. */
#ifndef EK_CORE_ENGINE_STATE_H
#define EK_CORE_ENGINE_STATE_H

#include "balancer/core/engine.h"
#include "balancer/core/engine_keep.h"
#include "balancer/core/engine_memory.h"
#include "balancer/core/preflight.h"
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

/* ---- effects.c: each adds one effect; false: NOMEM ---------------------------------------------
 */

struct ek_effect *ek_effect_add(struct ek_effects *effects, enum ek_effect_kind kind,
                                struct ek_error *err);
bool ek_effect_event(struct ek_effects *effects, const char *kind, const char *subject,
                     struct ek_error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A snapshot is wanted at that time, or sooner when something else wants it sooner. */
bool ek_effect_wake(struct ek_effects *effects, int64_t at_ms, struct ek_error *err);
void ek_effects_sort(struct ek_effects *effects);

/* ---- engine.c ----------------------------------------------------------------------------------
 */

/* Why nothing starts now; NULL: it may. */
const char *ek_engine_holding(const struct ek_engine *engine);

/* Whether it does not hold, and the snapshot was taken since it did. */
bool ek_engine_may_start(const struct ek_engine *engine);

/* ---- engine_memory.c ---------------------------------------------------------------------------
 */

/* Writes what is expected of each domain into the newest snapshot. */
bool ek_engine_expect(struct ek_engine *engine, struct ek_error *err);

/* ---- engine_plan.c -----------------------------------------------------------------------------
 */

/* Whether balancing must wait in this cycle, and why; what the policy says when it need not. Counts
 * sustained cycles; once per cycle. */
bool ek_engine_balance_held(struct ek_engine *engine, char *why, size_t size);

/* Two fresh samples of every host since the last move ended, so that rates after it are known. */
bool ek_engine_settled(const struct ek_engine *engine);

/* The slowest collector's period: only when all have sampled anew can all be settled. 0: offline.
 */
int64_t ek_engine_period_ms(const struct ek_engine *engine);

/* Evaluates the newest snapshot with all that runs in flight. */
bool ek_engine_evaluate(struct ek_engine *engine, struct ek_error *err);

/* Makes, records and (in automatic mode) adopts a plan for the newest snapshot; what waits of
 * earlier ones is dropped: `why`. */
bool ek_engine_replan(struct ek_engine *engine, const char *why, struct ek_effects *effects,
                      struct ek_error *err);

/* Makes, records and adopts a plan of just those moves, of which each must pass alone. What cannot
 * be done is in engine->plan.unresolved; nothing is adopted when none can. The newest snapshot must
 * be there, and engine->plan empty. */
bool ek_engine_bring(struct ek_engine *engine, enum ek_course_kind kind,
                     const struct ek_plan_wish *wishes, size_t count, const char *summary,
                     struct ek_effects *effects, struct ek_error *err);

/* ---- engine_course.c ---------------------------------------------------------------------------
 */

/* The plan under way of that id; NULL: none. */
struct ek_course *ek_engine_find_course(const struct ek_engine *engine, const char *plan_id);

/* The move of the plan with that seq; NULL: none. */
struct ek_step *ek_course_find(const struct ek_course *course, uint32_t seq);

/* Whether it waits, and all that it depends on is done. */
bool ek_course_is_ready(const struct ek_course *course, const struct ek_step *step);

size_t ek_course_waiting(const struct ek_course *course);
size_t ek_course_offered(const struct ek_course *course);
size_t ek_engine_waiting_count(const struct ek_engine *engine);

/* Waiting moves of the planner's plans, which a new plan replaces. */
size_t ek_engine_planned_count(const struct ek_engine *engine);

/* Makes a course with room for `count` moves the youngest; NULL: NOMEM. */
struct ek_course *ek_engine_add_course(struct ek_engine *engine, enum ek_course_kind kind,
                                       const char *plan_id, size_t count, struct ek_error *err);
void ek_engine_free_courses(struct ek_engine *engine);

enum ek_drop {
    EK_DROP_DEPENDENTS, /* what waits, or is offered, for moves that will never be done */
    EK_DROP_OFFERED,    /* ... and all that is offered */
    EK_DROP_WAITING,    /* ... and all that waits */
    EK_DROP_BALANCING,  /* ... and all that waits or is offered and empties no host */
    EK_DROP_ALL,
};

/* Drops what waits, or is offered, for moves that will never be done; returns how many. */
size_t ek_course_drop_dependents(struct ek_course *course);

/* Drops waiting and offered moves; when there are any, the fate is `fate` unless worse is known. A
 * plan of which nothing began has lapsed instead of being abandoned. */
bool ek_course_drop(struct ek_course *course, enum ek_drop what, const char *fate, const char *why,
                    struct ek_effects *effects, struct ek_error *err);

/* Drops that of the planner's plans. */
bool ek_engine_abandon(struct ek_engine *engine, enum ek_drop what, struct ek_effects *effects,
                       const char *why, struct ek_error *err);

/* Likewise, and of what brings back a failed plan's moves: all but what an operator ordered. */
bool ek_engine_withdraw(struct ek_engine *engine, enum ek_drop what, struct ek_effects *effects,
                        const char *why, struct ek_error *err);

/* Drops all that waits, of whatever kind. */
bool ek_engine_drop_waiting(struct ek_engine *engine, struct ek_effects *effects, const char *why,
                            struct ek_error *err);

/* Ends the plans of which nothing waits or runs any more: records their fate, brings back what has
 * to be. *added: there is a new course. */
bool ek_engine_close(struct ek_engine *engine, struct ek_effects *effects, bool *added,
                     struct ek_error *err);

/* ---- engine_offer.c ----------------------------------------------------------------------------
 */

/* The plan of which moves are offered; NULL: none. */
struct ek_course *ek_engine_offer(const struct ek_engine *engine);

/* Which domains go where, without the moment. */
uint64_t ek_plan_moves_digest(const struct ek_plan *plan);

/* Makes an offer of a course that has just been adopted; of an evacuation (and what it waits for)
 * only if these do not start by themselves. */
void ek_course_offer(struct ek_course *course, const struct ek_plan *plan, bool evacuations_start);

/* Whether it is too old to be approved. */
bool ek_engine_has_lapsed(const struct ek_engine *engine, const struct ek_course *offer);

/* Beside this cycle's plan: whether the present offer stands; else it lapses. Error: NOMEM. */
bool ek_engine_review_offer(struct ek_engine *engine, bool *stands, struct ek_effects *effects,
                            struct ek_error *err);

/* Whether an operator rejected these very moves lately. */
bool ek_engine_is_rejected(const struct ek_engine *engine, const struct ek_plan *plan);

/* What is offered under the id of a plan or of a move. */
struct ek_offered {
    struct ek_course *course; /* the present offer, whatever was asked for; NULL: none */
    size_t count;             /* moves of that id that are offered */
    bool whole;               /* it is the plan's id */
};
struct ek_offered ek_engine_find_offered(const struct ek_engine *engine, const char *subject);

/* The first move that is only offered and that this move waits for; NULL: none. */
const struct ek_step *ek_course_lacks(const struct ek_course *course, const char *move);

/* Lets what was found wait for its start; drops it. Count must not be 0. */
bool ek_engine_approve(struct ek_engine *engine, const struct ek_offered *offered,
                       const char *subject, struct ek_effects *effects, struct ek_error *err);
bool ek_engine_reject(struct ek_engine *engine, const struct ek_offered *offered,
                      const char *subject, struct ek_effects *effects, struct ek_error *err);

/* ---- engine_together.c -------------------------------------------------------------------------
 */

/* Whether an operator's word on that move of the offer, or on all of it, would leave split what a
 * must rule of affinity keeps together: then *text says so, else it is NULL. Error: NOMEM. */
bool ek_engine_find_split(struct ek_engine *engine, struct ek_course *course, const char *subject,
                          bool approves, const char **text, struct ek_arena *arena,
                          struct ek_error *err);

/* ---- engine_outcome.c --------------------------------------------------------------------------
 */

bool ek_engine_outcome(struct ek_engine *engine, const struct ek_outcome *outcome,
                       struct ek_effects *effects, struct ek_error *err);

/* Forgets ended moves that every sample shows by now. */
void ek_engine_expire_recent(struct ek_engine *engine, int64_t now_ms);

/* ---- engine_failure.c --------------------------------------------------------------------------
 */

/* A move did not end well: rests, what depends on it, what becomes of its plan. `step` and `course`
 * are NULL for a move of an earlier run. */
bool ek_engine_fail(struct ek_engine *engine, const struct ek_running *running,
                    struct ek_course *course, const struct ek_outcome *outcome,
                    struct ek_effects *effects, struct ek_error *err);

/* Brings back what a broken plan had moved, as far as that goes. */
bool ek_engine_revert(struct ek_engine *engine, const struct ek_course *course,
                      struct ek_effects *effects, struct ek_error *err);

/* A new plan is wanted at that time, or sooner. */
void ek_engine_want_plan(struct ek_engine *engine, int64_t at_ms);

/* ---- engine_priority.c -------------------------------------------------------------------------
 */

enum { EK_RANK_EVACUATE, EK_RANK_ORDERED, EK_RANK_RULE, EK_RANK_BALANCE, EK_RANK_COUNT };

/* Sets rank of every step: what an evacuation waits for goes with it. */
void ek_course_rank(struct ek_course *course);

/* Whether a move of the domain may copy until its deadline, by the newest figures of it and of its
 * earlier moves. */
bool ek_engine_may_lag(const struct ek_engine *engine, uint32_t domain, uint32_t source,
                       uint32_t destination);

/* Asks that again of all moves that wait: dirty rates are measured while others run. */
void ek_engine_find_laggards(struct ek_engine *engine);

/* Whether it must wait for the others of its rank. */
bool ek_engine_lags(const struct ek_engine *engine, const struct ek_step *step);

/* Aborts what keeps an evacuation from its turn and has most of its way still before it. */
bool ek_engine_yield(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err);

/* What the guest of the running move `id` writes was measured. One that was not known for a laggard
 * and is one lets evacuations pass that it keeps from their turn. */
bool ek_engine_sampled(struct ek_engine *engine, const char *id, double dirty_mib_s,
                       struct ek_effects *effects, struct ek_error *err);

/* Tells a running move to stop. */
bool ek_engine_stop_move(struct ek_running *running, enum ek_abort why, struct ek_effects *effects,
                         struct ek_error *err);

/* ---- engine_pace.c -----------------------------------------------------------------------------
 */

/* Chooses the pace for engine->plan, makes engine->schedule at it, and tells what has changed. */
bool ek_engine_choose_pace(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err);

/* Whether a host with a deadline is no longer in time, since its moves start later than predicted.
 */
bool ek_engine_falls_behind(const struct ek_engine *engine);

/* Whether the pace binds the order, and what does. */
bool ek_engine_is_paced(const struct ek_engine *engine, const struct ek_move_order *order);
struct ek_limits ek_engine_limits(const struct ek_engine *engine,
                                  const struct ek_move_order *order);

/* What one move between the two gets alone, in MiB/s. */
double ek_engine_rate(const struct ek_engine *engine, uint32_t source, uint32_t destination);

/* ---- engine_dispatch.c
 * --------------------------------------------------------------------------- */

struct ek_running *ek_engine_find_running(struct ek_engine *engine, const char *id);
struct ek_running *ek_engine_run(struct ek_engine *engine, const struct ek_move_order *order,
                                 int64_t started_at_ms, struct ek_error *err);
void ek_engine_end(struct ek_engine *engine, const char *id);

/* The newest snapshot with all that runs in flight, whatever it says itself; borrowed from it. */
bool ek_engine_present(struct ek_engine *engine, struct ek_snapshot *present, struct ek_error *err);

enum ek_limit {
    EK_LIMIT_NONE, /* cluster and hosts may have one move more, and its links carry it */
    EK_LIMIT_SOURCE,
    EK_LIMIT_DESTINATION,
    EK_LIMIT_CLUSTER,
    EK_LIMIT_LINKS,
};

/* The first limit that keeps a move waiting. */
enum ek_limit ek_engine_limit(const struct ek_engine *engine, const struct ek_step *step);

enum ek_verdict { EK_VERDICT_GO, EK_VERDICT_WAIT, EK_VERDICT_DROP };

/* The order in that model: still where it was, and is the destination still fit? Else *why. */
enum ek_verdict ek_engine_check(const struct ek_engine *engine, const struct ek_cluster *cluster,
                                const struct ek_course *course, struct ek_step *step, char *why,
                                size_t size);

/* Whether nothing but a limit keeps a waiting move from its start. Error: NOMEM. */
bool ek_engine_is_fit(struct ek_engine *engine, const struct ek_course *course,
                      struct ek_step *step, bool *is_fit, struct ek_error *err);

/* Starts what limits, links and room allow, on the newest figures. */
bool ek_engine_dispatch(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err);

/* ---- engine_stop.c -----------------------------------------------------------------------------
 */

/* Starts saves and shutdowns on hosts where nobody else is left, a few at a time. */
bool ek_engine_start_stops(struct ek_engine *engine, struct ek_effects *effects,
                           struct ek_error *err);

/* Tells those to stop whose host is not to be emptied any more. */
bool ek_engine_recall_stops(struct ek_engine *engine, struct ek_effects *effects,
                            struct ek_error *err);

/* A save or a shutdown ended: what is told of it, rests, and what follows. */
bool ek_engine_stopped(struct ek_engine *engine, const struct ek_running *running,
                       const struct ek_outcome *outcome, struct ek_effects *effects,
                       struct ek_error *err);

/* Why the domain's last save or shutdown failed; NULL: it did not. */
const char *ek_engine_stop_error(const struct ek_engine *engine, const char *domain);

/* Who is, or will be, stopped on that host, for its status. Error: NOMEM. */
bool ek_engine_list_stops(const struct ek_engine *engine, const char *host,
                          struct ek_maintenance_status *status, struct ek_arena *arena,
                          struct ek_error *err);

/* Says what was stopped on a host that is used again. */
bool ek_engine_tell_stopped(struct ek_engine *engine, const char *host, struct ek_effects *effects,
                            struct ek_error *err);

/* ---- engine_bandwidth.c ------------------------------------------------------------------------
 */

/* Whether the links carry one move more, so that it and all others keep enough of their rate. */
bool ek_engine_links_carry(const struct ek_engine *engine, const struct ek_step *step);

/* Divides the links anew among all that runs and tells those whose share has changed. */
bool ek_engine_share(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err);

/* ---- engine_keep.c -----------------------------------------------------------------------------
 */

/* Writes down which circuits are open, for the view. */
void ek_engine_show_circuits(struct ek_engine *engine, struct ek_arena *scratch);

/* ---- engine_cycle.c ----------------------------------------------------------------------------
 */

/* Puts down what the step of a snapshot has come to. */
void ek_engine_note_cycle(struct ek_engine *engine);

/* ---- engine_foreign.c --------------------------------------------------------------------------
 */

/* What runs without being a move of ours, by the newest snapshot. */
struct ek_foreign_load ek_engine_foreign_load(const struct ek_engine *engine, const char *source,
                                              const char *destination);

/* The same for the assembly of the next snapshot: fills at most `room`, returns how many. */
size_t ek_engine_foreign_moves(const struct ek_engine *engine, struct ek_known_move *out,
                               size_t room);

/* Compares the next snapshot with the present one: a domain that changed its host without a move of
 * ours rests as if we had moved it, which is recorded. Error: NOMEM. */
bool ek_engine_note_foreign(struct ek_engine *engine, const struct ek_snapshot *next,
                            struct ek_effects *effects, struct ek_error *err);

/* ---- engine_command.c
 * ---------------------------------------------------------------------------- */

/* Carries out an operator's command and replies to it. */
bool ek_engine_command(struct ek_engine *engine, const struct ek_command *command,
                       struct ek_effects *effects, struct ek_error *err);

/* ---- engine_promise.c --------------------------------------------------------------------------
 */

/* Looks ahead over the newest plan: whether its hosts can be emptied, until when, and who is in the
 * way. Error: NOMEM. */
bool ek_engine_look_ahead(struct ek_engine *engine, const struct ek_plan_request *request,
                          struct ek_error *err);

/* What was promised of that host; NULL: nothing. */
const struct ek_promise *ek_engine_find_promise(const struct ek_engine *engine, const char *host);

/* Whether its evacuation has begun, in this step or before. */
bool ek_engine_has_begun(const struct ek_engine *engine, const char *host);

/* The evacuation of that host has begun. Error: NOMEM. */
bool ek_engine_begin_host(struct ek_engine *engine, const char *host, struct ek_error *err);

/* The maintenance of that host was ended, even if no snapshot showed it: what had begun is over,
 * and what waits of the plans is dropped. Error: NOMEM. */
bool ek_engine_end_host(struct ek_engine *engine, const char *host, struct ek_effects *effects,
                        struct ek_error *err);

/* Marks in the newest snapshot what has begun, and forgets what is not wanted any more. Error:
 * NOMEM. */
bool ek_engine_mark_begun(struct ek_engine *engine, struct ek_error *err);

/* ---- engine_maintenance.c
 * ------------------------------------------------------------------------ */

uint64_t ek_engine_maintenance_digest(const struct ek_engine *engine);
uint64_t ek_engine_deadline_digest(const struct ek_engine *engine);
bool ek_engine_record_maintenance(struct ek_engine *engine, struct ek_effects *effects,
                                  struct ek_error *err);

#endif
