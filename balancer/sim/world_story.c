/* What operators and misfortune do to the world. */
#include "balancer/sim/world_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const fault_names[EK_WORLD_FAULT_KIND_COUNT] = {
    [EK_WORLD_HOST_CRASH] = "host crash",
    [EK_WORLD_DATA_CUT] = "migration network cut",
    [EK_WORLD_CONTROL_CUT] = "libvirt network cut",
    [EK_WORLD_PARTITION] = "partition",
    [EK_WORLD_LIBVIRTD_DOWN] = "libvirtd down",
    [EK_WORLD_LIBVIRTD_HANG] = "libvirtd hangs",
    [EK_WORLD_GUEST_OFF] = "guest off",
    [EK_WORLD_GUEST_CRASH] = "guest crash",
    [EK_WORLD_GUEST_START] = "guest start",
    [EK_WORLD_JOURNAL_AWAY] = "journal away",
    [EK_WORLD_BALANCER_CRASH] = "balancer crash",
};

/* ---- operators ----------------------------------------------------------------------------- */

void ek_world_set_partial_maintenance(struct ek_world *world, uint32_t host)
{
    ek_world_set_maintenance(world, host, true);
    world->entries[host].partial = true;
}

void ek_world_set_deadline(struct ek_world *world, uint32_t host, int64_t deadline_ms)
{
    ek_world_set_maintenance(world, host, true);
    world->entries[host].deadline_ms = world->options.begin_ms + deadline_ms;
}

void ek_world_set_maintenance(struct ek_world *world, uint32_t host, bool wanted)
{
    world->entries[host].maintenance = wanted;
    world->entries[host].partial = false;
    world->entries[host].deadline_ms = 0;
    ek_world_say(world, "operator", "%s maintenance of %s", wanted ? "sets" : "deletes",
                 world->cluster.hosts[host].name);
    /* A keyspace notification does the same for the daemon. */
    ek_world_want_cycle(world, world->queue.now_ms);
}

void ek_world_set_policy(struct ek_world *world, const struct ek_policy *policy)
{
    struct ek_event event = {.kind = EK_EVENT_POLICY, .u.policy = policy};

    world->policy = *policy;
    /* Overload is counted against the policy that is in force. */
    world->sampler.target_max = policy->target_max[EK_CPU];
    ek_world_step(world, &event);
}

bool ek_world_move_by_hand(struct ek_world *world, uint32_t domain, uint32_t host)
{
    struct ek_call_result refused = {.ok = true};
    const struct ek_sim_migration_request request = {
        .domain = domain,
        .source = ek_sim_cluster_home(&world->cluster, domain),
        .destination = host,
        /* Nobody's: a foreign migration, as `virsh migrate` makes it. */
        .mark = "",
        .caller = EK_NONE,
    };
    bool begun = request.source != EK_NONE && request.source != host &&
                 ek_sim_host_answers(&world->cluster.hosts[request.source]) &&
                 ek_sim_migration_begin(&world->migrations, &request, &refused);

    ek_world_say(world, "operator", "moves %s to %s by hand%s%s",
                 world->cluster.domains[domain].name, world->cluster.hosts[host].name,
                 begun ? "" : ", refused: ", refused.error);
    return begun;
}

/* Noted also while the daemon is dead: the next one reads it at its start. */
bool ek_world_resolve(struct ek_world *world, uint32_t domain, struct ek_error *err)
{
    size_t count = world->resolved_count;
    struct ek_world_resolved *grown = realloc(world->resolved, (count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a resolved domain");
    }
    world->resolved = grown;
    grown[world->resolved_count++] = (struct ek_world_resolved){domain, world->queue.now_ms};
    ek_world_say(world, "operator", "resolves %s", world->cluster.domains[domain].name);
    return world->engine == NULL ||
           ek_cooldown_block(ek_engine_cooldown(world->engine), world->cluster.domains[domain].uuid,
                             false, err);
}

void ek_world_command(struct ek_world *world, enum ek_command_kind kind, const char *subject,
                      const char *host)
{
    struct ek_command command = {.id = "command", .kind = kind};
    struct ek_event event = {.kind = EK_EVENT_COMMAND, .u.command = &command};

    (void)snprintf(command.subject, sizeof(command.subject), "%s", subject);
    (void)snprintf(command.host, sizeof(command.host), "%s", host);
    ek_world_say(world, "operator", "%s %s %s", ek_command_name(kind), subject, host);
    ek_world_step(world, &event);
}

/* ---- guests come back ----------------------------------------------------------------------- */

/* Where a guest of a host that is lost starts anew: EK_NONE, no host has room. Linear: it happens
 * after losses alone. */
static uint32_t refuge(const struct ek_world *world, double memory_mib)
{
    uint32_t best = EK_NONE;
    double most = memory_mib;

    for (uint32_t h = 0; h < world->cluster.host_count; h++) {
        const struct ek_sim_host *host = &world->cluster.hosts[h];
        double room = host->memory_mib - host->base_memory_mib - host->active_memory_mib;
        if (ek_sim_host_answers(host) && room >= most) {
            most = room;
            best = h;
        }
    }
    return best;
}

/* A move that is not over looks at both hosts; nobody starts a guest under its hands. */
static bool is_in_hand(const struct ek_world *world, uint32_t domain)
{
    return ek_sim_driver_of(&world->driver, world->cluster.domains[domain].uuid) != NULL ||
           ek_sim_migration_of(&world->migrations, domain) != NULL;
}

static void say_start(struct ek_world *world, uint32_t domain, uint32_t host)
{
    ek_world_say(world, "restart", "%s starts anew on %s", world->cluster.domains[domain].name,
                 world->cluster.hosts[host].name);
}

/* False: not yet, it is to be tried again. */
static bool start_anew(struct ek_world *world, uint32_t domain, uint32_t host)
{
    const struct ek_sim_domain *it = &world->cluster.domains[domain];
    uint32_t where = world->cluster.hosts[host].on ? host : refuge(world, it->memory_mib);

    if (it->fate != EK_SIM_KILLED || it->running > 0) {
        return true;
    }
    if (where == EK_NONE || is_in_hand(world, domain) ||
        !ek_sim_cluster_start(&world->cluster, domain, where, false)) {
        return false;
    }
    say_start(world, domain, where);
    return true;
}

static void restart(void *context, uint32_t host, uint32_t ticket)
{
    struct ek_world *world = context;
    const struct ek_sim_host *it = &world->cluster.hosts[host];
    bool all = true;

    /* From behind: what starts elsewhere changes other hosts' lists, not this one. */
    for (size_t i = it->domain_count; i > 0; i--) {
        all = start_anew(world, it->domains[i - 1], host) && all;
    }
    if (!all) {
        ek_sim_queue_at(&world->queue, world->queue.now_ms + EK_WORLD_MINUTE_MS, restart, world,
                        host, ticket);
    }
}

/* A user's start. False: not yet. */
static bool start_guest(struct ek_world *world, uint32_t domain)
{
    const struct ek_sim_domain *it = &world->cluster.domains[domain];
    uint32_t where = ek_sim_cluster_defined(&world->cluster, domain);

    if (it->fate == EK_SIM_ALIVE || where == EK_NONE) {
        return true;
    }
    if (is_in_hand(world, domain)) {
        return false;
    }
    if (!ek_sim_cluster_start(&world->cluster, domain, where, false)) {
        uint32_t other = refuge(world, it->memory_mib);
        /* A cluster that promises more memory than it has starts guests all the same. */
        bool crowded = other == EK_NONE;
        if (!ek_sim_cluster_start(&world->cluster, domain, crowded ? where : other, crowded)) {
            return false;
        }
        if (!crowded) {
            ek_sim_cluster_remove(&world->cluster, domain, where);
            where = other;
        }
    }
    say_start(world, domain, where);
    return true;
}

static void guest_starts(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_world *world = context;
    const struct ek_world_fault *fault = &world->faults[index];
    int64_t end_ms = fault->at_ms + fault->lasts_ms;

    if ((fault->lasts_ms == 0 || ek_world_now_ms(world) < end_ms) &&
        !start_guest(world, fault->subject)) {
        ek_sim_queue_at(&world->queue, world->queue.now_ms + EK_WORLD_MINUTE_MS, guest_starts,
                        world, index, ticket);
    }
}

/* ---- misfortunes --------------------------------------------------------------------------- */

/* The store's absence reaches the engine as a hold, as from the real daemon: watch, start
 * nothing. */
static void set_journal(struct ek_world *world, bool away)
{
    struct ek_event event = {.kind = away ? EK_EVENT_HOLD : EK_EVENT_RELEASE};

    world->journal.away = away;
    if (away) {
        event.u.hold = "the journal is away";
    }
    ek_world_step(world, &event);
}

/* Begin and end of each kind in one place: what a fault takes, its end gives back. */
static void strike_host(struct ek_world *world, const struct ek_world_fault *fault, bool begins)
{
    struct ek_sim_migrations *migrations = &world->migrations;
    bool well = !begins;

    if (fault->kind == EK_WORLD_HOST_CRASH) {
        ek_sim_fault_power(migrations, fault->subject, well);
    } else if (fault->kind == EK_WORLD_LIBVIRTD_DOWN) {
        ek_sim_fault_daemon(migrations, fault->subject,
                            well ? EK_SIM_DAEMON_UP : EK_SIM_DAEMON_DOWN);
    } else if (fault->kind == EK_WORLD_LIBVIRTD_HANG) {
        ek_sim_fault_daemon(migrations, fault->subject,
                            well ? EK_SIM_DAEMON_UP : EK_SIM_DAEMON_HUNG);
    } else {
        /* Control and data are two networks: one may be cut without the other, a partition cuts
         * both. */
        ek_sim_fault_link(migrations, fault->subject, well || fault->kind == EK_WORLD_DATA_CUT,
                          well || fault->kind == EK_WORLD_CONTROL_CUT);
    }
    /* Last: calls on their way find the host as it now is. */
    ek_sim_hypervisor_host_changed(&world->hypervisor, fault->subject);
}

static const char *subject_of(const struct ek_world *world, const struct ek_world_fault *fault)
{
    switch (fault->kind) {
    case EK_WORLD_GUEST_OFF:
    case EK_WORLD_GUEST_CRASH:
    case EK_WORLD_GUEST_START:
        return world->cluster.domains[fault->subject].name;
    case EK_WORLD_JOURNAL_AWAY:
    case EK_WORLD_BALANCER_CRASH:
        return "-";
    case EK_WORLD_HOST_CRASH:
    case EK_WORLD_DATA_CUT:
    case EK_WORLD_CONTROL_CUT:
    case EK_WORLD_PARTITION:
    case EK_WORLD_LIBVIRTD_DOWN:
    case EK_WORLD_LIBVIRTD_HANG:
    case EK_WORLD_FAULT_KIND_COUNT:
        break;
    }
    return world->cluster.hosts[fault->subject].name;
}

static void guest_goes_off(void *context, uint32_t domain, uint32_t ticket)
{
    struct ek_world *world = context;

    /* In the instant of a handover it hears nothing: it is told again when that is over. */
    if (!ek_sim_fault_guest(&world->migrations, domain, false) &&
        ek_sim_migration_of(&world->migrations, domain) != NULL) {
        ek_sim_queue_at(&world->queue, world->queue.now_ms + EK_WORLD_SECOND_MS, guest_goes_off,
                        world, domain, ticket);
    }
}

static void strike_guest(struct ek_world *world, const struct ek_world_fault *fault, bool begins)
{
    if (fault->kind == EK_WORLD_GUEST_CRASH) {
        (void)ek_sim_fault_guest(&world->migrations, fault->subject, true);
    } else if (fault->kind == EK_WORLD_GUEST_OFF || !begins) {
        guest_goes_off(world, fault->subject, 0);
    } else {
        /* By its index: a start that has to wait asks until when it is wanted. */
        guest_starts(world, (uint32_t)(fault - world->faults), 0);
    }
}

static void strike(struct ek_world *world, const struct ek_world_fault *fault, bool begins)
{
    ek_world_say(world, "fault", "%s, %s: %s", fault_names[fault->kind], subject_of(world, fault),
                 begins ? "begins" : "is over");
    switch (fault->kind) {
    case EK_WORLD_GUEST_OFF:
    case EK_WORLD_GUEST_CRASH:
    case EK_WORLD_GUEST_START:
        strike_guest(world, fault, begins);
        break;
    case EK_WORLD_JOURNAL_AWAY:
        set_journal(world, begins);
        break;
    case EK_WORLD_BALANCER_CRASH:
        begins ? ek_world_crash_daemon(world) : ek_world_start_daemon(world);
        break;
    case EK_WORLD_HOST_CRASH:
    case EK_WORLD_DATA_CUT:
    case EK_WORLD_CONTROL_CUT:
    case EK_WORLD_PARTITION:
    case EK_WORLD_LIBVIRTD_DOWN:
    case EK_WORLD_LIBVIRTD_HANG:
    case EK_WORLD_FAULT_KIND_COUNT:
        strike_host(world, fault, begins);
        break;
    }
}

/* After a crash that ends: from its end on. */
static void want_restart(struct ek_world *world, const struct ek_world_fault *fault)
{
    if (fault->kind == EK_WORLD_HOST_CRASH && world->options.restart_ms > 0) {
        ek_sim_queue_at(&world->queue,
                        world->queue.now_ms + fault->lasts_ms + world->options.restart_ms, restart,
                        world, fault->subject, 0);
    }
}

/* ---- faults --------------------------------------------------------------------------------- */

static void fault_ends(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_world *world = context;

    (void)ticket;
    strike(world, &world->faults[index], false);
}

static void fault_begins(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_world *world = context;
    const struct ek_world_fault *fault = &world->faults[index];

    (void)ticket;
    /* A guest that ended does not come back by itself. */
    if (fault->lasts_ms > 0 && fault->kind != EK_WORLD_GUEST_OFF &&
        fault->kind != EK_WORLD_GUEST_CRASH) {
        ek_sim_queue_at(&world->queue, world->queue.now_ms + fault->lasts_ms, fault_ends, world,
                        index, 0);
    }
    strike(world, fault, true);
    want_restart(world, fault);
}

bool ek_world_fault(struct ek_world *world, const struct ek_world_fault *fault,
                    struct ek_error *err)
{
    if (world->fault_count == world->fault_room) {
        size_t room = world->fault_room == 0 ? 8 : 2 * world->fault_room;
        struct ek_world_fault *faults = realloc(world->faults, room * sizeof(*faults));
        if (faults == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a fault");
        }
        world->faults = faults;
        world->fault_room = room;
    }
    /* By index in the queue: the table moves when it grows. */
    world->faults[world->fault_count] = *fault;
    ek_sim_queue_at(&world->queue, world->options.begin_ms + fault->at_ms, fault_begins, world,
                    (uint32_t)world->fault_count++, 0);
    return true;
}
