/* The collector role: the pool reads hosts, samples go to the store. */
#include "balancer/codec/candidates.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/keeping.h"
#include "balancer/daemon/log.h"
#include "collector/libvirt.h"
#include "collector/pool.h"

#include <stdlib.h>
#include <string.h>

/* Samples that may wait for the store; while Redis is away newer ones are dropped, TTLs tell the
 * rest. */
enum { SAMPLE_LIMIT = 64, WAIT_MS = 2000, BACKOFF_PERIODS = 4 };

struct ek_collecting {
    struct ek_daemon *daemon;
    struct ek_pool *pool;
    struct ek_collector *collector; /* the pool's */
    struct ek_keeping *keeping;     /* pool callbacks never overlap */
    int64_t asked_ms; /* when the store was last asked whom to measure; the store thread's */
    bool losing;      /* samples do not reach the store; the loop's */
    bool forgetting;  /* nor the history; the loop's */
    bool *failing; /* per host, so that each change is logged once; pool callbacks never overlap */
    int64_t *hastened_ms; /* per host, when a sample out of turn was asked for; 0: none is; the
                             loop's */
};

struct sample_job {
    struct ek_store_job job;
    struct ek_collecting *collecting;
    size_t host;
    bool keep; /* in the history, too */
    struct ek_error not_kept;
    struct ek_sample sample;
};

static bool is_in(const struct ek_strings *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Once per period, with whichever sample is written then. Without the key, or where it cannot be
 * read, nobody is measured: it is known only later what a move costs. */
static void ask_candidates(struct ek_collecting *collecting, struct ek_store *store)
{
    const struct ek_config *config = &collecting->daemon->config;
    struct ek_strings names = {.count = 0};
    struct ek_arena arena = {0};
    struct ek_error err = {0};
    char *json = NULL;
    int64_t now_ms = ek_clock_steady_ms();

    if (config->dirty_rate_ms == 0 || now_ms - collecting->asked_ms < config->sample_ms) {
        return;
    }
    collecting->asked_ms = now_ms;
    if (!ek_store_get_candidates(store, &json, &err) ||
        (json != NULL &&
         !ek_codec_read_candidates(&names, &arena, json, strlen(json), "candidates", &err))) {
        ek_log(EK_LOG_DEBUG, "no dirty rates are measured: %s", err.message);
        names.count = 0;
    }
    for (size_t h = 0; h < config->host_count; h++) {
        ek_collector_measure(collecting->collector, h, is_in(&names, config->hosts[h].name));
    }
    free(json);
    ek_arena_finish(&arena);
}

/* A history that cannot be written makes no sample a lost one. */
static bool sample_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct sample_job *it = (struct sample_job *)job;

    if (!ek_store_put_sample(store, &it->sample, err)) {
        return false;
    }
    ask_candidates(it->collecting, store);
    if (it->keep) {
        (void)ek_store_add_history(store, &it->sample, ek_keeping_limits(it->collecting->keeping),
                                   &it->not_kept);
    }
    return true;
}

static void tell_kept(const struct sample_job *it)
{
    bool failed = it->not_kept.code != EK_ERR_NONE;

    if (failed) {
        ek_log(it->collecting->forgetting ? EK_LOG_DEBUG : EK_LOG_WARNING,
               "a sample of %s is not in its history: %s", it->sample.host.name,
               it->not_kept.message);
    } else if (it->collecting->forgetting) {
        ek_log(EK_LOG_INFO, "samples are kept again");
    }
    it->collecting->forgetting = failed;
}

/* One that was taken before it was asked for is not what is waited for. */
static void tell_hastened(struct ek_collecting *collecting, size_t host, int64_t taken_at_ms)
{
    int64_t hastened_ms = collecting->hastened_ms[host];

    if (hastened_ms != 0 && taken_at_ms >= hastened_ms) {
        collecting->hastened_ms[host] = 0;
        ek_balancing_sampled(collecting->daemon->balancing);
    }
}

static void sample_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct sample_job *it = (struct sample_job *)job;

    if (err != NULL) { /* said once: all hosts' samples go the same way */
        ek_log(it->collecting->losing ? EK_LOG_DEBUG : EK_LOG_WARNING,
               "the sample of %s is lost: %s", it->sample.host.name, err->message);
    } else if (it->collecting->losing) {
        ek_log(EK_LOG_INFO, "samples are stored again");
    }
    it->collecting->losing = err != NULL;
    if (err == NULL) {
        tell_hastened(it->collecting, it->host, it->sample.taken_at_ms);
    }
    if (err == NULL && it->keep) {
        tell_kept(it);
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
    job->collecting = collecting;
    job->host = host;
    job->keep = ek_keeping_due(collecting->keeping, host, sample->taken_at_ms);
    job->sample = *sample;
    memset(sample, 0, sizeof(*sample));
    if (!ek_store_thread_submit(collecting->daemon->store, &job->job, SAMPLE_LIMIT)) {
        ek_sample_finish(&job->sample);
        free(job);
    }
}

static struct ek_collector *open_collector(const struct ek_config *config, struct ek_error *err)
{
    struct ek_collector_host *hosts = calloc(config->host_count, sizeof(*hosts));

    if (hosts == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the collector's hosts");
        return NULL;
    }
    for (size_t h = 0; h < config->host_count; h++) {
        hosts[h] = (struct ek_collector_host){config->hosts[h].name, config->hosts[h].uri};
    }
    const struct ek_collector_config wanted = {.hosts = hosts,
                                               .host_count = config->host_count,
                                               .connect_timeout_ms =
                                                   (int)config->connect_timeout_ms,
                                               .dirty_every_ms = config->dirty_rate_ms};
    struct ek_collector *collector = ek_collector_create(&wanted, err);
    free(hosts);
    return collector;
}

static struct ek_pool *open_pool(struct ek_collecting *collecting, struct ek_collector *collector,
                                 struct ek_error *err)
{
    const struct ek_config *config = &collecting->daemon->config;
    const char **names = calloc(config->host_count, sizeof(*names));

    if (names == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the collector's hosts");
        return NULL;
    }
    for (size_t h = 0; h < config->host_count; h++) {
        names[h] = config->hosts[h].name;
    }
    const struct ek_pool_config wanted = {
        .port = ek_collector_port(collector),
        .hosts = names,
        .host_count = config->host_count,
        .collector = collecting->daemon->identity,
        .period_ms = config->sample_ms,
        .deadline_ms = config->call_timeout_ms,
        .backoff_max_ms = BACKOFF_PERIODS * config->sample_ms,
        .max_workers = (unsigned int)config->collector_workers,
        .max_hung = (unsigned int)config->collector_workers,
        .seed = (uint64_t)ek_clock_now_ms(),
        .result = on_result,
        .context = collecting,
        .release = ek_collector_destroy,
    };
    struct ek_pool *pool = ek_pool_create(&wanted, err);
    free(names);
    return pool;
}

struct ek_collecting *ek_collecting_start(struct ek_daemon *daemon, struct ek_error *err)
{
    struct ek_collecting *collecting = calloc(1, sizeof(*collecting));
    bool *failing = calloc(daemon->config.host_count, sizeof(*failing));
    int64_t *hastened_ms = calloc(daemon->config.host_count, sizeof(*hastened_ms));
    struct ek_keeping *keeping = ek_keeping_create(&daemon->config);
    struct ek_collector *collector = open_collector(&daemon->config, err);

    if (collecting == NULL || failing == NULL || hastened_ms == NULL || keeping == NULL ||
        collector == NULL) {
        ek_collector_destroy(collector);
        ek_keeping_destroy(keeping);
        free(hastened_ms);
        free(failing);
        free(collecting);
        return NULL;
    }
    collecting->daemon = daemon;
    collecting->failing = failing;
    collecting->hastened_ms = hastened_ms;
    collecting->collector = collector;
    collecting->keeping = keeping;
    collecting->pool = open_pool(collecting, collector, err);
    if (collecting->pool == NULL) {
        ek_collector_destroy(collector);
        ek_collecting_destroy(collecting);
        return NULL;
    }
    return collecting;
}

void ek_collecting_stop(struct ek_collecting *collecting)
{
    if (!ek_pool_stop(collecting->pool, WAIT_MS)) {
        ek_log(EK_LOG_DEBUG, "a read of a host still hangs; it is left");
    }
}

void ek_collecting_hasten(struct ek_collecting *collecting, const char *host)
{
    for (size_t h = 0; collecting != NULL && h < collecting->daemon->config.host_count; h++) {
        if (strcmp(collecting->daemon->config.hosts[h].name, host) == 0) {
            collecting->hastened_ms[h] = ek_clock_now_ms();
            ek_pool_hasten(collecting->pool, h);
        }
    }
}

void ek_collecting_destroy(struct ek_collecting *collecting)
{
    if (collecting == NULL) {
        return;
    }
    ek_pool_destroy(collecting->pool);
    ek_keeping_destroy(collecting->keeping);
    free(collecting->hastened_ms);
    free(collecting->failing);
    free(collecting);
}
