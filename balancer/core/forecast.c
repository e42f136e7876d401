/* Histories by domain: fed by each snapshot, asked for each plan. Small enough to be kept in memory
 * for 20,000 domains and written to the store in each cycle. */
#include "balancer/core/forecast.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Without this uthash ends the process when memory runs out; an entry that it could not keep is
 * marked instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

/* A guest can use its vCPUs and QEMU's own threads about as much again; more is a counter that was
 * read wrongly. */
#define MOST_PER_VCPU 2.0

/* Noise of fewer points is a guess. */
enum { NOISE_POINTS = 3 };

struct entry {
    struct ek_forecast_entry kept;
    bool lost; /* uthash had no memory to keep it */
    UT_hash_handle hh;
};

struct ek_forecast {
    struct entry *map;
    int64_t window_ms; /* of the points */
};

struct ek_forecast *ek_forecast_create(void)
{
    return calloc(1, sizeof(struct ek_forecast));
}

static void drop(struct ek_forecast *forecast, struct entry *entry)
{
    HASH_DEL(forecast->map, entry);
    free(entry);
}

void ek_forecast_destroy(struct ek_forecast *forecast)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    if (forecast == NULL) {
        return;
    }
    HASH_ITER(hh, forecast->map, entry, next)
    {
        drop(forecast, entry);
    }
    free(forecast);
}

/* ---- points -------------------------------------------------------------------------------- */

uint16_t ek_point_pack(double value)
{
    static_assert(sizeof(float) == sizeof(uint32_t), "a float has 32 bits");
    /* 1e30 and more is no figure of a guest; infinity would look like no point. */
    float narrow = (float)fmin(fmax(value, 0.0), 1e30);
    uint32_t bits = 0;

    memcpy(&bits, &narrow, sizeof(bits));
    /* Half of the last bit that stays is added: rounded, not cut. */
    return (uint16_t)((bits + (1U << 14)) >> 15);
}

double ek_point_unpack(uint16_t point)
{
    uint32_t bits = (uint32_t)point << 15;
    float value = 0;

    assert(point != EK_NO_POINT);
    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

static void clear_points(struct ek_history *history)
{
    for (int i = 0; i < EK_FORECAST_POINTS; i++) {
        history->points[i] = EK_NO_POINT;
    }
    history->count = 0;
}

/* The known points, newest first; returns how many. */
static int known_points(const struct ek_history *history, double out[EK_FORECAST_POINTS])
{
    int count = 0;

    for (int i = 0; i < EK_FORECAST_POINTS; i++) {
        if (history->points[i] != EK_NO_POINT) {
            out[count++] = ek_point_unpack(history->points[i]);
        }
    }
    return count;
}

/* Time passes: what was the newest point is now `parts` further back. */
static void shift(struct ek_history *history, int64_t parts)
{
    if (parts <= 0) {
        return;
    }
    for (int64_t i = EK_FORECAST_POINTS - 1; i >= 0; i--) {
        history->points[i] = i >= parts ? history->points[i - parts] : EK_NO_POINT;
    }
    history->count = 0;
}

static void add(struct ek_history *history, enum ek_resource resource, double value,
                double old_part)
{
    double points[EK_FORECAST_POINTS];
    /* After a gap the mean begins anew, as the points do. */
    bool first = known_points(history, points) == 0;
    double newest = history->count > 0 ? ek_point_unpack(history->points[0]) : value;

    assert(value >= 0 && old_part >= 0 && old_part <= 1);
    history->mean =
        (float)(first ? value : old_part * (double)history->mean + (1 - old_part) * value);
    history->count = history->count < UINT8_MAX ? (uint8_t)(history->count + 1) : UINT8_MAX;
    /* Memory is what must fit: its peaks count, and not what they are on the average. */
    newest =
        resource == EK_MEMORY ? fmax(newest, value) : newest + (value - newest) / history->count;
    history->points[0] = ek_point_pack(newest);
}

/* ---- samples in ---------------------------------------------------------------------------- */

/* The domain's entry, made if there is none; NULL: out of memory. */
static struct ek_forecast_entry *obtain(struct ek_forecast *forecast, const char *domain,
                                        bool *fresh, struct ek_error *err)
{
    struct entry *entry = NULL;

    assert(strlen(domain) < sizeof(entry->kept.domain)); /* ek_snapshot_check() sees to it */
    HASH_FIND_STR(forecast->map, domain, entry);
    *fresh = entry == NULL;
    if (entry != NULL) {
        return &entry->kept;
    }
    entry = calloc(1, sizeof(*entry));
    if (entry != NULL) {
        memcpy(entry->kept.domain, domain, strlen(domain));
        HASH_ADD_STR(forecast->map, kept.domain, entry);
    }
    if (entry == NULL || entry->lost) {
        free(entry);
        (void)ek_error_set(err, EK_ERR_NOMEM, "out of memory for a forecast");
        return NULL;
    }
    for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
        clear_points(&entry->kept.history[r]);
    }
    return &entry->kept;
}

/* NAN: the sample has no figure. */
static double figure(const struct ek_domain *domain, enum ek_resource resource)
{
    double value = ek_demand_sampled(domain, resource);

    return resource == EK_CPU && !isnan(value) ? fmin(value, MOST_PER_VCPU * domain->vcpus) : value;
}

/* The part of the window that a time falls into; parts lie on a grid of their own width. */
static int64_t part_of(int64_t at_ms, int64_t window_ms)
{
    int64_t width_ms = window_ms / (EK_FORECAST_POINTS - 1);

    return at_ms / (width_ms > 0 ? width_ms : 1);
}

/* Takes one sample in, which was taken at `at_ms`. */
static void see(struct ek_forecast_entry *entry, const struct ek_policy *policy,
                const struct ek_domain *domain, int64_t at_ms)
{
    int64_t window_ms = policy->forecast_window_ms;
    int64_t since_ms = at_ms - entry->at_ms;
    int64_t parts = part_of(at_ms, window_ms) - part_of(entry->at_ms, window_ms);
    double half_life_ms = (double)policy->forecast_half_life_ms;

    assert(window_ms > 0 && at_ms != entry->at_ms);
    /* What is older than the window says nothing, and what seems to be younger by so much was told
     * by a clock that was wrong. */
    parts = since_ms > window_ms || since_ms < -window_ms ? EK_FORECAST_POINTS : parts;
    double old_part =
        half_life_ms > 0 ? pow(2, -(double)(since_ms > 0 ? since_ms : 0) / half_life_ms) : 0;
    for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
        double value = figure(domain, (enum ek_resource)r);
        shift(&entry->history[r], parts);
        if (!isnan(value)) {
            add(&entry->history[r], (enum ek_resource)r, value, old_part);
        }
    }
    entry->at_ms = at_ms;
}

/* ---- outlooks out -------------------------------------------------------------------------- */

/* From sample to sample, in their order; 0: too few of them. */
static double noise_of(const double *points, int count)
{
    double squares = 0;

    for (int i = 1; i < count; i++) {
        squares += (points[i] - points[i - 1]) * (points[i] - points[i - 1]);
    }
    return count < NOISE_POINTS ? 0.0 : sqrt(squares / (2.0 * (count - 1)));
}

/* Interpolated between ranks, so that a percentile is no jump from one sample to the next. Sorts
 * the points. */
static double percentile_of(double *points, int count, double percentile)
{
    double rank = percentile * (count - 1);
    int below = (int)floor(rank);

    for (int i = 1; i < count; i++) {
        double value = points[i];
        int at = i;
        for (; at > 0 && points[at - 1] > value; at--) {
            points[at] = points[at - 1];
        }
        points[at] = value;
    }
    assert(below >= 0 && below < count);
    return below + 1 < count ? points[below] + (rank - below) * (points[below + 1] - points[below])
                             : points[below];
}

/* Of CPU the mean, to which peaks() adds; of memory the peak itself. *excess: how far the CPU peak
 * is above the mean. */
static struct ek_outlook outlook_of(const struct ek_history *history, enum ek_resource resource,
                                    const struct ek_policy *policy, double *excess)
{
    double points[EK_FORECAST_POINTS];
    int count = known_points(history, points);

    *excess = 0;
    if (count == 0) {
        return (struct ek_outlook){.known = false};
    }
    struct ek_outlook outlook = {.known = true, .noise = noise_of(points, count)};
    if (resource == EK_MEMORY) {
        outlook.demand = percentile_of(points, count, 1);
    } else {
        outlook.demand = (double)history->mean;
        *excess =
            fmax(0, percentile_of(points, count, policy->forecast_percentile) - outlook.demand);
    }
    return outlook;
}

/* What one snapshot's peaks are worked out with. */
struct peaks {
    double *excess;  /* per domain: cores above its mean; 0 where the snapshot brought an outlook */
    double *squares; /* per host: the sum of their squares */
    struct ek_arena arena;
};

static bool peaks_init(struct peaks *peaks, const struct ek_snapshot *snapshot,
                       struct ek_error *err)
{
    *peaks = (struct peaks){.excess = NULL};
    peaks->excess = ek_arena_alloc(&peaks->arena, snapshot->domain_count, sizeof(double));
    peaks->squares = ek_arena_alloc(&peaks->arena, snapshot->host_count, sizeof(double));
    if (peaks->excess == NULL || peaks->squares == NULL) {
        ek_arena_finish(&peaks->arena);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for forecasts");
    }
    return true;
}

static void tell(const struct ek_forecast_entry *entry, const struct ek_policy *policy,
                 struct ek_domain *domain, struct peaks *peaks, double *excess)
{
    double none = 0;

    if (!domain->cpu_outlook.known) {
        domain->cpu_outlook = outlook_of(&entry->history[EK_CPU], EK_CPU, policy, excess);
        peaks->squares[domain->host] += *excess * *excess;
    }
    if (!domain->memory_outlook.known) {
        domain->memory_outlook = outlook_of(&entry->history[EK_MEMORY], EK_MEMORY, policy, &none);
    }
}

/* Each domain bears its share of its host's peak, so that demands still add up: means add as they
 * are, what lies above them as a root of squares, since domains do not peak at the same moment. A
 * domain alone has all of its own peak. */
static void share_peaks(const struct peaks *peaks, struct ek_snapshot *snapshot)
{
    for (size_t d = 0; d < snapshot->domain_count; d++) {
        struct ek_domain *domain = &snapshot->domains[d];
        double excess = peaks->excess[d];
        if (excess > 0) {
            domain->cpu_outlook.demand += excess * excess / sqrt(peaks->squares[domain->host]);
        }
    }
}

/* ---- whole --------------------------------------------------------------------------------- */

/* Points are parts of a window: those of another one cannot be told apart in time. */
static void rewindow(struct ek_forecast *forecast, int64_t window_ms)
{
    for (struct entry *entry = forecast->map; forecast->window_ms != window_ms && entry != NULL;
         entry = entry->hh.next) {
        for (int r = 0; r < EK_RESOURCE_FURTHER; r++) {
            clear_points(&entry->kept.history[r]);
        }
    }
    forecast->window_ms = window_ms;
}

static void expire(struct ek_forecast *forecast, int64_t now_ms)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;

    HASH_ITER(hh, forecast->map, entry, next)
    {
        int64_t away_ms = now_ms - entry->kept.at_ms;
        if (away_ms > forecast->window_ms || away_ms < -forecast->window_ms) {
            drop(forecast, entry);
        }
    }
}

/* The domain's history with its newest sample taken in; NULL: out of memory. */
static const struct ek_forecast_entry *follow(struct ek_forecast *forecast,
                                              const struct ek_policy *policy,
                                              const struct ek_snapshot *snapshot,
                                              const struct ek_domain *domain, struct ek_error *err)
{
    const struct ek_host *host = &snapshot->hosts[domain->host];
    int64_t at_ms = host->sampled_at_ms != 0 ? host->sampled_at_ms : snapshot->taken_at_ms;
    bool fresh = false;
    struct ek_forecast_entry *entry = obtain(forecast, domain->uuid, &fresh, err);

    /* Cycles may come faster than samples; each sample counts once. */
    if (entry != NULL && (fresh || at_ms != entry->at_ms)) {
        entry->at_ms = fresh ? at_ms - 1 : entry->at_ms;
        see(entry, policy, domain, at_ms);
    }
    return entry;
}

bool ek_forecast_apply(struct ek_forecast *forecast, const struct ek_policy *policy,
                       struct ek_snapshot *snapshot, struct ek_error *err)
{
    struct peaks peaks;
    bool ok = true;

    if (policy->forecast_window_ms <= 0) {
        return true;
    }
    if (!peaks_init(&peaks, snapshot, err)) {
        return false;
    }
    rewindow(forecast, policy->forecast_window_ms);
    expire(forecast, snapshot->taken_at_ms);
    for (size_t d = 0; ok && d < snapshot->domain_count; d++) {
        struct ek_domain *domain = &snapshot->domains[d];
        const struct ek_forecast_entry *entry = follow(forecast, policy, snapshot, domain, err);
        ok = entry != NULL;
        if (ok) {
            tell(entry, policy, domain, &peaks, &peaks.excess[d]);
        }
    }
    if (ok) {
        share_peaks(&peaks, snapshot);
    }
    ek_arena_finish(&peaks.arena);
    return ok;
}

/* ---- over a restart ------------------------------------------------------------------------ */

/* By UUID: the hash's own order changes with insertion. */
static int entry_cmp(const void *left, const void *right)
{
    return strcmp(((const struct ek_forecast_entry *)left)->domain,
                  ((const struct ek_forecast_entry *)right)->domain);
}

size_t ek_forecast_export(const struct ek_forecast *forecast, int64_t *window_ms,
                          struct ek_forecast_entry *out, size_t room)
{
    size_t count = 0;

    assert(out != NULL || room == 0);
    *window_ms = forecast->window_ms;
    for (const struct entry *entry = forecast->map; entry != NULL; entry = entry->hh.next) {
        if (count < room) {
            out[count] = entry->kept;
        }
        count++;
    }
    if (room > 0) {
        qsort(out, count < room ? count : room, sizeof(*out), entry_cmp);
    }
    return count;
}

bool ek_forecast_import(struct ek_forecast *forecast, int64_t window_ms,
                        const struct ek_forecast_entry *entry, struct ek_error *err)
{
    bool fresh = false;
    struct ek_forecast_entry *kept = obtain(forecast, entry->domain, &fresh, err);

    if (kept != NULL) {
        *kept = *entry;
        forecast->window_ms = window_ms;
    }
    return kept != NULL;
}
