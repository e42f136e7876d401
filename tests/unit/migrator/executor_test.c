/* The executor, on real threads over two hosts and a journal in memory. */
#include "fake_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct fake fake;
    struct ek_executor *executor;
};

static int setup(void **state)
{
    struct scene *scene = malloc(sizeof(*scene));

    if (scene == NULL) {
        return -1;
    }
    fake_init(&scene->fake);
    scene->executor = fake_executor(&scene->fake);
    *state = scene;
    return scene->executor == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.hold, false);
    fake_set(&scene->fake, &scene->fake.hang_observe, false);
    while (!ek_executor_shutdown(scene->executor, 10000)) {
        /* calls that were let go return by themselves */
    }
    ek_executor_destroy(scene->executor);
    fake_finish(&scene->fake);
    free(scene);
    return 0;
}

static void start(struct scene *scene, int n)
{
    struct ek_move_order order = fake_order(n);
    struct ek_error err = {0};

    assert_true(ek_executor_start(scene->executor, &order, 5, &err));
}

static void assert_ended(struct scene *scene, enum ek_move_state state)
{
    assert_true(fake_await_ends(&scene->fake, 1));
    assert_int_equal(scene->fake.outcome_count, 1);
    assert_string_equal(ek_move_state_name(scene->fake.outcomes[0].state),
                        ek_move_state_name(state));
}

/* Each state is in the journal before the call that it announces. */
static void test_journal_comes_before_effect(void **state)
{
    struct scene *scene = *state;

    scene->fake.findings = (struct ek_findings){
        .preparation_count = 2,
        .preparations = {{.kind = EK_PREPARATION_NETWORK, .what = "lab"},
                         {.kind = EK_PREPARATION_BASE, .what = "/images/base"}}};
    start(scene, 1);
    assert_ended(scene, EK_MOVE_DONE);
    assert_int_equal(scene->fake.records[0].preparations[0].state, EK_PREPARATION_MADE);
    assert_int_equal(scene->fake.records[0].preparations[1].state, EK_PREPARATION_FOUND);
    assert_string_equal(scene->fake.trace,
                        "claimed precheck precheck-memory precheck() prepare prepare-noted "
                        "prepare(lab) prepare prepare-noted prepare(/images/base) "
                        "running migrate() commit-pending observe() post observe post() done ");
}

/* A save and a shutdown are carried out by their own call, journalled before it; nothing is
 * migrated, prepared or cleaned up. */
static void test_stops_are_no_migrations(void **state)
{
    struct scene *scene = *state;

    for (int n = 1; n <= 2; n++) {
        struct ek_move_order order = fake_order(n);
        struct ek_error err = {0};

        order.kind = n == 1 ? EK_MOVE_SAVE : EK_MOVE_SHUTDOWN;
        order.destination[0] = '\0';
        assert_true(ek_executor_start(scene->executor, &order, 5, &err));
        assert_true(fake_await_ends(&scene->fake, (size_t)n));
        assert_int_equal(scene->fake.outcomes[n - 1].state, EK_MOVE_DONE);
        assert_int_equal(scene->fake.outcomes[n - 1].kind, order.kind);
    }
    assert_non_null(strstr(scene->fake.trace, "claimed precheck precheck-memory precheck() running "
                                              "stop() commit-pending observe() done "));
    assert_null(strstr(scene->fake.trace, "migrate()"));
    assert_null(strstr(scene->fake.trace, "post()"));
}

/* A cancel aborts a running copy; the move is cancelled once the domain was seen on its source. */
static void test_cancel_aborts(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    assert_true(fake_await_copying(&scene->fake, 1));
    assert_true(ek_executor_cancel(scene->executor, "p-1", EK_ABORT_OPERATOR));
    assert_false(ek_executor_cancel(scene->executor, "p-2", EK_ABORT_OPERATOR));
    assert_ended(scene, EK_MOVE_CANCELLED);
    assert_true(fake_traced(&scene->fake, "abort() reconcile observe()"));
}

/* A word against new attempts reaches the move between two of them, and no other one. */
static void test_attempts_are_withheld(void **state)
{
    struct scene *scene = *state;
    struct ek_move_order orders[] = {fake_order(1), fake_order(2)};
    struct ek_error err = {0};

    fake_set(&scene->fake, &scene->fake.busy, true);
    for (size_t i = 0; i < 2; i++) {
        orders[i].retries = 1000;
        assert_true(ek_executor_start(scene->executor, &orders[i], 5, &err));
    }
    ek_executor_withhold(scene->executor, "p-1", "paused");
    assert_true(fake_await_ends(&scene->fake, 1));
    assert_string_equal(scene->fake.outcomes[0].id, "p-1");
    assert_int_equal(scene->fake.outcomes[0].state, EK_MOVE_ROLLED_BACK);
    assert_string_equal(scene->fake.outcomes[0].error, "busy; not tried again: paused");
    fake_set(&scene->fake, &scene->fake.busy, false);
    assert_true(fake_await_ends(&scene->fake, 2));
    assert_int_equal(scene->fake.outcomes[1].state, EK_MOVE_DONE);
}

/* A limit reaches a running migration, the newest one; before the call it needs no tuning. */
static void test_limit_is_live(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    ek_executor_limit(scene->executor, "p-1", 30);
    assert_true(fake_await_copying(&scene->fake, 1));
    ek_executor_limit(scene->executor, "p-2", 70); /* of nobody */
    ek_executor_limit(scene->executor, "p-1", 40);
    assert_true(fake_await_trace(&scene->fake, "tune(40)"));
    ek_executor_limit(scene->executor, "p-1", 0);
    assert_true(fake_await_trace(&scene->fake, "tune(0)"));
    assert_false(fake_traced(&scene->fake, "tune(70)"));
    fake_set(&scene->fake, &scene->fake.hold, false);
    assert_ended(scene, EK_MOVE_DONE);
}

/* A process that was stopped between the record and the call does not make the call when it wakes
 * up: by then the move may be another's. It looks, and tries again under a new record. */
static void test_late_call_is_not_made(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.stop_after_running, true);
    start(scene, 1);
    assert_ended(scene, EK_MOVE_DONE);
    assert_true(fake_traced(&scene->fake, "running reconcile observe()"));
    assert_int_equal(scene->fake.domains[0].migrates, 1);
    assert_int_equal(scene->fake.outcomes[0].attempts, 2);
}

/* While the journal is away nothing begins; when it is back, the life goes on where it was. */
static void test_journal_away_begins_nothing(void **state)
{
    struct scene *scene = *state;

    fake_set_fault(&scene->fake, EK_ERR_UNAVAILABLE, EK_MOVE_RUNNING);
    start(scene, 1);
    assert_true(fake_await_trace(&scene->fake, "fault fault"));
    assert_false(fake_traced(&scene->fake, "migrate()"));
    fake_set_fault(&scene->fake, EK_ERR_NONE, EK_MOVE_STATE_COUNT);
    assert_ended(scene, EK_MOVE_DONE);
}

/* Away for so long that the checks are old by then: what they passed is not begun, but looked at
 * and checked anew. */
static void test_checks_do_not_outlive_a_long_absence(void **state)
{
    struct scene *scene = *state;

    fake_set_fault(&scene->fake, EK_ERR_UNAVAILABLE, EK_MOVE_RUNNING);
    start(scene, 1);
    assert_true(fake_await_trace(&scene->fake, "fault fault"));
    fake_sleep(&scene->fake, 3600000);
    fake_set_fault(&scene->fake, EK_ERR_NONE, EK_MOVE_STATE_COUNT);
    assert_ended(scene, EK_MOVE_DONE);
    assert_true(fake_traced(&scene->fake, "running reconcile observe()"));
    assert_int_equal(scene->fake.domains[0].migrates, 1);
    assert_int_equal(scene->fake.outcomes[0].attempts, 2);
}

/* The result of a migration that ended while the journal was away is not lost. */
static void test_result_survives_a_journal_that_is_away(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    assert_true(fake_await_copying(&scene->fake, 1));
    fake_set_fault(&scene->fake, EK_ERR_UNAVAILABLE, EK_MOVE_STATE_COUNT);
    fake_set(&scene->fake, &scene->fake.hold, false);
    assert_true(fake_await_trace(&scene->fake, "fault fault"));
    fake_set_fault(&scene->fake, EK_ERR_NONE, EK_MOVE_STATE_COUNT);
    assert_ended(scene, EK_MOVE_DONE);
    assert_int_equal(scene->fake.domains[0].migrates, 1);
}

/* A write whose answer got lost was done all the same: found so, the life goes on. */
static void test_lost_answer_of_the_journal(void **state)
{
    struct scene *scene = *state;

    scene->fake.write_then_fail = true;
    fake_set_fault(&scene->fake, EK_ERR_TIMEOUT, EK_MOVE_RUNNING);
    start(scene, 1);
    assert_ended(scene, EK_MOVE_DONE);
    assert_int_equal(scene->fake.domains[0].migrates, 1);
}

/* A fenced life stops at once, without the effect that it was about to have. */
static void test_fenced_life_is_dropped(void **state)
{
    struct scene *scene = *state;

    fake_set_fault(&scene->fake, EK_ERR_FENCED, EK_MOVE_RUNNING);
    start(scene, 1);
    assert_true(fake_await_ends(&scene->fake, 1));
    assert_int_equal(scene->fake.dropped, 1);
    assert_int_equal(scene->fake.drop_error.code, EK_ERR_FENCED);
    assert_int_equal(scene->fake.disowned, 1);
    assert_false(fake_traced(&scene->fake, "migrate()"));
    assert_int_equal(ek_executor_running(scene->executor, NULL, 0), 0);
}

/* A record that somebody else changed is not ours to go on with. */
static void test_changed_record_is_dropped(void **state)
{
    struct scene *scene = *state;

    scene->fake.records[0] = (struct ek_move_record){.order = fake_order(1), .epoch = 9};
    scene->fake.record_count = 1;
    start(scene, 1);
    assert_true(fake_await_ends(&scene->fake, 1));
    assert_int_equal(scene->fake.drop_error.code, EK_ERR_CONFLICT);
    assert_string_equal(scene->fake.trace, "");
}

/* A shutdown aborts nothing: the migration goes on, and the next executor adopts it and sees it
 * through. */
static void test_shutdown_and_adopt(void **state)
{
    struct scene *scene = *state;
    struct ek_executor *next;
    struct ek_error err = {0};

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    assert_true(fake_await_copying(&scene->fake, 1));
    assert_false(ek_executor_shutdown(scene->executor, 10000)); /* the call is out */
    assert_int_equal(scene->fake.records[0].state, EK_MOVE_RUNNING);
    next = fake_executor(&scene->fake);
    assert_true(ek_executor_adopt(next, &scene->fake.records[0], 6, &err));
    assert_true(fake_await_trace(&scene->fake, "reconcile observe() running"));
    fake_set(&scene->fake, &scene->fake.hold, false);
    assert_ended(scene, EK_MOVE_DONE);
    assert_int_equal(scene->fake.records[0].epoch, 6);
    assert_int_equal(scene->fake.domains[0].migrates, 1);
    assert_false(fake_traced(&scene->fake, "abort()"));
    assert_true(ek_executor_shutdown(next, 10000));
    ek_executor_destroy(next);
}

/* Lives that are let go tell nothing, and their moves can be adopted at once under another epoch.
 */
static void test_forget_and_adopt(void **state)
{
    struct scene *scene = *state;
    struct ek_error err = {0};

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    assert_true(fake_await_copying(&scene->fake, 1));
    ek_executor_forget(scene->executor);
    assert_int_equal(scene->fake.disowned, 1); /* though its call is still out */
    assert_int_equal(ek_executor_running(scene->executor, NULL, 0), 0);
    assert_true(ek_executor_adopt(scene->executor, &scene->fake.records[0], 6, &err));
    assert_true(fake_await_trace(&scene->fake, "reconcile observe() running"));
    fake_set(&scene->fake, &scene->fake.hold, false);
    assert_ended(scene, EK_MOVE_DONE);
    assert_int_equal(scene->fake.records[0].epoch, 6);
    assert_int_equal(scene->fake.dropped, 0);
    assert_int_equal(scene->fake.disowned, 1);
    assert_int_equal(scene->fake.domains[0].migrates, 1);
}

/* A host that hangs is given up, its move ends in the open, and other moves do not wait for it. */
static void test_hanging_host_holds_up_nobody(void **state)
{
    struct scene *scene = *state;

    fake_set(&scene->fake, &scene->fake.hang_observe, true);
    start(scene, 1);
    assert_ended(scene, EK_MOVE_UNKNOWN);
    fake_set(&scene->fake, &scene->fake.hang_observe, false);
    start(scene, 2);
    assert_true(fake_await_ends(&scene->fake, 2));
    assert_int_equal(scene->fake.outcomes[1].state, EK_MOVE_DONE);
}

/* One domain is in one move at a time. */
static void test_one_move_per_domain(void **state)
{
    struct scene *scene = *state;
    struct ek_move_order order = fake_order(1);
    struct ek_error err = {0};

    fake_set(&scene->fake, &scene->fake.hold, true);
    start(scene, 1);
    assert_false(ek_executor_start(scene->executor, &order, 5, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    order.id[0] = 'q';
    assert_false(ek_executor_start(scene->executor, &order, 5, &err));
    assert_non_null(strstr(err.message, "web-1"));
}

/* Many moves at once are all seen through, and shown while they run. */
static void test_many_moves(void **state)
{
    enum { MOVES = 40 };
    struct scene *scene = *state;
    struct ek_move_record shown[MOVES];

    fake_set(&scene->fake, &scene->fake.hold, true);
    for (int n = 1; n <= MOVES; n++) {
        start(scene, n);
    }
    assert_true(fake_await_copying(&scene->fake, MOVES));
    assert_int_equal(ek_executor_running(scene->executor, shown, MOVES), MOVES);
    assert_string_equal(shown[0].order.id, "p-1");
    assert_int_equal(shown[MOVES - 1].state, EK_MOVE_RUNNING);
    fake_set(&scene->fake, &scene->fake.hold, false);
    assert_true(fake_await_ends(&scene->fake, MOVES));
    for (int i = 0; i < MOVES; i++) {
        assert_int_equal(scene->fake.outcomes[i].state, EK_MOVE_DONE);
        assert_int_equal(scene->fake.domains[i].migrates, 1);
    }
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_journal_comes_before_effect),
        SCENE(test_stops_are_no_migrations),
        SCENE(test_cancel_aborts),
        SCENE(test_attempts_are_withheld),
        SCENE(test_limit_is_live),
        SCENE(test_late_call_is_not_made),
        SCENE(test_journal_away_begins_nothing),
        SCENE(test_checks_do_not_outlive_a_long_absence),
        SCENE(test_result_survives_a_journal_that_is_away),
        SCENE(test_lost_answer_of_the_journal),
        SCENE(test_fenced_life_is_dropped),
        SCENE(test_changed_record_is_dropped),
        SCENE(test_shutdown_and_adopt),
        SCENE(test_forget_and_adopt),
        SCENE(test_hanging_host_holds_up_nobody),
        SCENE(test_one_move_per_domain),
        SCENE(test_many_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
