/* Offers: plans, or the part of them, that are only shown. In mode recommend nobody may take them,
 * in mode approve an operator may. One stands at a time, for as long as it may still be done and
 * brings what it was to bring: figures that move from sample to sample must not make a new offer in
 * each cycle, of which nobody could approve any. */
#include "balancer/core/digest.h"
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is left of the promise when an offer is worth it no longer. */
#define STILL_WORTH 0.5

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for an offer");
}

struct ek_course *ek_engine_offer(const struct ek_engine *engine)
{
    struct ek_course *course = engine->courses;

    while (course != NULL && ek_course_offered(course) == 0) {
        course = course->next;
    }
    return course;
}

uint64_t ek_plan_moves_digest(const struct ek_plan *plan)
{
    struct ek_digest digest = ek_digest_begin();

    for (size_t i = 0; i < plan->move_count; i++) {
        ek_digest_text(&digest, plan->snapshot->domains[plan->moves[i].domain].uuid);
        ek_digest_text(&digest, plan->snapshot->hosts[plan->moves[i].destination].name);
    }
    return digest.state;
}

/* As the planner weighs a plan as a whole. */
static double fall_of(const struct ek_score *before, const struct ek_score *after)
{
    return before->spread - after->spread +
           EK_RELIEF_WEIGHT * fmax(0, before->overload - after->overload);
}

void ek_course_offer(struct ek_course *course, const struct ek_plan *plan, bool evacuations_start)
{
    for (size_t i = 0; i < course->step_count; i++) {
        struct ek_step *step = &course->steps[i];
        if (step->rank != EK_RANK_EVACUATE || !evacuations_start) {
            step->state = EK_STEP_OFFERED;
        }
    }
    course->digest = ek_plan_moves_digest(plan);
    course->offered_fall = fall_of(&plan->before.score, &plan->after.score);
    course->offered_at_ms = course->started_at_ms;
    course->was_offered = true;
}

/* ---- whether it stands ----------------------------------------------------------------------- */

/* Only what levels is measured by the score: rules and maintenance want their moves whatever they
 * bring, and so does a policy that chooses its moves as a set. What is left when a part was
 * approved was never promised by itself. */
static bool is_weighed(const struct ek_engine *engine, const struct ek_course *course)
{
    bool weighed = engine->ops->choose == NULL && !course->partial;

    for (size_t i = 0; i < course->step_count; i++) {
        weighed = weighed && (course->steps[i].state != EK_STEP_OFFERED ||
                              course->steps[i].rank == EK_RANK_BALANCE);
    }
    return weighed;
}

/* Every move that is offered, made in the model one after the other. What has to wait, for a move
 * that runs or for the next sample, is possible all the same. */
static bool is_possible(struct ek_engine *engine, struct ek_cluster *cluster,
                        struct ek_course *course, char *why, size_t size)
{
    for (uint32_t seq = 1; seq <= course->step_count; seq++) {
        struct ek_step *step = ek_course_find(course, seq);
        if (step->state != EK_STEP_OFFERED) {
            continue;
        }
        if (ek_engine_check(engine, cluster, course, step, why, size) == EK_VERDICT_DROP) {
            return false;
        }
        ek_cluster_move(cluster, step->domain,
                        ek_snapshot_find_host(&engine->snapshot, step->order.destination));
    }
    return true;
}

/* Whether it may still be done and is still worth it; else *why. */
static bool is_good(struct ek_engine *engine, struct ek_course *course, bool *good, char *why,
                    size_t size, struct ek_error *err)
{
    struct ek_snapshot present;
    struct ek_cluster cluster;

    if (!ek_engine_present(engine, &present, err) ||
        !ek_cluster_init(&cluster, &present, &engine->policy, err)) {
        return false;
    }
    const struct ek_score before = ek_cluster_score(&cluster);
    *good = is_possible(engine, &cluster, course, why, size);
    if (*good && is_weighed(engine, course)) {
        const struct ek_score after = ek_cluster_score(&cluster);
        double fall = fall_of(&before, &after);
        *good = fall >= STILL_WORTH * course->offered_fall;
        if (!*good) {
            (void)snprintf(why, size, "it would bring %.0f %% of what it was to bring",
                           course->offered_fall > 0 ? 100 * fmax(0, fall) / course->offered_fall
                                                    : 0.0);
        }
    }
    ek_cluster_finish(&cluster);
    return true;
}

/* The planner has no move any more, and not because it had to wait for figures. */
static bool is_unwanted(const struct ek_engine *engine)
{
    return engine->plan.move_count == 0 && (engine->request.balance_held == NULL ||
                                            (engine->trigger_asked && !engine->trigger_wants));
}

bool ek_engine_has_lapsed(const struct ek_engine *engine, const struct ek_course *offer)
{
    int64_t age_ms = engine->now_ms - offer->offered_at_ms;

    /* A clock that went back would lengthen it by as much. */
    return age_ms > engine->policy.approval_lapse_ms || age_ms < 0;
}

bool ek_engine_review_offer(struct ek_engine *engine, bool *stands, struct ek_effects *effects,
                            struct ek_error *err)
{
    struct ek_course *offer = ek_engine_offer(engine);
    char why[2 * EK_TEXT_SIZE] = "";

    *stands = false;
    if (offer == NULL) {
        return true;
    }
    bool late = engine->policy.mode == EK_MODE_APPROVE && ek_engine_has_lapsed(engine, offer);
    if (engine->maintenance_digest != ek_engine_maintenance_digest(engine)) {
        (void)snprintf(why, sizeof(why), "the hosts to be emptied have changed");
    } else if (late) {
        (void)snprintf(why, sizeof(why), "nobody approved it in time");
    } else if (is_unwanted(engine)) {
        (void)snprintf(why, sizeof(why), "%s", engine->plan.summary);
    } else if (ek_plan_moves_digest(&engine->plan) == offer->digest) {
        *stands = true;
    } else if (engine->ops->choose != NULL && engine->request.balance_held == NULL) {
        (void)snprintf(why, sizeof(why), "other moves are chosen now");
    } else if (!is_good(engine, offer, stands, why, sizeof(why), err)) {
        return false;
    }
    return *stands || ek_course_drop(offer, EK_DROP_OFFERED, "lapsed", why, effects, err);
}

bool ek_engine_is_rejected(const struct ek_engine *engine, const struct ek_plan *plan)
{
    int64_t age_ms = engine->now_ms - engine->rejected_at_ms;

    return engine->rejected_digest == ek_plan_moves_digest(plan) && age_ms >= 0 &&
           age_ms <= engine->policy.approval_lapse_ms;
}

/* ---- an operator's word ---------------------------------------------------------------------- */

static bool is_of(const struct ek_step *step, const struct ek_course *course, const char *subject)
{
    return step->state == EK_STEP_OFFERED &&
           (strcmp(course->id, subject) == 0 || strcmp(step->order.id, subject) == 0);
}

struct ek_offered ek_engine_find_offered(const struct ek_engine *engine, const char *subject)
{
    struct ek_offered found = {.course = ek_engine_offer(engine)};

    for (size_t i = 0; found.course != NULL && i < found.course->step_count; i++) {
        found.count += is_of(&found.course->steps[i], found.course, subject) ? 1 : 0;
    }
    found.whole = found.course != NULL && strcmp(found.course->id, subject) == 0;
    return found;
}

const struct ek_step *ek_course_lacks(const struct ek_course *course, const char *move)
{
    for (size_t i = 0; i < course->step_count; i++) {
        const struct ek_step *step = &course->steps[i];
        for (size_t d = 0; strcmp(step->order.id, move) == 0 && d < step->depends_count; d++) {
            const struct ek_step *before = ek_course_find(course, step->depends_on[d]);
            if (before->state == EK_STEP_OFFERED) {
                return before;
            }
        }
    }
    return NULL;
}

/* Its fate is told once more when it is over. */
static bool record_start(const struct ek_course *course, struct ek_effects *effects,
                         struct ek_error *err)
{
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_FATE, err);

    if (effect == NULL) {
        return false;
    }
    effect->u.fate.plan_id = ek_arena_strdup(&effects->arena, course->id);
    effect->u.fate.fate = "started";
    return effect->u.fate.plan_id != NULL || nomem(err);
}

bool ek_engine_approve(struct ek_engine *engine, const struct ek_offered *offered,
                       const char *subject, struct ek_effects *effects, struct ek_error *err)
{
    struct ek_course *course = offered->course;
    bool first = !course->approved;

    assert(offered->count > 0);
    for (size_t i = 0; i < course->step_count; i++) {
        if (is_of(&course->steps[i], course, subject)) {
            course->steps[i].state = EK_STEP_WAITING;
        }
    }
    /* Moves that others are approved without promise something else than the plan does. */
    course->partial = course->partial || !offered->whole;
    course->approved = true;
    if (!first) {
        return true;
    }
    course->started_at_ms = engine->now_ms;
    (void)snprintf(engine->plan_id, sizeof(engine->plan_id), "%s", course->id);
    engine->verify_pending = false;
    return record_start(course, effects, err);
}

bool ek_engine_reject(struct ek_engine *engine, const struct ek_offered *offered,
                      const char *subject, struct ek_effects *effects, struct ek_error *err)
{
    struct ek_course *course = offered->course;
    bool ok = true;

    assert(offered->count > 0);
    /* Its domains rest: else the next cycle would offer nearly the same. */
    for (size_t i = 0; ok && i < course->step_count; i++) {
        struct ek_step *step = &course->steps[i];
        if (is_of(step, course, subject)) {
            step->state = EK_STEP_DROPPED;
            ok = ek_cooldown_rejected(engine->cooldown, &engine->policy, step->order.domain,
                                      engine->now_ms, err);
        }
    }
    course->partial = true;
    engine->rejected_digest = offered->whole ? course->digest : engine->rejected_digest;
    engine->rejected_at_ms = engine->now_ms;
    if (strcmp(course->fate, "done") == 0 && offered->whole) {
        course->fate = "rejected";
    }
    return ok && ek_course_drop(course, EK_DROP_DEPENDENTS, "rejected",
                                "what they wait for was rejected", effects, err);
}
