#include "balancer/core/forecast.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>

/* A world of one snapshot after the other, a minute apart. */
struct tale {
    struct ek_forecast *forecast;
    struct ek_policy policy;
    struct ek_snapshot now; /* the newest */
    int64_t now_ms;
};

enum { MINUTE_MS = 60000 };

static void begin(struct tale *tale)
{
    *tale = (struct tale){.forecast = ek_forecast_create(), .now_ms = 1000000};
    assert_non_null(tale->forecast);
    ek_policy_defaults(&tale->policy);
}

static void end(struct tale *tale)
{
    ek_snapshot_finish(&tale->now);
    ek_forecast_destroy(tale->forecast);
}

/* The cluster as it is `after_ms` later. */
static void see(struct tale *tale, const char *cluster, int64_t after_ms)
{
    struct ek_error err = {0};

    tale->now_ms += after_ms;
    ek_snapshot_finish(&tale->now);
    ek_test_cluster(&tale->now, cluster);
    ek_test_sampled(&tale->now, tale->now_ms, 15000);
    tale->now.taken_at_ms = tale->now_ms;
    assert_true(ek_forecast_apply(tale->forecast, &tale->policy, &tale->now, &err));
}

/* The same `times` over, a minute apart. */
static void see_often(struct tale *tale, const char *cluster, int times)
{
    for (int i = 0; i < times; i++) {
        see(tale, cluster, MINUTE_MS);
    }
}

static double cores(const struct tale *tale, const char *name)
{
    return ek_demand(&tale->now.domains[ek_test_domain(&tale->now, name)], EK_CPU);
}

static double mib(const struct tale *tale, const char *name)
{
    return ek_demand(&tale->now.domains[ek_test_domain(&tale->now, name)], EK_MEMORY);
}

static double noise(const struct tale *tale, const char *name)
{
    return tale->now.domains[ek_test_domain(&tale->now, name)].cpu_outlook.noise;
}

/* What has been the same for long is expected to stay, and has no noise. */
static void steady_use_is_the_demand(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 1.5c 3G", 30);
    assert_near(cores(&tale, "a"), 1.5, 0.01);
    assert_near(mib(&tale, "a"), 3072, 10);
    assert_near(noise(&tale, "a"), 0, 1e-9);
    end(&tale);
}

/* One sample out of fifteen is passed over by the percentile and moves the mean by its share. */
static void one_odd_sample_is_no_demand(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 15);
    see(&tale, "h1; a@h1 4v 8G 4c", MINUTE_MS);
    assert_true(cores(&tale, "a") < 1.5);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 2);
    assert_true(cores(&tale, "a") < 1.4);
    end(&tale);
}

/* A load that has risen for good is followed within minutes. */
static void a_lasting_rise_is_followed(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 15);
    see_often(&tale, "h1; a@h1 4v 8G 3c", 3);
    assert_true(cores(&tale, "a") > 2.5);
    end(&tale);
}

/* A load that fell is believed to be gone when the window has passed, no sooner. */
static void a_fall_is_believed_after_the_window(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 3c", 15);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 5);
    assert_true(cores(&tale, "a") > 2.5);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 25);
    assert_true(cores(&tale, "a") < 1.1);
    end(&tale);
}

/* The largest resident size of the window is what must fit. */
static void memory_is_its_largest(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 1c 2G", 5);
    see(&tale, "h1; a@h1 4v 8G 1c 6G", MINUTE_MS);
    see_often(&tale, "h1; a@h1 4v 8G 1c 2G", 5);
    assert_near(mib(&tale, "a"), 6144, 20);
    end(&tale);
}

/* Demands of domains that peak at different times add up to less than their peaks. */
static void peaks_do_not_add_up(void **state)
{
    static const char *const turns[] = {
        "h1; h2; a@h1 4v 1G 3c; b@h1 4v 1G 1c; c@h2 4v 1G 3c",
        "h1; h2; a@h1 4v 1G 1c; b@h1 4v 1G 3c; c@h2 4v 1G 1c",
    };
    struct tale tale;

    (void)state;
    begin(&tale);
    for (int i = 0; i < 30; i++) {
        see(&tale, turns[i % 2], MINUTE_MS);
    }
    assert_near(cores(&tale, "c"), 3, 0.1);
    assert_near(cores(&tale, "a") + cores(&tale, "b"), 4 + sqrt(2), 0.2);
    end(&tale);
}

/* Noise is the deviation from sample to sample: +-1 about a level is 1.41 by its differences. */
static void jumping_is_noise(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    for (int i = 0; i < 30; i++) {
        see(&tale, i % 2 == 0 ? "h1; a@h1 4v 1G 1c" : "h1; a@h1 4v 1G 3c", MINUTE_MS);
    }
    assert_near(noise(&tale, "a"), sqrt(2), 0.01);
    end(&tale);
}

/* A load that changed once for good is news and hardly noise. */
static void a_step_is_hardly_noise(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 1G 1c", 8);
    see_often(&tale, "h1; a@h1 4v 1G 3c", 8);
    assert_true(noise(&tale, "a") < 0.4);
    end(&tale);
}

/* Two samples tell no noise. */
static void noise_needs_three_samples(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see(&tale, "h1; a@h1 4v 1G 1c", MINUTE_MS);
    see(&tale, "h1; a@h1 4v 1G 3c", MINUTE_MS);
    assert_near(noise(&tale, "a"), 0, 0);
    see(&tale, "h1; a@h1 4v 1G 1c", MINUTE_MS);
    assert_true(noise(&tale, "a") > 1);
    end(&tale);
}

/* A domain that has just come to another host has no rate there; what it was expected to want still
 * counts. */
static void a_moved_domain_keeps_its_history(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; h2; a@h1 4v 8G 1.5c", 10);
    see(&tale, "h1; h2; a@h2 4v 8G", MINUTE_MS);
    assert_near(cores(&tale, "a"), 1.5, 0.01);
    end(&tale);
}

/* Who was not seen for longer than the window is new. */
static void a_long_gap_forgets(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 3c", 15);
    see(&tale, "h1; a@h1 4v 8G 1c", 16 * MINUTE_MS);
    assert_near(cores(&tale, "a"), 1, 0.01);
    end(&tale);
}

/* The load of a domain that its user paused decays and is gone with the window. */
static void a_paused_domain_decays(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 3c", 15);
    see_often(&tale, "h1; a@h1 4v 8G 0c paused", 60);
    assert_true(cores(&tale, "a") < 0.01);
    end(&tale);
}

/* One sample counts once, however many cycles show it. */
static void a_sample_counts_once(void **state)
{
    struct tale tale;
    double before = 0;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 1c", 5);
    see(&tale, "h1; a@h1 4v 8G 3c", MINUTE_MS);
    before = cores(&tale, "a");
    for (int i = 0; i < 20; i++) {
        see(&tale, "h1; a@h1 4v 8G 3c", 0);
    }
    assert_near(cores(&tale, "a"), before, 0);
    end(&tale);
}

/* A clock that goes back, a little or by days, makes no peak and no hole. */
static void a_clock_step_makes_no_spike(void **state)
{
    static const int64_t steps[] = {-30 * 1000, -5 * MINUTE_MS, -3000LL * MINUTE_MS,
                                    4000LL * MINUTE_MS};
    struct tale tale;

    (void)state;
    begin(&tale);
    tale.now_ms = 10000LL * MINUTE_MS;
    see_often(&tale, "h1; a@h1 4v 8G 1c", 10);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        see(&tale, "h1; a@h1 4v 8G 1c", steps[i]);
        assert_near(cores(&tale, "a"), 1, 0.01);
        see_often(&tale, "h1; a@h1 4v 8G 1c", 3);
        assert_near(cores(&tale, "a"), 1, 0.01);
        assert_near(noise(&tale, "a"), 0, 1e-9);
    }
    end(&tale);
}

/* A counter that was read wrongly cannot make more of a domain than its vCPUs could twice over. */
static void a_wrong_counter_is_bounded(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see(&tale, "h1; a@h1 4v 8G 1000c", MINUTE_MS);
    assert_near(cores(&tale, "a"), 8, 0.01);
    end(&tale);
}

/* An outlook that a snapshot brings along is a record, and stays. */
static void a_recorded_outlook_stays(void **state)
{
    struct tale tale;
    struct ek_error err = {0};

    (void)state;
    begin(&tale);
    see(&tale, "h1; a@h1 4v 8G 1c", MINUTE_MS);
    tale.now.domains[0].cpu_outlook = (struct ek_outlook){.known = true, .demand = 2.5, .noise = 1};
    assert_true(ek_forecast_apply(tale.forecast, &tale.policy, &tale.now, &err));
    assert_near(cores(&tale, "a"), 2.5, 0);
    assert_near(noise(&tale, "a"), 1, 0);
    end(&tale);
}

/* A window of 0 turns forecasts off: the newest sample counts. */
static void without_a_window_there_is_no_forecast(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    tale.policy.forecast_window_ms = 0;
    see_often(&tale, "h1; a@h1 4v 8G 3c", 10);
    see(&tale, "h1; a@h1 4v 8G 1c", MINUTE_MS);
    assert_false(tale.now.domains[0].cpu_outlook.known);
    assert_near(cores(&tale, "a"), 1, 0);
    end(&tale);
}

/* Kept histories go on where they were: a successor expects the same, to the last bit. */
static void histories_outlive_their_keeper(void **state)
{
    struct ek_forecast_entry kept[2];
    struct tale one;
    struct tale two;
    struct ek_error err = {0};
    int64_t window_ms = 0;

    (void)state;
    begin(&one);
    begin(&two);
    for (int i = 0; i < 40; i++) {
        see(&one,
            i % 3 == 0 ? "h1; b@h1 2v 1G 1c; a@h1 4v 8G 1.3c" : "h1; b@h1 2v 1G; a@h1 4v 8G 3c",
            17000);
    }
    assert_int_equal(ek_forecast_export(one.forecast, &window_ms, kept, 2), 2);
    assert_string_equal(kept[0].domain, "a");
    for (int i = 0; i < 2; i++) {
        assert_true(ek_forecast_import(two.forecast, window_ms, &kept[i], &err));
    }
    two.now_ms = one.now_ms;
    for (int i = 0; i < 5; i++) {
        see(&one, "h1; b@h1 2v 1G 1c; a@h1 4v 8G 2c", 23000);
        see(&two, "h1; b@h1 2v 1G 1c; a@h1 4v 8G 2c", 23000);
        assert_true(cores(&one, "a") == cores(&two, "a") && noise(&one, "a") == noise(&two, "a"));
        assert_true(cores(&one, "b") == cores(&two, "b") && mib(&one, "a") == mib(&two, "a"));
    }
    end(&one);
    end(&two);
}

/* With another window the points mean other times: they are dropped, the mean goes on. */
static void another_window_begins_anew(void **state)
{
    struct tale tale;

    (void)state;
    begin(&tale);
    see_often(&tale, "h1; a@h1 4v 8G 3c", 10);
    tale.policy.forecast_window_ms = 30 * MINUTE_MS;
    see(&tale, "h1; a@h1 4v 8G 1c", MINUTE_MS);
    assert_near(cores(&tale, "a"), 1, 0.01);
    end(&tale);
}

/* Sixteen bits keep a figure within 0.2 %, from a thousandth of a core to 16 TiB. */
static void points_keep_two_per_mille(void **state)
{
    (void)state;
    for (double value = 0.001; value < 16777216; value *= 1.01) {
        assert_near(ek_point_unpack(ek_point_pack(value)) / value, 1, 0.002);
    }
    assert_near(ek_point_unpack(ek_point_pack(0)), 0, 0);
    assert_near(ek_point_unpack(ek_point_pack(-1)), 0, 0);
    assert_int_not_equal(ek_point_pack(INFINITY), EK_NO_POINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_use_is_the_demand),
        cmocka_unit_test(one_odd_sample_is_no_demand),
        cmocka_unit_test(a_lasting_rise_is_followed),
        cmocka_unit_test(a_fall_is_believed_after_the_window),
        cmocka_unit_test(memory_is_its_largest),
        cmocka_unit_test(peaks_do_not_add_up),
        cmocka_unit_test(jumping_is_noise),
        cmocka_unit_test(a_step_is_hardly_noise),
        cmocka_unit_test(noise_needs_three_samples),
        cmocka_unit_test(a_moved_domain_keeps_its_history),
        cmocka_unit_test(a_long_gap_forgets),
        cmocka_unit_test(a_paused_domain_decays),
        cmocka_unit_test(a_sample_counts_once),
        cmocka_unit_test(a_clock_step_makes_no_spike),
        cmocka_unit_test(a_wrong_counter_is_bounded),
        cmocka_unit_test(a_recorded_outlook_stays),
        cmocka_unit_test(without_a_window_there_is_no_forecast),
        cmocka_unit_test(histories_outlive_their_keeper),
        cmocka_unit_test(another_window_begins_anew),
        cmocka_unit_test(points_keep_two_per_mille),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
