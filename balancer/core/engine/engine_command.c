/* The engine's answer to an operator: cancel, abort, pause, resume, move. */
#include "balancer/core/engine/engine_parts.h"
#include "balancer/core/plural.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- replies -------------------------------------------------------------------------------- */

/* The one reply of a command; its text stays in the audit as well. */
static bool reply(const struct ek_command *command, enum ek_error_code code, const char *text,
                  struct ek_effects *effects, struct ek_error *err)
{
    struct ek_effect *effect = NULL;

    if (text != NULL && ek_effect_event(effects, "command", command->subject, err, "%s: %s",
                                        ek_command_name(command->kind), text)) {
        effect = ek_effect_add(effects, EK_EFFECT_REPLY, err);
    }
    if (effect == NULL) {
        return text != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory for a reply");
    }
    (void)snprintf(effect->u.reply.command_id, sizeof(effect->u.reply.command_id), "%s",
                   command->id);
    effect->u.reply.code = code;
    effect->u.reply.text = text;
    return true;
}

/* ---- stopping what runs ---------------------------------------------------------------------- */

static bool on_abort(struct ek_engine *engine, const struct ek_command *command,
                     struct ek_effects *effects, struct ek_error *err)
{
    struct ek_running *running = ek_engine_find_running(engine, command->subject);

    if (running == NULL) {
        return reply(
            command, EK_ERR_NOT_FOUND,
            ek_arena_printf(&effects->arena,
                            "no move with the id %s runs; `evenkeel status` shows those that do, "
                            "`evenkeel history` how others ended",
                            command->subject),
            effects, err);
    }
    const struct ek_move_order *order = &running->order;
    const char *text =
        ek_move_stops(order->kind)
            ? ek_arena_printf(&effects->arena, "the %s of %s on %s is being aborted%s",
                              ek_move_kind_name(order->kind), order->name, order->source,
                              order->kind == EK_MOVE_SHUTDOWN
                                  ? "; a guest that was told to shut down already will do so"
                                  : "")
            : ek_arena_printf(&effects->arena, "move %s of %s from %s to %s is being aborted",
                              order->id, order->name, order->source, order->destination);
    return ek_engine_stop_move(running, EK_ABORT_OPERATOR, effects, err) &&
           reply(command, EK_ERR_NONE, text, effects, err);
}

/* Of that plan, or of any (NULL). */
static bool abort_all(struct ek_engine *engine, const char *plan_id, size_t *count,
                      struct ek_effects *effects, struct ek_error *err)
{
    bool ok = true;

    *count = 0;
    for (size_t i = 0; ok && i < engine->running_count; i++) {
        if (plan_id == NULL || strcmp(engine->running[i].order.plan_id, plan_id) == 0) {
            ok = ek_engine_stop_move(&engine->running[i], EK_ABORT_OPERATOR, effects, err);
            (*count)++;
        }
    }
    return ok;
}

/* Without a pause the next cycle would order all of it again, evacuations first. */
static bool cancel_all(struct ek_engine *engine, const struct ek_command *command,
                       struct ek_effects *effects, struct ek_error *err)
{
    size_t waiting = ek_engine_waiting_count(engine);
    size_t aborted = 0;

    (void)snprintf(engine->pause.why, sizeof(engine->pause.why),
                   "an operator cancelled everything");
    engine->pause.all = true;
    for (struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        if (!ek_course_drop(it, EK_DROP_ALL, "cancelled", engine->pause.why, effects, err)) {
            return false;
        }
    }
    if (!abort_all(engine, NULL, &aborted, effects, err)) {
        return false;
    }
    const char *text = ek_arena_printf(
        &effects->arena,
        "waiting moves dropped: %zu, running ones being aborted: %zu; nothing starts any more, "
        "evacuations neither, until `evenkeel resume`",
        waiting, aborted);
    return reply(command, EK_ERR_NONE, text, effects, err);
}

static bool cancel_plan(struct ek_engine *engine, const struct ek_command *command,
                        struct ek_effects *effects, struct ek_error *err)
{
    struct ek_course *course = ek_engine_find_course(engine, command->subject);
    size_t waiting = course == NULL ? 0 : ek_course_waiting(course) + ek_course_offered(course);
    size_t aborted = 0;

    if ((course != NULL && !ek_course_drop(course, EK_DROP_ALL, "cancelled",
                                           "an operator cancelled the plan", effects, err)) ||
        !abort_all(engine, command->subject, &aborted, effects, err)) {
        return false;
    }
    bool found = waiting + aborted > 0;
    const char *text =
        found ? ek_arena_printf(&effects->arena,
                                "plan %s is cancelled; waiting moves dropped: %zu, running ones "
                                "being aborted: %zu",
                                command->subject, waiting, aborted)
              : ek_arena_printf(&effects->arena, "no move of a plan with the id %s waits or runs",
                                command->subject);
    return reply(command, found ? EK_ERR_NONE : EK_ERR_NOT_FOUND, text, effects, err);
}

/* ---- pause and resume ------------------------------------------------------------------------ */

static bool on_pause(struct ek_engine *engine, const struct ek_command *command,
                     struct ek_effects *effects, struct ek_error *err)
{
    if (engine->pause.all) {
        return reply(command, EK_ERR_NONE,
                     ek_arena_printf(&effects->arena, "everything is stopped already: %s",
                                     engine->pause.why),
                     effects, err);
    }
    (void)snprintf(engine->pause.why, sizeof(engine->pause.why), "an operator paused balancing");
    /* What waits goes as a whole: the next snapshot plans the evacuations among it anew. */
    return ek_engine_withdraw(engine, EK_DROP_ALL, effects, engine->pause.why, err) &&
           ek_effect_wake(effects, engine->now_ms, err) &&
           reply(command, EK_ERR_NONE,
                 "balancing is paused until `evenkeel resume`; running moves end, evacuations go "
                 "on",
                 effects, err);
}

static bool on_resume(struct ek_engine *engine, const struct ek_command *command,
                      struct ek_effects *effects, struct ek_error *err)
{
    if (engine->pause.why[0] == '\0') {
        return reply(command, EK_ERR_NONE, "nothing was paused", effects, err);
    }
    const char *text = ek_arena_printf(&effects->arena, "balancing goes on; what held it was: %s",
                                       engine->pause.why);
    engine->pause = (struct ek_pause){.all = false};
    return ek_effect_wake(effects, engine->now_ms, err) &&
           reply(command, EK_ERR_NONE, text, effects, err);
}

/* ---- moves on order -------------------------------------------------------------------------- */

/* Domain and host by their names; false: replied already, or NOMEM (*ok false). */
static bool find_both(struct ek_engine *engine, const struct ek_command *command,
                      struct ek_plan_wish *wish, bool *ok, struct ek_effects *effects,
                      struct ek_error *err)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    bool ambiguous = false;
    const char *text = NULL;

    wish->domain = ek_snapshot_find_domain(snapshot, command->subject, &ambiguous);
    wish->destination = ek_snapshot_find_host(snapshot, command->host);
    if (wish->domain != EK_NONE && wish->destination != EK_NONE) {
        return true;
    }
    if (ambiguous) {
        text = ek_arena_printf(&effects->arena,
                               "more than one domain is called %s: its UUID is needed",
                               command->subject);
    } else if (wish->domain == EK_NONE) {
        text = ek_arena_printf(&effects->arena, "there is no domain %s", command->subject);
    } else {
        text = ek_arena_printf(&effects->arena, "there is no host %s", command->host);
    }
    *ok = reply(command, ambiguous ? EK_ERR_INVALID : EK_ERR_NOT_FOUND, text, effects, err);
    return false;
}

/* A plan that wanted it elsewhere gives way to the newest order. */
static bool drop_planned(struct ek_engine *engine, const char *domain, struct ek_effects *effects,
                         struct ek_error *err)
{
    bool ok = true;

    for (struct ek_course *it = engine->courses; ok && it != NULL; it = it->next) {
        bool found = false;
        for (size_t i = 0; i < it->step_count; i++) {
            struct ek_step *step = &it->steps[i];
            bool same = step->state == EK_STEP_WAITING && strcmp(step->order.domain, domain) == 0 &&
                        strcmp(it->id, engine->plan.id) != 0;
            step->state = same ? EK_STEP_DROPPED : step->state;
            found = found || same;
        }
        if (found) {
            it->fate = strcmp(it->fate, "done") == 0 ? "abandoned" : it->fate;
            ok = ek_course_drop(it, EK_DROP_DEPENDENTS, "abandoned",
                                "an operator moves one of its domains", effects, err);
        }
    }
    return ok;
}

/* An order for the same that still waits; NULL: there is none. Planned again from the same snapshot
 * it would bear the same id, and no move may be started twice. */
static const struct ek_step *find_order(const struct ek_engine *engine, const char *domain,
                                        const char *host)
{
    for (const struct ek_course *it = engine->courses; it != NULL; it = it->next) {
        for (size_t i = 0; it->kind == EK_COURSE_ORDERED && i < it->step_count; i++) {
            const struct ek_step *step = &it->steps[i];
            if (step->state == EK_STEP_WAITING && strcmp(step->order.domain, domain) == 0 &&
                strcmp(step->order.destination, host) == 0) {
                return step;
            }
        }
    }
    return NULL;
}

static bool on_move(struct ek_engine *engine, const struct ek_command *command,
                    struct ek_effects *effects, struct ek_error *err)
{
    struct ek_plan_wish wish = {.reason = "ordered by an operator"};
    const char *hold = engine->has_snapshot ? ek_engine_holding(engine) : "no host is sampled yet";
    const char *text = NULL;
    bool ok = true;

    if (hold != NULL) {
        text = ek_arena_printf(&effects->arena, "nothing starts now: %s", hold);
        return reply(command, EK_ERR_UNAVAILABLE, text, effects, err);
    }
    if (!find_both(engine, command, &wish, &ok, effects, err)) {
        return ok;
    }
    const struct ek_domain *domain = &engine->snapshot.domains[wish.domain];
    const char *host = engine->snapshot.hosts[wish.destination].name;
    const char *name = domain->name == NULL ? domain->uuid : domain->name;
    const struct ek_step *known = find_order(engine, domain->uuid, host);
    if (known != NULL) {
        text = ek_arena_printf(&effects->arena, "move %s of %s to %s is ordered already, and waits",
                               known->order.id, name, host);
        return reply(command, EK_ERR_NONE, text, effects, err);
    }
    if (!ek_engine_bring(engine, EK_COURSE_ORDERED, &wish, 1, "a move on an operator's order",
                         effects, err)) {
        return false;
    }
    if (engine->plan.move_count == 0) {
        text = ek_arena_printf(&effects->arena, "%s does not move to %s: %s", name, host,
                               engine->plan.unresolved[0].reason);
        return reply(command, EK_ERR_DENIED, text, effects, err);
    }
    text = ek_arena_printf(&effects->arena, "move %s-1 of %s to %s is ordered", engine->plan.id,
                           name, host);
    return drop_planned(engine, domain->uuid, effects, err) &&
           reply(command, EK_ERR_NONE, text, effects, err);
}

/* ---- approval -------------------------------------------------------------------------------- */

/* Why nothing of it can be approved or rejected; NULL: it can. */
static const char *refusal(const struct ek_engine *engine, const struct ek_command *command,
                           const struct ek_offered *offered, struct ek_arena *arena)
{
    if (engine->policy.mode != EK_MODE_APPROVE) {
        return ek_arena_printf(arena,
                               "the mode is %s: only with mode approve plans wait for an approval",
                               ek_mode_name(engine->policy.mode));
    }
    if (offered->count > 0) {
        return NULL;
    }
    return offered->course == NULL
               ? ek_arena_printf(arena, "no plan waits for an approval, %s neither",
                                 command->subject)
               : ek_arena_printf(arena, "%s does not wait for an approval; plan %s does",
                                 command->subject, offered->course->id);
}

/* True when it was refused, *ok with the reply's success. */
static bool refuse(struct ek_engine *engine, const struct ek_command *command,
                   const struct ek_offered *offered, bool *ok, struct ek_effects *effects,
                   struct ek_error *err)
{
    const char *text = refusal(engine, command, offered, &effects->arena);

    if (text != NULL) {
        bool mode = engine->policy.mode != EK_MODE_APPROVE;
        *ok = reply(command, mode ? EK_ERR_DENIED : EK_ERR_NOT_FOUND, text, effects, err);
    }
    return text != NULL;
}

/* Why nothing that levels is begun now; NULL: it may be. */
static const char *closed(const struct ek_engine *engine)
{
    const char *hold = ek_engine_holding(engine);

    if (hold != NULL || engine->pause.why[0] != '\0') {
        return hold != NULL ? hold : engine->pause.why;
    }
    return engine->closing.balancing ? engine->closing.why : NULL;
}

/* True when it was refused, *ok with the reply's success: a part of the plan would tear apart what
 * must be together. */
static bool refuse_split(struct ek_engine *engine, const struct ek_command *command,
                         const struct ek_offered *offered, bool *ok, struct ek_effects *effects,
                         struct ek_error *err)
{
    bool approves = command->kind == EK_COMMAND_APPROVE;
    const char *text = NULL;

    *ok = ek_engine_find_split(engine, offered->course, command->subject, approves, &text,
                               &effects->arena, err);
    if (*ok && text != NULL) {
        *ok = reply(command, EK_ERR_DENIED,
                    ek_arena_printf(&effects->arena,
                                    "%s cannot be %s alone: %s; `evenkeel %s %s` "
                                    "is for the whole plan",
                                    command->subject, approves ? "approved" : "rejected", text,
                                    approves ? "approve" : "reject", offered->course->id),
                    effects, err);
    }
    return !*ok || text != NULL;
}

static bool on_approve(struct ek_engine *engine, const struct ek_command *command,
                       struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_offered offered = ek_engine_find_offered(engine, command->subject);
    const char *hold = closed(engine);
    bool ok = true;

    if (refuse(engine, command, &offered, &ok, effects, err)) {
        return ok;
    }
    if (ek_engine_has_lapsed(engine, offered.course)) {
        return reply(command, EK_ERR_DENIED,
                     ek_arena_printf(&effects->arena,
                                     "nobody approved plan %s in time; what is still worth it is "
                                     "proposed anew",
                                     offered.course->id),
                     effects, err);
    }
    if (hold != NULL) {
        return reply(command, EK_ERR_UNAVAILABLE,
                     ek_arena_printf(&effects->arena, "nothing starts now: %s", hold), effects,
                     err);
    }
    const struct ek_step *lacks =
        offered.whole ? NULL : ek_course_lacks(offered.course, command->subject);
    if (lacks != NULL) {
        return reply(command, EK_ERR_DENIED,
                     ek_arena_printf(&effects->arena,
                                     "%s waits for %s (%s), which has to be approved before it",
                                     command->subject, lacks->order.id, lacks->order.name),
                     effects, err);
    }
    if (!offered.whole && refuse_split(engine, command, &offered, &ok, effects, err)) {
        return ok;
    }
    const char *text = ek_arena_printf(
        &effects->arena, "%zu move%s of plan %s %s approved and start%s as limits allow",
        offered.count, ek_plural(offered.count), offered.course->id,
        offered.count == 1 ? "is" : "are", offered.count == 1 ? "s" : "");
    return ek_engine_approve(engine, &offered, command->subject, effects, err) &&
           reply(command, EK_ERR_NONE, text, effects, err);
}

static bool on_reject(struct ek_engine *engine, const struct ek_command *command,
                      struct ek_effects *effects, struct ek_error *err)
{
    const struct ek_offered offered = ek_engine_find_offered(engine, command->subject);
    bool ok = true;

    if (refuse(engine, command, &offered, &ok, effects, err) ||
        (!offered.whole && refuse_split(engine, command, &offered, &ok, effects, err))) {
        return ok;
    }
    const char *text = ek_arena_printf(
        &effects->arena, "%zu move%s of plan %s %s rejected; %s as after a move", offered.count,
        ek_plural(offered.count), offered.course->id, offered.count == 1 ? "is" : "are",
        offered.count == 1 ? "its domain rests" : "their domains rest");
    return ek_engine_reject(engine, &offered, command->subject, effects, err) &&
           reply(command, EK_ERR_NONE, text, effects, err);
}

bool ek_engine_command(struct ek_engine *engine, const struct ek_command *command,
                       struct ek_effects *effects, struct ek_error *err)
{
    switch (command->kind) {
    case EK_COMMAND_CANCEL:
        return strcmp(command->subject, "all") == 0 ? cancel_all(engine, command, effects, err)
                                                    : cancel_plan(engine, command, effects, err);
    case EK_COMMAND_ABORT:
        return on_abort(engine, command, effects, err);
    case EK_COMMAND_PAUSE:
        return on_pause(engine, command, effects, err);
    case EK_COMMAND_RESUME:
        return on_resume(engine, command, effects, err);
    case EK_COMMAND_MOVE:
        return on_move(engine, command, effects, err);
    case EK_COMMAND_APPROVE:
        return on_approve(engine, command, effects, err);
    case EK_COMMAND_REJECT:
        return on_reject(engine, command, effects, err);
    case EK_COMMAND_RESOLVE:
    case EK_COMMAND_KIND_COUNT:
        break;
    }
    return reply(command, EK_ERR_INVALID, "this command is not for the engine", effects, err);
}
