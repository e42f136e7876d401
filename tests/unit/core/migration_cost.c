#include "balancer/core/migration_cost.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>

static struct ek_domain domain(double memory_mib, double dirty_mib_s)
{
    return (struct ek_domain){.memory_mib = memory_mib,
                              .memory_rss_mib = NAN,
                              .memory_used_mib = NAN,
                              .dirty_mib_s = dirty_mib_s};
}

/* An idle guest is copied once, at the link's rate, beside a fixed overhead. */
static void an_idle_guest_is_copied_once(void **state)
{
    const struct ek_domain idle = domain(1000, 0);
    struct ek_cost cost = ek_migration_cost(&idle, 100, 500);

    (void)state;
    assert_true(cost.converges);
    assert_near(cost.transfer_mib, 1000, 1e-9);
    assert_int_equal(cost.duration_ms, 10000 + 500);
    assert_int_equal(cost.downtime_ms, 0);
}

/* Rounds follow t = left / bandwidth, left = dirty * t, until the rest fits the downtime. */
static void rounds_follow_the_dirty_rate(void **state)
{
    const struct ek_domain busy = domain(1000, 50);
    struct ek_cost cost = ek_migration_cost(&busy, 100, 500);

    (void)state;
    /* 1000, 500, 250, 125, 62.5; then 31.25 <= 50 is sent with the guest stopped */
    assert_true(cost.converges);
    assert_near(cost.transfer_mib, 1000 + 500 + 250 + 125 + 62.5 + 31.25, 1e-9);
    assert_int_equal(cost.downtime_ms, 313);
}

/* A guest that dirties faster than the link does not converge, and the model ends all the same. */
static void a_fast_guest_does_not_converge(void **state)
{
    const struct ek_domain fast = domain(1000, 200);
    struct ek_cost cost = ek_migration_cost(&fast, 100, 500);

    (void)state;
    assert_false(cost.converges);
    assert_near(cost.transfer_mib, 31 * 1000, 1e-6);
    assert_int_equal(cost.downtime_ms, 10000);
}

/* Resident memory is what must be copied, never more than what is configured; disks come on top. */
static void resident_memory_and_disks_are_copied(void **state)
{
    struct ek_domain guest = domain(1000, 0);

    (void)state;
    guest.memory_rss_mib = 400;
    assert_near(ek_migration_cost(&guest, 100, 500).transfer_mib, 400, 1e-9);
    guest.memory_rss_mib = 1200;
    assert_near(ek_migration_cost(&guest, 100, 500).transfer_mib, 1000, 1e-9);
    guest.local_disk_mib = 5000;
    assert_near(ek_migration_cost(&guest, 100, 500).transfer_mib, 6000, 1e-9);
}

/* What fits the downtime at once is sent once. */
static void a_tiny_guest_is_sent_at_once(void **state)
{
    const struct ek_domain tiny = domain(40, 1000);
    struct ek_cost cost = ek_migration_cost(&tiny, 100, 500);

    (void)state;
    assert_true(cost.converges);
    assert_near(cost.transfer_mib, 40, 1e-9);
    assert_int_equal(cost.downtime_ms, 400);
}

/* A slower link never makes a migration shorter or smaller. */
static void a_slower_link_costs_no_less(void **state)
{
    (void)state;
    for (double dirty = 0; dirty <= 200; dirty += 10) {
        const struct ek_domain guest = domain(3000, dirty);
        for (double rate = 10; rate < 400; rate += 7) {
            struct ek_cost slow = ek_migration_cost(&guest, rate, 500);
            struct ek_cost fast = ek_migration_cost(&guest, rate + 7, 500);
            assert_true(slow.duration_ms >= fast.duration_ms);
            assert_true(slow.transfer_mib >= fast.transfer_mib - 1e-9);
        }
    }
}

/* Absurd sizes and links give absurd durations, not undefined ones. */
static void absurd_sizes_stay_defined(void **state)
{
    struct ek_policy policy;
    const struct ek_domain huge = domain(1e300, 1e300);
    struct ek_cost cost = ek_migration_cost(&huge, 1e-300, 500);

    (void)state;
    ek_policy_defaults(&policy);
    assert_int_equal(cost.duration_ms, (int64_t)EK_FOREVER_MS);
    assert_int_equal(cost.downtime_ms, (int64_t)EK_FOREVER_MS);
    assert_int_equal(ek_migration_timeout_ms(&huge, &policy), (int64_t)EK_FOREVER_MS);
}

/* The slowest counts: of the two links, and of what the policy gives of a link and to all. */
static void the_slowest_counts(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    ek_test_cluster(&snapshot, "h1 link=100; h2 link=900");
    assert_near(ek_migration_rate(&snapshot, &policy, 0, 1), 100, 0);
    assert_near(ek_migration_rate(&snapshot, &policy, 1, 0), 100, 0);
    policy.bandwidth_per_host_mib_s = 300;
    assert_near(ek_migration_rate(&snapshot, &policy, 0, 1), 100, 0);
    policy.bandwidth_cluster_mib_s = 50;
    assert_near(ek_migration_rate(&snapshot, &policy, 0, 1), 50, 0);
    ek_snapshot_finish(&snapshot);
}

/* An attempt may take the time of its GiB, disks included, and at least the minimum. */
static void the_timeout_grows_with_the_size(void **state)
{
    struct ek_policy policy;
    struct ek_domain guest = domain(1024, 0);

    (void)state;
    ek_policy_defaults(&policy);
    assert_int_equal(ek_migration_timeout_ms(&guest, &policy), 300000);
    guest.local_disk_mib = 9 * 1024;
    assert_int_equal(ek_migration_timeout_ms(&guest, &policy), 1500000);
}

/* What an emulator takes for itself is not sent; what the guest says that it uses is, in any case.
 */
static void an_emulators_own_memory_is_not_sent(void **state)
{
    struct ek_domain emulated = domain(256, 0);

    (void)state;
    emulated.memory_rss_mib = 244;
    assert_near(ek_migration_cost(&emulated, 10, 500).transfer_mib, 244, 1e-9);
    emulated.emulator_mib = 100;
    assert_near(ek_migration_cost(&emulated, 10, 500).transfer_mib, 144, 1e-9);
    emulated.memory_used_mib = 198;
    assert_near(ek_migration_cost(&emulated, 10, 500).transfer_mib, 198, 1e-9);
    emulated.memory_rss_mib = 400;
    assert_near(ek_migration_cost(&emulated, 10, 500).transfer_mib, 256, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_guest_is_copied_once),
        cmocka_unit_test(rounds_follow_the_dirty_rate),
        cmocka_unit_test(a_fast_guest_does_not_converge),
        cmocka_unit_test(resident_memory_and_disks_are_copied),
        cmocka_unit_test(a_tiny_guest_is_sent_at_once),
        cmocka_unit_test(a_slower_link_costs_no_less),
        cmocka_unit_test(absurd_sizes_stay_defined),
        cmocka_unit_test(the_slowest_counts),
        cmocka_unit_test(the_timeout_grows_with_the_size),
        cmocka_unit_test(an_emulators_own_memory_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
