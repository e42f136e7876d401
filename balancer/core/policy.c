/* The policy's defaults and presets; docs/configuration.md gives the same numbers to people. */
#include "balancer/core/policy.h"

#include <assert.h>

struct preset {
    double imbalance;
    double comfort;
    double min_gain;
    double cost_weight;
};

/* Level 1 balances nothing: no utilization deviates by more than 0.5 and no plan gains more than
 * all. */
static const struct preset presets[] = {
    {0.50, 1.00, 1.00, 2.0}, {0.20, 0.80, 0.15, 2.0}, {0.10, 0.60, 0.10, 1.0},
    {0.05, 0.40, 0.05, 0.5}, {0.02, 0.00, 0.01, 0.1},
};

enum { LEVEL_COUNT = sizeof(presets) / sizeof(presets[0]), DEFAULT_LEVEL = 3 };
enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

void ek_policy_defaults(struct ek_policy *policy)
{
    *policy = (struct ek_policy){
        .mode = EK_MODE_RECOMMEND,
        .approval_lapse_ms = 3600000,
        .kind = EK_POLICY_SPREAD,
        .resources = {.count = EK_RESOURCE_FURTHER,
                      .names = {[EK_CPU] = "cpu", [EK_MEMORY] = "memory"}},
        .weight = {[EK_CPU] = 1.0, [EK_MEMORY] = 1.0},
        .target_max = {[EK_CPU] = 0.70, [EK_MEMORY] = 0.85},
        /* Three cycles in a row: one hot minute is no reason to move anything. */
        .sustained_cycles = 3,
        /* Two standard deviations: what chance alone exceeds once in twenty times. */
        .noise_sigma = 2,
        /* A mean over minutes (DRS takes five) and the busiest tenth of a quarter of an hour. */
        .forecast_half_life_ms = 5 * MINUTE_MS,
        .forecast_window_ms = 15 * MINUTE_MS,
        .forecast_percentile = 0.90,
        .memory_overcommit = 1.0,
        /* vCPUs are mostly idle, so that four for each core is customary; memory is not shared by
         * default. */
        .cpu_overcommit = 4.0,
        .memory_reserve = 0.05,
        .cooldown_ms = 30 * MINUTE_MS,
        .cooldown_repeat_factor = 2.0,
        .limit_cluster = 4,
        /* One at a time in each direction: few at full bandwidth beat many at a share (libvirt's
         * source also keeps one of its 20 workers for each P2P migration's whole life). */
        .limit_host_in = 1,
        .limit_host_out = 1,
        .moves_per_plan = 40,
        /* Twice of each: enough to be of use, and nothing that the limits have not nearly seen. */
        .urgent = {.cluster = 8, .host_in = 2, .host_out = 2},
        .timeout_min_ms = 300 * SECOND_MS,
        /* 150 s for each GiB and 150 s without progress are KubeVirt's figures, in wide use. */
        .timeout_per_gib_ms = 150 * SECOND_MS,
        .progress_timeout_ms = 150 * SECOND_MS,
        /* oVirt's and Nova's default. */
        .max_downtime_ms = 500,
        /* Slowing a busy guest down is better than a move that never ends; post-copy, which can
         * lose the guest, stays off. */
        .auto_converge = true,
        .retries = 3,
        .backoff_ms = 20 * SECOND_MS,
        .parallel_connections = 1,
        .two_step = EK_TWO_STEP_COPIED,
        .disk_grace_ms = 10 * 60 * SECOND_MS,
        .shutdown_timeout_ms = 180 * SECOND_MS,
        .on_plan_failure = EK_ON_FAILURE_REPLAN,
        /* One failure is a guest's bad day, two may be chance. */
        .circuit_failures = 3,
        .circuit_open_ms = 5 * MINUTE_MS,
        .circuit_open_max_ms = 60 * MINUTE_MS,
        .circuit_window_ms = 60 * MINUTE_MS,
    };
    ek_policy_set_aggressiveness(policy, DEFAULT_LEVEL);
}

void ek_policy_set_aggressiveness(struct ek_policy *policy, int level)
{
    static_assert(DEFAULT_LEVEL <= LEVEL_COUNT, "the default is one of the presets");
    assert(level >= 1 && level <= LEVEL_COUNT);
    const struct preset *preset = &presets[level - 1];

    policy->aggressiveness = level;
    policy->trigger_imbalance = preset->imbalance;
    policy->trigger_comfort = preset->comfort;
    policy->min_gain = preset->min_gain;
    policy->cost_weight = preset->cost_weight;
}

const char *ek_mode_name(enum ek_mode mode)
{
    static const char *const names[] = {
        [EK_MODE_RECOMMEND] = "recommend",
        [EK_MODE_APPROVE] = "approve",
        [EK_MODE_AUTOMATIC] = "automatic",
    };

    assert((unsigned int)mode < sizeof(names) / sizeof(names[0]));
    return names[mode];
}

const char *ek_on_plan_failure_name(enum ek_on_plan_failure what)
{
    static const char *const names[] = {[EK_ON_FAILURE_REPLAN] = "replan",
                                        [EK_ON_FAILURE_REVERT] = "revert",
                                        [EK_ON_FAILURE_STOP] = "stop"};

    assert((unsigned int)what < sizeof(names) / sizeof(names[0]));
    return names[what];
}

const char *ek_policy_kind_name(enum ek_policy_kind kind)
{
    static const char *const names[] = {
        [EK_POLICY_SPREAD] = "spread", [EK_POLICY_HOTSPOT] = "hotspot", [EK_POLICY_PACK] = "pack"};

    assert((unsigned int)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}
