/* The port over libvirt: its hosts, the ends of a move, its table of calls. What each call does is
 * in a file of its own. */
#include "migrator/libvirt.h"

#include "collector/libvirt/events.h"
#include "migrator/libvirt_port.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the list of hosts --------------------------------------------------------------------- */

/* A host whose URI changed is another link: calls that are out go on with the old one. */
static bool is_same(const struct ek_host_link *link, const struct ek_libvirt_host *host)
{
    const char *migration_uri = host->migration_uri == NULL ? "" : host->migration_uri;

    return strcmp(link->name, host->name) == 0 && strcmp(link->uri, host->uri) == 0 &&
           strcmp(link->migration_uri, migration_uri) == 0;
}

static struct ek_host_link *find_same(struct ek_libvirt_port *port,
                                      const struct ek_libvirt_host *host)
{
    struct ek_host_link *link = port->hosts;

    while (link != NULL && !is_same(link, host)) {
        link = link->next;
    }
    return link;
}

/* At the end only: links stay for as long as the port, so that a pointer to one needs no lock and
 * no count. */
static void free_list(struct ek_host_link *link)
{
    while (link != NULL) {
        struct ek_host_link *next = link->next;

        ek_host_link_destroy(link);
        link = next;
    }
}

/* Links for the hosts that are not known as they are described now; false leaves nothing behind. */
static bool make_new(struct ek_libvirt_port *port, const struct ek_libvirt_host *hosts,
                     size_t count, struct ek_host_link **fresh, struct ek_error *err)
{
    *fresh = NULL;
    for (size_t i = 0; i < count; i++) {
        struct ek_host_link *link;

        /* Kept with its idle connections, so that a reload costs the unchanged hosts nothing. */
        if (find_same(port, &hosts[i]) != NULL) {
            continue;
        }
        link = ek_host_link_create(&hosts[i], port->connect_ms, err);
        if (link == NULL) {
            free_list(*fresh);
            return false;
        }
        link->next = *fresh;
        *fresh = link;
    }
    return true;
}

/* At the head: whoever walks the list meanwhile goes on through what it knew. */
static void put_in_front(struct ek_libvirt_port *port, struct ek_host_link *fresh)
{
    while (fresh != NULL) {
        struct ek_host_link *next = fresh->next;

        fresh->next = port->hosts;
        port->hosts = fresh;
        fresh = next;
    }
}

bool ek_libvirt_port_set_hosts(struct ek_libvirt_port *port, const struct ek_libvirt_host *hosts,
                               size_t count, struct ek_error *err)
{
    struct ek_host_link *fresh;
    bool done;

    pthread_mutex_lock(&port->mutex);
    /* First all that can fail, then the change: a list that cannot be had leaves the old one in
     * force. */
    done = make_new(port, hosts, count, &fresh, err);
    if (done) {
        put_in_front(port, fresh);
        for (struct ek_host_link *link = port->hosts; link != NULL; link = link->next) {
            link->listed = false;
        }
        for (size_t i = 0; i < count; i++) {
            find_same(port, &hosts[i])->listed = true;
        }
    }
    pthread_mutex_unlock(&port->mutex);
    return done;
}

struct ek_host_link *ek_port_host(struct ek_libvirt_port *port, const char *name)
{
    /* One that was taken out of the configuration still serves the moves that are under way there.
     */
    struct ek_host_link *found = NULL;

    pthread_mutex_lock(&port->mutex);
    for (struct ek_host_link *link = port->hosts; link != NULL; link = link->next) {
        if (strcmp(link->name, name) == 0 && (found == NULL || (link->listed && !found->listed))) {
            found = link;
        }
    }
    pthread_mutex_unlock(&port->mutex);
    return found;
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* Only "no domain" is an answer; every other error leaves open whether it is there. */
static bool look_up(struct ek_end *end, const char *uuid)
{
    end->domain = virDomainLookupByUUIDString(end->connection, uuid);
    return end->domain != NULL || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

bool ek_end_open(struct ek_end *end, struct ek_libvirt_port *port, const char *host,
                 const struct ek_move_record *record, bool is_source, const char *step,
                 struct ek_call_result *result)
{
    enum ek_failure away = is_source ? EK_FAILURE_LOST : EK_FAILURE_OTHER_HOST;
    struct ek_error err = {0};

    *end = (struct ek_end){.link = ek_port_host(port, host)};
    if (end->link == NULL) {
        *result = ek_fail(away, host, step, "the host is not in the configuration");
        return false;
    }
    end->connection = ek_host_borrow(end->link, &err);
    if (end->connection == NULL) {
        *result = ek_fail(away, host, step, "%s", err.message);
        return false;
    }
    if (!look_up(end, record->order.domain)) {
        *result = ek_end_fail(end, step);
        ek_end_close(end);
        /* On the destination a broken connection is that host's fault and another may do; on the
         * source nothing is known any more. */
        if (result->failure == EK_FAILURE_LOST) {
            result->failure = away;
        }
        return false;
    }
    return true;
}

void ek_end_close(struct ek_end *end)
{
    if (end->domain != NULL) {
        virDomainFree(end->domain);
    }
    if (end->connection != NULL) {
        ek_host_return(end->link, end->connection);
    }
    *end = (struct ek_end){0};
}

struct ek_call_result ek_end_fail(const struct ek_end *end, const char *step)
{
    virErrorPtr saved = virSaveLastError(); /* the next call would reset it */
    bool alive = virConnectIsAlive(end->connection) == 1;
    virError kept;
    bool has_kept = ek_failure_take(&kept); /* of an error that a free made libvirt forget */
    bool is_forgotten = saved == NULL || saved->code == VIR_ERR_OK;
    struct ek_call_result result =
        ek_fail_libvirt(end->link->name, step, is_forgotten && has_kept ? &kept : saved, alive);

    virFreeError(saved);
    return result;
}

/* ---- freshness ----------------------------------------------------------------------------- */

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ek_fresh_until(const struct ek_libvirt_port *port)
{
    return monotonic_ms() + port->fresh_ms;
}

bool ek_is_fresh(int64_t until_ms)
{
    return monotonic_ms() <= until_ms;
}

/* ---- the port ------------------------------------------------------------------------------ */

static void disown(void *context, const struct ek_move_record *record)
{
    struct ek_libvirt_port *port = context;

    ek_arrivals_disown(&port->arrivals, record);
}

/* The simulator has such a table, too: the executor knows no other difference. */
static const struct ek_hypervisor calls = {
    .precheck = ek_port_precheck,
    .prepare = ek_port_prepare,
    .migrate = ek_port_migrate,
    .stop = ek_port_stop,
    .progress = ek_port_progress,
    .abort = ek_port_abort,
    .tune = ek_port_tune,
    .observe = ek_port_observe,
    .search = ek_port_search,
    .resume_source = ek_port_resume_source,
    .resume_destination = ek_port_resume_destination,
    .destroy_source = ek_port_destroy_source,
    .destroy_destination = ek_port_destroy_destination,
    .resume_postcopy = ek_port_resume_postcopy,
    .unprepare = ek_port_unprepare,
    .disown = disown,
    .post = ek_port_post,
    .discard = ek_port_discard,
};

struct ek_libvirt_port *ek_libvirt_port_create(const struct ek_libvirt_host *hosts, size_t count,
                                               int connect_ms, int64_t fresh_ms,
                                               struct ek_error *err)
{
    struct ek_libvirt_port *port;

    /* Before the first connection: without the loop no keepalive is sent, and calls to a dead host
     * never end. */
    if (!ek_libvirt_events_start(err)) {
        return NULL;
    }
    /* Before threads parse: libxml2's globals are set up once. */
    xmlInitParser();
    port = calloc(1, sizeof(*port));
    if (port == NULL || pthread_mutex_init(&port->mutex, NULL) != 0 ||
        !ek_arrivals_init(&port->arrivals)) {
        free(port);
        ek_error_set(err, EK_ERR_NOMEM, "no memory for the connections to the hosts");
        return NULL;
    }
    port->hypervisor = calls;
    port->hypervisor.context = port;
    port->connect_ms = connect_ms;
    port->fresh_ms = fresh_ms;
    if (!ek_libvirt_port_set_hosts(port, hosts, count, err)) {
        ek_libvirt_port_destroy(port);
        return NULL;
    }
    return port;
}

void ek_libvirt_port_set_reserve(struct ek_libvirt_port *port, double ratio)
{
    pthread_mutex_lock(&port->mutex);
    port->memory_reserve = ratio;
    pthread_mutex_unlock(&port->mutex);
}

void ek_libvirt_port_set_sampling(struct ek_libvirt_port *port, bool samples)
{
    atomic_store(&port->samples, samples);
}

const struct ek_hypervisor *ek_libvirt_port_hypervisor(struct ek_libvirt_port *port)
{
    return &port->hypervisor;
}

void ek_libvirt_port_destroy(struct ek_libvirt_port *port)
{
    if (port != NULL) {
        free_list(port->hosts);
        ek_arrivals_finish(&port->arrivals);
        pthread_mutex_destroy(&port->mutex);
        free(port);
    }
}
