/* Work for each of many hosts at the end, when nobody may wait for long: in parallel, and what
 * hangs is left behind. */
#ifndef EK_COLLECTOR_FAREWELL_H
#define EK_COLLECTOR_FAREWELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ek_farewell_work {
    size_t count;
    /* Called once for each of 0 to count - 1, from several threads at once; may hang. */
    void (*each)(void *context, size_t index);
    /* Called once after all of these, by whichever thread is the last. */
    void (*finish)(void *context);
    void *context;
};

/* Waits up to `wait_ms`. False: some hang still; `finish` comes when they end, if the process lives
 * that long. Without memory or threads the caller's thread does it all. */
bool ek_farewell(const struct ek_farewell_work *work, int64_t wait_ms);

#endif
