/* Saves and shutdowns, simulated: what a managed save and an ACPI request do on their host. */
#include "balancer/core/snapshot.h"
#include "balancer/sim/hypervisor_internal.h"

#include <stdio.h>

enum {
    DISK_MIB_S = 400, /* what a host writes of a guest's memory */
    GUEST_LOW_MS = 3000,
    GUEST_HIGH_MS = 20000, /* from the request until a guest is off */
};

static void fail(struct ek_call_result *result, enum ek_failure failure, const char *error)
{
    *result = (struct ek_call_result){.failure = failure};
    (void)snprintf(result->error, sizeof(result->error), "%s", error);
}

static bool saves(const struct ek_sim_call *call)
{
    return call->record.order.kind == EK_MOVE_SAVE;
}

/* Its own metadata, as its host has them: what the samples say of it. */
static bool asks_for_it(const struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call)
{
    const struct ek_domain *like = hypervisor->cluster->domains[call->domain].like;

    return like != NULL &&
           like->evacuation == (saves(call) ? EK_EVACUATE_SAVE : EK_EVACUATE_SHUTDOWN);
}

void ek_sim_stop_precheck(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                          struct ek_sim_reply *reply)
{
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);
    bool paused = copy != NULL && copy->run == EK_RUN_PAUSED_USER && saves(call);

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        fail(&reply->result, EK_FAILURE_LOST, "the host cannot be reached");
    } else if (copy == NULL || !copy->active || !(paused || ek_sim_copy_runs(copy))) {
        fail(&reply->result, EK_FAILURE_DOMAIN, "the domain does not run there");
    } else if (copy->job != EK_JOB_NONE) {
        fail(&reply->result, EK_FAILURE_SAME_PAIR, "the domain has another job");
    } else if (!copy->persistent) {
        fail(&reply->result, EK_FAILURE_DOMAIN, "the domain is transient");
    } else if (!asks_for_it(hypervisor, call)) {
        fail(&reply->result, EK_FAILURE_DOMAIN, "its metadata do not ask for it any more");
    } else {
        reply->findings.user_paused = paused;
    }
}

/* ---- saves ----------------------------------------------------------------------------------- */

/* Its memory is on disk. Until then the guest counts as running here, although QEMU stops it: what
 * it misses meanwhile is what it asked for. */
static void saved(void *context, uint32_t index, uint32_t serial)
{
    struct ek_sim_hypervisor *hypervisor = context;
    const struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_call_result result = {.ok = true};

    if (!call->used || call->serial != serial) {
        return;
    }
    struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);
    if (copy != NULL && copy->active && copy->saving) {
        copy->saving = false;
        copy->saved = true;
        ek_sim_cluster_shut_down(hypervisor->cluster, call->domain, call->source);
    } else {
        fail(&result, EK_FAILURE_DOMAIN, "the guest is gone");
    }
    ek_sim_call_ended(hypervisor, index, serial, &result);
}

/* Until the memory is on disk the call is out, and goes on when its caller is gone. */
static bool save(struct ek_sim_hypervisor *hypervisor, uint32_t index, struct ek_sim_copy *copy)
{
    struct ek_sim_call *call = &hypervisor->items[index];
    double seconds = hypervisor->cluster->domains[call->domain].rss_mib / DISK_MIB_S;

    copy->saving = true;
    ek_sim_cluster_set(hypervisor->cluster, call->domain, call->source, copy->run, EK_JOB_OTHER);
    call->began = true;
    ek_sim_queue_at(hypervisor->queue, hypervisor->queue->now_ms + (int64_t)(seconds * 1000), saved,
                    hypervisor, index, call->serial);
    return false;
}

void ek_sim_stop_progress(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                          struct ek_sim_reply *reply)
{
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);

    reply->read = ek_sim_host_answers(&hypervisor->cluster->hosts[call->source]);
    reply->progress =
        (struct ek_job_progress){.active = copy != NULL && copy->active && copy->saving};
}

/* The save's own call ends with that, whoever made it. */
void ek_sim_stop_abort(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                       struct ek_sim_reply *reply)
{
    struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);
    struct ek_call_result aborted;

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        fail(&reply->result, EK_FAILURE_LOST, "the host cannot be reached");
        return;
    }
    if (copy == NULL || !copy->active || !copy->saving) {
        fail(&reply->result, EK_FAILURE_SAME_PAIR, "no save of the domain runs");
        return;
    }
    copy->saving = false;
    ek_sim_cluster_set(hypervisor->cluster, call->domain, call->source, copy->run, EK_JOB_NONE);
    fail(&aborted, EK_FAILURE_ABORTED, "the save was cancelled");
    for (uint32_t i = 0; i < hypervisor->count; i++) {
        const struct ek_sim_call *it = &hypervisor->items[i];
        if (it->used && it->operation == EK_SIM_MIGRATE && it->domain == call->domain &&
            it->began) {
            ek_sim_call_ended(hypervisor, i, it->serial, &aborted);
            return;
        }
    }
}

/* ---- shutdowns ------------------------------------------------------------------------------- */

static void guest_off(void *context, uint32_t domain, uint32_t host)
{
    struct ek_sim_hypervisor *hypervisor = context;
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, domain, host);

    if (copy != NULL && copy->active && ek_sim_copy_runs(copy) && copy->job == EK_JOB_NONE) {
        ek_sim_cluster_shut_down(hypervisor->cluster, domain, host);
    }
}

/* True: the reply is there at once. A shutdown is only said; the guest takes its time. */
bool ek_sim_stop(struct ek_sim_hypervisor *hypervisor, uint32_t index, struct ek_sim_reply *reply)
{
    const struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        fail(&reply->result, EK_FAILURE_LOST, "the host cannot be reached");
        return true;
    }
    if (copy == NULL || !copy->active || copy->job != EK_JOB_NONE) {
        fail(&reply->result, EK_FAILURE_DOMAIN, "the domain does not run there, or has a job");
        return true;
    }
    if (saves(call)) {
        return save(hypervisor, index, copy);
    }
    ek_sim_queue_at(hypervisor->queue,
                    hypervisor->queue->now_ms +
                        ek_random_between(&hypervisor->random, GUEST_LOW_MS, GUEST_HIGH_MS),
                    guest_off, hypervisor, call->domain, call->source);
    return true;
}
