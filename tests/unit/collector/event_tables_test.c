/* Laws of the tables behind libvirt's event loop, without a thread: which calls are due. */
#include "collector/libvirt/timers.h"
#include "collector/libvirt/watches.h"
#include "tests/lib/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { READABLE = VIR_EVENT_HANDLE_READABLE, WRITABLE = VIR_EVENT_HANDLE_WRITABLE };

/* ---- watches --------------------------------------------------------------------------------- */

static void on_event(int watch, int fd, int events, void *context)
{
    (void)watch;
    (void)fd;
    (void)events;
    (void)context;
}

static void on_release(void *context)
{
    (*(int *)context)++;
}

static struct ek_watches watches;
static int pair[2]; /* two ends of one connection; the first is watched */
static int released;

static int setup_watches(void **state)
{
    (void)state;
    watches = (struct ek_watches){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    released = 0;
    assert_true(watches.epoll >= 0);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static void release_removed(void)
{
    virFreeCallback release = NULL;
    void *context = NULL;

    while (ek_watches_take_removed(&watches, &release, &context)) {
        release(context);
    }
}

static int teardown_watches(void **state)
{
    (void)state;
    for (int id = 1; id <= watches.last_id; id++) {
        (void)ek_watches_remove(&watches, id);
    }
    release_removed();
    free(watches.descriptors);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return close(watches.epoll);
}

static int watch(int events)
{
    int id = ek_watches_add(&watches, pair[0], events, on_event, &released, on_release);

    assert_true(id > 0);
    return id;
}

/* What the kernel tells at this moment. */
static int ask_kernel(struct epoll_event told[4])
{
    int count = epoll_wait(watches.epoll, told, 4, 0);

    assert_true(count >= 0);
    return count;
}

static void hear(void)
{
    struct epoll_event told[4];
    int count = ask_kernel(told);

    for (int i = 0; i < count; i++) {
        ek_watches_note(&watches, told[i].data.u64, told[i].events);
    }
}

static void expect_call(int id, int events)
{
    struct ek_watch_call call;

    assert_true(ek_watches_take_call(&watches, &call));
    assert_int_equal(call.id, id);
    assert_int_equal(call.fd, pair[0]);
    assert_int_equal(call.events, events);
    assert_ptr_equal(call.opaque, &released);
}

static void expect_quiet(void)
{
    struct ek_watch_call call;

    assert_false(ek_watches_take_call(&watches, &call));
}

static void make_readable(void)
{
    assert_int_equal(write(pair[1], "x", 1), 1);
}

static void test_what_is_there_is_told_until_it_is_taken(void **state)
{
    char byte = 0;
    int id = watch(READABLE);

    (void)state;
    hear();
    expect_quiet();
    make_readable();
    for (int i = 0; i < 3; i++) {
        hear();
        expect_call(id, READABLE);
        expect_quiet();
    }
    assert_int_equal(read(pair[0], &byte, 1), 1);
    hear();
    expect_quiet();
}

static void test_watches_of_one_descriptor_have_their_own_events(void **state)
{
    int reader = watch(READABLE);
    int writer = watch(WRITABLE);

    (void)state;
    hear();
    expect_call(writer, WRITABLE);
    expect_quiet();
    make_readable();
    ek_watches_update(&watches, writer, 0);
    hear();
    expect_call(reader, READABLE);
    expect_quiet();
    ek_watches_update(&watches, writer, READABLE | WRITABLE);
    assert_true(ek_watches_remove(&watches, reader));
    hear();
    expect_call(writer, READABLE | WRITABLE);
    expect_quiet();
}

/* libvirt's client silences its socket during a call, and the peer may be gone by then: the kernel
 * tells of that without end unless it is not asked. */
static void test_a_silent_watch_costs_nothing(void **state)
{
    struct epoll_event told[4];
    int id = watch(READABLE);

    (void)state;
    ek_watches_update(&watches, id, 0);
    (void)close(pair[1]);
    assert_int_equal(ask_kernel(told), 0);
    ek_watches_update(&watches, id, READABLE);
    hear();
    expect_call(id, READABLE | VIR_EVENT_HANDLE_HANGUP);
}

static void test_what_was_told_is_void_once_nobody_wants_it(void **state)
{
    int id = watch(READABLE);

    (void)state;
    make_readable();
    hear();
    ek_watches_update(&watches, id, 0);
    expect_quiet();
    ek_watches_update(&watches, id, READABLE);
    hear();
    assert_true(ek_watches_remove(&watches, id));
    expect_quiet();
    assert_false(ek_watches_remove(&watches, id));
}

/* A descriptor's number comes back with the next connection: an end of the old one is no end of the
 * new one. */
static void test_news_of_an_earlier_life_are_passed_over(void **state)
{
    struct epoll_event told[4];
    int old = watch(READABLE);

    (void)state;
    (void)close(pair[1]);
    assert_int_equal(ask_kernel(told), 1);
    assert_true(ek_watches_remove(&watches, old));
    (void)close(pair[0]);
    int number = pair[0];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pair[0], number);
    int id = watch(READABLE);
    ek_watches_note(&watches, told[0].data.u64, told[0].events);
    expect_quiet();
    make_readable();
    hear();
    expect_call(id, READABLE);
}

/* Closed first and removed later: the new owner of the number is still heard. */
static void test_a_late_removal_takes_nothing_from_the_next_owner(void **state)
{
    int old = watch(READABLE);
    int number = pair[0];

    (void)state;
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pair[0], number);
    int id = watch(READABLE);
    assert_true(ek_watches_remove(&watches, old));
    make_readable();
    hear();
    expect_call(id, READABLE);
    expect_quiet();
}

static void test_what_was_given_is_handed_back_once(void **state)
{
    int id = watch(READABLE);

    (void)state;
    assert_true(ek_watches_remove(&watches, id));
    assert_int_equal(released, 0);
    release_removed();
    release_removed();
    assert_int_equal(released, 1);
}

static void test_what_cannot_be_watched_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ek_watches_add(&watches, -1, READABLE, on_event, &released, on_release), -1);
    (void)close(pair[1]);
    assert_int_equal(ek_watches_add(&watches, pair[1], READABLE, on_event, &released, on_release),
                     -1);
    release_removed();
    assert_int_equal(released, 0); /* still the caller's */
}

/* ---- timers ---------------------------------------------------------------------------------- */

enum { TIMERS = 40, STEPS = 4000, LONGEST_MS = 60, NEW_LIFE_IN = 8 };

static void on_timer(int timer, void *context)
{
    (void)timer;
    (void)context;
}

/* What is expected of one timer. */
struct expected {
    int id;
    int period_ms;
    int64_t due_ms;
};

static struct ek_timers timers;
static struct expected model[TIMERS];

static int64_t soonest_ms(void)
{
    int64_t found_ms = EK_TIMERS_QUIET;

    for (size_t i = 0; i < TIMERS; i++) {
        found_ms = model[i].due_ms < found_ms ? model[i].due_ms : found_ms;
    }
    return found_ms;
}

static void drop_timer(const struct expected *expected)
{
    virFreeCallback release = on_release;
    void *context = NULL;

    assert_true(ek_timers_remove(&timers, expected->id));
    assert_true(ek_timers_take_removed(&timers, &release, &context));
    assert_null(release);
    assert_ptr_equal(context, expected);
}

static void change_timer(struct expected *expected, struct ek_random *random, int64_t now_ms)
{
    expected->period_ms = (int)ek_random_below(random, LONGEST_MS) - 1;
    expected->due_ms = expected->period_ms < 0 ? EK_TIMERS_QUIET : now_ms + expected->period_ms;
    if (ek_random_below(random, NEW_LIFE_IN) > 0) {
        ek_timers_update(&timers, expected->id, expected->period_ms, now_ms);
        return;
    }
    drop_timer(expected);
    expected->id = ek_timers_add(&timers, expected->period_ms, now_ms, on_timer, expected, NULL);
    assert_true(expected->id > 0);
}

static int take_calls(int64_t now_ms)
{
    struct ek_timer_call call;
    int calls = 0;

    while (ek_timers_take_call(&timers, &call)) {
        struct expected *expected = call.opaque;
        assert_int_equal(call.id, expected->id);
        assert_true(expected->due_ms <= now_ms);
        expected->due_ms = now_ms + (expected->period_ms > 0 ? expected->period_ms : 1);
        calls++;
    }
    return calls;
}

/* The table against a model that looks at every timer in every step. */
static void test_timers_are_called_when_they_are_due(void **state)
{
    struct ek_random random = {.state = 7};
    int64_t now_ms = 1000;
    int calls = 0;

    (void)state;
    for (size_t i = 0; i < TIMERS; i++) {
        model[i] = (struct expected){.period_ms = -1, .due_ms = EK_TIMERS_QUIET};
        model[i].id = ek_timers_add(&timers, -1, now_ms, on_timer, &model[i], NULL);
    }
    assert_true(ek_timers_quiet_until_ms(&timers) == EK_TIMERS_QUIET);
    for (int step = 0; step < STEPS; step++) {
        change_timer(&model[ek_random_below(&random, TIMERS)], &random, now_ms);
        assert_true(ek_timers_quiet_until_ms(&timers) <= soonest_ms());
        now_ms += (int64_t)ek_random_below(&random, 3);
        ek_timers_note(&timers, now_ms);
        calls += take_calls(now_ms);
        assert_true(soonest_ms() > now_ms);
    }
    assert_true(calls > STEPS);
    for (size_t i = 0; i < TIMERS; i++) {
        drop_timer(&model[i]);
    }
    assert_int_equal(timers.count, 0);
}

static void test_a_removed_timer_is_not_called(void **state)
{
    struct ek_timer_call call;
    virFreeCallback release = NULL;
    void *context = NULL;

    (void)state;
    released = 0;
    int id = ek_timers_add(&timers, 0, 5, on_timer, &released, on_release);
    ek_timers_note(&timers, 5);
    assert_true(ek_timers_remove(&timers, id));
    assert_false(ek_timers_take_call(&timers, &call));
    assert_false(ek_timers_remove(&timers, id));
    assert_true(ek_timers_take_removed(&timers, &release, &context));
    assert_false(ek_timers_take_removed(&timers, &release, &context));
    release(context);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_there_is_told_until_it_is_taken, setup_watches,
                                        teardown_watches),
        cmocka_unit_test_setup_teardown(test_watches_of_one_descriptor_have_their_own_events,
                                        setup_watches, teardown_watches),
        cmocka_unit_test_setup_teardown(test_a_silent_watch_costs_nothing, setup_watches,
                                        teardown_watches),
        cmocka_unit_test_setup_teardown(test_what_was_told_is_void_once_nobody_wants_it,
                                        setup_watches, teardown_watches),
        cmocka_unit_test_setup_teardown(test_news_of_an_earlier_life_are_passed_over, setup_watches,
                                        teardown_watches),
        cmocka_unit_test_setup_teardown(test_a_late_removal_takes_nothing_from_the_next_owner,
                                        setup_watches, teardown_watches),
        cmocka_unit_test_setup_teardown(test_what_was_given_is_handed_back_once, setup_watches,
                                        teardown_watches),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_watched_is_refused, setup_watches,
                                        teardown_watches),
        cmocka_unit_test(test_timers_are_called_when_they_are_due),
        cmocka_unit_test(test_a_removed_timer_is_not_called),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(timers.heap);
    return failed;
}
