/* The engine's answer to an operator: cancel, abort, pause, resume, move. */
#include "balancer/core/engine_state.h"

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

static bool abort_move(struct ek_running *running, struct ek_effects *effects, struct ek_error *err)
{
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_ABORT, err);

    if (effect == NULL) {
        return false;
    }
    running->aborted = true;
    effect->u.abort_id = ek_arena_strdup(&effects->arena, running->order.id);
    return effect->u.abort_id != NULL ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for an abort");
}

static bool on_abort(struct ek_engine *engine, const struct ek_command *command,
                     struct ek_effects *effects, struct ek_error *err)
{
    struct ek_running *running = ek_engine_find_running(engine, command->subject);

    if (running == NULL) {
        return reply(
            command, EK_ERR_NOT_FOUND,
            ek_arena_printf(&effects->arena, "no move with the id %s runs", command->subject),
            effects, err);
    }
    const char *text = ek_arena_printf(
        &effects->arena, "move %s of %s from %s to %s is being aborted", running->order.id,
        running->order.name, running->order.source, running->order.destination);
    return abort_move(running, effects, err) && reply(command, EK_ERR_NONE, text, effects, err);
}

/* Of that plan, or of any (NULL). */
static bool abort_all(struct ek_engine *engine, const char *plan_id, size_t *count,
                      struct ek_effects *effects, struct ek_error *err)
{
    bool ok = true;

    *count = 0;
    for (size_t i = 0; ok && i < engine->running_count; i++) {
        if (plan_id == NULL || strcmp(engine->running[i].order.plan_id, plan_id) == 0) {
            ok = abort_move(&engine->running[i], effects, err);
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
    if (!ek_engine_abandon(engine, effects, engine->pause.why, err) ||
        !abort_all(engine, NULL, &aborted, effects, err)) {
        return false;
    }
    const char *text = ek_arena_printf(
        &effects->arena,
        "%zu waiting moves are dropped and %zu running ones are being aborted; nothing starts any "
        "more, evacuations neither, until `evenkeel resume`",
        waiting, aborted);
    return reply(command, EK_ERR_NONE, text, effects, err);
}

static bool cancel_plan(struct ek_engine *engine, const struct ek_command *command,
                        struct ek_effects *effects, struct ek_error *err)
{
    bool present = strcmp(engine->plan_id, command->subject) == 0;
    size_t waiting = present ? ek_engine_waiting_count(engine) : 0;
    size_t aborted = 0;

    if ((present && !ek_engine_abandon(engine, effects, "an operator cancelled the plan", err)) ||
        !abort_all(engine, command->subject, &aborted, effects, err)) {
        return false;
    }
    bool found = waiting + aborted > 0;
    const char *text =
        found ? ek_arena_printf(&effects->arena,
                                "plan %s is cancelled: %zu waiting moves are dropped, %zu running "
                                "ones are being aborted",
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
    return ek_engine_abandon(engine, effects, engine->pause.why, err) &&
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
        return reply(command, EK_ERR_UNAVAILABLE, "moves on order cannot be carried out yet",
                     effects, err);
    case EK_COMMAND_RESOLVE:
    case EK_COMMAND_KIND_COUNT:
        break;
    }
    return reply(command, EK_ERR_INVALID, "this command is not for the engine", effects, err);
}
