/* The policy: all that policy.yaml says, as plain data with its defaults.
 *
 * Which policy decides (`spread`, ...) is a kind; its code stands behind `struct ek_policy_ops` in
 * policies/. The structure can be copied by assignment; copies share the rules, whose owner keeps
 * them until no copy is in use. */
#ifndef EK_CORE_POLICY_H
#define EK_CORE_POLICY_H

#include "balancer/core/calendar.h"
#include "balancer/core/move.h"
#include "balancer/core/rules/rule.h"
#include "balancer/core/utilization.h"

#include <stdbool.h>
#include <stdint.h>

enum ek_policy_kind { EK_POLICY_SPREAD, EK_POLICY_HOTSPOT, EK_POLICY_PACK, EK_POLICY_KIND_COUNT };

enum ek_mode {
    EK_MODE_RECOMMEND, /* plans are recorded and shown; nothing moves, evacuations neither */
    EK_MODE_APPROVE,   /* plans wait for an operator's approval, evacuations do not */
    EK_MODE_AUTOMATIC, /* plans are carried out */
    EK_MODE_COUNT
};

/* What becomes of a plan when one of its moves ends badly. */
enum ek_on_plan_failure {
    EK_ON_FAILURE_REPLAN, /* what has not begun is dropped, and a new plan is made at once */
    EK_ON_FAILURE_REVERT, /* ... and the domains that the plan had moved are brought back */
    EK_ON_FAILURE_STOP,   /* ... and nothing is balanced until an operator resumes */
    EK_ON_FAILURE_COUNT
};

/* How much may be under way at once, and what it may take of the links (pace.h). */
struct ek_limits {
    int cluster;                     /* migrations at once, >= 1 */
    int host_in;                     /* >= 1 */
    int host_out;                    /* >= 1 */
    double bandwidth_per_host_mib_s; /* of migrations in one direction of a link; 0: all of it */
    double bandwidth_cluster_mib_s;  /* of all migrations; 0: unlimited */
};

struct ek_policy {
    enum ek_mode mode;
    int64_t approval_lapse_ms; /* a plan that nobody approved for so long is proposed no more */
    enum ek_policy_kind kind;
    int aggressiveness; /* 1..5; 1: maintenance only */

    struct ek_resources resources;      /* what is levelled; the arrays below follow its order */
    double weight[EK_RESOURCE_MAX];     /* >= 0 */
    double target_max[EK_RESOURCE_MAX]; /* 0..1 of capacity */

    double trigger_imbalance; /* 0..0.5, standard deviation of utilization */
    double trigger_comfort;   /* 0..1 */
    int sustained_cycles;     /* >= 1 */
    double min_gain;          /* 0..1, relative fall of the score by the whole plan */
    double noise_sigma;       /* >= 0: so many standard deviations are noise; 0: none is */
    double cost_weight;       /* score per (transfer_mib / memory_mib of all up hosts) */

    int64_t forecast_half_life_ms; /* of the mean of a domain's demand; 0: the newest sample */
    int64_t forecast_window_ms;    /* what the percentile is of; 0: no forecast at all */
    double forecast_percentile;    /* 0..1, of CPU demand within the window */

    double memory_overcommit; /* > 0 */
    double cpu_overcommit;    /* > 0 */
    double memory_reserve;    /* 0..1 of a host's memory that arrivals must leave free */
    int spare_hosts;          /* >= 0: the loss of so many hosts at once should be bearable */

    int64_t cooldown_ms;           /* a domain rests that long after a move */
    double cooldown_repeat_factor; /* >= 1: rest grows by this with each repeated move */

    int limit_cluster;               /* migrations at once, >= 1 */
    int limit_host_in;               /* >= 1 */
    int limit_host_out;              /* >= 1 */
    double bandwidth_per_host_mib_s; /* of migrations in one direction of a link; 0: all of it */
    double bandwidth_cluster_mib_s;  /* of all migrations; 0: unlimited */
    int moves_per_plan;              /* >= 1; evacuations are not limited by it */
    struct ek_limits urgent;         /* what an evacuation with a deadline may come to (pace.h) */

    int64_t timeout_min_ms;      /* a migration may take at least this ... */
    int64_t timeout_per_gib_ms;  /* ... or this for each GiB to copy, whichever is longer */
    int64_t progress_timeout_ms; /* without a new minimum of what remains: abort */
    int64_t max_downtime_ms;
    bool auto_converge;
    int retries;        /* attempts after the first on the same pair of hosts */
    int64_t backoff_ms; /* before the first retry; doubles, at most 5 minutes */
    bool post_copy;     /* a migration that does not converge ends in post-copy, not in an abort */
    bool tls;           /* guests' memory and disks travel encrypted */
    int parallel_connections;    /* >= 1: for one guest's memory */
    enum ek_two_step two_step;   /* see there */
    int64_t disk_grace_ms;       /* a copied disk stays on the source that long */
    int64_t shutdown_timeout_ms; /* a guest that an evacuation shuts down has that long */
    enum ek_on_plan_failure on_plan_failure;

    int circuit_failures;        /* >= 1: so many open a circuit (circuit.h) ... */
    int64_t circuit_open_ms;     /* ... for so long at first ... */
    int64_t circuit_open_max_ms; /* ... and at most */
    int64_t circuit_window_ms;   /* older failures are forgotten */

    struct ek_calendar calendar; /* when balancing may begin */

    const struct ek_rules *rules; /* borrowed; NULL: none */
};

/* The defaults of docs/configuration.md, aggressiveness 3. */
void ek_policy_defaults(struct ek_policy *policy);

/* Sets aggressiveness to a level 1..5, and trigger_imbalance, trigger_comfort, min_gain and
 * cost_weight to its presets. Level 1 gets thresholds that nothing exceeds; who balances still has
 * to ask for the level, because an overloaded host is a trigger of its own. */
void ek_policy_set_aggressiveness(struct ek_policy *policy, int level);

const char *ek_mode_name(enum ek_mode mode);
const char *ek_policy_kind_name(enum ek_policy_kind kind);
const char *ek_on_plan_failure_name(enum ek_on_plan_failure what);

#endif
