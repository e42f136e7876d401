/* The engine's state; private to engine*.c. */
#ifndef EK_CORE_ENGINE_STATE_H
#define EK_CORE_ENGINE_STATE_H

#include "balancer/core/engine.h"
#include "balancer/core/engine_memory.h"
#include "policies/policy_ops.h"

/* One move of the present plan that has not started yet. */
struct ek_waiting {
    struct ek_move_order order;
    uint32_t *depends_on; /* seqs; owned by the plan arena */
    size_t depends_count;
    uint32_t domain; /* its index when it was last looked for */
    bool gone;       /* started or dropped */
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
    bool for_now;
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
    bool aborted; /* by an operator, who does not want it again soon */
};

/* What an operator, or a plan that failed, has stopped until an operator resumes. */
struct ek_pause {
    char why[EK_TEXT_SIZE]; /* "": nothing */
    bool all;               /* evacuations, too */
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
    struct ek_levels levels;
    uint64_t rules_digest; /* of the rules' problems that were last told */
    int64_t now_ms;
    int64_t clock_back_ms;                /* how far the clock went back since the last snapshot */
    int sustained;                        /* cycles in a row that wanted balancing */
    char hold[EK_TEXT_SIZE];              /* told by the caller; "": not holding */
    char self_hold[EK_TEXT_SIZE];         /* found in the snapshot */
    char holding_shown[2 * EK_TEXT_SIZE]; /* last one recorded */
    char summary[2 * EK_TEXT_SIZE];
    struct ek_pause pause;

    /* The present plan: what of it has not started, and what is running (of any plan). */
    char plan_id[EK_ID_SIZE];
    struct ek_waiting *waiting;
    size_t waiting_count;
    struct ek_running *running;
    size_t running_count;
    size_t running_room;
    struct ek_move_order *running_view;
    struct ek_recent *recent;
    size_t recent_count;
    size_t recent_room;
    bool *seq_done; /* [seq]: ended well */
    size_t seq_count;
    bool plan_failed;            /* one of its moves did not end well */
    uint64_t recommended_digest; /* of the last plan that was only shown */
    uint64_t maintenance_digest; /* of the set of hosts to be emptied, when the plan was made */
    struct ek_arena plan_arena;

    struct ek_levels plan_before;
    struct ek_levels plan_predicted;
    bool verify_pending;
    int64_t last_end_ms;

    struct ek_stuck *stuck;
    size_t stuck_count;
    int64_t plan_started_at_ms;
    int64_t plan_makespan_ms;
    struct ek_arena stuck_arena;

    struct ek_lost *lost;
    size_t lost_count;
    struct ek_arena lost_arena;

    const char **maintained; /* hosts whose status is shown */
    size_t maintained_count;
    struct ek_arena maintained_arena;

    /* Results of the newest step that effects point to. */
    struct ek_evaluation evaluation;
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

/* ---- engine_memory.c ---------------------------------------------------------------------------
 */

/* Writes what is expected of each domain into the newest snapshot. */
bool ek_engine_expect(struct ek_engine *engine, struct ek_error *err);

/* ---- engine_plan.c
 * ------------------------------------------------------------------------------- */

/* Whether balancing must wait in this cycle, and why; what the policy says when it need not. Counts
 * sustained cycles; once per cycle. */
bool ek_engine_balance_held(struct ek_engine *engine, char *why, size_t size);

/* Two fresh samples of every host since the last move ended, so that rates after it are known. */
bool ek_engine_settled(const struct ek_engine *engine);

/* Makes, records and (in automatic mode) adopts a plan for the newest snapshot. */
bool ek_engine_replan(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err);

/* Drops all moves of the plan that have not started. */
bool ek_engine_abandon(struct ek_engine *engine, struct ek_effects *effects, const char *why,
                       struct ek_error *err);

/* ---- engine_dispatch.c
 * --------------------------------------------------------------------------- */

size_t ek_engine_waiting_count(const struct ek_engine *engine);
struct ek_running *ek_engine_find_running(struct ek_engine *engine, const char *id);
bool ek_engine_run(struct ek_engine *engine, const struct ek_move_order *order,
                   int64_t started_at_ms, struct ek_error *err);
void ek_engine_end(struct ek_engine *engine, const char *id);

/* The newest snapshot with all that runs in flight, whatever it says itself; borrowed from it. */
bool ek_engine_present(struct ek_engine *engine, struct ek_snapshot *present, struct ek_error *err);

/* Starts what limits, links and room allow, on the newest figures. */
bool ek_engine_dispatch(struct ek_engine *engine, struct ek_effects *effects, struct ek_error *err);

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

/* ---- engine_maintenance.c
 * ------------------------------------------------------------------------ */

uint64_t ek_engine_maintenance_digest(const struct ek_engine *engine);
bool ek_engine_record_maintenance(struct ek_engine *engine, struct ek_effects *effects,
                                  struct ek_error *err);

#endif
