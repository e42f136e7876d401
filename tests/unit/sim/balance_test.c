/* The engine's balancing, told as stories in the simulated cluster. */
#include "story.h"

/* All load on one host is levelled, and stays so: the last 23 hours of a day see no move. */
static void test_levelled_and_stays_so(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*9@h1 2v 2G 0.9c");

    (void)state;
    until(it, EK_WORLD_DAY_MS);
    assert_int_equal(residents(it, "h1"), 3);
    assert_int_equal(residents(it, "h2"), 3);
    assert_int_equal(residents(it, "h3"), 3);
    assert_int_equal(ended(it, EK_MOVE_DONE), 6);
    assert_true(ek_world_counters(it).last_start_ms < EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

/* A level cluster is left alone. */
static void test_level_is_left_alone(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; a*3@h1 2v 2G 1.7c; b*3@h2 2v 2G 1.7c");

    (void)state;
    until(it, 6 * EK_WORLD_HOUR_MS);
    assert_int_equal(ek_world_counters(it).started, 0);
    ek_world_destroy(it);
}

/* Recommending is not moving: the plan is told, nothing is touched. */
static void test_recommend_moves_nothing(void **state)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    (void)state;
    ek_world_options_defaults(&options);
    policy.mode = EK_MODE_RECOMMEND;
    struct ek_world *it = world_with("h1 8c 32G; h2 8c 32G; a*6@h1 2v 2G 1.2c", &options, &policy);
    until(it, EK_WORLD_HOUR_MS);
    assert_int_equal(ek_world_counters(it).started, 0);
    assert_int_equal(residents(it, "h1"), 6);
    assert_told(it, "recommended");
    ek_world_destroy(it);
}

/* A domain whose load follows two steps, over and over. */
static void add_wave(struct ek_world *it, const char *name, const char *where,
                     const struct ek_sim_step *steps, int64_t repeat_ms)
{
    const struct ek_sim_domain_spec spec = {.name = name,
                                            .host = host(it, where),
                                            .vcpus = 4,
                                            .memory_mib = 4096,
                                            .cpu_cores = steps[1].cores,
                                            .steps = steps,
                                            .step_count = 2,
                                            .repeat_ms = repeat_ms};
    struct ek_error err = {0};

    assert_int_not_equal(ek_world_add_domain(it, &spec, &err), EK_NONE);
}

/* Bursts that are over before they count as lasting move nothing, however high they are. */
static void test_short_bursts_move_nothing(void **state)
{
    static const struct ek_sim_step burst[] = {{0, 0.2}, {19 * EK_WORLD_MINUTE_MS, 3.8}};
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; b@h2 2v 4G 0.5c");

    (void)state;
    add_wave(it, "a1", "h1", burst, 20 * EK_WORLD_MINUTE_MS);
    add_wave(it, "a2", "h1", burst, 20 * EK_WORLD_MINUTE_MS);
    until(it, EK_WORLD_DAY_MS);
    assert_int_equal(ek_world_counters(it).started, 0);
    ek_world_destroy(it);
}

/* Bursts that take a fifth of the time are what their guests need: those that share a host are
 * parted, once. */
static void test_frequent_bursts_are_parted_once(void **state)
{
    static const struct ek_sim_step burst[] = {{0, 0.2}, {8 * EK_WORLD_MINUTE_MS, 3.8}};
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; b@h2 2v 4G 0.5c");

    (void)state;
    add_wave(it, "a1", "h1", burst, 10 * EK_WORLD_MINUTE_MS);
    add_wave(it, "a2", "h1", burst, 10 * EK_WORLD_MINUTE_MS);
    until(it, EK_WORLD_DAY_MS);
    assert_int_equal(ek_world_counters(it).started, 1);
    assert_string_not_equal(home(it, "a1"), home(it, "a2"));
    ek_world_destroy(it);
}

/* Eight hosts, each with as many guests of the same mean, which jump about it from sample to
 * sample; a day of an eager policy. Moves that were started. */
static uint64_t moves_of_a_noisy_day(double noise_sigma)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    ek_world_options_defaults(&options);
    options.noise = 0.5;
    options.keep_trace = false;
    ek_policy_set_aggressiveness(&policy, 5);
    policy.noise_sigma = noise_sigma;
    struct ek_world *it = world_with("h1 16c 64G; h2 16c 64G; h3 16c 64G; h4 16c 64G;"
                                     "a*8@h1 2v 4G 0.8c; b*8@h2 2v 4G 0.8c; c*8@h3 2v 4G 0.8c;"
                                     "d*8@h4 2v 4G 0.8c",
                                     &options, &policy);
    until(it, EK_WORLD_DAY_MS);
    uint64_t started = ek_world_counters(it).started;
    ek_world_destroy(it);
    return started;
}

/* What noise explains is no reason to move, however eager the policy; a policy that passes over
 * noise chases it. */
static void test_noise_moves_nothing(void **state)
{
    (void)state;
    assert_int_equal(moves_of_a_noisy_day(2), 0);
    assert_true(moves_of_a_noisy_day(0) > 10);
}

/* Load that flaps between two hosts does not flap moves: they are mixed once, then it is quiet. */
static void test_flapping_load_does_not_flap_moves(void **state)
{
    static const struct ek_sim_step even[] = {{0, 3.5}, {2 * EK_WORLD_MINUTE_MS, 0.1}};
    static const struct ek_sim_step odd[] = {{0, 0.1}, {2 * EK_WORLD_MINUTE_MS, 3.5}};
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G");

    (void)state;
    for (int i = 0; i < 2; i++) {
        add_wave(it, i == 0 ? "a1" : "a2", "h1", even, 4 * EK_WORLD_MINUTE_MS);
        add_wave(it, i == 0 ? "b1" : "b2", "h2", odd, 4 * EK_WORLD_MINUTE_MS);
    }
    until(it, EK_WORLD_DAY_MS);
    assert_true(ek_world_counters(it).started <= 2);
    assert_true(ek_world_counters(it).last_start_ms < EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

/* Load that comes and goes with the hours is followed, but what moved rests: a day of twelve waves
 * sees a few moves, not twelve. */
static void test_slow_waves_are_followed_with_rest(void **state)
{
    static const struct ek_sim_step even[] = {{0, 3.8}, {EK_WORLD_HOUR_MS, 0.1}};
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; steady@h1 4v 4G 3.8c");

    (void)state;
    add_wave(it, "wave", "h1", even, 2 * EK_WORLD_HOUR_MS);
    until(it, EK_WORLD_DAY_MS);
    assert_true(ek_world_counters(it).started >= 1);
    assert_true(ek_world_counters(it).started <= 3);
    ek_world_destroy(it);
}

/* A host without fresh samples is no destination, however empty it is; later it is one again. */
static void test_stale_host_is_no_destination(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*6@h1 2v 2G 1.7c");

    (void)state;
    strike(it, EK_WORLD_CONTROL_CUT, host(it, "h3"), 2 * EK_WORLD_HOUR_MS);
    until(it, EK_WORLD_HOUR_MS);
    assert_int_equal(residents(it, "h3"), 0);
    assert_true(residents(it, "h2") > 0);
    until(it, 5 * EK_WORLD_HOUR_MS);
    assert_true(residents(it, "h3") > 0);
    ek_world_destroy(it);
}

/* With most hosts lost at once it is our own network that must be looked at: nothing moves. */
static void test_too_many_lost_hosts_hold(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; h3 8c 32G; h4 8c 32G; a*6@h1 2v 2G 1.2c");

    (void)state;
    for (uint32_t h = 1; h < 4; h++) {
        strike(it, EK_WORLD_CONTROL_CUT, h, EK_WORLD_HOUR_MS);
    }
    until(it, EK_WORLD_HOUR_MS);
    assert_told(it, "holding: 3 of 4 hosts have no fresh sample");
    assert_int_equal(ek_world_counters(it).started, 0);
    until(it, 2 * EK_WORLD_HOUR_MS);
    assert_told(it, "no longer holding");
    assert_true(ek_world_counters(it).started > 0);
    ek_world_destroy(it);
}

/* The first domain that no migration has in hand. */
static uint32_t idle_domain(struct ek_world *it)
{
    uint32_t d = 0;

    while (ek_sim_migration_of(ek_world_migrations(it), d) != NULL) {
        d++;
    }
    return d;
}

/* What an operator moves by hand during a plan is not moved back, and the rest is levelled. */
static void test_no_fight_with_an_operator(void **state)
{
    struct ek_world *it = world("h1 8c 64G; h2 8c 64G; h3 8c 64G; a*9@h1 2v 8G 0.8c");

    (void)state;
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_HOUR_MS);
    uint32_t taken = idle_domain(it);
    assert_true(ek_world_move_by_hand(it, taken, host(it, "h2")));
    until(it, 6 * EK_WORLD_HOUR_MS);
    assert_int_equal(ek_sim_cluster_home(ek_world_cluster(it), taken), host(it, "h2"));
    assert_true(residents(it, "h1") <= 4 && residents(it, "h2") <= 4 && residents(it, "h3") <= 4);
    assert_true(ek_world_counters(it).last_start_ms < EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levelled_and_stays_so),
        cmocka_unit_test(test_level_is_left_alone),
        cmocka_unit_test(test_recommend_moves_nothing),
        cmocka_unit_test(test_short_bursts_move_nothing),
        cmocka_unit_test(test_frequent_bursts_are_parted_once),
        cmocka_unit_test(test_noise_moves_nothing),
        cmocka_unit_test(test_flapping_load_does_not_flap_moves),
        cmocka_unit_test(test_slow_waves_are_followed_with_rest),
        cmocka_unit_test(test_stale_host_is_no_destination),
        cmocka_unit_test(test_too_many_lost_hosts_hold),
        cmocka_unit_test(test_no_fight_with_an_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
