/* One P2P migration in virtual time: begin, rounds of copying, switchover, confirm. Phases and what
 * is left behind when one fails follow libvirt's protocol v3 (docs/migrator.md), rounds and
 * throttling follow QEMU. */
#include "balancer/sim/migration.h"

#include "balancer/core/snapshot.h"
#include "balancer/sim/migration_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What QEMU does by default when it makes a guest converge (qemu 7.2, migration/ram.c). */
#define THROTTLE_FIRST 0.20
#define THROTTLE_STEP 0.10
#define THROTTLE_MOST 0.99

/* Less than a byte: what rounding leaves of a round. */
#define NOTHING_MIB 1e-6

/* A destination whose libvirtd is away cleans up when it is back: looked for every 5 s. */
enum { PURPOSE_MIGRATION = 11, AUTODESTROY_RETRY_MS = 5000 };

enum { SAMPLING_MS = 1000 }; /* as long as the migrator has QEMU sample pages */

void ek_sim_migrations_init(struct ek_sim_migrations *migrations, struct ek_sim_cluster *cluster,
                            uint64_t seed)
{
    *migrations = (struct ek_sim_migrations){.cluster = cluster,
                                             .queue = cluster->queue,
                                             .random = ek_random_stream(seed, PURPOSE_MIGRATION)};
}

void ek_sim_migrations_finish(struct ek_sim_migrations *migrations)
{
    free(migrations->items);
    free(migrations->out_left);
    free(migrations->in_left);
    free(migrations->out_count);
    free(migrations->in_count);
    memset(migrations, 0, sizeof(*migrations));
}

/* ---- looking ------------------------------------------------------------------------------- */

uint32_t ek_sim_migration_find(const struct ek_sim_migrations *migrations, uint32_t domain)
{
    for (uint32_t i = 0; i < migrations->count; i++) {
        if (migrations->items[i].phase != EK_SIM_PHASE_NONE &&
            migrations->items[i].request.domain == domain) {
            return i;
        }
    }
    return EK_NONE;
}

const struct ek_sim_migration *ek_sim_migration_of(const struct ek_sim_migrations *migrations,
                                                   uint32_t domain)
{
    uint32_t index = ek_sim_migration_find(migrations, domain);

    return index == EK_NONE ? NULL : &migrations->items[index];
}

size_t ek_sim_migrations_running(const struct ek_sim_migrations *migrations)
{
    size_t count = 0;

    for (size_t i = 0; i < migrations->count; i++) {
        count += migrations->items[i].phase != EK_SIM_PHASE_NONE ? 1 : 0;
    }
    return count;
}

bool ek_sim_migration_connected(const struct ek_sim_migrations *migrations,
                                const struct ek_sim_migration *it)
{
    const struct ek_sim_host *hosts = migrations->cluster->hosts;

    return ek_sim_host_answers(&hosts[it->request.source]) &&
           ek_sim_host_answers(&hosts[it->request.destination]);
}

/* A paused guest dirties nothing; a throttled one in proportion to the time it gets. */
static double dirty_rate(const struct ek_sim_migrations *migrations,
                         const struct ek_sim_migration *it)
{
    const struct ek_sim_domain *domain = &migrations->cluster->domains[it->request.domain];

    return domain->running == 0 ? 0 : domain->dirty_mib_s * (1 - it->throttle);
}

/* Its memory, and before it the disk that goes along. */
static double everything_mib(const struct ek_sim_migrations *migrations,
                             const struct ek_sim_migration *it)
{
    const struct ek_sim_domain *domain = &migrations->cluster->domains[it->request.domain];

    return domain->rss_mib + (it->request.disks ? domain->disk_mib : 0);
}

void ek_sim_migration_progress(struct ek_sim_migrations *migrations, uint32_t domain,
                               uint32_t source, struct ek_job_progress *out)
{
    uint32_t index = ek_sim_migration_find(migrations, domain);

    memset(out, 0, sizeof(*out));
    if (index == EK_NONE || migrations->items[index].request.source != source) {
        return;
    }
    struct ek_sim_migration *it = &migrations->items[index];
    ek_sim_migration_advance(migrations, it);
    double dirty_mib_s = dirty_rate(migrations, it);
    *out = (struct ek_job_progress){
        .active = true,
        .source_paused = it->phase == EK_SIM_PHASE_SWITCHOVER || it->phase == EK_SIM_PHASE_FINISHED,
        .elapsed_ms = migrations->queue->now_ms - it->began_ms,
        .total_mib = it->phase == EK_SIM_PHASE_BEGIN ? 0 : everything_mib(migrations, it),
        .remaining_mib = it->left_mib,
        .transferred_mib = it->sent_mib,
        .bandwidth_mib_s = it->rate_mib_s,
        /* As QEMU knows it: by its log after the first iteration, by samples after a second. */
        .dirty_mib_s = it->iteration > 1 ? dirty_mib_s : 0,
        .sampled_mib_s = migrations->queue->now_ms - it->began_ms > SAMPLING_MS ? dirty_mib_s : 0,
        .iteration = it->iteration,
        .throttle_percent = (int)lround(it->throttle * 100),
    };
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void release(struct ek_sim_migrations *migrations, uint32_t index,
                    const struct ek_call_result *result)
{
    struct ek_sim_migration *it = &migrations->items[index];
    uint32_t caller = it->request.caller;
    uint32_t ticket = it->request.ticket;

    /* Without our mark it was an operator's: what becomes of the domain is not our move's truth. */
    if (it->mark[0] == '\0') {
        migrations->cluster->domains[it->request.domain].foreign_ms = migrations->queue->now_ms;
    }
    it->phase = EK_SIM_PHASE_NONE;
    it->step_ticket++;
    it->broken_ticket++;
    it->serial++;
    ek_sim_migrations_share(migrations);
    if (caller != EK_NONE && migrations->ended != NULL) {
        migrations->ended(migrations->context, caller, ticket, result);
    }
}

/* libvirt destroys an incoming guest whose source has gone, when it notices. */
static void autodestroy(void *context, uint32_t domain, uint32_t host)
{
    struct ek_sim_migrations *migrations = context;
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(migrations->cluster, domain, host);
    /* A new attempt to the same host has a guest there that must live. */
    const struct ek_sim_migration *newer = ek_sim_migration_of(migrations, domain);

    if (copy == NULL || !copy->active || copy->job != EK_JOB_IN ||
        (newer != NULL && newer->request.destination == host)) {
        return;
    }
    /* Its libvirtd has to notice, so that it must run; the guest's QEMU waits on meanwhile. */
    if (migrations->cluster->hosts[host].daemon != EK_SIM_DAEMON_UP) {
        ek_sim_queue_at(migrations->queue, migrations->queue->now_ms + AUTODESTROY_RETRY_MS,
                        autodestroy, migrations, domain, host);
        return;
    }
    ek_sim_cluster_remove(migrations->cluster, domain, host);
}

/* libvirt itself cleans up; a destination that is cut off only when its keepalive ends. */
static void clean_destination(struct ek_sim_migrations *migrations,
                              const struct ek_sim_migration *it, bool at_once)
{
    uint32_t domain = it->request.domain;
    uint32_t host = it->request.destination;
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(migrations->cluster, domain, host);

    if (copy == NULL || copy->job != EK_JOB_IN) {
        return;
    }
    /* A story may ask for a leftover that libvirt forgets: paused, without a job, there for
     * ever. */
    if (migrations->orphans > 0) {
        migrations->orphans--;
        ek_sim_cluster_set(migrations->cluster, domain, host, EK_RUN_PAUSED_MIGRATION, EK_JOB_NONE);
    } else if (at_once) {
        ek_sim_cluster_remove(migrations->cluster, domain, host);
    } else {
        ek_sim_queue_at(migrations->queue, migrations->queue->now_ms + EK_SIM_KEEPALIVE_MS,
                        autodestroy, migrations, domain, host);
    }
}

static struct ek_call_result failed(enum ek_failure failure, const char *error)
{
    struct ek_call_result result = {.ok = false, .failure = failure};

    (void)snprintf(result.error, sizeof(result.error), "%s", error);
    return result;
}

/* libvirt's way back: the source goes on (migration cancelled), unless the guest runs already
 * elsewhere. */
void ek_sim_migration_fail(struct ek_sim_migrations *migrations, uint32_t index,
                           enum ek_failure failure, const char *error)
{
    struct ek_sim_migration *it = &migrations->items[index];
    const struct ek_sim_migration_request *request = &it->request;
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(migrations->cluster, request->domain, request->source);
    struct ek_call_result result = failed(failure, error);
    const struct ek_sim_copy *there =
        ek_sim_cluster_copy(migrations->cluster, request->domain, request->destination);
    /* The image locks: what runs over there is not started here again. */
    bool locked = there != NULL && there->active && there->whole && ek_sim_copy_runs(there);

    ek_sim_migration_advance(migrations, it);
    if (copy != NULL && copy->active) {
        enum ek_run_state back =
            it->guest_paused ? EK_RUN_PAUSED_USER : EK_RUN_RUNNING_MIGRATION_CANCELED;
        ek_sim_cluster_set(migrations->cluster, request->domain, request->source,
                           locked ? EK_RUN_PAUSED_MIGRATION : back, EK_JOB_NONE);
    }
    clean_destination(migrations, it, ek_sim_migration_connected(migrations, it));
    release(migrations, index, &result);
}

/* The source's libvirtd no longer knows whether it may resume, and leaves the guest paused: libvirt
 * says "third party needs to check". */
void ek_sim_migration_strand(struct ek_sim_migrations *migrations, uint32_t index,
                             const char *error)
{
    struct ek_sim_migration *it = &migrations->items[index];
    struct ek_call_result result = failed(EK_FAILURE_LOST, error);

    ek_sim_migration_advance(migrations, it);
    ek_sim_cluster_set(migrations->cluster, it->request.domain, it->request.source,
                       EK_RUN_PAUSED_MIGRATION, EK_JOB_NONE);
    clean_destination(migrations, it, false);
    release(migrations, index, &result);
}

/* ---- switchover ---------------------------------------------------------------------------- */

void ek_sim_migration_arrive(struct ek_sim_migrations *migrations, struct ek_sim_migration *it)
{
    const struct ek_sim_migration_request *request = &it->request;
    struct ek_sim_copy *copy =
        ek_sim_cluster_copy(migrations->cluster, request->domain, request->destination);

    assert(copy != NULL && copy->job == EK_JOB_IN);
    /* libvirt stores the definition before the guest is resumed, so that a running domain is never
     * transient. */
    copy->persistent = true;
    copy->whole = true;
    copy->downtime_ms = migrations->queue->now_ms - it->paused_ms;
    copy->transferred_mib = it->sent_mib;
    /* The mark is in the domain's metadata, which travels with it. */
    (void)snprintf(copy->mark, sizeof(copy->mark), "%s", it->mark);
    ek_sim_cluster_set(migrations->cluster, request->domain, request->destination,
                       it->guest_paused || request->two_step ? EK_RUN_PAUSED_USER
                                                             : EK_RUN_RUNNING_MIGRATED,
                       EK_JOB_NONE);
}

void ek_sim_migration_confirm(struct ek_sim_migrations *migrations, uint32_t index)
{
    const struct ek_sim_migration_request *request = &migrations->items[index].request;
    struct ek_call_result result = {.ok = true};

    /* UNDEFINE_SOURCE: nothing stays behind that could be started by mistake. */
    ek_sim_cluster_remove(migrations->cluster, request->domain, request->source);
    migrations->completed++;
    release(migrations, index, &result);
}

/* The Finish call on the destination: here the guest changes sides. */
static void finish(struct ek_sim_migrations *migrations, uint32_t index)
{
    struct ek_sim_migration *it = &migrations->items[index];
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(migrations->cluster, it->request.domain, it->request.destination);

    if (it->broken) {
        return; /* the Finish call cannot be made: the keepalive or the healed link goes on */
    }
    if (copy == NULL || copy->job != EK_JOB_IN) {
        ek_sim_migration_fail(migrations, index, EK_FAILURE_OTHER_HOST,
                              "the destination's QEMU is gone");
        return;
    }
    ek_sim_migration_arrive(migrations, it);
    it->phase = EK_SIM_PHASE_FINISHED;
    ek_sim_migrations_share(migrations);
    /* The reply's way back and the Confirm call. */
    ek_sim_migration_wait(migrations, index, 20, 50);
}

/* From here to the destination's resume the guest stands still: this is the downtime. */
static void switch_over(struct ek_sim_migrations *migrations, uint32_t index)
{
    struct ek_sim_migration *it = &migrations->items[index];

    it->phase = EK_SIM_PHASE_SWITCHOVER;
    it->paused_ms = migrations->queue->now_ms;
    /* Stopping the CPUs and saving the devices' state: tens of milliseconds beside the last
     * pages. */
    it->handover_ms = ek_random_between(&migrations->random, 20, 60);
    ek_sim_cluster_set(migrations->cluster, it->request.domain, it->request.source,
                       EK_RUN_PAUSED_MIGRATION, EK_JOB_OUT);
    ek_sim_migration_schedule(migrations, index);
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void throttle(struct ek_sim_migration *it, double dirtied_mib)
{
    /* QEMU's test: dirtied more than half of what was sent, twice in a row. */
    if (!it->request.auto_converge || dirtied_mib <= it->round_sent_mib / 2) {
        it->stalls = 0;
        return;
    }
    if (++it->stalls >= 2) {
        it->stalls = 0;
        it->throttle =
            it->throttle > 0 ? fmin(THROTTLE_MOST, it->throttle + THROTTLE_STEP) : THROTTLE_FIRST;
    }
}

static void round_begin(struct ek_sim_migrations *migrations, struct ek_sim_migration *it,
                        double left_mib)
{
    it->left_mib = left_mib;
    it->round_sent_mib = 0;
    it->round_ms = migrations->queue->now_ms;
    it->iteration++;
}

static void round_end(struct ek_sim_migrations *migrations, uint32_t index)
{
    struct ek_sim_migration *it = &migrations->items[index];
    const struct ek_sim_domain *domain = &migrations->cluster->domains[it->request.domain];
    double seconds = (double)(migrations->queue->now_ms - it->round_ms) / 1000;
    /* What was dirtied while this round was sent is the next round, at most everything. */
    double dirtied_mib = fmin(domain->rss_mib, dirty_rate(migrations, it) * seconds);
    double allowed_mib = it->rate_mib_s * (double)it->max_downtime_ms / 1000;

    throttle(it, dirtied_mib);
    round_begin(migrations, it, dirtied_mib);
    /* pause-before-switchover: QEMU waits for its libvirtd there. */
    if (dirtied_mib <= allowed_mib &&
        migrations->cluster->hosts[it->request.source].daemon == EK_SIM_DAEMON_UP) {
        switch_over(migrations, index);
    } else {
        ek_sim_migration_schedule(migrations, index);
    }
}

static void step(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_sim_migrations *migrations = context;
    struct ek_sim_migration *it = &migrations->items[index];

    if (it->step_ticket != ticket) {
        return;
    }
    ek_sim_migration_advance(migrations, it);
    switch (it->phase) {
    case EK_SIM_PHASE_BEGIN:
        it->phase = EK_SIM_PHASE_COPY;
        /* The first round is all that is resident; untouched pages are zero and cost next to
         * nothing. */
        round_begin(migrations, it, everything_mib(migrations, it));
        ek_sim_migrations_share(migrations);
        break;
    case EK_SIM_PHASE_COPY:
        assert(it->left_mib < NOTHING_MIB);
        round_end(migrations, index);
        break;
    case EK_SIM_PHASE_SWITCHOVER:
        it->left_mib = 0;
        finish(migrations, index);
        break;
    case EK_SIM_PHASE_FINISHED:
        if (!it->broken) {
            ek_sim_migration_confirm(migrations, index);
        }
        break;
    case EK_SIM_PHASE_NONE:
        break;
    }
}

void ek_sim_migration_wait(struct ek_sim_migrations *migrations, uint32_t index, int64_t low,
                           int64_t high)
{
    struct ek_sim_migration *it = &migrations->items[index];
    int64_t wait_ms = ek_random_between(&migrations->random, low, high);

    ek_sim_queue_at(migrations->queue, migrations->queue->now_ms + wait_ms, step, migrations, index,
                    ++it->step_ticket);
}

void ek_sim_migration_schedule(struct ek_sim_migrations *migrations, uint32_t index)
{
    struct ek_sim_migration *it = &migrations->items[index];
    bool copies = it->phase == EK_SIM_PHASE_COPY;
    double wait_ms = it->left_mib > 0 ? ceil(it->left_mib / it->rate_mib_s * 1000) : 0;

    it->step_ticket++;
    if (it->left_mib > 0 && !(it->rate_mib_s > 0)) {
        return; /* nothing flows: a change of the links goes on */
    }
    /* An idle guest's rounds would take no time at all: the shortest one keeps virtual time
     * moving. */
    wait_ms = copies ? fmax(wait_ms, EK_SIM_SHORTEST_ROUND_MS) : wait_ms + (double)it->handover_ms;
    ek_sim_queue_at(migrations->queue, migrations->queue->now_ms + (int64_t)wait_ms, step,
                    migrations, index, it->step_ticket);
}
