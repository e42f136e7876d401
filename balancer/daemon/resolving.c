/* The command `resolve`: evidence about a blocked domain, and what an operator chose to have done.
 *
 * One story on one thread of the executor's, which may block: find the move, look at all hosts,
 * judge, write the operator's word into the journal, look and judge again, act, clean up, close the
 * record. Its result goes back to the loop, which replies and frees the domain. One at a time. */
#include "balancer/codec/command.h"
#include "balancer/daemon/balancing.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/log.h"
#include "migrator/resolution.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct ek_resolving {
    struct ek_balancing *balancing;
    struct ek_command_entry entry;
    int64_t epoch;
    struct ek_command_reply reply;
    bool closed; /* the record is: the domain is free */

    /* what the story works on */
    struct ek_move_record record;
    struct ek_executor_look look;
    struct ek_resolution resolution;
};

/* Always false, so that a story that ends here can return it. */
static bool refuse(struct ek_resolving *it, enum ek_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct ek_resolving *it, enum ek_error_code code, const char *format, ...)
{
    va_list arguments;

    it->reply.code = code;
    va_start(arguments, format);
    (void)vsnprintf(it->reply.text, sizeof(it->reply.text), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- finding the move ------------------------------------------------------------------------ */

struct find_job {
    struct ek_store_job job;
    struct ek_move_record *records;
    size_t count;
};

static bool find_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    struct find_job *it = (struct find_job *)job;

    return ek_store_blocking_moves(store, &it->records, &it->count, err);
}

static bool is_meant(const struct ek_move_record *record, const char *subject)
{
    return strcmp(record->order.domain, subject) == 0 || strcmp(record->order.name, subject) == 0 ||
           strcmp(record->order.id, subject) == 0;
}

static bool choose(struct ek_resolving *it, const struct find_job *found)
{
    const char *subject = it->entry.command.subject;
    const struct ek_move_record *match = NULL;

    for (size_t i = 0; i < found->count; i++) {
        if (!is_meant(&found->records[i], subject)) {
            continue;
        }
        if (match != NULL) {
            return refuse(it, EK_ERR_INVALID,
                          "moves %s and %s both wait to be resolved, expected one of these ids",
                          match->order.id, found->records[i].order.id);
        }
        match = &found->records[i];
    }
    if (match == NULL) {
        return refuse(it, EK_ERR_NOT_FOUND,
                      "no move of %s waits to be resolved; `evenkeel status` lists the domains "
                      "whose move does",
                      subject);
    }
    it->record = *match;
    return true;
}

static bool find(struct ek_resolving *it)
{
    struct find_job job = {.job = {.work = find_work}};
    struct ek_error err = {0};

    if (!ek_store_thread_call(it->balancing->daemon->store, &job.job, &err)) {
        return refuse(it, err.code, "%s", err.message);
    }
    bool found = choose(it, &job);
    free(job.records);
    return found;
}

/* ---- looking and judging --------------------------------------------------------------------- */

static void add_choices(const struct ek_resolution *resolution, struct ek_evidence *out)
{
    out->choice_count = resolution->count;
    for (size_t i = 0; i < resolution->count; i++) {
        const struct ek_offer *offer = &resolution->offers[i];
        struct ek_evidence_choice *choice = &out->choices[i];
        (void)snprintf(choice->name, sizeof(choice->name), "%s", ek_choice_name(offer->choice));
        (void)snprintf(choice->does, sizeof(choice->does), "%s", offer->does);
        choice->needs_yes = ek_choice_needs_yes(offer->choice);
    }
}

static void fill_evidence(struct ek_resolving *it)
{
    const struct ek_move_order *order = &it->record.order;
    const struct ek_resolution *resolution = &it->resolution;
    struct ek_evidence *out = &it->reply.evidence;

    *out = (struct ek_evidence){.since_ms = it->record.updated_at_ms};
    (void)snprintf(out->move, sizeof(out->move), "%s", order->id);
    (void)snprintf(out->domain, sizeof(out->domain), "%s", order->domain);
    (void)snprintf(out->name, sizeof(out->name), "%s", order->name);
    (void)snprintf(out->source, sizeof(out->source), "%s", order->source);
    (void)snprintf(out->destination, sizeof(out->destination), "%s", order->destination);
    (void)snprintf(out->state, sizeof(out->state), "%s", ek_move_state_name(it->record.state));
    (void)snprintf(out->error, sizeof(out->error), "%s", it->record.error);
    (void)snprintf(out->on_source, sizeof(out->on_source), "%s", it->look.source.text);
    (void)snprintf(out->on_destination, sizeof(out->on_destination), "%s",
                   it->look.destination.text);
    (void)snprintf(out->elsewhere, sizeof(out->elsewhere), "%s", it->look.elsewhere.text);
    (void)snprintf(out->verdict, sizeof(out->verdict), "%s",
                   ek_verdict_name(resolution->row->verdict));
    (void)snprintf(out->meaning, sizeof(out->meaning), "%s", resolution->meaning);
    (void)snprintf(out->refused, sizeof(out->refused), "%s",
                   resolution->refused == NULL ? "" : resolution->refused);
    add_choices(resolution, out);
}

static void look(struct ek_resolving *it)
{
    ek_executor_look(it->balancing->executor, &it->record, &it->look);
    ek_resolution_judge(&it->record, &it->look.source, &it->look.destination, &it->look.elsewhere,
                        &it->resolution);
    fill_evidence(it);
}

/* NULL: refused, and said so. */
static const struct ek_offer *offer_of(struct ek_resolving *it, enum ek_choice choice)
{
    const struct ek_offer *offer = ek_resolution_offer(&it->resolution, choice);

    if (offer == NULL) {
        (void)refuse(it, EK_ERR_DENIED, "%s is not safe now: %s", ek_choice_name(choice),
                     it->resolution.refused != NULL ? it->resolution.refused
                                                    : it->resolution.meaning);
    }
    return offer;
}

/* ---- the journal ----------------------------------------------------------------------------- */

struct word_job {
    struct ek_store_job job;
    const struct ek_resolving *resolving;
    const struct ek_move_record *closed; /* NULL: the word alone */
    struct ek_move_resolution word;
};

static bool word_work(struct ek_store *store, struct ek_store_job *job, struct ek_error *err)
{
    const struct word_job *it = (const struct word_job *)job;
    const struct ek_move_record *record = &it->resolving->record;
    struct ek_error unheard = {0};
    char text[3 * EK_TEXT_SIZE];

    if (!ek_store_resolve_move(store, record, it->closed, it->resolving->epoch, &it->word, err)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "move %s of %s: %s %s %s%s%s", record->order.id,
                   ek_move_domain(&record->order), it->word.by,
                   it->closed == NULL ? "chose" : "resolved it by", it->word.choice,
                   it->closed == NULL ? "" : ": it is closed as ",
                   it->closed == NULL ? "" : ek_move_state_name(it->closed->state));
    /* The audit is best effort: the record has it as well. */
    (void)ek_store_add_event(store, it->word.at_ms, "resolve", record->order.domain, text,
                             &unheard);
    return true;
}

static bool write_word(struct ek_resolving *it, const struct ek_move_record *closed)
{
    const char *by = it->entry.by[0] == '\0' ? "somebody" : it->entry.by;
    struct word_job job = {.job = {.work = word_work},
                           .resolving = it,
                           .closed = closed,
                           .word = {it->entry.command.choice, by, ek_clock_now_ms()}};
    struct ek_error err = {0};

    if (ek_store_thread_call(it->balancing->daemon->store, &job.job, &err)) {
        return true;
    }
    return refuse(it, err.code, "%s: %s",
                  closed == NULL ? "nothing was done" : "the record could not be closed, ask again",
                  err.message);
}

/* ---- acting ---------------------------------------------------------------------------------- */

static bool repair(struct ek_resolving *it, enum ek_repair wanted)
{
    static const enum ek_life_action_kind kinds[] = {
        [EK_REPAIR_RESUME_SOURCE] = EK_LIFE_RESUME_SOURCE,
        [EK_REPAIR_RESUME_DESTINATION] = EK_LIFE_RESUME_DESTINATION,
        [EK_REPAIR_DESTROY_SOURCE] = EK_LIFE_DESTROY_SOURCE,
        [EK_REPAIR_DESTROY_DESTINATION] = EK_LIFE_DESTROY_DESTINATION,
    };
    struct ek_call_result result =
        ek_executor_act(it->balancing->executor, &it->record, kinds[wanted]);

    return result.ok || refuse(it, EK_ERR_REMOTE, "%s was not done, or it is not known whether: %s",
                               ek_repair_name(wanted), result.error);
}

enum { DISCARD_AGAIN_MS = 60000 }; /* a clean-up that failed: the next try is the trash's */

/* What a life would have left to the trash; 0: nothing. */
static int64_t discard_at_ms(const struct ek_move_record *closed, bool cleaned)
{
    int64_t grace_ms = closed->order.disk_grace_ms;

    if (closed->state == EK_MOVE_DONE && closed->copies_disks && (grace_ms > 0 || !cleaned)) {
        return closed->updated_at_ms + (grace_ms > 0 ? grace_ms : 0);
    }
    return closed->state == EK_MOVE_FAILED && !cleaned && ek_move_has_leftovers(closed)
               ? closed->updated_at_ms + DISCARD_AGAIN_MS
               : 0;
}

/* What a life would have done at this end of its move. What stays undone is in the record, as it
 * would be there. */
static void clean_up(struct ek_resolving *it, struct ek_move_record *closed)
{
    bool done = closed->state == EK_MOVE_DONE;
    struct ek_call_result result = ek_executor_act(it->balancing->executor, &it->record,
                                                   done ? EK_LIFE_POST : EK_LIFE_UNPREPARE);

    closed->error[0] = '\0';
    if (!result.ok) {
        (void)snprintf(closed->error, sizeof(closed->error), "left undone: %.240s", result.error);
        closed->state = closed->state == EK_MOVE_ROLLED_BACK ? EK_MOVE_FAILED : closed->state;
    }
    closed->discard_at_ms = discard_at_ms(closed, result.ok);
}

static bool close_record(struct ek_resolving *it, const struct ek_offer *offer)
{
    struct ek_move_record closed = it->record;

    closed.epoch = it->epoch;
    closed.updated_at_ms = ek_clock_now_ms();
    if (offer->choice != EK_CHOICE_FORGET) {
        closed.state = offer->closes_as;
        clean_up(it, &closed);
    }
    if (!write_word(it, &closed)) {
        return false;
    }
    it->closed = true;
    (void)snprintf(it->reply.text, sizeof(it->reply.text),
                   "%s may be moved again; its move %s is closed as %s%s%s",
                   ek_move_domain(&it->record.order), it->record.order.id,
                   ek_move_state_name(closed.state), closed.error[0] == '\0' ? "" : ": ",
                   closed.error);
    return true;
}

static bool act(struct ek_resolving *it, enum ek_choice choice)
{
    const struct ek_offer *offer = offer_of(it, choice);

    if (offer == NULL || !write_word(it, NULL)) {
        return false;
    }
    /* Read again, for the journal may have taken its time, and one look may have caught two hosts
     * at two instants. */
    look(it);
    offer = offer_of(it, choice);
    if (offer == NULL || (offer->repair != EK_REPAIR_NONE && !repair(it, offer->repair))) {
        return false;
    }
    if (offer->repair != EK_REPAIR_NONE) {
        look(it);
        offer = ek_resolution_clear(&it->resolution);
        if (offer == NULL) {
            return refuse(it, EK_ERR_CONFLICT,
                          "%s is done, and now %s; the domain stays blocked, ask again",
                          ek_choice_name(choice), it->resolution.meaning);
        }
    }
    return close_record(it, offer);
}

/* ---- the story ------------------------------------------------------------------------------- */

static bool tell(struct ek_resolving *it)
{
    enum ek_choice choice = ek_choice_parse(it->entry.command.choice);
    bool asked = it->entry.command.choice[0] == '\0';

    if (!asked && choice == EK_CHOICE_COUNT) {
        return refuse(it, EK_ERR_INVALID,
                      "found the unknown choice \"%s\"; without --choice `evenkeel resolve` lists "
                      "those that are safe now",
                      it->entry.command.choice);
    }
    if (!find(it)) {
        return false;
    }
    look(it);
    if (!asked) {
        return act(it, choice);
    }
    (void)snprintf(it->reply.text, sizeof(it->reply.text), "%s: %s",
                   ek_move_domain(&it->record.order), it->resolution.meaning);
    return true;
}

static void story(void *argument)
{
    struct ek_resolving *it = argument;
    struct ek_balancing *balancing = it->balancing;

    (void)tell(it);
    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    balancing->resolved = it;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    (void)uv_async_send(&balancing->resolve_async);
}

static void on_resolved(uv_async_t *async)
{
    struct ek_balancing *balancing = async->data;

    (void)pthread_mutex_lock(&balancing->outcome_mutex);
    struct ek_resolving *it = balancing->resolved;
    balancing->resolved = NULL;
    (void)pthread_mutex_unlock(&balancing->outcome_mutex);
    if (it == NULL) {
        return;
    }
    balancing->resolving = false;
    /* An engine that began after it has read the journal as it is now. */
    if (it->closed && it->epoch == balancing->epoch) {
        ek_balancing_step(balancing, &(struct ek_event){.kind = EK_EVENT_UNBLOCK,
                                                        .now_ms = ek_clock_now_ms(),
                                                        .u.unblock = it->record.order.domain});
    }
    ek_balancing_reply(balancing, &it->reply);
    free(it);
}

bool ek_balancing_open_resolving(struct ek_balancing *balancing)
{
    balancing->resolve_async.data = balancing;
    return uv_async_init(&balancing->daemon->loop, &balancing->resolve_async, on_resolved) == 0;
}

void ek_balancing_resolve(struct ek_balancing *balancing, const struct ek_command_entry *entry)
{
    struct ek_command_reply reply = {.code = EK_ERR_CONFLICT};
    struct ek_resolving *it = balancing->resolving ? NULL : calloc(1, sizeof(*it));
    struct ek_error err = {.message = "another resolve is under way; ask again"};

    (void)snprintf(reply.id, sizeof(reply.id), "%s", entry->command.id);
    if (it != NULL) {
        it->balancing = balancing;
        it->entry = *entry;
        it->epoch = balancing->epoch;
        it->reply.evidence.move[0] = '\0';
        (void)snprintf(it->reply.id, sizeof(it->reply.id), "%s", entry->command.id);
        balancing->resolving = ek_executor_task(balancing->executor, story, it, &err);
        if (balancing->resolving) {
            return;
        }
        free(it);
    }
    (void)snprintf(reply.text, sizeof(reply.text), "%s", err.message);
    ek_balancing_reply(balancing, &reply);
}
