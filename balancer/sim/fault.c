/* Misfortunes of hosts, daemons, links and guests, and what libvirt makes of them. */
#include "balancer/core/snapshot.h"
#include "balancer/sim/migration_internal.h"

static bool touches(const struct ek_sim_migration *it, uint32_t host)
{
    return it->phase != EK_SIM_PHASE_NONE &&
           (it->request.source == host || it->request.destination == host);
}

/* From here on the source is paused, and an abort comes too late. */
static bool in_switchover(const struct ek_sim_migration *it)
{
    return it->phase == EK_SIM_PHASE_SWITCHOVER || it->phase == EK_SIM_PHASE_FINISHED;
}

/* All bytes are over and the Finish call was made: it may have been carried out. */
static bool finish_sent(const struct ek_sim_migration *it)
{
    return it->phase == EK_SIM_PHASE_SWITCHOVER && !(it->left_mib > 0);
}

static bool destination_waits(struct ek_sim_migrations *migrations,
                              const struct ek_sim_migration *it)
{
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(migrations->cluster, it->request.domain, it->request.destination);

    return copy != NULL && copy->active;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* The keepalive of the two libvirtds' connection ends. Where Finish was under way, the destination
 * may have carried it out and only the reply is lost: the one window in which two could run. */
static void keepalive_ends(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_sim_migrations *migrations = context;
    struct ek_sim_migration *it = &migrations->items[index];

    if (it->broken_ticket != ticket) {
        return;
    }
    ek_sim_migration_advance(migrations, it);
    if (finish_sent(it) && destination_waits(migrations, it) &&
        /* Even odds: neither outcome is the rare one that a test could overlook. */
        ek_random_chance(&migrations->random, 50)) {
        ek_sim_migration_arrive(migrations, it);
    }
    ek_sim_migration_fail(migrations, index, EK_FAILURE_OTHER_HOST,
                          "Lost connection to destination host");
}

static void mended(struct ek_sim_migrations *migrations, uint32_t index)
{
    const struct ek_sim_migration *it = &migrations->items[index];

    if (!destination_waits(migrations, it)) { /* it was away and came back without the guest */
        ek_sim_migration_fail(migrations, index, EK_FAILURE_OTHER_HOST,
                              "Unable to read from socket: Connection reset by peer");
    } else if (in_switchover(it)) {
        ek_sim_migration_schedule(migrations, index); /* goes on where it waited */
    }
}

/* One place for all causes: link, libvirtd and power differ in what they break, not in what
 * follows. */
static void connections_follow(struct ek_sim_migrations *migrations, uint32_t host)
{
    for (uint32_t i = 0; i < migrations->count; i++) {
        struct ek_sim_migration *it = &migrations->items[i];
        bool broken = touches(it, host) && !ek_sim_migration_connected(migrations, it);
        if (!touches(it, host) || broken == it->broken) {
            continue;
        }
        it->broken = broken;
        it->broken_ticket++;
        if (broken) {
            ek_sim_queue_at(migrations->queue, migrations->queue->now_ms + EK_SIM_KEEPALIVE_MS,
                            keepalive_ends, migrations, i, it->broken_ticket);
        } else {
            mended(migrations, i);
        }
    }
    /* Whoever lost its link leaves its share to the others. */
    ek_sim_migrations_share(migrations);
}

void ek_sim_fault_link(struct ek_sim_migrations *migrations, uint32_t host, bool control, bool data)
{
    migrations->cluster->hosts[host].control_link = control;
    migrations->cluster->hosts[host].data_link = data;
    connections_follow(migrations, host);
}

/* ---- libvirtd ------------------------------------------------------------------------------- */

/* A source libvirtd that comes back finds the job and cancels it; in the switchover it may find
 * itself past the point where it knows what to do, and leaves the guest paused (facts, F7 to F9).
 */
static void source_daemon_dies(struct ek_sim_migrations *migrations, uint32_t index)
{
    static const char error[] = "End of file while reading data: Input/output error";
    struct ek_sim_migration *it = &migrations->items[index];
    bool knows = ek_random_chance(&migrations->random, 50);

    ek_sim_migration_advance(migrations, it);
    if (!in_switchover(it)) {
        ek_sim_migration_fail(migrations, index, EK_FAILURE_LOST, error);
    } else if (it->phase == EK_SIM_PHASE_FINISHED && knows) {
        ek_sim_migration_confirm(migrations, index);
    } else if (it->phase == EK_SIM_PHASE_FINISHED || !knows) {
        if (finish_sent(it) && destination_waits(migrations, it)) {
            ek_sim_migration_arrive(migrations, it);
        }
        ek_sim_migration_strand(migrations, index, error);
    } else {
        ek_sim_migration_fail(migrations, index, EK_FAILURE_LOST, error);
    }
}

/* A destination libvirtd kills what was coming in, and keeps what runs (F10, F11). */
static void destination_daemon_dies(struct ek_sim_migrations *migrations, uint32_t index)
{
    const struct ek_sim_migration *it = &migrations->items[index];

    if (it->phase != EK_SIM_PHASE_FINISHED) {
        ek_sim_cluster_remove(migrations->cluster, it->request.domain, it->request.destination);
    }
    ek_sim_migration_fail(migrations, index, EK_FAILURE_OTHER_HOST,
                          "Lost connection to destination host");
}

/* QEMU lives on without its libvirtd, and so do the guests; only migrations feel it. */
void ek_sim_fault_daemon(struct ek_sim_migrations *migrations, uint32_t host,
                         enum ek_sim_daemon daemon)
{
    migrations->cluster->hosts[host].daemon = daemon;
    for (uint32_t i = 0; daemon == EK_SIM_DAEMON_DOWN && i < migrations->count; i++) {
        if (!touches(&migrations->items[i], host)) {
            continue;
        }
        if (migrations->items[i].request.source == host) {
            source_daemon_dies(migrations, i);
        } else {
            destination_daemon_dies(migrations, i);
        }
    }
    connections_follow(migrations, host);
}

/* ---- hosts and guests ----------------------------------------------------------------------- */

/* A destination without power is found out by the keepalive, a source takes its own call with
 * it. */
void ek_sim_fault_power(struct ek_sim_migrations *migrations, uint32_t host, bool on)
{
    if (on) {
        migrations->cluster->hosts[host].on = true;
        migrations->cluster->hosts[host].daemon = EK_SIM_DAEMON_UP;
    } else {
        ek_sim_cluster_crash(migrations->cluster, host);
    }
    for (uint32_t i = 0; !on && i < migrations->count; i++) {
        if (touches(&migrations->items[i], host) && migrations->items[i].request.source == host) {
            ek_sim_migration_fail(migrations, i, EK_FAILURE_LOST, "No route to host");
        }
    }
    connections_follow(migrations, host);
}

bool ek_sim_fault_guest(struct ek_sim_migrations *migrations, uint32_t domain, bool crash)
{
    struct ek_sim_cluster *cluster = migrations->cluster;
    uint32_t home = ek_sim_cluster_home(cluster, domain);

    if (home == EK_NONE) {
        return false; /* a paused guest ends nothing by itself */
    }
    if (crash) {
        cluster->domains[domain].fate = EK_SIM_KILLED;
        ek_sim_cluster_set(cluster, domain, home, EK_RUN_SHUTOFF_CRASHED, EK_JOB_NONE);
    } else {
        ek_sim_cluster_shut_down(cluster, domain, home);
    }
    for (uint32_t i = 0; i < migrations->count; i++) {
        const struct ek_sim_migration *it = &migrations->items[i];
        if (it->phase != EK_SIM_PHASE_NONE && it->request.domain == domain &&
            it->request.source == home) {
            ek_sim_migration_fail(migrations, i, EK_FAILURE_DOMAIN, "domain is not running");
        }
    }
    return true;
}
