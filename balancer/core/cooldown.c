/* Rests by domain: a map that the engine keeps, exports and imports, so that a restart forgets no
 * failure and no move. Times are Unix milliseconds and come in as arguments. */
#include "balancer/core/cooldown.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out; an entry that it could not keep is
 * marked instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#define HOUR_MS ((int64_t)3600 * 1000)

/* A host that failed a domain rests longer than the domain does, so that the others are tried
 * first. */
enum { AVOID_WAITS = 4 };

/* A domain that comes back within a week is one that the policy cannot please; after that it counts
 * as a new story. */
#define REPEAT_WINDOW_MS (7 * 24 * HOUR_MS)

struct entry {
    struct ek_rest rest;
    bool lost; /* uthash had no memory to keep it */
    UT_hash_handle hh;
};

struct ek_cooldown {
    struct entry *map;
    struct ek_circuit *circuit;
};

struct ek_cooldown *ek_cooldown_create(void)
{
    struct ek_cooldown *cooldown = calloc(1, sizeof(*cooldown));

    if (cooldown != NULL) {
        cooldown->circuit = ek_circuit_create();
    }
    if (cooldown != NULL && cooldown->circuit == NULL) {
        free(cooldown);
        return NULL;
    }
    return cooldown;
}

void ek_cooldown_destroy(struct ek_cooldown *cooldown)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    if (cooldown == NULL) {
        return;
    }
    HASH_ITER(hh, cooldown->map, entry, next)
    {
        HASH_DEL(cooldown->map, entry);
        free(entry);
    }
    ek_circuit_destroy(cooldown->circuit);
    free(cooldown);
}

struct ek_circuit *ek_cooldown_circuit(const struct ek_cooldown *cooldown)
{
    return cooldown == NULL ? NULL : cooldown->circuit;
}

const struct ek_rest *ek_cooldown_find(const struct ek_cooldown *cooldown, const char *domain)
{
    struct entry *entry = NULL;

    if (cooldown != NULL) {
        HASH_FIND_STR(cooldown->map, domain, entry);
    }
    return entry == NULL ? NULL : &entry->rest;
}

/* The domain's entry, made if there is none; NULL: out of memory. */
static struct ek_rest *obtain(struct ek_cooldown *cooldown, const char *domain,
                              struct ek_error *err)
{
    struct entry *entry = NULL;

    assert(strlen(domain) < sizeof(entry->rest.domain)); /* one that is cut is never found again */
    HASH_FIND_STR(cooldown->map, domain, entry);
    if (entry != NULL) {
        return &entry->rest;
    }
    assert(domain[0] != '\0');
    entry = calloc(1, sizeof(*entry));
    if (entry != NULL) {
        (void)snprintf(entry->rest.domain, sizeof(entry->rest.domain), "%s", domain);
        HASH_ADD_STR(cooldown->map, rest.domain, entry);
    }
    if (entry == NULL || entry->lost) {
        free(entry);
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a cooldown");
        return NULL;
    }
    return &entry->rest;
}

/* It moved: what failed before is over, and with it the rest of the pair. */
static void forgive(struct ek_rest *rest)
{
    rest->failures = 0;
    rest->failed_until_ms = 0;
    rest->avoid[0] = '\0';
    rest->avoid_until_ms = 0;
}

bool ek_cooldown_moved(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                       const char *domain, int64_t now_ms, struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest == NULL) {
        return false;
    }
    /* 0 is "never moved": a fresh entry was calloc'ed, or made by a failure. */
    bool repeated = rest->moved_at_ms != 0 && now_ms - rest->moved_at_ms < REPEAT_WINDOW_MS;
    rest->repeats = repeated ? rest->repeats + 1 : 0;
    double factor = pow(policy->cooldown_repeat_factor, rest->repeats);
    /* pow() grows past int64_t after a few dozen repeats: bounded while it is still a double. */
    double rest_ms = fmin((double)policy->cooldown_ms * factor, (double)REPEAT_WINDOW_MS);
    assert(rest_ms >= 0);
    rest->moved_at_ms = now_ms;
    rest->until_ms = now_ms + (int64_t)rest_ms;
    assert(rest->until_ms >= now_ms);
    forgive(rest);
    return true;
}

bool ek_cooldown_displaced(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                           const char *domain, int64_t now_ms, struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest == NULL) {
        return false;
    }
    int64_t until_ms = now_ms + policy->cooldown_ms;
    rest->until_ms = rest->until_ms > until_ms ? rest->until_ms : until_ms;
    forgive(rest);
    return true;
}

bool ek_cooldown_failed(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                        const char *domain, const char *avoid, int64_t now_ms, struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest == NULL) {
        return false;
    }
    /* Doubling, at most an hour: what is broken for long is asked rarely, and still asked. */
    double wait_ms = (double)policy->backoff_ms * pow(2, rest->failures);
    rest->failed_until_ms = now_ms + (int64_t)fmin(wait_ms, (double)HOUR_MS);
    assert(rest->failed_until_ms >= now_ms);
    rest->failures++;
    if (avoid != NULL) {
        /* Another host may do at once; only this pair rests. */
        (void)snprintf(rest->avoid, sizeof(rest->avoid), "%s", avoid);
        rest->avoid_until_ms = now_ms + (int64_t)fmin(AVOID_WAITS * wait_ms, (double)HOUR_MS);
    }
    return true;
}

bool ek_cooldown_aborted(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                         const char *domain, int64_t now_ms, struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest == NULL) {
        return false;
    }
    int64_t until_ms = now_ms + policy->cooldown_ms;
    int64_t held_until_ms = now_ms + AVOID_WAITS * policy->backoff_ms;
    rest->until_ms = until_ms > rest->until_ms ? until_ms : rest->until_ms;
    rest->failed_until_ms =
        held_until_ms > rest->failed_until_ms ? held_until_ms : rest->failed_until_ms;
    /* Another host is not what was wanted either. */
    rest->avoid[0] = '\0';
    rest->avoid_until_ms = 0;
    return true;
}

bool ek_cooldown_rejected(struct ek_cooldown *cooldown, const struct ek_policy *policy,
                          const char *domain, int64_t now_ms, struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest != NULL) {
        int64_t until_ms = now_ms + policy->cooldown_ms;
        rest->until_ms = until_ms > rest->until_ms ? until_ms : rest->until_ms;
    }
    return rest != NULL;
}

bool ek_cooldown_lagged(struct ek_cooldown *cooldown, const char *domain, int64_t now_ms,
                        struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest != NULL) {
        rest->lags_until_ms = now_ms + HOUR_MS;
    }
    return rest != NULL;
}

bool ek_cooldown_block(struct ek_cooldown *cooldown, const char *domain, bool blocked,
                       struct ek_error *err)
{
    struct ek_rest *rest = obtain(cooldown, domain, err);

    if (rest != NULL) {
        rest->blocked = blocked;
    }
    return rest != NULL;
}

void ek_cooldown_expire(struct ek_cooldown *cooldown, int64_t now_ms)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    HASH_ITER(hh, cooldown->map, entry, next)
    {
        const struct ek_rest *rest = &entry->rest;
        int64_t newest =
            rest->until_ms > rest->failed_until_ms ? rest->until_ms : rest->failed_until_ms;
        newest = newest > rest->avoid_until_ms ? newest : rest->avoid_until_ms;
        newest = newest > rest->lags_until_ms ? newest : rest->lags_until_ms;
        /* A blocked domain is never forgotten: only an operator may say what became of it. */
        if (!rest->blocked && now_ms - newest > REPEAT_WINDOW_MS) {
            HASH_DEL(cooldown->map, entry);
            free(entry);
        }
    }
}

/* By UUID: the hash's own order changes with insertion, and a digest is made of the export. */
static int rest_cmp(const void *left, const void *right)
{
    return strcmp(((const struct ek_rest *)left)->domain, ((const struct ek_rest *)right)->domain);
}

size_t ek_cooldown_export(const struct ek_cooldown *cooldown, struct ek_rest *out, size_t room)
{
    size_t count = 0;

    assert(out != NULL || room == 0);
    for (const struct entry *entry = cooldown->map; entry != NULL; entry = entry->hh.next) {
        if (count < room) {
            out[count] = entry->rest;
        }
        count++;
    }
    if (room > 0) {
        qsort(out, count < room ? count : room, sizeof(*out), rest_cmp);
    }
    return count;
}

bool ek_cooldown_import(struct ek_cooldown *cooldown, const struct ek_rest *rest,
                        struct ek_error *err)
{
    struct ek_rest *kept = obtain(cooldown, rest->domain, err);

    if (kept != NULL) {
        *kept = *rest;
    }
    return kept != NULL;
}
