/* Readings of one host to its SAMPLEs: the figures of a reading, the rates since the one before. */
#ifndef EK_COLLECTOR_SAMPLER_H
#define EK_COLLECTOR_SAMPLER_H

#include "balancer/core/snapshot.h"
#include "collector/sampling/rates.h"

/* Embedded; owned by one thread at a time. */
struct ek_sampler {
    const char *host;      /* its name; the caller's */
    const char *collector; /* "hostname:pid"; the caller's */
    int64_t period_ms;
    struct ek_rates rates;
};

void ek_sampler_init(struct ek_sampler *sampler, const char *host, const char *collector,
                     int64_t period_ms);

/* Makes the sample of a reading. The reading's arena moves into the sample, whose strings point
 * into it: the reading is empty afterwards, also on error. The domain's memory_used_mib is what its
 * guest uses by its own report, NAN without a fresh one. Error: NOMEM. The caller owns *out:
 * ek_sample_finish. */
bool ek_sampler_take(struct ek_sampler *sampler, struct ek_reading *reading, struct ek_sample *out,
                     struct ek_error *err);

void ek_sampler_finish(struct ek_sampler *sampler);

#endif
