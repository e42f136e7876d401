/* The balancer role: timers, outcomes of the migrations' threads, and the engine's steps. */
#include "balancer/daemon/balancing.h"

#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"
#include "balancer/daemon/trash.h"

#include <stdlib.h>
#include <string.h>

/* The lease is renewed that often within its time to live. */
enum {
    RENEWALS = 3,
    STOP_WAIT_MS = 3000,
};

/* ---- engine -------------------------------------------------------------------------------- */

/* After each step: a pause, a blackout or a maintenance key is for moves between two attempts, too.
 */
static void tell_withheld(struct ek_balancing *balancing)
{
    const struct ek_engine_view view = ek_engine_view(balancing->engine);

    for (size_t i = 0; i < view.running_count; i++) {
        ek_executor_withhold(balancing->executor, view.running[i].id,
                             ek_engine_withholds(balancing->engine, &view.running[i]));
    }
}

void ek_balancing_step(struct ek_balancing *balancing, const struct ek_event *event)
{
    struct ek_error err = {0};

    if (!ek_engine_step(balancing->engine, event, &balancing->effects, &err)) {
        ek_log(EK_LOG_ERROR, "the engine stopped half-way: %s", err.message);
    }
    tell_withheld(balancing);
    ek_balancing_carry_out(balancing);
}

void ek_balancing_hold(struct ek_balancing *balancing, const char *why)
{
    ek_balancing_step(
        balancing,
        &(struct ek_event){.kind = EK_EVENT_HOLD, .now_ms = ek_clock_now_ms(), .u.hold = why});
}

/* ---- outcomes: from the migrations' threads to the loop -------------------------------------- */

static void push(struct ek_balancing *balancing, struct ek_outcome_node *node)
{
    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    struct ek_outcome_node **last = &balancing->outcomes;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = node;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    (void)uv_async_send(&balancing->outcome_async);
}

static void push_outcome(struct ek_balancing *balancing, const struct ek_outcome *outcome,
                         int64_t epoch)
{
    struct ek_outcome_node *node = calloc(1, sizeof(*node));

    if (node == NULL) {
        ek_log(EK_LOG_ERROR, "out of memory: the outcome of %s is known to the journal only",
               outcome->id);
        return;
    }
    node->outcome = *outcome;
    node->epoch = epoch;
    /* Lives count on a clock that does not jump; samples and the engine live by the wall's. */
    int64_t drift_ms = ek_clock_drift_ms();
    node->outcome.started_at_ms += drift_ms;
    node->outcome.ended_at_ms += drift_ms;
    push(balancing, node);
}

/* Lost for want of memory it costs time, no more. */
static void on_sign(void *context, const struct ek_sign *sign)
{
    struct ek_outcome_node *node = calloc(1, sizeof(*node));

    if (node != NULL) {
        node->is_sign = true;
        node->sign = *sign;
        push(context, node);
    }
}

static void on_ended(void *context, const struct ek_outcome *outcome)
{
    push_outcome(context, outcome, 0);
}

/* The record belongs to another balancer now; for our engine the domain is not ours to move. */
static void on_dropped(void *context, const struct ek_move_record *record,
                       const struct ek_error *why)
{
    struct ek_outcome outcome = {.kind = record->order.kind,
                                 .state = EK_MOVE_UNKNOWN,
                                 .attempts = record->attempt,
                                 .started_at_ms = record->started_at_ms,
                                 .ended_at_ms = record->updated_at_ms};

    (void)snprintf(outcome.id, sizeof(outcome.id), "%s", record->order.id);
    (void)snprintf(outcome.plan_id, sizeof(outcome.plan_id), "%s", record->order.plan_id);
    (void)snprintf(outcome.domain, sizeof(outcome.domain), "%s", record->order.domain);
    (void)snprintf(outcome.source, sizeof(outcome.source), "%s", record->order.source);
    (void)snprintf(outcome.destination, sizeof(outcome.destination), "%s",
                   record->order.destination);
    (void)snprintf(outcome.error, sizeof(outcome.error), "given up: %s", why->message);
    push_outcome(context, &outcome, record->epoch);
}

static void take_news(struct ek_balancing *balancing, const struct ek_outcome_node *node)
{
    struct ek_event event = {.now_ms = ek_clock_now_ms()};

    if (node->is_sign) {
        event.kind = EK_EVENT_SIGN;
        event.u.sign = &node->sign;
        ek_balancing_step(balancing, &event);
        return;
    }
    event.kind = EK_EVENT_OUTCOME;
    event.u.outcome = &node->outcome;
    ek_balancing_step(balancing, &event);
    ek_http_ended(balancing->daemon->http, &node->outcome);
    /* Both hosts are not what their last samples say any more. */
    ek_collecting_hasten(balancing->daemon->collecting, node->outcome.source);
    if (node->outcome.destination[0] != '\0') {
        ek_collecting_hasten(balancing->daemon->collecting, node->outcome.destination);
    }
}

static void on_outcomes(uv_async_t *async)
{
    struct ek_balancing *balancing = async->data;

    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    struct ek_outcome_node *node = balancing->outcomes;
    balancing->outcomes = NULL;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    while (node != NULL) {
        struct ek_outcome_node *next = node->next;
        /* A life dropped under an earlier epoch is nothing to the engine that began after it. */
        if (node->epoch == 0 || node->epoch == balancing->epoch) {
            take_news(balancing, node);
        }
        free(node);
        node = next;
    }
    ek_balancing_keep_rests(balancing);
    ek_balancing_put_status(balancing);
}

/* The engine asked to be woken with the next sample; nobody else hurries. */
void ek_balancing_sampled(struct ek_balancing *balancing)
{
    if (balancing != NULL && uv_is_active((uv_handle_t *)&balancing->wake_timer)) {
        (void)uv_timer_stop(&balancing->wake_timer);
        ek_balancing_cycle(balancing);
    }
}

static void on_lease(uv_timer_t *timer)
{
    ek_balancing_renew(timer->data);
}

static void on_cycle(uv_timer_t *timer)
{
    ek_balancing_cycle(timer->data);
}

static void on_maintenance_changed(void *context)
{
    ek_log(EK_LOG_DEBUG, "a maintenance key changed");
    ek_balancing_take_key_ends(context);
    ek_balancing_cycle(context);
}

/* ---- start and stop ------------------------------------------------------------------------ */

static int64_t clock_now(void *context)
{
    (void)context;
    return ek_clock_steady_ms();
}

static bool open_migrator(struct ek_balancing *balancing, struct ek_error *err)
{
    const struct ek_config *config = &balancing->daemon->config;
    struct ek_libvirt_host *hosts = calloc(config->host_count, sizeof(*hosts));

    if (hosts == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the migrator's hosts");
    }
    for (size_t h = 0; h < config->host_count; h++) {
        hosts[h] = (struct ek_libvirt_host){config->hosts[h].name, config->hosts[h].uri,
                                            config->hosts[h].migration_uri};
    }
    balancing->port = ek_libvirt_port_create(
        hosts, config->host_count, (int)config->connect_timeout_ms, config->moves.fresh_ms, err);
    free(hosts);
    if (balancing->port == NULL) {
        return false;
    }
    ek_libvirt_port_set_sampling(balancing->port, config->dirty_rate_ms > 0);
    balancing->journal_parts =
        (struct ek_journal_parts){balancing->daemon->store, ek_spool_create(config->state_dir)};
    if (balancing->journal_parts.spool == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the spool");
    }
    balancing->journal = ek_daemon_journal(&balancing->journal_parts);
    struct ek_executor_options options = {.hypervisor = ek_libvirt_port_hypervisor(balancing->port),
                                          .journal = &balancing->journal,
                                          .timing = config->moves,
                                          .now_ms = clock_now,
                                          .ended = on_ended,
                                          .sign = on_sign,
                                          .dropped = on_dropped,
                                          .listener_context = balancing};
    balancing->executor = ek_executor_create(&options, err);
    return balancing->executor != NULL;
}

static bool open_loop(struct ek_balancing *balancing, struct ek_error *err)
{
    uv_loop_t *loop = &balancing->daemon->loop;
    uint64_t lease_ms = (uint64_t)balancing->daemon->config.lease_ms / RENEWALS;
    uint64_t cycle_ms = (uint64_t)balancing->daemon->config.evaluate_ms;
    struct ek_watch_options maintenance = {.store = ek_daemon_open_store(balancing->daemon),
                                           .wait = ek_store_wait_maintenance,
                                           .without =
                                               "maintenance keys are read once per cycle only",
                                           .changed = on_maintenance_changed,
                                           .context = balancing};

    if (maintenance.store != NULL) {
        ek_store_hear_ends(maintenance.store, ek_balancing_note_key_end, balancing);
    }
    balancing->watch = ek_watch_start(loop, &maintenance, err);
    if (balancing->watch == NULL || !ek_balancing_open_commands(balancing, err)) {
        return false;
    }
    balancing->trash = ek_trash_start(balancing, err);
    if (balancing->trash == NULL) {
        return false;
    }
    if (!ek_balancing_open_resolving(balancing)) {
        return ek_error_set(err, EK_ERR_IO, "cannot listen to the ends of resolves");
    }
    (void)uv_timer_init(loop, &balancing->cycle_timer);
    (void)uv_timer_init(loop, &balancing->lease_timer);
    (void)uv_timer_init(loop, &balancing->wake_timer);
    balancing->cycle_timer.data = balancing;
    balancing->lease_timer.data = balancing;
    balancing->wake_timer.data = balancing;
    balancing->outcome_async.data = balancing;
    (void)uv_async_init(loop, &balancing->outcome_async, on_outcomes);
    (void)uv_timer_start(&balancing->lease_timer, on_lease, 0, lease_ms);
    (void)uv_timer_start(&balancing->cycle_timer, on_cycle, cycle_ms, cycle_ms);
    return true;
}

struct ek_balancing *ek_balancing_start(struct ek_daemon *daemon, struct ek_error *err)
{
    struct ek_balancing *balancing = calloc(1, sizeof(*balancing));

    if (balancing == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the balancer");
        return NULL;
    }
    balancing->daemon = daemon;
    (void)pthread_mutex_init(&balancing->outcome_mutex, NULL);
    (void)snprintf(balancing->owner, sizeof(balancing->owner), "%s:%llx", daemon->identity,
                   (unsigned long long)uv_hrtime());
    balancing->engine = ek_engine_create();
    if (balancing->engine == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the engine");
    }
    if (balancing->engine == NULL || !open_migrator(balancing, err) || !open_loop(balancing, err)) {
        ek_balancing_destroy(balancing);
        return NULL;
    }
    ek_balancing_reload(balancing);
    ek_balancing_hold(balancing, "the lease is not taken yet");
    return balancing;
}

void ek_balancing_reload(struct ek_balancing *balancing)
{
    struct ek_policy policy = balancing->daemon->policy;

    ek_libvirt_port_set_reserve(balancing->port, policy.memory_reserve);
    if (balancing->daemon->arguments.once) {
        policy.sustained_cycles = 1; /* there will be no second cycle to wait for */
    }
    ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_POLICY,
                                                    .now_ms = ek_clock_now_ms(),
                                                    .u.policy = &policy});
    ek_balancing_cycle(balancing);
}

static bool has_host(const struct ek_config *config, const char *name)
{
    bool found = false;

    for (size_t h = 0; h < config->host_count; h++) {
        found = found || strcmp(config->hosts[h].name, name) == 0;
    }
    return found;
}

const char *ek_balancing_needs(const struct ek_balancing *balancing, const struct ek_config *config,
                               const char **move)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    for (size_t i = 0; i < view.running_count; i++) {
        *move = view.running[i].id;
        if (!has_host(config, view.running[i].source)) {
            return view.running[i].source;
        }
        if (!ek_move_stops(view.running[i].kind) &&
            !has_host(config, view.running[i].destination)) {
            return view.running[i].destination;
        }
    }
    return NULL;
}

void ek_balancing_stop(struct ek_balancing *balancing)
{
    ek_balancing_hold(balancing, "the daemon is stopping");
    struct ek_engine_view view = ek_engine_view(balancing->engine);
    if (view.running_count > 0) {
        ek_log(EK_LOG_INFO, "%zu migration%s on; adopted at the next start", view.running_count,
               view.running_count == 1 ? " runs" : "s run");
    }
    balancing->daemon->abandoned = !ek_executor_shutdown(balancing->executor, STOP_WAIT_MS);
    balancing->daemon->abandoned = !ek_trash_stop(balancing->trash) || balancing->daemon->abandoned;
    ek_balancing_release(balancing);
    ek_watch_stop(balancing->watch);
    ek_watch_stop(balancing->command_watch);
    uv_close((uv_handle_t *)&balancing->cycle_timer, NULL);
    uv_close((uv_handle_t *)&balancing->lease_timer, NULL);
    uv_close((uv_handle_t *)&balancing->wake_timer, NULL);
    uv_close((uv_handle_t *)&balancing->outcome_async, NULL);
    uv_close((uv_handle_t *)&balancing->resolve_async, NULL);
}

void ek_balancing_destroy(struct ek_balancing *balancing)
{
    if (balancing == NULL) {
        return;
    }
    ek_watch_destroy(balancing->watch);
    ek_trash_destroy(balancing->trash);
    ek_watch_destroy(balancing->command_watch);
    ek_executor_destroy(balancing->executor);
    ek_libvirt_port_destroy(balancing->port);
    ek_spool_destroy(balancing->journal_parts.spool);
    ek_effects_finish(&balancing->effects);
    ek_engine_destroy(balancing->engine);
    for (size_t i = 0; i < balancing->shown_count; i++) {
        free(balancing->shown[i].host);
        free(balancing->shown[i].json);
    }
    free(balancing->shown);
    ek_balancing_forget_plans(balancing);
    ek_balancing_drop_key_ends(balancing);
    free(balancing->resolved);
    free(balancing);
}
