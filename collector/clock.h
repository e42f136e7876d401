/* The collector's two clocks: monotonic for intervals, real time for stamps. */
#ifndef EK_COLLECTOR_CLOCK_H
#define EK_COLLECTOR_CLOCK_H

#include <stdint.h>
#include <time.h>

#define EK_NS_PER_MS INT64_C(1000000)
#define EK_NS_PER_S INT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC: jumps of the wall clock do not touch it. */
static inline int64_t ek_monotonic_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * EK_NS_PER_S + now.tv_nsec;
}

/* Unix milliseconds. */
static inline int64_t ek_unix_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / EK_NS_PER_MS;
}

/* A point of time in nanoseconds as the struct that timed waits want. */
static inline struct timespec ek_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / EK_NS_PER_S), .tv_nsec = ns % EK_NS_PER_S};
}

#endif
