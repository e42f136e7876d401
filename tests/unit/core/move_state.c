#include "balancer/core/journal.h"
#include "balancer/core/move.h"
#include "tests/lib/cmocka.h"

#include <string.h>

#define STATES(s) for (unsigned int s = 0; s < EK_MOVE_STATE_COUNT; s++)
#define STATE(s) ((enum ek_move_state)(s))

/* Names and states belong together one to one. */
static void names_are_read_back(void **state)
{
    (void)state;
    STATES(s)
    {
        assert_int_equal(ek_move_state_parse(ek_move_state_name(STATE(s))), s);
    }
    assert_int_equal(ek_move_state_parse("no such state"), EK_MOVE_STATE_COUNT);
    assert_int_equal(ek_move_state_parse(""), EK_MOVE_STATE_COUNT);
}

/* Nothing follows a terminal state; every other state is left somehow. */
static void terminal_means_the_end(void **state)
{
    (void)state;
    STATES(from)
    {
        unsigned int followers = 0;
        STATES(to)
        {
            followers += ek_move_state_allowed(STATE(from), STATE(to)) ? 1 : 0;
        }
        assert_int_equal(ek_move_state_terminal(STATE(from)), followers == 0);
    }
}

/* Every state that is not terminal may go to reconcile: a crash may come at any time. */
static void everything_can_be_reconciled(void **state)
{
    (void)state;
    STATES(from)
    {
        bool other = !ek_move_state_terminal(STATE(from)) && from != EK_MOVE_RECONCILE;
        assert_int_equal(ek_move_state_allowed(STATE(from), EK_MOVE_RECONCILE), other);
    }
}

static unsigned int reach(unsigned int seen)
{
    STATES(from)
    {
        STATES(to)
        {
            bool step = (seen & (1U << from)) != 0 && (seen & (1U << to)) == 0 &&
                        ek_move_state_allowed(STATE(from), STATE(to));
            if (step) {
                return reach(seen | (1U << to));
            }
        }
    }
    return seen;
}

/* Every state is reached from planned, and an end from every state. */
static void every_state_leads_from_the_beginning_to_an_end(void **state)
{
    (void)state;
    assert_int_equal(reach(1U << EK_MOVE_PLANNED), (1U << EK_MOVE_STATE_COUNT) - 1);
    STATES(from)
    {
        unsigned int reached = reach(1U << from);
        unsigned int ends = 0;
        STATES(to)
        {
            bool end = (reached & (1U << to)) != 0 && ek_move_state_terminal(STATE(to));
            ends += end ? 1 : 0;
        }
        assert_true(ends > 0);
    }
}

/* A move is done only by way of its verified end: nothing but post leads to done. */
static void done_comes_after_post_alone(void **state)
{
    (void)state;
    STATES(from)
    {
        assert_int_equal(ek_move_state_allowed(STATE(from), EK_MOVE_DONE), from == EK_MOVE_POST);
    }
}

/* Outcomes that are not known block the domain; they are terminal, so nothing is retried. */
static void what_is_not_known_blocks(void **state)
{
    (void)state;
    STATES(s)
    {
        bool unknown = s == EK_MOVE_UNKNOWN || s == EK_MOVE_UNVERIFIED;
        assert_int_equal(ek_move_state_blocks(STATE(s)), unknown);
        assert_true(!unknown || ek_move_state_terminal(STATE(s)));
    }
}

/* A stop passes no state of a migration's, is done only when its host was read, and, as a move, may
 * be reconciled from everywhere and goes nowhere from an end. */
static void a_stop_has_fewer_states(void **state)
{
    const unsigned int never = 1U << EK_MOVE_PREPARE | 1U << EK_MOVE_SWITCHOVER |
                               1U << EK_MOVE_POST | 1U << EK_MOVE_UNPREPARE |
                               1U << EK_MOVE_RETRY_WAIT | 1U << EK_MOVE_UNVERIFIED;
    unsigned int reached = 1U << EK_MOVE_PLANNED;

    (void)state;
    STATES(round)
    {
        STATES(from)
        {
            STATES(to)
            {
                bool follows =
                    (reached >> from & 1U) != 0 && ek_stop_state_allowed(STATE(from), STATE(to));
                reached |= follows ? 1U << to : 0;
            }
        }
    }
    assert_int_equal(reached, ((1U << EK_MOVE_STATE_COUNT) - 1) & ~never);
    STATES(from)
    {
        bool open = !ek_move_state_terminal(STATE(from)) && from != EK_MOVE_RECONCILE;
        bool read = from == EK_MOVE_COMMIT_PENDING || from == EK_MOVE_RECONCILE;
        assert_int_equal(ek_stop_state_allowed(STATE(from), EK_MOVE_DONE), read);
        assert_int_equal(ek_stop_state_allowed(STATE(from), EK_MOVE_RECONCILE), open);
        assert_true(ek_stop_state_may_write(STATE(from), STATE(from)));
    }
    assert_true(ek_stop_state_may_write(EK_MOVE_UNKNOWN, EK_MOVE_ROLLED_BACK));
    assert_false(ek_stop_state_may_write(EK_MOVE_DONE, EK_MOVE_UNKNOWN));
}

/* The journal asks the table of the record's own kind. */
static void the_journal_keeps_to_the_table_of_the_kind(void **state)
{
    struct ek_move_record from = {.state = EK_MOVE_PRECHECK, .order = {.kind = EK_MOVE_SAVE}};
    struct ek_move_record to = {.state = EK_MOVE_RUNNING, .order = {.kind = EK_MOVE_SAVE}};
    struct ek_error err;

    (void)state;
    assert_true(ek_journal_check_step(&to, &from, &err));
    from.order.kind = to.order.kind = EK_MOVE_EVACUATE;
    assert_false(ek_journal_check_step(&to, &from, &err));
}

/* Kinds of moves and their names belong together one to one. */
static void kinds_are_read_back(void **state)
{
    (void)state;
    for (unsigned int k = EK_MOVE_BALANCE; k < EK_MOVE_KIND_COUNT; k++) {
        enum ek_move_kind kind = EK_MOVE_BALANCE;
        assert_true(ek_move_kind_parse(ek_move_kind_name((enum ek_move_kind)k), &kind));
        assert_int_equal(kind, k);
    }
    enum ek_move_kind kind = EK_MOVE_PARK;
    assert_false(ek_move_kind_parse("walk", &kind));
    assert_int_equal(kind, EK_MOVE_PARK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(terminal_means_the_end),
        cmocka_unit_test(everything_can_be_reconciled),
        cmocka_unit_test(every_state_leads_from_the_beginning_to_an_end),
        cmocka_unit_test(done_comes_after_post_alone),
        cmocka_unit_test(what_is_not_known_blocks),
        cmocka_unit_test(a_stop_has_fewer_states),
        cmocka_unit_test(the_journal_keeps_to_the_table_of_the_kind),
        cmocka_unit_test(kinds_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
