/* Laws of a reading that becomes a sample. */
#include "collector/sampling/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct ek_sampler sampler;

static int setup(void **state)
{
    (void)state;
    ek_sampler_init(&sampler, "h1", "me:1", 2000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_sampler_finish(&sampler);
    return 0;
}

/* A reading of one domain, as a port would make it: all it points to is in its arena. */
static struct ek_reading reading_at(int64_t second, uint64_t cpu_ns)
{
    struct ek_reading out = {.taken_at_ms = 1764000000000 + second * 1000,
                             .monotonic_ns = second * 1000000000,
                             .cpu_cores = 8,
                             .memory_mib = 16384,
                             .memory_used_mib = 4000,
                             .domain_count = 1};

    out.domains = ek_arena_alloc(&out.arena, 1, sizeof(*out.domains));
    out.facts.hypervisor = ek_arena_strdup(&out.arena, "QEMU 7.2.22");
    out.domains[0] = (struct ek_domain_reading){
        .uuid = ek_arena_strdup(&out.arena, "d1"),
        .name = ek_arena_strdup(&out.arena, "web"),
        .id = 1,
        .running = true,
        .cpu_ns = {.value = cpu_ns, .known = true},
        .memory_mib = 1024,
        .memory_rss_mib = 700,
        .guest_available_mib = 1000,
        .guest_usable_mib = 400,
        .guest_memory_stamp = (uint64_t)second + 1,
        .facts = {.vcpus = 2, .movable = true},
    };
    return out;
}

static struct ek_sample sample_of(struct ek_reading reading)
{
    struct ek_sample out;
    struct ek_error err;

    assert_true(ek_sampler_take(&sampler, &reading, &out, &err));
    assert_null(reading.arena.newest);
    return out;
}

/* What is backed by huge pages is in no RSS: such a guest has all of its memory. */
static void test_huge_pages_are_all_taken(void **state)
{
    struct ek_reading reading = reading_at(0, 0);

    (void)state;
    reading.domains[0].facts.huge_pages = true;
    reading.domains[0].memory_rss_mib = 80;
    struct ek_sample sample = sample_of(reading);
    assert_true(sample.domains[0].memory_rss_mib == 1024);
    ek_sample_finish(&sample);
}

/* The first sample has all gauges and facts, and says of every rate that it is not known. */
static void test_first_sample_has_no_rates(void **state)
{
    struct ek_sample sample = sample_of(reading_at(0, 0));

    (void)state;
    assert_string_equal(sample.host.name, "h1");
    assert_string_equal(sample.host.hypervisor, "QEMU 7.2.22");
    assert_string_equal(sample.collector, "me:1");
    assert_int_equal(sample.period_ms, 2000);
    assert_true(sample.host.memory_used_mib == 4000 && sample.domains[0].memory_rss_mib == 700);
    assert_true(isnan(sample.host.cpu_used_cores) && isnan(sample.domains[0].cpu_used_cores));
    assert_true(isnan(sample.domains[0].memory_used_mib));
    ek_sample_finish(&sample);
}

/* The second one has the rates, and what the guest uses once its report was seen to change. */
static void test_second_sample_has_rates(void **state)
{
    struct ek_sample first = sample_of(reading_at(0, 0));
    struct ek_sample second = sample_of(reading_at(2, 3000000000));

    (void)state;
    assert_true(fabs(second.domains[0].cpu_used_cores - 1.5) < 1e-9);
    assert_true(second.domains[0].memory_used_mib == 600);
    assert_int_equal(second.taken_at_ms, 1764000002000);
    ek_sample_finish(&first);
    ek_sample_finish(&second);
}

/* A guest that reports less in all than it could give uses nothing, not less than nothing. */
static void test_guest_memory_is_never_negative(void **state)
{
    struct ek_sample first = sample_of(reading_at(0, 0));
    struct ek_reading reading = reading_at(2, 0);

    (void)state;
    reading.domains[0].guest_usable_mib = 1200;
    struct ek_sample second = sample_of(reading);
    assert_true(second.domains[0].memory_used_mib == 0);
    ek_sample_finish(&first);
    ek_sample_finish(&second);
}

/* What flows through a guest's cards and disks is in the sample as further resources, as far as it
 * is known. */
static void test_flows_are_further_resources(void **state)
{
    struct ek_reading first = reading_at(0, 0);
    struct ek_reading second = reading_at(2, 0);
    const struct ek_counter start = {.value = 0, .parts = 1, .known = true};
    const struct ek_counter end = {.value = 5 << 20, .parts = 1, .known = true};

    (void)state;
    first.domains[0].net_tx_bytes = start;
    second.domains[0].net_tx_bytes = end;
    struct ek_sample sample = sample_of(first);
    assert_int_equal(sample.domains[0].resources.count, 0);
    ek_sample_finish(&sample);
    sample = sample_of(second);
    assert_int_equal(sample.domains[0].resources.count, 1);
    assert_string_equal(sample.domains[0].resources.items[0].name, "net_tx_mib_s");
    assert_true(sample.domains[0].resources.items[0].used == 2.5);
    assert_true(sample.domains[0].swap_in_mib_s == 0);
    ek_sample_finish(&sample);
}

/* When a dirty rate was measured is told by its age: a step of the wall's clock does not move it.
 */
static void test_dirty_rate_has_its_time(void **state)
{
    struct ek_reading reading = reading_at(100, 0);

    (void)state;
    reading.taken_at_ms += 3600000; /* the clock was put forward by an hour since */
    reading.domains[0].dirty_mib_s = 40;
    reading.domains[0].dirty_at_ns = 90 * INT64_C(1000000000);
    struct ek_sample sample = sample_of(reading);
    assert_true(sample.domains[0].dirty_mib_s == 40);
    assert_int_equal(sample.domains[0].dirty_measured_at_ms, sample.taken_at_ms - 10000);
    ek_sample_finish(&sample);
    sample = sample_of(reading_at(102, 0));
    assert_int_equal(sample.domains[0].dirty_measured_at_ms, 0);
    ek_sample_finish(&sample);
}

/* A sample is what a snapshot may be made of: its figures pass the snapshot's own checks. */
static void test_sample_passes_snapshot_check(void **state)
{
    struct ek_sample sample = sample_of(reading_at(0, 0));
    struct ek_snapshot snapshot = {.hosts = &sample.host,
                                   .host_count = 1,
                                   .domains = sample.domains,
                                   .domain_count = sample.domain_count};
    struct ek_error err = {0};

    (void)state;
    assert_true(ek_snapshot_check(&snapshot, &err));
    ek_sample_finish(&sample);
}

#define LAW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(first_sample_has_no_rates),      LAW(second_sample_has_rates),
        LAW(guest_memory_is_never_negative), LAW(flows_are_further_resources),
        LAW(huge_pages_are_all_taken),       LAW(dirty_rate_has_its_time),
        LAW(sample_passes_snapshot_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
