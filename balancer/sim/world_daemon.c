/* The daemon of the simulation: cycles, effects, outcomes; its death and its next start. */
#include "balancer/sim/disk.h"
#include "balancer/sim/world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a daemon without its journal tries to get the lease. */
enum { START_RETRY_MS = 1000 };

/* ---- effects ------------------------------------------------------------------------------- */

static void show_maintenance(struct ek_world *world, const struct ek_maintenance_status *status)
{
    uint32_t host = ek_sim_cluster_find_host(&world->cluster, status->host);
    struct ek_world_status *shown = &world->statuses[host];
    bool ended = status->state == EK_MAINTENANCE_ENDED;

    /* Only changes go into the trace; an ETA that counts down is none. */
    if (shown->shown && shown->state == status->state && shown->left == status->domains_left) {
        return;
    }
    *shown = (struct ek_world_status){!ended, status->state, status->domains_left};
    ek_world_say(world, "maintenance", "%s is %s, %u domains left%s%s", status->host,
                 ek_maintenance_state_name(status->state), status->domains_left,
                 status->blocker_count == 0 ? "" : "; ",
                 status->blocker_count == 0 ? "" : status->blockers[0].reason);
}

static void start_move(struct ek_world *world, const struct ek_move_order *order)
{
    struct ek_error err = {0};

    world->counters.started++;
    world->counters.last_start_ms = ek_world_now_ms(world);
    if (!ek_sim_driver_start(&world->driver, order, world->journal.epoch, &err)) {
        ek_world_fail(world, &err);
    }
}

/* In the order in which the engine gave them, which is documented (core/engine.h). */
static void carry_out(struct ek_world *world, const struct ek_effect *effect)
{
    switch (effect->kind) {
    case EK_EFFECT_RECORD_PLAN:
        world->counters.plans++;
        break;
    case EK_EFFECT_RECORD_FATE:
        ek_world_say(world, "fate", "plan %s is %s", effect->u.fate.plan_id, effect->u.fate.fate);
        break;
    case EK_EFFECT_RECORD_VERIFIED: /* its event says the same */
        break;
    case EK_EFFECT_RECORD_EVENT:
        ek_world_say(world, effect->u.event.kind, "%s", effect->u.event.text);
        break;
    case EK_EFFECT_RECORD_MAINTENANCE:
        show_maintenance(world, &effect->u.maintenance);
        break;
    case EK_EFFECT_REPLY:
        ek_world_say(world, "reply", "%s", effect->u.reply.text);
        break;
    case EK_EFFECT_LIMIT:
        ek_sim_driver_limit(&world->driver, effect->u.limit.id, effect->u.limit.bandwidth_mib_s);
        break;
    case EK_EFFECT_ABORT:
        (void)ek_sim_driver_cancel(&world->driver, effect->u.abort.id, effect->u.abort.why);
        break;
    case EK_EFFECT_START:
        start_move(world, &effect->u.start);
        break;
    case EK_EFFECT_WAKE:
        ek_world_want_cycle(world, effect->u.wake_at_ms);
        break;
    }
}

/* Before anything is carried out, for that may step the engine again. */
static void tell_withheld(struct ek_world *world)
{
    const struct ek_engine_view view = ek_engine_view(world->engine);

    for (size_t i = 0; i < view.running_count; i++) {
        ek_sim_driver_withhold(&world->driver, view.running[i].id,
                               ek_engine_withholds(world->engine, &view.running[i]));
    }
}

void ek_world_step(struct ek_world *world, struct ek_event *event)
{
    struct ek_error err = {0};

    if (world->engine == NULL) {
        return;
    }
    /* The engine has no clock: virtual time comes with the event. */
    event->now_ms = world->queue.now_ms;
    if (!ek_engine_step(world->engine, event, &world->effects, &err)) {
        ek_world_fail(world, &err);
        return;
    }
    tell_withheld(world);
    for (size_t i = 0; i < world->effects.count; i++) {
        carry_out(world, &world->effects.items[i]);
    }
}

/* ---- cycles -------------------------------------------------------------------------------- */

/* Asked once for the number and, when the room is too small, once more. */
static size_t gather_known(struct ek_world *world)
{
    size_t count = ek_engine_known_moves(world->engine, world->known, world->known_room);

    if (count <= world->known_room) {
        return count;
    }
    struct ek_known_move *known = realloc(world->known, 2 * count * sizeof(*known));
    if (known == NULL) {
        world->queue.lost = true;
        return 0;
    }
    world->known = known;
    world->known_room = 2 * count;
    return ek_engine_known_moves(world->engine, world->known, world->known_room);
}

static void run_cycle(struct ek_world *world)
{
    struct ek_snapshot snapshot;
    struct ek_error err = {0};

    if (world->engine == NULL) {
        return;
    }
    size_t known_count = gather_known(world);
    const struct ek_assembly assembly = {.hosts = world->entries,
                                         .host_count = world->cluster.host_count,
                                         .samples = world->sampler.samples,
                                         .sample_count = world->sampler.sample_count,
                                         .move_count = known_count,
                                         .moves = world->known,
                                         .now_ms = world->queue.now_ms};
    if (!ek_snapshot_assemble(&snapshot, &assembly, &err)) {
        ek_world_fail(world, &err);
        return;
    }
    world->counters.cycles++;
    struct ek_event event = {.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot};
    ek_world_step(world, &event);
    ek_snapshot_finish(&snapshot); /* empty unless the engine did not take it */
}

/* The next one first: whatever this cycle does, time goes on. */
static void regular_cycle(void *context, uint32_t subject, uint32_t ticket)
{
    struct ek_world *world = context;

    ek_sim_queue_at(&world->queue, world->queue.now_ms + world->options.cycle_ms, regular_cycle,
                    world, subject, ticket);
    run_cycle(world);
}

/* A cycle that the engine asked for, sooner than the regular one. */
static void extra_cycle(void *context, uint32_t subject, uint32_t ticket)
{
    struct ek_world *world = context;

    (void)subject;
    (void)ticket;
    /* Otherwise a sooner wish replaced this one; its event is still in the queue. */
    if (world->wake_ms == world->queue.now_ms) {
        world->wake_ms = 0;
        run_cycle(world);
    }
}

void ek_world_want_cycle(struct ek_world *world, int64_t at_ms)
{
    if (world->wake_ms != 0 && world->wake_ms <= at_ms) {
        return; /* a sooner one is wanted already */
    }
    world->wake_ms = at_ms;
    ek_sim_queue_at(&world->queue, at_ms, extra_cycle, world, 0, 0);
}

/* ---- moves --------------------------------------------------------------------------------- */

/* Active and whole: what is being received is nowhere yet. */
static bool is_at(struct ek_world *world, uint32_t domain, const char *host)
{
    const struct ek_sim_copy *copy = ek_sim_cluster_copy(
        &world->cluster, domain, ek_sim_cluster_find_host(&world->cluster, host));

    return copy != NULL && copy->active && copy->whole;
}

/* What an outcome says of the domain, against the ground truth. A domain that ended since proves
 * nothing, nor one that somebody else moved meanwhile or so shortly before that no sample showed
 * it: a move that is cancelled or rejected before it began has not looked. */
static bool is_true(struct ek_world *world, const struct ek_outcome *outcome)
{
    uint32_t domain = ek_sim_cluster_find_domain(&world->cluster, outcome->domain);
    const struct ek_sim_domain *it = &world->cluster.domains[domain];

    if (it->foreign_ms >= outcome->started_at_ms - 4 * world->options.period_ms) {
        return true;
    }
    if (outcome->state == EK_MOVE_GUEST_OFF) {
        return it->fate == EK_SIM_SHUT_DOWN;
    }
    if (outcome->state == EK_MOVE_VM_DOWN) {
        return it->fate == EK_SIM_KILLED;
    }
    if (it->fate != EK_SIM_ALIVE) {
        return true;
    }
    if (ek_move_stops(outcome->kind) && outcome->state == EK_MOVE_DONE) {
        return false; /* it lives */
    }
    if (outcome->state == EK_MOVE_DONE) {
        return is_at(world, domain, outcome->destination) && !is_at(world, domain, outcome->source);
    }
    /* These claim that it is on its source again; unknown and unverified claim nothing. */
    bool back = outcome->state == EK_MOVE_ROLLED_BACK || outcome->state == EK_MOVE_CANCELLED ||
                outcome->state == EK_MOVE_FAILED;
    return !back || is_at(world, domain, outcome->source);
}

static void move_ended(void *context, const struct ek_outcome *outcome)
{
    struct ek_world *world = context;
    struct ek_event event = {.kind = EK_EVENT_OUTCOME, .u.outcome = outcome};

    world->counters.ended[outcome->state]++;
    if (!is_true(world, outcome)) {
        /* An outcome that is not the truth is the worst fault of all: the engine would go on from
         * it. */
        world->counters.wrong++;
        ek_world_say(world, "wrong", "move %s is not %s", outcome->id,
                     ek_move_state_name(outcome->state));
    }
    if (world->options.ended != NULL) {
        world->options.ended(world->options.context, outcome);
    }
    ek_world_step(world, &event);
}

static void move_sign(void *context, const struct ek_sign *sign)
{
    struct ek_event event = {.kind = EK_EVENT_SIGN, .u.sign = sign};

    ek_world_step(context, &event);
}

static void move_dropped(void *context, const struct ek_move_record *record,
                         const struct ek_error *why)
{
    struct ek_world *world = context;

    world->counters.dropped++;
    ek_world_say(world, "dropped", "move %s: %s", record->order.id, why->message);
}

/* Adapters to the queue's signature. */
static void daemon_starts(void *context, uint32_t subject, uint32_t ticket)
{
    (void)subject;
    (void)ticket;
    ek_world_start_daemon(context);
}

static void daemon_dies(void *context, uint32_t subject, uint32_t ticket)
{
    (void)subject;
    (void)ticket;
    ek_world_crash_daemon(context);
}

static void discard(void *context, uint32_t domain, uint32_t host)
{
    enum { AGAIN_MS = 60000 };
    struct ek_world *world = context;
    const struct ek_move_record *moving =
        ek_sim_driver_of(&world->driver, world->cluster.domains[domain].uuid);
    /* What a move is making there now is not what an earlier one left. */
    bool busy =
        moving != NULL && strcmp(moving->order.destination, world->cluster.hosts[host].name) == 0;

    if (world->engine == NULL || busy || !ek_sim_disk_discard(&world->cluster, domain, host)) {
        ek_sim_queue_at(&world->queue, world->queue.now_ms + AGAIN_MS, discard, world, domain,
                        host);
    }
}

/* The trash: written with the record, so that it outlives the daemon as the record does. */
static void throw_away_later(struct ek_world *world, const struct ek_move_record *record)
{
    const char *host =
        record->state == EK_MOVE_DONE ? record->order.source : record->order.destination;

    if (ek_move_state_terminal(record->state) && record->discard_at_ms > 0) {
        ek_sim_queue_at(&world->queue, record->discard_at_ms, discard, world,
                        ek_sim_cluster_find_domain(&world->cluster, record->order.domain),
                        ek_sim_cluster_find_host(&world->cluster, host));
    }
}

/* After the journal has it and before the effect: the driver's promise, which stories of crashes
 * rest on. */
static void move_entered(void *context, const struct ek_move_record *record)
{
    struct ek_world *world = context;

    ek_world_say(world, "state", "move %s of %s, attempt %d: %s", record->order.id,
                 record->order.name, record->attempt, ek_move_state_name(record->state));
    throw_away_later(world, record);
    /* Faults strike at states, not at times: each state of a life gets its crash, however long it
     * lasts. */
    if (!world->crash_armed || record->state != world->crash_state || world->crash_after-- > 0) {
        return;
    }
    world->crash_armed = false;
    ek_sim_queue_at(&world->queue, world->queue.now_ms + world->crash_down_ms, daemon_starts, world,
                    0, 0);
    /* Journalled and not yet done, or done and not yet heard of: the two sides of every step. */
    if (world->crash_before_effect) {
        ek_world_crash_daemon(world);
    } else {
        ek_sim_queue_at(&world->queue, world->queue.now_ms, daemon_dies, world, 0, 0);
    }
}

void ek_world_crash_at_state(struct ek_world *world, enum ek_move_state state, bool before_effect,
                             int64_t down_ms)
{
    world->crash_armed = true;
    world->crash_state = state;
    world->crash_after = 0;
    world->crash_before_effect = before_effect;
    world->crash_down_ms = down_ms;
}

void ek_world_crash_at_preparation(struct ek_world *world, int nth, bool before_effect,
                                   int64_t down_ms)
{
    ek_world_crash_at_state(world, EK_MOVE_PREPARE, before_effect, down_ms);
    world->crash_after = nth;
}

static void note(void *context, const struct ek_move_record *record, const char *step,
                 const char *text)
{
    ek_world_say(context, step, "move %s: %s", record->order.id, text);
}

/* ---- death and start ----------------------------------------------------------------------- */

/* Rests are kept in the store after each outcome; nothing else changes them. */
static void keep_rests(struct ek_world *world)
{
    struct ek_error err = {0};

    ek_kept_finish(&world->kept);
    if (!ek_engine_keep(world->engine, &world->kept, &err)) {
        ek_world_fail(world, &err);
    }
}

static void keep_memory(struct ek_world *world)
{
    struct ek_error err = {0};

    ek_engine_memory_finish(&world->memory);
    if (!ek_engine_remember(world->engine, &world->memory, &err)) {
        ek_world_fail(world, &err);
    }
}

void ek_world_crash_daemon(struct ek_world *world)
{
    if (world->engine == NULL) {
        return;
    }
    ek_world_say(world, "daemon", "dies");
    /* The moment of death is as good as after the last outcome: nothing changed since. */
    keep_rests(world);
    keep_memory(world);
    ek_sim_driver_crash(&world->driver);
    ek_engine_destroy(world->engine);
    world->engine = NULL;
    ek_effects_finish(&world->effects);
    ek_sim_sampler_forget(&world->sampler);
    world->wake_ms = 0;
}

static void restore(struct ek_world *world)
{
    struct ek_error err = {0};

    if (!ek_engine_take_up(world->engine, &world->kept, &err)) {
        ek_world_fail(world, &err);
    }
    if (!ek_engine_recall(world->engine, &world->memory, &err)) {
        ek_world_fail(world, &err);
    }
}

/* Only a resolution that is no older than the record is meant for it. */
static bool is_resolved(const struct ek_world *world, const struct ek_move_record *record)
{
    uint32_t domain = ek_sim_cluster_find_domain(&world->cluster, record->order.domain);

    for (size_t i = 0; i < world->resolved_count; i++) {
        if (world->resolved[i].domain == domain &&
            world->resolved[i].at_ms >= record->updated_at_ms) {
            return true;
        }
    }
    return false;
}

/* The engine first: an outcome of a move that it does not know would be passed over. */
static void adopt(struct ek_world *world, const struct ek_move_record *record)
{
    struct ek_event event = {.kind = EK_EVENT_ADOPT, .u.adopt = &record->order};
    struct ek_error err = {0};

    ek_world_say(world, "adopt", "move %s of %s, left as %s", record->order.id, record->order.name,
                 ek_move_state_name(record->state));
    world->counters.adopted++;
    ek_world_step(world, &event);
    if (!ek_sim_driver_adopt(&world->driver, record, world->journal.epoch, &err)) {
        ek_world_fail(world, &err);
    }
}

/* Open records are gone on with; domains whose last outcome is unknown stay blocked. */
static void take_over(void *context, const struct ek_move_record *record)
{
    struct ek_world *world = context;
    struct ek_event event = {.kind = EK_EVENT_BLOCK, .u.block = record->order.domain};

    if (!ek_move_state_terminal(record->state)) {
        adopt(world, record);
    } else if (ek_move_state_blocks(record->state) && !is_resolved(world, record)) {
        ek_world_step(world, &event);
    }
}

void ek_world_start_daemon(struct ek_world *world)
{
    struct ek_event event = {.kind = EK_EVENT_POLICY, .u.policy = &world->policy};

    if (world->engine != NULL) {
        return;
    }
    if (world->journal.away) { /* no lease without it */
        ek_sim_queue_at(&world->queue, world->queue.now_ms + START_RETRY_MS, daemon_starts, world,
                        0, 0);
        return;
    }
    world->engine = ek_engine_create();
    if (world->engine == NULL) {
        world->queue.lost = true;
        return;
    }
    /* A new epoch with each start, so that writes of the dead one's lives would be fenced. */
    world->journal.epoch++;
    ek_world_say(world, "daemon", "starts, epoch %lld", (long long)world->journal.epoch);
    /* Before the first event: no cycle may see the domains without their rests. */
    restore(world);
    ek_world_step(world, &event);
    ek_sim_journal_each(&world->journal, take_over, world);
}

void ek_world_daemon_init(struct ek_world *world)
{
    world->driver.ended = move_ended;
    world->driver.sign = move_sign;
    world->driver.dropped = move_dropped;
    world->driver.entered = move_entered;
    world->driver.context = world;
    world->journal.noted = note;
    world->journal.context = world;
    /* In stories a lost answer is the interesting case. */
    world->journal.lands = true;
    ek_world_start_daemon(world);
    ek_sim_queue_at(&world->queue, world->queue.now_ms + world->options.cycle_ms, regular_cycle,
                    world, 0, 0);
}
