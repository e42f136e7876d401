/* Migrations that are not ours: an operator's virsh, Pacemaker, another tool. They count against
 * our limits while they run, and their domain rests afterwards as if we had moved it: whoever moved
 * it had a reason, and must not find it back at once. */
#include "balancer/core/engine/engine_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A domain that no sample shows is waited for this long, then forgotten: eight periods of the
 * default collector. What then appears elsewhere was started, not moved. */
#define LOST_MS 120000

/* ---- while they run ------------------------------------------------------------------------ */

/* A domain that samples show in flight, and none of our moves. */
static bool is_foreign(const struct ek_engine *engine, const struct ek_in_flight *flight)
{
    if (flight->domain == EK_NONE) {
        return false; /* a move of ours that ended, until a sample shows its domain */
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        if (strcmp(engine->running[i].order.domain,
                   engine->snapshot.domains[flight->domain].uuid) == 0) {
            return false;
        }
    }
    return true;
}

struct ek_foreign_load ek_engine_foreign_load(const struct ek_engine *engine, const char *source,
                                              const char *destination)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    struct ek_foreign_load load = {0};

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (is_foreign(engine, flight)) {
            load.all++;
            load.out += strcmp(snapshot->hosts[flight->source].name, source) == 0 ? 1 : 0;
            load.in += strcmp(snapshot->hosts[flight->destination].name, destination) == 0 ? 1 : 0;
        }
    }
    return load;
}

size_t ek_engine_foreign_moves(const struct ek_engine *engine, struct ek_known_move *out,
                               size_t room)
{
    const struct ek_snapshot *snapshot = &engine->snapshot;
    size_t count = 0;

    for (size_t f = 0; f < snapshot->in_flight_count; f++) {
        const struct ek_in_flight *flight = &snapshot->in_flight[f];
        if (!is_foreign(engine, flight)) {
            continue;
        }
        if (count < room) {
            out[count] =
                (struct ek_known_move){.domain = snapshot->domains[flight->domain].uuid,
                                       .source = snapshot->hosts[flight->source].name,
                                       .destination = snapshot->hosts[flight->destination].name,
                                       .started_at_ms = flight->started_at_ms,
                                       .foreign = true};
        }
        count++;
    }
    return count;
}

/* ---- when they have ended ------------------------------------------------------------------ */

/* "2026-12-01T18:00:00Z": people read when it ends, not for how many seconds it goes on. Days since
 * 1970 to a date by counting years from March, so that the leap day is the last (Hinnant). */
static void write_time(int64_t ms, char *out, size_t size)
{
    int64_t seconds = ms / 1000 % 86400;
    int64_t days = ms / 1000 / 86400 + 719468;
    int64_t era = days / 146097;
    int64_t of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march = (5 * of_year + 2) / 153;
    int64_t month = march < 10 ? march + 3 : march - 9;

    assert(ms >= 0);
    (void)snprintf(
        out, size,
        "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 "Z",
        era * 400 + year + (month <= 2 ? 1 : 0), month, of_year - (153 * march + 2) / 5 + 1,
        seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/* Where a move of ours may have put it: one that runs, one that ended lately, one whose end is not
 * known. */
static bool is_ours(const struct ek_engine *engine, const char *domain)
{
    const struct ek_rest *rest = ek_cooldown_find(engine->cooldown, domain);
    bool ours = rest != NULL && rest->blocked;

    for (size_t i = 0; i < engine->running_count; i++) {
        ours = ours || strcmp(engine->running[i].order.domain, domain) == 0;
    }
    for (size_t i = 0; i < engine->recent_count; i++) {
        const struct ek_outcome *outcome = &engine->recent[i].outcome;
        ours = ours || (outcome->state == EK_MOVE_DONE && strcmp(outcome->domain, domain) == 0);
    }
    return ours;
}

/* Rates right after it would be guesses, as after a move of ours. */
static bool note_arrival(struct ek_engine *engine, const struct ek_domain *domain,
                         const char *source, const char *destination, int64_t now_ms,
                         struct ek_effects *effects, struct ek_error *err)
{
    char until[64];

    if (!ek_cooldown_displaced(engine->cooldown, &engine->policy, domain->uuid, now_ms, err)) {
        return false;
    }
    engine->last_end_ms = now_ms;
    const struct ek_rest *rest = ek_cooldown_find(engine->cooldown, domain->uuid);
    assert(rest != NULL);
    write_time(rest->until_ms, until, sizeof(until));
    return ek_effect_event(effects, "foreign", domain->uuid, err,
                           "%s was moved from %s to %s by somebody else; it rests until %s",
                           domain->name == NULL ? domain->uuid : domain->name, source, destination,
                           until);
}

/* Where the domain was, NULL: not known. Ticks it off, so that it does not count as lost. */
static const char *host_before(struct ek_engine *engine, const char *uuid, bool *seen,
                               int64_t now_ms)
{
    const struct ek_snapshot *before = &engine->snapshot;
    uint32_t index = ek_snapshot_find_uuid(before, uuid);
    const char *host = NULL;

    if (index != EK_NONE) {
        seen[index] = true;
        host = before->domains[index].incoming ? NULL
                                               : before->hosts[before->domains[index].host].name;
    }
    for (size_t i = 0; i < engine->lost_count; i++) {
        if (strcmp(engine->lost[i].domain, uuid) == 0) {
            engine->lost[i].found = true;
            bool lately = now_ms - engine->lost[i].seen_at_ms <= LOST_MS;
            host = host == NULL && lately ? engine->lost[i].host : host;
        }
    }
    return host;
}

static bool lost_add(struct ek_lost *list, size_t *count, struct ek_arena *arena,
                     const char *domain, const char *host, int64_t seen_at_ms)
{
    struct ek_lost *lost = &list[(*count)++];

    *lost = (struct ek_lost){.domain = ek_arena_strdup(arena, domain),
                             .host = ek_arena_strdup(arena, host),
                             .seen_at_ms = seen_at_ms};
    return lost->domain != NULL && lost->host != NULL;
}

/* A migration that is over before the destination is sampled again leaves its domain on neither
 * host for a while. */
static bool remember_lost(struct ek_engine *engine, const bool *seen, int64_t now_ms,
                          struct ek_error *err)
{
    const struct ek_snapshot *before = &engine->snapshot;
    struct ek_arena arena = {0};
    struct ek_lost *list =
        ek_arena_alloc(&arena, before->domain_count + engine->lost_count, sizeof(*list));
    bool ok = list != NULL;
    size_t count = 0;

    for (size_t d = 0; ok && d < before->domain_count; d++) {
        const struct ek_domain *domain = &before->domains[d];
        if (!seen[d] && !domain->incoming) {
            ok = lost_add(list, &count, &arena, domain->uuid, before->hosts[domain->host].name,
                          before->taken_at_ms);
        }
    }
    for (size_t i = 0; ok && i < engine->lost_count; i++) {
        const struct ek_lost *lost = &engine->lost[i];
        if (!lost->found && now_ms - lost->seen_at_ms <= LOST_MS) {
            ok = lost_add(list, &count, &arena, lost->domain, lost->host, lost->seen_at_ms);
        }
    }
    if (!ok) {
        ek_arena_finish(&arena);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the domains that are not seen");
    }
    ek_arena_finish(&engine->lost_arena);
    engine->lost_arena = arena;
    engine->lost = list;
    engine->lost_count = count;
    return true;
}

bool ek_engine_note_foreign(struct ek_engine *engine, const struct ek_snapshot *next,
                            struct ek_effects *effects, struct ek_error *err)
{
    struct ek_arena scratch = {0};
    bool *seen = ek_arena_alloc(&scratch, engine->snapshot.domain_count, sizeof(*seen));
    bool ok = seen != NULL || ek_error_set(err, EK_ERR_NOMEM, "out of memory for the domains");

    for (size_t d = 0; ok && d < next->domain_count; d++) {
        const struct ek_domain *domain = &next->domains[d];
        const char *to = next->hosts[domain->host].name;
        /* One that is only seen to come in may still go back. */
        const char *from =
            domain->incoming ? NULL : host_before(engine, domain->uuid, seen, next->taken_at_ms);
        if (from != NULL && strcmp(from, to) != 0 && !is_ours(engine, domain->uuid)) {
            ok = note_arrival(engine, domain, from, to, next->taken_at_ms, effects, err);
        }
    }
    ok = ok && remember_lost(engine, seen, next->taken_at_ms, err);
    ek_arena_finish(&scratch);
    return ok;
}
