/* Stories beside the lives: somebody looks at a move that nobody drives, and acts on it. The calls
 * are a life's calls, by a mover that is in no list. */
#include "migrator/executor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
    struct ek_executor *executor;
    void (*body)(void *argument);
    void *argument;
};

static void leave(struct ek_executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    executor->lives--;
    pthread_cond_broadcast(&executor->idle);
    pthread_mutex_unlock(&executor->mutex);
}

static void *task_thread(void *argument)
{
    struct task *task = argument;
    struct ek_executor *executor = task->executor;

    task->body(task->argument);
    free(task);
    leave(executor);
    ek_executor_unref(executor);
    return NULL;
}

bool ek_executor_task(struct ek_executor *executor, void (*body)(void *argument), void *argument,
                      struct ek_error *err)
{
    struct task *task = calloc(1, sizeof(*task));
    bool stopping;

    if (task == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "no memory for a task");
    }
    *task = (struct task){executor, body, argument};
    pthread_mutex_lock(&executor->mutex);
    stopping = executor->stopping;
    executor->lives += stopping ? 0 : 1;
    pthread_mutex_unlock(&executor->mutex);
    if (!stopping && ek_executor_spawn(executor, task_thread, task)) {
        return true;
    }
    free(task);
    if (stopping) {
        return ek_error_set(err, EK_ERR_UNAVAILABLE, "the executor is shutting down");
    }
    leave(executor);
    return ek_error_set(err, EK_ERR_NOMEM, "no thread for a task");
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct mover *mover_of(struct ek_executor *executor, const struct ek_move_record *record)
{
    struct ek_error err;
    struct mover *mover = ek_executor_mover(executor, &err);

    if (mover != NULL) {
        mover->life.record = *record;
    }
    return mover;
}

static void look_at_ends(struct mover *mover, struct ek_executor_look *out)
{
    const struct ek_life_action action = {.kind = EK_LIFE_OBSERVE,
                                          .timeout_ms = mover->executor->options.timing.observe_ms};
    struct ek_life_input input;
    struct call *call = ek_executor_perform(mover, &action, &input);

    out->source = *input.source;
    out->destination = *input.destination;
    ek_executor_release(mover, call);
}

static void look_elsewhere(struct mover *mover, struct ek_executor_look *out)
{
    const struct ek_life_action action = {.kind = EK_LIFE_SEARCH,
                                          .timeout_ms = mover->executor->options.timing.observe_ms};
    struct ek_life_input input;
    struct call *call = ek_executor_perform(mover, &action, &input);

    /* Asked or not, none of them has said that it does not run it. */
    if (input.result->ok) {
        out->elsewhere = call->elsewhere;
    } else {
        out->elsewhere = (struct ek_elsewhere){.unreachable = 1};
        (void)snprintf(out->elsewhere.text, sizeof(out->elsewhere.text), "not known: %.200s",
                       input.result->error);
    }
    ek_executor_release(mover, call);
}

void ek_executor_look(struct ek_executor *executor, const struct ek_move_record *record,
                      struct ek_executor_look *out)
{
    static const struct ek_observation not_seen = {.presence = EK_PRESENCE_UNREACHABLE,
                                                   .job = EK_JOB_NOT_KNOWN,
                                                   .text = "not asked: out of memory"};
    struct mover *mover = mover_of(executor, record);

    if (mover == NULL) {
        *out = (struct ek_executor_look){not_seen, not_seen, {.unreachable = 1}};
        return;
    }
    look_at_ends(mover, out);
    look_elsewhere(mover, out);
    ek_executor_unref_mover(mover);
}

static bool is_driven(struct ek_executor *executor, const char *domain)
{
    bool found = false;

    pthread_mutex_lock(&executor->mutex);
    for (const struct mover *mover = executor->movers; mover != NULL; mover = mover->next) {
        found = found || strcmp(mover->shown.order.domain, domain) == 0;
    }
    pthread_mutex_unlock(&executor->mutex);
    return found;
}

static struct ek_call_result failed(const char *why)
{
    struct ek_call_result result = {.failure = EK_FAILURE_SAME_PAIR};

    (void)snprintf(result.error, sizeof(result.error), "%s", why);
    return result;
}

struct ek_call_result ek_executor_act(struct ek_executor *executor,
                                      const struct ek_move_record *record,
                                      enum ek_life_action_kind kind)
{
    const struct ek_move_timing *timing = &executor->options.timing;
    const struct ek_life_action action = {.kind = kind,
                                          .timeout_ms = kind == EK_LIFE_UNPREPARE
                                                            ? timing->unprepare_ms
                                                        : kind == EK_LIFE_POST ? timing->post_ms
                                                                               : timing->action_ms};
    struct ek_life_input input;
    struct ek_call_result result;

    if (is_driven(executor, record->order.domain)) {
        return failed("a move of the domain runs");
    }
    struct mover *mover = mover_of(executor, record);
    if (mover == NULL) {
        return failed("out of memory");
    }
    struct call *call = ek_executor_perform(mover, &action, &input);
    result = *input.result;
    ek_executor_release(mover, call);
    ek_executor_unref_mover(mover);
    return result;
}
