/* What the files of the life share: changing the state, building actions. Not for others. */
#ifndef EK_MIGRATOR_LIFE_INTERNAL_H
#define EK_MIGRATOR_LIFE_INTERNAL_H

#include "migrator/life.h"

enum {
    EK_LIFE_MAX_ABORTS = 3,  /* then the job does not react: only looking is left */
    EK_LIFE_MAX_REPAIRS = 3, /* then the table's repair does not help */
    EK_LIFE_MAX_POSTS = 3,   /* clean-ups of either kind */
    /* A backing file is read here, written there and read again: at least 10 MiB/s of it. */
    EK_LIFE_BASE_MS_PER_MIB = 300,
    EK_LIFE_DISCARD_AGAIN_MS = 60000, /* a clean-up that failed: the next try is the trash's */
};

/* The only place where a state changes. */
void ek_life_enter(struct ek_life *life, enum ek_move_state state);

/* An action of a kind; `journal` false, no timeout. */
struct ek_life_action ek_life_act(enum ek_life_action_kind kind);

/* A call with its timeout. */
struct ek_life_action ek_life_call(enum ek_life_action_kind kind, int64_t timeout_ms);

/* The same, and the record is written first. */
struct ek_life_action ek_life_journalled(struct ek_life_action action);

struct ek_life_action ek_life_wait(struct ek_life *life, int64_t until_ms);

/* Enters the terminal state. */
struct ek_life_action ek_life_finish(struct ek_life *life, enum ek_move_state state);

/* The record's error, printf-like, cut to its buffer. */
void ek_life_error(struct ek_life *life, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why the attempt failed, kept: the class decides about a retry, the text is for people. */
void ek_life_note_failure(struct ek_life *life, const struct ek_call_result *result);

/* Whether another attempt may follow, and the wait before it. */
bool ek_life_may_retry(const struct ek_life *life);
struct ek_life_action ek_life_wait_for_retry(struct ek_life *life);

/* For the record of a move that is not wanted any more. */
const char *ek_life_why_cancelled(const struct ek_life *life);

/* Where an attempt ends that left the domain on its source: retry-wait, or how the move ended. */
enum ek_move_state ek_life_after_rollback(struct ek_life *life);

/* life_prepare.c: precheck, prepare, unprepare, post. */
struct ek_life_action ek_life_prechecked(struct ek_life *life, const struct ek_life_input *input);
struct ek_life_action ek_life_prepared(struct ek_life *life, const struct ek_life_input *input);
struct ek_life_action ek_life_unprepared(struct ek_life *life, const struct ek_life_input *input);
struct ek_life_action ek_life_posted(struct ek_life *life, const struct ek_life_input *input);

/* Enters unprepare, to be followed by `after`. */
struct ek_life_action ek_life_unprepare(struct ek_life *life, enum ek_move_state after);

/* life_copy.c: running and switchover. */
struct ek_life_action ek_life_copy_begin(struct ek_life *life);
struct ek_life_action ek_life_copy_adopt(struct ek_life *life, bool switchover);
struct ek_life_action ek_life_copy_step(struct ek_life *life, const struct ek_life_input *input);
void ek_life_copy_limits(struct ek_life *life);

/* life_converge.c: whether the copying comes to an end. */

/* Forgets what an earlier attempt's copying was like. */
void ek_life_converge_begin(struct ek_life *life);
void ek_life_converge_adopt(struct ek_life *life);
void ek_life_converge_sample(struct ek_life *life, const struct ek_job_progress *progress);
double ek_life_converge_dirty_mib_s(const struct ek_life *life,
                                    const struct ek_job_progress *progress);
void ek_life_converge_note(struct ek_life *life, const struct ek_job_progress *progress);

/* Whether it makes no progress for that long; says so in the record, and whose fault it is. */
bool ek_life_converge_is_stuck(struct ek_life *life, int64_t progress_ms);

/* Figures for the error of a migration that does not converge; returns `out`. */
const char *ek_life_converge_evidence(const struct ek_life *life, char *out, size_t size);

/* Whether something is to be set of the running job now: then `action` is the call. */
bool ek_life_converge_tune(struct ek_life *life, struct ek_life_action *action);

/* Takes the call's result; `note` is what is to be told of it. */
void ek_life_converge_tuned(struct ek_life *life, const struct ek_call_result *result, char *note,
                            size_t size);

/* Whether a limit is wanted that the job does not have. */
bool ek_life_limit_differs(const struct ek_life *life);

/* life_reconcile.c: reconcile and commit-pending. */
struct ek_life_action ek_life_reconcile_begin(struct ek_life *life);
struct ek_life_action ek_life_commit_begin(struct ek_life *life);
struct ek_life_action ek_life_reconcile_step(struct ek_life *life,
                                             const struct ek_life_input *input);
struct ek_life_action ek_life_commit_step(struct ek_life *life, const struct ek_life_input *input);

/* life_stop.c: precheck, running, commit-pending and reconcile of a stop. */
struct ek_life_action ek_life_stop_step(struct ek_life *life, const struct ek_life_input *input);
struct ek_life_action ek_life_stop_reconcile(struct ek_life *life);

/* Until when it may take, from when it began. */
void ek_life_stop_limits(struct ek_life *life, int64_t since_ms);

#endif
