/* Effects: the engine's only way to the world. They are gathered while a step runs and put into
 * their documented order at its end, so that no code in between has to think of order. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ek_effects_finish(struct ek_effects *effects)
{
    free(effects->items);
    ek_arena_finish(&effects->arena);
    memset(effects, 0, sizeof(*effects));
}

struct ek_effect *ek_effect_add(struct ek_effects *effects, enum ek_effect_kind kind,
                                struct ek_error *err)
{
    if (effects->count == effects->room) {
        /* A big plan dispatches a few moves at a time: 16 suffice for nearly every step. */
        size_t room = effects->room == 0 ? 16 : 2 * effects->room;
        struct ek_effect *items = realloc(effects->items, room * sizeof(*items));
        if (items == NULL) {
            (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for an effect");
            return NULL;
        }
        effects->items = items;
        effects->room = room;
    }
    assert(effects->count < effects->room);
    struct ek_effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof(*effect));
    effect->kind = kind;
    return effect;
}

bool ek_effect_event(struct ek_effects *effects, const char *kind, const char *subject,
                     struct ek_error *err, const char *format, ...)
{
    /* Events are for people and cut rather than refused: losing the tail of a sentence must not
     * lose the step. */
    char text[2 * EK_TEXT_SIZE];
    va_list args;
    struct ek_effect *effect = ek_effect_add(effects, EK_EFFECT_RECORD_EVENT, err);

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (effect == NULL) {
        return false;
    }
    /* A literal, so it is not copied; subject and text may point into what changes before the
     * effect is carried out. */
    effect->u.event.kind = kind;
    effect->u.event.subject = ek_arena_strdup(&effects->arena, subject);
    effect->u.event.text = ek_arena_strdup(&effects->arena, text);
    return (effect->u.event.subject != NULL && effect->u.event.text != NULL) ||
           ek_error_set(err, EK_ERR_NOMEM, "out of memory for an event");
}

bool ek_effect_wake(struct ek_effects *effects, int64_t at_ms, struct ek_error *err)
{
    struct ek_effect *wake = NULL;

    for (size_t i = 0; wake == NULL && i < effects->count; i++) {
        wake = effects->items[i].kind == EK_EFFECT_WAKE ? &effects->items[i] : NULL;
    }
    if (wake == NULL) {
        wake = ek_effect_add(effects, EK_EFFECT_WAKE, err);
        if (wake == NULL) {
            return false;
        }
        wake->u.wake_at_ms = at_ms;
    }
    wake->u.wake_at_ms = at_ms < wake->u.wake_at_ms ? at_ms : wake->u.wake_at_ms;
    return true;
}

/* The documented order; within one kind the order of adding stays. */
void ek_effects_sort(struct ek_effects *effects)
{
    /* Insertion, since qsort is not stable and a step has few effects. */
    for (size_t i = 1; i < effects->count; i++) {
        struct ek_effect effect = effects->items[i];
        size_t at = i;
        while (at > 0 && effects->items[at - 1].kind > effect.kind) {
            effects->items[at] = effects->items[at - 1];
            at--;
        }
        effects->items[at] = effect;
    }
}
