/* One cycle: samples and maintenance keys from the store -> snapshot -> engine. */
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"
#include "balancer/daemon/trash.h"

#include <stdlib.h>
#include <string.h>

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

/* An operator must look; said once, and again when it changes. */
static void warn_copies(struct ek_balancing *balancing, const struct ek_snapshot *snapshot)
{
    char text[sizeof(balancing->copies_shown)] = "";
    size_t used = 0;

    for (size_t i = 0; i < snapshot->copy_count && used < sizeof(text); i++) {
        const struct ek_domain *domain = &snapshot->domains[snapshot->copies[i].domain];
        int more = snprintf(
            text + used, sizeof(text) - used, "%s%s (%s) is reported by %s and by %s",
            i == 0 ? "" : "; ", domain->name == NULL ? "a domain" : domain->name, domain->uuid,
            snapshot->hosts[domain->host].name, snapshot->hosts[snapshot->copies[i].host].name);
        used += more > 0 ? (size_t)more : 0;
    }
    if (text[0] != '\0' && strcmp(text, balancing->copies_shown) != 0) {
        ek_log(EK_LOG_WARNING, "left alone until one host drops it: %s", text);
    }
    memcpy(balancing->copies_shown, text, sizeof(text));
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
                                            .partial = job->maintenance[h].partial,
                                            .deadline_ms = job->maintenance[h].deadline_ms,
                                            .migration_mib_s = config->hosts[h].migration_mib_s};
    }
    (void)ek_engine_known_moves(balancing->engine, moves, move_count);
    const struct ek_assembly in = {.hosts = entries,
                                   .host_count = job->count,
                                   .samples = job->samples,
                                   .sample_count = close_up(job),
                                   .moves = moves,
                                   .move_count = move_count,
                                   .now_ms = ek_clock_now_ms()};
    bool ok = ek_snapshot_assemble(snapshot, &in, err) && ek_snapshot_check(snapshot, err);
    if (ok) {
        warn_copies(balancing, snapshot);
    }
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

/* What was read cannot be made a snapshot of: nothing is decided until it can. */
static void refuse(struct ek_balancing *balancing, const char *why)
{
    struct ek_engine_view view = ek_engine_view(balancing->engine);

    balancing->refused = true;
    if (view.holding == NULL || strcmp(view.holding, why) != 0) {
        ek_balancing_hold(balancing, why);
    }
}

static void decide(struct ek_balancing *balancing, struct gather_job *job)
{
    struct ek_snapshot snapshot;
    struct ek_error err = {0};

    if (!assemble(balancing, job, &snapshot, &err)) {
        refuse(balancing, err.message);
        return;
    }
    if (balancing->refused) {
        balancing->refused = false;
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_RELEASE,
                                                        .now_ms = snapshot.taken_at_ms});
    }
    ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_SNAPSHOT,
                                                    .now_ms = snapshot.taken_at_ms,
                                                    .local_offset_min = ek_clock_local_offset_min(
                                                        snapshot.taken_at_ms),
                                                    .u.snapshot = &snapshot});
    ek_snapshot_finish(&snapshot);
    ek_balancing_keep_memory(balancing);
    ek_balancing_put_candidates(balancing);
    ek_balancing_keep_rests(balancing); /* domains that others moved rest from now on */
    balancing->cycles++;
    ek_balancing_keep_cycle(balancing);
}

static void gather_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct gather_job *it = (struct gather_job *)job;
    struct ek_balancing *balancing = it->balancing;

    balancing->gathering = false;
    if (it->bad[0] != '\0' && strcmp(it->bad, balancing->bad_shown) != 0) {
        ek_log(EK_LOG_WARNING, "%s", it->bad);
    }
    memcpy(balancing->bad_shown, it->bad, sizeof(it->bad));
    if (err != NULL) {
        ek_balancing_lose_redis(balancing, err->message);
    } else if (balancing->leading && !balancing->daemon->stopping) {
        decide(balancing, it);
        ek_trash_cycle(balancing->trash);
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
