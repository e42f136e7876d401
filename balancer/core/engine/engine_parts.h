/* What the engine's files do for each other; private to engine*.c. */
#ifndef EK_CORE_ENGINE_PARTS_H
#define EK_CORE_ENGINE_PARTS_H

#include "balancer/core/engine/engine_state.h"

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

/* Adds those that this maintenance stopped there, and that somebody started again: they are not
 * stopped twice. At most one for each end that is remembered. Error: NOMEM. */
bool ek_engine_list_restarted(const struct ek_engine *engine, const char *host,
                              struct ek_blocker *blockers, size_t *count, struct ek_arena *arena,
                              struct ek_error *err);

/* The host's key went: should it be set again, those may be stopped again, too. */
void ek_engine_renew_stops(struct ek_engine *engine, const char *host);

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
