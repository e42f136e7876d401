/* The key `candidates`: with each cycle the balancer says from which hosts it would move domains,
 * so that collectors, wherever they run, measure there what is costly to measure. */
#include "balancer/codec/candidates.h"
#include "balancer/core/engine/giver.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>

/* As long as a balancer that is killed is believed. */
enum { TTL_CYCLES = 4 };

struct candidates_job {
    struct ek_store_job job;
    int64_t ttl_ms;
    char *json;
};

static bool candidates_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct candidates_job *it = (const struct candidates_job *)job;

    return ek_store_put_candidates(store, it->json, it->ttl_ms, err);
}

static void candidates_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct candidates_job *it = (struct candidates_job *)job;

    /* The next cycle says it again. */
    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "the hosts to measure were not written: %s", err->message);
    }
    free(it->json);
    free(it);
}

/* NULL: out of memory, or nothing to say. */
static char *candidates_json(const struct ek_snapshot *snapshot, const struct ek_policy *policy)
{
    struct ek_arena scratch = {0};
    struct ek_error err = {0};
    bool *givers = ek_arena_alloc(&scratch, snapshot->host_count, sizeof(*givers));
    const char **names = ek_arena_alloc(&scratch, snapshot->host_count, sizeof(*names));
    size_t count = 0;
    char *json = NULL;

    if (givers != NULL && names != NULL && ek_givers(snapshot, policy, givers, &err)) {
        for (size_t h = 0; h < snapshot->host_count; h++) {
            if (givers[h]) {
                names[count++] = snapshot->hosts[h].name;
            }
        }
        json = ek_codec_write_candidates(
            &(struct ek_strings){.items = names, .count = count, .given = true});
    }
    ek_arena_finish(&scratch);
    return json;
}

void ek_balancing_put_candidates(struct ek_balancing *balancing)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);
    struct candidates_job *job = view.snapshot == NULL ? NULL : calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = candidates_work;
    job->job.done = candidates_done;
    job->ttl_ms = TTL_CYCLES * balancing->daemon->config.evaluate_ms;
    job->json = candidates_json(view.snapshot, &balancing->daemon->policy);
    if (job->json == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job->json);
        free(job);
    }
}
