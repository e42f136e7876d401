/* Operators' commands, failed plans and circuits, told as stories in the simulated cluster. */
#include "story.h"

#include <stdio.h>
#include <string.h>

/* Three of a's have to leave h1 to level it. */
#define UNEVEN "h1 8c 32G; h2 8c 32G; h3 8c 32G; a*6@h1 2v 4G 1.1c"

static void fail_from_now(struct ek_world *it, unsigned int after, unsigned int times)
{
    ek_world_hypervisor(it)->faults[EK_SIM_MIGRATE] = (struct ek_sim_fault){
        .after = after, .times = times, .failure = EK_FAILURE_OTHER_HOST, .error = "made to fail"};
}

static const struct ek_move_order *first_running(struct ek_world *it)
{
    struct ek_engine_view view = ek_engine_view(ek_world_engine(it));

    assert_true(view.running_count > 0);
    return &view.running[0];
}

/* A pause holds balancing over the daemon's death, an evacuation goes on, a resume ends it. */
static void test_pause_survives_a_crash(void **state)
{
    /* Two hosts alone carry them with more than trigger.comfort. */
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*6@h1 2v 4G 1.7c");

    (void)state;
    ek_world_command(it, EK_COMMAND_PAUSE, "", "");
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    ek_world_crash_daemon(it);
    ek_world_start_daemon(it);
    pass(it, 20 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ek_world_counters(it).started, 0);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, 20 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_set_maintenance(it, host(it, "h1"), false);
    uint64_t before = ek_world_counters(it).started;
    ek_world_command(it, EK_COMMAND_RESUME, "", "");
    pass(it, 2 * EK_WORLD_HOUR_MS);
    assert_true(ek_world_counters(it).started > before);
    ek_world_destroy(it);
}

/* Cancelling everything in mid-copy leaves every domain running where it was, and it stays so. */
static void test_cancel_all_in_mid_copy(void **state)
{
    struct ek_world *it = world(UNEVEN);

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_SECOND_MS);
    ek_world_command(it, EK_COMMAND_CANCEL, "all", "");
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 6);
    assert_int_equal(ended(it, EK_MOVE_CANCELLED), 1);
    ek_world_command(it, EK_COMMAND_RESUME, "", "");
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_destroy(it);
}

/* An aborted move's domain is not ordered again at once; the others leave meanwhile. */
static void test_abort_of_one_move(void **state)
{
    struct ek_world *it = world(UNEVEN);
    char name[EK_NAME_SIZE];

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    (void)snprintf(name, sizeof(name), "%s", first_running(it)->name);
    ek_world_command(it, EK_COMMAND_ABORT, first_running(it)->id, "");
    pass(it, EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, name), "h1");
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_int_equal(ended(it, EK_MOVE_CANCELLED), 1);
    ek_world_destroy(it);
}

/* An order moves the domain, whatever balancing thinks of it. */
static void test_a_move_on_order(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 0.5c");

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_command(it, EK_COMMAND_MOVE, "a", "h2");
    pass(it, 5 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "h2");
    ek_world_destroy(it);
}

/* The second move of a plan fails for good: the first is brought back, and every domain is where it
 * was. */
static void test_a_failed_plan_is_reverted(void **state)
{
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    (void)state;
    ek_world_options_defaults(&options);
    policy.on_plan_failure = EK_ON_FAILURE_REVERT;
    policy.retries = 0;
    struct ek_world *it = world_with(UNEVEN, &options, &policy);
    fail_from_now(it, 1, 1);
    for (int s = 0; strstr(ek_world_trace(it), "brings 1 of its 1 domain back") == NULL; s++) {
        assert_true(s < 30 * 60);
        pass(it, EK_WORLD_SECOND_MS);
    }
    until_quiet(it, 5 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 6);
    assert_int_equal(ended(it, EK_MOVE_DONE), 2);
    ek_world_destroy(it);
}

/* stop: after the failure nothing is balanced any more. */
static void test_a_failed_plan_stops(void **state)
{
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    (void)state;
    ek_world_options_defaults(&options);
    policy.on_plan_failure = EK_ON_FAILURE_STOP;
    policy.retries = 0;
    struct ek_world *it = world_with(UNEVEN, &options, &policy);
    fail_from_now(it, 0, 1);
    pass(it, 2 * EK_WORLD_HOUR_MS);
    assert_told(it, "nothing is balanced until `evenkeel resume`");
    assert_int_equal(ended(it, EK_MOVE_DONE), 0);
    ek_world_destroy(it);
}

/* One destination takes nobody: its circuit opens, the host is emptied all the same, and nobody
 * knocks there for ever. */
static void test_a_bad_destination_is_left_out(void **state)
{
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    (void)state;
    ek_world_options_defaults(&options);
    policy.retries = 0;
    struct ek_world *it = world_with(UNEVEN, &options, &policy);
    until(it, 2 * EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_DATA_CUT, host(it, "h2"), 0);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, EK_WORLD_HOUR_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_int_equal(residents(it, "h3"), 6);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_survives_a_crash),
        cmocka_unit_test(test_cancel_all_in_mid_copy),
        cmocka_unit_test(test_abort_of_one_move),
        cmocka_unit_test(test_a_move_on_order),
        cmocka_unit_test(test_a_failed_plan_is_reverted),
        cmocka_unit_test(test_a_failed_plan_stops),
        cmocka_unit_test(test_a_bad_destination_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
