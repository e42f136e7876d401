/* Laws of counters turned into rates: never a spike, never a negative. */
#include "collector/sampling/rates.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after what it needs */
#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define ASSERT_NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

enum { PERIOD_MS = 2000, RUNNING = 257, RUNNING_MIGRATED = 258, PAUSED = 769 };

struct bench {
    struct ek_rates rates;
    struct ek_domain_reading domain;
    struct ek_reading reading;
    struct ek_domain_rates out;
    double host_cores;
};

static int setup(void **state)
{
    static struct bench bench;

    bench = (struct bench){.domain = {.uuid = "d1",
                                      .id = 7,
                                      .running = true,
                                      .state_reason = RUNNING,
                                      .facts = {.vcpus = 2}},
                           .reading = {.cpu_cores = 4, .domain_count = 1}};
    ek_rates_init(&bench.rates, PERIOD_MS);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    ek_rates_finish(&bench->rates);
    return 0;
}

/* A reading at `at_s` seconds in which the domain's counter stands at `cpu_s` seconds. */
static double tick(struct bench *bench, double at_s, double cpu_s)
{
    struct ek_error err;

    bench->domain.cpu_ns = (struct ek_counter){.value = (uint64_t)(cpu_s * 1e9), .known = true};
    bench->reading.domains = &bench->domain;
    bench->reading.monotonic_ns = (int64_t)(at_s * 1e9);
    assert_true(
        ek_rates_update(&bench->rates, &bench->reading, &bench->host_cores, &bench->out, &err));
    return bench->out.cpu_used_cores;
}

/* The same with counters of all kinds for the host: kernel, user, idle, iowait in seconds. */
static double host_tick(struct bench *bench, double at_s, double kernel_s, double user_s,
                        double idle_s, double iowait_s)
{
    bench->reading.cpu = (struct ek_cpu_counters){.kernel_ns = (uint64_t)(kernel_s * 1e9),
                                                  .user_ns = (uint64_t)(user_s * 1e9),
                                                  .idle_ns = (uint64_t)(idle_s * 1e9),
                                                  .iowait_ns = (uint64_t)(iowait_s * 1e9)};
    (void)tick(bench, at_s, 0);
    return bench->host_cores;
}

/* A rate is the counter's growth over the time between the two readings; the first gives none. */
static void test_rate_is_growth_over_time(void **state)
{
    assert_true(isnan(tick(*state, 100, 50)));
    ASSERT_NEAR(tick(*state, 102, 50.7), 0.35);
    ASSERT_NEAR(tick(*state, 105, 53.7), 1.0);
}

/* A counter that falls began anew: no rate once, and the next is counted from there. */
static void test_reset_gives_no_rate(void **state)
{
    (void)tick(*state, 0, 500);
    assert_true(isnan(tick(*state, 2, 1)));
    ASSERT_NEAR(tick(*state, 4, 2), 0.5);
}

/* A counter that wraps around its 64 bits is a counter that fell. */
static void test_wrap_gives_no_rate(void **state)
{
    struct ek_rate rate = {0};
    struct ek_rate_limits limits = {.shortest_ns = 1, .longest_ns = 10 * SECOND};
    struct ek_counter high = {.value = UINT64_MAX - 5, .known = true};
    struct ek_counter low = {.value = 10, .known = true};

    (void)state;
    (void)ek_rate_update(&rate, high, SECOND, &limits);
    assert_true(isnan(ek_rate_update(&rate, low, 2 * SECOND, &limits)));
    low.value = 30;
    ASSERT_NEAR(ek_rate_update(&rate, low, 4 * SECOND, &limits), 10.0);
}

/* A domain that comes back under another id is another process: its counter, though larger, is not
 * comparable. */
static void test_other_id_gives_no_rate(void **state)
{
    struct bench *bench = *state;

    (void)tick(bench, 0, 1);
    ASSERT_NEAR(tick(bench, 2, 2), 0.5);
    bench->domain.id = 8;
    assert_true(isnan(tick(bench, 4, 900)));
    ASSERT_NEAR(tick(bench, 6, 901), 0.5);
}

/* A change of the state's reason ends the interval: what lies before belongs to another life. */
static void test_other_reason_gives_no_rate(void **state)
{
    struct bench *bench = *state;

    (void)tick(bench, 0, 1);
    bench->domain.state_reason = RUNNING_MIGRATED;
    assert_true(isnan(tick(bench, 2, 900)));
    ASSERT_NEAR(tick(bench, 4, 902), 1.0);
}

/* A domain that was away for a reading is new when it is back: it may have been elsewhere. */
static void test_vanished_domain_is_forgotten(void **state)
{
    struct bench *bench = *state;

    (void)tick(bench, 0, 1);
    bench->reading.domain_count = 0;
    (void)tick(bench, 2, 0);
    assert_int_equal(ek_rates_domain_count(&bench->rates), 0);
    bench->reading.domain_count = 1;
    assert_true(isnan(tick(bench, 4, 900)));
}

/* Three periods are still an interval, more are not. */
static void test_gap_gives_no_rate(void **state)
{
    (void)tick(*state, 0, 0);
    ASSERT_NEAR(tick(*state, 6, 3), 0.5);
    assert_true(isnan(tick(*state, 12.1, 6)));
    ASSERT_NEAR(tick(*state, 14.1, 7), 0.5);
}

/* A clock that stands or goes back gives no rate, not a division by nothing. */
static void test_clock_must_advance(void **state)
{
    (void)tick(*state, 10, 1);
    assert_true(isnan(tick(*state, 10, 2)));
    assert_true(isnan(tick(*state, 8, 3)));
    ASSERT_NEAR(tick(*state, 10, 4), 0.5);
}

/* An interval below a quarter period would magnify noise: the last rate stands, and the time counts
 * on. */
static void test_short_interval_keeps_rate(void **state)
{
    (void)tick(*state, 0, 0);
    ASSERT_NEAR(tick(*state, 2, 1), 0.5);
    ASSERT_NEAR(tick(*state, 2.1, 1.9), 0.5);
    ASSERT_NEAR(tick(*state, 4, 3), 1.0);
}

/* No domain uses more than its host has, however late the reply before was. */
static void test_rate_is_capped_by_host(void **state)
{
    (void)tick(*state, 0, 0);
    ASSERT_NEAR(tick(*state, 2, 100), 4.0);
}

/* A suspended guest uses nothing, at once; what it used before is not charged when it goes on. */
static void test_suspended_guest_uses_nothing(void **state)
{
    struct bench *bench = *state;

    (void)tick(bench, 0, 0);
    bench->domain.running = false;
    bench->domain.state_reason = PAUSED;
    ASSERT_NEAR(tick(bench, 2, 1.9), 0.0);
    ASSERT_NEAR(bench->out.cpu_steal, 0.0);
    bench->domain.running = true;
    bench->domain.state_reason = RUNNING;
    assert_true(isnan(tick(bench, 4, 1.9)));
    ASSERT_NEAR(tick(bench, 6, 2.9), 0.5);
}

/* Time that KVM spent polling for an idle vCPU is in cpu.time and is no load. */
static void test_haltpoll_is_subtracted(void **state)
{
    struct bench *bench = *state;

    bench->domain.haltpoll_ns = (struct ek_counter){.value = 0, .known = true};
    (void)tick(bench, 0, 0);
    bench->domain.haltpoll_ns.value = (uint64_t)(0.6 * 1e9);
    ASSERT_NEAR(tick(bench, 2, 1), 0.2);
    /* A busy domain does not say it for a while: what is known of it still holds. */
    bench->domain.haltpoll_ns.known = false;
    ASSERT_NEAR(tick(bench, 4, 2), 0.2);
    /* Polling never makes a rate negative. */
    bench->domain.haltpoll_ns = (struct ek_counter){.value = 9 * SECOND, .known = true};
    ASSERT_NEAR(tick(bench, 6, 3), 0.0);
}

/* Steal is the vCPUs' waiting over their time; between the readings that say it, it stands. */
static void test_steal_is_kept_between(void **state)
{
    struct bench *bench = *state;

    bench->domain.delay_ns = (struct ek_counter){.value = SECOND, .known = true};
    (void)tick(bench, 0, 0);
    assert_true(isnan(bench->out.cpu_steal));
    bench->domain.delay_ns.value = 5 * SECOND;
    (void)tick(bench, 8, 1);
    ASSERT_NEAR(bench->out.cpu_steal, 4.0 / (8 * 2));
    bench->domain.delay_ns.known = false;
    (void)tick(bench, 10, 1.1);
    ASSERT_NEAR(bench->out.cpu_steal, 0.25);
    for (int at_s = 12; at_s <= 34; at_s += 2) {
        (void)tick(bench, at_s, 2);
    }
    assert_true(isnan(bench->out.cpu_steal)); /* three times four periods without a word */
}

/* A host uses its cores but for idle and iowait. */
static void test_host_rate(void **state)
{
    assert_true(isnan(host_tick(*state, 0, 100, 200, 5000, 10)));
    ASSERT_NEAR(host_tick(*state, 2, 101, 201, 5005, 11), 4 * 2.0 / 8.0);
}

/* iowait may fall a little on a live kernel: the host's rate stays within its bounds. */
static void test_host_iowait_may_fall(void **state)
{
    (void)host_tick(*state, 0, 0, 0, 0, 5);
    ASSERT_NEAR(host_tick(*state, 2, 1, 1, 6, 4.9), 4 * 2.0 / 8.0);
}

/* A host whose counters fell was booted: no rate once. */
static void test_host_reboot_gives_no_rate(void **state)
{
    (void)host_tick(*state, 0, 1000, 1000, 1000, 0);
    assert_true(isnan(host_tick(*state, 2, 1, 1, 2, 0)));
    ASSERT_NEAR(host_tick(*state, 4, 3, 1, 8, 0), 4 * 2.0 / 8.0);
}

/* Host counters that stand still over an interval say nothing. */
static void test_host_standing_counters(void **state)
{
    (void)host_tick(*state, 0, 1, 1, 1, 1);
    assert_true(isnan(host_tick(*state, 2, 1, 1, 1, 1)));
}

/* A guest's memory report is fresh when it is seen to change, for three of its own periods. */
static void test_guest_memory_freshness(void **state)
{
    struct bench *bench = *state;

    bench->domain.facts.balloon_period_s = 10;
    bench->domain.guest_memory_stamp = 1000;
    (void)tick(bench, 0, 0);
    assert_false(bench->out.guest_memory_fresh); /* it may be a year old */
    bench->domain.guest_memory_stamp = 1010;
    (void)tick(bench, 2, 0);
    assert_true(bench->out.guest_memory_fresh);
    (void)tick(bench, 32, 0);
    assert_true(bench->out.guest_memory_fresh);
    (void)tick(bench, 32.5, 0);
    assert_false(bench->out.guest_memory_fresh);
}

/* A reading at `at_s` seconds in which its two cards together received `mib` MiB so far. */
static double flow_tick(struct bench *bench, double at_s, uint64_t mib)
{
    bench->domain.net_rx_bytes =
        (struct ek_counter){.value = mib * 1024 * 1024, .parts = 2, .known = true};
    (void)tick(bench, at_s, 0);
    return bench->out.net_rx_mib_s;
}

/* What flows through cards and disks is growth over time; between the readings that say it, it
 * stands. */
static void test_flows_are_growth_over_time(void **state)
{
    struct bench *bench = *state;

    bench->domain.disk_write_bytes = (struct ek_counter){.value = 0, .parts = 1, .known = true};
    assert_true(isnan(flow_tick(bench, 0, 100)));
    bench->domain.disk_write_bytes.value = 24 * 1024 * 1024;
    ASSERT_NEAR(flow_tick(bench, 8, 500), 50.0);
    ASSERT_NEAR(bench->out.disk_write_mib_s, 3.0);
    assert_true(isnan(bench->out.disk_read_mib_s));
    bench->domain.net_rx_bytes.known = false;
    (void)tick(bench, 10, 0);
    ASSERT_NEAR(bench->out.net_rx_mib_s, 50.0);
}

/* A card that comes brings its own past along, one that goes takes it away: neither is a flow. */
static void test_other_parts_give_no_rate(void **state)
{
    struct bench *bench = *state;

    (void)flow_tick(bench, 0, 100);
    bench->domain.net_rx_bytes.value += 900 * 1024 * 1024;
    bench->domain.net_rx_bytes.parts = 3;
    (void)tick(bench, 8, 0);
    assert_true(isnan(bench->out.net_rx_mib_s));
    bench->domain.net_rx_bytes.value += 16 * 1024 * 1024;
    (void)tick(bench, 16, 0);
    ASSERT_NEAR(bench->out.net_rx_mib_s, 2.0);
}

/* A migrated guest's cards and disks count from zero again, a suspended guest's carry nothing. */
static void test_flows_end_with_their_life(void **state)
{
    struct bench *bench = *state;

    (void)flow_tick(bench, 0, 100);
    bench->domain.id = 8;
    assert_true(isnan(flow_tick(bench, 8, 900)));
    ASSERT_NEAR(flow_tick(bench, 16, 908), 1.0);
    bench->domain.running = false;
    bench->domain.state_reason = PAUSED;
    ASSERT_NEAR(flow_tick(bench, 24, 999), 0.0);
}

/* What a guest swaps in is known as long as it reports at all. */
static void test_swap_in_needs_a_fresh_report(void **state)
{
    struct bench *bench = *state;

    bench->domain.guest_memory_stamp = 1000;
    bench->domain.swap_in_kib = (struct ek_counter){.value = 0, .parts = 1, .known = true};
    (void)tick(bench, 0, 0);
    bench->domain.guest_memory_stamp = 1002;
    bench->domain.swap_in_kib.value = 4096;
    (void)tick(bench, 2, 0);
    ASSERT_NEAR(bench->out.swap_in_mib_s, 2.0);
    for (int at_s = 4; at_s <= 10; at_s += 2) {
        (void)tick(bench, at_s, 0);
    }
    assert_true(isnan(bench->out.swap_in_mib_s));
}

/* Pressure is waiting time over time, never above 1; what is not said is not known, and without any
 * of it there is none. */
static void test_pressure_is_waiting_over_time(void **state)
{
    struct bench *bench = *state;
    struct ek_pressure_counters *counters = &bench->domain.pressure;

    (void)tick(bench, 0, 0);
    assert_false(bench->out.pressure.given);
    counters->cpu_some_us = (struct ek_counter){.value = 0, .known = true};
    counters->io_full_us = (struct ek_counter){.value = 0, .known = true};
    (void)tick(bench, 2, 0);
    counters->cpu_some_us.value = 500000;
    counters->io_full_us.value = 2500000;
    (void)tick(bench, 4, 0);
    assert_true(bench->out.pressure.given && isnan(bench->out.pressure.memory_some));
    ASSERT_NEAR(bench->out.pressure.cpu_some, 0.25);
    ASSERT_NEAR(bench->out.pressure.io_full, 1.0);
    bench->domain.id = 8;
    (void)tick(bench, 6, 0);
    assert_false(bench->out.pressure.given);
}

/* A host whose pressure fell was booted. */
static void test_pressure_of_a_booted_host(void **state)
{
    struct bench *bench = *state;
    struct ek_counter *some = &bench->reading.pressure.memory_some_us;

    *some = (struct ek_counter){.value = 9000000, .known = true};
    (void)ek_rates_pressure(&bench->rates, &bench->reading);
    some->value = 1000;
    bench->reading.monotonic_ns = 2 * SECOND;
    assert_false(ek_rates_pressure(&bench->rates, &bench->reading).given);
    some->value = 1001000;
    bench->reading.monotonic_ns = 4 * SECOND;
    ASSERT_NEAR(ek_rates_pressure(&bench->rates, &bench->reading).memory_some, 0.5);
}

/* A host of four CPUs at rest but for one; `asked_s`, `at_s`: our clock around the answer;
 * `host_s`: its own clock when the counters were read. The domain uses .3 cores and reads 10 MiB/s.
 */
static double honest_tick(struct bench *bench, double asked_s, double at_s, double host_s)
{
    bench->reading.asked_ns = (int64_t)(asked_s * 1e9);
    bench->reading.cpu = (struct ek_cpu_counters){.kernel_ns = (uint64_t)(0.2e9 * host_s),
                                                  .user_ns = (uint64_t)(0.8e9 * host_s),
                                                  .idle_ns = (uint64_t)(3e9 * host_s)};
    bench->domain.disk_read_bytes =
        (struct ek_counter){.value = (uint64_t)(10.0 * 1048576.0 * host_s), .known = true};
    return tick(bench, at_s, 0.3 * host_s);
}

#define ASSERT_CLOSE(a, b) assert_true(fabs((a) - (b)) < 1e-3 * (b))

/* An answer that was read early and came late takes nothing from the interval after it. */
static void test_a_late_answer_is_no_spike(void **state)
{
    struct bench *bench = *state;

    (void)honest_tick(bench, 10.0, 10.01, 1000);
    ASSERT_CLOSE(honest_tick(bench, 12.0, 12.01, 1002), 0.3);
    ASSERT_CLOSE(honest_tick(bench, 14.0, 17.5, 1004), 0.3);
    ASSERT_CLOSE(honest_tick(bench, 18.0, 18.01, 1008), 0.3);
    ASSERT_CLOSE(bench->out.disk_read_mib_s, 10.0);
    ASSERT_CLOSE(honest_tick(bench, 20.0, 20.01, 1010), 0.3);
    ASSERT_CLOSE(bench->out.disk_read_mib_s, 10.0);
}

/* The machine that we run on was stopped for ten minutes, and our clock with it. */
static void test_a_clock_that_stood_is_no_spike(void **state)
{
    struct bench *bench = *state;

    (void)honest_tick(bench, 10.0, 10.01, 1000);
    ASSERT_CLOSE(honest_tick(bench, 12.0, 12.01, 1002), 0.3);
    assert_true(isnan(honest_tick(bench, 14.0, 14.01, 1604)));
    assert_true(isnan(bench->out.disk_read_mib_s));
    ASSERT_CLOSE(honest_tick(bench, 16.0, 16.01, 1606), 0.3);
    ASSERT_CLOSE(bench->out.disk_read_mib_s, 10.0);
}

/* What another machine steals from a host is in none of its CPUs' times: our clock decides. */
static void test_stolen_time_is_no_spike(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 5; i++) {
        (void)honest_tick(bench, 10.0 + 2 * i, 10.0 + 2 * i, 1000 + i);
        assert_true(i == 0 || fabs(bench->out.cpu_used_cores - 0.15) < 1e-3);
    }
}

/* Domains are told apart by UUID, whatever order a reading has. */
static void test_domains_keep_their_own_past(void **state)
{
    struct bench *bench = *state;
    struct ek_domain_reading domains[2] = {bench->domain, bench->domain};
    struct ek_domain_rates out[2];
    struct ek_error err;

    domains[1].uuid = "d2";
    domains[0].cpu_ns = (struct ek_counter){.value = 1 * SECOND, .known = true};
    domains[1].cpu_ns = (struct ek_counter){.value = 50 * SECOND, .known = true};
    bench->reading.domains = domains;
    bench->reading.domain_count = 2;
    assert_true(ek_rates_update(&bench->rates, &bench->reading, &bench->host_cores, out, &err));
    domains[0].uuid = "d2";
    domains[0].cpu_ns.value = 51 * SECOND;
    domains[1].uuid = "d1";
    domains[1].cpu_ns.value = 5 * SECOND;
    bench->reading.monotonic_ns = 2 * SECOND;
    assert_true(ek_rates_update(&bench->rates, &bench->reading, &bench->host_cores, out, &err));
    ASSERT_NEAR(out[0].cpu_used_cores, 0.5);
    ASSERT_NEAR(out[1].cpu_used_cores, 2.0);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(rate_is_growth_over_time),
        LAW(a_late_answer_is_no_spike),
        LAW(a_clock_that_stood_is_no_spike),
        LAW(stolen_time_is_no_spike),
        LAW(reset_gives_no_rate),
        LAW(wrap_gives_no_rate),
        LAW(other_id_gives_no_rate),
        LAW(other_reason_gives_no_rate),
        LAW(vanished_domain_is_forgotten),
        LAW(gap_gives_no_rate),
        LAW(clock_must_advance),
        LAW(short_interval_keeps_rate),
        LAW(rate_is_capped_by_host),
        LAW(suspended_guest_uses_nothing),
        LAW(haltpoll_is_subtracted),
        LAW(steal_is_kept_between),
        LAW(host_rate),
        LAW(host_iowait_may_fall),
        LAW(host_reboot_gives_no_rate),
        LAW(host_standing_counters),
        LAW(guest_memory_freshness),
        LAW(pressure_is_waiting_over_time),
        LAW(pressure_of_a_booted_host),
        LAW(flows_are_growth_over_time),
        LAW(other_parts_give_no_rate),
        LAW(flows_end_with_their_life),
        LAW(swap_in_needs_a_fresh_report),
        LAW(domains_keep_their_own_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
