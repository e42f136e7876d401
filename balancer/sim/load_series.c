/* Recorded load: the newest point that is not later than the time asked about. */
#include "balancer/sim/load_series.h"

#include <assert.h>
#include <math.h>

/* How many points are not later than that. */
static size_t passed(const struct ek_load_track *track, int64_t at_ms)
{
    size_t low = 0;
    size_t high = track->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (track->points[middle].at_ms <= at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void want(const void *context, uint32_t domain, int64_t at_ms, struct ek_load_want *out)
{
    const struct ek_load_series *series = context;
    assert(domain < series->track_count && at_ms >= 0);
    const struct ek_load_track *track = &series->tracks[domain];
    int64_t round_ms = series->repeat_ms > 0 ? at_ms - at_ms % series->repeat_ms : 0;
    size_t count = passed(track, at_ms - round_ms);
    int64_t end_ms = series->repeat_ms > 0 ? series->repeat_ms : INT64_MAX;

    *out = (struct ek_load_want){.memory_mib = NAN, .dirty_mib_s = NAN};
    if (count > 0) {
        const struct ek_load_point *point = &track->points[count - 1];
        out->cpu_cores = (double)point->cpu_cores;
        out->memory_mib = (double)point->memory_mib;
    }
    /* A point behind the round's end is never reached. */
    if (count < track->count && track->points[count].at_ms < end_ms) {
        end_ms = track->points[count].at_ms;
    }
    out->until_ms = end_ms == INT64_MAX ? INT64_MAX : round_ms + end_ms;
}

struct ek_load ek_load_series(const struct ek_load_series *series)
{
    return (struct ek_load){.want = want, .context = series};
}
