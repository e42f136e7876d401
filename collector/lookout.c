/* Callbacks for libvirt's events, and who may still be called. */
#include "collector/lookout.h"

#include <pthread.h>
#include <stdlib.h>

/* libvirt frees a callback's data from its event loop at some time after the callback was taken
 * back, perhaps while one is under way. So the data counts its users, and lives until the last of
 * them lets go; the lock is held around every hint, so that whoever silences it has waited for the
 * one under way. */

/* Of those that libvirt has: a copy comes in, stops for the switchover, runs there, goes here. */
static const struct {
    int event;
    int detail;
} of_migrations[] = {
    {VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY},
    {VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED},
    {VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_POSTCOPY},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED},
    /* What came in and was given up. */
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED},
};

enum { EVENTS = 3, FIRST_ITERATION = 1 };

struct ek_lookout {
    pthread_mutex_t lock;
    size_t users; /* the owner, and every callback that libvirt knows */
    ek_port_hint *hint;
    void *receiver;
    size_t host;
    int callbacks[EVENTS]; /* of the connection's thread alone; -1: not registered */
};

static void let_go(void *context)
{
    struct ek_lookout *lookout = context;

    (void)pthread_mutex_lock(&lookout->lock);
    bool last = --lookout->users == 0;
    (void)pthread_mutex_unlock(&lookout->lock);
    if (last) {
        (void)pthread_mutex_destroy(&lookout->lock);
        free(lookout);
    }
}

static void give_hint(struct ek_lookout *lookout)
{
    (void)pthread_mutex_lock(&lookout->lock);
    if (lookout->hint != NULL) {
        lookout->hint(lookout->receiver, lookout->host);
    }
    (void)pthread_mutex_unlock(&lookout->lock);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *context)
{
    (void)connection;
    (void)domain;
    for (size_t i = 0; i < sizeof(of_migrations) / sizeof(of_migrations[0]); i++) {
        if (of_migrations[i].event == event && of_migrations[i].detail == detail) {
            give_hint(context);
        }
    }
    return 0;
}

/* The first tells that memory goes out; those after it, one for each pass, tell nothing new. */
static void on_iteration(virConnectPtr connection, virDomainPtr domain, int iteration,
                         void *context)
{
    (void)connection;
    (void)domain;
    if (iteration == FIRST_ITERATION) {
        give_hint(context);
    }
}

static void on_job_completed(virConnectPtr connection, virDomainPtr domain,
                             virTypedParameterPtr params, int count, void *context)
{
    (void)connection;
    (void)domain;
    (void)params;
    (void)count;
    give_hint(context);
}

struct ek_lookout *ek_lookout_create(size_t host)
{
    struct ek_lookout *lookout = calloc(1, sizeof(*lookout));

    if (lookout != NULL) {
        (void)pthread_mutex_init(&lookout->lock, NULL);
        lookout->users = 1;
        lookout->host = host;
        for (size_t i = 0; i < EVENTS; i++) {
            lookout->callbacks[i] = -1;
        }
    }
    return lookout;
}

void ek_lookout_direct(struct ek_lookout *lookout, ek_port_hint *hint, void *receiver)
{
    (void)pthread_mutex_lock(&lookout->lock);
    lookout->hint = hint;
    lookout->receiver = receiver;
    (void)pthread_mutex_unlock(&lookout->lock);
}

void ek_lookout_begin(struct ek_lookout *lookout, virConnectPtr connection)
{
    static const struct {
        int event;
        virConnectDomainEventGenericCallback callback;
    } wanted[EVENTS] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
        {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_iteration)},
        {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job_completed)},
    };

    for (size_t i = 0; i < EVENTS; i++) {
        /* Counted before: a callback may come, and go, before the call returns. */
        (void)pthread_mutex_lock(&lookout->lock);
        lookout->users++;
        (void)pthread_mutex_unlock(&lookout->lock);
        lookout->callbacks[i] = virConnectDomainEventRegisterAny(
            connection, NULL, wanted[i].event, wanted[i].callback, lookout, let_go);
        if (lookout->callbacks[i] < 0) {
            let_go(lookout); /* libvirt frees nothing that it did not take */
        }
    }
}

void ek_lookout_end(struct ek_lookout *lookout, virConnectPtr connection)
{
    for (size_t i = 0; i < EVENTS; i++) {
        if (lookout->callbacks[i] >= 0) {
            /* On a broken connection the host is not told, and our side is freed all the same. */
            (void)virConnectDomainEventDeregisterAny(connection, lookout->callbacks[i]);
        }
        lookout->callbacks[i] = -1;
    }
}

void ek_lookout_destroy(struct ek_lookout *lookout)
{
    if (lookout != NULL) {
        ek_lookout_direct(lookout, NULL, NULL);
        let_go(lookout);
    }
}
