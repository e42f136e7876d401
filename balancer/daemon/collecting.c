/* The collector role: the pool reads hosts, samples go to the store. */
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/log.h"
#include "collector/libvirt.h"
#include "collector/pool.h"

#include <stdlib.h>
#include <string.h>

/* Samples that may wait for the store; while Redis is away newer ones are dropped, TTLs tell the rest. */
enum { SAMPLE_LIMIT = 64, WAIT_MS = 2000 };

struct ek_collecting {
    struct ek_daemon *daemon;
    struct ek_pool *pool;
    bool *failing; /* per host, so that each change is logged once; pool callbacks never overlap */
};

struct sample_job {
    struct ek_store_job job;
    struct ek_sample sample;
};

static bool sample_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    return ek_store_put_sample(store, &((struct sample_job *)job)->sample, err);
}

static void sample_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct sample_job *it = (struct sample_job *)job;

    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "the sample of %s is lost: %s", it->sample.host.name, err->message);
    }
    ek_sample_finish(&it->sample);
    free(it);
}

static void log_change(struct ek_collecting *collecting, size_t host, const struct ek_error *err)
{
    const struct ek_config_host *it = &collecting->daemon->config.hosts[host];

    if (err != NULL && !collecting->failing[host]) {
        ek_log(EK_LOG_WARNING, "host %s is not sampled: %s", it->name, err->message);
    } else if (err == NULL && collecting->failing[host]) {
        ek_log(EK_LOG_INFO, "host %s is sampled again", it->name);
    }
    collecting->failing[host] = err != NULL;
}

static void on_result(void *context, size_t host, struct ek_sample *sample,
                      const struct ek_error *err)
{
    struct ek_collecting *collecting = context;

    log_change(collecting, host, err);
    if (sample == NULL) {
        return;
    }
    struct sample_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return;
    }
    job->job.work = sample_work;
    job->job.done = sample_done;
    job->sample = *sample;
    memset(sample, 0, sizeof(*sample));
    if (!ek_store_thread_submit(collecting->daemon->store, &job->job, SAMPLE_LIMIT)) {
        ek_sample_finish(&job->sample);
        free(job);
    }
}

struct ek_collecting *ek_collecting_start(struct ek_daemon *daemon, struct ek_error *err)
{
    const struct ek_config *config = &daemon->config;
    struct ek_collecting *collecting = calloc(1, sizeof(*collecting));

    if (collecting == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the collector");
        return NULL;
    }
    collecting->daemon = daemon;
    return collecting;
}
