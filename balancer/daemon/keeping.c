#include "balancer/daemon/keeping.h"

#include <stdlib.h>

struct ek_keeping {
    struct ek_history_limits limits;
    int64_t interval_ms;
    int64_t slack_ms; /* so much early is in time: samples come by a timetable of their own */
    int64_t *kept_ms; /* per host, when the last one was taken; 0: none yet */
};

struct ek_keeping *ek_keeping_create(const struct ek_config *config)
{
    struct ek_keeping *keeping = calloc(1, sizeof(*keeping));
    int64_t *kept_ms = calloc(config->host_count, sizeof(*kept_ms));

    if (keeping == NULL || kept_ms == NULL) {
        free(kept_ms);
        free(keeping);
        return NULL;
    }
    *keeping = (struct ek_keeping){
        .limits = {.keep_ms = config->history_keep_ms,
                   .max_bytes = (int64_t)(config->history_host_mib * 1024 * 1024)},
        .interval_ms = config->history_interval_ms,
        .slack_ms = config->sample_ms / 2,
        .kept_ms = kept_ms,
    };
    return keeping;
}

void ek_keeping_destroy(struct ek_keeping *keeping)
{
    if (keeping != NULL) {
        free(keeping->kept_ms);
        free(keeping);
    }
}

bool ek_keeping_due(const struct ek_keeping *keeping, size_t host, int64_t taken_at_ms)
{
    int64_t since_ms = taken_at_ms - keeping->kept_ms[host];
    /* A clock that was set back must not stop it for as long. */
    bool due = since_ms >= keeping->interval_ms - keeping->slack_ms || since_ms < 0;

    return due && keeping->limits.keep_ms > 0;
}

void ek_keeping_kept(struct ek_keeping *keeping, size_t host, int64_t taken_at_ms)
{
    keeping->kept_ms[host] = taken_at_ms;
}

const struct ek_history_limits *ek_keeping_limits(const struct ek_keeping *keeping)
{
    return &keeping->limits;
}
