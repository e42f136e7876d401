/* The store's thread: order, threads, limits, and its end. No Redis answers here: what the jobs do
 * is up to the tests, and that nobody answers is one of them. */
#include "balancer/daemon/store_thread.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { JOBS = 200, CALLERS = 4, CALLS = 50 };

struct fixture {
    uv_loop_t loop;
    struct ek_store_thread *thread;
    bool stopped;
};

struct numbered {
    struct ek_store_job job;
    int number;
    pthread_t worked_on;
};

/* What the jobs left behind; each array is written by one thread alone. */
static int worked[JOBS];
static size_t worked_count;
static int ended[JOBS];
static size_t ended_count;
static size_t failed_count;
static pthread_t ended_on;

static int setup(void **state)
{
    const struct ek_store_options options = {.unix_socket = "/nonexistent/redis.sock",
                                             .key_prefix = "evenkeel:",
                                             .connect_timeout_ms = 1000,
                                             .command_timeout_ms = 1000};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct ek_error err;

    assert_non_null(fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fixture->thread = ek_store_thread_create(&fixture->loop, ek_store_create(&options), &err);
    assert_non_null(fixture->thread);
    worked_count = ended_count = failed_count = 0;
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    if (!fixture->stopped) {
        ek_store_thread_stop(fixture->thread);
        fixture->stopped = true;
    }
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    stop(fixture);
    ek_store_thread_destroy(fixture->thread);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture);
    return 0;
}

static bool note_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct numbered *it = (struct numbered *)job;

    (void)store;
    (void)err;
    it->worked_on = pthread_self();
    worked[worked_count++] = it->number;
    return true;
}

static void note_end(struct ek_store_job *job, const struct ek_error *err)
{
    struct numbered *it = (struct numbered *)job;

    failed_count += err == NULL ? 0 : 1;
    ended[ended_count++] = it->number;
    ended_on = pthread_self();
    free(it);
}

static struct numbered *job_of(int number)
{
    struct numbered *it = calloc(1, sizeof(*it));

    assert_non_null(it);
    it->number = number;
    it->job.work = note_work;
    it->job.done = note_end;
    return it;
}

static void submit_all(struct fixture *fixture, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(ek_store_thread_submit(fixture->thread, &job_of(i)->job, 0));
    }
}

/* Jobs are worked off one after the other, and reported in the order in which they were asked for.
 */
static void test_order(void **state)
{
    struct fixture *fixture = *state;

    submit_all(fixture, JOBS);
    while (ended_count < JOBS) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_int_equal(worked_count, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(worked[i], i);
        assert_int_equal(ended[i], i);
    }
    assert_true(pthread_equal(ended_on, pthread_self()));
}

/* What is queued when the thread is told to stop is done, reported, and nothing more is taken. */
static void test_stop_finishes(void **state)
{
    struct fixture *fixture = *state;
    struct numbered late = {.job = {.work = note_work, .done = note_end}};

    submit_all(fixture, JOBS);
    stop(fixture);
    assert_int_equal(ended_count, JOBS);
    assert_int_equal(failed_count, 0);
    assert_false(ek_store_thread_submit(fixture->thread, &late.job, 0));
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static bool wait_at_gate(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return note_work(store, job, err);
}

/* A queue that is full takes no more, so that samples do not pile up while Redis is away. */
static void test_limit(void **state)
{
    struct fixture *fixture = *state;
    struct numbered *first = job_of(0);
    struct numbered *refused = job_of(9);
    size_t taken = 0;

    first->job.work = wait_at_gate;
    (void)pthread_mutex_lock(&gate);
    assert_true(ek_store_thread_submit(fixture->thread, &first->job, 0));
    /* At most one is out of the queue, in work: the third cannot be the queue's first. */
    while (ek_store_thread_submit(fixture->thread, &refused->job, 2)) {
        refused = job_of(9);
        assert_in_range(++taken, 1, 2);
    }
    (void)pthread_mutex_unlock(&gate);
    stop(fixture);
    assert_int_equal(ended_count, 1 + taken);
    free(refused);
}

static bool ping(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    (void)job;
    return ek_store_ping(store, err);
}

/* A failure reaches the one who asked, with its code. */
static void test_failure_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct ek_store_job job = {.work = ping};
    struct ek_error err = {0};

    assert_false(ek_store_thread_call(fixture->thread, &job, &err));
    assert_int_equal(err.code, EK_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "/nonexistent/redis.sock"));
}

static bool note_thread(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    (void)store;
    (void)err;
    ((struct numbered *)job)->worked_on = pthread_self();
    return true;
}

static void *call_often(void *argument)
{
    struct fixture *fixture = argument;
    size_t good = 0;

    for (int i = 0; i < CALLS; i++) {
        struct numbered it = {.job = {.work = note_thread}};
        struct ek_error err;
        bool done = ek_store_thread_call(fixture->thread, &it.job, &err);
        good += done && !pthread_equal(it.worked_on, pthread_self()) ? 1 : 0;
    }
    return (void *)good;
}

/* Several threads may wait for their own calls at once, while the loop's jobs go on. */
static void test_callers(void **state)
{
    struct fixture *fixture = *state;
    pthread_t callers[CALLERS];
    void *good = NULL;

    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, fixture), 0);
    }
    submit_all(fixture, JOBS);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i], &good), 0);
        assert_int_equal((size_t)good, CALLS);
    }
    stop(fixture);
    assert_int_equal(ended_count, JOBS);
}

/* How often a chore was done, and after how many times it has enough. */
struct chore {
    pthread_mutex_t mutex;
    pthread_cond_t told;
    unsigned int done;
    unsigned int enough;
};

static bool count_chore(struct ek_store *store, void *context)
{
    struct chore *chore = context;

    (void)store;
    (void)pthread_mutex_lock(&chore->mutex);
    bool more = ++chore->done < chore->enough;
    (void)pthread_cond_broadcast(&chore->told);
    (void)pthread_mutex_unlock(&chore->mutex);
    return more;
}

static void wait_for_chores(struct chore *chore, unsigned int count)
{
    (void)pthread_mutex_lock(&chore->mutex);
    while (chore->done < count) {
        (void)pthread_cond_wait(&chore->told, &chore->mutex);
    }
    (void)pthread_mutex_unlock(&chore->mutex);
}

/* While the loop, which is this thread, does nothing at all, a chore is done as often as was said,
 * or until it has enough; a new one begins anew. */
static void test_chore(void **state)
{
    struct fixture *fixture = *state;
    struct chore chore = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 100};
    struct chore other = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 2};

    ek_store_thread_chore(
        fixture->thread, &(struct ek_store_chore){count_chore, &chore, .period_ms = 1, .times = 3});
    wait_for_chores(&chore, 3);
    ek_store_thread_chore(fixture->thread, &(struct ek_store_chore){count_chore, &other,
                                                                    .period_ms = 1, .times = 1000});
    wait_for_chores(&other, 2);
    submit_all(fixture, JOBS);
    stop(fixture);
    assert_int_equal(ended_count, JOBS);
    assert_int_equal(chore.done, 3);
    assert_int_equal(other.done, 2);
}

/* One that is taken back is not done, nor one whose time has not come. */
static void test_no_chore(void **state)
{
    struct fixture *fixture = *state;
    struct chore chore = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 100};
    const struct ek_store_chore late = {count_chore, &chore, .period_ms = 3600000, .times = 3};

    ek_store_thread_chore(fixture->thread, &late);
    submit_all(fixture, JOBS);
    ek_store_thread_chore(fixture->thread, NULL);
    stop(fixture);
    assert_int_equal(ended_count, JOBS);
    assert_int_equal(chore.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_finishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chore, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_chore, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
