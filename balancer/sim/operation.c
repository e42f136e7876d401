/* What each operation does on the hosts, and what it says. */
#include "balancer/core/snapshot.h"
#include "balancer/sim/disk.h"
#include "balancer/sim/hypervisor_internal.h"
#include "migrator/verdict.h"

#include <stdio.h>
#include <string.h>

static void unreachable(struct ek_observation *out)
{
    *out = (struct ek_observation){
        .presence = EK_PRESENCE_UNREACHABLE, .job = EK_JOB_NOT_KNOWN, .text = "unreachable"};
}

static enum ek_life_input_kind input_of(enum ek_sim_operation operation)
{
    switch ((int)operation) {
    case EK_SIM_MIGRATE:
        return EK_LIFE_MIGRATE_ENDED;
    case EK_SIM_PROGRESS:
        return EK_LIFE_PROGRESS;
    case EK_SIM_OBSERVE:
        return EK_LIFE_OBSERVATION;
    default:
        return EK_LIFE_RESULT;
    }
}

static void fail(struct ek_sim_reply *reply, enum ek_failure failure, const char *error)
{
    reply->result.ok = false;
    reply->result.failure = failure;
    (void)snprintf(reply->result.error, sizeof(reply->result.error), "%s", error);
}

void ek_sim_reply_lost(enum ek_sim_operation operation, const char *error,
                       struct ek_sim_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    reply->kind = input_of(operation);
    /* A caller that looks at the ends of a lost call must not find them absent. */
    unreachable(&reply->source);
    unreachable(&reply->destination);
    fail(reply, EK_FAILURE_LOST, error);
}

/* ---- looks --------------------------------------------------------------------------------- */

/* One end by itself: that the other cannot be asked says nothing of this one. */
static void look(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                 uint32_t host, struct ek_observation *out)
{
    if (ek_sim_host_answers(&hypervisor->cluster->hosts[host])) {
        ek_sim_cluster_observe(hypervisor->cluster, call->domain, host, out);
    } else {
        unreachable(out);
    }
}

/* A job that cannot be read is not a job that is gone: `read` tells the two apart. */
static void progress(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                     struct ek_sim_reply *reply)
{
    reply->read = ek_sim_host_answers(&hypervisor->cluster->hosts[call->source]);
    if (reply->read) {
        ek_sim_migration_progress(hypervisor->migrations, call->domain, call->source,
                                  &reply->progress);
    }
}

/* ---- before and after ---------------------------------------------------------------------- */

/* Those of the migrator's checks that the simulation has something for. */
static void precheck(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                     struct ek_sim_reply *reply)
{
    struct ek_sim_cluster *cluster = hypervisor->cluster;
    const struct ek_sim_host *there = &cluster->hosts[call->destination];
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, call->domain, call->source);
    const struct ek_sim_copy *other = ek_sim_cluster_copy(cluster, call->domain, call->destination);

    /* In this order: what can be said of the hosts before what is said of the domain. */
    if (!ek_sim_host_answers(&cluster->hosts[call->source])) {
        fail(reply, EK_FAILURE_LOST, "the source cannot be reached");
    } else if (!ek_sim_host_answers(there)) {
        fail(reply, EK_FAILURE_OTHER_HOST, "the destination cannot be reached");
    } else if (copy == NULL || !copy->active ||
               (copy->run != EK_RUN_PAUSED_USER && !ek_sim_copy_runs(copy))) {
        fail(reply, EK_FAILURE_DOMAIN, "the domain does not run on its source");
    } else if (copy->job != EK_JOB_NONE) {
        fail(reply, EK_FAILURE_SAME_PAIR, "the domain has another job");
    } else if (other != NULL && other->active) {
        fail(reply, EK_FAILURE_OTHER_HOST, "the destination has an active domain of that UUID");
    } else if (there->active_memory_mib + cluster->domains[call->domain].memory_mib >
               there->memory_mib) {
        fail(reply, EK_FAILURE_OTHER_HOST, "not enough memory on the destination");
    } else {
        ek_sim_disk_find(hypervisor, call, reply);
    }
}

static void prepare(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                    struct ek_sim_reply *reply)
{
    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->destination])) {
        fail(reply, EK_FAILURE_OTHER_HOST, "the destination cannot be reached");
    } else {
        ek_sim_disk_prepare(hypervisor, call, reply);
    }
}

/* Takes the move's mark off the domain's metadata on one host. */
static void unmark(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                   uint32_t host, struct ek_sim_reply *reply)
{
    struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, call->domain, host);

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[host])) {
        fail(reply, EK_FAILURE_LOST, "the host cannot be reached");
        /* A mark of another attempt is not ours to remove. */
    } else if (copy != NULL && strcmp(copy->mark, call->mark) == 0) {
        copy->mark[0] = '\0';
    }
}

/* ---- repairs ------------------------------------------------------------------------------- */

static enum ek_repair repair_of(enum ek_sim_operation operation)
{
    switch ((int)operation) {
    case EK_SIM_RESUME_SOURCE:
        return EK_REPAIR_RESUME_SOURCE;
    case EK_SIM_RESUME_DESTINATION:
        return EK_REPAIR_RESUME_DESTINATION;
    case EK_SIM_DESTROY_SOURCE:
        return EK_REPAIR_DESTROY_SOURCE;
    default:
        return EK_REPAIR_DESTROY_DESTINATION;
    }
}

/* A destructive step needs a fresh look at both ends in the same pass: between the verdict and this
 * call the world went on. */
static bool still_asked(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                        struct ek_sim_reply *reply)
{
    struct ek_move_record record = {
        .state = EK_MOVE_RECONCILE, .two_step = call->two_step, .user_paused = call->user_paused};

    /* The verdict asks whose attempt the copies bear: the id is the mark. */
    memcpy(record.order.id, call->mark, sizeof(record.order.id));
    look(hypervisor, call, call->source, &reply->source);
    look(hypervisor, call, call->destination, &reply->destination);
    if (ek_verdict_decide(&record, &reply->source, &reply->destination)->repair ==
        repair_of(call->operation)) {
        return true;
    }
    fail(reply, EK_FAILURE_DOMAIN, "the two ends are no longer as they were");
    return false;
}

/* Somebody else may have moved it on since: every other host must say that it does not run it. */
static bool runs_nowhere_else(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                              struct ek_sim_reply *reply)
{
    struct ek_sim_cluster *cluster = hypervisor->cluster;

    for (uint32_t h = 0; h < cluster->host_count; h++) {
        const struct ek_sim_copy *copy = ek_sim_cluster_copy(cluster, call->domain, h);
        if (h == call->source || h == call->destination) {
            continue;
        }
        if (!ek_sim_host_answers(&cluster->hosts[h])) {
            fail(reply, EK_FAILURE_OTHER_HOST, "a third host cannot be asked");
            return false;
        }
        if (copy != NULL && copy->active) {
            fail(reply, EK_FAILURE_DOMAIN, "it may run on a third host");
            return false;
        }
    }
    return true;
}

static void repair(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                   struct ek_sim_reply *reply)
{
    bool at_source =
        call->operation == EK_SIM_RESUME_SOURCE || call->operation == EK_SIM_DESTROY_SOURCE;
    bool resume =
        call->operation == EK_SIM_RESUME_SOURCE || call->operation == EK_SIM_RESUME_DESTINATION;
    uint32_t host = at_source ? call->source : call->destination;

    if (!still_asked(hypervisor, call, reply) ||
        (resume && !call->committing && !runs_nowhere_else(hypervisor, call, reply))) {
        return;
    }
    if (resume) {
        ek_sim_cluster_set(hypervisor->cluster, call->domain, host, EK_RUN_RUNNING_MIGRATED,
                           EK_JOB_NONE);
    } else {
        ek_sim_cluster_remove(hypervisor->cluster, call->domain, host);
    }
}

/* ---- migrate and abort --------------------------------------------------------------------- */

/* True: the reply is there at once, a refusal. Otherwise the migration's end brings it. */
static bool migrate(struct ek_sim_hypervisor *hypervisor, uint32_t index, bool reply_lost,
                    struct ek_sim_reply *reply)
{
    struct ek_sim_call *call = &hypervisor->items[index];
    const struct ek_sim_migration_request request = {.domain = call->domain,
                                                     .source = call->source,
                                                     .destination = call->destination,
                                                     .mark = call->mark,
                                                     .disks = call->record.copies_disks,
                                                     .auto_converge = call->auto_converge,
                                                     .two_step = call->two_step,
                                                     .bandwidth_mib_s = call->bandwidth_mib_s,
                                                     .caller = index,
                                                     .ticket = call->serial};
    struct ek_sim_copy *copy = ek_sim_cluster_copy(hypervisor->cluster, call->domain, call->source);

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        fail(reply, EK_FAILURE_LOST, "the source cannot be reached");
        return true;
    }
    if (copy != NULL && copy->active) { /* the mark is left before libvirt is asked */
        memcpy(copy->mark, call->mark, sizeof(copy->mark));
    }
    if (!ek_sim_migration_begin(hypervisor->migrations, &request, &reply->result)) {
        return true;
    }
    call->began = true;
    /* It runs and its answer will not come: what a broken connection looks like from our side. */
    if (reply_lost) {
        ek_sim_call_lose_later(hypervisor, index);
    }
    return false;
}

/* Asking succeeds when there is a job of this move; whether it ends in time is seen later. */
static void ask_of_job(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                       struct ek_sim_reply *reply)
{
    struct ek_sim_migrations *migrations = hypervisor->migrations;

    if (!ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        fail(reply, EK_FAILURE_LOST, "the source cannot be reached");
    } else if (!(call->operation == EK_SIM_TUNE
                     ? ek_sim_migration_tune(migrations, call->domain, call->source, call->mark,
                                             &call->tuning)
                     : ek_sim_migration_abort(migrations, call->domain, call->source,
                                              call->mark))) {
        fail(reply, EK_FAILURE_SAME_PAIR, "no migration of this move runs");
    }
}

/* ---- stops --------------------------------------------------------------------------------- */

static bool do_stop(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                    struct ek_sim_reply *reply)
{
    const struct ek_sim_call *call = &hypervisor->items[index];

    if (call->operation == EK_SIM_MIGRATE) {
        return ek_sim_stop(hypervisor, index, reply);
    }
    if (call->operation == EK_SIM_PRECHECK) {
        ek_sim_stop_precheck(hypervisor, call, reply);
    } else if (call->operation == EK_SIM_PROGRESS) {
        ek_sim_stop_progress(hypervisor, call, reply);
    } else if (call->operation == EK_SIM_ABORT) {
        ek_sim_stop_abort(hypervisor, call, reply);
    } else if (call->operation == EK_SIM_OBSERVE) {
        look(hypervisor, call, call->source, &reply->source);
        reply->destination =
            (struct ek_observation){.presence = EK_PRESENCE_ABSENT, .text = "none"};
    }
    return true;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* Whether this call is one that its counter lets fail. */
static bool fault_strikes(struct ek_sim_fault *fault)
{
    if (fault->times == 0) {
        return false;
    }
    if (fault->after > 0) {
        fault->after--;
        return false;
    }
    fault->times--;
    return true;
}

static bool do_it(struct ek_sim_hypervisor *hypervisor, uint32_t index, struct ek_sim_reply *reply)
{
    const struct ek_sim_call *call = &hypervisor->items[index];

    switch (call->operation) {
    case EK_SIM_PRECHECK:
        precheck(hypervisor, call, reply);
        break;
    case EK_SIM_PREPARE:
        prepare(hypervisor, call, reply);
        break;
    case EK_SIM_MIGRATE:
        return migrate(hypervisor, index, false, reply);
    case EK_SIM_PROGRESS:
        progress(hypervisor, call, reply);
        break;
    case EK_SIM_TUNE:
    case EK_SIM_ABORT:
        ask_of_job(hypervisor, call, reply);
        break;
    case EK_SIM_OBSERVE:
        look(hypervisor, call, call->source, &reply->source);
        look(hypervisor, call, call->destination, &reply->destination);
        break;
    case EK_SIM_UNPREPARE:
        unmark(hypervisor, call, call->source, reply);
        ek_sim_disk_unprepare(hypervisor, call, reply);
        break;
    case EK_SIM_POST:
        unmark(hypervisor, call, call->destination, reply);
        ek_sim_disk_post(hypervisor, call, reply);
        break;
    case EK_SIM_RESUME_SOURCE:
    case EK_SIM_RESUME_DESTINATION:
    case EK_SIM_DESTROY_SOURCE:
    case EK_SIM_DESTROY_DESTINATION:
        repair(hypervisor, call, reply);
        break;
    case EK_SIM_RESUME_POSTCOPY: /* these hosts cannot do post-copy: none ever broke off */
        fail(reply, EK_FAILURE_DOMAIN, "no post-copy broke off");
        break;
    case EK_SIM_OPERATION_COUNT:
        break;
    }
    return true;
}

bool ek_sim_call_perform(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                         struct ek_sim_reply *reply)
{
    const struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_fault *fault = &hypervisor->faults[call->operation];

    reply->kind = input_of(call->operation);
    reply->result.ok = true;
    if (!call->known) {
        ek_sim_reply_lost(call->operation, "no such domain or host", reply);
        return true;
    }
    bool stops = ek_move_stops(call->record.order.kind);
    if (!fault_strikes(fault)) {
        return stops ? do_stop(hypervisor, index, reply) : do_it(hypervisor, index, reply);
    }
    /* Losing a migrate call's reply must not keep the migration from happening. */
    if (call->operation == EK_SIM_MIGRATE && fault->failure == EK_FAILURE_LOST && !stops) {
        return migrate(hypervisor, index, true, reply);
    }
    ek_sim_reply_lost(call->operation, fault->error == NULL ? "fault" : fault->error, reply);
    /* As the story says, not "lost": reply_lost() was used for its shape alone. */
    reply->result.failure = fault->failure;
    return true;
}
