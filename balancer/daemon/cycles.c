/* The stream `cycles`: what came of each cycle and why, for `evenkeel why --cycle`. */
#include "balancer/codec/cycle.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>

struct cycle_job {
    struct ek_store_job job;
    int64_t epoch;
    char *json;
};

static bool cycle_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct cycle_job *it = (const struct cycle_job *)job;

    return ek_store_add_cycle(store, it->json, it->epoch, err);
}

/* An account that is lost leads to nothing: what was decided is recorded by itself. */
static void cycle_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct cycle_job *it = (struct cycle_job *)job;

    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "the cycle was not recorded: %s", err->message);
    }
    free(it->json);
    free(it);
}

void ek_balancing_keep_cycle(struct ek_balancing *balancing)
{
    const struct ek_cycle *cycle = ek_engine_cycle(balancing->engine);
    struct cycle_job *job = cycle == NULL ? NULL : calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = cycle_work;
    job->job.done = cycle_done;
    job->epoch = balancing->epoch;
    job->json = ek_codec_write_cycle(cycle, balancing->cycles);
    if (job->json == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job->json);
        free(job);
    }
}
