#include "balancer/core/learned.h"

#include "balancer/core/migration_cost.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* A move that was predicted to copy 10000 MiB in 100 s. */
static const struct ek_move_order order = {.predicted_transfer_mib = 10000,
                                           .predicted_duration_ms = 100000};

static struct ek_outcome outcome(double mib, int64_t ms, int attempts)
{
    return (struct ek_outcome){.domain = "a",
                               .state = EK_MOVE_DONE,
                               .attempts = attempts,
                               .transferred_mib = mib,
                               .started_at_ms = DAY_MS,
                               .ended_at_ms = DAY_MS + ms};
}

static struct ek_learned *after(const struct ek_outcome *ended, int times)
{
    struct ek_learned *learned = ek_learned_create();
    struct ek_error err = {0};

    assert_non_null(learned);
    for (int i = 0; i < times; i++) {
        assert_true(ek_learned_note(learned, &order, ended, &err));
    }
    return learned;
}

static void assert_learned(struct ek_outcome ended, int times, double factor)
{
    struct ek_learned *learned = after(&ended, times);

    assert_near(ek_learned_factor(learned, "a"), factor, 0.05);
    ek_learned_destroy(learned);
}

/* A move that cost what was predicted teaches nothing, and who never moved costs what is predicted.
 */
static void as_predicted_is_one(void **state)
{
    struct ek_outcome ended = outcome(10000, 100000, 1);
    struct ek_learned *learned = after(&ended, 1);

    (void)state;
    assert_near(ek_learned_factor(learned, "a"), 1, 0);
    assert_near(ek_learned_factor(learned, "b"), 1, 0);
    ek_learned_destroy(learned);
}

/* Twice the bytes in twice the time: half of it is believed at once, and more with each move. The
 * prediction of the second holds what the first taught. */
static void dearer_moves_are_believed_by_half(void **state)
{
    (void)state;
    assert_learned(outcome(20000, 200000, 1), 1, 1.5);
    assert_learned(outcome(20000, 200000, 1), 2, 2.25);
    assert_learned(outcome(5000, 50000, 1), 1, 0.75);
}

/* Waits between several attempts are no copying: only the bytes count then. */
static void retries_do_not_count_as_time(void **state)
{
    (void)state;
    assert_learned(outcome(10000, 900000, 4), 1, 1);
    assert_learned(outcome(20000, 900000, 4), 1, 1.5);
    assert_learned(outcome(0, 900000, 4), 1, 1);
}

/* Where bytes are not known, time alone tells. */
static void time_alone_tells(void **state)
{
    (void)state;
    assert_learned(outcome(0, 205000, 1), 1, 1.5);
}

/* Whatever happens, a factor stays between a quarter and four. */
static void factors_are_bounded(void **state)
{
    (void)state;
    assert_learned(outcome(1e9, 100000000, 1), 5, 4);
    assert_learned(outcome(1, 1, 1), 20, 0.25);
}

/* After a month the guest is taken to be another one. */
static void lessons_expire(void **state)
{
    struct ek_outcome ended = outcome(20000, 200000, 1);
    struct ek_learned *learned = after(&ended, 1);

    (void)state;
    ek_learned_expire(learned, DAY_MS + 30 * DAY_MS);
    assert_near(ek_learned_factor(learned, "a"), 1.5, 0.02);
    ek_learned_expire(learned, DAY_MS + 31 * DAY_MS);
    assert_near(ek_learned_factor(learned, "a"), 1, 0);
    ek_learned_destroy(learned);
}

/* What was learned makes the domain's next prediction dearer, bytes and time alike. */
static void lessons_correct_the_model(void **state)
{
    struct ek_outcome ended = outcome(20000, 200000, 1);
    struct ek_learned *learned = after(&ended, 1);
    struct ek_snapshot snapshot;

    (void)state;
    ek_test_cluster(&snapshot, "h1; a@h1 2v 8G dirty=10; b@h1 2v 8G dirty=10");
    ek_learned_apply(learned, &snapshot);
    double factor = ek_learned_factor(learned, "a");
    struct ek_cost a = ek_migration_cost(&snapshot.domains[0], 100, 500);
    struct ek_cost b = ek_migration_cost(&snapshot.domains[1], 100, 500);
    assert_near(a.transfer_mib / b.transfer_mib, factor, 1e-9);
    assert_near((double)(a.duration_ms - 500) / (double)(b.duration_ms - 500), factor, 1e-3);
    assert_int_equal(a.downtime_ms, b.downtime_ms);
    ek_snapshot_finish(&snapshot);
    ek_learned_destroy(learned);
}

/* Kept lessons come back as they were. */
static void lessons_outlive_their_keeper(void **state)
{
    struct ek_outcome ended = outcome(20000, 200000, 1);
    struct ek_learned *learned = after(&ended, 1);
    struct ek_learned *next = ek_learned_create();
    struct ek_lesson kept;
    struct ek_error err = {0};

    (void)state;
    assert_int_equal(ek_learned_export(learned, &kept, 1), 1);
    assert_true(ek_learned_import(next, &kept, &err));
    assert_true(ek_learned_factor(next, "a") == ek_learned_factor(learned, "a"));
    ek_learned_destroy(learned);
    ek_learned_destroy(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_predicted_is_one),
        cmocka_unit_test(dearer_moves_are_believed_by_half),
        cmocka_unit_test(retries_do_not_count_as_time),
        cmocka_unit_test(time_alone_tells),
        cmocka_unit_test(factors_are_bounded),
        cmocka_unit_test(lessons_expire),
        cmocka_unit_test(lessons_correct_the_model),
        cmocka_unit_test(lessons_outlive_their_keeper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
