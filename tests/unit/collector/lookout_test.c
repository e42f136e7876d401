/* Laws of the hints that libvirt's events give, over its test driver, which has real events. */
#include "collector/connect.h"
#include "collector/events.h"
#include "collector/lookout.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { HOST = 3, TOGGLES = 200, PATIENCE_S = 30 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int hints;
    int strangers; /* hints of another host */
    int events;    /* lifecycle events that the test itself saw */
    int turns;     /* of the event loop */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count(int *counter)
{
    (void)pthread_mutex_lock(&seen.lock);
    (*counter)++;
    (void)pthread_cond_broadcast(&seen.changed);
    (void)pthread_mutex_unlock(&seen.lock);
}

static void on_hint(void *receiver, size_t host)
{
    assert_ptr_equal(receiver, &seen);
    count(host == HOST ? &seen.hints : &seen.strangers);
}

/* Registered after the lookout's: whoever sees an event here knows that the lookout was called. */
static int on_event(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                    void *context)
{
    (void)connection;
    (void)domain;
    (void)event;
    (void)detail;
    (void)context;
    count(&seen.events);
    return 0;
}

static void wait_for(const int *counter, int wanted)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&seen.lock);
    while (*counter < wanted) {
        assert_int_equal(pthread_cond_timedwait(&seen.changed, &seen.lock, &until), 0);
    }
    (void)pthread_mutex_unlock(&seen.lock);
}

static virConnectPtr connection;
static virDomainPtr domain;
static int own;

static int setup(void **state)
{
    struct ek_error err;

    (void)state;
    seen.hints = 0;
    seen.strangers = 0;
    seen.events = 0;
    assert_true(ek_libvirt_events_start(&err));
    connection = ek_libvirt_open("test:///default", 100, &err);
    assert_non_null(connection);
    domain = virDomainLookupByName(connection, "test");
    assert_non_null(domain);
    return 0;
}

static void register_own(void)
{
    own = virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                           VIR_DOMAIN_EVENT_CALLBACK(on_event), NULL, NULL);
    assert_true(own >= 0);
}

static void on_turn(int timer, void *context)
{
    (void)context;
    (void)virEventRemoveTimeout(timer);
    count(&seen.turns);
}

/* A delivery holds the connection until it is over: what the loop does after it comes after it. */
static void finish_deliveries(void)
{
    seen.turns = 0;
    assert_true(virEventAddTimeout(0, on_turn, NULL, NULL) >= 0);
    wait_for(&seen.turns, 1);
}

static int teardown(void **state)
{
    (void)state;
    (void)virConnectDomainEventDeregisterAny(connection, own);
    finish_deliveries();
    (void)virDomainFree(domain);
    assert_int_equal(virConnectClose(connection), 0); /* nobody holds it any more */
    return 0;
}

/* What a guest does by itself is no hint: its host's next turn is early enough. */
static void test_only_migrations_hint(void **state)
{
    struct ek_lookout *lookout = ek_lookout_create(HOST);

    (void)state;
    ek_lookout_direct(lookout, on_hint, &seen);
    ek_lookout_begin(lookout, connection);
    register_own();
    assert_int_equal(virDomainSuspend(domain), 0);
    assert_int_equal(virDomainResume(domain), 0);
    wait_for(&seen.events, 2);
    assert_int_equal(seen.hints, 0);
    ek_lookout_end(lookout, connection);
    ek_lookout_destroy(lookout);
}

static void *toggle(void *context)
{
    (void)context;
    for (int i = 0; i < TOGGLES; i++) {
        (void)virDomainSuspend(domain);
        (void)virDomainResume(domain);
    }
    return NULL;
}

/* Lookouts may come and go while events arrive: what libvirt still delivers finds its data alive
 * (the sanitizers look), and in the end nothing holds the connection. */
static void test_lookouts_come_and_go_among_events(void **state)
{
    pthread_t thread;

    (void)state;
    register_own();
    assert_int_equal(pthread_create(&thread, NULL, toggle, NULL), 0);
    for (int i = 0; i < TOGGLES; i++) {
        struct ek_lookout *lookout = ek_lookout_create(HOST);
        ek_lookout_direct(lookout, on_hint, &seen);
        ek_lookout_begin(lookout, connection);
        wait_for(&seen.events, i);
        ek_lookout_end(lookout, connection);
        ek_lookout_destroy(lookout);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    wait_for(&seen.events, 2 * TOGGLES);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(only_migrations_hint),
        LAW(lookouts_come_and_go_among_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
