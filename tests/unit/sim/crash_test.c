/* Our daemon dies in every state of a move, before and after the effect that the state announces:
 * the domain runs exactly once, the record comes to its end, and the work is taken up again. */
#include "story.h"

#include <string.h>

/* How a move is led into a state that it does not pass by itself. */
static void lead_to(struct ek_world *it, enum ek_move_state state)
{
    struct ek_sim_fault *faults = ek_world_hypervisor(it)->faults;

    if (state == EK_MOVE_UNPREPARE || state == EK_MOVE_RETRY_WAIT) {
        faults[EK_SIM_PREPARE] = (struct ek_sim_fault){.times = 1, .failure = EK_FAILURE_SAME_PAIR};
    } else if (state == EK_MOVE_RECONCILE) {
        faults[EK_SIM_MIGRATE] = (struct ek_sim_fault){.times = 1, .failure = EK_FAILURE_LOST};
    }
}

/* Long downtimes, so that the look once a second meets the switchover. Every other seed hands over
 * in two steps. */
static struct ek_world *slow_switchover(uint64_t seed)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    ek_world_options_defaults(&options);
    options.seed = seed;
    policy.max_downtime_ms = 25000; /* the ladder begins with a fifth of it */
    policy.two_step = seed % 2 == 0 ? EK_TWO_STEP_ALWAYS : EK_TWO_STEP_COPIED;
    return world_with("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*2@h1 2v 4G 1c 80d", &options, &policy);
}

static void die_in(enum ek_move_state state, bool before_effect, int64_t down_ms, uint64_t seed)
{
    struct ek_world *it = slow_switchover(seed);

    lead_to(it, state);
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_crash_at_state(it, state, before_effect, down_ms);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_told(it, "daemon: dies");
    until_quiet(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_int_equal(ek_sim_cluster_stopped(ek_world_cluster(it)), 0);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_destroy(it);
}

/* Short outages and such that outlast the migration, with several seeds. */
static void die_in_all_ways(enum ek_move_state state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        die_in(state, true, EK_WORLD_SECOND_MS, seed);
        die_in(state, false, EK_WORLD_SECOND_MS, seed);
        die_in(state, true, 5 * EK_WORLD_MINUTE_MS, seed);
        die_in(state, false, 5 * EK_WORLD_MINUTE_MS, seed);
    }
}

#define DEATH_IN(name, which)                      \
    static void test_death_in_##name(void **state) \
    {                                              \
        (void)state;                               \
        die_in_all_ways(which);                    \
    }

DEATH_IN(claimed, EK_MOVE_CLAIMED)
DEATH_IN(precheck, EK_MOVE_PRECHECK)
DEATH_IN(prepare, EK_MOVE_PREPARE)
DEATH_IN(running, EK_MOVE_RUNNING)
DEATH_IN(switchover, EK_MOVE_SWITCHOVER)
DEATH_IN(commit_pending, EK_MOVE_COMMIT_PENDING)
DEATH_IN(post, EK_MOVE_POST)
DEATH_IN(reconcile, EK_MOVE_RECONCILE)
DEATH_IN(unprepare, EK_MOVE_UNPREPARE)
DEATH_IN(retry_wait, EK_MOVE_RETRY_WAIT)
DEATH_IN(done, EK_MOVE_DONE)

/* Every state that a move can be left in has its story above. */
static void test_no_state_is_forgotten(void **state)
{
    static const enum ek_move_state told[] = {
        EK_MOVE_CLAIMED,        EK_MOVE_PRECHECK,  EK_MOVE_PREPARE,   EK_MOVE_RUNNING,
        EK_MOVE_SWITCHOVER,     EK_MOVE_POST,      EK_MOVE_RECONCILE, EK_MOVE_UNPREPARE,
        EK_MOVE_COMMIT_PENDING, EK_MOVE_RETRY_WAIT};
    size_t open = 0;

    (void)state;
    for (enum ek_move_state s = EK_MOVE_PLANNED; s < EK_MOVE_STATE_COUNT; s++) {
        open += ek_move_state_terminal(s) || s == EK_MOVE_PLANNED ? 0 : 1; /* never written */
    }
    assert_int_equal(open, sizeof(told) / sizeof(told[0]));
}

/* The daemon dies together with the source's libvirtd: still one copy, and the record ends. */
static void test_death_with_source_libvirtd(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct ek_world *it = slow_switchover(seed);
        until(it, 2 * EK_WORLD_MINUTE_MS);
        ek_world_set_maintenance(it, host(it, "h1"), true);
        until_state(it, seed % 2 == 0 ? EK_MOVE_RUNNING : EK_MOVE_SWITCHOVER,
                    5 * EK_WORLD_MINUTE_MS);
        strike(it, EK_WORLD_BALANCER_CRASH, 0, 20 * EK_WORLD_SECOND_MS);
        strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 3 * EK_WORLD_SECOND_MS);
        pass(it, EK_WORLD_HOUR_MS);
        until_quiet(it, EK_WORLD_HOUR_MS);
        assert_int_equal(residents(it, "h1"), 0);
        assert_int_equal(ek_sim_cluster_stopped(ek_world_cluster(it)), 0);
        ek_world_destroy(it);
    }
}

/* Rests outlive the daemon: what moved before its death is not moved again at once after it. */
static void test_rests_outlive_the_daemon(void **state)
{
    static const struct ek_sim_step later[] = {{12 * EK_WORLD_MINUTE_MS, 3.9}};
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*2@h1 4v 4G 3.5c");
    const struct ek_sim_domain_spec late = {.name = "late",
                                            .host = 1,
                                            .vcpus = 4,
                                            .memory_mib = 4096,
                                            .cpu_cores = 0.1,
                                            .steps = later,
                                            .step_count = 1};
    struct ek_error err = {0};

    (void)state;
    assert_int_not_equal(ek_world_add_domain(it, &late, &err), EK_NONE);
    until(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ended(it, EK_MOVE_DONE), 1);
    strike(it, EK_WORLD_BALANCER_CRASH, 0, EK_WORLD_MINUTE_MS);
    pass(it, 15 * EK_WORLD_MINUTE_MS);
    assert_told(it, "daemon: starts, epoch 2");
    assert_true(residents(it, "h1") == 1);
    ek_world_destroy(it);
}

/* Cycles that were counted before the daemon's death count on after it, and what was expected is
 * expected. */
static void test_memory_outlives_the_daemon(void **state)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    (void)state;
    ek_world_options_defaults(&options);
    policy.sustained_cycles = 30;
    struct ek_world *it = world_with("h1 8c 32G; h2 8c 32G; a*6@h1 2v 2G 1.2c", &options, &policy);
    until(it, 20 * EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_BALANCER_CRASH, 0, 2 * EK_WORLD_MINUTE_MS);
    until(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(ek_world_counters(it).started, 0);
    until(it, 40 * EK_WORLD_MINUTE_MS);
    assert_true(ek_world_counters(it).started > 0);
    ek_world_destroy(it);
}

/* A domain that an unknown outcome blocks stays blocked after a restart. */
static void test_block_outlives_the_daemon(void **state)
{
    struct ek_world *it = slow_switchover(1);
    struct ek_sim_fault *observe = &ek_world_hypervisor(it)->faults[EK_SIM_OBSERVE];

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    *observe = (struct ek_sim_fault){.times = 1000, .failure = EK_FAILURE_LOST};
    strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 3 * EK_WORLD_SECOND_MS);
    ek_world_crash_at_state(it, EK_MOVE_UNKNOWN, true, EK_WORLD_MINUTE_MS);
    until_state(it, EK_MOVE_UNKNOWN, 10 * EK_WORLD_MINUTE_MS);
    observe->times = 0;
    pass(it, EK_WORLD_HOUR_MS);
    assert_told(it, "daemon: starts, epoch 2");
    assert_int_equal(residents(it, "h1"), 1);
    assert_maintenance(it, "h1", EK_MAINTENANCE_BLOCKED);
    ek_world_destroy(it);
}

/* Lets an operator's migration lose its Finish reply: it runs on the destination, which then cannot
 * be reached, and its source keeps a paused copy. */
static void strand_by_hand(struct ek_world *it, uint32_t domain, uint32_t destination)
{
    const struct ek_sim_migration *by_hand = NULL;

    assert_true(ek_world_move_by_hand(it, domain, destination));
    do {
        pass(it, 5);
        by_hand = ek_sim_migration_of(ek_world_migrations(it), domain);
        assert_non_null(by_hand);
    } while (by_hand->phase != EK_SIM_PHASE_FINISHED);
    strike(it, EK_WORLD_CONTROL_CUT, destination, EK_WORLD_HOUR_MS);
    pass(it, EK_WORLD_MINUTE_MS);
}

/* A source that somebody else's migration left paused is not resumed: it may run where that
 * migration went, on a host that is not asked. */
static void test_only_what_we_paused_is_resumed(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; h4 8c 32G; a@h1 2v 4G 1c");

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_crash_at_state(it, EK_MOVE_PRECHECK, true, 10 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, EK_WORLD_SECOND_MS);
    assert_told(it, "from h1 to h2");
    strand_by_hand(it, domain(it, "a"), host(it, "h4"));
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_told(it, "left as precheck");
    assert_string_equal(home(it, "a"), "h4");
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death_in_claimed),
        cmocka_unit_test(test_death_in_precheck),
        cmocka_unit_test(test_death_in_prepare),
        cmocka_unit_test(test_death_in_running),
        cmocka_unit_test(test_death_in_switchover),
        cmocka_unit_test(test_death_in_commit_pending),
        cmocka_unit_test(test_death_in_post),
        cmocka_unit_test(test_death_in_reconcile),
        cmocka_unit_test(test_death_in_unprepare),
        cmocka_unit_test(test_death_in_retry_wait),
        cmocka_unit_test(test_death_in_done),
        cmocka_unit_test(test_no_state_is_forgotten),
        cmocka_unit_test(test_death_with_source_libvirtd),
        cmocka_unit_test(test_rests_outlive_the_daemon),
        cmocka_unit_test(test_memory_outlives_the_daemon),
        cmocka_unit_test(test_block_outlives_the_daemon),
        cmocka_unit_test(test_only_what_we_paused_is_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
