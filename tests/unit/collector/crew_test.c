/* Laws of the crew: every job is told of once, and who hangs is left behind. */
#include "collector/inspect/crew.h"
#include "tests/lib/cmocka.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { JOBS = 20, MOST = 4 };

/* What the jobs do, shared with threads that outlive the call. */
struct work {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool hangs[JOBS];
    bool open; /* lets those that hang go on */
    int at_once;
    int most_at_once;
    bool *released;
};

struct tally {
    int told[JOBS];
    bool left[JOBS];
};

static void work_on(void *context, size_t job)
{
    struct work *work = context;

    (void)pthread_mutex_lock(&work->mutex);
    work->at_once++;
    work->most_at_once = work->at_once > work->most_at_once ? work->at_once : work->most_at_once;
    while (work->hangs[job] && !work->open) {
        (void)pthread_cond_wait(&work->changed, &work->mutex);
    }
    work->at_once--;
    (void)pthread_mutex_unlock(&work->mutex);
}

/* Signals under the mutex: once the flag is seen, nothing of the work is touched again. */
static pthread_mutex_t release_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t release_changed = PTHREAD_COND_INITIALIZER;

static void release(void *context)
{
    struct work *work = context;

    (void)pthread_mutex_lock(&release_mutex);
    *work->released = true;
    (void)pthread_cond_signal(&release_changed);
    (void)pthread_mutex_unlock(&release_mutex);
    free(work);
}

static void ended(void *watcher, void *context, size_t job, bool left)
{
    struct tally *tally = watcher;

    (void)context;
    tally->told[job]++;
    tally->left[job] = left;
}

static struct work *create(bool *released)
{
    struct work *work = calloc(1, sizeof(*work));

    assert_non_null(work);
    assert_int_equal(pthread_mutex_init(&work->mutex, NULL), 0);
    assert_int_equal(pthread_cond_init(&work->changed, NULL), 0);
    work->released = released;
    *released = false;
    return work;
}

static void run(struct work *work, struct tally *tally, int limit_ms)
{
    struct ek_error err;
    struct ek_crew_jobs jobs = {.count = JOBS,
                                .most = MOST,
                                .limit_ms = limit_ms,
                                .context = work,
                                .work = work_on,
                                .release = release,
                                .ended = ended,
                                .watcher = tally};

    if (!ek_crew_run(&jobs, &err)) {
        fail_msg("%s", err.message);
    }
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(tally->told[i], 1);
    }
}

static void await_release(const bool *released)
{
    (void)pthread_mutex_lock(&release_mutex);
    while (!*released) {
        (void)pthread_cond_wait(&release_changed, &release_mutex);
    }
    (void)pthread_mutex_unlock(&release_mutex);
}

/* All jobs end, never more at once than allowed, and what they share is released. */
static void every_job_is_told_of_once(void **state)
{
    struct tally tally = {.told = {0}};
    bool released = false;
    struct work *work = create(&released);

    (void)state;
    run(work, &tally, 60000);
    for (size_t i = 0; i < JOBS; i++) {
        assert_false(tally.left[i]);
    }
    assert_int_equal(ek_crew_left_behind(), 0);
    await_release(&released);
}

/* More jobs hang than may run at once: each is left when its time is over, all others are done, and
 * what is shared lives until the last of them has ended. The process knows of those that were left
 * until they come back. */
static void who_hangs_is_left_behind(void **state)
{
    struct tally tally = {.told = {0}};
    bool released = false;
    struct work *work = create(&released);

    (void)state;
    for (size_t i = 0; i < MOST + 2; i++) {
        work->hangs[2 * i] = true;
    }
    run(work, &tally, 300);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(tally.left[i], i % 2 == 0 && i < 2 * (MOST + 2));
    }
    assert_false(released);
    assert_int_equal(ek_crew_left_behind(), MOST + 2);
    (void)pthread_mutex_lock(&work->mutex);
    work->open = true;
    (void)pthread_cond_broadcast(&work->changed);
    (void)pthread_mutex_unlock(&work->mutex);
    await_release(&released);
    while (ek_crew_left_behind() > 0) {
        (void)sched_yield(); /* the last one is on its way out */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_told_of_once),
        cmocka_unit_test(who_hangs_is_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
