/* Whole simulations: what the referee counts, that runs repeat, and that guests come back. */
#include "story.h"

#include "balancer/sim/generate.h"
#include "balancer/sim/load_series.h"

#include <math.h>
#include <string.h>

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-6;
}

/* ---- the referee --------------------------------------------------------------------------- */

/* A day's reading of that world, whose daemon is dead and moves nothing. */
static struct ek_meter_point read_hour(struct ek_world *it, struct ek_meter *meter)
{
    struct ek_meter_point point;
    struct ek_error err = {0};

    ek_world_crash_daemon(it);
    assert_true(ek_meter_init(meter, ek_world_cluster(it), 0.7, 0.85, &err));
    pass(it, EK_WORLD_HOUR_MS);
    ek_meter_read(meter, &point);
    return point;
}

/* Two that want three cores each of four (less a tenth of the host's own) miss their part; the idle
 * one beside them misses nothing. */
static void test_shortage_is_shared(void **state)
{
    struct ek_world *it = world("h1 4c 32G; a@h1 4v 2G 3c; b@h1 4v 2G 3c; idle@h1 2v 2G 0c");
    struct ek_meter meter;
    struct ek_meter_point point = read_hour(it, &meter);

    (void)state;
    assert_int_equal(point.full, 1);
    assert_int_equal(point.overloaded, 1);
    assert_true(near(point.cpu_mean, 1));
    assert_true(near(point.cpu_most, 6.1 / 4));
    assert_true(near(meter.domains[0].short_ms, (1 - 4 / 6.1) * EK_WORLD_HOUR_MS));
    assert_true(near(meter.domains[1].short_ms, meter.domains[0].short_ms));
    assert_true(near(meter.domains[2].short_ms, 0));
    ek_meter_finish(&meter);
    ek_world_destroy(it);
}

/* Imbalance is the standard deviation over hosts; overload is above a target, full is full. */
static void test_hosts_are_judged(void **state)
{
    struct ek_world *it =
        world("h1 10c 32G; h2 10c 32G; h3 10c 32G; a@h1 8v 2G 7.4c; b@h2 8v 28G 1.4c");
    struct ek_meter meter;
    struct ek_meter_point point = read_hour(it, &meter);

    (void)state;
    /* 75 %, 15 % and the hosts' own 1 %. */
    assert_true(near(point.cpu_mean, 0.91 / 3));
    assert_true(fabs(point.cpu_imbalance - 0.3207) < 1e-3);
    assert_int_equal(point.overloaded, 2); /* h1 in CPU, h2 in memory: 28.5 of 32 GiB */
    assert_int_equal(point.full, 0);
    assert_int_equal(point.used, 2);
    assert_int_equal(point.on, 3);
    ek_meter_finish(&meter);
    ek_world_destroy(it);
}

/* ---- runs ---------------------------------------------------------------------------------- */

static struct ek_simulation_result simulated(const struct ek_simulation *simulation,
                                             const struct ek_policy *policy)
{
    struct ek_simulation_result result;
    struct ek_error err = {0};

    if (!ek_simulate(&result, simulation, policy, &err)) {
        fail_msg("%s", err.message);
    }
    return result;
}

static struct ek_simulation over(const struct ek_generated *made, uint64_t seed)
{
    struct ek_simulation simulation;

    ek_simulation_defaults(&simulation);
    simulation.seed = seed;
    simulation.duration_ms = EK_WORLD_DAY_MS;
    simulation.hosts = made->hosts;
    simulation.host_count = made->host_count;
    simulation.domains = made->domains;
    simulation.domain_count = made->domain_count;
    simulation.load = &made->load;
    simulation.faults = made->faults;
    simulation.fault_count = made->fault_count;
    return simulation;
}

/* A small busy cluster with misfortunes. */
static void make(struct ek_generated *made)
{
    struct ek_generator generator;
    struct ek_error err = {0};

    ek_generator_defaults(&generator);
    generator.hosts = 6;
    generator.domains = 90;
    generator.load = 0.5;
    generator.bursts = 3;
    generator.failures = 100;
    generator.losses = 50;
    generator.duration_ms = EK_WORLD_DAY_MS;
    memset(made, 0, sizeof(*made));
    assert_true(ek_generate(made, &generator, &err));
    assert_true(made->fault_count > 0);
}

/* The same simulation is the same to the byte, another seed is another; a policy that recommends
 * acts all the same. */
static void test_runs_repeat(void **state)
{
    struct ek_generated made;
    struct ek_policy policy;

    (void)state;
    make(&made);
    ek_policy_defaults(&policy);
    assert_int_equal(policy.mode, EK_MODE_RECOMMEND);
    struct ek_simulation simulation = over(&made, 1);
    struct ek_simulation_result first = simulated(&simulation, &policy);
    struct ek_simulation_result again = simulated(&simulation, &policy);
    simulation.seed = 2;
    struct ek_simulation_result other = simulated(&simulation, &policy);
    assert_true(first.move_count > 0);
    assert_true(first.digest == again.digest);
    assert_int_equal(first.point_count, 24 * 60);
    assert_memory_equal(first.points, again.points, first.point_count * sizeof(*first.points));
    assert_memory_equal(first.moves, again.moves, first.move_count * sizeof(*first.moves));
    assert_true(first.digest != other.digest);
    ek_simulation_finish(&first);
    ek_simulation_finish(&again);
    ek_simulation_finish(&other);
    ek_generated_finish(&made);
}

/* What the readings say adds up to the totals. */
static void test_totals_are_sums(void **state)
{
    struct ek_generated made;
    struct ek_policy policy;
    double on_h = 0;
    double moved_mib = 0;
    size_t moves = 0;

    (void)state;
    make(&made);
    ek_policy_defaults(&policy);
    struct ek_simulation simulation = over(&made, 1);
    struct ek_simulation_result result = simulated(&simulation, &policy);
    for (size_t i = 0; i < result.point_count; i++) {
        on_h += result.points[i].on / 60.0;
        moved_mib += result.points[i].moved_mib;
        moves += result.points[i].moves;
    }
    assert_true(near(on_h, result.on_h) && result.on_h < 6 * 24);
    assert_true(near(moved_mib, result.moved_mib) && moved_mib > 0);
    assert_int_equal(moves, result.move_count);
    assert_int_equal(moves, result.counters.ended[EK_MOVE_DONE]);
    assert_true(near(result.days, 1));
    ek_simulation_finish(&result);
    ek_generated_finish(&made);
}

/* ---- back and forth ------------------------------------------------------------------------ */

/* `a` may move; `b` fills h1 in the first hour, `c` h2 in the second, and neither may move. */
static struct ek_simulation_result back_and_forth(int64_t flap_ms)
{
    static const struct ek_domain stays = {.movable = false, .immovable_reason = "it stays"};
    static const struct ek_load_point a[] = {{0, 2, NAN}};
    static const struct ek_load_point b[] = {{0, 6, NAN}, {EK_WORLD_HOUR_MS, 0, NAN}};
    static const struct ek_load_point c[] = {{0, 0, NAN}, {EK_WORLD_HOUR_MS, 6, NAN}};
    static const struct ek_load_track tracks[] = {{a, 1}, {b, 2}, {c, 2}};
    static const struct ek_load_series series = {.tracks = tracks, .track_count = 3};
    const struct ek_load load = ek_load_series(&series);
    const struct ek_sim_host_spec hosts[] = {{.name = "h1",
                                              .cpu_cores = 8,
                                              .memory_mib = 32768,
                                              .link_in_mib_s = 1000,
                                              .link_out_mib_s = 1000},
                                             {.name = "h2",
                                              .cpu_cores = 8,
                                              .memory_mib = 32768,
                                              .link_in_mib_s = 1000,
                                              .link_out_mib_s = 1000}};
    const struct ek_sim_domain_spec domains[] = {
        {.name = "a", .host = 0, .vcpus = 4, .memory_mib = 2048},
        {.name = "b", .host = 0, .vcpus = 8, .memory_mib = 2048, .like = &stays},
        {.name = "c", .host = 1, .vcpus = 8, .memory_mib = 2048, .like = &stays}};
    struct ek_policy policy;
    struct ek_simulation simulation;

    ek_policy_defaults(&policy);
    policy.cooldown_ms = 5 * EK_WORLD_MINUTE_MS;
    ek_simulation_defaults(&simulation);
    simulation.duration_ms = 2 * EK_WORLD_HOUR_MS;
    simulation.hosts = hosts;
    simulation.host_count = 2;
    simulation.domains = domains;
    simulation.domain_count = 3;
    simulation.load = &load;
    simulation.flap_ms = flap_ms;
    return simulated(&simulation, &policy);
}

/* Who comes back within the stated time flaps; who comes back later does not. */
static void test_flaps_are_counted(void **state)
{
    struct ek_simulation_result soon = back_and_forth(2 * EK_WORLD_HOUR_MS);
    struct ek_simulation_result late = back_and_forth(10 * EK_WORLD_MINUTE_MS);

    (void)state;
    assert_int_equal(soon.move_count, 2);
    assert_int_equal(soon.moves[0].destination, 1);
    assert_int_equal(soon.moves[1].destination, 0);
    assert_false(soon.moves[0].back);
    assert_true(soon.moves[1].back);
    assert_int_equal(soon.flaps, 1);
    assert_int_equal(late.move_count, 2);
    assert_int_equal(late.flaps, 0);
    ek_simulation_finish(&soon);
    ek_simulation_finish(&late);
}

/* ---- guests come back ----------------------------------------------------------------------- */

static struct ek_world *restarting(const char *text)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    ek_world_options_defaults(&options);
    options.restart_ms = 10 * EK_WORLD_MINUTE_MS;
    return world_with(text, &options, &policy);
}

/* After a crash the guests of a host that is back start there, after the time that it takes. */
static void test_guests_start_anew_where_they_were(void **state)
{
    struct ek_world *it = restarting("h1 8c 32G; h2 8c 32G; a@h1 2v 2G 1c; b@h2 2v 2G 1c");

    (void)state;
    pass(it, EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_HOST_CRASH, host(it, "h1"), 20 * EK_WORLD_MINUTE_MS);
    pass(it, 29 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "");
    pass(it, 2 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "h1");
    assert_int_equal(ek_world_cluster(it)->domains[domain(it, "a")].stopped_total_ms,
                     30 * EK_WORLD_MINUTE_MS);
    pass(it, EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

/* Those of a host that stays away start where most memory is free. */
static void test_guests_of_a_lost_host_start_elsewhere(void **state)
{
    struct ek_world *it =
        restarting("h1 8c 32G; h2 8c 32G; h3 8c 32G; a@h1 2v 2G 1c; b@h2 2v 2G 1c");

    (void)state;
    pass(it, EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_HOST_CRASH, host(it, "h1"), 0);
    pass(it, 11 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "h3");
    assert_told(it, "a starts anew on h3");
    pass(it, EK_WORLD_HOUR_MS);
    ek_world_destroy(it);
}

/* A crash in the midst of a move leaves one guest that runs, whatever the move finds out. */
static void test_crash_during_a_move_ends_well(void **state)
{
    struct ek_world *it = restarting("h1 8c 32G; h2 8c 32G; h3 8c 32G; a*9@h1 2v 4G 0.9c");

    (void)state;
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_HOUR_MS);
    strike(it, EK_WORLD_HOST_CRASH, host(it, "h1"), 15 * EK_WORLD_MINUTE_MS);
    pass(it, 6 * EK_WORLD_HOUR_MS);
    assert_int_equal(ek_sim_cluster_stopped(ek_world_cluster(it)), 0);
    for (uint32_t d = 0; d < 9; d++) {
        assert_int_equal(ek_world_cluster(it)->domains[d].running, 1);
    }
    ek_world_destroy(it);
}

/* ---- guests that are off -------------------------------------------------------------------- */

/* b, which takes 2 GiB of h1 from the second minute to the fifth; h2 is there as well. */
static struct ek_world *started(const char *text)
{
    struct ek_world *it = world(text);
    const struct ek_sim_domain_spec spec = {
        .name = "b", .host = host(it, "h1"), .off = true, .vcpus = 1, .memory_mib = 2048};
    struct ek_error err = {0};

    assert_int_not_equal(ek_world_add_domain(it, &spec, &err), EK_NONE);
    pass(it, EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "b"), "");
    strike(it, EK_WORLD_GUEST_START, domain(it, "b"), 3 * EK_WORLD_MINUTE_MS);
    pass(it, EK_WORLD_MINUTE_MS);
    return it;
}

/* Before its user starts it and after it was shut down a guest takes nothing, and is not missed. */
static void test_guest_runs_while_it_is_meant_to(void **state)
{
    struct ek_world *it = started("h1 8c 16G; h2 8c 16G; a@h1 2v 2G 1c");
    const struct ek_sim_host *h1 = &ek_world_cluster(it)->hosts[host(it, "h1")];

    (void)state;
    assert_string_equal(home(it, "b"), "h1");
    assert_true(near(h1->active_memory_mib, 4096));
    pass(it, 3 * EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "b"), "");
    assert_true(near(h1->active_memory_mib, 2048));
    strike(it, EK_WORLD_GUEST_START, domain(it, "b"), 0);
    pass(it, EK_WORLD_HOUR_MS);
    assert_string_equal(home(it, "b"), "h1");
    assert_int_equal(ek_world_cluster(it)->domains[domain(it, "b")].stopped_total_ms, 0);
    ek_world_destroy(it);
}

/* Where its host is full it starts where most room is, and is defined there alone. */
static void test_guest_starts_where_room_is(void **state)
{
    struct ek_world *it = started("h1 8c 6G; h2 8c 6G; a@h1 2v 5G 0c; c@h2 1v 1G 0c");

    (void)state;
    assert_string_equal(home(it, "b"), "h2");
    assert_int_equal(ek_world_cluster(it)->domains[domain(it, "b")].copy_count, 1);
    ek_world_destroy(it);
}

/* No host has room, and yet there it was started. */
static void test_guest_starts_in_a_crowd(void **state)
{
    struct ek_world *it = started("h1 8c 6G; h2 8c 6G; a@h1 2v 5G 0c; c@h2 1v 5G 0c");

    (void)state;
    assert_string_equal(home(it, "b"), "h1");
    ek_world_destroy(it);
}

/* A shutdown that comes in the instant of a handover is done right after it. */
static void test_shutdown_outlasts_a_handover(void **state)
{
    struct ek_world *it = world("h1 8c 32G; h2 8c 32G; a@h1 2v 8G 1c 60d");

    (void)state;
    ek_world_set_maintenance(it, host(it, "h1"), true);
    until_state(it, EK_MOVE_RUNNING, EK_WORLD_HOUR_MS);
    while (home(it, "a")[0] != '\0') {
        pass(it, 1);
    }
    strike(it, EK_WORLD_GUEST_OFF, domain(it, "a"), 0);
    pass(it, EK_WORLD_MINUTE_MS);
    assert_string_equal(home(it, "a"), "");
    assert_int_equal(ek_world_cluster(it)->domains[domain(it, "a")].fate, EK_SIM_SHUT_DOWN);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortage_is_shared),
        cmocka_unit_test(test_hosts_are_judged),
        cmocka_unit_test(test_runs_repeat),
        cmocka_unit_test(test_totals_are_sums),
        cmocka_unit_test(test_flaps_are_counted),
        cmocka_unit_test(test_guests_start_anew_where_they_were),
        cmocka_unit_test(test_guests_of_a_lost_host_start_elsewhere),
        cmocka_unit_test(test_crash_during_a_move_ends_well),
        cmocka_unit_test(test_guest_runs_while_it_is_meant_to),
        cmocka_unit_test(test_guest_starts_where_room_is),
        cmocka_unit_test(test_guest_starts_in_a_crowd),
        cmocka_unit_test(test_shutdown_outlasts_a_handover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
