/* Emptying hosts, told as stories in the simulated cluster. */
#include "story.h"

#define THREE_HOSTS "h1 8c 32G; h2 8c 32G; h3 8c 32G; "

/* A maintenance key empties its host; with DEL the host is used again. */
static void test_key_empties_and_del_fills_again(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a*4@h1 2v 4G 1c; b*4@h2 2v 4G 1c; c*4@h3 2v 4G 1c");

    (void)state;
    until(it, 10 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_set_maintenance(it, host(it, "h1"), false);
    pass(it, 3 * EK_WORLD_HOUR_MS);
    assert_true(residents(it, "h1") >= 3);
    assert_maintenance(it, "h1", EK_MAINTENANCE_ENDED);
    ek_world_destroy(it);
}

/* The key is noticed at once, not with the next cycle. */
static void test_key_is_noticed_at_once(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a*2@h1 2v 4G 0.5c");

    (void)state;
    until(it, 10 * EK_WORLD_MINUTE_MS + 1);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, EK_WORLD_SECOND_MS);
    assert_true(ek_world_counters(it).started > 0);
    ek_world_destroy(it);
}

/* More than fits elsewhere: that is said at once, and everything stays where it is. */
static void test_larger_than_room_is_infeasible(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 16G; a*5@h1 2v 5G 0.2c");

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, EK_WORLD_HOUR_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_INFEASIBLE);
    assert_int_equal(residents(it, "h1"), 5);
    assert_int_equal(ek_world_counters(it).started, 0);
    assert_told(it, "of memory needed");
    ek_world_destroy(it);
}

/* Where a part will do, what fits goes. */
static void test_a_part_leaves(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 16G; a*5@h1 2v 5G 0.2c");

    (void)state;
    until(it, 5 * EK_WORLD_MINUTE_MS);
    ek_world_set_partial_maintenance(it, host(it, "h1"));
    pass(it, EK_WORLD_HOUR_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_INFEASIBLE);
    assert_int_equal(residents(it, "h2"), 3);
    assert_int_equal(residents(it, "h1"), 2);
    ek_world_destroy(it);
}

static uint32_t add_asking(struct ek_world *it, const char *name, const struct ek_domain *like)
{
    const struct ek_sim_domain_spec spec = {.name = name,
                                            .host = host(it, "h1"),
                                            .vcpus = 1,
                                            .memory_mib = 2048,
                                            .cpu_cores = 0.2,
                                            .like = like};
    struct ek_error err = {0};
    uint32_t index = ek_world_add_domain(it, &spec, &err);

    assert_int_not_equal(index, EK_NONE);
    return index;
}

/* Who asks for it is saved or shut down when all others have left; a daemon that dies in the midst
 * changes nothing of that, and nobody is started again. */
static void test_who_asks_is_stopped_last(void **state)
{
    static const struct ek_domain saved = {.movable = true, .evacuation = EK_EVACUATE_SAVE};
    static const struct ek_domain off = {.movable = true, .evacuation = EK_EVACUATE_SHUTDOWN};

    (void)state;
    for (int death = 0; death < 2; death++) {
        struct ek_world *it = world("h1 8c 32G; h2 8c 32G; a*3@h1 1v 4G 0.2c");
        uint32_t s = add_asking(it, "s", &saved);
        uint32_t o = add_asking(it, "o", &off);
        struct ek_sim_cluster *cluster = ek_world_cluster(it);
        until(it, 5 * EK_WORLD_MINUTE_MS);
        ek_world_set_maintenance(it, host(it, "h1"), true);
        while (residents(it, "h2") < 3) {
            assert_true(cluster->domains[s].running == 1 && cluster->domains[o].running == 1);
            pass(it, EK_WORLD_SECOND_MS);
        }
        if (death > 0) {
            ek_world_crash_at_state(it, EK_MOVE_RUNNING, false, 5000);
        }
        pass(it, EK_WORLD_HOUR_MS);
        assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
        assert_true(cluster->domains[s].fate == EK_SIM_SHUT_DOWN);
        assert_true(ek_sim_cluster_copy(cluster, s, host(it, "h1"))->saved);
        assert_true(cluster->domains[o].fate == EK_SIM_SHUT_DOWN);
        assert_false(ek_sim_cluster_copy(cluster, o, host(it, "h1"))->saved);
        assert_int_equal(ek_world_counters(it).wrong, 0);
        ek_world_set_maintenance(it, host(it, "h1"), false);
        pass(it, EK_WORLD_HOUR_MS);
        assert_true(cluster->domains[s].fate == EK_SIM_SHUT_DOWN);
        ek_world_destroy(it);
    }
}

/* A key that goes half-way (deleted, or by its own time to live): what runs ends, nothing more
 * begins, and the host is used again. */
static void test_a_key_that_goes_half_way(void **state)
{
    struct ek_world *it = world("h1 8c 64G; h2 8c 64G; a*4@h1 2v 6G 0.2c");

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), false);
    pass(it, EK_WORLD_HOUR_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_ENDED);
    assert_int_equal(ek_world_counters(it).started, 1);
    assert_int_equal(residents(it, "h1"), 3);
    assert_told(it, "the hosts to be emptied have changed");
    ek_world_destroy(it);
}

/* A host that is down is blocked; when it comes back, its guests gone, it is empty; what starts on
 * it leaves. */
static void test_a_host_that_comes_back(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a*2@h1 2v 4G 0.5c; b@h2 2v 4G 0.5c");

    (void)state;
    until(it, 5 * EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_LIBVIRTD_DOWN, host(it, "h1"), 20 * EK_WORLD_MINUTE_MS);
    pass(it, 5 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    pass(it, 5 * EK_WORLD_MINUTE_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_BLOCKED);
    assert_int_equal(ek_world_counters(it).started, 0);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    assert_int_equal(residents(it, "h1"), 0);
    ek_world_destroy(it);
}

/* A destination that goes down half-way: what has begun goes on to the others, and what fits there
 * only is said to be stuck. */
static void test_a_destination_that_goes_half_way(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 16G; h3 8c 8G; a*4@h1 2v 4G 0.2c");

    (void)state;
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_MINUTE_MS);
    pass(it, 10 * EK_WORLD_SECOND_MS);
    strike(it, EK_WORLD_HOST_CRASH, host(it, "h3"), 0);
    pass(it, 2 * EK_WORLD_HOUR_MS);
    assert_true(residents(it, "h2") >= 2);
    assert_true(residents(it, "h1") >= 1);
    ek_world_destroy(it);
}

/* Two hosts are drained at once, neither into the other. */
static void test_two_hosts_at_once(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "h4 8c 32G; a*4@h1 2v 4G 0.5c; b*4@h2 2v 4G 0.5c");

    (void)state;
    until(it, 5 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    ek_world_set_maintenance(it, host(it, "h2"), true);
    pass(it, EK_WORLD_HOUR_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    assert_maintenance(it, "h2", EK_MAINTENANCE_EVACUATED);
    assert_int_equal(ended(it, EK_MOVE_DONE), 8);
    assert_not_told(it, "from h1 to h2");
    assert_not_told(it, "from h2 to h1");
    ek_world_destroy(it);
}

/* What comes to a drained host by an operator's hand leaves it again. */
static void test_what_comes_later_leaves_again(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a@h1 2v 4G 0.5c; b@h2 2v 4G 0.5c");

    (void)state;
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until(it, 10 * EK_WORLD_MINUTE_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    assert_true(ek_world_move_by_hand(it, domain(it, "b"), host(it, "h1")));
    pass(it, 2 * EK_WORLD_MINUTE_MS);
    pass(it, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_destroy(it);
}

/* A drained host that is switched off and on again stays out of use as long as its key is there. */
static void test_reboot_of_a_drained_host(void **state)
{
    struct ek_world *it = world(THREE_HOSTS "a*3@h1 2v 4G 2c; b*3@h2 2v 4G 2c");

    (void)state;
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until(it, 15 * EK_WORLD_MINUTE_MS);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    strike(it, EK_WORLD_HOST_CRASH, host(it, "h1"), 10 * EK_WORLD_MINUTE_MS);
    pass(it, 2 * EK_WORLD_HOUR_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_int_equal(ek_sim_cluster_stopped(ek_world_cluster(it)), 0);
    assert_maintenance(it, "h1", EK_MAINTENANCE_EVACUATED);
    ek_world_destroy(it);
}

/* How long a drain takes, over the time in which the links could carry what was copied. */
static double drain_over_bound(const char *cluster, double links_mib_s)
{
    struct ek_policy policy = automatic_policy();
    struct ek_world_options options;

    ek_world_options_defaults(&options);
    policy.limit_host_out = 3;
    struct ek_world *it = world_with(cluster, &options, &policy);
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
    int64_t began_ms = ek_world_now_ms(it);
    while (residents(it, "h1") > 0) {
        assert_true(ek_world_now_ms(it) - began_ms < EK_WORLD_HOUR_MS);
        pass(it, EK_WORLD_SECOND_MS);
    }
    double took_s = (double)(ek_world_now_ms(it) - began_ms) / 1000;
    double bound_s = ek_world_migrations(it)->moved_mib / links_mib_s;
    ek_world_destroy(it);
    return took_s / bound_s;
}

/* Slow destinations are filled beside one another, and a source that carries two of them is never
 * left idle, nor divided among three. */
static void test_links_are_used_to_the_full(void **state)
{
    (void)state;
    assert_true(drain_over_bound("h1 32c 64G 110m; h2 32c 64G 12m; h3 32c 64G 12m;"
                                 "h4 32c 64G 12m; a*12@h1 1v 2G 0.1c",
                                 36) < 1.15);
    assert_true(drain_over_bound("h1 32c 64G 23m; h2 32c 64G 12m; h3 32c 64G 12m;"
                                 "h4 32c 64G 12m; a*12@h1 1v 2G 0.1c",
                                 23) < 1.15);
    /* One after the other: the next begins before the last one has ended. */
    assert_true(drain_over_bound("h1 32c 64G 23m; h2 32c 64G; h3 32c 64G; h4 32c 64G;"
                                 "a*12@h1 1v 0.25G 0.1c",
                                 23) < 1.08);
}

/* How long the drain of h1 takes, with a deadline so long after its beginning (0: none). */
static int64_t drain_ms(const struct ek_policy *policy, int64_t deadline_ms)
{
    struct ek_world_options options;

    ek_world_options_defaults(&options);
    /* Two destinations that are half as fast as h1. */
    struct ek_world *it = world_with("h1 32c 64G 100m; h2 32c 64G 50m; h3 32c 64G 50m;"
                                     "a*8@h1 1v 2G 0.1c",
                                     &options, policy);
    until(it, 2 * EK_WORLD_MINUTE_MS);
    int64_t began_ms = ek_world_now_ms(it);
    if (deadline_ms > 0) {
        ek_world_set_deadline(it, host(it, "h1"), began_ms + deadline_ms);
    } else {
        ek_world_set_maintenance(it, host(it, "h1"), true);
    }
    while (residents(it, "h1") > 0) {
        assert_true(ek_world_now_ms(it) - began_ms < EK_WORLD_HOUR_MS);
        pass(it, EK_WORLD_SECOND_MS);
    }
    int64_t took_ms = ek_world_now_ms(it) - began_ms;
    ek_world_destroy(it);
    return took_ms;
}

/* A near deadline is met, where the policy's limits alone are late by more than half as much again;
 * a far one changes nothing. */
static void test_a_near_deadline_is_met(void **state)
{
    const struct ek_policy policy = automatic_policy();

    (void)state;
    int64_t alone_ms = drain_ms(&policy, 0);
    int64_t deadline_ms = alone_ms * 65 / 100;
    int64_t near_ms = drain_ms(&policy, deadline_ms);
    print_message("8 domains: limits alone %lld s, with a deadline of %lld s %lld s\n",
                  (long long)alone_ms / 1000, (long long)deadline_ms / 1000,
                  (long long)near_ms / 1000);
    assert_true(near_ms <= deadline_ms);
    assert_int_equal(drain_ms(&policy, 2 * alone_ms), alone_ms);
}

/* The same of a bandwidth: by the limits the links are used to a fifth. */
static void test_a_near_deadline_gets_the_bandwidth(void **state)
{
    struct ek_policy policy = automatic_policy();

    (void)state;
    policy.bandwidth_per_host_mib_s = 10;
    policy.urgent.bandwidth_per_host_mib_s = 50;
    int64_t alone_ms = drain_ms(&policy, 0);
    int64_t deadline_ms = alone_ms * 4 / 10;
    assert_true(drain_ms(&policy, deadline_ms) <= deadline_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_empties_and_del_fills_again),
        cmocka_unit_test(test_key_is_noticed_at_once),
        cmocka_unit_test(test_larger_than_room_is_infeasible),
        cmocka_unit_test(test_a_part_leaves),
        cmocka_unit_test(test_who_asks_is_stopped_last),
        cmocka_unit_test(test_a_key_that_goes_half_way),
        cmocka_unit_test(test_a_host_that_comes_back),
        cmocka_unit_test(test_a_destination_that_goes_half_way),
        cmocka_unit_test(test_two_hosts_at_once),
        cmocka_unit_test(test_what_comes_later_leaves_again),
        cmocka_unit_test(test_reboot_of_a_drained_host),
        cmocka_unit_test(test_links_are_used_to_the_full),
        cmocka_unit_test(test_a_near_deadline_is_met),
        cmocka_unit_test(test_a_near_deadline_gets_the_bandwidth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
