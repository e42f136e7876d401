#include "balancer/daemon/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Two readings of two clocks are never quite of one moment: what differs by less is no step. */
enum { STEP_MS = 1000 };

static int64_t read_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ek_clock_now_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

static int64_t offset_ms;
static pthread_once_t anchored = PTHREAD_ONCE_INIT;

static void anchor(void)
{
    offset_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_MONOTONIC);
}

int64_t ek_clock_steady_ms(void)
{
    (void)pthread_once(&anchored, anchor);
    return read_ms(CLOCK_MONOTONIC) + offset_ms;
}

int64_t ek_clock_drift_ms(void)
{
    static _Atomic int64_t known_ms;
    int64_t drift_ms = ek_clock_now_ms() - ek_clock_steady_ms();
    int64_t before_ms = atomic_load(&known_ms);

    if (llabs(drift_ms - before_ms) < STEP_MS) {
        return before_ms;
    }
    atomic_store(&known_ms, drift_ms);
    return drift_ms;
}

int ek_clock_local_offset_min(int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local;
    struct tm utc;

    if (localtime_r(&seconds, &local) == NULL || gmtime_r(&seconds, &utc) == NULL) {
        return 0;
    }
    /* At most a day apart, over the end of a year, too. */
    int days =
        local.tm_year != utc.tm_year ? local.tm_year - utc.tm_year : local.tm_yday - utc.tm_yday;
    return (days * 24 + local.tm_hour - utc.tm_hour) * 60 + local.tm_min - utc.tm_min;
}
