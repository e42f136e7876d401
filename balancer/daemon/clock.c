#include "balancer/daemon/clock.h"

#include <pthread.h>
#include <time.h>

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
