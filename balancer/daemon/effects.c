/* What the engine wants is done here: all its records in one job of the store's thread, and the
 * aborts and starts only after they are written. */
#include "balancer/codec/codec.h"
#include "balancer/codec/command.h"
#include "balancer/codec/input.h"
#include "balancer/codec/outcome.h"
#include "balancer/codec/plan.h"
#include "balancer/core/plural.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

enum record_kind {
    RECORD_INPUT,
    RECORD_PLAN,
    RECORD_VERIFIED,
    RECORD_EVENT,
    RECORD_STATUS,
    RECORD_STATUS_END,
    RECORD_REPLY,
};

/* One record as text; what it does not use is NULL. All owned. */
struct record {
    enum record_kind kind;
    char *id;   /* plan id, event kind, host, command id */
    char *text; /* JSON, or the event's text */
    char *word; /* fate, subject */
};

/* A running move's new share of the bandwidth. */
struct limit {
    char id[EK_ID_SIZE];
    uint64_t bandwidth_mib_s;
};

/* A running move that is to stop. */
struct told_abort {
    char id[EK_ID_SIZE];
    enum ek_abort why;
};

/* A move that is to start. */
struct start {
    struct ek_move_order order;
    bool unwanted; /* a stop whose key is gone */
};

struct record_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    int64_t now_ms;
    int64_t epoch;
    struct record *records;
    size_t record_count;
    struct told_abort *aborts;
    size_t abort_count;
    struct limit *limits;
    size_t limit_count;
    struct start *starts;
    size_t start_count;
    bool replies;
    bool complete; /* no memory was missing */
};

static void job_free(struct record_job *job)
{
    for (size_t i = 0; i < job->record_count; i++) {
        free(job->records[i].id);
        free(job->records[i].text);
        free(job->records[i].word);
    }
    free(job->records);
    free(job->aborts);
    free(job->limits);
    free(job->starts);
    free(job);
}

static bool write_record(struct ek_store *store, const struct record_job *job,
                         const struct record *record, struct ek_error *err)
{
    switch (record->kind) {
    case RECORD_INPUT:
        return ek_store_put_input(store, record->id, record->text, job->epoch, err);
    case RECORD_PLAN:
        return ek_store_put_plan(store, record->id, record->text, record->word, job->epoch,
                                 job->now_ms, err);
    case RECORD_VERIFIED:
        return ek_store_put_verified(store, record->id, record->text, job->epoch, err);
    case RECORD_EVENT:
        return ek_store_add_event(store, job->now_ms, record->id, record->word, record->text, err);
    case RECORD_STATUS:
        return ek_store_put_maintenance_status(store, record->id, record->text, job->epoch, err);
    case RECORD_STATUS_END:
        return ek_store_delete_maintenance_status(store, record->id, err);
    case RECORD_REPLY:
        return ek_store_put_reply(store, record->id, record->text, err);
    }
    return true;
}

/* Keys are read before the engine plans, which may take long, and a guest that was told to shut
 * down cannot be told otherwise. */
static bool ask_again(struct ek_store *store, struct start *start, struct ek_error *err)
{
    const char *host = start->order.source;
    struct ek_maintenance key = {.wanted = false};

    if (!ek_move_stops(start->order.kind)) {
        return true;
    }
    bool ok = ek_store_get_maintenance(store, &host, 1, &key, err);
    start->unwanted = !key.wanted;
    return ok;
}

static bool record_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct record_job *it = (struct record_job *)job;

    for (size_t i = 0; i < it->record_count; i++) {
        if (!write_record(store, it, &it->records[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < it->start_count; i++) {
        if (!ask_again(store, &it->starts[i], err)) {
            return false;
        }
    }
    return true;
}

/* A start that could not be recorded has not happened; the engine hears so. */
static void refuse_start(struct ek_balancing *balancing, const struct ek_move_order *order,
                         const char *why)
{
    struct ek_outcome outcome = {.kind = order->kind, .state = EK_MOVE_CANCELLED};

    (void)snprintf(outcome.id, sizeof(outcome.id), "%s", order->id);
    (void)snprintf(outcome.plan_id, sizeof(outcome.plan_id), "%s", order->plan_id);
    (void)snprintf(outcome.domain, sizeof(outcome.domain), "%s", order->domain);
    (void)snprintf(outcome.source, sizeof(outcome.source), "%s", order->source);
    (void)snprintf(outcome.destination, sizeof(outcome.destination), "%s", order->destination);
    (void)snprintf(outcome.error, sizeof(outcome.error), "%s", why);
    outcome.started_at_ms = ek_clock_now_ms();
    outcome.ended_at_ms = outcome.started_at_ms;
    ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_OUTCOME,
                                                    .now_ms = outcome.ended_at_ms,
                                                    .u.outcome = &outcome});
}

/* Whether the records could be written or not: a share changes no record. They shrink before the
 * move starts that takes the rest. */
static void limit_moves(struct ek_balancing *balancing, const struct record_job *job)
{
    for (size_t i = 0; i < job->limit_count; i++) {
        ek_executor_limit(balancing->executor, job->limits[i].id, job->limits[i].bandwidth_mib_s);
    }
}

/* Also when Redis is away: the engine gives each order once, and has called it given. The life
 * writes it down before it aborts anything. */
static void abort_moves(struct ek_balancing *balancing, const struct record_job *job)
{
    for (size_t i = 0; i < job->abort_count; i++) {
        ek_executor_cancel(balancing->executor, job->aborts[i].id, job->aborts[i].why);
    }
}

static void start_moves(struct ek_balancing *balancing, const struct record_job *job)
{
    for (size_t i = 0; i < job->start_count; i++) {
        const struct start *start = &job->starts[i];
        struct ek_error err = {0};
        if (start->unwanted) {
            refuse_start(balancing, &start->order, "its host is not to be emptied any more");
        } else if (!ek_executor_start(balancing->executor, &start->order, job->epoch, &err)) {
            refuse_start(balancing, &start->order, err.message);
        }
    }
}

static void record_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct record_job *it = (struct record_job *)job;
    struct ek_balancing *balancing = it->balancing;

    balancing->recording--;
    if (it->epoch != balancing->epoch) {
        job_free(it); /* of the engine that was forgotten meanwhile: nothing of it starts */
        return;
    }
    limit_moves(balancing, it);
    abort_moves(balancing, it);
    if (err == NULL && balancing->leading && !balancing->daemon->stopping) {
        start_moves(balancing, it);
    } else {
        char why[EK_TEXT_SIZE];
        (void)snprintf(why, sizeof(why), "%s",
                       err == NULL ? "this balancer does not lead" : err->message);
        if (err != NULL) {
            ek_log(EK_LOG_WARNING, "decisions were not recorded, so nothing starts: %s", why);
            ek_balancing_show_anew(balancing);
            ek_balancing_lose_redis(balancing, why);
        }
        for (size_t i = 0; i < it->start_count; i++) {
            refuse_start(balancing, &it->starts[i].order, why);
        }
    }
    job_free(it);
}

static void add_record(struct record_job *job, enum record_kind kind, const char *id, char *text,
                       const char *word)
{
    struct record *record = &job->records[job->record_count++];

    record->kind = kind;
    record->id = strdup(id);
    record->text = text;
    record->word = word == NULL ? NULL : strdup(word);
    job->complete = job->complete && record->id != NULL && (word == NULL || record->word != NULL) &&
                    (text != NULL || kind == RECORD_STATUS_END);
}

/* What the decision was made from, the policy as a file that reads back. */
static char *write_input(const struct ek_balancing *balancing, const struct ek_effect *effect)
{
    struct ek_error err = {0};
    char *policy = NULL;
    char *input = NULL;
    size_t size = 0;
    struct ek_kept kept;
    FILE *out = open_memstream(&policy, &size);
    /* The engine's own, not the daemon's: --once lets it wait for no second cycle. */
    bool ok = out != NULL && ek_policy_dump(effect->u.plan.request->evaluation->policy, out, &err);

    ok = out != NULL && fclose(out) == 0 && ok;
    if (ok && ek_engine_keep(balancing->engine, &kept, &err)) {
        input = ek_codec_write_input(effect, policy, &kept, EK_VERSION);
        ek_kept_finish(&kept);
    }
    free(policy);
    return input;
}

static void open_plan_free(struct ek_open_plan *plan)
{
    free(plan->json);
    free(plan);
}

void ek_balancing_forget_plans(struct ek_balancing *balancing)
{
    while (balancing->plans != NULL) {
        struct ek_open_plan *next = balancing->plans->next;
        open_plan_free(balancing->plans);
        balancing->plans = next;
    }
}

static bool keep_plan(struct ek_balancing *balancing, const char *id, const char *json)
{
    struct ek_open_plan *plan = calloc(1, sizeof(*plan));

    if (plan == NULL || json == NULL) {
        free(plan);
        return false;
    }
    (void)snprintf(plan->id, sizeof(plan->id), "%s", id);
    plan->json = strdup(json);
    plan->next = balancing->plans;
    balancing->plans = plan;
    return plan->json != NULL;
}

static void add_plan(struct ek_balancing *balancing, struct record_job *job,
                     const struct ek_effect *effect)
{
    const struct ek_plan *plan = effect->u.plan.plan;
    char *json = ek_codec_write_plan(plan, effect->u.plan.schedule);

    job->complete = keep_plan(balancing, plan->id, json) && job->complete;
    add_record(job, RECORD_INPUT, plan->id, write_input(balancing, effect), NULL);
    add_record(job, RECORD_PLAN, plan->id, json, effect->u.plan.fate);
}

/* With its fate it is over, and nothing more is to be said of it; but one that was proposed, and is
 * approved, has its end before it. */
static void add_fate(struct ek_balancing *balancing, struct record_job *job,
                     const struct ek_effect *effect)
{
    struct ek_open_plan **link = &balancing->plans;

    while (*link != NULL && strcmp((*link)->id, effect->u.fate.plan_id) != 0) {
        link = &(*link)->next;
    }
    struct ek_open_plan *plan = *link;
    if (plan != NULL && strcmp(effect->u.fate.fate, "started") == 0) {
        char *json = plan->json == NULL ? NULL : strdup(plan->json);
        add_record(job, RECORD_PLAN, plan->id, json, effect->u.fate.fate);
    } else if (plan != NULL) {
        *link = plan->next;
        add_record(job, RECORD_PLAN, plan->id, plan->json, effect->u.fate.fate);
        plan->json = NULL; /* the record's now */
        open_plan_free(plan);
    }
}

static struct ek_shown_status *shown_of(struct ek_balancing *balancing, const char *host)
{
    for (size_t i = 0; i < balancing->shown_count; i++) {
        if (strcmp(balancing->shown[i].host, host) == 0) {
            return &balancing->shown[i];
        }
    }
    struct ek_shown_status *grown =
        realloc(balancing->shown, (balancing->shown_count + 1) * sizeof(*grown));
    char *name = strdup(host);
    if (grown == NULL || name == NULL) {
        balancing->shown = grown == NULL ? balancing->shown : grown;
        free(name);
        return NULL;
    }
    balancing->shown = grown;
    grown[balancing->shown_count] = (struct ek_shown_status){name, NULL};
    return &grown[balancing->shown_count++];
}

void ek_balancing_show_anew(struct ek_balancing *balancing)
{
    for (size_t i = 0; i < balancing->shown_count; i++) {
        free(balancing->shown[i].json);
        balancing->shown[i].json = NULL;
    }
}

/* Progress of an evacuation is worth a log line only when its state changes, not at every second of
 * its ETA. */
static void log_status(const struct ek_maintenance_status *status, const char *before,
                       const char *json)
{
    const char *state = ek_maintenance_state_name(status->state);
    char mark[64];
    char left[64] = "";

    (void)snprintf(mark, sizeof(mark), "\"state\":\"%s\"", state);
    if (ek_maintenance_counted(status)) {
        (void)snprintf(mark, sizeof(mark), "\"state\":\"%s\",\"domains_left\":%u", state,
                       (unsigned int)status->domains_left);
        (void)snprintf(left, sizeof(left), ", %u domain%s left", (unsigned int)status->domains_left,
                       ek_plural(status->domains_left));
    }
    if (before != NULL && json != NULL && strstr(before, mark) != NULL) {
        return;
    }
    ek_log(status->state == EK_MAINTENANCE_BLOCKED || status->state == EK_MAINTENANCE_INFEASIBLE
               ? EK_LOG_WARNING
               : EK_LOG_INFO,
           "maintenance of %s: %s%s%s%s", status->host, state, left,
           status->blocker_count > 0 ? ": " : "",
           status->blocker_count > 0 ? status->blockers[0].reason : "");
}

static void add_status(struct ek_balancing *balancing, struct record_job *job,
                       const struct ek_maintenance_status *status)
{
    struct ek_shown_status *shown = shown_of(balancing, status->host);
    bool ended = status->state == EK_MAINTENANCE_ENDED;
    char *json = ended ? NULL : ek_codec_write_maintenance(status);

    if (shown != NULL && json != NULL && shown->json != NULL && strcmp(json, shown->json) == 0) {
        free(json);
        return;
    }
    log_status(status, shown == NULL ? NULL : shown->json, json);
    if (shown != NULL) {
        free(shown->json);
        shown->json = json == NULL ? NULL : strdup(json);
    }
    add_record(job, ended ? RECORD_STATUS_END : RECORD_STATUS, status->host, json, NULL);
}

/* Among the records: who is told that something is done must find it recorded. */
static void add_reply(struct record_job *job, const struct ek_effect *effect)
{
    struct ek_command_reply reply = {.code = effect->u.reply.code};

    (void)snprintf(reply.id, sizeof(reply.id), "%s", effect->u.reply.command_id);
    (void)snprintf(reply.text, sizeof(reply.text), "%s", effect->u.reply.text);
    ek_log(EK_LOG_INFO, "command %s: %s", reply.id, reply.text);
    add_record(job, RECORD_REPLY, reply.id, ek_codec_write_reply(&reply), NULL);
}

static void add_limit(struct record_job *job, const struct ek_effect *effect)
{
    struct limit *limit = &job->limits[job->limit_count++];

    memcpy(limit->id, effect->u.limit.id, sizeof(limit->id));
    limit->bandwidth_mib_s = effect->u.limit.bandwidth_mib_s;
}

static void schedule_wake(struct ek_balancing *balancing, int64_t at_ms);

static void add_effect(struct ek_balancing *balancing, struct record_job *job,
                       const struct ek_effect *effect)
{
    switch (effect->kind) {
    case EK_EFFECT_RECORD_PLAN:
        add_plan(balancing, job, effect);
        break;
    case EK_EFFECT_RECORD_FATE:
        add_fate(balancing, job, effect);
        break;
    case EK_EFFECT_RECORD_VERIFIED:
        add_record(job, RECORD_VERIFIED, effect->u.verified->plan_id,
                   ek_codec_write_verified(effect->u.verified), NULL);
        break;
    case EK_EFFECT_RECORD_EVENT:
        /* What a command came to is said by its reply. */
        if (strcmp(effect->u.event.kind, "command") != 0) {
            ek_log(effect->u.event.warning ? EK_LOG_WARNING : EK_LOG_INFO, "%s",
                   effect->u.event.text);
        }
        add_record(job, RECORD_EVENT, effect->u.event.kind, strdup(effect->u.event.text),
                   effect->u.event.subject);
        break;
    case EK_EFFECT_RECORD_MAINTENANCE:
        if (balancing->leading) { /* else the one that leads speaks */
            add_status(balancing, job, &effect->u.maintenance);
        }
        break;
    case EK_EFFECT_REPLY:
        job->replies = true;
        add_reply(job, effect);
        break;
    case EK_EFFECT_LIMIT:
        add_limit(job, effect);
        break;
    case EK_EFFECT_ABORT:
        job->aborts[job->abort_count] = (struct told_abort){.why = effect->u.abort.why};
        memcpy(job->aborts[job->abort_count++].id, effect->u.abort.id, EK_ID_SIZE);
        break;
    case EK_EFFECT_START:
        job->starts[job->start_count++].order = effect->u.start;
        break;
    case EK_EFFECT_WAKE:
        schedule_wake(balancing, effect->u.wake_at_ms);
        break;
    }
}

static void on_wake(uv_timer_t *timer)
{
    ek_balancing_cycle(timer->data);
}

static void schedule_wake(struct ek_balancing *balancing, int64_t at_ms)
{
    int64_t in_ms = at_ms - ek_clock_now_ms();

    (void)uv_timer_start(&balancing->wake_timer, on_wake, (uint64_t)(in_ms > 0 ? in_ms : 0), 0);
}

static struct record_job *job_create(struct ek_balancing *balancing)
{
    size_t count = balancing->effects.count;
    struct record_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->job.work = record_work;
    job->job.done = record_done;
    job->balancing = balancing;
    job->now_ms = ek_clock_now_ms();
    job->epoch = balancing->epoch;
    job->records = calloc(2 * count, sizeof(*job->records)); /* a plan brings its input */
    job->aborts = calloc(count, sizeof(*job->aborts));
    job->limits = calloc(count, sizeof(*job->limits));
    job->starts = calloc(count, sizeof(*job->starts));
    job->complete =
        job->records != NULL && job->aborts != NULL && job->limits != NULL && job->starts != NULL;
    return job;
}

void ek_balancing_carry_out(struct ek_balancing *balancing)
{
    if (balancing->effects.count == 0) {
        return;
    }
    struct record_job *job = job_create(balancing);
    if (job == NULL || !job->complete) {
        ek_log(EK_LOG_ERROR, "out of memory: this cycle's decisions are dropped");
        if (job != NULL) {
            job_free(job);
        }
        return;
    }
    for (size_t i = 0; i < balancing->effects.count; i++) {
        add_effect(balancing, job, &balancing->effects.items[i]);
    }
    /* Before the replies: what an operator was told is stopped must stay so over a restart. */
    if (job->replies) {
        ek_balancing_keep_rests(balancing);
    }
    balancing->recording++;
    if (!job->complete || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        (void)ek_error_set(&job->job.err, EK_ERR_NOMEM, "decisions could not be recorded");
        record_done(&job->job, &job->job.err);
    }
}
