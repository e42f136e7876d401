/* The ground truth: hosts, domains and their copies, as an all-knowing observer would see them.
 * Nothing here decides; it only counts, and notes at once when two copies of a domain run. */
#include "balancer/sim/cluster.h"

#include "balancer/sim/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ek_sim_cluster_init(struct ek_sim_cluster *cluster, struct ek_sim_queue *queue)
{
    *cluster = (struct ek_sim_cluster){.queue = queue, .begin_ms = queue->now_ms};
}

void ek_sim_cluster_finish(struct ek_sim_cluster *cluster)
{
    for (size_t h = 0; h < cluster->host_count; h++) {
        free(cluster->hosts[h].domains);
    }
    for (size_t d = 0; d < cluster->domain_count; d++) {
        free(cluster->domains[d].steps);
    }
    free(cluster->hosts);
    free(cluster->domains);
    ek_sim_names_destroy(cluster->host_names);
    ek_sim_names_destroy(cluster->domain_uuids);
    ek_arena_finish(&cluster->arena);
    memset(cluster, 0, sizeof(*cluster));
}

/* ---- adding -------------------------------------------------------------------------------- */

static uint32_t nomem(struct ek_error *err)
{
    (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the simulated cluster");
    return EK_NONE;
}

/* Room for one more of `size` bytes; NULL: out of memory, the old table stays. */
/* Doubling; what is NULL here has changed nothing, so that the caller may simply fail. */
static void *grown(void *table, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return table;
    }
    size_t wanted = *room == 0 ? 8 : 2 * *room;
    void *bigger = realloc(table, wanted * size);
    if (bigger != NULL) {
        *room = wanted;
    }
    return bigger;
}

uint32_t ek_sim_cluster_add_host(struct ek_sim_cluster *cluster,
                                 const struct ek_sim_host_spec *spec, struct ek_error *err)
{
    uint32_t index = (uint32_t)cluster->host_count;

    /* Orders name hosts: two of one name could not be told apart. */
    if (ek_sim_cluster_find_host(cluster, spec->name) != EK_NONE) {
        (void)ek_error_set(err, EK_ERR_INVALID, "host %s is there already", spec->name);
        return EK_NONE;
    }
    struct ek_sim_host *hosts =
        grown(cluster->hosts, cluster->host_count, &cluster->host_room, sizeof(*hosts));
    if (hosts == NULL) {
        return nomem(err);
    }
    cluster->hosts = hosts;
    struct ek_sim_host *host = &hosts[index];
    *host = (struct ek_sim_host){.cpu_cores = spec->cpu_cores,
                                 .memory_mib = spec->memory_mib,
                                 .link_in_mib_s = spec->link_in_mib_s,
                                 .link_out_mib_s = spec->link_out_mib_s,
                                 .base_cpu_cores = spec->base_cpu_cores,
                                 .base_memory_mib = spec->base_memory_mib,
                                 .like = spec->like,
                                 .on = true,
                                 .control_link = true,
                                 .data_link = true};
    host->name = ek_arena_strdup(&cluster->arena, spec->name);
    /* Made from the index: the same story has the same UUIDs in each run. Hosts (9000) and domains
     * (8000) never share one. */
    host->uuid = ek_arena_printf(&cluster->arena, "00000000-0000-4000-9000-%012x", index);
    if (host->name == NULL || host->uuid == NULL ||
        !ek_sim_names_add(&cluster->host_names, host->name, index)) {
        return nomem(err);
    }
    cluster->host_count++;
    return index;
}

/* The host's list and the copy's slot point at each other, so that removal costs no search. */
static bool host_list(struct ek_sim_host *host, uint32_t domain, uint32_t *slot)
{
    uint32_t *list = grown(host->domains, host->domain_count, &host->domain_room, sizeof(*list));

    if (list == NULL) {
        return false;
    }
    host->domains = list;
    *slot = (uint32_t)host->domain_count;
    list[host->domain_count++] = domain;
    return true;
}

/* The caller's story may be on its stack. */
static bool copy_steps(struct ek_sim_domain *domain, const struct ek_sim_domain_spec *spec)
{
    domain->step_count = spec->step_count;
    domain->steps = spec->step_count == 0 ? NULL : calloc(spec->step_count, sizeof(*spec->steps));
    if (domain->steps != NULL) {
        memcpy(domain->steps, spec->steps, spec->step_count * sizeof(*spec->steps));
    }
    return domain->steps != NULL || spec->step_count == 0;
}

static bool describe(struct ek_arena *arena, struct ek_sim_domain *domain,
                     const struct ek_sim_domain_spec *spec, uint32_t index)
{
    domain->name = ek_arena_strdup(arena, spec->name);
    domain->uuid = spec->uuid != NULL
                       ? ek_arena_strdup(arena, spec->uuid)
                       : ek_arena_printf(arena, "00000000-0000-4000-8000-%012x", index);
    return domain->name != NULL && domain->uuid != NULL;
}

/* Where the domain is at first: defined, and running unless it is to be off. */
static bool settle(struct ek_sim_cluster *cluster, uint32_t index, uint32_t host, bool off)
{
    struct ek_sim_domain *domain = &cluster->domains[index];
    struct ek_sim_copy *copy = ek_sim_cluster_bring(cluster, index, host);

    if (copy == NULL) {
        return false;
    }
    /* As `virsh define` and start leave it; what arrives by migration becomes so at its end. */
    copy->persistent = true;
    copy->whole = true;
    if (domain->disk_mib > 0) {
        domain->disk_hosts[domain->disk_count++] = host;
        cluster->hosts[host].base = true;
    }
    if (off) {
        ek_sim_cluster_shut_down(cluster, index, host);
        return true;
    }
    ek_sim_cluster_set(cluster, index, host, EK_RUN_RUNNING, EK_JOB_NONE);
    /* Only now it began to run: the time before is no downtime. */
    domain->stopped_total_ms = 0;
    return true;
}

uint32_t ek_sim_cluster_add_domain(struct ek_sim_cluster *cluster,
                                   const struct ek_sim_domain_spec *spec, struct ek_error *err)
{
    uint32_t index = (uint32_t)cluster->domain_count;

    if (spec->host >= cluster->host_count) {
        (void)ek_error_set(err, EK_ERR_INVALID, "domain %s: there is no host %u", spec->name,
                           (unsigned int)spec->host);
        return EK_NONE;
    }
    struct ek_sim_domain *domains =
        grown(cluster->domains, cluster->domain_count, &cluster->domain_room, sizeof(*domains));
    if (domains == NULL) {
        return nomem(err);
    }
    cluster->domains = domains;
    struct ek_sim_domain *domain = &domains[index];
    *domain =
        (struct ek_sim_domain){.vcpus = spec->vcpus,
                               .memory_mib = spec->memory_mib,
                               /* A guest that has touched all its memory is the careful guess. */
                               .rss_mib = spec->rss_mib > 0 ? spec->rss_mib : spec->memory_mib,
                               .dirty_mib_s = spec->dirty_mib_s,
                               .disk_mib = spec->disk_mib,
                               .cores_wanted = spec->cpu_cores,
                               .cpu_at_ms = cluster->queue->now_ms,
                               .round_ms = cluster->begin_ms,
                               .repeat_ms = spec->repeat_ms,
                               .load_ms = cluster->queue->now_ms,
                               .like = spec->like};
    if (spec->load != NULL) {
        domain->load = *spec->load;
    }
    if (!describe(&cluster->arena, domain, spec, index)) {
        return nomem(err);
    }
    /* libvirt refuses a second domain of one UUID, too. */
    if (ek_sim_cluster_find_domain(cluster, domain->uuid) != EK_NONE) {
        (void)ek_error_set(err, EK_ERR_INVALID, "domain %s is there already", domain->uuid);
        return EK_NONE;
    }
    if (!copy_steps(domain, spec) ||
        !ek_sim_names_add(&cluster->domain_uuids, domain->uuid, index)) {
        free(domain->steps);
        return nomem(err);
    }
    cluster->domain_count++;
    return settle(cluster, index, spec->host, spec->off) ? index : nomem(err);
}

uint32_t ek_sim_cluster_find_host(const struct ek_sim_cluster *cluster, const char *name)
{
    return ek_sim_names_find(cluster->host_names, name);
}

uint32_t ek_sim_cluster_find_domain(const struct ek_sim_cluster *cluster, const char *uuid)
{
    return ek_sim_names_find(cluster->domain_uuids, uuid);
}

/* Linear: for stories and tests, which name a few domains. */
uint32_t ek_sim_cluster_find_domain_named(const struct ek_sim_cluster *cluster, const char *name)
{
    for (uint32_t d = 0; d < cluster->domain_count; d++) {
        if (strcmp(cluster->domains[d].name, name) == 0) {
            return d;
        }
    }
    return EK_NONE;
}

/* ---- copies -------------------------------------------------------------------------------- */

/* A home, a destination, now and then a leftover: no index is worth it. */
struct ek_sim_copy *ek_sim_cluster_copy(struct ek_sim_cluster *cluster, uint32_t domain,
                                        uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];

    for (size_t i = 0; i < it->copy_count; i++) {
        if (it->copies[i].host == host) {
            return &it->copies[i];
        }
    }
    return NULL;
}

struct ek_sim_copy *ek_sim_cluster_bring(struct ek_sim_cluster *cluster, uint32_t domain,
                                         uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    struct ek_sim_copy *copy = &it->copies[it->copy_count];
    uint32_t slot = 0;

    /* libvirt has one domain of a UUID on a host; a full table would be a story gone wrong. */
    if (ek_sim_cluster_copy(cluster, domain, host) != NULL || it->copy_count == EK_SIM_COPIES) {
        return NULL;
    }
    if (!host_list(&cluster->hosts[host], domain, &slot)) {
        cluster->nomem = true;
        return NULL;
    }
    *copy = (struct ek_sim_copy){.host = host,
                                 .slot = slot,
                                 .active = true,
                                 /* As libvirt shows a domain that comes in: active, paused, job
                                  * "in". */
                                 .run = EK_RUN_PAUSED_MIGRATION,
                                 .job = EK_JOB_IN,
                                 .since_ms = cluster->queue->now_ms};
    /* QEMU takes the memory when it starts to wait for the guest, not when the guest arrives. */
    cluster->hosts[host].active_memory_mib += it->memory_mib;
    it->copy_count++;
    return copy;
}

/* Which states execute guest code: two such copies at once are what must never happen. */
bool ek_sim_copy_runs(const struct ek_sim_copy *copy)
{
    return copy->active &&
           (copy->run == EK_RUN_RUNNING || copy->run == EK_RUN_RUNNING_MIGRATED ||
            copy->run == EK_RUN_RUNNING_MIGRATION_CANCELED || copy->run == EK_RUN_RUNNING_POSTCOPY);
}

/* The first is kept in words; later ones are mostly its consequences. */
static void note_violation(struct ek_sim_cluster *cluster, const struct ek_sim_domain *domain)
{
    if (cluster->violations++ == 0) {
        (void)snprintf(cluster->violation, sizeof(cluster->violation),
                       "%s: %s, %lld ms after the beginning", domain->name,
                       domain->running > 1 ? "two copies run" : "a copy runs that never came whole",
                       (long long)(cluster->queue->now_ms - cluster->begin_ms));
    }
}

/* The domain's counts follow a copy that begins or ceases to run. */
static void recount(struct ek_sim_cluster *cluster, uint32_t domain, const struct ek_sim_copy *copy,
                    bool before)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    int64_t now_ms = cluster->queue->now_ms;
    bool after = ek_sim_copy_runs(copy);

    if (before == after) {
        return;
    }
    it->running += after ? 1 : 0;
    it->running -= before ? 1 : 0;
    /* A copy that runs without all of its memory is as corrupt as two that run. */
    if (it->running > 1 || (after && !copy->whole)) {
        note_violation(cluster, it);
    }
    if (it->running == 0) {
        it->stopped_at_ms = now_ms;
    } else if (it->stopped_at_ms != 0) {
        it->stopped_total_ms += now_ms - it->stopped_at_ms;
        it->stopped_at_ms = 0;
    }
}

static bool is_off(enum ek_run_state run)
{
    return run == EK_RUN_SHUTOFF_MIGRATED || run == EK_RUN_SHUTOFF_SHUTDOWN ||
           run == EK_RUN_SHUTOFF_CRASHED || run == EK_RUN_SHUTOFF_OTHER;
}

void ek_sim_cluster_set(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                        enum ek_run_state run, enum ek_job job)
{
    struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, domain, host);
    bool before = false;

    assert(copy != NULL);
    /* First: core time up to now belongs to the old state. */
    (void)ek_sim_cluster_cpu(cluster, domain);
    before = ek_sim_copy_runs(copy);
    if (copy->active && is_off(run)) {
        cluster->hosts[host].active_memory_mib -= cluster->domains[domain].memory_mib;
        copy->active = false;
    }
    copy->run = run;
    copy->job = job;
    recount(cluster, domain, copy, before);
}

void ek_sim_cluster_remove(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    struct ek_sim_host *there = &cluster->hosts[host];
    struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, domain, host);

    if (copy == NULL) {
        return;
    }
    ek_sim_cluster_set(cluster, domain, host, EK_RUN_SHUTOFF_OTHER, EK_JOB_NONE);
    /* The last takes the free place, and its copy has to learn its new slot. */
    uint32_t moved = there->domains[--there->domain_count];
    if (moved != domain) {
        there->domains[copy->slot] = moved;
        ek_sim_cluster_copy(cluster, moved, host)->slot = copy->slot;
    }
    *copy = it->copies[--it->copy_count];
}

uint32_t ek_sim_cluster_home(const struct ek_sim_cluster *cluster, uint32_t domain)
{
    const struct ek_sim_domain *it = &cluster->domains[domain];

    for (size_t i = 0; i < it->copy_count; i++) {
        if (ek_sim_copy_runs(&it->copies[i])) {
            return it->copies[i].host;
        }
    }
    return EK_NONE;
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* Power, network and libvirtd: a call needs all three. A hung libvirtd
 * does not answer either, though its host and its guests are alive. */
bool ek_sim_host_answers(const struct ek_sim_host *host)
{
    return host->on && host->control_link && host->daemon == EK_SIM_DAEMON_UP;
}

/* A copy that libvirt, our repairs or its user can make run again. */
static bool can_run_again(const struct ek_sim_domain *domain)
{
    for (size_t i = 0; i < domain->copy_count; i++) {
        const struct ek_sim_copy *copy = &domain->copies[i];
        if (copy->active && copy->whole) {
            return true;
        }
    }
    return false;
}

/* Power loss: a definition on disk stays, a transient domain and what was coming in are gone. */
static void crash_copy(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, domain, host);

    if (copy->persistent && copy->active) {
        ek_sim_cluster_set(cluster, domain, host, EK_RUN_SHUTOFF_OTHER, EK_JOB_NONE);
    } else if (!copy->persistent) {
        ek_sim_cluster_remove(cluster, domain, host);
    }
    /* Killed by the crash and by nobody's mistake: the final check must not blame the balancer. */
    if (it->fate == EK_SIM_ALIVE && it->running == 0 && !can_run_again(it)) {
        it->fate = EK_SIM_KILLED;
    }
}

void ek_sim_cluster_crash(struct ek_sim_cluster *cluster, uint32_t host)
{
    struct ek_sim_host *it = &cluster->hosts[host];

    it->on = false;
    for (size_t i = it->domain_count; i > 0; i--) { /* the list shrinks from behind */
        crash_copy(cluster, it->domains[i - 1], host);
    }
}

/* ---- the truth ------------------------------------------------------------------------------ */

/* In the words of libvirt's states and reasons, as operators see them in virsh. */
static const char *const run_names[] = {
    [EK_RUN_NONE] = "no state",
    [EK_RUN_RUNNING] = "running",
    [EK_RUN_RUNNING_MIGRATED] = "running (migrated)",
    [EK_RUN_RUNNING_MIGRATION_CANCELED] = "running (migration cancelled)",
    [EK_RUN_RUNNING_POSTCOPY] = "running (post-copy)",
    [EK_RUN_PAUSED_USER] = "paused (user)",
    [EK_RUN_PAUSED_MIGRATION] = "paused (migration)",
    [EK_RUN_PAUSED_IOERROR] = "paused (I/O error)",
    [EK_RUN_PAUSED_POSTCOPY] = "paused (post-copy)",
    [EK_RUN_PAUSED_POSTCOPY_FAILED] = "paused (post-copy failed)",
    [EK_RUN_PAUSED_OTHER] = "paused (other)",
    [EK_RUN_SHUTOFF_MIGRATED] = "shut off (migrated)",
    [EK_RUN_SHUTOFF_SHUTDOWN] = "shut off (shutdown)",
    [EK_RUN_SHUTOFF_CRASHED] = "shut off (crashed)",
    [EK_RUN_SHUTOFF_OTHER] = "shut off (other)",
};

static const char *const job_names[] = {
    [EK_JOB_NONE] = "no job",     [EK_JOB_OUT] = "leaving",           [EK_JOB_IN] = "coming in",
    [EK_JOB_OTHER] = "other job", [EK_JOB_NOT_KNOWN] = "job unknown",
};

void ek_sim_cluster_observe(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                            struct ek_observation *out)
{
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, domain, host);

    *out = (struct ek_observation){.presence = EK_PRESENCE_ABSENT, .text = "absent"};
    if (copy == NULL) {
        return;
    }
    out->presence = copy->active ? EK_PRESENCE_ACTIVE : EK_PRESENCE_INACTIVE;
    out->run = copy->run;
    out->job = copy->job;
    out->persistent = copy->persistent;
    out->saving = copy->active && copy->saving;
    out->saved = !copy->active && copy->saved;
    out->downtime_ms = copy->downtime_ms;
    out->transferred_mib = copy->transferred_mib;
    /* The definition of a domain that comes in cannot be read before it has arrived. */
    out->attempt_known = copy->job != EK_JOB_IN && copy->mark[0] != '\0';
    if (out->attempt_known) {
        (void)snprintf(out->attempt_id, sizeof(out->attempt_id), "%s", copy->mark);
    }
    (void)snprintf(out->text, sizeof(out->text), "%s, %s", run_names[copy->run],
                   job_names[copy->job]);
}

/* The file that a guest writes to must be there, as long as the guest is. */
static bool has_its_disk(const struct ek_sim_domain *domain, uint32_t home)
{
    for (size_t i = 0; i < domain->disk_count; i++) {
        if (domain->disk_hosts[i] == home) {
            return true;
        }
    }
    return domain->disk_mib <= 0 || home == EK_NONE;
}

/* The two laws of every story: never two that run, and none that nobody can run on. */
bool ek_sim_cluster_check(const struct ek_sim_cluster *cluster, struct ek_error *err)
{
    if (cluster->violations > 0) {
        return ek_error_set(err, EK_ERR_CONFLICT, "%s", cluster->violation);
    }
    for (size_t d = 0; d < cluster->domain_count; d++) {
        const struct ek_sim_domain *domain = &cluster->domains[d];
        if (domain->running == 0 && domain->fate == EK_SIM_ALIVE && !can_run_again(domain)) {
            return ek_error_set(err, EK_ERR_CONFLICT, "%s is lost: no host can run it on",
                                domain->name);
        }
        if (!has_its_disk(domain, ek_sim_cluster_home(cluster, (uint32_t)d))) {
            return ek_error_set(err, EK_ERR_CONFLICT, "%s runs without its disk", domain->name);
        }
    }
    return true;
}

/* Paused by a user or stranded by a fault; those that ended by themselves do not count. */
size_t ek_sim_cluster_stopped(const struct ek_sim_cluster *cluster)
{
    size_t count = 0;

    for (size_t d = 0; d < cluster->domain_count; d++) {
        const struct ek_sim_domain *domain = &cluster->domains[d];
        count += domain->running == 0 && domain->fate == EK_SIM_ALIVE ? 1 : 0;
    }
    return count;
}
