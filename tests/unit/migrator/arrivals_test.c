/* What is on its way to a host: memory that two moves do not both count, one maker of each base. */
#include "migrator/arrivals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ek_arrivals arrivals;
static double others_mib;

static int setup(void **state)
{
    (void)state;
    return ek_arrivals_init(&arrivals) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ek_arrivals_finish(&arrivals);
    return 0;
}

/* Attempt 1 of the move of that number to that host, which needs a base. */
static struct ek_move_record move_to(int n, const char *host)
{
    struct ek_move_record record = {.attempt = 1, .preparation_count = 1};

    snprintf(record.order.id, sizeof(record.order.id), "p-%d", n);
    snprintf(record.order.domain, sizeof(record.order.domain), "domain-%d", n);
    snprintf(record.order.destination, sizeof(record.order.destination), "%s", host);
    record.preparations[0] = (struct ek_preparation){.kind = EK_PREPARATION_BASE, .what = "/base"};
    return record;
}

static bool reserve(const struct ek_move_record *record, double need_mib)
{
    return ek_arrivals_reserve(&arrivals, record, need_mib, 1000, &others_mib);
}

/* Two checks for one host do not both count the same room; other hosts are not concerned. */
static void test_room_is_counted_once(void **state)
{
    struct ek_move_record first = move_to(1, "h2"), second = move_to(2, "h2"),
                          third = move_to(3, "h3");

    (void)state;
    assert_true(reserve(&first, 600));
    assert_false(reserve(&second, 600));
    assert_true(others_mib == 600);
    assert_true(reserve(&third, 600));
    assert_true(reserve(&first, 700)); /* a new attempt stands in its own way not */
}

/* What has arrived takes its memory itself, and what is over takes none. */
static void test_room_comes_free(void **state)
{
    struct ek_move_record first = move_to(1, "h2"), second = move_to(2, "h2");

    (void)state;
    assert_true(reserve(&first, 600));
    ek_arrivals_note(&arrivals, &first, 300);
    assert_true(reserve(&second, 600));
    assert_true(others_mib == 300);
    assert_true(ek_arrivals_close(&arrivals, &second));
    assert_true(reserve(&first, 1000));
}

/* A migration that a predecessor began counts from when it is seen. */
static void test_adopted_moves_count(void **state)
{
    struct ek_move_record adopted = move_to(1, "h2"), second = move_to(2, "h2");

    (void)state;
    ek_arrivals_note(&arrivals, &adopted, 600);
    assert_false(reserve(&second, 600));
}

/* Nothing is made for an attempt that is over, and nothing undone while something is being made. */
static void test_effects_and_their_end(void **state)
{
    struct ek_move_record first = move_to(1, "h2");
    struct ek_move_record again = first;

    (void)state;
    assert_false(ek_arrivals_enter(&arrivals, &first));
    assert_true(reserve(&first, 1));
    assert_true(ek_arrivals_enter(&arrivals, &first));
    assert_false(ek_arrivals_close(&arrivals, &first));
    assert_false(ek_arrivals_goes_on(&arrivals, &first));
    ek_arrivals_leave(&arrivals, &first);
    assert_true(ek_arrivals_close(&arrivals, &first));
    assert_false(ek_arrivals_enter(&arrivals, &first));
    again.attempt = 2;
    assert_true(reserve(&again, 1));
    assert_false(ek_arrivals_enter(&arrivals, &first)); /* a call of the first attempt, late */
    assert_true(ek_arrivals_enter(&arrivals, &again));
    ek_arrivals_leave(&arrivals, &again);
}

/* A call of a life that is another's by now neither makes nor undoes anything; one that its own
 * life gave up may undo its half. */
static void test_disowned(void **state)
{
    struct ek_move_record first = move_to(1, "h2");
    struct ek_move_record again = first;

    (void)state;
    again.attempt = 2;
    assert_true(reserve(&first, 1));
    assert_true(ek_arrivals_enter(&arrivals, &first));
    ek_arrivals_disown(&arrivals, &again); /* another attempt is not meant */
    assert_true(ek_arrivals_goes_on(&arrivals, &first));
    ek_arrivals_close(&arrivals, &first);
    assert_true(ek_arrivals_may_undo(&arrivals, &first));
    ek_arrivals_disown(&arrivals, &first);
    assert_false(ek_arrivals_goes_on(&arrivals, &first));
    assert_false(ek_arrivals_may_undo(&arrivals, &first));
    assert_false(reserve(&again, 1));
    ek_arrivals_leave(&arrivals, &first);
    assert_true(reserve(&again, 1));
    assert_true(ek_arrivals_may_undo(&arrivals, &again));
    assert_false(ek_arrivals_may_undo(&arrivals, &first));
}

struct waiter {
    struct ek_move_record record;
    bool locked;
};

static void *wait_for_base(void *argument)
{
    struct waiter *waiter = argument;

    waiter->locked = ek_arrivals_lock_base(&arrivals, &waiter->record, "/base");
    if (waiter->locked) {
        ek_arrivals_unlock_base(&arrivals, &waiter->record, "/base", false);
    }
    return NULL;
}

/* One makes a base on a host; who else needs it there waits, and gives up when its attempt ends. */
static void test_one_makes_a_base(void **state)
{
    struct ek_move_record first = move_to(1, "h2"), other = move_to(4, "h3");
    struct waiter second = {.record = move_to(2, "h2")}, third = {.record = move_to(3, "h2")};
    pthread_t threads[2];

    (void)state;
    assert_true(reserve(&first, 1) && reserve(&second.record, 1) && reserve(&third.record, 1));
    assert_true(reserve(&other, 1));
    assert_true(ek_arrivals_lock_base(&arrivals, &first, "/base"));
    assert_true(ek_arrivals_lock_base(&arrivals, &other, "/base"));
    assert_int_equal(pthread_create(&threads[0], NULL, wait_for_base, &second), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, wait_for_base, &third), 0);
    ek_arrivals_close(&arrivals, &third.record);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_false(third.locked);
    ek_arrivals_unlock_base(&arrivals, &first, "/base", true);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_true(second.locked);
}

/* A base that another attempt needs there is not undone with the attempt that made it. */
static void test_a_base_is_needed_by_others(void **state)
{
    struct ek_move_record first = move_to(1, "h2"), second = move_to(2, "h2");

    (void)state;
    assert_true(reserve(&first, 1));
    assert_false(ek_arrivals_need_base(&arrivals, &first, "/base"));
    assert_true(reserve(&second, 1));
    assert_true(ek_arrivals_need_base(&arrivals, &first, "/base"));
    assert_false(ek_arrivals_need_base(&arrivals, &first, "/other"));
    /* Found by the second, and yet no older than both when the first has made it. */
    assert_true(ek_arrivals_lock_base(&arrivals, &first, "/base"));
    ek_arrivals_unlock_base(&arrivals, &first, "/base", false);
    assert_false(ek_arrivals_base_is_new(&arrivals, &second, "/base"));
    ek_arrivals_unlock_base(&arrivals, &first, "/base", true);
    assert_true(ek_arrivals_base_is_new(&arrivals, &second, "/base"));
    assert_true(ek_arrivals_expects(&arrivals, "h2", "domain-2"));
    assert_false(ek_arrivals_expects(&arrivals, "h3", "domain-2"));
}

enum { THREADS = 6, ROUNDS = 200 };

static pthread_mutex_t makers_mutex = PTHREAD_MUTEX_INITIALIZER;
static int makers;
static int most_makers;
static bool no_room;

static void count_makers(int change)
{
    pthread_mutex_lock(&makers_mutex);
    makers += change;
    most_makers = makers > most_makers ? makers : most_makers;
    pthread_mutex_unlock(&makers_mutex);
}

/* A call of one attempt after the other, from the check to the clean-up. */
static void *come_and_go(void *argument)
{
    struct ek_move_record record = move_to(*(const int *)argument, "h2");

    for (int round = 0; round < ROUNDS; round++) {
        double others = 0;
        bool fits = ek_arrivals_reserve(&arrivals, &record, 100, 100 * THREADS, &others);
        if (!fits || others > 100 * (THREADS - 1) || !ek_arrivals_enter(&arrivals, &record)) {
            pthread_mutex_lock(&makers_mutex);
            no_room = true; /* there is room for all, and nobody closes another's attempt */
            pthread_mutex_unlock(&makers_mutex);
            return NULL;
        }
        if (ek_arrivals_lock_base(&arrivals, &record, "/base")) {
            count_makers(1);
            (void)ek_arrivals_goes_on(&arrivals, &record);
            (void)ek_arrivals_need_base(&arrivals, &record, "/base");
            count_makers(-1);
            ek_arrivals_unlock_base(&arrivals, &record, "/base", round % 2 == 0);
        }
        ek_arrivals_leave(&arrivals, &record);
        (void)ek_arrivals_expects(&arrivals, "h2", "domain-1");
        (void)ek_arrivals_close(&arrivals, &record);
        record.attempt++;
    }
    return NULL;
}

/* However many come and go at once: one makes the base, room is never counted twice, and in the end
 * it is all free. */
static void test_many_at_once(void **state)
{
    static int numbers[THREADS];
    struct ek_move_record last = move_to(THREADS + 1, "h2");
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_false(no_room);
    assert_int_equal(most_makers, 1);
    assert_true(reserve(&last, 1000));
    assert_true(others_mib == 0);
}

/* Digests are known by the whole key. */
static void test_digests_are_remembered(void **state)
{
    unsigned char digest[SHA256_DIGEST_SIZE] = {1, 2, 3}, read[SHA256_DIGEST_SIZE];

    (void)state;
    assert_false(ek_arrivals_digest(&arrivals, "h1 /base 10 2.5", read));
    ek_arrivals_keep_digest(&arrivals, "h1 /base 10 2.5", digest);
    assert_true(ek_arrivals_digest(&arrivals, "h1 /base 10 2.5", read));
    assert_memory_equal(read, digest, sizeof(read));
    assert_false(ek_arrivals_digest(&arrivals, "h1 /base 10 2.6", read));
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(room_is_counted_once),   LAW(room_comes_free),  LAW(adopted_moves_count),
        LAW(effects_and_their_end),  LAW(one_makes_a_base), LAW(a_base_is_needed_by_others),
        LAW(digests_are_remembered), LAW(many_at_once),     LAW(disowned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
