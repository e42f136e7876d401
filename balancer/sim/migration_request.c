/* What is asked of simulated migrations from outside: to begin, to end, to go at another speed. */
#include "balancer/core/snapshot.h"
#include "balancer/sim/disk.h"
#include "balancer/sim/migration_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_DOWNTIME_MS = 300 }; /* QEMU's */

static bool refuse(struct ek_call_result *refused, enum ek_failure failure, const char *error)
{
    *refused = (struct ek_call_result){.failure = failure};
    (void)snprintf(refused->error, sizeof(refused->error), "%s", error);
    return false;
}

/* libvirt's own refusals in Begin and Prepare, with nothing changed on either side. */
static bool acceptable(struct ek_sim_migrations *migrations,
                       const struct ek_sim_migration_request *request,
                       struct ek_call_result *refused)
{
    struct ek_sim_cluster *cluster = migrations->cluster;
    const struct ek_sim_host *there = &cluster->hosts[request->destination];
    const struct ek_sim_copy *here = ek_sim_cluster_copy(cluster, request->domain, request->source);
    const struct ek_sim_copy *copy =
        ek_sim_cluster_copy(cluster, request->domain, request->destination);

    if (here == NULL || !here->active || here->run == EK_RUN_PAUSED_MIGRATION) {
        return refuse(refused, EK_FAILURE_DOMAIN, "domain is not running");
    }
    if (here->job != EK_JOB_NONE) {
        return refuse(refused, EK_FAILURE_SAME_PAIR, "another migration job is already running");
    }
    if (!ek_sim_host_answers(there)) {
        return refuse(refused, EK_FAILURE_OTHER_HOST, "unable to connect to server");
    }
    if (copy != NULL && copy->active) {
        return refuse(refused, EK_FAILURE_OTHER_HOST, "domain is already active there");
    }
    if (there->active_memory_mib + cluster->domains[request->domain].memory_mib >
        there->memory_mib) {
        return refuse(refused, EK_FAILURE_OTHER_HOST, "cannot set up guest memory");
    }
    if (request->disks && !ek_sim_disk_is_on(cluster, request->domain, request->destination)) {
        return refuse(refused, EK_FAILURE_OTHER_HOST, "Cannot access storage file");
    }
    return true;
}

static uint32_t slot(struct ek_sim_migrations *migrations)
{
    for (uint32_t i = 0; i < migrations->count; i++) {
        if (migrations->items[i].phase == EK_SIM_PHASE_NONE) {
            return i;
        }
    }
    if (migrations->count == migrations->room) {
        size_t room = migrations->room == 0 ? 8 : 2 * migrations->room;
        struct ek_sim_migration *items = realloc(migrations->items, room * sizeof(*items));
        if (items == NULL) {
            migrations->queue->lost = true;
            return EK_NONE;
        }
        migrations->items = items;
        migrations->room = room;
    }
    memset(&migrations->items[migrations->count], 0, sizeof(*migrations->items));
    return (uint32_t)migrations->count++;
}

static void occupy(struct ek_sim_migrations *migrations, struct ek_sim_migration *it,
                   const struct ek_sim_migration_request *request)
{
    struct ek_sim_copy *here =
        ek_sim_cluster_copy(migrations->cluster, request->domain, request->source);
    struct ek_sim_migration fresh = {.phase = EK_SIM_PHASE_BEGIN,
                                     .request = *request,
                                     .max_downtime_ms = DEFAULT_DOWNTIME_MS,
                                     .guest_paused = here->run == EK_RUN_PAUSED_USER,
                                     .advanced_ms = migrations->queue->now_ms,
                                     .began_ms = migrations->queue->now_ms,
                                     /* Tickets go on over a slot's lives: events of the last
                                      * migration must not hit this one. */
                                     .step_ticket = it->step_ticket,
                                     .broken_ticket = it->broken_ticket,
                                     .serial = it->serial};

    *it = fresh;
    /* The caller's text; the copy in `it` is what counts. */
    it->request.mark = NULL;
    (void)snprintf(it->mark, sizeof(it->mark), "%s", request->mark);
    if (it->mark[0] != '\0') {
        (void)snprintf(here->mark, sizeof(here->mark), "%s", it->mark);
    } else {
        migrations->cluster->domains[request->domain].foreign_ms = it->began_ms;
    }
    ek_sim_cluster_set(migrations->cluster, request->domain, request->source, here->run,
                       EK_JOB_OUT);
}

bool ek_sim_migration_begin(struct ek_sim_migrations *migrations,
                            const struct ek_sim_migration_request *request,
                            struct ek_call_result *refused)
{
    uint32_t index = EK_NONE;

    if (!acceptable(migrations, request, refused)) {
        return false;
    }
    index = slot(migrations);
    /* A definition that an earlier run of the domain left there is replaced. */
    ek_sim_cluster_remove(migrations->cluster, request->domain, request->destination);
    if (index == EK_NONE ||
        ek_sim_cluster_bring(migrations->cluster, request->domain, request->destination) == NULL) {
        return refuse(refused, EK_FAILURE_OTHER_HOST, "no room for another copy");
    }
    occupy(migrations, &migrations->items[index], request);
    /* Begin and Prepare: checks on both sides, and QEMU's start on the destination. */
    ek_sim_migration_wait(migrations, index, 200, 600);
    return true;
}

/* Too late in the switchover, as with libvirt: the guest then arrives all the same. */
static void abort_now(void *context, uint32_t index, uint32_t serial)
{
    struct ek_sim_migrations *migrations = context;
    const struct ek_sim_migration *it = &migrations->items[index];
    bool early = it->phase == EK_SIM_PHASE_BEGIN || it->phase == EK_SIM_PHASE_COPY;

    if (it->serial == serial && early) {
        ek_sim_migration_fail(migrations, index, EK_FAILURE_ABORTED,
                              "operation aborted: job 'migration out' canceled by client");
    }
}

static uint32_t find_job(const struct ek_sim_migrations *migrations, uint32_t domain,
                         uint32_t source, const char *mark)
{
    uint32_t index = ek_sim_migration_find(migrations, domain);
    bool found = index != EK_NONE && migrations->items[index].request.source == source &&
                 strcmp(migrations->items[index].mark, mark) == 0;

    return found ? index : EK_NONE;
}

bool ek_sim_migration_abort(struct ek_sim_migrations *migrations, uint32_t domain, uint32_t source,
                            const char *mark)
{
    uint32_t index = find_job(migrations, domain, source, mark);

    if (index == EK_NONE) {
        return false;
    }
    ek_sim_queue_at(migrations->queue,
                    migrations->queue->now_ms + ek_random_between(&migrations->random, 20, 200),
                    abort_now, migrations, index, migrations->items[index].serial);
    return true;
}

bool ek_sim_migration_tune(struct ek_sim_migrations *migrations, uint32_t domain, uint32_t source,
                           const char *mark, const struct ek_tuning *tuning)
{
    uint32_t index = find_job(migrations, domain, source, mark);

    if (index == EK_NONE || tuning->start_post_copy) {
        return false;
    }
    struct ek_sim_migration *it = &migrations->items[index];
    if (tuning->max_downtime_ms > 0) {
        it->max_downtime_ms = tuning->max_downtime_ms;
    }
    if (tuning->bandwidth_mib_s > 0) {
        it->request.bandwidth_mib_s =
            tuning->bandwidth_mib_s == EK_TUNING_UNLIMITED ? 0 : (double)tuning->bandwidth_mib_s;
        ek_sim_migrations_share(migrations);
    }
    return true;
}
