/* The ladder of limits, and whom it binds. */
#include "balancer/core/pace.h"

#include <assert.h>
#include <math.h>

/* The largest that a policy file may name (policy_schema.c). */
enum { MOST_CLUSTER = 2000, MOST_HOST = 200 };
#define MOST_MIB_S (2 * 1024.0 * 1024.0)

const char *ek_pace_name(enum ek_pace pace)
{
    static const char *const names[] = {[EK_PACE_LIMITS] = "limits",
                                        [EK_PACE_HALF] = "half",
                                        [EK_PACE_PARALLEL] = "parallel",
                                        [EK_PACE_URGENT] = "urgent"};

    static_assert(sizeof(names) / sizeof(names[0]) == EK_PACE_COUNT, "each pace has a name");
    assert((unsigned int)pace < EK_PACE_COUNT);
    return names[pace];
}

struct ek_limits ek_limits_of(const struct ek_policy *policy)
{
    return (struct ek_limits){
        .cluster = policy->limit_cluster,
        .host_in = policy->limit_host_in,
        .host_out = policy->limit_host_out,
        .bandwidth_per_host_mib_s = policy->bandwidth_per_host_mib_s,
        .bandwidth_cluster_mib_s = policy->bandwidth_cluster_mib_s,
    };
}

static int twice(int limit, int most)
{
    return 2 * limit < most ? 2 * limit : most;
}

struct ek_limits ek_pace_default_ceilings(const struct ek_policy *policy)
{
    return (struct ek_limits){
        .cluster = twice(policy->limit_cluster, MOST_CLUSTER),
        .host_in = twice(policy->limit_host_in, MOST_HOST),
        .host_out = twice(policy->limit_host_out, MOST_HOST),
        .bandwidth_per_host_mib_s = fmin(2 * policy->bandwidth_per_host_mib_s, MOST_MIB_S),
        .bandwidth_cluster_mib_s = fmin(2 * policy->bandwidth_cluster_mib_s, MOST_MIB_S),
    };
}

/* A ceiling below the limit, which no policy file has, would lower it. */
static int ceiling(int limit, int urgent)
{
    return urgent > limit ? urgent : limit;
}

static int half_way(int limit, int urgent)
{
    return limit + (ceiling(limit, urgent) - limit + 1) / 2;
}

/* 0 is unlimited. */
static double wider(double limit_mib_s, double urgent_mib_s)
{
    return limit_mib_s > 0 && urgent_mib_s > 0 ? fmax(limit_mib_s, urgent_mib_s) : 0;
}

struct ek_limits ek_pace_limits(const struct ek_policy *policy, enum ek_pace pace)
{
    const struct ek_limits *urgent = &policy->urgent;
    struct ek_limits limits = ek_limits_of(policy);
    int (*rise)(int limit, int urgent) = pace == EK_PACE_HALF ? half_way : ceiling;

    assert((unsigned int)pace < EK_PACE_COUNT);
    if (pace > EK_PACE_LIMITS) {
        limits.cluster = rise(limits.cluster, urgent->cluster);
        limits.host_in = rise(limits.host_in, urgent->host_in);
        limits.host_out = rise(limits.host_out, urgent->host_out);
    }
    if (pace == EK_PACE_URGENT) {
        limits.bandwidth_per_host_mib_s =
            wider(limits.bandwidth_per_host_mib_s, urgent->bandwidth_per_host_mib_s);
        limits.bandwidth_cluster_mib_s =
            wider(limits.bandwidth_cluster_mib_s, urgent->bandwidth_cluster_mib_s);
    }
    return limits;
}

static bool same(double a, double b)
{
    return !(a < b) && !(a > b);
}

bool ek_limits_same_bandwidth(const struct ek_limits *a, const struct ek_limits *b)
{
    return same(a->bandwidth_per_host_mib_s, b->bandwidth_per_host_mib_s) &&
           same(a->bandwidth_cluster_mib_s, b->bandwidth_cluster_mib_s);
}

bool ek_limits_equal(const struct ek_limits *a, const struct ek_limits *b)
{
    return a->cluster == b->cluster && a->host_in == b->host_in && a->host_out == b->host_out &&
           ek_limits_same_bandwidth(a, b);
}

bool ek_pace_binds(enum ek_move_kind kind, const struct ek_host *source)
{
    bool empties = kind == EK_MOVE_EVACUATE || kind == EK_MOVE_PARK;

    return empties && source->maintenance && source->deadline_ms != 0;
}

const char *ek_limits_text(const struct ek_limits *limits, struct ek_arena *arena)
{
    const char *own =
        limits->bandwidth_per_host_mib_s > 0
            ? ek_arena_printf(arena, ", %.0f MiB/s on each link", limits->bandwidth_per_host_mib_s)
            : "";
    const char *all =
        limits->bandwidth_cluster_mib_s > 0
            ? ek_arena_printf(arena, ", %.0f MiB/s in all", limits->bandwidth_cluster_mib_s)
            : "";

    return own == NULL || all == NULL
               ? NULL
               : ek_arena_printf(arena, "%d at once, %d from a host, %d to a host%s%s",
                                 limits->cluster, limits->host_out, limits->host_in, own, all);
}

double ek_limits_link(const struct ek_limits *limits, const struct ek_host *host)
{
    return limits->bandwidth_per_host_mib_s > 0
               ? fmin(host->migration_mib_s, limits->bandwidth_per_host_mib_s)
               : host->migration_mib_s;
}

double ek_limits_rate(const struct ek_limits *limits, const struct ek_host *source,
                      const struct ek_host *destination)
{
    double rate = fmin(ek_limits_link(limits, source), ek_limits_link(limits, destination));

    return limits->bandwidth_cluster_mib_s > 0 ? fmin(rate, limits->bandwidth_cluster_mib_s) : rate;
}
