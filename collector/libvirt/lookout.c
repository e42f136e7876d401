/* Callbacks for libvirt's events, and who may still be called. */
#include "collector/libvirt/lookout.h"

#include <pthread.h>
#include <stdlib.h>

/* libvirt frees a callback's data from its event loop at some time after the callback was taken
 * back, perhaps while one is under way. So the data counts its users, and lives until the last of
 * them lets go; the lock is held around every hint, so that whoever silences it has waited for the
 * one under way. */

/* Of a migration: the copy that came stops for the switchover, runs there, or goes on here. */
static const struct {
    int event;
    int detail;
} of_migrations[] = {
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY},
    {VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED},
    {VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_POSTCOPY},
};

enum { EVENTS = 3, POOL_EVENTS = 2, FIRST_ITERATION = 1 };

struct ek_lookout {
    pthread_mutex_t lock;
    size_t users; /* the owner, and every callback that libvirt knows */
    ek_port_hint *hint;
    void *receiver;
    size_t host;
    unsigned int told;               /* EK_TOLD_... */
    int callbacks[EVENTS];           /* of the connection's thread alone; -1: not registered */
    int pool_callbacks[POOL_EVENTS]; /* likewise */
    int network_callback;            /* likewise */
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
    /* Whatever comes to a host, or leaves it, takes memory there or gives it back. */
    bool changed = event == VIR_DOMAIN_EVENT_STARTED || event == VIR_DOMAIN_EVENT_STOPPED;

    (void)connection;
    (void)domain;
    for (size_t i = 0; i < sizeof(of_migrations) / sizeof(of_migrations[0]); i++) {
        changed = changed || (of_migrations[i].event == event && of_migrations[i].detail == detail);
    }
    if (changed) {
        give_hint(context);
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

static void note(struct ek_lookout *lookout, unsigned int what)
{
    (void)pthread_mutex_lock(&lookout->lock);
    lookout->told |= what;
    (void)pthread_mutex_unlock(&lookout->lock);
}

static void on_pool(virConnectPtr connection, virStoragePoolPtr pool, int event, int detail,
                    void *context)
{
    (void)connection;
    (void)pool;
    (void)event;
    (void)detail;
    note(context, EK_TOLD_POOLS);
}

static void on_pool_refreshed(virConnectPtr connection, virStoragePoolPtr pool, void *context)
{
    (void)connection;
    (void)pool;
    note(context, EK_TOLD_POOLS);
}

static void on_network(virConnectPtr connection, virNetworkPtr network, int event, int detail,
                       void *context)
{
    (void)connection;
    (void)network;
    (void)event;
    (void)detail;
    note(context, EK_TOLD_NETWORKS);
}

unsigned int ek_lookout_told(struct ek_lookout *lookout)
{
    (void)pthread_mutex_lock(&lookout->lock);
    unsigned int told = lookout->told;
    lookout->told = 0;
    (void)pthread_mutex_unlock(&lookout->lock);
    return told;
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
        for (size_t i = 0; i < POOL_EVENTS; i++) {
            lookout->pool_callbacks[i] = -1;
        }
        lookout->network_callback = -1;
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

/* Counted before: a callback may come, and go, before the call that registers it returns. */
static void hold(struct ek_lookout *lookout)
{
    (void)pthread_mutex_lock(&lookout->lock);
    lookout->users++;
    (void)pthread_mutex_unlock(&lookout->lock);
}

static void begin_pools(struct ek_lookout *lookout, virConnectPtr connection)
{
    static const struct {
        int event;
        virConnectStoragePoolEventGenericCallback callback;
    } wanted[POOL_EVENTS] = {
        {VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, VIR_STORAGE_POOL_EVENT_CALLBACK(on_pool)},
        {VIR_STORAGE_POOL_EVENT_ID_REFRESH, VIR_STORAGE_POOL_EVENT_CALLBACK(on_pool_refreshed)},
    };

    for (size_t i = 0; i < POOL_EVENTS; i++) {
        hold(lookout);
        lookout->pool_callbacks[i] = virConnectStoragePoolEventRegisterAny(
            connection, NULL, wanted[i].event, wanted[i].callback, lookout, let_go);
        if (lookout->pool_callbacks[i] < 0) {
            let_go(lookout);
        }
    }
}

static void begin_networks(struct ek_lookout *lookout, virConnectPtr connection)
{
    hold(lookout);
    lookout->network_callback =
        virConnectNetworkEventRegisterAny(connection, NULL, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                          VIR_NETWORK_EVENT_CALLBACK(on_network), lookout, let_go);
    if (lookout->network_callback < 0) {
        let_go(lookout);
    }
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
        hold(lookout);
        lookout->callbacks[i] = virConnectDomainEventRegisterAny(
            connection, NULL, wanted[i].event, wanted[i].callback, lookout, let_go);
        if (lookout->callbacks[i] < 0) {
            let_go(lookout); /* libvirt frees nothing that it did not take */
        }
    }
    begin_pools(lookout, connection);
    begin_networks(lookout, connection);
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
    for (size_t i = 0; i < POOL_EVENTS; i++) {
        if (lookout->pool_callbacks[i] >= 0) {
            (void)virConnectStoragePoolEventDeregisterAny(connection, lookout->pool_callbacks[i]);
        }
        lookout->pool_callbacks[i] = -1;
    }
    if (lookout->network_callback >= 0) {
        (void)virConnectNetworkEventDeregisterAny(connection, lookout->network_callback);
    }
    lookout->network_callback = -1;
}

void ek_lookout_destroy(struct ek_lookout *lookout)
{
    if (lookout != NULL) {
        ek_lookout_direct(lookout, NULL, NULL);
        let_go(lookout);
    }
}
