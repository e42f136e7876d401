/* Circuits: when they open, what passes then, and when they close. */
#include "balancer/core/circuit.h"

#include "tests/lib/cmocka.h"

#include <string.h>

static struct ek_circuit *circuit;
static struct ek_policy policy;
static struct ek_error err;

enum { MINUTE_MS = 60000 };

static int setup(void **state)
{
    (void)state;
    circuit = ek_circuit_create();
    ek_policy_defaults(&policy);
    return circuit == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_circuit_destroy(circuit);
    return 0;
}

static bool fails(const char *source, const char *destination, int64_t now_ms)
{
    const struct ek_circuit_entry *opened = NULL;

    assert_true(ek_circuit_failed(circuit, &policy, source, destination, now_ms, &opened, &err));
    return opened != NULL;
}

static struct ek_circuit_limits limits(const char *source, const char *destination, int64_t now_ms)
{
    struct ek_circuit_limits it = {4, 4, 4};

    ek_circuit_lower(circuit, &policy, source, destination, now_ms, &it);
    return it;
}

/* A pair opens after so many failures, and only that pair. */
static void a_pair_opens(void **state)
{
    (void)state;
    assert_false(fails("h1", "h2", 1000));
    assert_int_equal(limits("h1", "h2", 1000).pair, 4);
    assert_false(fails("h1", "h2", 2000));
    assert_int_equal(limits("h1", "h2", 2000).pair, 2);
    assert_null(ek_circuit_block(circuit, "h1", "h2", 2000));
    assert_true(fails("h1", "h2", 3000));
    assert_non_null(ek_circuit_block(circuit, "h1", "h2", 3000));
    assert_null(ek_circuit_block(circuit, "h1", "h3", 3000));
    assert_null(ek_circuit_block(circuit, "h3", "h2", 3000));
    assert_null(ek_circuit_block(circuit, "h2", "h1", 3000));
}

/* A destination that fails with several sources is open to all; the sources are not. */
static void a_destination_opens(void **state)
{
    (void)state;
    (void)fails("h1", "h2", 1000);
    (void)fails("h3", "h2", 2000);
    assert_true(fails("h1", "h2", 3000));
    assert_non_null(ek_circuit_block(circuit, "h4", "h2", 3000));
    assert_null(ek_circuit_block(circuit, "h1", "h4", 3000));
    assert_null(ek_circuit_block(circuit, "h2", "h1", 3000));
}

/* A source whose moves fail everywhere is at fault itself: its destinations stay open to others. */
static void a_source_opens(void **state)
{
    (void)state;
    (void)fails("h1", "h2", 1000);
    (void)fails("h1", "h3", 2000);
    assert_true(fails("h1", "h4", 3000));
    assert_non_null(ek_circuit_block(circuit, "h1", "h5", 3000));
    assert_null(ek_circuit_block(circuit, "h5", "h2", 3000));
}

/* When its time is over one move may try; when that fails it is open for twice as long, at most for
 * circuit.open_max. */
static void a_trial_that_fails_opens_for_longer(void **state)
{
    int64_t now_ms = 1000;
    int64_t waits_ms = policy.circuit_open_ms;

    (void)state;
    (void)fails("h1", "h2", now_ms);
    (void)fails("h1", "h2", now_ms);
    (void)fails("h1", "h2", now_ms);
    for (int i = 0; i < 6; i++) {
        assert_non_null(ek_circuit_block(circuit, "h1", "h2", now_ms + waits_ms - 1));
        now_ms += waits_ms;
        assert_null(ek_circuit_block(circuit, "h1", "h2", now_ms));
        assert_int_equal(limits("h1", "h2", now_ms).pair, 1);
        assert_true(fails("h1", "h2", now_ms));
        waits_ms =
            2 * waits_ms > policy.circuit_open_max_ms ? policy.circuit_open_max_ms : 2 * waits_ms;
    }
}

/* What was under way when it opened says nothing new. */
static void failures_while_open_do_not_count_twice(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)fails("h1", "h2", 1000);
    }
    assert_false(fails("h1", "h2", 2000));
    assert_null(ek_circuit_block(circuit, "h1", "h2", 1000 + policy.circuit_open_ms));
}

/* A move that works closes it, and takes half of the failures of one that was not open. */
static void a_success_closes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)fails("h1", "h2", 1000);
    }
    assert_true(ek_circuit_worked(circuit, "h1", "h2"));
    assert_null(ek_circuit_block(circuit, "h1", "h2", 1000));
    assert_false(fails("h1", "h2", 2000));
    assert_false(fails("h1", "h2", 2000));
    assert_false(ek_circuit_worked(circuit, "h1", "h2"));
    assert_false(fails("h1", "h2", 2000));
    assert_true(fails("h1", "h2", 2000));
}

/* Failures that are long past are forgotten. */
static void old_failures_are_forgotten(void **state)
{
    int64_t later_ms = 1000 + policy.circuit_window_ms + MINUTE_MS;

    (void)state;
    (void)fails("h1", "h2", 1000);
    (void)fails("h1", "h2", 1000);
    assert_false(fails("h1", "h2", later_ms));
    assert_null(ek_circuit_block(circuit, "h1", "h2", later_ms));
    ek_circuit_expire(circuit, &policy, later_ms + policy.circuit_window_ms + MINUTE_MS);
    assert_int_equal(ek_circuit_export(circuit, NULL, 0), 0);
}

/* What is kept is put back as it was. */
static void entries_are_kept(void **state)
{
    struct ek_circuit_entry kept[8];
    struct ek_circuit_entry again[8];
    size_t count = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)fails("h1", "h2", 1000);
    }
    (void)fails("h3", "h2", 2000);
    count = ek_circuit_export(circuit, kept, 8);
    assert_int_equal(count, 5);
    ek_circuit_destroy(circuit);
    circuit = ek_circuit_create();
    for (size_t i = 0; i < count; i++) {
        assert_true(ek_circuit_import(circuit, &kept[i], &err));
    }
    assert_int_equal(ek_circuit_export(circuit, again, 8), count);
    assert_memory_equal(kept, again, count * sizeof(*kept));
    assert_non_null(ek_circuit_block(circuit, "h1", "h2", 2000));
}

/* It says what it is, and how long. */
static void it_says_how_long(void **state)
{
    struct ek_arena arena = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)fails("h1", "h2", 1000);
    }
    assert_string_equal(ek_circuit_text(ek_circuit_block(circuit, "h1", "h2", 1000), 1000, &arena),
                        "the circuit from h1 to h2 is open after 3 failures (for another 300 s)");
    ek_arena_finish(&arena);
}

/* A clock that was a day ahead when a circuit opened and then was set right keeps no host from
 * being emptied for a day. */
static void a_clock_that_went_back_keeps_none_open(void **state)
{
    enum { DAY_MS = 24 * 60 * MINUTE_MS };

    (void)state;
    for (int i = 0; i < policy.circuit_failures; i++) {
        (void)fails("h1", "h2", DAY_MS + i);
    }
    ek_circuit_expire(circuit, &policy, 1000);
    assert_non_null(ek_circuit_block(circuit, "h1", "h2", 1000));
    assert_null(ek_circuit_block(circuit, "h1", "h2", 1000 + policy.circuit_open_max_ms));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pair_opens),
        TEST(a_destination_opens),
        TEST(a_source_opens),
        TEST(a_trial_that_fails_opens_for_longer),
        TEST(failures_while_open_do_not_count_twice),
        TEST(a_success_closes),
        TEST(old_failures_are_forgotten),
        TEST(a_clock_that_went_back_keeps_none_open),
        TEST(entries_are_kept),
        TEST(it_says_how_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
