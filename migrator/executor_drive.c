/* A life's thread: step, journal, perform, and again. */
#include "migrator/executor_internal.h"

#include <stdio.h>
#include <string.h>

/* Redis restarts within a second or so; 5 s keep many waiting lives from storming a server that has
 * just come back. */
enum { JOURNAL_RETRY_MS = 100, JOURNAL_RETRY_MOST_MS = 5000 };

/* Read at one moment, so that the life sees a consistent pair. */
static void read_wishes(struct mover *mover, struct ek_life_input *input)
{
    pthread_mutex_lock(&mover->executor->mutex);
    input->cancel = mover->cancel;
    input->shutdown = ek_executor_must_halt(mover);
    mover->told_cancel = mover->cancel;
    input->limited = mover->limited;
    input->limit_mib_s = mover->limit_mib_s;
    mover->limit_is_news = false;
    memcpy(mover->told_withheld, mover->withheld, sizeof(mover->told_withheld));
    input->withheld = mover->told_withheld[0] == '\0' ? NULL : mover->told_withheld;
    pthread_mutex_unlock(&mover->executor->mutex);
}

/* A copy for others: they must not look into a life that is being stepped. */
static void show(struct mover *mover)
{
    pthread_mutex_lock(&mover->executor->mutex);
    mover->shown = mover->life.record;
    pthread_mutex_unlock(&mover->executor->mutex);
}

/* ---- the journal --------------------------------------------------------------------------- */

static bool is_stopping(struct mover *mover)
{
    bool stopping;

    pthread_mutex_lock(&mover->executor->mutex);
    stopping = ek_executor_must_halt(mover);
    pthread_mutex_unlock(&mover->executor->mutex);
    return stopping;
}

/* Only stopping ends the pause early: a cancel could not be written down either. */
static void pause_for_journal(struct mover *mover, int64_t ms)
{
    struct ek_executor *executor = mover->executor;
    int64_t until_ms = ek_executor_now(executor) + ms;

    pthread_mutex_lock(&executor->mutex);
    while (!ek_executor_must_halt(mover) && ek_executor_now(executor) < until_ms) {
        ek_executor_wait(mover, until_ms);
    }
    pthread_mutex_unlock(&executor->mutex);
}

static bool write_once(struct mover *mover, const struct ek_move_record *expected,
                       struct ek_error *err)
{
    const struct ek_journal *journal = mover->executor->options.journal;

    return journal->write(journal->context, &mover->life.record, expected, err);
}

/* A write whose answer was lost may have been done: then the record already is what it should
 * become. */
static bool write_again(struct mover *mover, struct ek_error *err)
{
    const struct ek_move_record *expected = mover->is_written ? &mover->written : NULL;

    if (write_once(mover, expected, err)) {
        return true;
    }
    /* Expecting the very record that is to be written: true when it already stands there, and then
     * without effect. */
    return err->code == EK_ERR_CONFLICT && write_once(mover, &mover->life.record, err);
}

/* Trying again cannot help: another balancer leads, the record is not ours any more, or it can
 * never be written. */
static bool is_final(enum ek_error_code code)
{
    return code == EK_ERR_FENCED || code == EK_ERR_CONFLICT || code == EK_ERR_INVALID;
}

/* True when the record is written. False: `err` is final, or we are stopping. */
static bool journal_record(struct mover *mover, struct ek_error *err)
{
    int64_t pause_ms = JOURNAL_RETRY_MS;
    bool written = write_once(mover, mover->is_written ? &mover->written : NULL, err);

    /* There is no limit to this: an effect without its record is what the journal exists to
     * prevent. */
    while (!written && !is_final(err->code) && !is_stopping(mover)) {
        pause_for_journal(mover, pause_ms);
        pause_ms = pause_ms * 2 < JOURNAL_RETRY_MOST_MS ? pause_ms * 2 : JOURNAL_RETRY_MOST_MS;
        written = write_again(mover, err);
    }
    if (written) {
        mover->written = mover->life.record;
        mover->is_written = true;
    }
    return written;
}

static void add_notes(struct mover *mover, const struct ek_life_input *input,
                      const struct ek_life_action *action)
{
    const struct ek_journal *journal = mover->executor->options.journal;

    /* Progress goes to fields of its own, without a compare-and-set: losing one harms nothing. */
    if (input->kind == EK_LIFE_PROGRESS && input->progress != NULL && input->progress->active) {
        journal->progress(journal->context, &mover->life.record);
    }
    if (action->note[0] != '\0') {
        journal->note(journal->context, &mover->life.record, action->step, action->note);
    }
}

/* ---- the life ------------------------------------------------------------------------------ */

static void tell_signs(const struct mover *mover, unsigned int before)
{
    const struct ek_executor_options *options = &mover->executor->options;
    struct ek_sign sign;

    while (options->sign != NULL && ek_life_sign(&mover->life, &before, &sign)) {
        options->sign(options->listener_context, &sign);
    }
}

static struct ek_life_action step(struct mover *mover, struct ek_life_input *input)
{
    struct ek_life_action action;
    unsigned int signs = mover->life.signs;

    read_wishes(mover, input);
    mover->decided_ms = ek_executor_now(mover->executor);
    action = ek_life_step(&mover->life, input, mover->decided_ms);
    tell_signs(mover, signs);
    if (input->kind == EK_LIFE_MIGRATE_ENDED) {
        ek_executor_release(mover, mover->migrate);
        mover->migrate = NULL;
    }
    show(mover);
    return action;
}

/* Until the life ends. False when it was dropped, with the reason in `err`. */
static bool live(struct mover *mover, bool *ended, struct ek_error *err)
{
    struct ek_life_input input = {.kind = EK_LIFE_START};
    struct ek_life_action action;
    struct call *call = NULL;

    for (;;) {
        action = step(mover, &input);
        if (action.kind == EK_LIFE_HALT) {
            break;
        }
        if (action.journal && !journal_record(mover, err)) {
            ek_executor_release(mover, call);
            return !is_final(err->code);
        }
        /* Notes after the record: a step's story begins with the step. The call is released only
         * here, since the input points into it. */
        add_notes(mover, &input, &action);
        ek_executor_release(mover, call);
        call = NULL;
        if (action.kind == EK_LIFE_FINISH) {
            *ended = true;
            break;
        }
        call = ek_executor_perform(mover, &action, &input);
    }
    ek_executor_release(mover, call);
    return true;
}

/* False: nobody is to hear of its end. */
static bool leave(struct mover *mover)
{
    struct ek_executor *executor = mover->executor;
    bool wanted;

    pthread_mutex_lock(&executor->mutex);
    ek_executor_take_out(executor, mover);
    wanted = !mover->forgotten;
    pthread_mutex_unlock(&executor->mutex);
    return wanted;
}

/* Without any lock: a listener may start the next move from here. A life that was halted says
 * nothing, for it is not over. */
static void tell(struct mover *mover, bool kept, bool ended, const struct ek_error *err)
{
    const struct ek_executor_options *options = &mover->executor->options;
    struct ek_outcome outcome;

    if (!kept) {
        options->dropped(options->listener_context, &mover->life.record, err);
    } else if (ended) {
        ek_life_outcome(&mover->life, &outcome);
        options->ended(options->listener_context, &outcome);
    }
}

void *ek_executor_drive(void *argument)
{
    struct mover *mover = argument;
    struct ek_executor *executor = mover->executor;
    struct ek_error err = {0};
    bool ended = false;
    bool kept = live(mover, &ended, &err);

    if (!kept) { /* while no other life of the move can run here */
        const struct ek_hypervisor *port = executor->options.hypervisor;

        port->disown(port->context, &mover->life.record);
    }
    if (leave(mover)) { /* first: whoever hears of the end may start the domain's next move */
        tell(mover, kept, ended, &err);
    }
    ek_executor_release(mover, mover->migrate); /* a call that never came back goes on alone */
    ek_executor_unref_mover(mover);
    pthread_mutex_lock(&executor->mutex);
    executor->lives--;
    pthread_cond_broadcast(&executor->idle);
    pthread_mutex_unlock(&executor->mutex);
    ek_executor_unref(executor);
    return NULL;
}
