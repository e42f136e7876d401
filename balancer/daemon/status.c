/* What the daemon says of itself, for `evenkeel status`. */
#include "balancer/codec/status.h"

#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"
#include "balancer/daemon/service.h"

#include <stdlib.h>

/* The status outlives this many cycles before a reader takes the daemon for dead. */
enum { TTL_CYCLES = 4, MIN_TTL_MS = 15000 };

struct status_job {
    struct ek_store_job job;
    struct ek_daemon *daemon;
    int64_t ttl_ms;
    char *json;
};

static bool status_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct status_job *it = (const struct status_job *)job;

    return ek_store_put_status(store, "balancer", it->json, it->ttl_ms, err);
}

static void status_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct status_job *it = (struct status_job *)job;

    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "the status was not written: %s", err->message);
    }
    ek_service_ready(it->daemon);
    free(it->json);
    free(it);
}

static void fill(const struct ek_balancing *balancing, struct ek_balancer_status *status)
{
    struct ek_daemon *daemon = balancing->daemon;
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    *status = (struct ek_balancer_status){.leading = balancing->leading,
                                          .epoch = balancing->epoch,
                                          .at_ms = ek_clock_now_ms(),
                                          .started_at_ms = daemon->started_at_ms,
                                          .cycles = balancing->cycles,
                                          .running = (int64_t)view.running_count,
                                          .waiting = (int64_t)view.waiting_count,
                                          .offered = (int64_t)view.offered_count,
                                          .offer_lapses_at_ms = view.offer_lapses_at_ms};
    (void)snprintf(status->identity, sizeof(status->identity), "%s", daemon->identity);
    (void)snprintf(status->version, sizeof(status->version), "%s", EK_VERSION);
    (void)snprintf(status->mode, sizeof(status->mode), "%s", ek_mode_name(daemon->policy.mode));
    (void)snprintf(status->policy, sizeof(status->policy), "%s",
                   ek_policy_kind_name(daemon->policy.kind));
    (void)snprintf(status->policy_file, sizeof(status->policy_file), "%s",
                   ek_daemon_policy_notice(daemon));
    (void)snprintf(status->holding, sizeof(status->holding), "%s",
                   view.holding == NULL ? "" : view.holding);
    (void)snprintf(status->paused, sizeof(status->paused), "%s",
                   view.paused == NULL ? "" : view.paused);
    (void)snprintf(status->closed, sizeof(status->closed), "%s",
                   view.closed == NULL ? "" : view.closed);
    (void)snprintf(status->circuits, sizeof(status->circuits), "%s", view.circuits);
    (void)snprintf(status->summary, sizeof(status->summary), "%s", view.summary);
    (void)snprintf(status->plan_id, sizeof(status->plan_id), "%s", view.plan_id);
    (void)snprintf(status->offer_id, sizeof(status->offer_id), "%s", view.offer_id);
    (void)snprintf(status->redis, sizeof(status->redis), "%s", daemon->redis_address);
}

void ek_balancing_put_status(struct ek_balancing *balancing)
{
    struct ek_balancer_status status;
    struct status_job *job = NULL;

    if (!balancing->leading) {
        return; /* the one that leads speaks */
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return;
    }
    fill(balancing, &status);
    int64_t ttl_ms = TTL_CYCLES * balancing->daemon->config.evaluate_ms;
    job->job.work = status_work;
    job->job.done = status_done;
    job->daemon = balancing->daemon;
    job->ttl_ms = ttl_ms > MIN_TTL_MS ? ttl_ms : MIN_TTL_MS;
    job->json = ek_codec_write_status(&status);
    if (job->json == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job->json);
        free(job);
    }
}
