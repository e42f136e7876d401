/* Laws of the hints that libvirt's events give, over its test driver, which has real events. */
#include "collector/libvirt/connect.h"
#include "collector/libvirt/events.h"
#include "collector/libvirt/handles.h"
#include "collector/libvirt/host_facts.h"
#include "collector/libvirt/lookout.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
static int own; /* -1: not registered */

static int setup(void **state)
{
    struct ek_error err;

    (void)state;
    seen.hints = 0;
    seen.strangers = 0;
    seen.events = 0;
    own = -1;
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
    if (own >= 0) {
        (void)virConnectDomainEventDeregisterAny(connection, own);
    }
    finish_deliveries();
    (void)virDomainFree(domain);
    assert_int_equal(virConnectClose(connection), 0); /* nobody holds it any more */
    return 0;
}

/* A guest that pauses changes nothing that its host's next turn is too late for. */
static void test_a_pause_is_no_hint(void **state)
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

/* One that starts or ends takes memory, or gives it back: its host is read at once. */
static void test_starts_and_ends_hint(void **state)
{
    struct ek_lookout *lookout = ek_lookout_create(HOST);

    (void)state;
    ek_lookout_direct(lookout, on_hint, &seen);
    ek_lookout_begin(lookout, connection);
    assert_int_equal(virDomainDestroy(domain), 0);
    wait_for(&seen.hints, 1);
    assert_int_equal(virDomainCreate(domain), 0);
    wait_for(&seen.hints, 2);
    finish_deliveries();
    assert_int_equal(seen.hints, 2);
    assert_int_equal(seen.strangers, 0);
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

/* ---- storage pools ------------------------------------------------------------------------- */

static void make_volume(const char *name)
{
    char xml[256];
    EK_SCOPED_POOL virStoragePoolPtr pool = virStoragePoolLookupByName(connection, "default-pool");

    (void)snprintf(xml, sizeof(xml),
                   "<volume><name>%s</name><capacity unit='GiB'>1</capacity>"
                   "<allocation unit='GiB'>1</allocation></volume>",
                   name);
    EK_SCOPED_VOLUME virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);
    assert_non_null(volume);
}

/* Returns when whoever wanted to be told has been. */
static void refresh_pool(void)
{
    EK_SCOPED_POOL virStoragePoolPtr pool = virStoragePoolLookupByName(connection, "default-pool");

    assert_int_equal(virStoragePoolRefresh(pool, 0), 0);
    finish_deliveries();
}

/* A pool that was refreshed, or that began or ended, is told of once; it is no reason to read the
 * host out of turn. */
static void test_pools_that_change_are_told_of(void **state)
{
    struct ek_lookout *lookout = ek_lookout_create(HOST);

    (void)state;
    ek_lookout_direct(lookout, on_hint, &seen);
    ek_lookout_begin(lookout, connection);
    assert_int_equal(ek_lookout_told(lookout), 0);
    refresh_pool();
    assert_int_equal(ek_lookout_told(lookout), EK_TOLD_POOLS);
    assert_int_equal(ek_lookout_told(lookout), 0);
    EK_SCOPED_POOL virStoragePoolPtr pool = virStoragePoolCreateXML(
        connection, "<pool type='dir'><name>late</name><target><path>/late</path></target></pool>",
        0);
    finish_deliveries();
    assert_int_equal(ek_lookout_told(lookout), EK_TOLD_POOLS);
    assert_int_equal(virStoragePoolDestroy(pool), 0);
    finish_deliveries();
    assert_int_equal(ek_lookout_told(lookout), EK_TOLD_POOLS);
    assert_int_equal(seen.hints, 0);
    ek_lookout_end(lookout, connection);
    refresh_pool();
    assert_int_equal(ek_lookout_told(lookout), 0);
    ek_lookout_destroy(lookout);
}

/* What is known of the pool after the host's read of that number, in GiB. */
static double available_gib(struct ek_host_survey *survey, struct ek_lookout *lookout,
                            int64_t reads)
{
    struct ek_error err;

    if (!ek_host_survey_refresh(survey, connection, "test:///default", reads, lookout, &err)) {
        fail_msg("%s", err.message);
    }
    return survey->facts.storage_pools.items[0].available_mib / 1024;
}

/* Pools are asked for again when libvirt told of them, but not at each read, and all facts at each
 * 20th in any case. */
static void test_told_pools_are_asked_for(void **state)
{
    struct ek_lookout *lookout = ek_lookout_create(HOST);
    struct ek_host_survey survey = {.due_at = 0};

    (void)state;
    ek_lookout_begin(lookout, connection);
    double before = available_gib(&survey, lookout, 0);
    make_volume("one");
    assert_true(available_gib(&survey, lookout, 5) == before); /* nobody told of that */
    refresh_pool();
    assert_true(available_gib(&survey, lookout, 6) == before - 1);
    make_volume("two");
    refresh_pool();
    assert_true(available_gib(&survey, lookout, 7) == before - 1); /* a moment ago */
    assert_true(available_gib(&survey, lookout, 9) == before - 1);
    assert_true(available_gib(&survey, lookout, 10) == before - 2);
    make_volume("three");
    assert_true(available_gib(&survey, lookout, 19) == before - 2);
    assert_true(available_gib(&survey, lookout, 20) == before - 3);
    ek_lookout_end(lookout, connection);
    ek_lookout_destroy(lookout);
    ek_host_survey_finish(&survey);
}

static size_t networks_known(struct ek_host_survey *survey, struct ek_lookout *lookout,
                             int64_t reads)
{
    (void)available_gib(survey, lookout, reads);
    return survey->facts.networks.count;
}

/* So are networks: one that is gone is offered to no move any more. */
static void test_told_networks_are_asked_for(void **state)
{
    struct ek_lookout *lookout = ek_lookout_create(HOST);
    struct ek_host_survey survey = {.due_at = 0};

    (void)state;
    ek_lookout_begin(lookout, connection);
    size_t before = networks_known(&survey, lookout, 0);
    EK_SCOPED_NETWORK virNetworkPtr network = virNetworkCreateXML(
        connection, "<network><name>late</name><bridge name='br-late'/></network>");
    finish_deliveries();
    assert_int_equal(networks_known(&survey, lookout, 3), before);
    assert_int_equal(networks_known(&survey, lookout, 4), before + 2); /* it and its bridge */
    assert_int_equal(virNetworkDestroy(network), 0);
    finish_deliveries();
    assert_int_equal(ek_lookout_told(lookout), EK_TOLD_NETWORKS);
    ek_lookout_end(lookout, connection);
    ek_lookout_destroy(lookout);
    ek_host_survey_finish(&survey);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(a_pause_is_no_hint),
        LAW(starts_and_ends_hint),
        LAW(lookouts_come_and_go_among_events),
        LAW(pools_that_change_are_told_of),
        LAW(told_pools_are_asked_for),
        LAW(told_networks_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
