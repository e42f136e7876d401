/* What guests do by themselves: they use CPU as their load wants it, shut themselves down, and
 * start anew after that or a crash. */
#include "balancer/sim/cluster.h"

#include <assert.h>
#include <math.h>

/* ---- load ---------------------------------------------------------------------------------- */

/* When the domain's wish for cores changes next; INT64_MAX: nothing changes any more. A story that
 * repeats begins its next round here. */
static int64_t next_change_ms(struct ek_sim_domain *domain)
{
    if (domain->load.want != NULL) {
        return domain->load_ms;
    }
    if (domain->next_step == domain->step_count) {
        if (domain->step_count == 0 || domain->repeat_ms <= 0) {
            return INT64_MAX;
        }
        domain->round_ms += domain->repeat_ms;
        domain->next_step = 0;
    }
    return domain->round_ms + domain->steps[domain->next_step].at_ms;
}

/* The stretch that begins at that change. */
static void begin_stretch(const struct ek_sim_cluster *cluster, struct ek_sim_domain *domain,
                          uint32_t index)
{
    struct ek_load_want want;

    if (domain->load.want == NULL) {
        domain->cores_wanted = domain->steps[domain->next_step++].cores;
        return;
    }
    int64_t at_ms = domain->load_ms - cluster->begin_ms;
    domain->load.want(domain->load.context, index, at_ms, &want);
    assert(want.until_ms > at_ms && want.cpu_cores >= 0);
    domain->cores_wanted = want.cpu_cores;
    /* No guest holds more than it was given. */
    domain->rss_mib =
        isnan(want.memory_mib) ? domain->rss_mib : fmin(want.memory_mib, domain->memory_mib);
    domain->dirty_mib_s = isnan(want.dirty_mib_s) ? domain->dirty_mib_s : want.dirty_mib_s;
    domain->load_ms = want.until_ms == INT64_MAX ? INT64_MAX : cluster->begin_ms + want.until_ms;
}

double ek_sim_cluster_cpu(struct ek_sim_cluster *cluster, uint32_t domain)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    int64_t now_ms = cluster->queue->now_ms;

    /* Exact, step by step: a counter like libvirt's cpu.time, whatever the sampling interval. */
    while (it->cpu_at_ms < now_ms) {
        int64_t change_ms = next_change_ms(it);
        int64_t end_ms = change_ms < now_ms ? change_ms : now_ms;
        if (it->running > 0 && end_ms > it->cpu_at_ms) {
            it->cpu_core_ms += it->cores_wanted * (double)(end_ms - it->cpu_at_ms);
        }
        it->cpu_at_ms = end_ms > it->cpu_at_ms ? end_ms : it->cpu_at_ms;
        if (change_ms <= now_ms) {
            begin_stretch(cluster, it, domain);
        }
    }
    return it->cpu_core_ms;
}

/* ---- end and new start ---------------------------------------------------------------------- */

void ek_sim_cluster_shut_down(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];

    it->fate = EK_SIM_SHUT_DOWN;
    ek_sim_cluster_set(cluster, domain, host, EK_RUN_SHUTOFF_SHUTDOWN, EK_JOB_NONE);
    /* Nobody misses it. */
    it->stopped_at_ms = 0;
}

uint32_t ek_sim_cluster_defined(const struct ek_sim_cluster *cluster, uint32_t domain)
{
    const struct ek_sim_domain *it = &cluster->domains[domain];
    const struct ek_sim_copy *newest = NULL;

    for (size_t i = 0; i < it->copy_count; i++) {
        const struct ek_sim_copy *copy = &it->copies[i];
        if (!copy->active && (newest == NULL || copy->since_ms > newest->since_ms)) {
            newest = copy;
        }
    }
    return newest == NULL ? EK_NONE : newest->host;
}

static bool has_disk_at(const struct ek_sim_domain *domain, uint32_t host)
{
    for (size_t i = 0; i < domain->disk_count; i++) {
        if (domain->disk_hosts[i] == host) {
            return true;
        }
    }
    return domain->disk_mib <= 0;
}

bool ek_sim_cluster_start(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host,
                          bool crowded)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    struct ek_sim_host *there = &cluster->hosts[host];
    struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, domain, host);
    double room_mib = there->memory_mib - there->base_memory_mib - there->active_memory_mib;

    if (it->fate == EK_SIM_ALIVE || it->running > 0 || (copy != NULL && copy->active) ||
        !there->on || (it->memory_mib > room_mib && !crowded) || !has_disk_at(it, host)) {
        return false;
    }
    if (copy == NULL) {
        copy = ek_sim_cluster_bring(cluster, domain, host);
        if (copy == NULL) {
            return false;
        }
    } else {
        there->active_memory_mib += it->memory_mib;
        copy->active = true;
    }
    copy->persistent = true;
    copy->whole = true;
    copy->saving = false;
    copy->saved = false;
    copy->since_ms = cluster->queue->now_ms; /* a new QEMU, with counters of its own */
    it->fate = EK_SIM_ALIVE;
    /* Nobody's move brought it here: what a move that was cut off says of it proves nothing. */
    it->foreign_ms = cluster->queue->now_ms;
    ek_sim_cluster_set(cluster, domain, host, EK_RUN_RUNNING, EK_JOB_NONE);
    return true;
}
