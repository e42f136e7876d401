/* Who leads: the lease, what a new leader takes over, and what one that lost it does. */
#include "balancer/codec/rests.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"
#include "balancer/daemon/service.h"

#include <stdlib.h>
#include <string.h>

/* So many halves of the lease one step of the loop may take; beyond that it hangs. */
enum { RENEWALS_MEANWHILE = 8 };

struct lease_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    bool held;
    int64_t epoch;
    char holder[160];
    bool first;     /* not leading yet: read what an earlier run left open */
    int64_t before; /* the epoch as known then: another one is as good as the first */
    struct ek_move_record *open;
    size_t open_count;
    struct ek_move_record *blocking;
    size_t blocking_count;
    char *engine_state; /* the rests that the last leader left ... */
    char *memory;       /* ... and what it had learned */
};

/* What an earlier run left, once the lease is held under an epoch that is new to this balancer. */
static bool read_what_is_left(struct ek_store *store, struct lease_job *it, struct ek_error *err)
{
    return ek_spool_replay(it->balancing->journal_parts.spool, store, it->epoch, err) &&
           ek_store_open_moves(store, &it->open, &it->open_count, err) &&
           ek_store_blocking_moves(store, &it->blocking, &it->blocking_count, err) &&
           ek_store_get_engine_state(store, &it->engine_state, err) &&
           ek_store_get_memory(store, &it->memory, err);
}

/* Who cannot read what is there (a record that a newer version wrote) cannot lead, however often it
 * asks: another balancer that waits may be able to. Redis that is away is no such reason, and the
 * lease lapses by itself. */
static void give_back(struct ek_store *store, const struct lease_job *it,
                      const struct ek_error *why)
{
    struct ek_error unheard = {0};

    if (why->code != EK_ERR_UNAVAILABLE && why->code != EK_ERR_TIMEOUT) {
        (void)ek_store_release(store, it->balancing->owner, &unheard);
    }
}

static bool lease_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct lease_job *it = (struct lease_job *)job;
    struct ek_balancing *balancing = it->balancing;

    if (!ek_store_lease(store, balancing->owner, balancing->daemon->config.lease_ms, &it->held,
                        &it->epoch, it->holder, sizeof(it->holder), err)) {
        return false;
    }
    if (!it->held || (!it->first && it->epoch == it->before) || read_what_is_left(store, it, err)) {
        return true;
    }
    give_back(store, it, err);
    return false;
}

/* Domains that rested before the restart rest on, what was paused stays so. */
static void restore_rests(struct ek_balancing *balancing, const char *json)
{
    struct ek_kept kept;
    struct ek_error err = {0};

    if (json == NULL) {
        return;
    }
    if (!ek_codec_read_rests(&kept, json, strlen(json), "engine", &err)) {
        /* Perhaps an operator had stopped everything: only he may let it go on. */
        ek_engine_take_up_nothing(balancing->engine, err.message);
        ek_log(EK_LOG_WARNING,
               "cooldowns, circuits and pauses of before are lost, so that nothing starts until "
               "`evenkeel resume`: %s",
               err.message);
        return;
    }
    if (!ek_engine_take_up(balancing->engine, &kept, &err)) {
        ek_log(EK_LOG_WARNING, "some cooldowns of before are lost: %s", err.message);
    }
    if (kept.pause.why[0] != '\0') {
        ek_log(EK_LOG_WARNING, "still paused until `evenkeel resume`: %s", kept.pause.why);
    }
    ek_kept_finish(&kept);
}

struct rests_job {
    struct ek_store_job job;
    int64_t epoch;
    char *json;
};

static bool rests_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct rests_job *it = (const struct rests_job *)job;

    return ek_store_put_engine_state(store, it->json, it->epoch, err);
}

static void rests_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct rests_job *it = (struct rests_job *)job;

    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "cooldowns were not written: %s", err->message);
    }
    free(it->json);
    free(it);
}

void ek_balancing_keep_rests(struct ek_balancing *balancing)
{
    struct rests_job *job = calloc(1, sizeof(*job));
    struct ek_kept kept;
    struct ek_error err = {0};

    if (job != NULL && ek_engine_keep(balancing->engine, &kept, &err)) {
        job->job.work = rests_work;
        job->job.done = rests_done;
        job->epoch = balancing->epoch;
        job->json = ek_codec_write_rests(&kept);
        ek_kept_finish(&kept);
    }
    if (job != NULL &&
        (job->json == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0))) {
        free(job->json);
        free(job);
    }
}

/* Everything that an earlier run left open is taken over before anything new begins. */
static void adopt(struct ek_balancing *balancing, const struct lease_job *job)
{
    for (size_t i = 0; i < job->blocking_count; i++) {
        const struct ek_move_order *order = &job->blocking[i].order;
        const char *name = ek_move_domain(order);
        ek_log(EK_LOG_WARNING,
               "%s is left alone: its move %s from %s to %s ended as %s: %s; `evenkeel resolve %s` "
               "shows what may be done",
               name, order->id, order->source,
               ek_move_stops(order->kind) ? "nowhere" : order->destination,
               ek_move_state_name(job->blocking[i].state), job->blocking[i].error, name);
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_BLOCK,
                                                        .now_ms = ek_clock_now_ms(),
                                                        .u.block = job->blocking[i].order.domain});
    }
    for (size_t i = 0; i < job->open_count; i++) {
        struct ek_error err = {0};
        const struct ek_move_record *record = &job->open[i];
        /* This process's own: it runs, or has ended since the record was read. Under an epoch that
         * is new to it, it is one that was spooled. */
        if (record->epoch == job->epoch && record->epoch == job->before) {
            continue;
        }
        const struct ek_move_record recalled = ek_journal_recalled(record);
        if (!ek_executor_adopt(balancing->executor, &recalled, job->epoch, &err)) {
            /* Nobody watches it now: at least its domain is left alone. */
            ek_log(EK_LOG_ERROR, "move %s is not adopted: %s", record->order.id, err.message);
            ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_BLOCK,
                                                            .now_ms = ek_clock_now_ms(),
                                                            .u.block = record->order.domain});
            continue;
        }
        ek_log(EK_LOG_INFO, "move %s of %s is adopted; it was %s", record->order.id,
               record->order.name, ek_move_state_name(record->state));
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_ADOPT,
                                                        .now_ms = ek_clock_now_ms(),
                                                        .u.adopt = &record->order});
    }
}

/* What was known before another balancer led is not to be relied on. */
static bool forget(struct ek_balancing *balancing)
{
    struct ek_engine *fresh = ek_engine_create();

    if (fresh == NULL) {
        balancing->leading = false;
        ek_log(EK_LOG_ERROR, "out of memory: this balancer does not lead yet");
        return false;
    }
    ek_executor_forget(balancing->executor);
    ek_engine_destroy(balancing->engine);
    balancing->engine = fresh;
    ek_balancing_forget_plans(balancing);
    ek_balancing_reload(balancing);
    return true;
}

struct sweep_job {
    struct ek_store_job job;
    const struct ek_config *config;
};

static bool sweep_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct ek_config *config = ((struct sweep_job *)job)->config;
    bool done = true;

    for (size_t h = 0; done && h < config->host_count; h++) {
        done = ek_store_delete_maintenance_status(store, config->hosts[h].name, err);
    }
    /* A host that left evenkeel.yaml may come back. */
    return done && ek_store_sweep_maintenance_statuses(store, err);
}

static void sweep_done(struct ek_store_job *job, const struct ek_error *err)
{
    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "old words on hosts in maintenance are left: %s", err->message);
    }
    free(job);
}

/* What was said of hosts in maintenance before this balancer led may hold no longer: a host that is
 * in use again must not be called empty. Those in maintenance are spoken of with the next cycle. */
static void sweep_statuses(struct ek_balancing *balancing)
{
    struct sweep_job *job = calloc(1, sizeof(*job));

    ek_balancing_show_anew(balancing);
    if (job == NULL) {
        return;
    }
    job->job.work = sweep_work;
    job->job.done = sweep_done;
    job->config = &balancing->daemon->config;
    if (!ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job);
    }
}

static void lead(struct ek_balancing *balancing, const struct lease_job *job)
{
    if (balancing->leading && balancing->epoch == job->epoch) {
        return;
    }
    /* The same epoch again: nobody led meanwhile, and this engine knows more than what it could
     * write. */
    bool anew = balancing->epoch != job->epoch;
    if (balancing->epoch != 0 && anew && !forget(balancing)) {
        return;
    }
    balancing->epoch = job->epoch;
    balancing->leading = true;
    balancing->away = false;
    ek_log(EK_LOG_INFO, "this balancer leads, epoch %lld", (long long)job->epoch);
    sweep_statuses(balancing);
    if (anew) {
        restore_rests(balancing, job->engine_state);
        ek_balancing_restore_memory(balancing, job->memory);
    } else {
        ek_balancing_keep_rests(balancing);
    }
    adopt(balancing, job);
    ek_balancing_step(balancing,
                      &(struct ek_event){.kind = EK_EVENT_RELEASE, .now_ms = ek_clock_now_ms()});
    ek_balancing_cycle(balancing);
    ek_balancing_take_commands(balancing);
}

static bool renew_work(struct ek_store *store, void *context)
{
    const struct ek_balancing *balancing = context;
    struct ek_error err = {0};
    bool held = false;

    return !ek_store_renew(store, balancing->owner, balancing->daemon->config.lease_ms, &held,
                           &err) ||
           held;
}

/* Who makes a long plan must not lose the lease over it: its first record would be fenced. */
static void renew_meanwhile(struct ek_balancing *balancing)
{
    ek_store_thread_chore(balancing->daemon->store,
                          &(struct ek_store_chore){
                              .work = renew_work,
                              .context = balancing,
                              .period_ms = balancing->daemon->config.lease_ms / 2,
                              .times = RENEWALS_MEANWHILE,
                          });
}

static void lease_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct lease_job *it = (struct lease_job *)job;
    struct ek_balancing *balancing = it->balancing;
    char why[EK_TEXT_SIZE];

    balancing->leasing = false;
    if (err != NULL) {
        (void)snprintf(why, sizeof(why), "Redis: %s", err->message);
        ek_balancing_lose_redis(balancing, why);
    } else if (!it->held) {
        (void)snprintf(why, sizeof(why), "another balancer leads: %s", it->holder);
        ek_balancing_follow(balancing, why);
    } else if (!balancing->daemon->stopping) {
        renew_meanwhile(balancing);
        lead(balancing, it);
    }
    if (!balancing->leading) { /* else its status in Redis comes first */
        ek_service_ready(balancing->daemon);
    }
    free(it->open);
    free(it->blocking);
    free(it->engine_state);
    free(it->memory);
    free(it);
}

void ek_balancing_renew(struct ek_balancing *balancing)
{
    struct lease_job *job = balancing->leasing ? NULL : calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = lease_work;
    job->job.done = lease_done;
    job->balancing = balancing;
    job->first = !balancing->leading;
    job->before = balancing->epoch;
    balancing->leasing = ek_store_thread_submit(balancing->daemon->store, &job->job, 0);
    if (!balancing->leasing) {
        free(job);
    }
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

void ek_balancing_release(struct ek_balancing *balancing)
{
    struct release_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    ek_store_thread_chore(balancing->daemon->store, NULL);
    job->job.work = release_work;
    job->job.done = release_done;
    (void)snprintf(job->owner, sizeof(job->owner), "%s", balancing->owner);
    if (!ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job);
    }
}

void ek_balancing_follow(struct ek_balancing *balancing, const char *why)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    ek_store_thread_chore(balancing->daemon->store, NULL);
    balancing->leading = false;
    balancing->away = false;
    if (view.holding == NULL || strcmp(view.holding, why) != 0) {
        ek_balancing_hold(balancing, why);
    }
}

/* Each request fails in words of its own: the first ones stand, else they would take turns. */
void ek_balancing_lose_redis(struct ek_balancing *balancing, const char *why)
{
    bool said = balancing->away;

    balancing->leading = false;
    balancing->away = true;
    if (!said) {
        ek_balancing_hold(balancing, why);
    }
}
