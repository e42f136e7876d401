/* From the zset in Redis over a thread that calls libvirt back to Redis. */
#include "balancer/daemon/trash.h"

#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 16,
    AGAIN_MS = 60000,        /* after a failure */
    UNREADABLE_MS = 3600000, /* a record that cannot be read becomes readable by people's hands */
    CLAIMED_MS = 600000      /* nobody else takes it up meanwhile; longer than a batch takes */
};

/* What is due, and what came of it. One batch is under way at a time. */
struct batch {
    struct ek_store_job job;
    struct ek_trash *trash;
    int64_t now_ms;
    int64_t epoch;
    struct ek_move_record *records;
    size_t count;
    char unreadable[BATCH][EK_ID_SIZE];
    struct ek_error why[BATCH]; /* names the key */
    size_t unreadable_count;
    struct ek_call_result *results;
};

struct ek_trash {
    struct ek_balancing *balancing;
    uv_async_t async;
    bool busy;    /* a batch is on its way; of the loop alone */
    bool stopped; /* changed by the loop, under the mutex */
    /* Between the loop's flags and the thread's, which the compiler may not read as one word. */
    pthread_mutex_t mutex;
    char (*warned)[EK_ID_SIZE]; /* of which unreadable records was told */
    size_t warned_count;
    struct batch *done; /* from the thread to the loop; guarded */
    bool calling;       /* the thread runs; guarded */
};

static void batch_free(struct batch *batch)
{
    batch->trash->busy = false;
    free(batch->records);
    free(batch->results);
    free(batch);
}

/* ---- afterwards: what came of it goes to Redis ----------------------------------------------- */

static bool settle(struct ek_store *store, const struct batch *batch, size_t i,
                   struct ek_error *err)
{
    const struct ek_move_record *record = &batch->records[i];
    const struct ek_call_result *result = &batch->results[i];
    /* DOMAIN: it must stay, also later. */
    bool again = !result->ok && result->failure != EK_FAILURE_DOMAIN;
    char text[2 * EK_TEXT_SIZE];

    if (!ek_store_settle_trash(store, record->order.id, again ? batch->now_ms + AGAIN_MS : 0,
                               batch->epoch, err)) {
        return false;
    }
    if (result->ok) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "A disk of %.100s that move %s left is still there%s: %s",
                   record->order.name, record->order.id, again ? ", it is tried again" : "",
                   result->error);
    return ek_store_add_event(store, batch->now_ms, "trash", record->order.name, text, err);
}

static bool settle_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct batch *batch = (const struct batch *)job;

    for (size_t i = 0; i < batch->count; i++) {
        if (!settle(store, batch, i, err)) {
            return false;
        }
    }
    return true;
}

static void settle_done(struct ek_store_job *job, const struct ek_error *err)
{
    /* Not written: it comes up again when its claim has run out, and is gone by then. */
    if (err != NULL) {
        ek_log(EK_LOG_WARNING, "what was removed was not recorded: %s", err->message);
    }
    batch_free((struct batch *)job);
}

static void on_async(uv_async_t *async)
{
    struct ek_trash *trash = async->data;

    (void)pthread_mutex_lock(&trash->mutex);
    struct batch *batch = trash->done;
    trash->done = NULL;
    (void)pthread_mutex_unlock(&trash->mutex);
    if (batch == NULL) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->results[i].ok) {
            ek_log(EK_LOG_WARNING, "a disk of %s stays: %s", batch->records[i].order.name,
                   batch->results[i].error);
        }
    }
    batch->now_ms = ek_clock_now_ms();
    batch->job.work = settle_work;
    batch->job.done = settle_done;
    if (!ek_store_thread_submit(trash->balancing->daemon->store, &batch->job, 0)) {
        batch_free(batch);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

struct noting {
    const struct ek_journal *journal;
    const struct ek_move_record *record;
};

static void note(void *context, const char *step, const char *text)
{
    const struct noting *noting = context;

    noting->journal->note(noting->journal->context, noting->record, step, text);
}

static void *thread_main(void *argument)
{
    struct batch *batch = argument;
    struct ek_trash *trash = batch->trash;
    const struct ek_hypervisor *port = ek_libvirt_port_hypervisor(trash->balancing->port);

    for (size_t i = 0; i < batch->count; i++) {
        struct noting noting = {&trash->balancing->journal, &batch->records[i]};

        batch->results[i] = port->discard(port->context, &batch->records[i], note, &noting);
    }
    (void)pthread_mutex_lock(&trash->mutex);
    trash->done = batch;
    trash->calling = false;
    /* Under the lock: whoever stops either sees the call, or that the loop was told. */
    if (!trash->stopped) {
        (void)uv_async_send(&trash->async);
    }
    (void)pthread_mutex_unlock(&trash->mutex);
    return NULL;
}

static bool begin(struct batch *batch)
{
    struct ek_trash *trash = batch->trash;
    pthread_attr_t attributes;
    pthread_t thread;
    bool begun;

    batch->results = calloc(batch->count, sizeof(*batch->results));
    if (batch->results == NULL || pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_mutex_lock(&trash->mutex);
    trash->calling = true;
    (void)pthread_mutex_unlock(&trash->mutex);
    begun = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
            pthread_create(&thread, &attributes, thread_main, batch) == 0;
    (void)pthread_attr_destroy(&attributes);
    if (!begun) {
        (void)pthread_mutex_lock(&trash->mutex);
        trash->calling = false;
        (void)pthread_mutex_unlock(&trash->mutex);
    }
    return begun;
}

/* ---- what is due ---------------------------------------------------------------------------- */

/* Put off before anything is removed: the fence says whether we may. One that cannot be read, or is
 * gone, holds up no other. */
static bool take_due(struct ek_store *store, struct batch *batch, const char *id,
                     struct ek_error *err)
{
    int64_t again_at_ms = batch->now_ms + CLAIMED_MS;
    bool there = false;
    bool read = ek_store_get_move(store, id, &batch->records[batch->count], &there, err);

    if (!read && err->code != EK_ERR_INVALID) {
        return false;
    }
    if (!read) {
        size_t i = batch->unreadable_count++;

        (void)snprintf(batch->unreadable[i], sizeof(batch->unreadable[i]), "%s", id);
        batch->why[i] = *err;
        again_at_ms = batch->now_ms + UNREADABLE_MS;
    } else if (there) {
        batch->count++;
    } else {
        again_at_ms = 0;
    }
    return ek_store_settle_trash(store, id, again_at_ms, batch->epoch, err);
}

static bool due_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct batch *batch = (struct batch *)job;
    char ids[BATCH][EK_ID_SIZE];
    size_t count = 0;
    bool done;

    batch->records = calloc(BATCH, sizeof(*batch->records));
    if (batch->records == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the trash");
    }
    done = ek_store_due_trash(store, batch->now_ms, BATCH, ids, &count, err);
    for (size_t i = 0; done && i < count; i++) {
        done = take_due(store, batch, ids[i], err);
    }
    return done;
}

/* Once for each, though it comes up each hour. */
static void warn(struct ek_trash *trash, const char *id, const struct ek_error *why)
{
    char(*warned)[EK_ID_SIZE];

    for (size_t i = 0; i < trash->warned_count; i++) {
        if (strcmp(trash->warned[i], id) == 0) {
            return;
        }
    }
    ek_log(EK_LOG_WARNING, "what move %s left stays, for its record cannot be read: %s", id,
           why->message);
    warned = realloc(trash->warned, (trash->warned_count + 1) * sizeof(*warned));
    if (warned != NULL) { /* else it is told again */
        trash->warned = warned;
        (void)snprintf(warned[trash->warned_count++], sizeof(*warned), "%s", id);
    }
}

static void due_done(struct ek_store_job *job, const struct ek_error *err)
{
    struct batch *batch = (struct batch *)job;
    const struct ek_balancing *balancing = batch->trash->balancing;

    for (size_t i = 0; i < batch->unreadable_count; i++) {
        warn(batch->trash, batch->unreadable[i], &batch->why[i]);
    }
    if (err != NULL) {
        ek_log(EK_LOG_DEBUG, "the trash cannot be read: %s", err->message);
    }
    if (err != NULL || batch->count == 0 || batch->trash->stopped || !balancing->leading ||
        batch->epoch != balancing->epoch || !begin(batch)) {
        batch_free(batch);
    }
}

void ek_trash_cycle(struct ek_trash *trash)
{
    struct batch *batch = trash->busy || trash->stopped ? NULL : calloc(1, sizeof(*batch));

    if (batch == NULL) {
        return;
    }
    batch->job.work = due_work;
    batch->job.done = due_done;
    batch->trash = trash;
    batch->now_ms = ek_clock_now_ms();
    batch->epoch = trash->balancing->epoch;
    trash->busy = true;
    if (!ek_store_thread_submit(trash->balancing->daemon->store, &batch->job, 0)) {
        batch_free(batch);
    }
}

/* ---- start and stop ------------------------------------------------------------------------- */

struct ek_trash *ek_trash_start(struct ek_balancing *balancing, struct ek_error *err)
{
    struct ek_trash *trash = calloc(1, sizeof(*trash));

    if (trash == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for the trash");
        return NULL;
    }
    trash->balancing = balancing;
    trash->async.data = trash;
    (void)pthread_mutex_init(&trash->mutex, NULL);
    if (uv_async_init(&balancing->daemon->loop, &trash->async, on_async) != 0) {
        (void)ek_error_set(err, EK_ERR_IO, "cannot start the trash");
        free(trash);
        return NULL;
    }
    return trash;
}

bool ek_trash_stop(struct ek_trash *trash)
{
    bool calling;

    (void)pthread_mutex_lock(&trash->mutex);
    trash->stopped = true;
    calling = trash->calling;
    (void)pthread_mutex_unlock(&trash->mutex);
    uv_close((uv_handle_t *)&trash->async, NULL);
    return !calling;
}

void ek_trash_destroy(struct ek_trash *trash)
{
    if (trash == NULL) {
        return;
    }
    if (trash->done != NULL) {
        batch_free(trash->done);
    }
    (void)pthread_mutex_destroy(&trash->mutex);
    free(trash->warned);
    free(trash);
}
