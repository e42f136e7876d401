/* Calls to libvirt, simulated: each takes its time, may hang, fail or lose its reply, and acts on
 * the ground truth in the end. The same port serves the same driver as real calls would. */
#include "balancer/sim/hypervisor.h"

#include "balancer/core/snapshot.h"
#include "balancer/sim/hypervisor_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* A stream of random numbers of its own: a change elsewhere does not shift these latencies. */
    PURPOSE_LATENCY = 12,
    PROBE_MS = 5000,     /* to a host that does not answer at all */
    HUNG_LOOK_MS = 1000, /* between two looks whether a hung host serves its queue again */
    /* libvirt's defaults, 5 s and 5 probes: a dead peer is given up after 5 * (5 + 1) s. */
    KEEPALIVE_MS = 30000,
    LOST_WITHIN_MS = 15000, /* of a reply that a fault counter loses */
};

/* How long each kind of call takes, from a table in the header. */
struct operation {
    enum ek_life_action_kind action;
    int64_t low_ms;
    int64_t high_ms;
};

static const struct operation operations[EK_SIM_OPERATION_COUNT] = {
#define X(name, action, low, high) [name] = {action, low, high},
    EK_SIM_OPERATIONS(X)
#undef X
};

static enum ek_sim_operation operation_of(enum ek_life_action_kind kind)
{
    for (unsigned int i = 0; i < EK_SIM_OPERATION_COUNT; i++) {
        if (operations[i].action == kind) {
            return (enum ek_sim_operation)i;
        }
    }
    assert(false && "an action that is no call");
    return EK_SIM_OPERATION_COUNT;
}

/* ---- slots --------------------------------------------------------------------------------- */

static uint32_t occupy(struct ek_sim_hypervisor *hypervisor)
{
    for (uint32_t i = 0; i < hypervisor->count; i++) {
        if (!hypervisor->items[i].used) {
            return i;
        }
    }
    if (hypervisor->count == hypervisor->room) {
        size_t room = hypervisor->room == 0 ? 8 : 2 * hypervisor->room;
        struct ek_sim_call *items = realloc(hypervisor->items, room * sizeof(*items));
        if (items == NULL) {
            hypervisor->queue->lost = true;
            return EK_NONE;
        }
        hypervisor->items = items;
        hypervisor->room = room;
    }
    memset(&hypervisor->items[hypervisor->count], 0, sizeof(*hypervisor->items));
    return (uint32_t)hypervisor->count++;
}

/* Brings the reply if anybody still waits for it. The slots may have moved afterwards. */
static void answer(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                   const struct ek_sim_reply *reply)
{
    struct ek_sim_call *call = &hypervisor->items[index];
    /* Cleared first: the reply may lead to the next call in this very slot. */
    bool waits = call->awaited;

    call->awaited = false;
    if (waits) {
        hypervisor->reply(hypervisor->context, call->caller, call->ticket, reply);
    }
}

/* The call is over. */
static void conclude(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                     const struct ek_sim_reply *reply)
{
    hypervisor->items[index].used = false;
    /* Timers of this call still in the queue will find another serial. */
    hypervisor->items[index].serial++;
    answer(hypervisor, index, reply);
}

/* ---- a call's way -------------------------------------------------------------------------- */

/* Accepts connections and answers nothing: worse than being down, since only a watchdog notices. */
static bool hangs(const struct ek_sim_hypervisor *hypervisor, uint32_t host)
{
    const struct ek_sim_host *it = &hypervisor->cluster->hosts[host];

    return it->on && it->control_link && it->daemon == EK_SIM_DAEMON_HUNG;
}

/* An observation asks each end by itself and gives up on the one that hangs; all else waits. */
static bool must_wait(const struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call)
{
    if (call->operation == EK_SIM_OBSERVE || !call->known) {
        return false;
    }
    bool there = call->operation == EK_SIM_PRECHECK || call->operation == EK_SIM_PREPARE ||
                 call->operation == EK_SIM_POST || call->operation == EK_SIM_UNPREPARE;
    return hangs(hypervisor, call->source) || (there && hangs(hypervisor, call->destination));
}

/* The call reaches the hosts. */
static void act(void *context, uint32_t index, uint32_t serial)
{
    struct ek_sim_hypervisor *hypervisor = context;
    struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_reply reply;

    if (!call->used || call->serial != serial) {
        return;
    }
    /* Not lost: a libvirtd that wakes up works off its queue, also what nobody waits for any
     * more. */
    if (must_wait(hypervisor, call)) {
        ek_sim_queue_at(hypervisor->queue, hypervisor->queue->now_ms + HUNG_LOOK_MS, act,
                        hypervisor, index, serial);
        return;
    }
    memset(&reply, 0, sizeof(reply));
    if (ek_sim_call_perform(hypervisor, index, &reply)) {
        conclude(hypervisor, index, &reply);
    }
}

/* The caller stops waiting; the call itself goes on and may still take effect, which is the trap
 * that reconciling is for. */
static void give_up(void *context, uint32_t index, uint32_t serial)
{
    struct ek_sim_hypervisor *hypervisor = context;
    const struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_reply reply;

    if (call->used && call->serial == serial) {
        ek_sim_reply_lost(call->operation, "no answer in time", &reply);
        answer(hypervisor, index, &reply);
    }
}

/* Asked of the source alone, whose libvirtd has the job. */
static bool is_about_the_job(enum ek_sim_operation operation)
{
    return operation == EK_SIM_PROGRESS || operation == EK_SIM_TUNE || operation == EK_SIM_ABORT;
}

/* Hosts that cannot be reached cost a probe each, in parallel; one that hangs costs its watchdog.
 */
static int64_t latency_ms(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call)
{
    const struct operation *operation = &operations[call->operation];
    /* Drawn for every call, even one that fails at once, so that a fault shifts no later draw. */
    int64_t ms = ek_random_between(&hypervisor->random, operation->low_ms, operation->high_ms);

    if (!call->known) {
        return ms;
    }
    for (int end = 0; end < 2; end++) {
        uint32_t host = end == 0 ? call->source : call->destination;
        bool asked = end == 0 || !is_about_the_job(call->operation);
        if (asked && call->operation == EK_SIM_OBSERVE && hangs(hypervisor, host)) {
            return ms + KEEPALIVE_MS;
        }
        if (asked && !ek_sim_host_answers(&hypervisor->cluster->hosts[host])) {
            ms += ms < PROBE_MS ? PROBE_MS : 0;
        }
    }
    return ms;
}

/* By value: the record may change while the call is under way. */
static void fill(struct ek_sim_hypervisor *hypervisor, struct ek_sim_call *call,
                 const struct ek_life_action *action, const struct ek_move_record *record)
{
    const struct ek_move_order *order = &record->order;

    call->operation = operation_of(action->kind);
    call->tuning = action->tuning;
    call->record = *record;
    call->domain = ek_sim_cluster_find_domain(hypervisor->cluster, order->domain);
    call->source = ek_sim_cluster_find_host(hypervisor->cluster, order->source);
    /* Of a stop no other host is asked. */
    call->destination = ek_move_stops(order->kind)
                            ? call->source
                            : ek_sim_cluster_find_host(hypervisor->cluster, order->destination);
    /* A host that left the cluster, or a domain that never was: the caller is told "no such", as by
     * libvirt. */
    call->known =
        call->domain != EK_NONE && call->source != EK_NONE && call->destination != EK_NONE;
    call->auto_converge = order->auto_converge;
    call->two_step = record->two_step;
    call->user_paused = record->user_paused;
    call->committing = record->state == EK_MOVE_COMMIT_PENDING;
    call->bandwidth_mib_s = (double)order->bandwidth_mib_s;
    (void)snprintf(call->mark, sizeof(call->mark), "%s", order->id);
}

void ek_sim_hypervisor_call(struct ek_sim_hypervisor *hypervisor, uint32_t caller, uint32_t ticket,
                            const struct ek_life_action *action,
                            const struct ek_move_record *record)
{
    uint32_t index = occupy(hypervisor);

    if (index == EK_NONE) {
        return;
    }
    struct ek_sim_call *call = &hypervisor->items[index];
    *call = (struct ek_sim_call){
        .used = true, .awaited = true, .serial = call->serial, .caller = caller, .ticket = ticket};
    fill(hypervisor, call, action, record);
    hypervisor->calls[call->operation]++;
    ek_sim_queue_at(hypervisor->queue, hypervisor->queue->now_ms + latency_ms(hypervisor, call),
                    act, hypervisor, index, call->serial);
    if (action->timeout_ms > 0) {
        ek_sim_queue_at(hypervisor->queue, hypervisor->queue->now_ms + action->timeout_ms, give_up,
                        hypervisor, index, call->serial);
    }
}

/* ---- migrate calls ------------------------------------------------------------------------- */

void ek_sim_call_ended(void *context, uint32_t index, uint32_t serial,
                       const struct ek_call_result *result)
{
    struct ek_sim_hypervisor *hypervisor = context;
    struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_reply reply = {.kind = EK_LIFE_MIGRATE_ENDED, .result = *result};

    if (!call->used || call->serial != serial || call->over) {
        return;
    }
    if (ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        conclude(hypervisor, index, &reply);
    } else {
        call->over = true;
        ek_sim_hypervisor_host_changed(hypervisor, call->source);
    }
}

/* Unless the source came back in time: then the call goes on as if nothing had been. */
static void connection_ends(void *context, uint32_t index, uint32_t serial)
{
    struct ek_sim_hypervisor *hypervisor = context;
    struct ek_sim_call *call = &hypervisor->items[index];
    struct ek_sim_reply reply;

    if (!call->used || call->serial != serial) {
        return;
    }
    call->ending = false;
    if (call->over || !ek_sim_host_answers(&hypervisor->cluster->hosts[call->source])) {
        ek_sim_reply_lost(call->operation, "the connection to libvirt broke", &reply);
        conclude(hypervisor, index, &reply);
    }
}

/* Some time within the call's life: early, late, or after its end. */
void ek_sim_call_lose_later(struct ek_sim_hypervisor *hypervisor, uint32_t index)
{
    struct ek_sim_call *call = &hypervisor->items[index];

    call->over = true;
    call->ending = true;
    ek_sim_queue_at(hypervisor->queue,
                    hypervisor->queue->now_ms +
                        ek_random_between(&hypervisor->random, 100, LOST_WITHIN_MS),
                    connection_ends, hypervisor, index, call->serial);
}

void ek_sim_hypervisor_host_changed(struct ek_sim_hypervisor *hypervisor, uint32_t host)
{
    const struct ek_sim_host *it = &hypervisor->cluster->hosts[host];
    /* A dead process resets its connections at once; a dead host or link says nothing, and the
     * keepalive has to run out. */
    bool refuses = it->on && it->control_link && it->daemon == EK_SIM_DAEMON_DOWN;

    for (uint32_t i = 0; i < hypervisor->count; i++) {
        struct ek_sim_call *call = &hypervisor->items[i];
        if (!call->used || !call->began || call->source != host || call->ending) {
            continue;
        }
        if (!ek_sim_host_answers(it)) {
            call->ending = true;
            ek_sim_queue_at(hypervisor->queue,
                            hypervisor->queue->now_ms + (refuses ? 0 : KEEPALIVE_MS),
                            connection_ends, hypervisor, i, call->serial);
        }
    }
}

/* ---- whole --------------------------------------------------------------------------------- */

/* After the daemon's death replies find nobody, and the calls take their effect all the same. */
void ek_sim_hypervisor_forget(struct ek_sim_hypervisor *hypervisor)
{
    for (size_t i = 0; i < hypervisor->count; i++) {
        hypervisor->items[i].awaited = false;
    }
}

void ek_sim_hypervisor_init(struct ek_sim_hypervisor *hypervisor,
                            struct ek_sim_migrations *migrations, uint64_t seed)
{
    *hypervisor = (struct ek_sim_hypervisor){.cluster = migrations->cluster,
                                             .migrations = migrations,
                                             .queue = migrations->queue,
                                             .random = ek_random_stream(seed, PURPOSE_LATENCY)};
    migrations->ended = ek_sim_call_ended;
    migrations->context = hypervisor;
}

void ek_sim_hypervisor_finish(struct ek_sim_hypervisor *hypervisor)
{
    free(hypervisor->items);
    memset(hypervisor, 0, sizeof(*hypervisor));
}
