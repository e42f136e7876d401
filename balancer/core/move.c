/* Kinds of moves by name, as journal, plans and commands write them. */
#include "balancer/core/move.h"

#include <assert.h>
#include <string.h>

static const char *const kind_names[] = {
    [EK_MOVE_BALANCE] = "balance", [EK_MOVE_RULE] = "rule",     [EK_MOVE_EVACUATE] = "evacuate",
    [EK_MOVE_PARK] = "park",       [EK_MOVE_MANUAL] = "manual",
};

/* The array's own length: a kind added to the enum without a name here fails the assertion. */
enum { KIND_COUNT = sizeof(kind_names) / sizeof(kind_names[0]) };

static_assert(KIND_COUNT == EK_MOVE_MANUAL + 1, "every kind of move has a name");

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
