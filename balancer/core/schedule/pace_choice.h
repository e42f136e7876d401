/* Which pace an evacuation with a deadline takes: the gentlest that is in time.
 *
 * By the preflight's own estimate (preflight.h), with its error as a margin: a pace is in time when
 * every host with a deadline is empty before it although that takes a quarter longer than is likely
 * (EK_PREFLIGHT_ERROR). The high end of the preflight's range is no measure: one guest that may
 * not converge sets it to hours, at every pace.
 *
 * One pace for all hosts that have a deadline. Where the steepest is not in time either, it is
 * taken, and who is late is told. Once raised, the pace is lowered only when the gentler one has
 * twice the margin: what was enough by a hair at one plan would not be at the next. */
#ifndef EK_CORE_PACE_CHOICE_H
#define EK_CORE_PACE_CHOICE_H

#include "balancer/core/schedule/preflight.h"

/* A host in maintenance that has a deadline. */
struct ek_pace_host {
    uint32_t host;
    int64_t left_ms;                  /* until the deadline; below 0: it has passed */
    int64_t likely_ms[EK_PACE_COUNT]; /* until it is empty at each pace; of what was not asked: -1;
                                         0: nothing leaves it */
};

struct ek_pace_choice {
    enum ek_pace before; /* that was taken until now */
    enum ek_pace pace;
    bool in_time; /* with its margin */
    struct ek_pace_host *hosts;
    size_t host_count;
    struct ek_arena arena;
};

/* Chooses the pace and makes the schedule at it. `before` is that of the plan before. Error: NOMEM,
 * then nothing is owned. The caller owns both results. */
bool ek_pace_choose(struct ek_pace_choice *out, struct ek_schedule *schedule,
                    const struct ek_plan *plan, const struct ek_policy *policy, enum ek_pace before,
                    struct ek_error *err);
void ek_pace_choice_finish(struct ek_pace_choice *choice);

/* What was found of a host; NULL: it has no deadline. */
const struct ek_pace_host *ek_pace_find(const struct ek_pace_choice *choice, uint32_t host);

/* What will be left of the deadline at that pace, which was asked of; below 0: it is missed. */
int64_t ek_pace_slack_ms(const struct ek_pace_host *host, enum ek_pace pace);

/* The next gentler one that was asked of; the same: there is none. */
enum ek_pace ek_pace_gentler(const struct ek_pace_choice *choice);

/* The host with the least slack at that pace; NULL: nothing leaves any. */
const struct ek_pace_host *ek_pace_worst(const struct ek_pace_choice *choice, enum ek_pace pace);

#endif
