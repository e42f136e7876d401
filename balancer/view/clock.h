/* A clock of the system in milliseconds, for whoever shows or waits. */
#ifndef EK_VIEW_CLOCK_H
#define EK_VIEW_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_REALTIME: Unix time, as samples and records are stamped with it; CLOCK_MONOTONIC: for
 * waiting and for ages, since nobody sets it. */
static inline int64_t ek_view_clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
