/* Disks on the hosts' own storage, as far as a move makes and removes files of them. */
#include "balancer/sim/disk.h"

#include "balancer/core/snapshot.h"

#include <stdio.h>

/* ---- files --------------------------------------------------------------------------------- */

static size_t place_of(const struct ek_sim_domain *domain, uint32_t host)
{
    size_t i = 0;

    while (i < domain->disk_count && domain->disk_hosts[i] != host) {
        i++;
    }
    return i;
}

bool ek_sim_disk_is_on(const struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    const struct ek_sim_domain *it = &cluster->domains[domain];

    return place_of(it, host) < it->disk_count;
}

bool ek_sim_disk_put(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];

    if (it->disk_count == EK_SIM_COPIES) {
        return false;
    }
    it->disk_hosts[it->disk_count++] = host;
    cluster->hosts[host].base = true;
    return true;
}

void ek_sim_disk_take(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    struct ek_sim_domain *it = &cluster->domains[domain];
    size_t place = place_of(it, host);

    if (place < it->disk_count) {
        it->disk_hosts[place] = it->disk_hosts[--it->disk_count];
    }
}

static bool base_is_used(const struct ek_sim_cluster *cluster, uint32_t host)
{
    for (uint32_t d = 0; d < cluster->domain_count; d++) {
        if (ek_sim_disk_is_on(cluster, d, host)) {
            return true;
        }
    }
    return false;
}

/* ---- calls --------------------------------------------------------------------------------- */

static void fail(struct ek_sim_reply *reply, enum ek_failure failure, const char *error)
{
    reply->result.ok = false;
    reply->result.failure = failure;
    (void)snprintf(reply->result.error, sizeof(reply->result.error), "%s", error);
}

static void want(struct ek_findings *findings, enum ek_preparation_kind kind, const char *what,
                 double size_mib)
{
    struct ek_preparation *it = &findings->preparations[findings->preparation_count++];

    it->kind = kind;
    it->size_mib = size_mib;
    (void)snprintf(it->what, sizeof(it->what), "%s", what);
}

void ek_sim_disk_find(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                      struct ek_sim_reply *reply)
{
    struct ek_sim_cluster *cluster = hypervisor->cluster;
    const struct ek_sim_domain *domain = &cluster->domains[call->domain];
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, call->domain, call->source);

    reply->findings.user_paused = copy != NULL && copy->run == EK_RUN_PAUSED_USER;
    want(&reply->findings, EK_PREPARATION_NETWORK, "default", 0);
    if (domain->disk_mib <= 0) {
        return;
    }
    reply->findings.copies_disks = true;
    want(&reply->findings, EK_PREPARATION_BASE, "/images/base", domain->disk_mib);
    want(&reply->findings, EK_PREPARATION_OVERLAY, domain->name, 0);
    if (ek_sim_disk_is_on(cluster, call->domain, call->destination)) {
        fail(reply, EK_FAILURE_OTHER_HOST, "a file is in the way of its disk");
    }
}

void ek_sim_disk_prepare(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                         struct ek_sim_reply *reply)
{
    struct ek_sim_cluster *cluster = hypervisor->cluster;
    struct ek_sim_host *there = &cluster->hosts[call->destination];
    const struct ek_preparation *begun = ek_move_begun(&call->record);

    if (begun == NULL) {
        fail(reply, EK_FAILURE_DOMAIN, "nothing is begun");
    } else if (begun->kind == EK_PREPARATION_BASE) {
        reply->found = there->base;
        there->base = true;
    } else if (begun->kind != EK_PREPARATION_OVERLAY) {
        reply->found = true;
    } else if (!there->base) {
        fail(reply, EK_FAILURE_OTHER_HOST, "the base of its disk is missing");
    } else if (ek_sim_disk_is_on(cluster, call->domain, call->destination) ||
               !ek_sim_disk_put(cluster, call->domain, call->destination)) {
        fail(reply, EK_FAILURE_OTHER_HOST, "a file is in the way of its disk");
    }
}

static bool is_ours(const struct ek_preparation *it)
{
    return it->state == EK_PREPARATION_MADE || it->state == EK_PREPARATION_BEGUN;
}

/* The destination's file may be the newest where it ever ran the domain: then it stays. */
void ek_sim_disk_unprepare(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                           struct ek_sim_reply *reply)
{
    struct ek_sim_cluster *cluster = hypervisor->cluster;
    const struct ek_sim_copy *here = ek_sim_cluster_copy(cluster, call->domain, call->source);
    const struct ek_sim_copy *there = ek_sim_cluster_copy(cluster, call->domain, call->destination);

    if (!ek_move_has_leftovers(&call->record)) {
        return;
    }
    if (!ek_sim_host_answers(&cluster->hosts[call->destination])) {
        fail(reply, EK_FAILURE_OTHER_HOST, "the destination cannot be reached");
        return;
    }
    if (here == NULL || (there != NULL && there->active)) {
        fail(reply, EK_FAILURE_DOMAIN, "the destination's disk may be the newest");
        return;
    }
    for (int i = call->record.preparation_count - 1; i >= 0; i--) {
        const struct ek_preparation *it = &call->record.preparations[i];
        if (it->kind == EK_PREPARATION_OVERLAY && is_ours(it)) {
            ek_sim_disk_take(cluster, call->domain, call->destination);
        } else if (it->kind == EK_PREPARATION_BASE && is_ours(it) &&
                   !base_is_used(cluster, call->destination)) {
            cluster->hosts[call->destination].base = false;
        }
    }
}

bool ek_sim_disk_discard(struct ek_sim_cluster *cluster, uint32_t domain, uint32_t host)
{
    if (!ek_sim_host_answers(&cluster->hosts[host])) {
        return false;
    }
    if (ek_sim_cluster_copy(cluster, domain, host) == NULL) {
        ek_sim_disk_take(cluster, domain, host);
    }
    return true;
}

void ek_sim_disk_post(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                      struct ek_sim_reply *reply)
{
    if (call->record.copies_disks && call->record.order.disk_grace_ms == 0 &&
        !ek_sim_disk_discard(hypervisor->cluster, call->domain, call->source)) {
        fail(reply, EK_FAILURE_LOST, "the source cannot be reached");
    }
}
