/* Carries out lives of moves in virtual time: the same life machine as the migrator's, with the
 * simulated hypervisor's calls instead of threads and libvirt. */
#include "balancer/sim/driver.h"

#include "balancer/core/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The journal's absence is a matter of seconds or minutes: doubled up to 5 s it is asked neither
 * wildly nor late. */
enum { RETRY_FIRST_MS = 100, RETRY_MOST_MS = 5000 };

struct ek_sim_life {
    bool used;
    struct ek_life life;
    struct ek_move_record written; /* as the journal has it */
    bool is_written;
    enum ek_abort cancel;
    bool limited;
    uint64_t limit_mib_s;
    char withheld[EK_TEXT_SIZE];  /* why it may make no new attempt; "": it may */
    struct ek_life_action action; /* the newest */
    bool waits_for_journal;
    int64_t journal_retry_ms;
    uint32_t ticket;      /* of the timer or the reply that is wanted; never reset */
    uint32_t call_ticket; /* of the migrate call */
    bool call_returned;   /* its result has not been fed yet */
    struct ek_call_result call_result;
};

/* Feeding performs and performing may feed: the pair is recursive. */
static void carry_on(struct ek_sim_driver *driver, uint32_t index);

/* ---- feeding ------------------------------------------------------------------------------- */

static void feed(struct ek_sim_driver *driver, uint32_t index, struct ek_life_input input)
{
    struct ek_sim_life *it = &driver->items[index];

    it->ticket++;
    /* A wish, carried along until the machine comes to where it may stop. */
    input.cancel = it->cancel;
    input.limited = it->limited;
    input.limit_mib_s = it->limit_mib_s;
    input.withheld = it->withheld[0] == '\0' ? NULL : it->withheld;
    it->action = ek_life_step(&it->life, &input, driver->queue->now_ms);
    it->journal_retry_ms = RETRY_FIRST_MS;
    carry_on(driver, index);
}

static void feed_migrated(struct ek_sim_driver *driver, uint32_t index)
{
    /* By value: feeding may end the life, and its slot may be taken anew. */
    struct ek_call_result result = driver->items[index].call_result;

    driver->items[index].call_returned = false;
    feed(driver, index, (struct ek_life_input){.kind = EK_LIFE_MIGRATE_ENDED, .result = &result});
}

/* As an event of its own, so that starting a life never re-enters the caller. */
static void start(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_sim_driver *driver = context;

    if (driver->items[index].used && driver->items[index].ticket == ticket) {
        feed(driver, index, (struct ek_life_input){.kind = EK_LIFE_START});
    }
}

static void timer(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_sim_driver *driver = context;

    if (driver->items[index].used && driver->items[index].ticket == ticket) {
        feed(driver, index, (struct ek_life_input){.kind = EK_LIFE_TIMER});
    }
}

static void want_timer(struct ek_sim_driver *driver, uint32_t index, int64_t at_ms)
{
    ek_sim_queue_at(driver->queue, at_ms, timer, driver, index, driver->items[index].ticket);
}

/* ---- the journal --------------------------------------------------------------------------- */

/* Tickets go on counting over the slot's lives: a late reply to the last one hits nobody. */
static void release(struct ek_sim_life *it)
{
    it->used = false;
    it->ticket++;
    it->call_ticket++;
}

/* Fenced or in conflict: the move is somebody else's now, and every further step would be a second
 * hand. */
static void drop(struct ek_sim_driver *driver, uint32_t index, const struct ek_error *why)
{
    struct ek_move_record record = driver->items[index].life.record;

    release(&driver->items[index]);
    if (driver->dropped != NULL) {
        driver->dropped(driver->context, &record, why);
    }
}

static bool write_once(const struct ek_sim_driver *driver, const struct ek_sim_life *it,
                       const struct ek_move_record *expected, struct ek_error *err)
{
    return driver->journal->write(driver->journal->context, &it->life.record, expected, err);
}

/* A write that was called unavailable may have been done: then the record is what we wanted. */
static bool write_record(const struct ek_sim_driver *driver, const struct ek_sim_life *it,
                         struct ek_error *err)
{
    return write_once(driver, it, it->is_written ? &it->written : NULL, err) ||
           (err->code == EK_ERR_CONFLICT && it->waits_for_journal &&
            write_once(driver, it, &it->life.record, err));
}

static void retry(void *context, uint32_t index, uint32_t ticket)
{
    struct ek_sim_driver *driver = context;

    if (driver->items[index].used && driver->items[index].ticket == ticket) {
        carry_on(driver, index);
    }
}

/* True: the record is written, the effect may follow. */
static bool journalled(struct ek_sim_driver *driver, uint32_t index)
{
    struct ek_sim_life *it = &driver->items[index];
    struct ek_error err = {0};
    /* Each preparation is a step of its own. */
    bool entered = !it->is_written || it->written.state != it->life.record.state ||
                   it->life.record.state == EK_MOVE_PREPARE;

    if (write_record(driver, it, &err)) {
        it->waits_for_journal = false;
        it->written = it->life.record;
        it->is_written = true;
        if (entered && driver->entered != NULL) {
            driver->entered(driver->context, &it->written);
        }
        return true;
    }
    /* Only absence passes; what was refused once will be refused again. */
    if (err.code != EK_ERR_UNAVAILABLE) {
        drop(driver, index, &err);
        return false;
    }
    /* No effect meanwhile: a state is journalled before the call that it announces. */
    it->waits_for_journal = true;
    ek_sim_queue_at(driver->queue, driver->queue->now_ms + it->journal_retry_ms, retry, driver,
                    index, it->ticket);
    it->journal_retry_ms =
        2 * it->journal_retry_ms < RETRY_MOST_MS ? 2 * it->journal_retry_ms : RETRY_MOST_MS;
    return false;
}

/* ---- effects ------------------------------------------------------------------------------- */

/* Released first: whoever is told may start the domain's next move at once. */
static void finish(struct ek_sim_driver *driver, uint32_t index)
{
    struct ek_outcome outcome;

    ek_life_outcome(&driver->items[index].life, &outcome);
    release(&driver->items[index]);
    if (driver->ended != NULL) {
        driver->ended(driver->context, &outcome);
    }
}

/* The watching timer goes on beside the call, which lasts as long as the migration. */
static void begin_migration(struct ek_sim_driver *driver, uint32_t index)
{
    struct ek_sim_life *it = &driver->items[index];

    /* Tickets of migrate calls are odd, all others even: one reply port serves both. */
    it->call_ticket++;
    it->call_returned = false;
    want_timer(driver, index, it->action.wake_at_ms);
    ek_sim_hypervisor_call(driver->hypervisor, index, 2 * it->call_ticket + 1, &it->action,
                           &it->life.record);
}

/* What is asked of a running job has nothing more to say once the job has ended. */
static bool is_about_the_job(enum ek_life_action_kind kind)
{
    return kind == EK_LIFE_WATCH || kind == EK_LIFE_TUNE || kind == EK_LIFE_ABORT;
}

static void call(struct ek_sim_driver *driver, uint32_t index)
{
    struct ek_sim_life *it = &driver->items[index];

    if (is_about_the_job(it->action.kind) && it->call_returned) {
        feed_migrated(driver, index);
        return;
    }
    ek_sim_hypervisor_call(driver->hypervisor, index, 2 * it->ticket, &it->action,
                           &it->life.record);
}

static void wait(struct ek_sim_driver *driver, uint32_t index)
{
    struct ek_sim_life *it = &driver->items[index];

    if (it->call_returned) {
        feed_migrated(driver, index);
    } else {
        want_timer(driver, index, it->action.wake_at_ms);
    }
}

/* The machine says what, this says how; it holds no rule of its own. */
static void perform(struct ek_sim_driver *driver, uint32_t index)
{
    switch (driver->items[index].action.kind) {
    case EK_LIFE_GO_ON:
        /* Through the queue instead of recursion: the stack stays flat and the order of events
         * stated. */
        want_timer(driver, index, driver->queue->now_ms);
        break;
    case EK_LIFE_MIGRATE:
        begin_migration(driver, index);
        break;
    case EK_LIFE_WAIT:
        wait(driver, index);
        break;
    case EK_LIFE_FINISH:
        finish(driver, index);
        break;
    /* Nothing more is to be done and nothing to be told: the record stays as it is for whoever
     * comes next. */
    case EK_LIFE_HALT:
        release(&driver->items[index]);
        break;
    case EK_LIFE_PRECHECK:
    case EK_LIFE_PREPARE:
    case EK_LIFE_WATCH:
    case EK_LIFE_TUNE:
    case EK_LIFE_ABORT:
    case EK_LIFE_OBSERVE:
    case EK_LIFE_SEARCH:
    case EK_LIFE_RESUME_SOURCE:
    case EK_LIFE_RESUME_DESTINATION:
    case EK_LIFE_DESTROY_SOURCE:
    case EK_LIFE_DESTROY_DESTINATION:
    case EK_LIFE_RESUME_POSTCOPY:
    case EK_LIFE_UNPREPARE:
    case EK_LIFE_POST:
        call(driver, index);
        break;
    }
}

static void carry_on(struct ek_sim_driver *driver, uint32_t index)
{
    const struct ek_sim_life *it = &driver->items[index];

    /* In this order, always: journal, note, effect. */
    if (it->action.journal && !journalled(driver, index)) {
        return;
    }
    it = &driver->items[index];
    if (!it->used) {
        return; /* whoever was told of the state let the daemon die */
    }
    if (it->action.note[0] != '\0') {
        driver->journal->note(driver->journal->context, &it->life.record, it->action.step,
                              it->action.note);
    }
    perform(driver, index);
}

/* ---- replies ------------------------------------------------------------------------------- */

/* In any other state the machine waits for a call of its own; the end is kept until it asks. */
static bool can_take_end(const struct ek_sim_life *it)
{
    return !it->waits_for_journal &&
           (it->action.kind == EK_LIFE_WAIT || it->action.kind == EK_LIFE_MIGRATE ||
            is_about_the_job(it->action.kind));
}

/* Kept first, fed when it suits: the machine takes one input at a time. */
static void migrate_returned(struct ek_sim_driver *driver, uint32_t index,
                             const struct ek_sim_reply *reply)
{
    struct ek_sim_life *it = &driver->items[index];

    it->call_returned = true;
    it->call_result = reply->result;
    if (can_take_end(it)) {
        feed_migrated(driver, index);
    }
}

/* Whoever is told may start a move, and slots may be moved for that: by a copy. */
static void tell_signs(struct ek_sim_driver *driver, const struct ek_life *life,
                       unsigned int before)
{
    struct ek_sign sign;

    while (driver->sign != NULL && ek_life_sign(life, &before, &sign)) {
        driver->sign(driver->context, &sign);
    }
}

static void replied(void *context, uint32_t index, uint32_t ticket,
                    const struct ek_sim_reply *reply)
{
    struct ek_sim_driver *driver = context;
    struct ek_sim_life *it = &driver->items[index];
    bool of_migrate = ticket % 2 == 1;
    unsigned int signs = it->life.signs;

    /* A reply to a life or a state that is over. */
    if (!it->used || ticket / 2 != (of_migrate ? it->call_ticket : it->ticket)) {
        return;
    }
    if (of_migrate) {
        migrate_returned(driver, index, reply);
        return;
    }
    feed(driver, index,
         (struct ek_life_input){.kind = reply->kind,
                                .result = &reply->result,
                                .findings = &reply->findings,
                                .found = reply->found,
                                .progress = reply->read ? &reply->progress : NULL,
                                .source = &reply->source,
                                .destination = &reply->destination});
    it = &driver->items[index];
    /* Beside the record, not as a step: losing it costs nothing. */
    if (reply->kind == EK_LIFE_PROGRESS && reply->read && it->used) {
        driver->journal->progress(driver->journal->context, &it->life.record);
        const struct ek_life life = it->life;
        tell_signs(driver, &life, signs);
    }
}

/* ---- whole --------------------------------------------------------------------------------- */

static uint32_t occupy(struct ek_sim_driver *driver, struct ek_error *err)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        if (!driver->items[i].used) {
            return i;
        }
    }
    if (driver->count == driver->room) {
        size_t room = driver->room == 0 ? 8 : 2 * driver->room;
        struct ek_sim_life *items = realloc(driver->items, room * sizeof(*items));
        if (items == NULL) {
            (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a life");
            return EK_NONE;
        }
        driver->items = items;
        driver->room = room;
    }
    memset(&driver->items[driver->count], 0, sizeof(*driver->items));
    return (uint32_t)driver->count++;
}

/* One life for each domain, whoever asks: two moves of one domain could undo each other. */
static struct ek_sim_life *admit(struct ek_sim_driver *driver, const char *domain,
                                 struct ek_error *err)
{
    if (ek_sim_driver_of(driver, domain) != NULL) {
        (void)ek_error_set(err, EK_ERR_CONFLICT, "domain %s is moved already", domain);
        return NULL;
    }
    uint32_t index = occupy(driver, err);
    if (index == EK_NONE) {
        return NULL;
    }
    struct ek_sim_life *it = &driver->items[index];
    /* Saved over the memset: a slot is wiped, its tickets are not. */
    uint32_t ticket = it->ticket + 1;
    uint32_t call_ticket = it->call_ticket + 1;
    memset(it, 0, sizeof(*it));
    it->used = true;
    it->ticket = ticket;
    it->call_ticket = call_ticket;
    ek_sim_queue_at(driver->queue, driver->queue->now_ms, start, driver, index, ticket);
    return it;
}

bool ek_sim_driver_start(struct ek_sim_driver *driver, const struct ek_move_order *order,
                         int64_t epoch, struct ek_error *err)
{
    struct ek_sim_life *it = admit(driver, order->domain, err);

    if (it != NULL) {
        ek_life_begin(&it->life, order, &driver->timing, epoch, driver->queue->now_ms);
    }
    return it != NULL;
}

bool ek_sim_driver_adopt(struct ek_sim_driver *driver, const struct ek_move_record *record,
                         int64_t epoch, struct ek_error *err)
{
    struct ek_sim_life *it = admit(driver, record->order.domain, err);

    if (it != NULL) {
        /* What the journal holds is where compare-and-set goes on from. */
        it->written = *record;
        it->is_written = true;
        ek_life_adopt(&it->life, record, &driver->timing, epoch, driver->queue->now_ms);
    }
    return it != NULL;
}

static uint32_t find(const struct ek_sim_driver *driver, const char *id)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        if (driver->items[i].used && strcmp(driver->items[i].life.record.order.id, id) == 0) {
            return i;
        }
    }
    return EK_NONE;
}

/* Waits are cut short; a call that is out ends first and is then told. */
static void wake(struct ek_sim_driver *driver, uint32_t index)
{
    const struct ek_sim_life *it = &driver->items[index];

    if (!it->waits_for_journal &&
        (it->action.kind == EK_LIFE_WAIT || it->action.kind == EK_LIFE_MIGRATE)) {
        want_timer(driver, index, driver->queue->now_ms);
    }
}

bool ek_sim_driver_cancel(struct ek_sim_driver *driver, const char *id, enum ek_abort why)
{
    uint32_t index = find(driver, id);

    if (index != EK_NONE) {
        driver->items[index].cancel = why;
        wake(driver, index);
    }
    return index != EK_NONE;
}

void ek_sim_driver_limit(struct ek_sim_driver *driver, const char *id, uint64_t bandwidth_mib_s)
{
    uint32_t index = find(driver, id);

    if (index != EK_NONE) {
        driver->items[index].limited = true;
        driver->items[index].limit_mib_s = bandwidth_mib_s;
        wake(driver, index);
    }
}

void ek_sim_driver_withhold(struct ek_sim_driver *driver, const char *id, const char *why)
{
    uint32_t index = find(driver, id);

    if (index != EK_NONE) {
        (void)snprintf(driver->items[index].withheld, sizeof(driver->items[index].withheld), "%s",
                       why == NULL ? "" : why);
    }
}

/* Only what was in memory dies; the hypervisor's migrations go on, as P2P ones do. */
void ek_sim_driver_crash(struct ek_sim_driver *driver)
{
    for (size_t i = 0; i < driver->count; i++) {
        release(&driver->items[i]);
    }
    ek_sim_hypervisor_forget(driver->hypervisor);
}

const struct ek_move_record *ek_sim_driver_of(const struct ek_sim_driver *driver,
                                              const char *domain)
{
    for (size_t i = 0; i < driver->count; i++) {
        if (driver->items[i].used &&
            strcmp(driver->items[i].life.record.order.domain, domain) == 0) {
            return &driver->items[i].life.record;
        }
    }
    return NULL;
}

size_t ek_sim_driver_running(const struct ek_sim_driver *driver)
{
    size_t count = 0;

    for (size_t i = 0; i < driver->count; i++) {
        count += driver->items[i].used ? 1 : 0;
    }
    return count;
}

void ek_sim_driver_init(struct ek_sim_driver *driver, struct ek_sim_hypervisor *hypervisor,
                        const struct ek_journal *journal)
{
    *driver = (struct ek_sim_driver){
        .hypervisor = hypervisor, .journal = journal, .queue = hypervisor->queue};
    ek_move_timing_defaults(&driver->timing);
    hypervisor->reply = replied;
    hypervisor->context = driver;
}

void ek_sim_driver_finish(struct ek_sim_driver *driver)
{
    free(driver->items);
    memset(driver, 0, sizeof(*driver));
}
