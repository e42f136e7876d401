#include "balancer/core/hour.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Monday, 30 November 2026, 00:00 UTC. */
#define MONDAY_HOUR ((int64_t)498888)

enum { MINUTE_MS = 60000 };

/* An hour with that mean; its 95th percentile is twice as high. */
static struct ek_hour_figures hour_of(int64_t hour, double cores, double memory_mib)
{
    return (struct ek_hour_figures){
        .hour = hour, .mean = {cores, memory_mib}, .high = {2 * cores, 2 * memory_mib}};
}

static struct ek_profile fresh(void)
{
    struct ek_profile profile;

    ek_profile_begin(&profile, EK_PROFILE_HOST, "h1");
    return profile;
}

static void add(struct ek_profile *profile, int64_t hour, double cores, double memory_mib)
{
    const struct ek_hour_figures figures = hour_of(hour, cores, memory_mib);

    ek_profile_add(profile, &figures);
}

/* The week begins on Monday at 00:00 UTC and has 168 hours. */
static void test_hours_of_the_week(void **state)
{
    (void)state;
    assert_int_equal(ek_hour_of_week(0), 72); /* 1 January 1970 was a Thursday */
    assert_int_equal(ek_hour_of_week(MONDAY_HOUR), 0);
    assert_int_equal(ek_hour_of_week(MONDAY_HOUR - 1), 167);
    assert_int_equal(ek_hour_of(MONDAY_HOUR * EK_HOUR_MS), MONDAY_HOUR);
    assert_int_equal(ek_hour_of(MONDAY_HOUR * EK_HOUR_MS - 1), MONDAY_HOUR - 1);
}

/* The first weeks have equal shares; later a week is a quarter, so that old habits fade. */
static void test_weeks_are_averaged_and_fade(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    for (int week = 0; week < 4; week++) {
        add(&profile, MONDAY_HOUR + week * 168, week + 1, 100);
    }
    struct ek_usual usual = profile.usual[EK_CPU][0];
    assert_int_equal(usual.weeks, 4);
    assert_near(usual.mean, 2.5, 1e-9);
    assert_near(usual.high, 5, 1e-9);
    assert_near(profile.usual[EK_MEMORY][0].mean, 100, 1e-9);
    add(&profile, MONDAY_HOUR + 4 * 168, 6.5, 100);
    assert_near(profile.usual[EK_CPU][0].mean, 2.5 + (6.5 - 2.5) / 4, 1e-9);
    assert_int_equal(profile.usual[EK_CPU][1].weeks, 0);
    assert_int_equal(ek_profile_known(&profile), 1);
}

/* Whoever adds an hour again changes nothing, however many came between. */
static void test_an_hour_counts_once(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    for (int week = 0; week < EK_PROFILE_MARKS; week++) {
        add(&profile, MONDAY_HOUR + 5 + week * 168, week, 1);
        add(&profile, MONDAY_HOUR + 6 + week * 168, week, 1);
    }
    struct ek_profile before = profile;
    for (int week = 0; week < EK_PROFILE_MARKS; week++) {
        add(&profile, MONDAY_HOUR + 5 + week * 168, 99, 99);
    }
    assert_memory_equal(&profile, &before, sizeof(profile));
}

/* Two hosts that had a domain are folded one after the other: the order of hours does not matter,
 * nor that of up to four weeks. */
static void test_hours_come_in_any_order(void **state)
{
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};

    (void)state;
    for (size_t o = 0; o < 3; o++) {
        struct ek_profile profile = fresh();
        for (int i = 0; i < 4; i++) {
            int week = orders[o][i];
            add(&profile, MONDAY_HOUR + 9 - week + week * 168, 1, 1);
            add(&profile, MONDAY_HOUR + 20 + week * 168, week, 100 * week);
        }
        assert_int_equal(ek_profile_known(&profile), 5);
        assert_int_equal(profile.usual[EK_CPU][20].weeks, 4);
        assert_near(profile.usual[EK_CPU][20].mean, 1.5, 1e-9);
        assert_near(profile.usual[EK_MEMORY][20].high, 300, 1e-9);
        assert_int_equal(profile.through_hour, MONDAY_HOUR + 20 + 3 * 168);
    }
}

/* A week that comes late gets the share that it would have had by now, and none when it is too old
 * to be told whether it was there. */
static void test_a_late_week_has_faded(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    for (int week = 0; week < 9; week++) {
        if (week != 6) {
            add(&profile, MONDAY_HOUR + week * 168, 0, 0);
        }
    }
    add(&profile, MONDAY_HOUR + 6 * 168, 16, 16);
    assert_near(profile.usual[EK_CPU][0].mean, 16 * 0.25 * 0.75 * 0.75, 1e-9);
    assert_int_equal(profile.usual[EK_CPU][0].weeks, 9);
    struct ek_profile before = profile;
    add(&profile, MONDAY_HOUR - 168, 99, 99);
    assert_memory_equal(&profile, &before, sizeof(profile));
}

/* What is not known of an hour leaves what is known as it is. */
static void test_the_unknown_does_not_count(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    add(&profile, MONDAY_HOUR, 3, 1000);
    add(&profile, MONDAY_HOUR + 168, NAN, 2000);
    assert_int_equal(profile.usual[EK_CPU][0].weeks, 1);
    assert_near(profile.usual[EK_CPU][0].mean, 3, 1e-9);
    assert_near(profile.usual[EK_MEMORY][0].mean, 1500, 1e-9);
}

/* A clock that was a year ahead does not stop it for a year. */
static void test_a_clock_that_was_ahead(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    add(&profile, MONDAY_HOUR + 24, 1, 1);
    add(&profile, MONDAY_HOUR + 24 + 52 * 168, 1, 1);
    ek_profile_settle(&profile, MONDAY_HOUR + 3 + 168);
    assert_int_equal(profile.through_hour, MONDAY_HOUR + 1 + 168);
    for (int i = 1; i < 4; i++) {
        add(&profile, MONDAY_HOUR + i + 168, 1, 1);
        assert_int_equal(profile.usual[EK_CPU][i].weeks, 1);
    }
    ek_profile_settle(&profile, MONDAY_HOUR + 3 + 168);
    assert_int_equal(profile.through_hour, MONDAY_HOUR + 3 + 168);
    add(&profile, MONDAY_HOUR + 24 + 168, 1, 1);
    assert_int_equal(profile.usual[EK_CPU][24].weeks, 3);
}

/* A clock that was not set yet stands in 1970: it changes nothing that is known. */
static void test_a_clock_that_was_not_set(void **state)
{
    struct ek_profile profile = fresh();

    (void)state;
    add(&profile, MONDAY_HOUR, 1, 1);
    const struct ek_profile before = profile;
    ek_profile_settle(&profile, 0);
    ek_profile_settle(&profile, 1);
    assert_memory_equal(&profile, &before, sizeof(profile));
}

/* Of two profiles the one that knows more weeks of an hour is right about it. */
static void test_merging(void **state)
{
    struct ek_profile ours = fresh();
    struct ek_profile other = fresh();

    (void)state;
    add(&other, MONDAY_HOUR, 5, 5);
    add(&other, MONDAY_HOUR + 1, 5, 5);
    add(&other, MONDAY_HOUR + 168, 5, 5);
    add(&ours, MONDAY_HOUR + 336, 1, 1);
    add(&ours, MONDAY_HOUR + 337, 1, 1);
    ek_profile_merge(&ours, &other);
    assert_near(ours.usual[EK_CPU][0].mean, 5, 1e-9);
    assert_near(ours.usual[EK_CPU][1].mean, 1, 1e-9);
    assert_int_equal(ours.through_hour, MONDAY_HOUR + 337);
    assert_int_equal(ours.in[0].newest, MONDAY_HOUR + 336);
    assert_int_equal(ours.in[0].marks, 7);
    assert_int_equal(ours.in[1].marks, 5);
    struct ek_profile once = ours;
    ek_profile_merge(&ours, &other);
    assert_memory_equal(&ours, &once, sizeof(ours));
}

/* ---- hours ----------------------------------------------------------------------------------- */

/* An hour of h1 that is shown minute by minute; each call is a sample of the cluster as text. */
static void see(struct ek_hour *hour, int minute, const char *cluster)
{
    struct ek_snapshot snapshot;
    struct ek_error err = {0};

    ek_test_cluster(&snapshot, cluster);
    const struct ek_sample sample = {.taken_at_ms = MONDAY_HOUR * EK_HOUR_MS + minute * MINUTE_MS,
                                     .host = snapshot.hosts[0],
                                     .domains = snapshot.domains,
                                     .domain_count = snapshot.domain_count};
    assert_true(ek_hour_add(hour, &sample, &err));
    ek_snapshot_finish(&snapshot);
}

/* Closes the hour; the figures are the caller's. */
static struct ek_hour_figures *close_hour(struct ek_hour *hour, size_t *count)
{
    struct ek_hour_figures *figures = calloc(ek_hour_room(hour), sizeof(*figures));

    assert_non_null(figures);
    *count = ek_hour_close(hour, figures);
    ek_hour_finish(hour);
    return figures;
}

/* Mean and 95th percentile are of all samples of the hour, in whatever order they came. */
static void test_what_an_hour_was_like(void **state)
{
    struct ek_hour hour = {0};
    char cluster[160];
    size_t count = 0;

    (void)state;
    for (int m = 0; m < 60; m++) {
        int i = (m * 7) % 60 + 1;
        (void)snprintf(cluster, sizeof(cluster),
                       "h1 99c 64G used=%dc used=%dM; a@h1 8v 8G %dc %dM steal=0.25", i, 10 * i, i,
                       100 * i);
        see(&hour, m, cluster);
    }
    struct ek_hour_figures *figures = close_hour(&hour, &count);
    assert_int_equal(count, 2);
    assert_string_equal(figures[0].domain, "");
    assert_int_equal(figures[0].hour, MONDAY_HOUR);
    assert_near(figures[0].mean[EK_CPU], 30.5, 1e-9);
    assert_near(figures[0].high[EK_CPU], 57, 1e-9);
    assert_near(figures[0].mean[EK_MEMORY], 305, 1e-9);
    assert_string_equal(figures[1].domain, "a");
    assert_near(figures[1].high[EK_MEMORY], 5700, 1e-9);
    /* A quarter of eight vCPUs waited, as long as there are so many. */
    assert_near(figures[1].high[EK_CPU], 57, 1e-9);
    assert_true(figures[1].mean[EK_CPU] > 30.5 + 0.1);
    free(figures);
}

/* Who moves in the middle of an hour counts on the host that had it longer; one that is only coming
 * does not count at all. */
static void test_a_domain_that_moves(void **state)
{
    struct ek_hour hour = {0};
    size_t count = 0;

    (void)state;
    for (int m = 0; m < 60; m++) {
        see(&hour, m,
            m < 25   ? "h1 8c 16G used=1c; a@h1 1v 1G 1c; c@h1 1v 1G 1c incoming"
            : m < 30 ? "h1 8c 16G used=1c; c@h1 1v 1G 1c incoming"
                     : "h1 8c 16G used=1c; b@h1 1v 1G 1c; c@h1 1v 1G 1c incoming");
    }
    struct ek_hour_figures *figures = close_hour(&hour, &count);
    assert_int_equal(count, 2);
    assert_string_equal(figures[1].domain, "b");
    assert_true(isnan(figures[0].mean[EK_MEMORY]) && isnan(figures[0].high[EK_MEMORY]));
    free(figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hours_of_the_week),
        cmocka_unit_test(test_weeks_are_averaged_and_fade),
        cmocka_unit_test(test_an_hour_counts_once),
        cmocka_unit_test(test_hours_come_in_any_order),
        cmocka_unit_test(test_a_late_week_has_faded),
        cmocka_unit_test(test_the_unknown_does_not_count),
        cmocka_unit_test(test_a_clock_that_was_ahead),
        cmocka_unit_test(test_a_clock_that_was_not_set),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_what_an_hour_was_like),
        cmocka_unit_test(test_a_domain_that_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
