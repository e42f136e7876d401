/* The worker pool's memory, locks and first timetable. */
#include "collector/pool/pool_parts.h"

#include "collector/clock.h"

#include <stdlib.h>

static bool config_check(const struct ek_pool_config *config, struct ek_error *err)
{
    if (config->host_count == 0 || config->period_ms <= 0 || config->deadline_ms <= 0 ||
        config->max_workers == 0) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "found %zu hosts, a period of %lld ms, a deadline of %lld ms and %u "
                            "workers, expected more than none of each",
                            config->host_count, (long long)config->period_ms,
                            (long long)config->deadline_ms, config->max_workers);
    }
    return true;
}

/* Threads outlive the caller's configuration, hung ones even the pool's owner. */
static bool config_copy(struct ek_pool *pool, const struct ek_pool_config *config)
{
    const char **names = ek_arena_alloc(&pool->arena, config->host_count, sizeof(*names));

    pool->config = *config;
    pool->config.hosts = names;
    pool->config.collector = ek_arena_strdup(&pool->arena, config->collector);
    pool->hosts = calloc(config->host_count, sizeof(*pool->hosts));
    pool->next_queued = calloc(config->host_count, sizeof(*pool->next_queued));
    if (names == NULL || pool->config.collector == NULL || pool->hosts == NULL ||
        pool->next_queued == NULL) {
        return false;
    }
    ek_places_init(&pool->places, pool->next_queued, config->max_workers);
    for (size_t i = 0; i < config->host_count; i++) {
        names[i] = ek_arena_strdup(&pool->arena, config->hosts[i]);
        if (names[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void memory_free(struct ek_pool *pool)
{
    ek_arena_finish(&pool->arena);
    free(pool->next_queued);
    free(pool->hosts);
    free(pool);
}

static void hosts_init(struct ek_pool *pool)
{
    const struct ek_pool_config *config = &pool->config;

    pool->table = (struct ek_timetable){.start_ns = ek_monotonic_ns(),
                                        .period_ns = config->period_ms * EK_NS_PER_MS,
                                        .backoff_max_ns = config->backoff_max_ms * EK_NS_PER_MS,
                                        .host_count = config->host_count};
    pool->patience_ns = ek_timetable_patience(&pool->table, config->max_workers);
    if (pool->patience_ns > config->deadline_ms * EK_NS_PER_MS) {
        pool->patience_ns = config->deadline_ms * EK_NS_PER_MS;
    }
    /* A host that refuses is never asked more often than one that answers. */
    if (pool->table.backoff_max_ns < pool->table.period_ns) {
        pool->table.backoff_max_ns = pool->table.period_ns;
    }
    for (size_t i = 0; i < config->host_count; i++) {
        struct ek_pool_host *host = &pool->hosts[i];
        host->due_ns = ek_timetable_next(&pool->table, i, pool->table.start_ns);
        host->lot = config->seed + i;
        ek_hints_init(&host->hints);
        ek_sampler_init(&host->sampler, config->hosts[i], config->collector, config->period_ms);
    }
}

/* CLOCK_MONOTONIC for both: with the default a step of the wall clock would let all waits end at
 * once, or none. */
static void locks_init(struct ek_pool *pool)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->changed, &monotonic);
    (void)pthread_cond_init(&pool->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_mutex_init(&pool->reporting, NULL);
}

struct ek_pool *ek_pool_parts_create(const struct ek_pool_config *config, struct ek_error *err)
{
    if (!config_check(config, err)) {
        return NULL;
    }
    struct ek_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL || !config_copy(pool, config)) {
        if (pool != NULL) {
            memory_free(pool);
        }
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a pool of %zu hosts",
                           config->host_count);
        return NULL;
    }
    hosts_init(pool);
    locks_init(pool);
    return pool;
}

void ek_pool_parts_destroy(struct ek_pool *pool)
{
    for (size_t i = 0; i < pool->config.host_count; i++) {
        ek_sampler_finish(&pool->hosts[i].sampler);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_mutex_destroy(&pool->reporting);
    memory_free(pool);
}
