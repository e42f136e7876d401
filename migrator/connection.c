/* Connections of the migrator: lent for one call, kept while they live, counted so that a host
 * which hangs does not eat all threads. */
#include "migrator/connection.h"

#include "collector/libvirt/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Refused, not cut: a URI that lost its end would lead somewhere else. */
static bool fits(const struct ek_host_link *link, const struct ek_libvirt_host *host)
{
    return host->name[0] != '\0' && strlen(host->name) < sizeof(link->name) &&
           strlen(host->uri) < sizeof(link->uri) &&
           (host->migration_uri == NULL ||
            strlen(host->migration_uri) < sizeof(link->migration_uri));
}

struct ek_host_link *ek_host_link_create(const struct ek_libvirt_host *host, int connect_ms,
                                         struct ek_error *err)
{
    struct ek_host_link *link = calloc(1, sizeof(*link));

    if (link == NULL || pthread_mutex_init(&link->mutex, NULL) != 0) {
        free(link);
        ek_error_set(err, EK_ERR_NOMEM, "no memory for host %s", host->name);
        return NULL;
    }
    if (!fits(link, host)) {
        ek_error_set(err, EK_ERR_INVALID, "host %s: its name or a URI is empty or too long",
                     host->name);
        goto fail;
    }
    /* Parsed here once: a URI that is none is an error of the configuration, not of the first move.
     */
    if (!ek_endpoint_parse(&link->endpoint, host->uri, err)) {
        ek_error_wrap(err, "host %s", host->name);
        goto fail;
    }
    snprintf(link->name, sizeof(link->name), "%s", host->name);
    snprintf(link->uri, sizeof(link->uri), "%s", host->uri);
    snprintf(link->migration_uri, sizeof(link->migration_uri), "%s",
             host->migration_uri == NULL ? "" : host->migration_uri);
    link->connect_ms = connect_ms;
    return link;

fail:
    ek_host_link_destroy(link);
    return NULL;
}

/* Nothing may be lent any more: what is lent is not known here. */
void ek_host_link_destroy(struct ek_host_link *link)
{
    for (int i = 0; i < link->idle_count; i++) {
        virConnectClose(link->idle[i]);
    }
    pthread_mutex_destroy(&link->mutex);
    free(link);
}

virConnectPtr ek_host_open(struct ek_host_link *link, struct ek_error *err)
{
    return ek_libvirt_open(link->uri, link->connect_ms, err);
}

/* Counted before it is opened: opening may take seconds, and the limit must hold meanwhile. */
static virConnectPtr take_idle(struct ek_host_link *link, bool *too_many)
{
    virConnectPtr connection = NULL;

    pthread_mutex_lock(&link->mutex);
    *too_many = link->busy >= EK_HOST_BUSY;
    if (!*too_many) {
        link->busy++;
        if (link->idle_count > 0) {
            /* The newest first: it is the likeliest to live still. */
            connection = link->idle[--link->idle_count];
        }
    }
    pthread_mutex_unlock(&link->mutex);
    return connection;
}

static void count_back(struct ek_host_link *link)
{
    pthread_mutex_lock(&link->mutex);
    link->busy--;
    pthread_mutex_unlock(&link->mutex);
}

virConnectPtr ek_host_borrow(struct ek_host_link *link, struct ek_error *err)
{
    bool too_many;
    virConnectPtr connection = take_idle(link, &too_many);

    if (too_many) {
        ek_error_set(err, EK_ERR_UNAVAILABLE, "%d calls to %s hang", EK_HOST_BUSY, link->uri);
        return NULL;
    }
    /* Asks no host, only whether the socket was seen broken: libvirtd may have been restarted since
     * the last call. */
    if (connection != NULL && virConnectIsAlive(connection) != 1) {
        virConnectClose(connection);
        connection = NULL;
    }
    if (connection == NULL) {
        connection = ek_host_open(link, err);
    }
    if (connection == NULL) {
        count_back(link);
    }
    return connection;
}

void ek_host_return(struct ek_host_link *link, virConnectPtr connection)
{
    /* Outside the lock, like closing: libvirt may have to wait for the connection's own. */
    bool keep = virConnectIsAlive(connection) == 1;

    pthread_mutex_lock(&link->mutex);
    link->busy--;
    keep = keep && link->idle_count < EK_HOST_IDLE;
    if (keep) {
        link->idle[link->idle_count++] = connection;
    }
    pthread_mutex_unlock(&link->mutex);
    if (!keep) {
        virConnectClose(connection);
    }
}
