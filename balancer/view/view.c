/* The same steps as a cycle of the daemon (balancer/daemon/cycle.c), with one difference: the
 * daemon's engine remembers which moves ended lately, here the journal says so. */
#include "balancer/view/view.h"

#include "balancer/codec/plan.h"
#include "balancer/codec/status.h"
#include "balancer/codec/writer.h"
#include "balancer/view/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RECENT moves are looked at for those that no sample shows yet. */
enum { RECENT = 64, PERIODS_UNSEEN = 4, PERIOD_DEFAULT_MS = 15000 };

/* What is read, before it is a snapshot. */
struct gathered {
    const char **names;
    struct ek_sample *samples;
    bool *has;
    struct ek_move_record *recent;
    size_t recent_count;
    struct ek_known_move *moves;
    size_t move_count;
    struct ek_host_entry *entries;
};

__attribute__((format(printf, 2, 3))) static void warn(const struct ek_view_source *source,
                                                       const char *format, ...)
{
    char text[3 * EK_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    source->warn(source->context, text);
}

const char **ek_view_host_names(const struct ek_config *config, struct ek_arena *arena)
{
    const char **names = ek_arena_alloc(arena, config->host_count, sizeof(*names));

    for (size_t h = 0; names != NULL && h < config->host_count; h++) {
        names[h] = config->hosts[h].name;
    }
    return names;
}

/* One sentence for all: which of the lists did not fit helps nobody. */
static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory for the snapshot");
}

/* Samples come before the moves: a move that ends meanwhile is then found among the recent ones. */
static bool read_store(struct ek_view *view, const struct ek_view_source *source,
                       struct gathered *in, struct ek_error *err)
{
    size_t count = source->config->host_count;
    struct ek_store *store = source->store;
    char bad[EK_TEXT_SIZE] = "";

    in->names = ek_view_host_names(source->config, &view->arena);
    in->samples = ek_arena_alloc(&view->arena, count, sizeof(*in->samples));
    in->has = ek_arena_alloc(&view->arena, count, sizeof(*in->has));
    in->entries = ek_arena_alloc(&view->arena, count, sizeof(*in->entries));
    view->maintenance = ek_arena_alloc(&view->arena, count, sizeof(*view->maintenance));
    if (in->names == NULL || in->samples == NULL || in->has == NULL || in->entries == NULL ||
        view->maintenance == NULL) {
        return nomem(err);
    }
    bool done = ek_store_get_samples(store, in->names, count, in->samples, in->has, bad,
                                     sizeof(bad), err) &&
                ek_store_get_maintenance(store, in->names, count, view->maintenance, err) &&
                ek_store_open_moves(store, &view->open, &view->open_count, err) &&
                ek_store_recent_moves(store, RECENT, &in->recent, &in->recent_count, err);
    /* A sample that cannot be read costs its own host only: the others are shown. */
    if (bad[0] != '\0') {
        warn(source, "%s", bad);
    }
    return done;
}

/* A domain whose move ended within the last periods may still be sampled where it was, or where it
 * came in. */
static bool unseen(const struct ek_move_record *record, int64_t period_ms, int64_t at_ms)
{
    return ek_move_state_terminal(record->state) &&
           at_ms - record->updated_at_ms <= PERIODS_UNSEEN * period_ms;
}

static struct ek_known_move known(const struct ek_move_record *record, bool ended)
{
    return (struct ek_known_move){.domain = record->order.domain,
                                  .source = record->order.source,
                                  .destination = record->order.destination,
                                  .started_at_ms = record->started_at_ms,
                                  .ended_at_ms = ended ? record->updated_at_ms : 0,
                                  .failed = ended && record->state != EK_MOVE_DONE};
}

/* A move that ended between the two readings stands in both lists: it has ended. */
static bool ended_meanwhile(const struct gathered *in, const char *id)
{
    for (size_t i = 0; i < in->recent_count; i++) {
        if (strcmp(in->recent[i].order.id, id) == 0) {
            return ek_move_state_terminal(in->recent[i].state);
        }
    }
    return false;
}

static bool know_moves(struct ek_view *view, struct gathered *in, int64_t at_ms,
                       struct ek_error *err)
{
    int64_t period_ms = PERIOD_DEFAULT_MS;

    in->moves =
        ek_arena_alloc(&view->arena, view->open_count + in->recent_count, sizeof(*in->moves));
    if (in->moves == NULL) {
        return nomem(err);
    }
    for (size_t h = 0; h < view->snapshot.host_count; h++) {
        /* The longest counts: a move is remembered as long as any host could still show it. */
        int64_t of_host = view->snapshot.hosts[h].period_ms;
        period_ms = of_host > period_ms ? of_host : period_ms;
    }
    for (size_t i = 0; i < view->open_count; i++) {
        if (!ek_move_stops(view->open[i].order.kind) &&
            !ended_meanwhile(in, view->open[i].order.id)) {
            in->moves[in->move_count++] = known(&view->open[i], false);
        }
    }
    for (size_t i = 0; i < in->recent_count; i++) {
        if (!ek_move_stops(in->recent[i].order.kind) && unseen(&in->recent[i], period_ms, at_ms)) {
            in->moves[in->move_count++] = known(&in->recent[i], true);
        }
    }
    return true;
}

/* Only hosts with a sample are handed on; the list is closed up. */
static size_t close_up(struct gathered *in, size_t count)
{
    size_t kept = 0;

    for (size_t h = 0; h < count; h++) {
        if (in->has[h]) {
            struct ek_sample sample = in->samples[h];
            memset(&in->samples[h], 0, sizeof(sample));
            /* Moved, not copied: the place it came from is zeroed, so that it is not freed twice.
             */
            in->samples[kept++] = sample;
        }
    }
    return kept;
}

static void warn_copies(const struct ek_snapshot *snapshot, const struct ek_view_source *source)
{
    for (size_t i = 0; i < snapshot->copy_count; i++) {
        const struct ek_domain *domain = &snapshot->domains[snapshot->copies[i].domain];
        warn(source,
             "domain %s (%s) is reported by %s and by %s; it is left alone until one of "
             "them drops it",
             domain->name == NULL ? "" : domain->name, domain->uuid,
             snapshot->hosts[domain->host].name, snapshot->hosts[snapshot->copies[i].host].name);
    }
}

static bool assemble(struct ek_view *view, const struct ek_view_source *source, struct gathered *in,
                     struct ek_error *err)
{
    const struct ek_config *config = source->config;
    int64_t at_ms = ek_view_clock_ms(CLOCK_REALTIME);

    if (!know_moves(view, in, at_ms, err)) {
        return false;
    }
    for (size_t h = 0; h < config->host_count; h++) {
        /* In the order of evenkeel.yaml, which is the snapshot's: maintenance and samples are found
         * by the same index. */
        in->entries[h] =
            (struct ek_host_entry){.name = config->hosts[h].name,
                                   .labels = config->hosts[h].labels,
                                   .maintenance = view->maintenance[h].wanted,
                                   .partial = view->maintenance[h].partial,
                                   .deadline_ms = view->maintenance[h].deadline_ms,
                                   .migration_mib_s = config->hosts[h].migration_mib_s};
    }
    const struct ek_assembly assembly = {.hosts = in->entries,
                                         .host_count = config->host_count,
                                         .samples = in->samples,
                                         .sample_count = close_up(in, config->host_count),
                                         .moves = in->moves,
                                         .move_count = in->move_count,
                                         .now_ms = at_ms};
    if (!ek_snapshot_assemble(&view->snapshot, &assembly, err)) {
        return false;
    }
    warn_copies(&view->snapshot, source);
    /* The daemon checks, too, before it plans: what it would refuse is not shown as if it were
     * good. */
    return ek_snapshot_check(&view->snapshot, err);
}

/* Without the word of a collector the rest is shown all the same. */
static void read_unsampled(struct ek_view *view, struct ek_store *store)
{
    const struct ek_snapshot *snapshot = &view->snapshot;
    struct ek_error ignored;

    view->unsampled = ek_arena_alloc(&view->arena, snapshot->host_count, sizeof(*view->unsampled));
    for (size_t h = 0; view->unsampled != NULL && h < snapshot->host_count; h++) {
        char *json = NULL;
        if (snapshot->hosts[h].state != EK_HOST_UP &&
            ek_store_get_unsampled(store, snapshot->hosts[h].name, &json, &ignored) &&
            json != NULL &&
            !ek_codec_read_unsampled(&view->unsampled[h], json, strlen(json), "unsampled",
                                     &ignored)) {
            view->unsampled[h].at_ms = 0;
        }
        free(json);
    }
}

const struct ek_unsampled *ek_view_unsampled(const struct ek_view *view, size_t host)
{
    const struct ek_unsampled *it = view->unsampled == NULL ? NULL : &view->unsampled[host];

    /* One that is older than the newest sample explains nothing any more. */
    return it != NULL && it->at_ms > view->snapshot.hosts[host].sampled_at_ms ? it : NULL;
}

void ek_view_put_why_not_up(const struct ek_view *view, size_t host, struct ek_json_writer *writer)
{
    const struct ek_unsampled *it = ek_view_unsampled(view, host);

    if (it != NULL) {
        ek_json_put_text(writer, "error", it->error);
        ek_json_put_integer(writer, "error_at_ms", it->at_ms);
        ek_json_put_text(writer, "collector", it->collector);
    }
}

bool ek_view_read(struct ek_view *view, const struct ek_view_source *source, struct ek_error *err)
{
    struct gathered in = {.names = NULL};

    memset(view, 0, sizeof(*view));
    bool done = read_store(view, source, &in, err) && assemble(view, source, &in, err);
    for (size_t h = 0; in.samples != NULL && h < source->config->host_count; h++) {
        ek_sample_finish(&in.samples[h]);
    }
    if (done) {
        read_unsampled(view, source->store);
    }
    /* What the snapshot needed of it was copied; the open ones stay, for they are shown. */
    free(in.recent);
    if (!done) {
        ek_view_finish(view);
    }
    return done;
}

void ek_view_finish(struct ek_view *view)
{
    ek_snapshot_finish(&view->snapshot);
    free(view->open);
    ek_arena_finish(&view->arena);
    memset(view, 0, sizeof(*view));
}

bool ek_view_read_maintenance_status(struct ek_store *store, const char *host,
                                     struct ek_maintenance_status *out, bool *there,
                                     struct ek_arena *arena, struct ek_error *err)
{
    char *json = NULL;
    char name[EK_NAME_SIZE + 32];

    *there = false;
    if (!ek_store_get_maintenance_status(store, host, &json, err)) {
        return false;
    }
    if (json == NULL) {
        return true;
    }
    /* Messages name the key, as redis-cli would be asked for it. */
    (void)snprintf(name, sizeof(name), "maintenance-status:%s", host);
    *there = ek_codec_read_maintenance_status(out, arena, json, strlen(json), name, err);
    out->host = host;
    free(json);
    return *there;
}

bool ek_view_read_balancer(struct ek_store *store, struct ek_balancer_status *out, bool *there,
                           struct ek_error *err)
{
    char *json = NULL;

    *there = false;
    if (!ek_store_get_status(store, "balancer", &json, err)) {
        return false;
    }
    if (json == NULL) {
        return true;
    }
    /* No status means that no balancer runs: it writes one with a time to live of a few cycles. */
    *there = ek_codec_read_status(out, json, strlen(json), "status:balancer", err);
    free(json);
    return *there;
}
