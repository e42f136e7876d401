/* Laws of who is measured when, and of what a measurement is worth afterwards. */
#include "collector/sampling/dirty_rate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

enum { DOMAINS = 7, EVERY_S = 600 };

static const char *const uuids[DOMAINS] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6"};
static struct ek_dirty_rates rates;
static struct ek_domain_reading domains[DOMAINS];
static struct ek_dirty_choice chosen[EK_DIRTY_AT_ONCE];

/* Seven guests that could all be measured; the later, the bigger. */
static int setup(void **state)
{
    (void)state;
    ek_dirty_init(&rates, EVERY_S * 1000);
    for (int i = 0; i < DOMAINS; i++) {
        domains[i] = (struct ek_domain_reading){.uuid = uuids[i],
                                                .id = i + 1,
                                                .running = true,
                                                .answered = true,
                                                .memory_rss_mib = 100.0 * (i + 1),
                                                .facts = {.movable = true}};
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_dirty_finish(&rates);
    return 0;
}

/* A reading of the first `count` of them at that second. */
static struct ek_reading reading_at(int64_t second, size_t count)
{
    return (struct ek_reading){
        .monotonic_ns = second * SECOND, .domains = domains, .domain_count = count};
}

/* Reads, and begins what is chosen; the names, in order, as one text. */
static const char *round_at(int64_t second, size_t count)
{
    static char text[32];
    struct ek_reading reading = reading_at(second, count);

    ek_dirty_fill(&rates, &reading);
    size_t found = ek_dirty_choose(&rates, &reading, chosen);
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < found; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i == 0 ? "" : " ",
                                 chosen[i].uuid);
        assert_true(ek_dirty_begin(&rates, chosen[i].uuid, chosen[i].id, second * SECOND));
    }
    return text;
}

/* At most four at once; of those that were never measured the biggest first. */
static void test_few_at_once_biggest_first(void **state)
{
    (void)state;
    assert_string_equal(round_at(10, DOMAINS), "d6 d5 d4 d3");
    assert_string_equal(round_at(25, DOMAINS), "");
    ek_dirty_result(&rates, "d6", 40);
    ek_dirty_result(&rates, "d4", 1);
    assert_string_equal(round_at(40, DOMAINS), "d2 d1");
}

/* None is asked again within the interval; then the one that was asked longest ago comes first,
 * whatever its size. */
static void test_each_is_asked_seldom(void **state)
{
    (void)state;
    assert_string_equal(round_at(10, 1), "d0");
    ek_dirty_result(&rates, "d0", 5);
    assert_string_equal(round_at(20, 2), "d1");
    ek_dirty_result(&rates, "d1", 5);
    assert_string_equal(round_at(609, 2), "");
    assert_string_equal(round_at(620, 2), "d0 d1");
}

/* Who is paused, coming in, bound to its host, or in a job that keeps its monitor is left alone. */
static void test_only_idle_candidates(void **state)
{
    (void)state;
    domains[0].running = false;
    domains[1].incoming = true;
    domains[2].facts.movable = false;
    domains[3].answered = false;
    assert_string_equal(round_at(10, 5), "d4");
}

/* An interval of 0 measures nobody. */
static void test_never(void **state)
{
    (void)state;
    ek_dirty_init(&rates, 0);
    assert_string_equal(round_at(10, DOMAINS), "");
}

/* A rate stands with the time at which its measurement began, until a newer one comes. */
static void test_result_stands(void **state)
{
    (void)state;
    (void)round_at(10, 1);
    assert_true(domains[0].dirty_at_ns == 0);
    ek_dirty_result(&rates, "d0", 40);
    (void)round_at(25, 1);
    assert_true(domains[0].dirty_mib_s == 40 && domains[0].dirty_at_ns == 10 * SECOND);
    (void)round_at(700, 1);
    ek_dirty_result(&rates, "d0", NAN); /* refused, or nothing to sample */
    (void)round_at(715, 1);
    assert_true(domains[0].dirty_mib_s == 40 && domains[0].dirty_at_ns == 10 * SECOND);
}

/* A rate of a day ago is none. */
static void test_result_ages(void **state)
{
    (void)state;
    (void)round_at(10, 1);
    ek_dirty_result(&rates, "d0", 40);
    (void)round_at(10 + 24 * 3600, 1);
    assert_true(domains[0].dirty_mib_s == 40);
    domains[0].dirty_mib_s = 0;
    domains[0].dirty_at_ns = 0;
    (void)round_at(11 + 24 * 3600, 1);
    assert_true(domains[0].dirty_mib_s == 0 && domains[0].dirty_at_ns == 0);
}

/* A guest that its user paused writes nothing, and writes as before when it goes on. */
static void test_paused_writes_nothing(void **state)
{
    (void)state;
    (void)round_at(10, 1);
    ek_dirty_result(&rates, "d0", 40);
    domains[0].paused = true;
    domains[0].running = false;
    (void)round_at(25, 1);
    assert_true(domains[0].dirty_mib_s == 0 && domains[0].dirty_at_ns != 0);
    domains[0].paused = false;
    domains[0].running = true;
    (void)round_at(40, 1);
    assert_true(domains[0].dirty_mib_s == 40);
}

/* Another id is another process: its rate is not known, its measurement not under way. */
static void test_other_id_knows_nothing(void **state)
{
    (void)state;
    (void)round_at(10, 2);
    ek_dirty_result(&rates, "d0", 40);
    domains[0].id = 77;
    domains[1].id = 78;
    assert_string_equal(round_at(25, 2), "d1 d0");
    assert_true(domains[0].dirty_at_ns == 0 && rates.pending == 2);
}

/* Who left is forgotten, with what was under way. */
static void test_vanished_is_forgotten(void **state)
{
    (void)state;
    (void)round_at(10, 2);
    assert_true(rates.pending == 2);
    assert_string_equal(round_at(25, 0), "");
    assert_true(rates.pending == 0 && rates.entries == NULL);
}

/* A result that never comes gives its place to others after a minute, and is no rate. */
static void test_lost_result_is_given_up(void **state)
{
    (void)state;
    (void)round_at(10, 1);
    (void)round_at(70, 1);
    assert_true(ek_dirty_pending(&rates, "d0"));
    (void)round_at(71, 1);
    assert_false(ek_dirty_pending(&rates, "d0"));
    ek_dirty_result(&rates, "d0", 999);
    (void)round_at(86, 1);
    assert_true(domains[0].dirty_at_ns == 0);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(few_at_once_biggest_first),
        LAW(each_is_asked_seldom),
        LAW(only_idle_candidates),
        LAW(never),
        LAW(result_stands),
        LAW(result_ages),
        LAW(paused_writes_nothing),
        LAW(other_id_knows_nothing),
        LAW(vanished_is_forgotten),
        LAW(lost_result_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
