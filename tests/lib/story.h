/* A story told to the engine: events in virtual time go in, effects are written down as a trace.
 *
 *     plan started: a h1->h2 balance
 *     fate done
 *     maintenance h1 evacuating, 2 left: b: is migrating now
 *     start a h1->h2
 *     wake +10 s
 *
 * one line for each effect, in the order of the effects; audit lines ("event KIND: TEXT") only when
 * `events` is set. */
#ifndef EK_TESTS_LIB_STORY_H
#define EK_TESTS_LIB_STORY_H

#include "balancer/core/engine/engine.h"
#include "balancer/core/engine/engine_keep.h"
#include "tests/lib/text.h"

struct ek_story {
    struct ek_engine *engine;
    struct ek_policy policy;
    struct ek_effects effects;
    struct ek_text trace;
    int64_t now_ms;
    bool events;
    bool promises; /* what is promised of hosts in maintenance is written down, too */
};

enum { EK_STORY_PERIOD_MS = 10000 };

/* An engine with the default policy in automatic mode, one sustained cycle, no forecasts; time is
 * 1000 s. */
void ek_story_begin(struct ek_story *story);
void ek_story_end(struct ek_story *story);

/* Gives `story->policy` to the engine. */
void ek_story_policy(struct ek_story *story);

/* One period later a snapshot with fresh samples of all hosts that are up. */
void ek_story_cycle(struct ek_story *story, const char *cluster);

/* The same, and two more periods first: rates after the last move are known. */
void ek_story_settle(struct ek_story *story, const char *cluster);

/* One second later the domain's running move ends so; fails the test when none runs. */
void ek_story_outcome(struct ek_story *story, const char *domain, enum ek_move_state state);

/* The same with the destination at fault. */
void ek_story_fault(struct ek_story *story, const char *domain, enum ek_move_state state);

/* The same of a start that could not be recorded. */
void ek_story_refuse_start(struct ek_story *story, const char *domain);

void ek_story_adopt(struct ek_story *story, const char *domain, const char *source,
                    const char *destination);
void ek_story_block(struct ek_story *story, const char *domain);

/* An operator's command with the id "c1"; texts that the kind does not need are "". */
void ek_story_command(struct ek_story *story, enum ek_command_kind kind, const char *subject,
                      const char *host);
void ek_story_hold(struct ek_story *story, const char *why);
void ek_story_release(struct ek_story *story);

/* Any other event, at the story's time. */
void ek_story_step(struct ek_story *story, struct ek_event event);

/* Compares what was written down since the last call, and forgets it. */
void ek_story_expect(struct ek_story *story, const char *trace);

#endif
