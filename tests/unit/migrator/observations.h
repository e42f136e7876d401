/* Every observation that there is of one end, by number: for laws that must hold over all pairs.
 * The move is "plan-7-1"; an end either bears its mark or none. */
#ifndef EK_TESTS_OBSERVATIONS_H
#define EK_TESTS_OBSERVATIONS_H

#include "migrator/hypervisor.h"

#include <stdio.h>

enum { RUNS = EK_RUN_SHUTOFF_OTHER + 1, JOBS = EK_JOB_NOT_KNOWN + 1 };
enum { OBSERVATIONS = 4 * RUNS * JOBS * 2 * 2 };

static inline struct ek_observation observation(unsigned int index)
{
    struct ek_observation out = {0};

    out.presence = (enum ek_presence)(index % 4);
    index /= 4;
    out.run = (enum ek_run_state)(index % RUNS);
    index /= RUNS;
    out.job = (enum ek_job)(index % JOBS);
    index /= JOBS;
    out.persistent = index % 2 == 0;
    out.attempt_known = index / 2 == 0;
    (void)snprintf(out.attempt_id, sizeof(out.attempt_id), "%s",
                   out.attempt_known ? "plan-7-1" : "");
    return out;
}

#endif
