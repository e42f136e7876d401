/* Moves that go wrong, told as stories in the simulated cluster: whatever happens, a domain runs
 * exactly once, or a fault that is told killed it. `until` and `pass` assert that at every call. */
#include "story.h"

#include <stdio.h>

#define TWO_HOSTS "h1 8c 32G; h2 8c 32G; "
#define THREE_HOSTS TWO_HOSTS "h3 8c 32G; "

/* The destination of the migration that is under way. */
static uint32_t destination_of(struct ek_world *it, const char *name)
{
    const struct ek_sim_migration *migration =
        ek_sim_migration_of(ek_world_migrations(it), domain(it, name));

    assert_non_null(migration);
    return migration->request.destination;
}

static void drain(struct ek_world *it, const char *name)
{
    until(it, 2 * EK_WORLD_MINUTE_MS); /* rates are known */
    ek_world_set_maintenance(it, host(it, name), true);
}

static void fail_next(struct ek_world *it, enum ek_sim_operation operation, unsigned int times,
                      enum ek_failure failure)
{
    ek_world_hypervisor(it)->faults[operation] =
        (struct ek_sim_fault){.times = times, .failure = failure, .error = "it was made to fail"};
}

/* A destination that crashes in mid-copy: the domain runs on, and goes elsewhere. */
static void test_destination_crashes_in_copy(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 10 * EK_WORLD_SECOND_MS);
    uint32_t first = destination_of(it, "a");
    strike(it, EK_WORLD_HOST_CRASH, first, 2 * EK_WORLD_MINUTE_MS);
    pass(it, EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "a"), "h1");
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), first == host(it, "h2") ? "h3" : "h2");
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    ek_world_destroy(it);
}

/* A destination that never comes back cannot be read: it might run the domain, too, so an operator
 * must say that it does not before the domain is moved again. */
static void test_destination_is_gone_for_good(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 8G 1c");
    struct ek_error err = {0};

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 10 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_HOST_CRASH, destination_of(it, "a"), 0);
    pass(it, EK_WORLD_HOUR_MS);
    assert_int_equal(ended(it, EK_MOVE_UNVERIFIED), 1);
    assert_string_equal(home(it, "a"), "h1");
    assert_maintenance(it, "h1", EK_MAINTENANCE_BLOCKED);
    assert_true(ek_world_resolve(it, domain(it, "a"), &err));
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_destroy(it);
}

/* A guest that is known to dirty memory faster than the link carries it goes last, so that others
 * are not delayed by it; it is aborted at its deadline and rests, longer each time. */
static void test_guest_that_does_not_converge(void **state)
{
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    (void)state;
    ek_world_options_defaults(&options);
    options.dirty_known = true;
    policy.auto_converge = false;
    policy.limit_host_out = 2;
    policy.limit_host_in = 2;
    policy.timeout_per_gib_ms = 0;
    policy.progress_timeout_ms = 2 * policy.timeout_min_ms;
    struct ek_world *it =
        world_with(THREE_HOSTS "wild@h1 2v 8G 1c 400d; tame*3@h1 2v 4G 1c", &options, &policy);
    drain(it, "h1");
    pass(it, 4 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 1);
    pass(it, 5 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "wild"), "h1");
    assert_told(it, "aborted: the copying took longer than 300 s");
    pass(it, 6 * EK_WORLD_HOUR_MS);
    assert_string_equal(home(it, "wild"), "h1");
    assert_true(ek_world_counters(it).started < 3 + 15);
    ek_world_destroy(it);
}

/* The same guest goes when it may be throttled. */
static void test_auto_converge_brings_it_over(void **state)
{
    struct ek_world *it = world("h1 8c 32G 1100m; h2 8c 32G 1100m; wild@h1 2v 8G 1c 1500d");

    (void)state;
    drain(it, "h1");
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "wild"), "h2");
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    ek_world_destroy(it);
}

/* The reply of the migrate call is lost while the migration goes on: it is found by asking, never
 * started twice, and the move is done. */
static void test_lost_reply(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a*4@h1 2v 4G 1c");

    (void)state;
    fail_next(it, EK_SIM_MIGRATE, 4, EK_FAILURE_LOST);
    drain(it, "h1");
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h2"), 4);
    assert_int_equal(ended(it, EK_MOVE_DONE), 4);
    assert_int_equal(ek_world_hypervisor(it)->calls[EK_SIM_MIGRATE], 4);
    ek_world_destroy(it);
}

/* With the journal away nothing new starts; what runs comes to its end on the hosts; the record of
 * that end is written when the journal is back. */
static void test_journal_away(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a*4@h1 2v 4G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_JOURNAL_AWAY, 0, 20 * EK_WORLD_MINUTE_MS);
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h2"), 1);
    assert_int_equal(ek_world_counters(it).started, 1);
    assert_int_equal(ended(it, EK_MOVE_DONE), 0);
    assert_told(it, "holding: the journal is away");
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ended(it, EK_MOVE_DONE), 4);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_destroy(it);
}

/* The migration network is cut and stays cut: no byte arrives, the move is aborted, and the domain
 * goes to a host that can be reached. */
static void test_data_network_cut(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    uint32_t first = destination_of(it, "a");
    strike(it, EK_WORLD_DATA_CUT, first, 0);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_told(it, "aborted: no data reached the destination for 150 s");
    assert_string_equal(home(it, "a"), first == host(it, "h2") ? "h3" : "h2");
    ek_world_destroy(it);
}

/* A cut that is shorter than the keepalive harms nothing: the same migration goes on. */
static void test_short_cut_is_survived(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_PARTITION, host(it, "h2"), 20 * EK_WORLD_SECOND_MS);
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "h2");
    assert_int_equal(ek_world_hypervisor(it)->calls[EK_SIM_MIGRATE], 1);
    ek_world_destroy(it);
}

/* The source's libvirtd restarts in mid-copy: libvirt cancels, the domain runs on its source, and
 * another attempt brings it over. */
static void test_source_libvirtd_restarts(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 3 * EK_WORLD_SECOND_MS);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "h2");
    assert_told(it, "attempt 2: running");
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    ek_world_destroy(it);
}

/* A guest that shuts itself down while it is moved is off, not failed, and is not started. */
static void test_guest_shuts_down(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_GUEST_OFF, domain(it, "a"), 0);
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ended(it, EK_MOVE_GUEST_OFF), 1);
    assert_string_equal(home(it, "a"), "");
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_destroy(it);
}

/* An orphan that libvirt leaves on the destination is removed by us, after libvirt's own time. */
static void test_orphan_is_removed(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 8G 1c");

    (void)state;
    ek_world_migrations(it)->orphans = 1;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 3 * EK_WORLD_SECOND_MS);
    pass(it, EK_WORLD_HOUR_MS);
    assert_told(it, "destroy-destination");
    assert_int_equal(ek_world_hypervisor(it)->calls[EK_SIM_DESTROY_DESTINATION], 1);
    assert_string_equal(home(it, "a"), "h2");
    ek_world_destroy(it);
}

/* A precheck that fails rejects the move; its domain is not lost for good. */
static void test_precheck_rejects(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 4G 1c");

    (void)state;
    fail_next(it, EK_SIM_PRECHECK, 1, EK_FAILURE_OTHER_HOST);
    drain(it, "h1");
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ended(it, EK_MOVE_REJECTED), 1);
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_destroy(it);
}

/* A failed preparation is tried again on the same hosts after its backoff, up to its retries. */
static void test_prepare_is_retried(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 4G 1c");

    (void)state;
    fail_next(it, EK_SIM_PREPARE, 3, EK_FAILURE_SAME_PAIR);
    drain(it, "h1");
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_told(it, "attempt 4: running");
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    ek_world_destroy(it);
}

/* ... and not when its host is not to be emptied any more by then: it stays where it is. */
static void test_no_retry_without_its_key(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 4G 1c");

    (void)state;
    fail_next(it, EK_SIM_PREPARE, 1, EK_FAILURE_SAME_PAIR);
    drain(it, "h1");
    until_state(it, EK_MOVE_RETRY_WAIT, EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), false);
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_told(it, "not tried again: its host is not to be emptied any more");
    assert_string_equal(home(it, "a"), "h1");
    assert_int_equal(ended(it, EK_MOVE_ROLLED_BACK), 1);
    ek_world_destroy(it);
}

/* A clean-up that fails for good does not undo a move that is done. */
static void test_failed_cleanup_is_no_failed_move(void **state)
{
    struct ek_world *it = world(TWO_HOSTS "a@h1 2v 4G 1c");

    (void)state;
    fail_next(it, EK_SIM_POST, 100, EK_FAILURE_LOST);
    drain(it, "h1");
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    assert_told(it, "a clean-up was left undone");
    ek_world_destroy(it);
}

/* A move whose outcome cannot be told blocks its domain, and nothing else, until an operator has
 * looked. */
static void test_unknown_blocks_until_resolved(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 8G 1c; b@h1 2v 4G 1c");
    struct ek_error err = {0};

    (void)state;
    drain(it, "h1");
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    fail_next(it, EK_SIM_OBSERVE, 1000, EK_FAILURE_LOST);
    strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 3 * EK_WORLD_SECOND_MS);
    until_state(it, EK_MOVE_UNKNOWN, 10 * EK_WORLD_MINUTE_MS);
    fail_next(it, EK_SIM_OBSERVE, 0, EK_FAILURE_LOST);
    assert_int_equal(ended(it, EK_MOVE_UNKNOWN), 1);
    pass(it, EK_WORLD_HOUR_MS);
    assert_string_equal(home(it, "a"), "h1");
    assert_int_equal(residents(it, "h1"), 1);
    assert_maintenance(it, "h1", EK_MAINTENANCE_BLOCKED);
    assert_true(ek_world_resolve(it, domain(it, "a"), &err));
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_destroy(it);
}

/* The Finish reply of our migration is lost: it runs on the destination, its source is left paused.
 * While our daemon is away, an operator moves it on to a third host. */
static void strand_and_move_on(struct ek_world *it)
{
    const struct ek_sim_migration *ours = NULL;

    do {
        pass(it, 5);
        ours = ek_sim_migration_of(ek_world_migrations(it), domain(it, "a"));
    } while (ours == NULL || ours->phase != EK_SIM_PHASE_FINISHED);
    uint32_t destination = ours->request.destination;
    strike(it, EK_WORLD_BALANCER_CRASH, 0, 10 * EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_CONTROL_CUT, destination, 40 * EK_WORLD_SECOND_MS);
    pass(it, EK_WORLD_MINUTE_MS);
    uint32_t third = host(it, destination == host(it, "h2") ? "h3" : "h2");
    assert_true(ek_world_move_by_hand(it, domain(it, "a"), third));
    pass(it, 5 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ek_sim_cluster_home(ek_world_cluster(it), domain(it, "a")), third);
}

/* A source that our own migration left paused is not resumed before every other host has said that
 * it does not run the domain: destination and source alone do not know. */
static void test_third_host_is_asked_before_a_resume(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 4G 1c");

    (void)state;
    drain(it, "h1");
    strand_and_move_on(it);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_told(it, "repair, resume-source");
    assert_int_equal(ended(it, EK_MOVE_UNKNOWN), 1);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destination_crashes_in_copy),
        cmocka_unit_test(test_destination_is_gone_for_good),
        cmocka_unit_test(test_guest_that_does_not_converge),
        cmocka_unit_test(test_auto_converge_brings_it_over),
        cmocka_unit_test(test_lost_reply),
        cmocka_unit_test(test_journal_away),
        cmocka_unit_test(test_data_network_cut),
        cmocka_unit_test(test_short_cut_is_survived),
        cmocka_unit_test(test_source_libvirtd_restarts),
        cmocka_unit_test(test_guest_shuts_down),
        cmocka_unit_test(test_orphan_is_removed),
        cmocka_unit_test(test_precheck_rejects),
        cmocka_unit_test(test_prepare_is_retried),
        cmocka_unit_test(test_no_retry_without_its_key),
        cmocka_unit_test(test_failed_cleanup_is_no_failed_move),
        cmocka_unit_test(test_unknown_blocks_until_resolved),
        cmocka_unit_test(test_third_host_is_asked_before_a_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
