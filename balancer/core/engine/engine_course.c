/* Plans under way: their moves from waiting to ended, and the one moment in which a plan's fate is
 * known. Several may be at once: the planner's, one whose last moves still run, an operator's. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a plan under way");
}

/* ---- finding and counting -------------------------------------------------------------------- */

struct ek_course *ek_engine_find_course(const struct ek_engine *engine, const char *plan_id)
{
    struct ek_course *course = engine->courses;

    while (course != NULL && strcmp(course->id, plan_id) != 0) {
        course = course->next;
    }
    return course;
}

struct ek_step *ek_course_find(const struct ek_course *course, uint32_t seq)
{
    return seq == 0 || seq > course->step_count ? NULL : &course->steps[course->place[seq]];
}

bool ek_course_is_ready(const struct ek_course *course, const struct ek_step *step)
{
    for (size_t i = 0; i < step->depends_count; i++) {
        if (ek_course_find(course, step->depends_on[i])->state != EK_STEP_DONE) {
            return false;
        }
    }
    return step->state == EK_STEP_WAITING;
}

static size_t count_in(const struct ek_course *course, enum ek_step_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < course->step_count; i++) {
        count += course->steps[i].state == state ? 1 : 0;
    }
    return count;
}

size_t ek_course_waiting(const struct ek_course *course)
{
    return count_in(course, EK_STEP_WAITING);
}

size_t ek_course_offered(const struct ek_course *course)
{
    return count_in(course, EK_STEP_OFFERED);
}

size_t ek_engine_waiting_count(const struct ek_engine *engine)
{
    size_t count = 0;

    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        count += ek_course_waiting(it);
    }
    return count;
}

size_t ek_engine_planned_count(const struct ek_engine *engine)
{
    size_t count = 0;

    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        count += it->kind == EK_COURSE_PLANNED ? ek_course_waiting(it) : 0;
    }
    return count;
}

/* ---- making and freeing ---------------------------------------------------------------------- */

static void course_free(struct ek_course *course)
{
    ek_arena_finish(&course->arena);
    free(course);
}

void ek_engine_free_courses(struct ek_engine *engine)
{
    while (engine->courses != NULL) {
        struct ek_course *next = engine->courses->next;
        course_free(engine->courses);
        engine->courses = next;
    }
}

struct ek_course *ek_engine_add_course(struct ek_engine *engine, enum ek_course_kind kind,
                                       const char *plan_id, size_t count, struct ek_error *err)
{
    struct ek_course *course = calloc(1, sizeof(*course));
    struct ek_course **last = &engine->courses;

    if (course == NULL) {
        (void)nomem(err);
        return NULL;
    }
    course->steps = ek_arena_alloc(&course->arena, count, sizeof(*course->steps));
    /* seqs count from 1, so that one more is needed to use them as indices. */
    course->place = ek_arena_alloc(&course->arena, count + 1, sizeof(*course->place));
    if (course->steps == NULL || course->place == NULL) {
        course_free(course);
        (void)nomem(err);
        return NULL;
    }
    (void)snprintf(course->id, sizeof(course->id), "%s", plan_id);
    course->kind = kind;
    course->fate = "done";
    course->step_count = count;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = course;
    return course;
}

/* ---- dropping -------------------------------------------------------------------------------- */

/* Neither begun nor dropped. */
static bool is_open(const struct ek_step *step)
{
    return step->state == EK_STEP_WAITING || step->state == EK_STEP_OFFERED;
}

static bool is_lost(const struct ek_step *step)
{
    return step->state == EK_STEP_ENDED || step->state == EK_STEP_DROPPED;
}

/* Whether it waits for room that will never be made. */
static bool waits_in_vain(const struct ek_course *course, const struct ek_step *step)
{
    for (size_t i = 0; i < step->depends_count; i++) {
        if (is_lost(ek_course_find(course, step->depends_on[i]))) {
            return true;
        }
    }
    return false;
}

/* A parking whose last move failed, and the other way round: the domain is not where its next move
 * would begin. */
static bool is_cut_off(const struct ek_course *course, const struct ek_step *step)
{
    for (size_t i = 0; i < course->step_count; i++) {
        const struct ek_step *before = &course->steps[i];
        if (before->order.seq < step->order.seq && is_lost(before) &&
            strcmp(before->order.domain, step->order.domain) == 0) {
            return true;
        }
    }
    return false;
}

size_t ek_course_drop_dependents(struct ek_course *course)
{
    size_t dropped = 0;
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < course->step_count; i++) {
            struct ek_step *step = &course->steps[i];
            if (is_open(step) && (waits_in_vain(course, step) || is_cut_off(course, step))) {
                step->state = EK_STEP_DROPPED;
                dropped++;
                changed = true;
            }
        }
    }
    return dropped;
}

static bool goes(const struct ek_step *step, enum ek_drop what)
{
    switch (what) {
    case EK_DROP_DEPENDENTS:
        return false;
    case EK_DROP_OFFERED:
        return step->state == EK_STEP_OFFERED;
    case EK_DROP_WAITING:
        return step->state == EK_STEP_WAITING;
    case EK_DROP_BALANCING:
        return is_open(step) && step->rank != EK_RANK_EVACUATE;
    case EK_DROP_ALL:
        break;
    }
    return is_open(step);
}

bool ek_course_drop(struct ek_course *course, enum ek_drop what, const char *fate, const char *why,
                    struct ek_effects *effects, struct ek_error *err)
{
    size_t dropped = 0;

    for (size_t i = 0; i < course->step_count; i++) {
        if (goes(&course->steps[i], what)) {
            course->steps[i].state = EK_STEP_DROPPED;
            dropped++;
        }
    }
    dropped += ek_course_drop_dependents(course);
    if (dropped == 0) {
        return true;
    }
    course->partial = true;
    /* What was approved and done stays done, whatever became of the rest of the offer. */
    bool began = count_in(course, EK_STEP_DROPPED) < course->step_count;
    bool only_offered = what == EK_DROP_OFFERED && began;
    if (strcmp(course->fate, "done") == 0 && !only_offered) {
        course->fate = course->was_offered && !began ? "lapsed" : fate;
    }
    return ek_effect_event(effects, "plan", course->id, err,
                           "plan %s: %zu move%s not started %s dropped: %s", course->id, dropped,
                           dropped == 1 ? " that has" : "s that have", dropped == 1 ? "is" : "are",
                           why);
}

static bool abandon(struct ek_engine *engine, bool reverts, enum ek_drop what,
                    struct ek_effects *effects, const char *why, struct ek_error *err)
{
    bool ok = true;

    for (struct ek_course *it = engine->courses; ok && it != NULL; it = it->next) {
        bool meant = it->kind == EK_COURSE_PLANNED || (reverts && it->kind == EK_COURSE_REVERT);
        ok = !meant || ek_course_drop(it, what, "abandoned", why, effects, err);
    }
    return ok;
}

bool ek_engine_abandon(struct ek_engine *engine, enum ek_drop what, struct ek_effects *effects,
                       const char *why, struct ek_error *err)
{
    return abandon(engine, false, what, effects, why, err);
}

bool ek_engine_withdraw(struct ek_engine *engine, enum ek_drop what, struct ek_effects *effects,
                        const char *why, struct ek_error *err)
{
    return abandon(engine, true, what, effects, why, err);
}

bool ek_engine_drop_waiting(struct ek_engine *engine, struct ek_effects *effects, const char *why,
                            struct ek_error *err)
{
    bool ok = true;

    for (struct ek_course *it = engine->courses; ok && it != NULL; it = it->next) {
        ok = ek_course_drop(it, EK_DROP_WAITING, "abandoned", why, effects, err);
    }
    return ok;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static bool record_fate(const struct ek_course *course, struct ek_effects *effects,
                        struct ek_error *err)
{
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_FATE, err);
    size_t done = count_in(course, EK_STEP_DONE);

    if (effect == NULL) {
        return false;
    }
    effect->u.fate.plan_id = ek_arena_strdup(&effects->arena, course->id);
    effect->u.fate.fate = course->fate;
    return (effect->u.fate.plan_id != NULL || nomem(err)) &&
           ek_effect_event(effects, "plan", course->id, err,
                           "plan %s is %s: %zu of its %zu move%s done%s%s", course->id,
                           course->fate, done, course->step_count, ek_plural(course->step_count),
                           course->why[0] == '\0' ? "" : "; ", course->why);
}

/* What it promised is compared with what comes only when nothing else moves. */
static void promise(struct ek_engine *engine, const struct ek_course *course)
{
    if (course->kind == EK_COURSE_PLANNED && strcmp(course->fate, "done") == 0 &&
        !course->partial && strcmp(course->id, engine->plan_id) == 0) {
        engine->verify_pending = true;
        engine->plan_before = course->before;
        engine->plan_predicted = course->predicted;
        engine->plan_makespan_ms = course->makespan_ms;
        engine->plan_started_at_ms = course->started_at_ms;
    }
}

static bool over(const struct ek_course *course)
{
    return count_in(course, EK_STEP_WAITING) + count_in(course, EK_STEP_OFFERED) +
               count_in(course, EK_STEP_RUNNING) ==
           0;
}

/* Whether a host that is to be emptied is not: whoever has to leave it needs the room. */
static bool is_emptying(const struct ek_engine *engine)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool found = false;

    for (size_t d = 0; !found && d < snapshot->domain_count; d++) {
        found = snapshot->hosts[snapshot->domains[d].host].maintenance;
    }
    return found;
}

/* Why what a failed plan has moved is not brought back; NULL: it may be. Whoever has paused
 * balancing, closed it, wants only to be told, or to be asked before, wants no moves the other way
 * either. */
static const char *stays(const struct ek_engine *engine)
{
    if (engine->policy.mode == EK_MODE_RECOMMEND) {
        return "the mode is recommend";
    }
    if (engine->policy.mode == EK_MODE_APPROVE) {
        return "the mode is approve, and nobody has approved it";
    }
    if (engine->pause.why[0] != '\0') {
        return engine->pause.why;
    }
    if (engine->closing.balancing) {
        return engine->closing.why;
    }
    return is_emptying(engine) ? "a host is being emptied, which needs the room" : NULL;
}

static bool record_stay(const struct ek_engine *engine, const struct ek_course *course,
                        struct ek_effects *effects, struct ek_error *err)
{
    const char *why = stays(engine);

    return why == NULL ||
           ek_effect_event(effects, "plan", course->id, err,
                           "plan %s: what it has moved is not brought back: %s", course->id, why);
}

static bool wants_back(const struct ek_engine *engine, const struct ek_course *course)
{
    return course->kind == EK_COURSE_PLANNED && course->broken &&
           engine->policy.on_plan_failure == EK_ON_FAILURE_REVERT;
}

bool ek_engine_close(struct ek_engine *engine, struct ek_effects *effects, bool *added,
                     struct ek_error *err)
{
    struct ek_course **link = &engine->courses;
    bool ok = true;

    *added = false;
    while (ok && *link != NULL) {
        struct ek_course *course = *link;
        bool wanted = wants_back(engine, course);
        bool reverts = wanted && stays(engine) == NULL;
        if (!over(course)) {
            link = &course->next;
            continue;
        }
        /* One plan can be made in a step: the other comes with the next one, which is at once. */
        if (reverts && (engine->plan.snapshot != NULL || !ek_engine_may_start(engine))) {
            link = &course->next;
            ok = !ek_engine_may_start(engine) || ek_effect_wake(effects, engine->now_ms, err);
            continue;
        }
        *link = course->next;
        ok = record_fate(course, effects, err) &&
             (!wanted || record_stay(engine, course, effects, err)) &&
             (!reverts || ek_engine_revert(engine, course, effects, err));
        *added = *added || reverts;
        promise(engine, course);
        course_free(course);
    }
    return ok;
}
