/* Lessons by domain: few, since only domains that moved have one. */
#include "balancer/core/learned.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out; an entry that it could not keep is
 * marked instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

/* Checks and preparations take seconds whatever is copied, and page tables and device state some
 * tens of MiB. */
#define TIME_PAD_MS 5000.0
#define BYTES_PAD_MIB 64.0

#define KEPT_MS ((int64_t)30 * 24 * 3600 * 1000)

struct entry {
    struct ek_lesson lesson;
    bool lost; /* uthash had no memory to keep it */
    UT_hash_handle hh;
};

struct ek_learned {
    struct entry *map;
};

struct ek_learned *ek_learned_create(void)
{
    return calloc(1, sizeof(struct ek_learned));
}

void ek_learned_destroy(struct ek_learned *learned)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    if (learned == NULL) {
        return;
    }
    HASH_ITER(hh, learned->map, entry, next)
    {
        HASH_DEL(learned->map, entry);
        free(entry);
    }
    free(learned);
}

double ek_learned_factor(const struct ek_learned *learned, const char *domain)
{
    struct entry *entry = NULL;

    HASH_FIND_STR(learned->map, domain, entry);
    return entry == NULL ? 1.0 : entry->lesson.factor;
}

/* Keeps the lesson in place of the domain's older one. */
static bool keep(struct ek_learned *learned, const struct ek_lesson *lesson, struct ek_error *err)
{
    struct entry *entry = NULL;

    assert(lesson->factor >= EK_LEARNED_MIN && lesson->factor <= EK_LEARNED_MAX);
    HASH_FIND_STR(learned->map, lesson->domain, entry);
    if (entry != NULL) {
        entry->lesson = *lesson;
        return true;
    }
    entry = calloc(1, sizeof(*entry));
    if (entry != NULL) {
        entry->lesson = *lesson;
        HASH_ADD_STR(learned->map, lesson.domain, entry);
    }
    if (entry == NULL || entry->lost) {
        free(entry);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for a lesson");
    }
    return true;
}

/* Real over predicted; 0: the move does not tell. */
static double bytes_ratio(const struct ek_move_order *order, const struct ek_outcome *outcome)
{
    if (!(order->predicted_transfer_mib > 0) || !(outcome->transferred_mib > 0)) {
        return 0;
    }
    return (outcome->transferred_mib + BYTES_PAD_MIB) /
           (order->predicted_transfer_mib + BYTES_PAD_MIB);
}

/* Waits between attempts are no copying: only a first attempt's time counts. */
static double time_ratio(const struct ek_move_order *order, const struct ek_outcome *outcome)
{
    int64_t real_ms = outcome->ended_at_ms - outcome->started_at_ms;

    if (order->predicted_duration_ms <= 0 || real_ms <= 0 || outcome->attempts != 1) {
        return 0;
    }
    return ((double)real_ms + TIME_PAD_MS) / ((double)order->predicted_duration_ms + TIME_PAD_MS);
}

bool ek_learned_note(struct ek_learned *learned, const struct ek_move_order *order,
                     const struct ek_outcome *outcome, struct ek_error *err)
{
    double bytes = bytes_ratio(order, outcome);
    double time = time_ratio(order, outcome);
    double ratio = bytes > 0 && time > 0 ? sqrt(bytes * time) : fmax(bytes, time);
    double before = ek_learned_factor(learned, outcome->domain);
    struct ek_lesson lesson = {.moved_at_ms = outcome->ended_at_ms};

    if (!(ratio > 0)) {
        return true;
    }
    static_assert(sizeof(lesson.domain) == sizeof(outcome->domain), "both hold a UUID");
    memcpy(lesson.domain, outcome->domain, sizeof(lesson.domain));
    /* By half: one move is a sample, and samples err. */
    lesson.factor = fmin(fmax(before * (1 + ratio) / 2, EK_LEARNED_MIN), EK_LEARNED_MAX);
    return keep(learned, &lesson, err);
}

void ek_learned_apply(const struct ek_learned *learned, struct ek_snapshot *snapshot)
{
    for (size_t d = 0; learned->map != NULL && d < snapshot->domain_count; d++) {
        struct ek_domain *domain = &snapshot->domains[d];
        struct entry *entry = NULL;
        HASH_FIND_STR(learned->map, domain->uuid, entry);
        if (entry != NULL && !(domain->migration_factor > 0)) {
            domain->migration_factor = entry->lesson.factor;
        }
    }
}

void ek_learned_expire(struct ek_learned *learned, int64_t now_ms)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    HASH_ITER(hh, learned->map, entry, next)
    {
        if (now_ms - entry->lesson.moved_at_ms > KEPT_MS) {
            HASH_DEL(learned->map, entry);
            free(entry);
        }
    }
}

/* By UUID: the hash's own order changes with insertion. */
static int lesson_cmp(const void *left, const void *right)
{
    return strcmp(((const struct ek_lesson *)left)->domain,
                  ((const struct ek_lesson *)right)->domain);
}

size_t ek_learned_export(const struct ek_learned *learned, struct ek_lesson *out, size_t room)
{
    size_t count = 0;

    assert(out != NULL || room == 0);
    for (const struct entry *entry = learned->map; entry != NULL; entry = entry->hh.next) {
        if (count < room) {
            out[count] = entry->lesson;
        }
        count++;
    }
    if (room > 0) {
        qsort(out, count < room ? count : room, sizeof(*out), lesson_cmp);
    }
    return count;
}

bool ek_learned_import(struct ek_learned *learned, const struct ek_lesson *lesson,
                       struct ek_error *err)
{
    struct ek_lesson kept = *lesson;

    kept.factor = fmin(fmax(kept.factor, EK_LEARNED_MIN), EK_LEARNED_MAX);
    return keep(learned, &kept, err);
}
