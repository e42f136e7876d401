/* Jobs in threads that may hang for good: many at once, each with a limit on its time. Who exceeds
 * it is left behind, and somebody else goes on with what is left. */
#ifndef EK_COLLECTOR_CREW_H
#define EK_COLLECTOR_CREW_H

#include "balancer/core/error.h"

#include <stdbool.h>
#include <stddef.h>

struct ek_crew_jobs {
    size_t count;
    size_t most;   /* at once; those that were left behind are not counted */
    int limit_ms;  /* for each */
    void *context; /* owned by the crew, since a thread that was left may still use it */
    void (*work)(void *context, size_t job);
    void (*release)(void *context); /* when the last thread has ended, and the call has, too */

    /* In the calling thread, when the job has ended or was left; what a job that was left writes
     * must not be read. NULL: nobody is told. */
    void (*ended)(void *watcher, void *context, size_t job, bool left);
    void *watcher;
};

/* Back when every job has ended or was left. Errors: NOMEM, IO (not one thread can be had); jobs
 * that were not begun are told of as left. */
bool ek_crew_run(const struct ek_crew_jobs *jobs, struct ek_error *err);

/* How many threads of the process, of whatever crew, were left behind and have not come back. While
 * there is one, the process must not end by exit() or a return of main(), which take libraries down
 * under it: after what is to be written is flushed, _exit(). */
size_t ek_crew_left_behind(void);

#endif
