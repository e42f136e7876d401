/* The collector role: the pool reads hosts, samples go to the store. */
#include "balancer/codec/candidates.h"
#include "balancer/codec/unsampled.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/keeping.h"
#include "balancer/daemon/log.h"
#include "collector/libvirt/libvirt.h"
#include "collector/pool/pool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Samples that may wait for the store: these, or one of each host if that is more; while Redis is
 * away newer ones are dropped, TTLs tell the rest. */
enum { LEAST_WAITING = 64, WAIT_MS = 2000, BACKOFF_PERIODS = 4 };

/* Clocks that differ by more are told of: no two that NTP keeps do, not even at boot. */
enum { CLOCKS_MS = 3600000 };

/* Another collector's period may be longer than ours by that much, and it is still said once. */
enum { CONTESTED_SAMPLES = 60 };

/* What came of a host's newest reading. */
enum reading { READING_NONE_YET, READING_SAMPLE, READING_ERROR };

/* Whose a host is. */
struct claim {
    bool ours;     /* this collector has written a sample of it */
    int contested; /* so many more samples without another's mark, and it is ours alone */
};

struct ek_collecting {
    struct ek_daemon *daemon;
    struct ek_pool *pool;
    struct ek_collector *collector; /* the pool's */
    struct ek_keeping *keeping;     /* the store thread's */
    size_t most_waiting;            /* samples, for the store */
    int64_t asked_ms; /* when the store was last asked whom to measure; the store thread's */
    bool dropping;    /* nor as far as its queue; pool callbacks never overlap */
    bool losing;      /* samples do not reach the store; the loop's */
    bool forgetting;  /* nor the history; the loop's */
    char noted[sizeof(((struct ek_error *)NULL)->message)]; /* last, of the history; the loop's */
    bool clocks_differ;     /* ours and Redis's, and it was said; the loop's */
    enum reading *readings; /* per host; pool callbacks never overlap */
    atomic_size_t sampled;  /* so many of them are samples */
    struct claim *claims;   /* per host; the loop's */
    int64_t *hastened_ms;   /* per host, when a sample out of turn was asked for; 0: none is; the
                               loop's */
};

struct sample_job {
    struct ek_store_job job;
    struct ek_collecting *collecting;
    size_t host;
    bool keep;                   /* it was due in the history, too */
    bool recovers;               /* why it was not sampled before is told no longer */
    char other[EK_SAMPLER_SIZE]; /* the collector whose mark stood there; "": ours, or none */
    struct ek_history_added added;
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

/* Only what is there counts as kept: else a full queue or a lost write would cost an interval. */
static void keep_sample(struct ek_store *store, struct sample_job *it)
{
    struct ek_keeping *keeping = it->collecting->keeping;

    it->keep = ek_keeping_due(keeping, it->host, it->sample.taken_at_ms);
    if (it->keep && ek_store_add_history(store, &it->sample, ek_keeping_limits(keeping), &it->added,
                                         &it->not_kept)) {
        it->not_kept.code = EK_ERR_NONE;
    }
    if (it->added.kept) {
        ek_keeping_kept(keeping, it->host, it->sample.taken_at_ms);
    }
}

/* A history that cannot be written makes no sample a lost one. */
static bool sample_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct sample_job *it = (struct sample_job *)job;

    struct ek_error unsigned_yet = {0};

    if (!ek_store_put_sample(store, &it->sample, err)) {
        return false;
    }
    if (it->recovers) {
        (void)ek_store_delete_unsampled(store, it->sample.host.name, &unsigned_yet);
    }
    /* The sample is there; who else writes such is found out with the next one. */
    (void)ek_store_sign_sample(store, it->sample.host.name, it->sample.collector, it->other,
                               &unsigned_yet);
    ask_candidates(it->collecting, store);
    keep_sample(store, it);
    return true;
}

static void tell_kept(const struct sample_job *it)
{
    bool failed = it->not_kept.code != EK_ERR_NONE;

    if (failed) {
        ek_log(it->collecting->forgetting ? EK_LOG_DEBUG : EK_LOG_WARNING,
               "the history of %s is not complete: %s", it->sample.host.name, it->not_kept.message);
    } else if (it->collecting->forgetting) {
        ek_log(EK_LOG_INFO, "samples are kept again");
    }
    it->collecting->forgetting = failed;
}

/* What cannot be read is met again with each fold: said when it is another than the last. */
static void tell_noted(const struct sample_job *it)
{
    const struct ek_error *noted = &it->added.noted;
    struct ek_collecting *collecting = it->collecting;

    if (noted->code != EK_ERR_NONE && it->not_kept.code == EK_ERR_NONE) {
        bool known = strcmp(noted->message, collecting->noted) == 0;
        ek_log(known ? EK_LOG_DEBUG : EK_LOG_WARNING,
               "in the history of %s one thing cannot be read, the rest goes on: %s",
               it->sample.host.name, noted->message);
        (void)snprintf(collecting->noted, sizeof(collecting->noted), "%s", noted->message);
    }
}

static void print_time(char *out, size_t size, int64_t time_ms)
{
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        (void)snprintf(out, size, "%lld ms", (long long)time_ms);
    }
}

/* Samples are kept all the same, by their own times; but who reads them is misled. */
static void tell_clocks(const struct sample_job *it)
{
    struct ek_collecting *collecting = it->collecting;
    const int64_t ahead_ms = it->sample.taken_at_ms - it->added.server_ms;
    const bool differ = ahead_ms > CLOCKS_MS || ahead_ms < -CLOCKS_MS;
    char ours[40];
    char redis[40];

    if (differ && !collecting->clocks_differ) {
        print_time(ours, sizeof(ours), it->sample.taken_at_ms);
        print_time(redis, sizeof(redis), it->added.server_ms);
        ek_log(EK_LOG_ERROR,
               "this collector's clock says %s and Redis's %s: samples are kept by the former, "
               "until one of the two is set",
               ours, redis);
    } else if (!differ && collecting->clocks_differ) {
        ek_log(EK_LOG_INFO, "this collector's clock and Redis's agree again");
    }
    collecting->clocks_differ = differ;
}

/* Another's mark in the place of ours: both sample it, by turns. One that was there before our
 * first is of a collector that ended, mostly ourselves before a restart. */
static void tell_claim(const struct sample_job *it)
{
    struct claim *claim = &it->collecting->claims[it->host];
    bool contested = claim->ours && it->other[0] != '\0';

    if (contested && claim->contested == 0) {
        ek_log(EK_LOG_ERROR,
               "host %s is in the lists of two collectors, of this one (%s) and of %s: take it out "
               "of one of the two",
               it->sample.host.name, it->sample.collector, it->other);
    }
    claim->ours = true;
    if (contested) {
        claim->contested = CONTESTED_SAMPLES;
    } else if (claim->contested > 0) {
        claim->contested--;
    }
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
        tell_claim(it);
        tell_hastened(it->collecting, it->host, it->sample.taken_at_ms);
    }
    if (err == NULL && it->keep) {
        tell_kept(it);
        tell_noted(it);
    }
    if (err == NULL && it->added.kept) {
        tell_clocks(it);
    }
    ek_sample_finish(&it->sample);
    free(it);
}

static void log_change(struct ek_collecting *collecting, size_t host, const struct ek_error *err)
{
    const struct ek_config_host *it = &collecting->daemon->config.hosts[host];
    enum reading *reading = &collecting->readings[host];

    if (err != NULL && *reading != READING_ERROR) {
        ek_log(EK_LOG_WARNING, "host %s is not sampled: %s", it->name, err->message);
    } else if (err == NULL && *reading == READING_ERROR) {
        ek_log(EK_LOG_INFO, "host %s is sampled again", it->name);
    }
    if (err != NULL && *reading == READING_SAMPLE) {
        (void)atomic_fetch_sub(&collecting->sampled, 1);
    } else if (err == NULL && *reading != READING_SAMPLE) {
        (void)atomic_fetch_add(&collecting->sampled, 1);
    }
    *reading = err != NULL ? READING_ERROR : READING_SAMPLE;
}

struct unsampled_job {
    struct ek_store_job job;
    const char *host; /* the configuration's */
    char *json;
};

static bool unsampled_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct unsampled_job *it = (const struct unsampled_job *)job;

    return ek_store_put_unsampled(store, it->host, it->json, err);
}

/* That Redis is away is said by the samples that do not reach it. */
static void unsampled_done(struct ek_store_job *job, const struct ek_error *err)
{
    (void)err;
    free(((struct unsampled_job *)job)->json);
    free(job);
}

/* Whoever asks why a host is down is told without a look at this process's log. */
static void tell_why(struct ek_collecting *collecting, size_t host, const struct ek_error *err)
{
    struct ek_unsampled unsampled = {.at_ms = ek_clock_now_ms()};
    struct unsampled_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    (void)snprintf(unsampled.collector, sizeof(unsampled.collector), "%s",
                   collecting->daemon->identity);
    (void)snprintf(unsampled.error, sizeof(unsampled.error), "%s", err->message);
    job->job.work = unsampled_work;
    job->job.done = unsampled_done;
    job->host = collecting->daemon->config.hosts[host].name;
    job->json = ek_codec_write_unsampled(&unsampled);
    if (job->json == NULL ||
        !ek_store_thread_submit(collecting->daemon->store, &job->job, collecting->most_waiting)) {
        free(job->json);
        free(job);
    }
}

static void on_result(void *context, size_t host, struct ek_sample *sample,
                      const struct ek_error *err)
{
    struct ek_collecting *collecting = context;

    bool recovers = collecting->readings[host] != READING_SAMPLE;
    log_change(collecting, host, err);
    if (sample == NULL) {
        tell_why(collecting, host, err);
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
    job->recovers = recovers;
    job->sample = *sample;
    memset(sample, 0, sizeof(*sample));
    bool taken =
        ek_store_thread_submit(collecting->daemon->store, &job->job, collecting->most_waiting);
    if (!taken && !collecting->dropping) { /* said once: whose sample it is, is chance */
        ek_log(EK_LOG_WARNING, "the sample of %s is dropped: more than %zu wait for Redis",
               job->sample.host.name, collecting->most_waiting);
    }
    collecting->dropping = !taken;
    if (!taken) {
        ek_sample_finish(&job->sample);
        free(job);
    }
}

/* The newest sample of the host stands; it ages when nothing follows it. */
static void on_warning(void *context, const struct ek_error *err)
{
    (void)context;
    ek_log(EK_LOG_WARNING, "%s", err->message);
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
        .seed = (uint64_t)ek_clock_now_ms(),
        .result = on_result,
        .warn = on_warning,
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
    enum reading *readings = calloc(daemon->config.host_count, sizeof(*readings));
    int64_t *hastened_ms = calloc(daemon->config.host_count, sizeof(*hastened_ms));
    struct claim *claims = calloc(daemon->config.host_count, sizeof(*claims));
    struct ek_keeping *keeping = ek_keeping_create(&daemon->config);
    struct ek_collector *collector = open_collector(&daemon->config, err);

    if (collecting == NULL || readings == NULL || hastened_ms == NULL || claims == NULL ||
        keeping == NULL || collector == NULL) {
        ek_collector_destroy(collector);
        ek_keeping_destroy(keeping);
        free(claims);
        free(hastened_ms);
        free(readings);
        free(collecting);
        return NULL;
    }
    collecting->daemon = daemon;
    collecting->readings = readings;
    collecting->hastened_ms = hastened_ms;
    collecting->claims = claims;
    collecting->collector = collector;
    collecting->keeping = keeping;
    collecting->most_waiting =
        daemon->config.host_count > LEAST_WAITING ? daemon->config.host_count : LEAST_WAITING;
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

size_t ek_collecting_sampled(const struct ek_collecting *collecting)
{
    return atomic_load(&collecting->sampled);
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
    free(collecting->claims);
    free(collecting->hastened_ms);
    free(collecting->readings);
    free(collecting);
}
