/* Circuits as a short list: only hosts with failures are in it, and mostly there are none. Times
 * are Unix milliseconds and come in as arguments. */
#include "balancer/core/circuit.h"

#include "balancer/core/plural.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ek_circuit {
    struct ek_circuit_entry *entries;
    size_t count;
    size_t room;
};

struct ek_circuit *ek_circuit_create(void)
{
    return calloc(1, sizeof(struct ek_circuit));
}

void ek_circuit_destroy(struct ek_circuit *circuit)
{
    if (circuit != NULL) {
        free(circuit->entries);
        free(circuit);
    }
}

enum ek_circuit_state ek_circuit_state(const struct ek_circuit_entry *entry, int64_t now_ms)
{
    if (entry->trips == 0) {
        return EK_CIRCUIT_CLOSED;
    }
    return now_ms < entry->until_ms ? EK_CIRCUIT_OPEN : EK_CIRCUIT_TRIAL;
}

static struct ek_circuit_entry *find(const struct ek_circuit *circuit, const char *source,
                                     const char *destination)
{
    for (size_t i = 0; i < circuit->count; i++) {
        struct ek_circuit_entry *entry = &circuit->entries[i];
        if (strcmp(entry->source, source) == 0 && strcmp(entry->destination, destination) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* NULL: out of memory. */
static struct ek_circuit_entry *obtain(struct ek_circuit *circuit, const char *source,
                                       const char *destination, struct ek_error *err)
{
    struct ek_circuit_entry *entry = find(circuit, source, destination);

    if (entry != NULL) {
        return entry;
    }
    if (circuit->count == circuit->room) {
        size_t room = circuit->room == 0 ? 8 : 2 * circuit->room;
        entry = realloc(circuit->entries, room * sizeof(*entry));
        if (entry == NULL) {
            (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a circuit");
            return NULL;
        }
        circuit->entries = entry;
        circuit->room = room;
    }
    entry = &circuit->entries[circuit->count++];
    memset(entry, 0, sizeof(*entry));
    (void)snprintf(entry->source, sizeof(entry->source), "%s", source);
    (void)snprintf(entry->destination, sizeof(entry->destination), "%s", destination);
    return entry;
}

/* The other end of the move, as a host's circuit sees it. */
static void note_other(struct ek_circuit_entry *entry, const char *other)
{
    entry->several = entry->several || (entry->failures > 0 && strcmp(entry->other, other) != 0);
    (void)snprintf(entry->other, sizeof(entry->other), "%s", other);
}

/* Longer with each failed trial. */
static void open_for(struct ek_circuit_entry *entry, const struct ek_policy *policy, int64_t now_ms)
{
    double wait_ms = (double)policy->circuit_open_ms * pow(2, entry->trips);

    entry->trips++;
    entry->until_ms = now_ms + (int64_t)fmin(wait_ms, (double)policy->circuit_open_max_ms);
    assert(entry->until_ms >= now_ms);
}

/* True: it opened. What was under way while it opened says nothing new. */
static bool count(struct ek_circuit_entry *entry, const struct ek_policy *policy, int64_t now_ms)
{
    enum ek_circuit_state state = ek_circuit_state(entry, now_ms);

    entry->failures += entry->failures < INT_MAX ? 1 : 0;
    entry->failed_at_ms = now_ms;
    if (state == EK_CIRCUIT_OPEN ||
        (state == EK_CIRCUIT_CLOSED &&
         (entry->failures < policy->circuit_failures || !entry->several))) {
        return false;
    }
    open_for(entry, policy, now_ms);
    return true;
}

bool ek_circuit_failed(struct ek_circuit *circuit, const struct ek_policy *policy,
                       const char *source, const char *destination, int64_t now_ms,
                       const struct ek_circuit_entry **opened, struct ek_error *err)
{
    const struct {
        const char *source;
        const char *destination;
        const char *other;
    } of[] = {{source, "", destination}, {"", destination, source}, {source, destination, NULL}};

    *opened = NULL;
    ek_circuit_expire(circuit, policy, now_ms);
    /* All three are there before the first is pointed to: the list may move as it grows. */
    for (size_t i = 0; i < 3; i++) {
        if (obtain(circuit, of[i].source, of[i].destination, err) == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        struct ek_circuit_entry *entry = find(circuit, of[i].source, of[i].destination);
        if (of[i].other == NULL) {
            entry->several = true;
        } else {
            note_other(entry, of[i].other);
        }
        if (count(entry, policy, now_ms) && *opened == NULL) {
            *opened = entry;
        }
    }
    return true;
}

static bool worked(struct ek_circuit *circuit, const char *source, const char *destination)
{
    struct ek_circuit_entry *entry = find(circuit, source, destination);

    if (entry == NULL) {
        return false;
    }
    bool tripped = entry->trips > 0;
    entry->failures = tripped ? 0 : entry->failures / 2;
    if (entry->failures == 0) {
        *entry = circuit->entries[--circuit->count];
    }
    return tripped;
}

bool ek_circuit_worked(struct ek_circuit *circuit, const char *source, const char *destination)
{
    bool pair = worked(circuit, source, destination);
    bool in = worked(circuit, "", destination);
    bool out = worked(circuit, source, "");

    return pair || in || out;
}

/* Whether a move between the two passes the circuit. */
static bool concerns(const struct ek_circuit_entry *entry, const char *source,
                     const char *destination)
{
    return (entry->source[0] == '\0' || strcmp(entry->source, source) == 0) &&
           (entry->destination[0] == '\0' || strcmp(entry->destination, destination) == 0);
}

const struct ek_circuit_entry *ek_circuit_block(const struct ek_circuit *circuit,
                                                const char *source, const char *destination,
                                                int64_t now_ms)
{
    for (size_t i = 0; circuit != NULL && i < circuit->count; i++) {
        const struct ek_circuit_entry *entry = &circuit->entries[i];
        if (ek_circuit_state(entry, now_ms) == EK_CIRCUIT_OPEN &&
            concerns(entry, source, destination)) {
            return entry;
        }
    }
    return NULL;
}

static void lower(int *limit, bool trial)
{
    int lowered = trial ? 1 : *limit / 2;

    *limit = lowered < 1 ? 1 : lowered;
}

void ek_circuit_lower(const struct ek_circuit *circuit, const struct ek_policy *policy,
                      const char *source, const char *destination, int64_t now_ms,
                      struct ek_circuit_limits *limits)
{
    for (size_t i = 0; circuit != NULL && i < circuit->count; i++) {
        const struct ek_circuit_entry *entry = &circuit->entries[i];
        bool trial = ek_circuit_state(entry, now_ms) == EK_CIRCUIT_TRIAL;
        bool shaky = 2 * entry->failures >= policy->circuit_failures;
        if ((!trial && !shaky) || !concerns(entry, source, destination)) {
            continue;
        }
        if (entry->destination[0] == '\0') {
            lower(&limits->out, trial);
        } else if (entry->source[0] == '\0') {
            lower(&limits->in, trial);
        } else {
            lower(&limits->pair, trial);
        }
    }
}

const char *ek_circuit_text(const struct ek_circuit_entry *entry, int64_t now_ms,
                            struct ek_arena *arena)
{
    const char *from = entry->source[0] == '\0' ? "all hosts" : entry->source;
    const char *to = entry->destination[0] == '\0' ? "all hosts" : entry->destination;

    if (ek_circuit_state(entry, now_ms) == EK_CIRCUIT_OPEN) {
        return ek_arena_printf(
            arena, "the circuit from %s to %s is open after %d failure%s (for another %.0f s)",
            from, to, entry->failures, ek_plural((size_t)entry->failures),
            (double)(entry->until_ms - now_ms) / 1000);
    }
    return ek_arena_printf(arena, "the circuit from %s to %s has had %d failure%s%s", from, to,
                           entry->failures, ek_plural((size_t)entry->failures),
                           entry->trips > 0 ? ", one move may try" : "");
}

void ek_circuit_expire(struct ek_circuit *circuit, const struct ek_policy *policy, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < circuit->count; i++) {
        struct ek_circuit_entry *entry = &circuit->entries[i];
        int64_t newest =
            entry->until_ms > entry->failed_at_ms ? entry->until_ms : entry->failed_at_ms;
        /* No circuit is opened for longer: the clock went back since, by a day perhaps. */
        if (entry->until_ms - now_ms > policy->circuit_open_max_ms) {
            entry->until_ms = now_ms + policy->circuit_open_max_ms;
        }
        if (now_ms - newest <= policy->circuit_window_ms) {
            circuit->entries[kept++] = *entry;
        }
    }
    assert(kept <= circuit->count);
    circuit->count = kept;
}

static int entry_cmp(const void *left, const void *right)
{
    const struct ek_circuit_entry *a = left;
    const struct ek_circuit_entry *b = right;
    int source = strcmp(a->source, b->source);

    return source != 0 ? source : strcmp(a->destination, b->destination);
}

size_t ek_circuit_export(const struct ek_circuit *circuit, struct ek_circuit_entry *out,
                         size_t room)
{
    size_t shown = circuit->count < room ? circuit->count : room;

    assert(out != NULL || room == 0);
    if (shown > 0) {
        memcpy(out, circuit->entries, shown * sizeof(*out));
        qsort(out, shown, sizeof(*out), entry_cmp);
    }
    return circuit->count;
}

bool ek_circuit_import(struct ek_circuit *circuit, const struct ek_circuit_entry *entry,
                       struct ek_error *err)
{
    struct ek_circuit_entry *kept = obtain(circuit, entry->source, entry->destination, err);

    if (kept != NULL) {
        *kept = *entry;
    }
    return kept != NULL;
}
