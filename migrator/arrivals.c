/* Lists of a few dozens at most: searched from front to end. */
#include "migrator/arrivals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_SIZE = 1024, STORAGE_FOR_MS = 3600000, LOOK_MS = 1000 };

struct ek_arrival {
    struct ek_move_record record; /* of its newest call: what it prepares */
    double left_mib;
    int64_t seen_ms;
    int inside; /* calls that make something right now */
    bool closed;
    bool disowned;                  /* closed, and what it made is for another life to undo */
    char base[EK_PREPARATION_SIZE]; /* that it makes; "": none */
    struct ek_arrival *next;
};

struct ek_known_digest {
    char key[KEY_SIZE];
    unsigned char digest[SHA256_DIGEST_SIZE];
    struct ek_known_digest *next;
};

struct ek_known_storage {
    char key[KEY_SIZE];
    bool same;
    int64_t until_ms;
    struct ek_known_storage *next;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool ek_arrivals_init(struct ek_arrivals *arrivals)
{
    pthread_condattr_t attributes;
    bool done;

    *arrivals = (struct ek_arrivals){.items = NULL};
    if (pthread_mutex_init(&arrivals->mutex, NULL) != 0) {
        return false;
    }
    done = pthread_condattr_init(&attributes) == 0 &&
           pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&arrivals->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return done;
}

void ek_arrivals_finish(struct ek_arrivals *arrivals)
{
    while (arrivals->items != NULL) {
        struct ek_arrival *next = arrivals->items->next;
        free(arrivals->items);
        arrivals->items = next;
    }
    while (arrivals->digests != NULL) {
        struct ek_known_digest *next = arrivals->digests->next;
        free(arrivals->digests);
        arrivals->digests = next;
    }
    while (arrivals->storages != NULL) {
        struct ek_known_storage *next = arrivals->storages->next;
        free(arrivals->storages);
        arrivals->storages = next;
    }
    pthread_cond_destroy(&arrivals->changed);
    pthread_mutex_destroy(&arrivals->mutex);
}

/* ---- with the mutex held ------------------------------------------------------------------- */

/* What hung is forgotten; one that still makes something is not, however long it takes. */
static void forget_stale(struct ek_arrivals *arrivals)
{
    struct ek_arrival **place = &arrivals->items;
    int64_t now_ms = monotonic_ms();

    while (*place != NULL) {
        struct ek_arrival *it = *place;

        if (it->inside == 0 && (it->closed || now_ms - it->seen_ms > EK_ARRIVAL_STALE_MS)) {
            *place = it->next;
            free(it);
        } else {
            place = &it->next;
        }
    }
}

static struct ek_arrival *find(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it = arrivals->items;

    while (it != NULL && strcmp(it->record.order.id, record->order.id) != 0) {
        it = it->next;
    }
    return it;
}

static struct ek_arrival *find_open(struct ek_arrivals *arrivals,
                                    const struct ek_move_record *record)
{
    struct ek_arrival *it = find(arrivals, record);

    return it != NULL && !it->closed && it->record.attempt == record->attempt ? it : NULL;
}

/* NULL: no memory, or a call of an earlier attempt still makes something. */
static struct ek_arrival *put(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it = find(arrivals, record);

    if (it == NULL) {
        it = calloc(1, sizeof(*it));
        if (it == NULL) {
            return NULL;
        }
        it->next = arrivals->items;
        arrivals->items = it;
    } else if (it->inside > 0) {
        return NULL;
    }
    it->closed = false;
    it->disowned = false;
    it->record = *record;
    it->seen_ms = monotonic_ms();
    return it;
}

static void touch(struct ek_arrival *it, const struct ek_move_record *record)
{
    it->record = *record;
    it->seen_ms = monotonic_ms();
}

/* ---- memory -------------------------------------------------------------------------------- */

bool ek_arrivals_reserve(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                         double need_mib, double available_mib, double *others_mib)
{
    struct ek_arrival *mine = NULL;

    *others_mib = 0;
    pthread_mutex_lock(&arrivals->mutex);
    forget_stale(arrivals);
    for (struct ek_arrival *it = arrivals->items; it != NULL; it = it->next) {
        if (!it->closed && strcmp(it->record.order.id, record->order.id) != 0 &&
            strcmp(it->record.order.destination, record->order.destination) == 0) {
            *others_mib += it->left_mib;
        }
    }
    if (available_mib - *others_mib >= need_mib) {
        mine = put(arrivals, record);
        if (mine != NULL) {
            mine->left_mib = need_mib;
        }
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return mine != NULL;
}

void ek_arrivals_note(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                      double left_mib)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find_open(arrivals, record);
    if (it != NULL) {
        touch(it, record);
    } else if (left_mib >= 0 && find(arrivals, record) == NULL) {
        it = put(arrivals, record);
    }
    if (it != NULL && left_mib >= 0) {
        it->left_mib = left_mib;
    }
    pthread_mutex_unlock(&arrivals->mutex);
}

/* ---- effects ------------------------------------------------------------------------------- */

bool ek_arrivals_enter(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find_open(arrivals, record);
    if (it != NULL) {
        touch(it, record);
        it->inside++;
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return it != NULL;
}

void ek_arrivals_leave(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find(arrivals, record);
    if (it != NULL && it->inside > 0) {
        it->inside--;
    }
    pthread_cond_broadcast(&arrivals->changed);
    pthread_mutex_unlock(&arrivals->mutex);
}

bool ek_arrivals_goes_on(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find_open(arrivals, record);
    if (it != NULL) {
        touch(it, record);
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return it != NULL;
}

bool ek_arrivals_close(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it;
    bool quiet;

    pthread_mutex_lock(&arrivals->mutex);
    it = find(arrivals, record);
    if (it != NULL) {
        it->closed = true;
    }
    quiet = it == NULL || it->inside == 0;
    forget_stale(arrivals);
    pthread_cond_broadcast(&arrivals->changed);
    pthread_mutex_unlock(&arrivals->mutex);
    return quiet;
}

void ek_arrivals_disown(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find(arrivals, record);
    /* A later attempt is of the life that took the move up again. */
    if (it != NULL && it->record.attempt == record->attempt) {
        it->closed = true;
        it->disowned = true;
    }
    forget_stale(arrivals);
    pthread_cond_broadcast(&arrivals->changed);
    pthread_mutex_unlock(&arrivals->mutex);
}

bool ek_arrivals_may_undo(struct ek_arrivals *arrivals, const struct ek_move_record *record)
{
    const struct ek_arrival *it;
    bool may;

    pthread_mutex_lock(&arrivals->mutex);
    it = find(arrivals, record);
    may = it != NULL && it->record.attempt == record->attempt && !it->disowned;
    pthread_mutex_unlock(&arrivals->mutex);
    return may;
}

bool ek_arrivals_expects(struct ek_arrivals *arrivals, const char *host, const char *domain)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    forget_stale(arrivals);
    it = arrivals->items;
    while (it != NULL && (strcmp(it->record.order.destination, host) != 0 ||
                          strcmp(it->record.order.domain, domain) != 0)) {
        it = it->next;
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return it != NULL;
}

/* ---- backing files ------------------------------------------------------------------------- */

static bool somebody_makes(const struct ek_arrivals *arrivals, const struct ek_move_record *record,
                           const char *path)
{
    for (const struct ek_arrival *it = arrivals->items; it != NULL; it = it->next) {
        if (strcmp(it->base, path) == 0 &&
            strcmp(it->record.order.destination, record->order.destination) == 0) {
            return true;
        }
    }
    return false;
}

static void wait_a_moment(struct ek_arrivals *arrivals)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_cond_timedwait(&arrivals->changed, &arrivals->mutex, &until);
}

bool ek_arrivals_lock_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                           const char *path)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    /* The waiting attempt is kept fresh; its end ends the wait. */
    while ((it = find_open(arrivals, record)) != NULL && somebody_makes(arrivals, record, path)) {
        it->seen_ms = monotonic_ms();
        wait_a_moment(arrivals);
    }
    if (it != NULL) {
        (void)snprintf(it->base, sizeof(it->base), "%s", path);
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return it != NULL;
}

/* Who waits for it asks next, perhaps before the maker's next call tells. */
static void answer_base(struct ek_move_record *record, const char *path, bool made)
{
    for (int i = 0; i < record->preparation_count; i++) {
        struct ek_preparation *it = &record->preparations[i];

        if (it->kind == EK_PREPARATION_BASE && strcmp(it->what, path) == 0) {
            it->state = made ? EK_PREPARATION_MADE : EK_PREPARATION_FOUND;
        }
    }
}

void ek_arrivals_unlock_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                             const char *path, bool made)
{
    struct ek_arrival *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = find(arrivals, record);
    if (it != NULL) {
        it->base[0] = '\0';
        answer_base(&it->record, path, made);
    }
    pthread_cond_broadcast(&arrivals->changed);
    pthread_mutex_unlock(&arrivals->mutex);
}

/* Whether the record has that base, in one of the states of the mask. */
static bool has_base(const struct ek_move_record *record, const char *path, unsigned int states)
{
    for (int i = 0; i < record->preparation_count; i++) {
        const struct ek_preparation *it = &record->preparations[i];

        if (it->kind == EK_PREPARATION_BASE && (states & (1U << it->state)) != 0 &&
            strcmp(it->what, path) == 0) {
            return true;
        }
    }
    return false;
}

static bool others_have_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                             const char *path, unsigned int states)
{
    bool found = false;

    pthread_mutex_lock(&arrivals->mutex);
    forget_stale(arrivals);
    for (struct ek_arrival *it = arrivals->items; it != NULL; it = it->next) {
        found = found || (!it->closed && strcmp(it->record.order.id, record->order.id) != 0 &&
                          strcmp(it->record.order.destination, record->order.destination) == 0 &&
                          has_base(&it->record, path, states));
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return found;
}

bool ek_arrivals_base_is_new(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                             const char *path)
{
    return others_have_base(arrivals, record, path, 1U << EK_PREPARATION_MADE);
}

bool ek_arrivals_need_base(struct ek_arrivals *arrivals, const struct ek_move_record *record,
                           const char *path)
{
    return others_have_base(arrivals, record, path, ~(1U << EK_PREPARATION_UNDONE));
}

/* ---- what was found out -------------------------------------------------------------------- */

static struct ek_known_digest *digest_of(struct ek_arrivals *arrivals, const char *key)
{
    struct ek_known_digest *it = arrivals->digests;

    while (it != NULL && strcmp(it->key, key) != 0) {
        it = it->next;
    }
    return it;
}

bool ek_arrivals_digest(struct ek_arrivals *arrivals, const char *key,
                        unsigned char out[SHA256_DIGEST_SIZE])
{
    const struct ek_known_digest *it;

    pthread_mutex_lock(&arrivals->mutex);
    it = digest_of(arrivals, key);
    if (it != NULL) {
        memcpy(out, it->digest, SHA256_DIGEST_SIZE);
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return it != NULL;
}

void ek_arrivals_keep_digest(struct ek_arrivals *arrivals, const char *key,
                             const unsigned char digest[SHA256_DIGEST_SIZE])
{
    struct ek_known_digest *it;

    /* A key that does not fit is not kept: reading the file again is only slower. */
    if (strlen(key) >= KEY_SIZE) {
        return;
    }
    pthread_mutex_lock(&arrivals->mutex);
    it = digest_of(arrivals, key);
    if (it == NULL) {
        it = calloc(1, sizeof(*it));
        if (it != NULL) {
            (void)snprintf(it->key, sizeof(it->key), "%s", key);
            it->next = arrivals->digests;
            arrivals->digests = it;
        }
    }
    if (it != NULL) {
        memcpy(it->digest, digest, SHA256_DIGEST_SIZE);
    }
    pthread_mutex_unlock(&arrivals->mutex);
}

static struct ek_known_storage *storage_of(struct ek_arrivals *arrivals, const char *key)
{
    struct ek_known_storage *it = arrivals->storages;

    while (it != NULL && strcmp(it->key, key) != 0) {
        it = it->next;
    }
    return it;
}

bool ek_arrivals_storage(struct ek_arrivals *arrivals, const char *key, bool *same)
{
    const struct ek_known_storage *it;
    bool known;

    pthread_mutex_lock(&arrivals->mutex);
    it = storage_of(arrivals, key);
    known = it != NULL && monotonic_ms() < it->until_ms;
    if (known) {
        *same = it->same;
    }
    pthread_mutex_unlock(&arrivals->mutex);
    return known;
}

void ek_arrivals_keep_storage(struct ek_arrivals *arrivals, const char *key, bool same)
{
    struct ek_known_storage *it;

    if (strlen(key) >= KEY_SIZE) {
        return;
    }
    pthread_mutex_lock(&arrivals->mutex);
    it = storage_of(arrivals, key);
    if (it == NULL) {
        it = calloc(1, sizeof(*it));
        if (it != NULL) {
            (void)snprintf(it->key, sizeof(it->key), "%s", key);
            it->next = arrivals->storages;
            arrivals->storages = it;
        }
    }
    if (it != NULL) {
        it->same = same;
        it->until_ms = monotonic_ms() + STORAGE_FOR_MS;
    }
    pthread_mutex_unlock(&arrivals->mutex);
}
