#include "balancer/daemon/journal.h"

#include "balancer/daemon/clock.h"
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/log.h"

#include <stdlib.h>
#include <string.h>

/* More than this many progress reports and notes need not wait while Redis is slow. */
enum { BEST_EFFORT_LIMIT = 256 };

struct write_job {
    struct ek_store_job job;
    const struct ek_move_record *record;
    const struct ek_move_record *expected;
};

static bool write_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct write_job *it = (const struct write_job *)job;

    return ek_store_write_move(store, it->record, it->expected, err);
}

/* A time that is not known stays so. */
static void shift(int64_t *time_ms, int64_t by_ms)
{
    *time_ms += *time_ms == 0 ? 0 : by_ms;
}

static struct ek_move_record shifted(const struct ek_move_record *record, int64_t by_ms)
{
    struct ek_move_record out = *record;

    shift(&out.planned_at_ms, by_ms);
    shift(&out.started_at_ms, by_ms);
    shift(&out.updated_at_ms, by_ms);
    shift(&out.discard_at_ms, by_ms);
    return out;
}

struct ek_move_record ek_journal_recalled(const struct ek_move_record *record)
{
    return shifted(record, -ek_clock_drift_ms());
}

static bool journal_write(void *context, const struct ek_move_record *record,
                          const struct ek_move_record *expected, struct ek_error *err)
{
    const struct ek_journal_parts *parts = context;
    /* For others, who have the machine's time: when volumes may go, what samples show by now. */
    const struct ek_move_record told = shifted(record, ek_clock_drift_ms());
    struct write_job job = {.job = {.work = write_work}, .record = &told, .expected = expected};
    bool done = ek_store_thread_call(parts->thread, &job.job, err);

    /* Away: it is to outlive this process, too. Refused: the record is somebody else's by now. */
    if (!done && (err->code == EK_ERR_UNAVAILABLE || err->code == EK_ERR_TIMEOUT)) {
        ek_spool_keep(parts->spool, &told, expected);
    } else if (done || err->code == EK_ERR_FENCED || err->code == EK_ERR_CONFLICT) {
        ek_spool_drop(parts->spool, record->order.id);
    }
    return done;
}

struct copy_job {
    struct ek_store_job job;
    struct ek_move_record record;
    char step[64];
    char text[EK_TEXT_SIZE];
};

static void copy_done(struct ek_store_job *job, const struct ek_error *err)
{
    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "a progress report was not written: %s", err->message);
    }
    free(job);
}

static bool progress_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    return ek_store_write_progress(store, &((struct copy_job *)job)->record, err);
}

static bool note_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct copy_job *it = (const struct copy_job *)job;
    char text[3 * EK_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "move %s: %s: %s", it->record.order.id, it->step, it->text);
    return ek_store_add_event(store, ek_clock_now_ms(), "step", it->record.order.domain, text, err);
}

static void submit_copy(void *context, const struct ek_move_record *record, const char *step,
                        const char *text)
{
    const struct ek_journal_parts *parts = context;
    struct copy_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return;
    }
    job->job.work = step == NULL ? progress_work : note_work;
    job->job.done = copy_done;
    job->record = *record;
    (void)snprintf(job->step, sizeof(job->step), "%s", step == NULL ? "" : step);
    (void)snprintf(job->text, sizeof(job->text), "%s", text == NULL ? "" : text);
    if (!ek_store_thread_submit(parts->thread, &job->job, BEST_EFFORT_LIMIT)) {
        free(job);
    }
}

static void journal_progress(void *context, const struct ek_move_record *record)
{
    submit_copy(context, record, NULL, NULL);
}

static void journal_note(void *context, const struct ek_move_record *record, const char *step,
                         const char *text)
{
    ek_log(EK_LOG_DEBUG, "move %s: %s: %s", record->order.id, step, text);
    submit_copy(context, record, step, text);
}

struct ek_journal ek_daemon_journal(struct ek_journal_parts *parts)
{
    return (struct ek_journal){.write = journal_write,
                               .progress = journal_progress,
                               .note = journal_note,
                               .context = parts};
}
