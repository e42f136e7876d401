/* The HTTP endpoint: dashboard, API, metrics and health (docs/http.md).
 *
 * It runs on threads of its own, one per connection, and reads Redis over connections of its own:
 * the daemon's loop neither waits for it nor is waited for. All that it shows is in Redis, so that
 * a standby or a collector shows the same; all that it changes goes through Redis as well, as the
 * operator's command does it.
 *
 *   server.c   connections, limits, headers
 *   guard.c    who may ask for what
 *   routes.c   which path is whose
 *   look.c     one look at the cluster, shared by all who ask within a moment
 *   silence.c  a Redis that does not answer is left in peace for a second
 *   read.c     what GET answers
 *   change.c   what POST and DELETE do
 *   series.c   utilization over time, from the history
 *   metrics.c  all of it for Prometheus
 *   page/      the dashboard, embedded when the program is built */
#ifndef EK_HTTP_HTTP_H
#define EK_HTTP_HTTP_H

#include "balancer/config/config.h"
#include "balancer/core/move.h"
#include "balancer/store/store.h"

struct ek_http;

/* All pointers are borrowed until ek_http_stop(). */
struct ek_http_options {
    const struct ek_config *config;                      /* has http.address */
    const struct ek_policy *policy;                      /* in force; copied, but for its rules */
    struct ek_store *(*open_store)(const void *context); /* a new one; NULL: out of memory */
    const void *context;
    const char *redis_cli; /* how redis-cli reaches the same Redis */
    const char *identity;  /* "hostname:pid" */
    int64_t started_at_ms;
    void (*log)(enum ek_log_level level, const char *text); /* from any thread */
};

/* Listens; answers at once. Errors: UNAVAILABLE (the address is taken, or none of this machine's),
 * NOMEM. */
struct ek_http *ek_http_start(const struct ek_http_options *options, struct ek_error *err);

/* Ends all connections; waits for answers under way, at most as long as Redis may take. NULL is
 * fine. */
void ek_http_stop(struct ek_http *http);

/* Another policy has come into force: copied, but for its rules. Those of the one before
 * (malloc'ed; NULL: none) are freed when nobody has them any more; without an endpoint, at once. */
void ek_http_take_policy(struct ek_http *http, const struct ek_policy *policy,
                         struct ek_rules *retired);

/* A move of this process has ended: counted for /metrics. From any thread; NULL is fine. */
void ek_http_ended(struct ek_http *http, const struct ek_outcome *outcome);

#endif
