/* Everything that others may ask of an executor, from several threads at once, while lives run.
 * What ThreadSanitizer says to it is half of the test. */
#include "fake_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOVES = 24, MEDDLERS = 3 };

static struct fake fake;
static struct ek_executor *executor;

/* Guarded by the fake's mutex. */
static bool enough;
static int tasks_out;

static void search(void *context, const struct ek_move_record *record, struct ek_elsewhere *out)
{
    (void)context;
    (void)record;
    *out = (struct ek_elsewhere){.asked = 1};
}

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.port.search = search;
    executor = fake_executor(&fake);
    enough = false;
    tasks_out = 0;
    return executor == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    while (!ek_executor_shutdown(executor, 10000)) {
        /* calls that were let go return by themselves */
    }
    ek_executor_destroy(executor);
    fake_finish(&fake);
    return 0;
}

static void start(int n, int64_t epoch)
{
    struct ek_move_order order = fake_order(n);
    struct ek_error err = {0};

    assert_true(ek_executor_start(executor, &order, epoch, &err));
}

static bool has_enough(void)
{
    bool is_enough;

    (void)pthread_mutex_lock(&fake.mutex);
    is_enough = enough;
    (void)pthread_mutex_unlock(&fake.mutex);
    return is_enough;
}

/* Somebody resolves a move that nobody drives, meanwhile: looks, and acts. */
static void look_and_act(void *argument)
{
    struct ek_move_record record = {.order = fake_order(MOVES + 1)};
    struct ek_executor_look look;

    (void)argument;
    ek_executor_look(executor, &record, &look);
    (void)ek_executor_act(executor, &record, EK_LIFE_UNPREPARE);
    (void)pthread_mutex_lock(&fake.mutex);
    tasks_out--;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.mutex);
}

/* One at a time, as the daemon does it. */
static void begin_task(void)
{
    struct ek_error err = {0};
    bool free_now;

    (void)pthread_mutex_lock(&fake.mutex);
    free_now = tasks_out == 0;
    tasks_out += free_now ? 1 : 0;
    (void)pthread_mutex_unlock(&fake.mutex);
    if (free_now && !ek_executor_task(executor, look_and_act, NULL, &err)) {
        (void)pthread_mutex_lock(&fake.mutex);
        tasks_out--;
        (void)pthread_mutex_unlock(&fake.mutex);
    }
}

/* Limits and looks all the time; every third move is cancelled. */
static void *meddle(void *argument)
{
    struct ek_move_record shown[4];
    unsigned int turn = 0;

    (void)argument;
    while (!has_enough()) {
        int n = 1 + (int)(turn++ % MOVES);
        char id[EK_ID_SIZE];
        (void)snprintf(id, sizeof(id), "p-%d", n);
        ek_executor_limit(executor, id, turn % 90);
        (void)ek_executor_running(executor, shown, 4);
        if (n % 3 == 0) {
            (void)ek_executor_cancel(executor, id, EK_ABORT_OPERATOR);
        }
        begin_task();
    }
    return NULL;
}

static void begin_meddling(pthread_t threads[MEDDLERS])
{
    for (int i = 0; i < MEDDLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, meddle, NULL), 0);
    }
}

static void end_meddling(pthread_t threads[MEDDLERS])
{
    fake_set(&fake, &enough, true);
    for (int i = 0; i < MEDDLERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static const struct ek_move_record *record_of(const char *id)
{
    size_t i = 0;

    while (i < fake.record_count && strcmp(fake.records[i].order.id, id) != 0) {
        i++;
    }
    assert_in_range(i, 0, fake.record_count - 1);
    return &fake.records[i];
}

static void assert_domain_is_where_told(const struct ek_move_record *record)
{
    for (size_t i = 0; i < fake.domain_count; i++) {
        const struct fake_domain *domain = &fake.domains[i];
        if (strcmp(domain->uuid, record->order.domain) == 0) {
            assert_in_range(domain->migrates, 0, 1);
            assert_true(domain->arrived == (record->state == EK_MOVE_DONE));
        }
    }
}

/* Each move has one end, which is told at most once and as the journal has it; each guest was begun
 * to be moved once at most, and is where the record says. */
static void assert_one_end_each(void)
{
    assert_int_equal(fake.record_count, MOVES);
    for (size_t i = 0; i < fake.record_count; i++) {
        enum ek_move_state state = fake.records[i].state;
        assert_true(state == EK_MOVE_DONE || state == EK_MOVE_CANCELLED);
        assert_domain_is_where_told(&fake.records[i]);
    }
    for (size_t i = 0; i < fake.outcome_count; i++) {
        assert_int_equal(record_of(fake.outcomes[i].id)->state, fake.outcomes[i].state);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(fake.outcomes[i].id, fake.outcomes[j].id);
        }
    }
}

/* Moves come and go under limits, cancels, looks and tasks. */
static void test_meddled_with(void **state)
{
    pthread_t threads[MEDDLERS];

    (void)state;
    begin_meddling(threads);
    for (int n = 1; n <= MOVES; n++) {
        start(n, 5);
    }
    assert_true(fake_await_ends(&fake, MOVES));
    end_meddling(threads);
    assert_int_equal(fake.outcome_count, MOVES);
    assert_one_end_each();
}

/* A shutdown while everybody asks: what is asked later is refused, and nothing is out any more. */
static void test_shut_down_among_meddlers(void **state)
{
    pthread_t threads[MEDDLERS];
    struct ek_move_order order = fake_order(MOVES + 2);
    struct ek_error err = {0};

    (void)state;
    begin_meddling(threads);
    for (int n = 1; n <= MOVES; n++) {
        start(n, 5);
    }
    while (!ek_executor_shutdown(executor, 10000)) {
        /* calls return by themselves */
    }
    assert_false(ek_executor_start(executor, &order, 5, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_int_equal(ek_executor_running(executor, NULL, 0), 0);
    end_meddling(threads);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_meddled_with),
        SCENE(test_shut_down_among_meddlers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
