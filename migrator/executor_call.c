/* Calls of the hypervisor's port, each on a thread of its own, and the waits between them. */
#include "migrator/executor_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- on the call's thread ------------------------------------------------------------------ */

/* What a call that was given up still has to say concerns nobody: its step is over in the journal.
 */
static void note(void *context, const char *step, const char *text)
{
    struct call *call = context;
    struct ek_executor *executor = call->mover->executor;
    const struct ek_journal *journal = executor->options.journal;
    bool given_up;

    pthread_mutex_lock(&executor->mutex);
    given_up = call->given_up;
    pthread_mutex_unlock(&executor->mutex);
    if (!given_up) {
        journal->note(journal->context, &call->record, step, text);
    }
}

/* The class decides nothing here: what an abort or a tuning came to shows in the progress. */
static struct ek_call_result asked(bool done, const struct ek_error *err)
{
    struct ek_call_result result = {.ok = done};

    if (!done) {
        result.failure = EK_FAILURE_SAME_PAIR;
        snprintf(result.error, sizeof(result.error), "%s", err->message);
    }
    return result;
}

/* Long after it was decided (the journal was away, or this process was stopped) the checks before
 * it say nothing any more, and another balancer may have taken the move over: that one waits for
 * twice this time before it believes that nothing was begun. */
static struct ek_call_result migrate(const struct call *call)
{
    const struct ek_executor_options *options = &call->mover->executor->options;
    struct ek_call_result late = {.failure = EK_FAILURE_SAME_PAIR,
                                  .error = "not begun, for too long after it was decided"};

    if (ek_executor_now(call->mover->executor) - call->decided_ms > options->timing.fresh_ms) {
        return late;
    }
    return (ek_move_stops(call->record.order.kind)
                ? options->hypervisor->stop
                : options->hypervisor->migrate)(options->hypervisor->context, &call->record);
}

/* On copies of its own, without a lock: this is where a thread may stay for good. */
static void make(struct call *call)
{
    const struct ek_hypervisor *port = call->mover->executor->options.hypervisor;
    const struct ek_move_record *record = &call->record;
    struct ek_error err = {0};

    switch (call->kind) {
    case EK_LIFE_PRECHECK:
        call->result = port->precheck(port->context, record, &call->findings, note, call);
        return;
    case EK_LIFE_PREPARE:
        call->result = port->prepare(port->context, record, &call->found, note, call);
        return;
    case EK_LIFE_MIGRATE:
        call->result = migrate(call);
        return;
    case EK_LIFE_WATCH:
        /* Not ok is "could not be read", which is no reason to give the migration up. */
        call->result.ok = port->progress(port->context, record, &call->progress);
        return;
    case EK_LIFE_ABORT:
        call->result = asked(port->abort(port->context, record, &err), &err);
        return;
    case EK_LIFE_TUNE:
        call->result = asked(port->tune(port->context, record, &call->tuning, &err), &err);
        return;
    case EK_LIFE_OBSERVE:
        port->observe(port->context, record, &call->source, &call->destination);
        call->result.ok = true;
        return;
    case EK_LIFE_SEARCH:
        port->search(port->context, record, &call->elsewhere);
        call->result.ok = true;
        return;
    case EK_LIFE_RESUME_SOURCE:
        call->result = port->resume_source(port->context, record);
        return;
    case EK_LIFE_RESUME_DESTINATION:
        call->result = port->resume_destination(port->context, record);
        return;
    case EK_LIFE_DESTROY_SOURCE:
        call->result = port->destroy_source(port->context, record);
        return;
    case EK_LIFE_DESTROY_DESTINATION:
        call->result = port->destroy_destination(port->context, record);
        return;
    case EK_LIFE_RESUME_POSTCOPY:
        call->result = port->resume_postcopy(port->context, record);
        return;
    case EK_LIFE_UNPREPARE:
        call->result = port->unprepare(port->context, record, note, call);
        return;
    case EK_LIFE_POST:
        call->result = port->post(port->context, record, note, call);
        return;
    case EK_LIFE_GO_ON:
    case EK_LIFE_WAIT:
    case EK_LIFE_FINISH:
    case EK_LIFE_HALT:
        return;
    }
}

/* References are given back from the inside out: call, mover, executor. The last one may free what
 * the one before pointed to. */
static void *call_thread(void *argument)
{
    struct call *call = argument;
    struct mover *mover = call->mover;
    struct ek_executor *executor = mover->executor;

    make(call);
    pthread_mutex_lock(&executor->mutex);
    call->done = true;
    executor->calls--;
    pthread_cond_broadcast(&mover->wake);
    pthread_mutex_unlock(&executor->mutex);
    ek_executor_release(mover, call);
    ek_executor_unref_mover(mover);
    ek_executor_unref(executor);
    return NULL;
}

/* ---- on the life's thread ------------------------------------------------------------------ */

void ek_executor_release(struct mover *mover, struct call *call)
{
    bool last;

    if (call == NULL) {
        return;
    }
    pthread_mutex_lock(&mover->executor->mutex);
    last = --call->refs == 0;
    pthread_mutex_unlock(&mover->executor->mutex);
    if (last) {
        free(call);
    }
}

/* The call is done before it began: it had no effect, and may be tried again. */
static struct call *fail_to_begin(struct call *call)
{
    call->done = true;
    call->refs = 1;
    call->result.failure = EK_FAILURE_SAME_PAIR;
    snprintf(call->result.error, sizeof(call->result.error), "no thread for a call of libvirt");
    /* Nothing was seen: no decision may rest on it. */
    call->source.presence = EK_PRESENCE_UNREACHABLE;
    call->destination.presence = EK_PRESENCE_UNREACHABLE;
    return call;
}

static struct call *begin_call(struct mover *mover, const struct ek_life_action *action)
{
    struct ek_executor *executor = mover->executor;
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->mover = mover;
    call->kind = action->kind;
    call->tuning = action->tuning;
    call->decided_ms = mover->decided_ms;
    /* By value: the life goes on stepping while a migrate call is out, and for good when this one
     * is given up. */
    call->record = mover->life.record;
    /* The life's and the thread's. */
    call->refs = 2;
    pthread_mutex_lock(&executor->mutex);
    mover->refs++;
    executor->calls++;
    pthread_mutex_unlock(&executor->mutex);
    if (ek_executor_spawn(executor, call_thread, call)) {
        return call;
    }
    pthread_mutex_lock(&executor->mutex);
    mover->refs--;
    executor->calls--;
    pthread_mutex_unlock(&executor->mutex);
    return fail_to_begin(call);
}

/* What is asked of a running job has nothing more to say once the job has ended. */
static bool is_about_the_job(enum ek_life_action_kind kind)
{
    return kind == EK_LIFE_WATCH || kind == EK_LIFE_TUNE || kind == EK_LIFE_ABORT;
}

/* Looks have no effect: they need not be waited for when something else is at hand. */
static bool may_leave(const struct mover *mover, const struct call *call)
{
    if (is_about_the_job(call->kind) && mover->migrate != NULL && mover->migrate->done) {
        return true;
    }
    return ek_executor_must_halt(mover) &&
           (call->kind == EK_LIFE_WATCH || call->kind == EK_LIFE_OBSERVE ||
            call->kind == EK_LIFE_SEARCH);
}

/* Whether it came to its end; if not, it is given up and its fields are its own. */
static bool await(struct mover *mover, struct call *call, int64_t timeout_ms)
{
    struct ek_executor *executor = mover->executor;
    int64_t until_ms = ek_executor_now(executor) + timeout_ms;
    bool done;

    pthread_mutex_lock(&executor->mutex);
    while (!call->done && !may_leave(mover, call) && ek_executor_now(executor) < until_ms) {
        ek_executor_wait(mover, until_ms);
    }
    done = call->done;
    /* Under the same lock as `done`: the call's thread finds itself either waited for or not. */
    call->given_up = !done;
    pthread_mutex_unlock(&executor->mutex);
    return done;
}

/* Its end is fed before all else: no look at the progress could say more. */
static void feed_migrate_end(struct mover *mover, struct ek_life_input *input)
{
    input->kind = EK_LIFE_MIGRATE_ENDED;
    input->result = &mover->migrate->result;
}

/* Until the time has come, the migrate call has ended, or something new is wanted. */
static void wait_for_news(struct mover *mover, int64_t wake_at_ms, struct ek_life_input *input)
{
    struct ek_executor *executor = mover->executor;

    input->kind = EK_LIFE_TIMER;
    pthread_mutex_lock(&executor->mutex);
    /* A cancel that the life was told of ends no further wait: else it would be stepped without a
     * pause. */
    while (!ek_executor_must_halt(mover) && mover->cancel == mover->told_cancel &&
           !mover->limit_is_news && !(mover->migrate != NULL && mover->migrate->done) &&
           ek_executor_now(executor) < wake_at_ms) {
        ek_executor_wait(mover, wake_at_ms);
    }
    if (mover->migrate != NULL && mover->migrate->done) {
        feed_migrate_end(mover, input);
    }
    pthread_mutex_unlock(&executor->mutex);
}

static bool migrate_has_ended(struct mover *mover)
{
    bool ended;

    pthread_mutex_lock(&mover->executor->mutex);
    ended = mover->migrate != NULL && mover->migrate->done;
    pthread_mutex_unlock(&mover->executor->mutex);
    return ended;
}

/* LOST: the call may still take effect after it was given up, so that only reading both ends tells.
 */
static const struct ek_call_result no_answer = {
    .failure = EK_FAILURE_LOST, .error = "libvirt did not answer in time; the call was given up"};
static const struct ek_call_result no_memory = {.failure = EK_FAILURE_SAME_PAIR,
                                                .error = "out of memory"};
static const struct ek_observation not_seen = {
    .presence = EK_PRESENCE_UNREACHABLE, .job = EK_JOB_NOT_KNOWN, .text = "did not answer in time"};

static void feed_answer(const struct call *call, bool done, struct ek_life_input *input)
{
    bool answered = done && call != NULL;

    input->kind = EK_LIFE_RESULT;
    input->result = answered ? &call->result : call == NULL ? &no_memory : &no_answer;
    input->findings = answered && call->kind == EK_LIFE_PRECHECK ? &call->findings : NULL;
    input->found = answered && call->found;
}

/* A look that did not come back is told as what it is: not seen, which the decision table knows how
 * to treat. */
static void feed_look(const struct call *call, bool done, enum ek_life_action_kind kind,
                      struct ek_life_input *input)
{
    bool answered = done && call != NULL && call->result.failure == EK_FAILURE_NONE;

    if (kind == EK_LIFE_WATCH) {
        input->kind = EK_LIFE_PROGRESS;
        input->progress = answered && call->result.ok ? &call->progress : NULL;
        return;
    }
    input->kind = EK_LIFE_OBSERVATION;
    input->source = answered ? &call->source : &not_seen;
    input->destination = answered ? &call->destination : &not_seen;
}

static struct call *ask(struct mover *mover, const struct ek_life_action *action,
                        struct ek_life_input *input)
{
    struct call *call = begin_call(mover, action);
    /* The call is not freed here: the input points into it, and the next step reads that. */
    bool done = call != NULL && await(mover, call, action->timeout_ms);

    if (is_about_the_job(action->kind) && migrate_has_ended(mover)) {
        feed_migrate_end(mover, input);
    } else if (action->kind == EK_LIFE_WATCH || action->kind == EK_LIFE_OBSERVE) {
        feed_look(call, done, action->kind, input);
    } else {
        feed_answer(call, done, input);
    }
    return call;
}

struct call *ek_executor_perform(struct mover *mover, const struct ek_life_action *action,
                                 struct ek_life_input *input)
{
    *input = (struct ek_life_input){.kind = EK_LIFE_TIMER};
    if (action->kind == EK_LIFE_GO_ON) {
        return NULL;
    }
    if (action->kind == EK_LIFE_MIGRATE) {
        ek_executor_release(mover, mover->migrate); /* of an attempt that is over */
        mover->migrate = begin_call(mover, action);
        if (mover->migrate == NULL) {
            input->kind = EK_LIFE_MIGRATE_ENDED;
            input->result = &no_memory;
            return NULL;
        }
    }
    if (action->kind == EK_LIFE_MIGRATE || action->kind == EK_LIFE_WAIT) {
        wait_for_news(mover, action->wake_at_ms, input);
        return NULL;
    }
    return ask(mover, action, input);
}
