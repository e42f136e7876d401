/* The daemon's clocks. */
#ifndef EK_DAEMON_CLOCK_H
#define EK_DAEMON_CLOCK_H

#include <stdint.h>

/* Unix milliseconds: the machine's time, which may be stepped. */
int64_t ek_clock_now_ms(void);

/* Unix milliseconds that never jump: the monotonic clock, anchored to the machine's time at the
 * first call. For durations and deadlines. */
int64_t ek_clock_steady_ms(void);

/* How far the machine's time is ahead of the one that never jumps: the same until it is stepped, so
 * that a record which is written again has the same times. */
int64_t ek_clock_drift_ms(void);

/* How many minutes local time is ahead of UTC at that time. */
int ek_clock_local_offset_min(int64_t time_ms);

#endif
