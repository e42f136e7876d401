/* The journal in memory: the compare-and-set and the fencing of the store's scripts, and their
 * worst habit, a write that was done although its answer was lost. */
#include "balancer/sim/journal.h"

#include <stdlib.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

/* Its own random numbers, so that other parts' draws do not change which writes land. */
enum { PURPOSE_JOURNAL = 13 };

struct ek_sim_entry {
    struct ek_move_record record;
    bool lost; /* uthash had no memory to keep it */
    UT_hash_handle hh;
};

static struct ek_sim_entry *find(const struct ek_sim_journal *journal, const char *id)
{
    struct ek_sim_entry *entry = NULL;

    HASH_FIND_STR(journal->entries, id, entry);
    return entry;
}

const struct ek_move_record *ek_sim_journal_find(const struct ek_sim_journal *journal,
                                                 const char *id)
{
    const struct ek_sim_entry *entry = find(journal, id);

    return entry == NULL ? NULL : &entry->record;
}

/* The three fields that the store's script compares. */
static bool at(const struct ek_move_record *stored, const struct ek_move_record *expected)
{
    return stored->attempt == expected->attempt && stored->state == expected->state &&
           stored->epoch == expected->epoch;
}

static bool put(struct ek_sim_journal *journal, struct ek_sim_entry *entry,
                const struct ek_move_record *record, struct ek_error *err)
{
    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a record");
        }
        entry->record = *record;
        HASH_ADD_STR(journal->entries, record.order.id, entry);
        if (entry->lost) {
            free(entry);
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a record");
        }
    }
    entry->record = *record;
    journal->writes++;
    return true;
}

static bool compare_and_set(struct ek_sim_journal *journal, const struct ek_move_record *record,
                            const struct ek_move_record *expected, struct ek_error *err)
{
    struct ek_sim_entry *entry = find(journal, record->order.id);

    if (!ek_journal_check_step(record, expected, err)) {
        return false;
    }
    /* Before anything is compared, as the script does it. */
    if (record->epoch < journal->epoch) {
        journal->refused++;
        return ek_error_set(err, EK_ERR_FENCED, "epoch %lld is in charge, not %lld",
                            (long long)journal->epoch, (long long)record->epoch);
    }
    /* NULL expects that there is no record yet. */
    if ((entry == NULL) != (expected == NULL) || (entry != NULL && !at(&entry->record, expected))) {
        journal->refused++;
        return ek_error_set(err, EK_ERR_CONFLICT, "the record of %s is not as expected",
                            record->order.id);
    }
    return put(journal, entry, record, err);
}

static bool journal_write(void *context, const struct ek_move_record *record,
                          const struct ek_move_record *expected, struct ek_error *err)
{
    struct ek_sim_journal *journal = context;

    if (!journal->away) {
        return compare_and_set(journal, record, expected, err);
    }
    /* The answer is lost, not always the write: the caller must be able to repeat. */
    if (journal->lands && ek_random_chance(&journal->random, 50)) {
        (void)compare_and_set(journal, record, expected, err);
    }
    return ek_error_set(err, EK_ERR_UNAVAILABLE, "the journal is away");
}

/* Unchecked, since one thread writes: the record is where its life is. */
static void journal_progress(void *context, const struct ek_move_record *record)
{
    struct ek_sim_journal *journal = context;
    struct ek_sim_entry *entry = find(journal, record->order.id);

    if (entry != NULL && !journal->away) {
        entry->record.progress = record->progress;
        entry->record.eta_ms = record->eta_ms;
        entry->record.transferred_mib = record->transferred_mib;
    }
}

static void journal_note(void *context, const struct ek_move_record *record, const char *step,
                         const char *text)
{
    const struct ek_sim_journal *journal = context;

    if (journal->noted != NULL) {
        journal->noted(journal->context, record, step, text);
    }
}

/* In the order in which records were added, which uthash keeps: a start after a crash repeats to
 * the byte. */
void ek_sim_journal_each(const struct ek_sim_journal *journal,
                         void (*visit)(void *context, const struct ek_move_record *record),
                         void *context)
{
    for (const struct ek_sim_entry *entry = journal->entries; entry != NULL;
         entry = entry->hh.next) {
        visit(context, &entry->record);
    }
}

size_t ek_sim_journal_open(const struct ek_sim_journal *journal)
{
    size_t count = 0;

    for (const struct ek_sim_entry *entry = journal->entries; entry != NULL;
         entry = entry->hh.next) {
        count += ek_move_state_terminal(entry->record.state) ? 0 : 1;
    }
    return count;
}

void ek_sim_journal_init(struct ek_sim_journal *journal, uint64_t seed)
{
    *journal = (struct ek_sim_journal){
        .port = {journal_write, journal_progress, journal_note, journal},
        .random = ek_random_stream(seed, PURPOSE_JOURNAL),
    };
}

void ek_sim_journal_finish(struct ek_sim_journal *journal)
{
    struct ek_sim_entry *entry = NULL;
    struct ek_sim_entry *next = NULL;

    HASH_ITER(hh, journal->entries, entry, next)
    {
        HASH_DEL(journal->entries, entry);
        free(entry);
    }
    memset(journal, 0, sizeof(*journal));
}
