/* The watcher while Redis fails and the machine's time is set. The watcher's own calls of
 * clock_gettime go through this test (--wrap). */
#include "balancer/daemon/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

enum { LATE_MS = 30000 };

static atomic_int waits;
static bool heard;
static bool late;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* Who asks for the machine's time hears it just before it is set back by an hour. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = __real_clock_gettime(clock, now);

    now->tv_sec += clock == CLOCK_REALTIME ? 3600 : 0;
    return status;
}

/* Redis is away at first, and then something is there. */
static bool wait_for_change(struct ek_store *store, int timeout_ms, bool *changed,
                            struct ek_error *err)
{
    (void)store;
    (void)timeout_ms;
    if (atomic_fetch_add(&waits, 1) == 0) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "Redis is away");
    }
    *changed = true;
    return true;
}

static void hear(void *context)
{
    (void)context;
    heard = true;
}

static void be_late(uv_timer_t *timer)
{
    (void)timer;
    late = true;
}

/* After a failure it listens again a second later, whatever is done to the clock meanwhile. */
static void test_a_clock_that_is_set_back(void **state)
{
    struct ek_store_options options = {
        .unix_socket = "/nonexistent", .key_prefix = "evenkeel:", .connect_timeout_ms = 1000};
    struct ek_error err;
    uv_loop_t loop;
    uv_timer_t timer;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, be_late, LATE_MS, 0), 0);
    struct ek_watch *watch =
        ek_watch_start(&loop,
                       &(struct ek_watch_options){.store = ek_store_create(&options),
                                                  .wait = wait_for_change,
                                                  .without = "this test goes on without",
                                                  .changed = hear},
                       &err);
    assert_non_null(watch);
    while (!heard && !late) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    ek_watch_stop(watch);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ek_watch_destroy(watch);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_clock_that_is_set_back)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
