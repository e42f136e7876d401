#include "fake_port.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- helpers, with the mutex held ---------------------------------------------------------- */

static void trace(struct fake *fake, const char *word)
{
    size_t used = strlen(fake->trace);

    snprintf(fake->trace + used, sizeof(fake->trace) - used, "%s ", word);
    pthread_cond_broadcast(&fake->changed);
}

static struct fake_domain *domain_of(struct fake *fake, const struct ek_move_record *record)
{
    for (size_t i = 0; i < fake->domain_count; i++) {
        if (strcmp(fake->domains[i].uuid, record->order.domain) == 0) {
            return &fake->domains[i];
        }
    }
    snprintf(fake->domains[fake->domain_count].uuid, EK_UUID_SIZE, "%s", record->order.domain);
    return &fake->domains[fake->domain_count++];
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec when;

    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += (time_t)(ms / 1000);
    when.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (when.tv_nsec >= 1000000000L) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000L;
    }
    return when;
}

static struct fake *lock(void *context)
{
    struct fake *fake = context;

    pthread_mutex_lock(&fake->mutex);
    return fake;
}

static void unlock(struct fake *fake)
{
    pthread_mutex_unlock(&fake->mutex);
}

/* ---- the hypervisor ------------------------------------------------------------------------ */

static struct ek_call_result traced_ok(void *context, const char *word)
{
    struct fake *fake = lock(context);

    trace(fake, word);
    unlock(fake);
    return (struct ek_call_result){.ok = true};
}

static struct ek_call_result precheck(void *context, const struct ek_move_record *record,
                                      struct ek_findings *findings, ek_note note,
                                      void *note_context)
{
    (void)record;
    *findings = ((struct fake *)context)->findings;
    note(note_context, "precheck-memory", "fits");
    struct ek_call_result result = traced_ok(context, "precheck()");
    struct fake *fake = lock(context);
    if (fake->busy) {
        result = (struct ek_call_result){.failure = EK_FAILURE_SAME_PAIR, .error = "busy"};
    }
    unlock(fake);
    return result;
}

static struct ek_call_result prepare(void *context, const struct ek_move_record *record,
                                     bool *found, ek_note note, void *note_context)
{
    const struct ek_preparation *begun = ek_move_begun(record);
    char word[EK_PREPARATION_SIZE + 16];

    *found = begun->kind == EK_PREPARATION_BASE;
    snprintf(word, sizeof(word), "prepare(%s)", begun->what);
    note(note_context, "prepare-noted", "made");
    return traced_ok(context, word);
}

static struct ek_call_result migrate(void *context, const struct ek_move_record *record)
{
    struct fake *fake = lock(context);
    struct fake_domain *domain = domain_of(fake, record);
    struct ek_call_result result = {.ok = true};

    trace(fake, "migrate()");
    domain->migrates++;
    domain->copying = true;
    domain->aborted = false;
    pthread_cond_broadcast(&fake->changed);
    while (fake->hold && !domain->aborted) {
        pthread_cond_wait(&fake->changed, &fake->mutex);
    }
    domain->copying = false;
    domain->arrived = !domain->aborted;
    if (domain->aborted) {
        result = (struct ek_call_result){.failure = EK_FAILURE_ABORTED, .error = "aborted"};
    }
    unlock(fake);
    return result;
}

static struct ek_call_result stop(void *context, const struct ek_move_record *record)
{
    struct fake *fake = lock(context);

    trace(fake, "stop()");
    domain_of(fake, record)->stopped = true;
    unlock(fake);
    return (struct ek_call_result){.ok = true};
}

static bool progress(void *context, const struct ek_move_record *record,
                     struct ek_job_progress *out)
{
    struct fake *fake = lock(context);

    *out = (struct ek_job_progress){.active = domain_of(fake, record)->copying,
                                    .total_mib = 100,
                                    .remaining_mib = 50,
                                    .bandwidth_mib_s = 10};
    unlock(fake);
    return true;
}

static bool abort_job(void *context, const struct ek_move_record *record, struct ek_error *err)
{
    struct fake *fake = lock(context);

    (void)err;
    trace(fake, "abort()");
    domain_of(fake, record)->aborted = true;
    pthread_cond_broadcast(&fake->changed);
    unlock(fake);
    return true;
}

static bool tune(void *context, const struct ek_move_record *record, const struct ek_tuning *tuning,
                 struct ek_error *err)
{
    struct fake *fake = lock(context);
    char word[64];

    (void)record;
    (void)err;
    snprintf(word, sizeof(word), "tune(%lld)",
             tuning->bandwidth_mib_s == EK_TUNING_UNLIMITED ? 0LL
                                                            : (long long)tuning->bandwidth_mib_s);
    trace(fake, word);
    unlock(fake);
    return true;
}

static void observe(void *context, const struct ek_move_record *record,
                    struct ek_observation *source, struct ek_observation *destination)
{
    struct fake *fake = lock(context);
    const struct fake_domain *domain = domain_of(fake, record);
    struct ek_observation here = {.presence = EK_PRESENCE_ACTIVE,
                                  .run = EK_RUN_RUNNING,
                                  .persistent = true,
                                  .attempt_known = true};

    trace(fake, "observe()");
    while (fake->hang_observe) {
        pthread_cond_wait(&fake->changed, &fake->mutex);
    }
    memcpy(here.attempt_id, record->order.id, sizeof(here.attempt_id));
    here.job = domain->copying ? EK_JOB_OUT : EK_JOB_NONE;
    *source = (struct ek_observation){.presence = EK_PRESENCE_ABSENT};
    *destination = *source;
    *(domain->arrived ? destination : source) = here;
    if (domain->stopped) {
        *source = (struct ek_observation){.presence = EK_PRESENCE_INACTIVE,
                                          .run = EK_RUN_SHUTOFF_SHUTDOWN,
                                          .saved = record->order.kind == EK_MOVE_SAVE};
    }
    unlock(fake);
}

static struct ek_call_result unexpected(void *context, const struct ek_move_record *record)
{
    (void)record;
    return traced_ok(context, "repair()");
}

static struct ek_call_result unprepare(void *context, const struct ek_move_record *record,
                                       ek_note note, void *note_context)
{
    (void)record;
    (void)note;
    (void)note_context;
    return traced_ok(context, "unprepare()");
}

static void disown(void *context, const struct ek_move_record *record)
{
    struct fake *fake = lock(context);

    (void)record;
    fake->disowned++;
    unlock(fake);
}

static struct ek_call_result post(void *context, const struct ek_move_record *record, ek_note note,
                                  void *note_context)
{
    (void)record;
    (void)note;
    (void)note_context;
    return traced_ok(context, "post()");
}

/* ---- the journal --------------------------------------------------------------------------- */

static bool same_place(const struct ek_move_record *a, const struct ek_move_record *b)
{
    return a->attempt == b->attempt && a->state == b->state && a->epoch == b->epoch;
}

static bool store(struct fake *fake, const struct ek_move_record *record,
                  const struct ek_move_record *expected, struct ek_error *err)
{
    struct ek_move_record *stored = NULL;

    for (size_t i = 0; i < fake->record_count; i++) {
        if (strcmp(fake->records[i].order.id, record->order.id) == 0) {
            stored = &fake->records[i];
        }
    }
    if ((stored == NULL) != (expected == NULL) ||
        (stored != NULL && !same_place(stored, expected))) {
        return ek_error_set(err, EK_ERR_CONFLICT, "not as expected");
    }
    if (stored == NULL) {
        stored = &fake->records[fake->record_count++];
    }
    *stored = *record;
    trace(fake, ek_move_state_name(record->state));
    if (record->state == EK_MOVE_RUNNING && fake->stop_after_running) {
        fake->stop_after_running = false;
        fake->slept_ms += 40000;
    }
    return true;
}

static bool write_record(void *context, const struct ek_move_record *record,
                         const struct ek_move_record *expected, struct ek_error *err)
{
    struct fake *fake = lock(context);
    bool fails = fake->journal_fault != EK_ERR_NONE &&
                 (fake->fault_at == EK_MOVE_STATE_COUNT || fake->fault_at == record->state);
    bool done = (!fails || fake->write_then_fail) && store(fake, record, expected, err);

    if (fails) {
        done = ek_error_set(err, fake->journal_fault, "the journal's fault");
        if (fake->write_then_fail) {
            fake->journal_fault = EK_ERR_NONE;
        }
        trace(fake, "fault");
    }
    unlock(fake);
    return done;
}

static void write_progress(void *context, const struct ek_move_record *record)
{
    (void)context;
    (void)record;
}

static void note(void *context, const struct ek_move_record *record, const char *step,
                 const char *text)
{
    struct fake *fake = lock(context);

    (void)record;
    (void)text;
    trace(fake, step);
    unlock(fake);
}

/* ---- the listener and the clock ------------------------------------------------------------ */

static void ended(void *context, const struct ek_outcome *outcome)
{
    struct fake *fake = lock(context);

    fake->outcomes[fake->outcome_count++] = *outcome;
    pthread_cond_broadcast(&fake->changed);
    unlock(fake);
}

static void dropped(void *context, const struct ek_move_record *record, const struct ek_error *why)
{
    struct fake *fake = lock(context);

    (void)record;
    fake->dropped++;
    fake->drop_error = *why;
    pthread_cond_broadcast(&fake->changed);
    unlock(fake);
}

static int64_t now_ms(void *context)
{
    struct fake *fake = lock(context);
    int64_t slept_ms = fake->slept_ms;
    struct timespec now;

    unlock(fake);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1764000000000 + now.tv_sec * 1000 + now.tv_nsec / 1000000 + slept_ms;
}

/* ---- for the tests ------------------------------------------------------------------------- */

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof(*fake));
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_cond_init(&fake->changed, NULL);
    fake->fault_at = EK_MOVE_STATE_COUNT;
    fake->port = (struct ek_hypervisor){.precheck = precheck,
                                        .prepare = prepare,
                                        .migrate = migrate,
                                        .stop = stop,
                                        .progress = progress,
                                        .abort = abort_job,
                                        .tune = tune,
                                        .observe = observe,
                                        .resume_source = unexpected,
                                        .resume_destination = unexpected,
                                        .destroy_source = unexpected,
                                        .destroy_destination = unexpected,
                                        .resume_postcopy = unexpected,
                                        .unprepare = unprepare,
                                        .disown = disown,
                                        .post = post,
                                        .context = fake};
    fake->journal = (struct ek_journal){
        .write = write_record, .progress = write_progress, .note = note, .context = fake};
}

void fake_finish(struct fake *fake)
{
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->mutex);
}

struct ek_executor *fake_executor(struct fake *fake)
{
    struct ek_error err = {0};
    struct ek_executor_options options = {.hypervisor = &fake->port,
                                          .journal = &fake->journal,
                                          .now_ms = now_ms,
                                          .clock_context = fake,
                                          .ended = ended,
                                          .dropped = dropped,
                                          .listener_context = fake};

    ek_move_timing_defaults(&options.timing);
    options.timing.progress_poll_ms = 10;
    options.timing.settle_ms = 10;
    options.timing.observe_ms = 300; /* of a busy machine, too */
    options.timing.reachable_ms = 1500;
    return ek_executor_create(&options, &err);
}

struct ek_move_order fake_order(int n)
{
    struct ek_move_order order = {.seq = (uint32_t)n,
                                  .source = "h1",
                                  .destination = "h2",
                                  .timeout_ms = 60000,
                                  .progress_timeout_ms = 60000,
                                  .retries = 1,
                                  .backoff_ms = 10};

    snprintf(order.id, sizeof(order.id), "p-%d", n);
    snprintf(order.domain, sizeof(order.domain), "6c1d0b6e-0000-4000-8000-%012d", n);
    snprintf(order.name, sizeof(order.name), "web-%d", n);
    return order;
}

void fake_set(struct fake *fake, bool *flag, bool value)
{
    lock(fake);
    *flag = value;
    pthread_cond_broadcast(&fake->changed);
    unlock(fake);
}

void fake_set_fault(struct fake *fake, enum ek_error_code code, enum ek_move_state at)
{
    lock(fake);
    fake->journal_fault = code;
    fake->fault_at = at;
    unlock(fake);
}

void fake_sleep(struct fake *fake, int64_t ms)
{
    pthread_mutex_lock(&fake->mutex);
    fake->slept_ms += ms;
    pthread_mutex_unlock(&fake->mutex);
}

static size_t copying(const struct fake *fake)
{
    size_t count = 0;

    for (size_t i = 0; i < fake->domain_count; i++) {
        count += fake->domains[i].copying ? 1 : 0;
    }
    return count;
}

bool fake_await_ends(struct fake *fake, size_t count)
{
    struct timespec until = in_ms(20000);
    int waited = 0;
    bool reached;

    lock(fake);
    while (fake->outcome_count + fake->dropped < count && waited == 0) {
        waited = pthread_cond_timedwait(&fake->changed, &fake->mutex, &until);
    }
    reached = fake->outcome_count + fake->dropped >= count;
    unlock(fake);
    return reached;
}

bool fake_await_copying(struct fake *fake, size_t count)
{
    struct timespec until = in_ms(20000);
    int waited = 0;
    bool reached;

    lock(fake);
    while (copying(fake) < count && waited == 0) {
        waited = pthread_cond_timedwait(&fake->changed, &fake->mutex, &until);
    }
    reached = copying(fake) >= count;
    unlock(fake);
    return reached;
}

bool fake_await_trace(struct fake *fake, const char *text)
{
    struct timespec until = in_ms(20000);
    int waited = 0;
    bool found;

    lock(fake);
    while (strstr(fake->trace, text) == NULL && waited == 0) {
        waited = pthread_cond_timedwait(&fake->changed, &fake->mutex, &until);
    }
    found = strstr(fake->trace, text) != NULL;
    unlock(fake);
    return found;
}

bool fake_traced(struct fake *fake, const char *text)
{
    bool found;

    lock(fake);
    found = strstr(fake->trace, text) != NULL;
    unlock(fake);
    return found;
}
