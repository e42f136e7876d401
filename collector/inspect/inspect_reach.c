/* Where guests are to be sent, and whether that is reached from here. */
#include "collector/inspect/inspect_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Longer than any answer on a network takes; a firewall that drops is waited for in full. */
enum { PORT_TIMEOUT_MS = 1000 };

static bool nomem(struct ek_error *err, const char *host)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what is seen of %s", host);
}

static enum ek_reach reach(const char *address, uint16_t port)
{
    switch (ek_port_try(address, port, PORT_TIMEOUT_MS)) {
    case 0:
        return EK_REACH_OPEN;
    case -1:
        return EK_REACH_UNKNOWN;
    case ECONNREFUSED:
        return EK_REACH_CLOSED;
    case ETIMEDOUT:
        return EK_REACH_SILENT;
    default:
        return EK_REACH_BARRED;
    }
}

/* A line of qemu.conf that is no port is libvirtd's to complain of. */
static uint16_t port_of(const char *text, uint16_t fallback)
{
    long port = text == NULL ? 0 : strtol(text, NULL, 10);

    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : fallback;
}

static void try_ports(struct ek_seen_arrivals *arrivals, const struct ek_qemu_conf *conf,
                      uint16_t given)
{
    uint16_t low = given != 0 ? given : port_of(conf->migration_port_min, EK_MIGRATION_PORT_MIN);
    uint16_t high = given != 0 ? given : port_of(conf->migration_port_max, EK_MIGRATION_PORT_MAX);
    const uint16_t ports[EK_SEEN_PORTS] = {low, (uint16_t)(low + 1), high};

    for (size_t i = 0; i < EK_SEEN_PORTS; i++) {
        if (i == 0 || (ports[i] > ports[i - 1] && ports[i] <= high)) {
            arrivals->ports[arrivals->port_count++] =
                (struct ek_seen_port){.port = ports[i], .reach = reach(arrivals->tried, ports[i])};
        }
    }
}

/* By migration_uri, else by migration_host of a qemu.conf that is seen, else by the host's own
 * name. Where that leads nowhere or to this machine, the ports are tried where libvirtd answers. */
bool ek_inspect_arrivals(struct ek_inspection *out, const struct ek_endpoint *end,
                         const char *migration_uri, struct ek_error *err)
{
    struct ek_seen_arrivals *arrivals = &out->arrivals;
    struct ek_endpoint given = {.remote = false};
    struct ek_error bad = {0};
    const char *address =
        out->conf.migration_host != NULL ? out->conf.migration_host : out->own_name;

    if (migration_uri != NULL && ek_migration_uri_parse(&given, migration_uri, &bad)) {
        arrivals->configured = true;
        address = given.host;
    }
    arrivals->address = address == NULL ? NULL : ek_arena_strdup(&out->arena, address);
    arrivals->resolves = address != NULL && ek_name_resolves(address, &arrivals->loopback);
    bool usable = arrivals->resolves && !arrivals->loopback;
    arrivals->tried = ek_arena_strdup(&out->arena, usable ? address : end->host);
    if ((address != NULL && arrivals->address == NULL) || arrivals->tried == NULL) {
        return nomem(err, out->host);
    }
    if (end->remote) {
        try_ports(arrivals, &out->conf, given.port);
    }
    return true;
}
