/* What holds for every journal, wherever it keeps its records. */
#include "balancer/core/journal.h"

#include <assert.h>
#include <stddef.h>

bool ek_journal_check_step(const struct ek_move_record *record,
                           const struct ek_move_record *expected, struct ek_error *err)
{
    assert(record != NULL);
    bool may = expected == NULL || (ek_move_stops(record->order.kind)
                                        ? ek_stop_state_may_write(expected->state, record->state)
                                        : ek_move_state_may_write(expected->state, record->state));
    if (may) {
        return true;
    }
    return ek_error_set(err, EK_ERR_INVALID,
                        "move:%s: found a step from state %s to %s, expected one that the table of "
                        "states allows",
                        record->order.id, ek_move_state_name(expected->state),
                        ek_move_state_name(record->state));
}
