#include "balancer/codec/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"version\":1,\"taken_at_ms\":10,\"period_ms\":20,\"collector\":\"c:1\","
#define HOST                                                                          \
    "\"host\":{\"name\":\"h1\",\"state\":\"up\",\"cpu_cores\":8,\"memory_mib\":1024," \
    "\"maintenance\":false,\"migration_mib_s\":110},"
#define DOMAIN                                                                        \
    "{\"uuid\":\"u1\",\"name\":\"a\",\"paused\":false,\"vcpus\":1,\"memory_mib\":64," \
    "\"cpu_used_cores\":0.1,\"dirty_mib_s\":0,\"local_disk_mib\":0,\"movable\":true}"

/* A sample that was written is read as the same sample. */
static void test_round_trip(void **state)
{
    static const char text[] = HEAD HOST "\"domains\":[" DOMAIN "]}";
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
    assert_true(sample.taken_at_ms == 10 && sample.period_ms == 20);
    assert_string_equal(sample.collector, "c:1");
    assert_string_equal(sample.host.name, "h1");
    assert_int_equal(sample.domain_count, 1);
    assert_int_equal(sample.domains[0].host, 0);
    assert_true(isnan(sample.domains[0].memory_rss_mib));
    char *written = ek_codec_write_sample(&sample);
    assert_string_equal(written, text);
    free(written);
    ek_arena_finish(&sample.arena);
}

/* A copy that comes in says so; all others leave it unsaid. */
static void test_incoming(void **state)
{
    static const char text[] =
        HEAD HOST "\"domains\":[{\"uuid\":\"u1\",\"name\":\"a\",\"paused\":false,\"incoming\":true,"
                  "\"vcpus\":1,\"memory_mib\":64,\"dirty_mib_s\":0,\"local_disk_mib\":0,"
                  "\"movable\":false}]}";
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
    assert_true(sample.domains[0].incoming);
    char *written = ek_codec_write_sample(&sample);
    assert_string_equal(written, text);
    free(written);
    ek_arena_finish(&sample.arena);
}

/* Pressure, of which a part may be unknown, is there where a collector sees it. */
static void test_pressure(void **state)
{
    static const char text[] =
        HEAD "\"host\":{\"name\":\"h1\",\"state\":\"up\",\"cpu_cores\":8,\"memory_mib\":1024,"
             "\"maintenance\":false,\"migration_mib_s\":110,\"pressure\":{\"cpu_some\":0.25,"
             "\"io_full\":1}},\"domains\":[]}";
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
    assert_true(sample.host.pressure.given && sample.host.pressure.cpu_some == 0.25);
    assert_true(isnan(sample.host.pressure.memory_some));
    char *written = ek_codec_write_sample(&sample);
    assert_string_equal(written, text);
    free(written);
    ek_arena_finish(&sample.arena);
}

#define HOST_WITH(members)                                                                 \
    HEAD "\"host\":{\"name\":\"h1\",\"state\":\"up\",\"cpu_cores\":8,\"memory_mib\":1024," \
         "\"maintenance\":false,\"migration_mib_s\":110," members "},\"domains\":[]}"

/* NUMA cells and storage pools come back; of each what is known. */
static void test_spaces(void **state)
{
    static const char text[] =
        HOST_WITH("\"numa_cells\":{\"0\":{\"cpus\":4,\"memory_mib\":512,\"free_mib\":12.5},"
                  "\"8\":{\"cpus\":0,\"memory_mib\":0}},"
                  "\"storage_pools\":{\"ceph\":{\"type\":\"rbd\",\"source\":\"vms\"},"
                  "\"default\":{\"type\":\"dir\",\"target\":\"/srv\",\"capacity_mib\":1024,"
                  "\"allocation_mib\":1017,\"available_mib\":7}}");
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
    assert_int_equal(sample.host.numa_cells.count, 2);
    assert_true(sample.host.numa_cells.items[0].free_mib == 12.5);
    assert_true(sample.host.numa_cells.items[1].id == 8);
    assert_true(isnan(sample.host.numa_cells.items[1].free_mib));
    assert_int_equal(sample.host.storage_pools.count, 2);
    assert_true(isnan(sample.host.storage_pools.items[0].available_mib));
    assert_string_equal(sample.host.storage_pools.items[1].target, "/srv");
    char *written = ek_codec_write_sample(&sample);
    assert_string_equal(written, text);
    free(written);
    ek_arena_finish(&sample.arena);
}

/* What is wrong with one of them is said with its place. */
static void test_bad_spaces(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {HOST_WITH("\"storage_pools\":{\"a\":{\"type\":\"dir\",\"available_mib\":-1}}"),
         "k: host.storage_pools.a.available_mib: found -1, expected a number of at least 0"},
        {HOST_WITH("\"storage_pools\":{\"a\":{}}"),
         "k: host.storage_pools.a.type: found nothing, expected a text"},
        {HOST_WITH("\"storage_pools\":[]"),
         "k: host.storage_pools: found a list, expected an object"},
        {HOST_WITH("\"numa_cells\":{\"0\":{\"memory_mib\":1},\"0\":{\"memory_mib\":2}}"),
         "k: host.numa_cells.0: found it twice, expected it once"},
        {HOST_WITH("\"numa_cells\":{\"-1\":{\"memory_mib\":1}}"),
         "k: host.numa_cells.-1: found an object, expected a NUMA cell's number as its name"},
        {HOST_WITH("\"numa_cells\":{\"4294967295\":{\"memory_mib\":1}}"),
         "k: host.numa_cells.4294967295: found an object, expected a NUMA cell's number as its "
         "name"},
    };
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        assert_false(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
        assert_string_equal(err.message, cases[i].message);
    }
}

/* A dirty rate that was measured says when; all others leave it unsaid. */
static void test_dirty_rate_has_its_time(void **state)
{
    static const char text[] =
        HEAD HOST "\"domains\":[{\"uuid\":\"u1\",\"name\":\"a\",\"paused\":false,"
                  "\"vcpus\":1,\"memory_mib\":64,\"dirty_mib_s\":40,"
                  "\"dirty_measured_at_ms\":9,\"local_disk_mib\":0,\"movable\":true}]}";
    struct ek_sample sample;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_sample(&sample, text, strlen(text), "k", &err));
    assert_true(sample.domains[0].dirty_mib_s == 40);
    assert_true(sample.domains[0].dirty_measured_at_ms == 9);
    char *written = ek_codec_write_sample(&sample);
    assert_string_equal(written, text);
    free(written);
    ek_arena_finish(&sample.arena);
}

/* What is wrong with a sample is named by its place in the sample. */
static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{\"version\":1}", "k: taken_at_ms: found nothing, expected an integer from 0 to "
                            "9007199254740991"},
        {HEAD "\"domains\":[]}", "k: host: found nothing, expected an object"},
        {HEAD HOST "\"x\":1}", "k: domains: found nothing, expected a list, once"},
        {HEAD "\"host\":{\"name\":\"h\",\"cpu_cores\":1,\"memory_mib\":1,\"state\":\"down\"},"
              "\"domains\":[]}",
         "k: host.state: found \"down\", expected up"},
        {HEAD HOST "\"domains\":[" DOMAIN "," DOMAIN "]}",
         "k: domains[1].uuid: found \"u1\", expected a UUID that no domain before it has"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ek_sample sample;
        struct ek_error err;
        assert_false(
            ek_codec_read_sample(&sample, cases[i].text, strlen(cases[i].text), "k", &err));
        assert_string_equal(err.message, cases[i].message);
        assert_null(sample.domains);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_incoming),
        cmocka_unit_test(test_spaces),     cmocka_unit_test(test_bad_spaces),
        cmocka_unit_test(test_pressure),   cmocka_unit_test(test_dirty_rate_has_its_time),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
