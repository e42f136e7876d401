/* Kinds of moves and of their preparations by name, as journal, plans and commands write them. */
#include "balancer/core/move.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [EK_MOVE_BALANCE] = "balance",   [EK_MOVE_RULE] = "rule",     [EK_MOVE_EVACUATE] = "evacuate",
    [EK_MOVE_PARK] = "park",         [EK_MOVE_MANUAL] = "manual", [EK_MOVE_SAVE] = "save",
    [EK_MOVE_SHUTDOWN] = "shutdown",
};

/* The array's own length: a kind added to the enum without a name here fails the assertion. */
enum { KIND_COUNT = sizeof(kind_names) / sizeof(kind_names[0]) };

static_assert(KIND_COUNT == (int)EK_MOVE_KIND_COUNT, "every kind of move has a name");

const char *ek_two_step_name(enum ek_two_step when)
{
    static const char *const names[] = {[EK_TWO_STEP_COPIED] = "copied",
                                        [EK_TWO_STEP_ALWAYS] = "always",
                                        [EK_TWO_STEP_NEVER] = "never"};

    assert((unsigned int)when < EK_TWO_STEP_COUNT);
    return names[when];
}

const char *ek_move_kind_name(enum ek_move_kind kind)
{
    assert((unsigned int)kind < KIND_COUNT);
    return kind_names[kind];
}

bool ek_move_kind_parse(const char *name, enum ek_move_kind *kind)
{
    for (unsigned int i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *kind = (enum ek_move_kind)i;
            return true;
        }
    }
    return false;
}

bool ek_move_stops(enum ek_move_kind kind)
{
    assert((unsigned int)kind < KIND_COUNT);
    return kind == EK_MOVE_SAVE || kind == EK_MOVE_SHUTDOWN;
}

const char *ek_move_way(const struct ek_move_order *order, char out[EK_WAY_SIZE])
{
    if (ek_move_stops(order->kind)) {
        (void)snprintf(out, EK_WAY_SIZE, "stays on %s", order->source);
    } else {
        (void)snprintf(out, EK_WAY_SIZE, "%s -> %s", order->source, order->destination);
    }
    return out;
}

const char *ek_preparation_kind_name(enum ek_preparation_kind kind)
{
    static const char *const names[] = {[EK_PREPARATION_NETWORK] = "network",
                                        [EK_PREPARATION_FILTER] = "filter",
                                        [EK_PREPARATION_BASE] = "base",
                                        [EK_PREPARATION_OVERLAY] = "overlay"};

    assert((unsigned int)kind < EK_PREPARATION_KIND_COUNT);
    return names[kind];
}

const char *ek_preparation_state_name(enum ek_preparation_state state)
{
    static const char *const names[] = {[EK_PREPARATION_WANTED] = "wanted",
                                        [EK_PREPARATION_BEGUN] = "begun",
                                        [EK_PREPARATION_MADE] = "made",
                                        [EK_PREPARATION_FOUND] = "found",
                                        [EK_PREPARATION_UNDONE] = "undone"};

    assert((unsigned int)state < EK_PREPARATION_STATE_COUNT);
    return names[state];
}

const struct ek_preparation *ek_move_begun(const struct ek_move_record *record)
{
    assert(record->preparation_count >= 0 && record->preparation_count <= EK_PREPARATION_MOST);
    for (int i = 0; i < record->preparation_count; i++) {
        if (record->preparations[i].state == EK_PREPARATION_BEGUN) {
            return &record->preparations[i];
        }
    }
    return NULL;
}

bool ek_move_has_leftovers(const struct ek_move_record *record)
{
    assert(record->preparation_count >= 0 && record->preparation_count <= EK_PREPARATION_MOST);
    for (int i = 0; i < record->preparation_count; i++) {
        const struct ek_preparation *it = &record->preparations[i];

        if ((it->kind == EK_PREPARATION_BASE || it->kind == EK_PREPARATION_OVERLAY) &&
            (it->state == EK_PREPARATION_BEGUN || it->state == EK_PREPARATION_MADE)) {
            return true;
        }
    }
    return false;
}
