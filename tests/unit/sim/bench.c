/* How fast virtual time passes: sim_bench HOSTS DOMAINS HOURS [SEED [AGGRESSIVENESS]]. No test;
 * prints one line. Aggressiveness 1 never balances: what is left is the simulator, the assembly of
 * samples and the evaluation.
 *
 * Hosts of 32 cores and 256 GiB with 10 Gbit/s; domains of 2 to 8 GiB whose load follows the day,
 * each with its own phase, so that there is always something to level. */
#include "balancer/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS = 8 };

static bool fill(struct ek_world *world, uint32_t hosts, uint32_t domains, uint64_t seed,
                 struct ek_error *err)
{
    struct ek_random random = ek_random_stream(seed, 99);
    char name[EK_NAME_SIZE];

    for (uint32_t h = 0; h < hosts; h++) {
        (void)snprintf(name, sizeof(name), "host-%04u", h);
        const struct ek_sim_host_spec spec = {name, 32, 262144, 1100, 1100, 0.5, 2048};
        if (ek_world_add_host(world, &spec, err) == EK_NONE) {
            return false;
        }
    }
    for (uint32_t d = 0; d < domains; d++) {
        struct ek_sim_step steps[STEPS];
        int64_t phase = ek_random_between(&random, 0, EK_WORLD_HOUR_MS);
        double peak = 0.1 * (double)ek_random_between(&random, 2, 30);
        for (int64_t s = 0; s < STEPS; s++) {
            steps[s].at_ms = phase + s * 2 * EK_WORLD_HOUR_MS;
            steps[s].cores = peak * (0.3 + 0.7 * ek_random_unit(&random));
        }
        (void)snprintf(name, sizeof(name), "domain-%05u", d);
        const struct ek_sim_domain_spec spec = {
            .name = name,
            .host = (uint32_t)ek_random_between(&random, 0, hosts - 1),
            .vcpus = 4,
            .memory_mib = 2048.0 * (double)ek_random_between(&random, 1, 4),
            .cpu_cores = peak,
            .steps = steps,
            .step_count = STEPS,
            .repeat_ms = EK_WORLD_DAY_MS,
            .dirty_mib_s = (double)ek_random_between(&random, 0, 100)};
        if (ek_world_add_domain(world, &spec, err) == EK_NONE) {
            return false;
        }
    }
    return true;
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct ek_world *world, double hours, double took_s)
{
    struct ek_world_counters counters = ek_world_counters(world);

    printf("%.1f virtual hours in %.1f s: %.3f virtual days per second; %llu cycles, %.2f ms each; "
           "%llu events; %llu plans, %llu moves, %llu done; overload %.0f host-s; digest %016llx\n",
           hours, took_s, hours / 24 / took_s, (unsigned long long)counters.cycles,
           1000 * took_s / (double)counters.cycles, (unsigned long long)ek_world_events(world),
           (unsigned long long)counters.plans, (unsigned long long)counters.started,
           (unsigned long long)counters.ended[EK_MOVE_DONE], counters.overload_s,
           (unsigned long long)ek_world_digest(world));
}

int main(int argc, char **argv)
{
    struct ek_world_options options;
    struct ek_policy policy;
    struct ek_error err = {0};

    if (argc < 4) {
        (void)fprintf(stderr, "usage: sim_bench HOSTS DOMAINS HOURS [SEED [AGGRESSIVENESS]]\n");
        return 2;
    }
    double hours = strtod(argv[3], NULL);
    ek_world_options_defaults(&options);
    ek_policy_defaults(&policy);
    options.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    options.period_ms = options.cycle_ms;
    options.keep_trace = false;
    policy.mode = EK_MODE_AUTOMATIC;
    ek_policy_set_aggressiveness(&policy, argc > 5 ? (int)strtol(argv[5], NULL, 10) : 3);
    struct ek_world *world = ek_world_create(&options, &policy);
    bool ok = world != NULL && fill(world, (uint32_t)strtoul(argv[1], NULL, 10),
                                    (uint32_t)strtoul(argv[2], NULL, 10), options.seed, &err);
    double begin_s = seconds();
    ok = ok && ek_world_run_until(world, (int64_t)(hours * (double)EK_WORLD_HOUR_MS), &err) &&
         ek_world_check(world, &err);
    if (ok) {
        report(world, hours, seconds() - begin_s);
    } else {
        (void)fprintf(stderr, "sim_bench: %s\n", err.message);
    }
    ek_world_destroy(world);
    return ok ? 0 : 1;
}
