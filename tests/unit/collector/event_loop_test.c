/* Laws of the loop that libvirt is given, asked as libvirt asks: from many threads at once. */
#include "collector/libvirt/events.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 6, ROUNDS = 200, PATIENCE_S = 30, SOON_MS = 20, LATE_MS = 3600000 };

/* One thing that the loop serves, and what became of it. */
struct served {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls;
    int releases;
    bool called_after_release;
    int pipe[2];
};

static void note(struct served *served, int *counter)
{
    (void)pthread_mutex_lock(&served->lock);
    served->called_after_release |= served->releases > 0;
    (*counter)++;
    (void)pthread_cond_broadcast(&served->changed);
    (void)pthread_mutex_unlock(&served->lock);
}

static void on_readable(int watch, int fd, int events, void *context)
{
    struct served *served = context;
    char byte = 0;

    (void)watch;
    (void)events;
    (void)!read(fd, &byte, 1);
    note(served, &served->calls);
}

static void on_timer(int timer, void *context)
{
    struct served *served = context;

    (void)timer;
    note(served, &served->calls);
}

static void on_release(void *context)
{
    struct served *served = context;

    note(served, &served->releases);
}

static void begin(struct served *served)
{
    *served =
        (struct served){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    assert_int_equal(pipe(served->pipe), 0);
}

static bool reached(struct served *served, const int *counter, int wanted)
{
    struct timespec until;
    int failure = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&served->lock);
    while (*counter < wanted && failure == 0) {
        failure = pthread_cond_timedwait(&served->changed, &served->lock, &until);
    }
    (void)pthread_mutex_unlock(&served->lock);
    return failure == 0;
}

static bool end(struct served *served)
{
    (void)close(served->pipe[0]);
    (void)close(served->pipe[1]);
    (void)pthread_cond_destroy(&served->changed);
    (void)pthread_mutex_destroy(&served->lock);
    return served->releases == 1 && !served->called_after_release;
}

static int setup(void **state)
{
    struct ek_error err;

    (void)state;
    return ek_libvirt_events_start(&err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ek_libvirt_events_stop();
    return 0;
}

/* A loop that already sleeps without end hears of what comes. */
static void test_a_sleeping_loop_is_woken(void **state)
{
    struct served served;

    (void)state;
    begin(&served);
    int far = virEventAddTimeout(LATE_MS, on_timer, &served, NULL);
    int timer = virEventAddTimeout(SOON_MS, on_timer, &served, on_release);
    assert_true(far > 0 && timer > 0);
    assert_true(reached(&served, &served.calls, 2));
    virEventUpdateTimeout(timer, -1);
    virEventUpdateTimeout(far, 0);
    assert_true(reached(&served, &served.calls, 4));
    assert_int_equal(virEventRemoveTimeout(far), 0);
    assert_int_equal(virEventRemoveTimeout(timer), 0);
    assert_int_equal(virEventRemoveTimeout(timer), -1);
    assert_true(reached(&served, &served.releases, 1));
    assert_true(end(&served));
}

static void on_last_call(int watch, int fd, int events, void *context)
{
    on_readable(watch, fd, events, context);
    (void)virEventRemoveHandle(watch);
}

/* As libvirt does when a peer has hung up. */
static void test_a_callback_may_remove_itself(void **state)
{
    struct served served;

    (void)state;
    begin(&served);
    assert_int_equal(write(served.pipe[1], "ab", 2), 2);
    assert_true(virEventAddHandle(served.pipe[0], VIR_EVENT_HANDLE_READABLE, on_last_call, &served,
                                  on_release) > 0);
    assert_true(reached(&served, &served.releases, 1));
    assert_int_equal(served.calls, 1);
    assert_true(end(&served));
}

static atomic_int failures;

static void expect(bool holds)
{
    if (!holds) {
        (void)atomic_fetch_add(&failures, 1);
    }
}

/* What libvirt's client does: silence the socket for a call, hear it again, and put the keepalive
 * off, all while the loop serves others. */
static void exchange(struct served *served, int watch, int timer, int round)
{
    virEventUpdateHandle(watch, 0);
    expect(write(served->pipe[1], "x", 1) == 1);
    virEventUpdateTimeout(timer, LATE_MS + round);
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_READABLE);
    expect(reached(served, &served->calls, round + 1));
}

static void *use(void *context)
{
    (void)context;
    for (int life = 0; life < ROUNDS / 10; life++) {
        struct served heard;
        struct served timed;

        begin(&heard);
        begin(&timed);
        int watch = virEventAddHandle(heard.pipe[0], VIR_EVENT_HANDLE_READABLE, on_readable, &heard,
                                      on_release);
        int timer = virEventAddTimeout(LATE_MS, on_timer, &timed, on_release);
        for (int round = 0; round < 10; round++) {
            exchange(&heard, watch, timer, round);
        }
        virEventUpdateTimeout(timer, 0);
        expect(reached(&timed, &timed.calls, 1));
        expect(virEventRemoveTimeout(timer) == 0);
        expect(virEventRemoveHandle(watch) == 0);
        expect(reached(&heard, &heard.releases, 1));
        expect(reached(&timed, &timed.releases, 1));
        expect(heard.calls == 10);
        expect(end(&heard));
        expect(end(&timed));
    }
    return NULL;
}

static void test_many_threads_use_it_at_once(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    atomic_store(&failures, 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&failures), 0);
}

/* Connections may be closed right before the end. */
static void test_the_end_hands_all_back(void **state)
{
    struct served served;
    struct ek_error err;

    (void)state;
    begin(&served);
    int timer = virEventAddTimeout(LATE_MS, on_timer, &served, on_release);
    assert_int_equal(virEventRemoveTimeout(timer), 0);
    ek_libvirt_events_stop();
    assert_true(end(&served));
    assert_true(ek_libvirt_events_start(&err));
    begin(&served);
    timer = virEventAddTimeout(0, on_timer, &served, on_release);
    assert_true(reached(&served, &served.calls, 3));
    assert_int_equal(virEventRemoveTimeout(timer), 0);
    assert_true(reached(&served, &served.releases, 1));
    assert_true(end(&served));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sleeping_loop_is_woken),
        cmocka_unit_test(test_a_callback_may_remove_itself),
        cmocka_unit_test(test_many_threads_use_it_at_once),
        cmocka_unit_test(test_the_end_hands_all_back),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
