/* Commands: taken from the stream one after the other while this balancer leads, handed to the
 * engine, answered. A command is out of the stream before anything comes of it, so that it happens
 * at most once; one that waited too long is answered with that and does not happen. */
#include "balancer/codec/command.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- replies -------------------------------------------------------------------------------- */

struct reply_job {
    struct ek_store_job job;
    char id[EK_ID_SIZE];
    char *json;
};

static bool reply_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct reply_job *it = (const struct reply_job *)job;

    return ek_store_put_reply(store, it->id, it->json, err);
}

static void reply_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct reply_job *it = (struct reply_job *)job;

    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "command %s stays without a reply: %s", it->id, err->message);
    }
    free(it->json);
    free(it);
}

void ek_balancing_reply(struct ek_balancing *balancing, const struct ek_command_reply *reply)
{
    struct reply_job *job = calloc(1, sizeof(*job));

    ek_log(EK_LOG_INFO, "command %s: %s", reply->id, reply->text);
    if (job == NULL) {
        return;
    }
    job->job.work = reply_work;
    job->job.done = reply_done;
    (void)snprintf(job->id, sizeof(job->id), "%s", reply->id);
    job->json = ek_codec_write_reply(reply);
    if (job->json == NULL || !ek_store_thread_submit(balancing->daemon->store, &job->job, 0)) {
        free(job->json);
        free(job);
    }
}

static void refuse(struct ek_balancing *balancing, const char *id, enum ek_error_code code,
                   const char *text)
{
    struct ek_command_reply reply = {.code = code};

    (void)snprintf(reply.id, sizeof(reply.id), "%s", id);
    (void)snprintf(reply.text, sizeof(reply.text), "%s", text);
    ek_balancing_reply(balancing, &reply);
}

/* ---- taking --------------------------------------------------------------------------------- */

struct take_job {
    struct ek_store_job job;
    struct ek_balancing *balancing;
    int64_t epoch;
    bool taken;
    struct ek_command_entry entry;
};

static bool take_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct take_job *it = (struct take_job *)job;

    return ek_store_take_command(store, it->epoch, &it->entry, &it->taken, err);
}

static void carry_out(struct ek_balancing *balancing, const struct ek_command_entry *entry)
{
    const struct ek_command *command = &entry->command;
    char text[EK_TEXT_SIZE];

    if (entry->problem.code != EK_ERR_NONE) {
        refuse(balancing, command->id, entry->problem.code, entry->problem.message);
        return;
    }
    if (entry->age_ms > (int64_t)EK_COMMAND_LIFE_S * 1000) {
        (void)snprintf(text, sizeof(text),
                       "it was given %lld s ago, when no balancer took it: it is not done any more",
                       (long long)(entry->age_ms / 1000));
        refuse(balancing, command->id, EK_ERR_TIMEOUT, text);
        return;
    }
    ek_log(EK_LOG_INFO, "command %s of %s: %s %s %s%s", command->id,
           entry->by[0] == '\0' ? "somebody" : entry->by, ek_command_name(command->kind),
           command->subject, command->host, command->choice);
    if (command->kind == EK_COMMAND_RESOLVE) {
        ek_balancing_resolve(balancing, entry);
        return;
    }
    ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_COMMAND,
                                                    .now_ms = ek_clock_now_ms(),
                                                    .u.command = command});
    ek_balancing_keep_rests(balancing); /* a pause is to outlive a restart */
    ek_balancing_put_status(balancing);
}

static void take_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct take_job *it = (struct take_job *)job;
    struct ek_balancing *balancing = it->balancing;

    balancing->taking = false;
    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "no command was taken: %s", err->message);
    } else if (it->taken && (balancing->daemon->stopping || !balancing->leading)) {
        refuse(balancing, it->entry.command.id, EK_ERR_UNAVAILABLE,
               "the balancer that took it stopped leading at that moment: it is not done");
    } else if (it->taken) {
        carry_out(balancing, &it->entry);
    }
    bool more = (err == NULL && it->taken) || balancing->take_again;
    free(it);
    if (more) {
        ek_balancing_take_commands(balancing);
    }
}

void ek_balancing_take_commands(struct ek_balancing *balancing)
{
    struct take_job *job = NULL;

    balancing->take_again = balancing->taking;
    if (balancing->taking || !balancing->leading || balancing->daemon->stopping) {
        return;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return;
    }
    job->job.work = take_work;
    job->job.done = take_done;
    job->balancing = balancing;
    job->epoch = balancing->epoch;
    balancing->taking = ek_store_thread_submit(balancing->daemon->store, &job->job, 0);
    if (!balancing->taking) {
        free(job);
    }
}

static void on_command(void *context)
{
    ek_balancing_take_commands(context);
}

bool ek_balancing_open_commands(struct ek_balancing *balancing, struct ek_error *err)
{
    struct ek_watch_options options = {
        .store = ek_daemon_open_store(balancing->daemon),
        .wait = ek_store_wait_command,
        .without = "operators' commands are not heard",
        .changed = on_command,
        .context = balancing,
    };

    balancing->command_watch = ek_watch_start(&balancing->daemon->loop, &options, err);
    return balancing->command_watch != NULL;
}
