/* Where load comes from: made up, recorded, and how the simulated guests follow it. */
#include "story.h"

#include "balancer/sim/load_day.h"
#include "balancer/sim/load_series.h"

#include <math.h>

/* An even domain: no day, no bursts. */
static struct ek_load_day_domain even(void)
{
    return (struct ek_load_day_domain){
        .key = 12345, .mean_cores = 1, .vcpus = 8, .weekend = 1, .memory_mib = 1024};
}

static struct ek_load_want ask(const struct ek_load *load, int64_t at_ms)
{
    struct ek_load_want want = {.until_ms = 0};

    load->want(load->context, 0, at_ms, &want);
    return want;
}

/* Mean of the cores wanted from one time to another, by walking the stretches. */
static double mean_cores(const struct ek_load *load, int64_t from_ms, int64_t to_ms)
{
    double sum = 0;
    int64_t next_ms = 0;

    for (int64_t at_ms = from_ms; at_ms < to_ms; at_ms = next_ms) {
        struct ek_load_want want = ask(load, at_ms);
        assert_true(want.until_ms > at_ms);
        next_ms = want.until_ms < to_ms ? want.until_ms : to_ms;
        sum += want.cpu_cores * (double)(next_ms - at_ms);
    }
    return sum / (double)(to_ms - from_ms);
}

/* ---- made up ------------------------------------------------------------------------------- */

/* An answer does not depend on what was asked before, and holds until it says. */
static void test_answers_depend_on_the_time_alone(void **state)
{
    struct ek_load_day_domain domain = even();
    const struct ek_load_day day = {.domains = &domain, .domain_count = 1};
    const struct ek_load load = ek_load_day(&day);
    double forwards[500];

    (void)state;
    domain.bursts_per_day = 6;
    for (int i = 0; i < 500; i++) {
        struct ek_load_want want = ask(&load, i * 97000);
        forwards[i] = want.cpu_cores;
        assert_true(fabs(ask(&load, want.until_ms - 1).cpu_cores - want.cpu_cores) < 1e-12);
    }
    for (int i = 499; i >= 0; i--) {
        assert_true(fabs(ask(&load, i * 97000).cpu_cores - forwards[i]) < 1e-12);
    }
}

/* Over weeks the mean is what was asked for, whatever wanders and jitters. */
static void test_mean_is_kept(void **state)
{
    struct ek_load_day_domain domain = even();
    const struct ek_load_day day = {.domains = &domain, .domain_count = 1};
    const struct ek_load load = ek_load_day(&day);

    (void)state;
    assert_true(fabs(mean_cores(&load, 0, 56 * EK_WORLD_DAY_MS) - 1) < 0.03);
    domain.swing = 0.8;
    domain.peak_ms = 14 * EK_WORLD_HOUR_MS;
    assert_true(fabs(mean_cores(&load, 0, 56 * EK_WORLD_DAY_MS) - 1) < 0.03);
}

/* The day has its hour, the night its quiet, Saturday and Sunday theirs. */
static void test_day_and_week_are_seen(void **state)
{
    struct ek_load_day_domain domain = even();
    struct ek_load_day day = {.domains = &domain, .domain_count = 1};
    const struct ek_load load = ek_load_day(&day);

    (void)state;
    domain.swing = 0.8;
    domain.peak_ms = 14 * EK_WORLD_HOUR_MS;
    domain.weekend = 0.25;
    day.begin_ms = 4 * EK_WORLD_DAY_MS; /* of 1970: a Monday */
    double noon = mean_cores(&load, 13 * EK_WORLD_HOUR_MS, 15 * EK_WORLD_HOUR_MS);
    double night = mean_cores(&load, EK_WORLD_HOUR_MS, 3 * EK_WORLD_HOUR_MS);
    assert_true(noon > 1.1 && night < 0.5);
    double week = mean_cores(&load, 0, 5 * EK_WORLD_DAY_MS);
    double weekend = mean_cores(&load, 5 * EK_WORLD_DAY_MS, 7 * EK_WORLD_DAY_MS);
    assert_true(weekend > 0.2 * week && weekend < 0.3 * week);
}

/* As many bursts as asked for, none longer than an hour; nobody ever wants more than it has. */
static void test_bursts_come_as_often_as_asked(void **state)
{
    struct ek_load_day_domain domain = even();
    const struct ek_load_day day = {.domains = &domain, .domain_count = 1};
    const struct ek_load load = ek_load_day(&day);
    int bursts = 0;
    int64_t since_ms = -1;

    (void)state;
    domain.bursts_per_day = 2;
    for (int64_t at_ms = 0; at_ms < 200 * EK_WORLD_DAY_MS; at_ms += 5 * EK_WORLD_MINUTE_MS) {
        double cores = ask(&load, at_ms).cpu_cores;
        assert_true(cores <= domain.vcpus);
        if (cores > 7 && since_ms < 0) {
            bursts++;
        }
        since_ms = cores > 7 ? (since_ms < 0 ? at_ms : since_ms) : -1;
        /* Two may follow one another. */
        assert_true(since_ms < 0 || at_ms - since_ms <= 2 * EK_WORLD_HOUR_MS);
    }
    assert_in_range(bursts, 340, 440);
}

/* ---- recorded ------------------------------------------------------------------------------ */

/* Nothing before the first point, each point until the next, and all of it again after a round. */
static void test_series_holds_and_repeats(void **state)
{
    static const struct ek_load_point points[] = {
        {1000, 1.5F, 100}, {2000, 0.5F, NAN}, {5000, 2, 300}};
    const struct ek_load_track track = {points, 3};
    struct ek_load_series series = {.tracks = &track, .track_count = 1};
    const struct ek_load load = ek_load_series(&series);

    (void)state;
    assert_true(fabs(ask(&load, 0).cpu_cores) < 1e-9);
    assert_int_equal(ask(&load, 0).until_ms, 1000);
    assert_true(fabs(ask(&load, 1999).cpu_cores - 1.5) < 1e-9);
    assert_true(isnan(ask(&load, 2000).memory_mib));
    assert_int_equal(ask(&load, 5000).until_ms, INT64_MAX);
    series.repeat_ms = 6000;
    assert_true(fabs(ask(&load, 5999).cpu_cores - 2) < 1e-9);
    assert_int_equal(ask(&load, 5999).until_ms, 6000);
    assert_true(fabs(ask(&load, 6999).cpu_cores) < 1e-9);
    assert_true(fabs(ask(&load, 13500).cpu_cores - 1.5) < 1e-9);
    assert_int_equal(ask(&load, 13500).until_ms, 14000);
}

/* ---- guests -------------------------------------------------------------------------------- */

/* A guest's counter is the exact integral of what its source says, and its memory follows. */
static void test_guest_follows_its_source(void **state)
{
    static const struct ek_load_point points[] = {{0, 1, 512}, {7300, 3, 2048}, {11100, 0, 8192}};
    const struct ek_load_track track = {points, 3};
    const struct ek_load_series series = {.tracks = &track, .track_count = 1};
    const struct ek_load load = ek_load_series(&series);
    struct ek_world *it = world("h1 8c 32G");
    struct ek_error err = {0};
    const struct ek_sim_domain_spec spec = {
        .name = "a", .vcpus = 4, .memory_mib = 4096, .cpu_cores = 9, .load = &load};

    (void)state;
    assert_int_not_equal(ek_world_add_domain(it, &spec, &err), EK_NONE);
    pass(it, 9000);
    assert_true(fabs(ek_sim_cluster_cpu(ek_world_cluster(it), 0) - (7300 + 3 * 1700)) < 1e-6);
    assert_true(fabs(ek_world_cluster(it)->domains[0].rss_mib - 2048) < 1e-6);
    pass(it, 60000);
    assert_true(fabs(ek_sim_cluster_cpu(ek_world_cluster(it), 0) - (7300 + 3 * 3800)) < 1e-6);
    /* Never more than it was given. */
    assert_true(fabs(ek_world_cluster(it)->domains[0].rss_mib - 4096) < 1e-6);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_depend_on_the_time_alone),
        cmocka_unit_test(test_mean_is_kept),
        cmocka_unit_test(test_day_and_week_are_seen),
        cmocka_unit_test(test_bursts_come_as_often_as_asked),
        cmocka_unit_test(test_series_holds_and_repeats),
        cmocka_unit_test(test_guest_follows_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
