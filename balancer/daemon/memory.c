/* What the engine has learned of domains goes to the store in each cycle and comes back at a start,
 * so that a daemon that was restarted expects what it expected before. */
#include "balancer/codec/memory.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

struct memory_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    int64_t epoch;
    struct ek_engine_memory memory;
};

static bool memory_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct memory_job *it = (const struct memory_job *)job;
    /* Here and not in the loop: some 5 us for each domain. */
    char *json = ek_codec_write_memory(&it->memory);
    bool ok = json != NULL ? ek_store_put_memory(store, json, it->epoch, err)
                           : ek_error_set(err, EK_ERR_NOMEM, "out of memory for them");

    free(json);
    return ok;
}

static void memory_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct memory_job *it = (struct memory_job *)job;

    it->balancing->remembering = false;
    /* The next cycle writes all of it again. */
    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "forecasts were not written: %s", err->message);
    }
    ek_engine_memory_finish(&it->memory);
    free(it);
}

void ek_balancing_keep_memory(struct ek_balancing *balancing)
{
    /* A store that is slower than the cycles gets every second memory rather than a queue of
     * them. */
    struct memory_job *job = balancing->remembering ? NULL : calloc(1, sizeof(*job));
    struct ek_error err = {0};

    if (job == NULL) {
        return;
    }
    job->job.work = memory_work;
    job->job.done = memory_done;
    job->balancing = balancing;
    job->epoch = balancing->epoch;
    balancing->remembering = ek_engine_remember(balancing->engine, &job->memory, &err) &&
                             ek_store_thread_submit(balancing->daemon->store, &job->job, 0);
    if (!balancing->remembering) {
        ek_engine_memory_finish(&job->memory);
        free(job);
    }
}

void ek_balancing_restore_memory(struct ek_balancing *balancing, const char *json)
{
    struct ek_engine_memory memory;
    struct ek_error err = {0};

    if (json == NULL) {
        return;
    }
    if (!ek_codec_read_memory(&memory, json, strlen(json), "memory", &err)) {
        ek_log(EK_LOG_WARNING, "forecasts of before are lost: %s", err.message);
        return;
    }
    if (!ek_engine_recall(balancing->engine, &memory, &err)) {
        ek_log(EK_LOG_WARNING, "some forecasts of before are lost: %s", err.message);
    }
    ek_engine_memory_finish(&memory);
}
