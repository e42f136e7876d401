/* Forecasts: what each domain is expected to want, from a short history of its samples.
 *
 *     mean = half-life average of all samples; points = EK_FORECAST_POINTS equal parts of the
 * window, of CPU each part's mean, of memory its largest sample CPU demand = max(mean, percentile
 * of the points), memory demand = largest point noise = sqrt(sum of (point - next point)^2 / (2 *
 * pairs))
 *
 * Percentiles do not add up: twenty domains that each peak a tenth of the time do not peak
 * together. So a host's demand is the sum of the means and the root of the summed squares of what
 * lies above them, and each domain bears its share of it; one alone on a host bears its whole peak.
 *
 * The noise is von Neumann's estimate of a standard deviation (Annals of Mathematical Statistics
 * 12, 1941): equal to the usual one for what jumps about a level, and little moved by a level that
 * changes once, which is news and no noise.
 *
 * Times are Unix milliseconds of the samples, by their collectors' clocks. A gap longer than the
 * window, forwards or back, forgets a domain's history; a shorter step back costs nothing. A sample
 * without a figure leaves the history as it is, so that a domain that moves keeps it. */
#ifndef EK_CORE_FORECAST_H
#define EK_CORE_FORECAST_H

#include "balancer/core/move.h"
#include "balancer/core/policy.h"

/* One each minute of the default window, and one that is being filled. */
enum { EK_FORECAST_POINTS = 16 };

/* No sample fell into that part of the window. */
#define EK_NO_POINT UINT16_MAX

struct ek_history {
    float mean;
    uint8_t count;                       /* samples in the newest point; stays at 255 */
    uint16_t points[EK_FORECAST_POINTS]; /* newest first; see ek_point_pack */
};

/* One domain's history, for keeping. */
struct ek_forecast_entry {
    char domain[EK_UUID_SIZE];
    int64_t at_ms; /* of its newest sample */
    struct ek_history history[EK_RESOURCE_FURTHER];
};

struct ek_forecast;

/* NULL: out of memory. Destroy takes NULL. */
struct ek_forecast *ek_forecast_create(void);
void ek_forecast_destroy(struct ek_forecast *forecast);

/* Takes in every domain's sample, once however often it is shown, forgets who was not seen within
 * the window, and writes the outlooks into the snapshot. Outlooks that the snapshot brings along
 * are kept: it is a record of what was expected. Does nothing when the policy's window is 0. Error:
 * NOMEM. About 1 us for each domain. */
bool ek_forecast_apply(struct ek_forecast *forecast, const struct ek_policy *policy,
                       struct ek_snapshot *snapshot, struct ek_error *err);

/* All histories, by UUID: fills at most `room`, returns how many there are. *window_ms is what
 * their points are parts of. */
size_t ek_forecast_export(const struct ek_forecast *forecast, int64_t *window_ms,
                          struct ek_forecast_entry *out, size_t room);

/* Puts a kept history back; points of another window than the policy's are dropped when they are
 * next used. Error: NOMEM. */
bool ek_forecast_import(struct ek_forecast *forecast, int64_t window_ms,
                        const struct ek_forecast_entry *entry, struct ek_error *err);

/* A figure in 16 bits, off by 0.2 % at most: the upper bits of a float without its sign. Below 0
 * counts as 0. */
uint16_t ek_point_pack(double value);
double ek_point_unpack(uint16_t point);

#endif
