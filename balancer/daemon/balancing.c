/* The balancer role: keeps the lease, makes a snapshot each cycle, and steps the engine. */
#include "balancer/daemon/balancing.h"

#include "balancer/daemon/journal.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

/* The lease is renewed that often within its time to live. */
enum { RENEWALS = 3, STOP_WAIT_MS = 3000, DUPLICATES = 16 };

/* ---- engine -------------------------------------------------------------------------------- */

void ek_balancing_step(struct ek_balancing *balancing, const struct ek_event *event)
{
    struct ek_error err = {0};

    if (!ek_engine_step(balancing->engine, event, &balancing->effects, &err)) {
        ek_log(EK_LOG_ERROR, "the engine stopped half-way: %s", err.message);
    }
    ek_balancing_carry_out(balancing);
}

static void hold(struct ek_balancing *balancing, const char *why)
{
    ek_balancing_step(
        balancing,
        &(struct ek_event){.kind = EK_EVENT_HOLD, .now_ms = ek_daemon_now_ms(), .u.hold = why});
}

void ek_balancing_follow(struct ek_balancing *balancing, const char *why)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    balancing->leading = false;
    if (view.holding == NULL || strcmp(view.holding, why) != 0) {
        hold(balancing, why);
    }
}

/* ---- outcomes: from the migrations' threads to the loop -------------------------------------- */

static void push_outcome(struct ek_balancing *balancing, const struct ek_outcome *outcome)
{
    struct ek_outcome_node *node = calloc(1, sizeof(*node));

    if (node == NULL) {
        ek_log(EK_LOG_ERROR, "out of memory: the outcome of %s is known to the journal only",
               outcome->id);
        return;
    }
    node->outcome = *outcome;
    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    struct ek_outcome_node **last = &balancing->outcomes;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = node;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    (void)uv_async_send(&balancing->outcome_async);
}

static void on_ended(void *context, const struct ek_outcome *outcome)
{
    push_outcome(context, outcome);
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
    push_outcome(context, &outcome);
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
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_OUTCOME,
                                                        .now_ms = ek_daemon_now_ms(),
                                                        .u.outcome = &node->outcome});
        free(node);
        node = next;
    }
    ek_balancing_put_status(balancing);
}

/* ---- a cycle: samples and keys -> snapshot -> engine --------------------------------------- */

struct gather_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    size_t count;
    const char **hosts; /* borrowed from the configuration */
    struct ek_sample *samples;
    bool *has;
    struct ek_maintenance *maintenance;
    char bad[EK_TEXT_SIZE];
};

static bool gather_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct gather_job *it = (struct gather_job *)job;

    return ek_store_get_samples(store, it->hosts, it->count, it->samples, it->has, it->bad,
                                sizeof(it->bad), err) &&
           ek_store_get_maintenance(store, it->hosts, it->count, it->maintenance, err);
}

static void gather_free(struct gather_job *job)
{
    for (size_t h = 0; job->samples != NULL && h < job->count; h++) {
        ek_sample_finish(&job->samples[h]);
    }
    free(job->hosts);
    free(job->samples);
    free(job->has);
    free(job->maintenance);
    free(job);
}

static void warn_duplicates(const struct ek_duplicate *duplicates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ek_log(EK_LOG_WARNING,
               "domain %s (%s) is reported by %s and by %s; it is left alone until one of them "
               "drops it",
               duplicates[i].name == NULL ? "" : duplicates[i].name, duplicates[i].uuid,
               duplicates[i].host_a, duplicates[i].host_b);
    }
}

/* Only hosts with a sample are handed on; the list is closed up. */
static size_t close_up(struct gather_job *job)
{
    size_t count = 0;

    for (size_t h = 0; h < job->count; h++) {
        if (job->has[h]) {
            struct ek_sample sample = job->samples[h];
            memset(&job->samples[h], 0, sizeof(sample));
            job->samples[count++] = sample;
        }
    }
    return count;
}

static bool assemble(struct ek_balancing *balancing, struct gather_job *job,
                     struct ek_snapshot *snapshot, struct ek_error *err)
{
    const struct ek_config *config = &balancing->daemon->config;
    struct ek_arena scratch = {0};
    struct ek_duplicate duplicates[DUPLICATES];
    size_t duplicate_count = DUPLICATES;
    size_t move_count = ek_engine_known_moves(balancing->engine, NULL, 0);
    struct ek_host_entry *entries = ek_arena_alloc(&scratch, job->count, sizeof(*entries));
    struct ek_known_move *moves = ek_arena_alloc(&scratch, move_count, sizeof(*moves));

    if (entries == NULL || moves == NULL) {
        ek_arena_finish(&scratch);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the snapshot");
    }
    for (size_t h = 0; h < job->count; h++) {
        entries[h] = (struct ek_host_entry){.name = config->hosts[h].name,
                                            .labels = config->hosts[h].labels,
                                            .maintenance = job->maintenance[h].wanted,
                                            .migration_mib_s = config->hosts[h].migration_mib_s};
    }
    (void)ek_engine_known_moves(balancing->engine, moves, move_count);
    const struct ek_assembly in = {.hosts = entries,
                                   .host_count = job->count,
                                   .samples = job->samples,
                                   .sample_count = close_up(job),
                                   .moves = moves,
                                   .move_count = move_count,
                                   .now_ms = ek_daemon_now_ms()};
    bool ok = ek_snapshot_assemble(snapshot, &in, duplicates, &duplicate_count, err) &&
              ek_snapshot_check(snapshot, err);
    warn_duplicates(duplicates, ok ? duplicate_count : 0);
    ek_arena_finish(&scratch);
    return ok;
}

/* --once: one cycle on measured figures, and what it started, are done. */
static void stop_if_done(struct ek_balancing *balancing)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    if (balancing->daemon->arguments.once && view.running_count == 0 && view.waiting_count == 0 &&
        balancing->recording == 0 && view.holding == NULL && view.summary[0] != '\0' &&
        strstr(view.summary, "not measured yet") == NULL) {
        ek_log(EK_LOG_INFO, "--once: %s", view.summary);
        ek_daemon_stop(balancing->daemon, 0);
    }
}

static void gather_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct gather_job *it = (struct gather_job *)job;
    struct ek_balancing *balancing = it->balancing;
    struct ek_snapshot snapshot;
    struct ek_error problem = {0};

    balancing->gathering = false;
    if (it->bad[0] != '\0') {
        ek_log(EK_LOG_WARNING, "%s", it->bad);
    }
    if (err != NULL) {
        ek_balancing_follow(balancing, err->message);
    } else if (balancing->leading && !balancing->daemon->stopping) {
        if (assemble(balancing, it, &snapshot, &problem)) {
            ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_SNAPSHOT,
                                                            .now_ms = snapshot.taken_at_ms,
                                                            .u.snapshot = &snapshot});
            ek_snapshot_finish(&snapshot);
            balancing->cycles++;
        } else {
            ek_log(EK_LOG_ERROR, "no snapshot: %s", problem.message);
        }
    }
    gather_free(it);
    ek_balancing_put_status(balancing);
    stop_if_done(balancing);
    if (balancing->again && !balancing->daemon->stopping) {
        balancing->again = false;
        ek_balancing_cycle(balancing);
    }
}

static struct gather_job *gather_create(struct ek_balancing *balancing)
{
    const struct ek_config *config = &balancing->daemon->config;
    struct gather_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->job.work = gather_work;
    job->job.done = gather_done;
    job->balancing = balancing;
    job->count = config->host_count;
    job->hosts = calloc(job->count, sizeof(*job->hosts));
    job->samples = calloc(job->count, sizeof(*job->samples));
    job->has = calloc(job->count, sizeof(*job->has));
    job->maintenance = calloc(job->count, sizeof(*job->maintenance));
    if (job->hosts == NULL || job->samples == NULL || job->has == NULL ||
        job->maintenance == NULL) {
        gather_free(job);
        return NULL;
    }
    for (size_t h = 0; h < job->count; h++) {
        job->hosts[h] = config->hosts[h].name;
    }
    return job;
}

void ek_balancing_cycle(struct ek_balancing *balancing)
{
    if (balancing->gathering || !balancing->leading) {
        balancing->again = balancing->gathering;
        return;
    }
    struct gather_job *job = gather_create(balancing);
    if (job == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        ek_log(EK_LOG_ERROR, "out of memory: this cycle is left out");
        if (job != NULL) {
            gather_free(job);
        }
        return;
    }
    balancing->gathering = true;
}

static void on_cycle(uv_timer_t *timer)
{
    ek_balancing_cycle(timer->data);
}

static void on_maintenance_changed(void *context)
{
    ek_log(EK_LOG_DEBUG, "a maintenance key changed");
    ek_balancing_cycle(context);
}

/* ---- the lease ----------------------------------------------------------------------------- */

struct lease_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    bool held;
    int64_t epoch;
    char holder[160];
    bool first; /* not leading yet: read what an earlier run left open */
    struct ek_move_record *open;
    size_t open_count;
    struct ek_move_record *blocking;
    size_t blocking_count;
};

static bool lease_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct lease_job *it = (struct lease_job *)job;
    struct ek_balancing *balancing = it->balancing;

    if (!ek_store_lease(store, balancing->owner, balancing->daemon->config.lease_ms, &it->held,
                        &it->epoch, it->holder, sizeof(it->holder), err)) {
        return false;
    }
    return !it->held || !it->first ||
           (ek_store_open_moves(store, &it->open, &it->open_count, err) &&
            ek_store_blocking_moves(store, &it->blocking, &it->blocking_count, err));
}

/* Everything that an earlier run left open is taken over before anything new begins. */
static void adopt(struct ek_balancing *balancing, const struct lease_job *job)
{
    for (size_t i = 0; i < job->blocking_count; i++) {
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_BLOCK,
                                                        .now_ms = ek_daemon_now_ms(),
                                                        .u.block = job->blocking[i].order.domain});
    }
    for (size_t i = 0; i < job->open_count; i++) {
        struct ek_error err = {0};
        const struct ek_move_record *record = &job->open[i];
        if (!ek_executor_adopt(balancing->executor, record, job->epoch, &err)) {
            /* Ours already: the lease lapsed for a moment and came back to us. */
            ek_log(err.code == EK_ERR_CONFLICT ? EK_LOG_DEBUG : EK_LOG_ERROR,
                   "move %s is not adopted: %s", record->order.id, err.message);
            continue;
        }
        ek_log(EK_LOG_INFO, "move %s of %s is adopted; it was %s", record->order.id,
               record->order.name, ek_move_state_name(record->state));
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_ADOPT,
                                                        .now_ms = ek_daemon_now_ms(),
                                                        .u.adopt = &record->order});
    }
}

/* What was known before another balancer led is not to be relied on. */
static bool forget(struct ek_balancing *balancing)
{
    struct ek_engine *fresh = ek_engine_create();

    if (fresh == NULL) {
        ek_log(EK_LOG_ERROR, "out of memory: this balancer does not lead yet");
        return false;
    }
    ek_engine_destroy(balancing->engine);
    balancing->engine = fresh;
    ek_balancing_reload(balancing);
    return true;
}

static void lead(struct ek_balancing *balancing, const struct lease_job *job)
{
    if (balancing->leading && balancing->epoch == job->epoch) {
        return;
    }
    if (balancing->epoch != 0 && balancing->epoch != job->epoch && !forget(balancing)) {
        return;
    }
    balancing->epoch = job->epoch;
    balancing->leading = true;
    ek_log(EK_LOG_INFO, "this balancer leads, epoch %lld", (long long)job->epoch);
    adopt(balancing, job);
    ek_balancing_step(balancing,
                      &(struct ek_event){.kind = EK_EVENT_RELEASE, .now_ms = ek_daemon_now_ms()});
    ek_balancing_cycle(balancing);
}

static void lease_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct lease_job *it = (struct lease_job *)job;
    struct ek_balancing *balancing = it->balancing;
    char why[EK_TEXT_SIZE];

    balancing->leasing = false;
    if (err != NULL) {
        (void)snprintf(why, sizeof(why), "Redis: %s", err->message);
        ek_balancing_follow(balancing, why);
    } else if (!it->held) {
        (void)snprintf(why, sizeof(why), "another balancer leads: %s", it->holder);
        ek_balancing_follow(balancing, why);
    } else if (!balancing->daemon->stopping) {
        lead(balancing, it);
    }
    free(it->open);
    free(it->blocking);
    free(it);
}

static void renew(struct ek_balancing *balancing)
{
    struct lease_job *job = balancing->leasing ? NULL : calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = lease_work;
    job->job.done = lease_done;
    job->balancing = balancing;
    job->first = !balancing->leading;
    balancing->leasing = ek_store_thread_submit(balancing->daemon->store, &job->job, 0);
    if (!balancing->leasing) {
        free(job);
    }
}

static void on_lease(uv_timer_t *timer)
{
    renew(timer->data);
}

struct release_job {
    struct ek_store_job job;
    char owner[160];
};

static bool release_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    return ek_store_release(store, ((struct release_job *)job)->owner, err);
}

static void release_done(struct ek_store_job *job, const struct ek_error *err)
{
    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "the lease was not given back: %s", err->message);
    }
    free(job);
}

static void release(struct ek_balancing *balancing)
{
    struct release_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = release_work;
    job->job.done = release_done;
    (void)snprintf(job->owner, sizeof(job->owner), "%s", balancing->owner);
    if (!ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job);
    }
}

/* ---- start and stop ------------------------------------------------------------------------ */

static int64_t clock_now(void *context)
{
    (void)context;
    return ek_daemon_now_ms();
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
    const struct ek_libvirt_timeouts timeouts = {config->connect_timeout_ms,
                                                 config->call_timeout_ms};
    balancing->port = ek_libvirt_port_create(hosts, config->host_count, &timeouts, err);
    free(hosts);
    if (balancing->port == NULL) {
        return false;
    }
    balancing->journal = ek_daemon_journal(balancing->daemon->store);
    struct ek_executor_options options = {.hypervisor = ek_libvirt_port(balancing->port),
                                          .journal = &balancing->journal,
                                          .now_ms = clock_now,
                                          .ended = on_ended,
                                          .dropped = on_dropped,
                                          .listener_context = balancing};
    ek_life_timing_defaults(&options.timing);
    balancing->executor = ek_executor_create(&options, err);
    return balancing->executor != NULL;
}

static bool open_loop(struct ek_balancing *balancing, struct ek_error *err)
{
    uv_loop_t *loop = &balancing->daemon->loop;
    uint64_t lease_ms = (uint64_t)balancing->daemon->config.lease_ms / RENEWALS;
    uint64_t cycle_ms = (uint64_t)balancing->daemon->config.evaluate_ms;
    struct ek_store *watcher = ek_daemon_open_store(balancing->daemon);

    if (watcher == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the maintenance watcher");
    }
    balancing->watch = ek_watch_start(loop, watcher, on_maintenance_changed, balancing, err);
    if (balancing->watch == NULL) {
        return false;
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
    hold(balancing, "the lease is not taken yet");
    return balancing;
}

void ek_balancing_reload(struct ek_balancing *balancing)
{
    struct ek_policy policy = balancing->daemon->policy;

    if (balancing->daemon->arguments.once) {
        policy.sustained_cycles = 1; /* there will be no second cycle to wait for */
    }
    ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_POLICY,
                                                    .now_ms = ek_daemon_now_ms(),
                                                    .u.policy = &policy});
    ek_balancing_cycle(balancing);
}

void ek_balancing_stop(struct ek_balancing *balancing)
{
    hold(balancing, "the daemon is stopping");
    struct ek_engine_view view = ek_engine_view(balancing->engine);
    if (view.running_count > 0) {
        ek_log(EK_LOG_INFO, "%zu migrations run on and are adopted at the next start",
               view.running_count);
    }
    balancing->daemon->abandoned = !ek_executor_shutdown(balancing->executor, STOP_WAIT_MS);
    release(balancing);
    ek_watch_stop(balancing->watch);
    uv_close((uv_handle_t *)&balancing->cycle_timer, NULL);
    uv_close((uv_handle_t *)&balancing->lease_timer, NULL);
    uv_close((uv_handle_t *)&balancing->wake_timer, NULL);
    uv_close((uv_handle_t *)&balancing->outcome_async, NULL);
}

void ek_balancing_destroy(struct ek_balancing *balancing)
{
    if (balancing == NULL) {
        return;
    }
    ek_watch_destroy(balancing->watch);
    ek_executor_destroy(balancing->executor);
    ek_libvirt_port_destroy(balancing->port);
    ek_effects_finish(&balancing->effects);
    ek_engine_destroy(balancing->engine);
    for (size_t i = 0; i < balancing->shown_count; i++) {
        free(balancing->shown[i].host);
        free(balancing->shown[i].json);
    }
    free(balancing->shown);
    free(balancing->plan_json);
    free(balancing);
}
