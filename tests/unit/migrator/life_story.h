/* Tells lives as stories: one line per input, the state and the action that came of it.
 *
 * A story is a driver without hosts: it keeps the time, carries out nothing, and checks at every
 * step what every driver relies on (docs in migrator/life.h). */
#ifndef EK_TESTS_LIFE_STORY_H
#define EK_TESTS_LIFE_STORY_H

#include "migrator/life.h"

struct story {
    struct ek_life life;
    struct ek_life_action action; /* the newest */
    int64_t now_ms;
    enum ek_abort cancel;
    const char *withheld;
    bool shutdown;
    bool limited; /* as of an input */
    uint64_t limit_mib_s;
    bool hold_tuning; /* the story answers TUNE itself */
    bool call_out;
    const struct ek_findings *findings; /* of a precheck that passes; NULL: nothing is needed */
    bool found;                         /* by a preparation */
    int tunings;                        /* TUNE actions so far, each answered well at once */
    struct ek_tuning tuned;             /* the newest of each kind */
    int migrates;                       /* MIGRATE actions so far */
    bool observed;                      /* since the last MIGRATE */
    bool shut;                          /* FINISH or HALT came */
    enum ek_move_state last;            /* journalled state */
};

/* What an end looks like, in short. */
extern const struct ek_observation running, running_job, paused_job, cancelled_running, arrived,
    absent, dark, incoming, off_by_guest, crashed, left_paused, paused_by_user;

struct ek_move_order story_order(void);

/* A life of story_order() at time 1,000,000; no step taken. */
void story_begin(struct story *story);
void story_adopt(struct story *story, enum ek_move_state state);

/* The same of a save or a shutdown; from then on `absent` is the other end. */
void story_begin_stop(struct story *story, enum ek_move_kind kind);
void story_adopt_stop(struct story *story, enum ek_move_kind kind, enum ek_move_state state);

/* Feed one input; each returns the kind of the action that came. */
enum ek_life_action_kind story_start(struct story *story);
enum ek_life_action_kind story_ok(struct story *story);
enum ek_life_action_kind story_fail(struct story *story, enum ek_failure failure,
                                    const char *error);
enum ek_life_action_kind story_migrated(struct story *story);
enum ek_life_action_kind story_broke(struct story *story, enum ek_failure failure,
                                     const char *error);
enum ek_life_action_kind story_see(struct story *story, const struct ek_observation *source,
                                   const struct ek_observation *destination);
enum ek_life_action_kind story_progress(struct story *story,
                                        const struct ek_job_progress *progress);
/* Lets the time of the wait come. */
enum ek_life_action_kind story_wake(struct story *story);
/* Cancels; wakes when a wait is outstanding. */
enum ek_life_action_kind story_cancel(struct story *story);

/* From the start up to the migrate call. */
void story_to_running(struct story *story);

/* Watches with steady progress until `ms` passed or something other than watching is wanted. */
enum ek_life_action_kind story_watch(struct story *story, int64_t ms,
                                     struct ek_job_progress (*at)(int64_t ms));

/* Sees the same at every look until it is no longer asked. */
enum ek_life_action_kind story_keep_seeing(struct story *story, const struct ek_observation *source,
                                           const struct ek_observation *destination);

#endif
