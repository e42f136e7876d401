/* Utilization and imbalance over time, from the history in Redis, in steps.
 *
 * A step of a host is its last sample within it. Utilization is that of the samples as they were:
 * what a host used over what it has, or what its domains used together if that is more. */
#ifndef EK_HTTP_SERIES_H
#define EK_HTTP_SERIES_H

#include "balancer/config/config.h"
#include "balancer/core/utilization.h"
#include "balancer/http/silence.h"
#include "balancer/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum { EK_SERIES_STEPS = 120, EK_SERIES_HOSTS = 64, EK_SERIES_MAX_HOURS = 24 * 8 };

/* Where series are made: one at a time, apart from looks, since at 1,000 hosts they take longer. */
struct ek_series_desk {
    pthread_mutex_t mutex;
    const struct ek_config *config;
    struct ek_store *store;
    const atomic_bool *stopping; /* the endpoint is: nobody waits for a picture any more */
    struct ek_silence silence;
    char *text; /* of `hours` and all hosts, made at `made_ms`; NULL: none yet */
    long hours;
    int64_t made_ms; /* by the clock that stands never */
    int64_t cost_ms;
};

/* The store then belongs to the desk; `stopping` is borrowed. */
bool ek_series_open(struct ek_series_desk *desk, const struct ek_config *config,
                    struct ek_store *store, const atomic_bool *stopping, struct ek_error *err);
void ek_series_close(struct ek_series_desk *desk);

/* The newest `hours` of a host of the configuration, or of all hosts together (NULL), each of which
 * is listed while there are at most EK_SERIES_HOSTS: {"version", "from_ms", "step_ms", "imbalance":
 * {"cpu": [...]}, "mean": ..., "max": ..., "hosts": [{"name", "cpu": [...], "memory": [...]}]};
 * null where there is no sample. Malloc'ed for the caller; NULL with the reason. */
char *ek_series_write(struct ek_series_desk *desk, const char *host, long hours,
                      struct ek_error *err);

#endif
