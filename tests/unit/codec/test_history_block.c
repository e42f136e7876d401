/* A history block: what goes in comes out, in few bytes; damage is refused with its place. */
#include "balancer/codec/history_block.h"

#include "balancer/codec/codec.h"
#include "balancer/codec/history_facts.h"
#include "tests/lib/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DOMAINS = 20, MINUTE_MS = 60000 };

#define START_MS ((int64_t)1764000000000)

#define assert_done(expression, err)                         \
    do {                                                     \
        if (!(expression)) {                                 \
            fail_msg("%s: %s", #expression, (err)->message); \
        }                                                    \
    } while (0)

static const char *const bridges[] = {"br0", "br1"};
static const char *const pools[] = {"images"};
static const char *const devices[] = {"pci 0000:3b:00.0"};
static const char *const rules[] = {"anti_affinity group=web"};
static const struct ek_label labels[] = {{"tier", "web"}, {"owner", "shop"}};
static char uuids[DOMAINS][EK_UUID_SIZE];
static char names[DOMAINS][16];

/* A domain as a collector tells of it: with all that can stand there. */
static struct ek_domain domain_of(size_t d)
{
    (void)snprintf(uuids[d], sizeof(uuids[d]), "6c1f0a3e-5d7b-4a57-9b0e-3f6f2f0a%04zx", d * 3001);
    (void)snprintf(names[d], sizeof(names[d]), "web-%zu", d);
    return (struct ek_domain){
        .uuid = uuids[d],
        .name = names[d],
        .vcpus = 4,
        .memory_mib = 8192,
        .cpu_used_cores = 1.7,
        .cpu_steal = 0.02,
        .memory_used_mib = NAN,
        .memory_rss_mib = 7900,
        .dirty_mib_s = 35.5,
        .dirty_measured_at_ms = START_MS - 600000,
        .swap_in_mib_s = 7.5,
        .local_disk_mib = 20480,
        .movable = d % 5 != 0,
        .immovable_reason = d % 5 != 0 ? NULL : "passes a PCI device through",
        .labels = {labels, 2},
        .networks = {bridges, 2, true},
        .storages = {NULL, 0, true},
        .rules = {rules, 1, true},
        .devices = {devices, 1, true},
        .machine = "pc-q35-7.2",
        .cpu_model = "EPYC-Milan",
    };
}

static struct ek_sample sample_of(struct ek_domain *domains, size_t count, int64_t taken_at_ms)
{
    return (struct ek_sample){
        .taken_at_ms = taken_at_ms,
        .period_ms = 15000,
        .collector = "mon-1:4711",
        .host = {.name = "h1",
                 .cpu_cores = 64,
                 .memory_mib = 515072.25,
                 .cpu_used_cores = 21.5,
                 .memory_used_mib = 300100,
                 .migration_mib_s = 1100,
                 .labels = {labels, 1},
                 .networks = {bridges, 2, true},
                 .storages = {pools, 1, true},
                 .hypervisor = "QEMU 7.2.22",
                 .cpu_model = "EPYC-Milan",
                 .uuid = "0a1b2c3d-5d7b-4a57-9b0e-3f6f2f0a7c11"},
        .domains = domains,
        .domain_count = count,
    };
}

/* Two samples are the same when the codec writes the same text of them. */
static void assert_same(const struct ek_sample *a, const struct ek_sample *b)
{
    char *left = ek_codec_write_sample(a);
    char *right = ek_codec_write_sample(b);

    assert_string_equal(left, right);
    free(left);
    free(right);
}

static struct ek_history_block *through_bytes(const struct ek_history_block *block, size_t *size)
{
    struct ek_error err;
    uint8_t *bytes = NULL;

    assert_done(ek_history_block_write(block, &bytes, size, &err), &err);
    struct ek_history_block *back = ek_history_block_read(bytes, *size, "test", &err);
    assert_done(back != NULL, &err);
    free(bytes);
    return back;
}

static void add(struct ek_history_block *block, const struct ek_sample *sample)
{
    struct ek_error err;

    assert_done(ek_history_block_add(block, sample, &err), &err);
}

/* All that a sample says comes back, lists that are not given, empty and full told apart. */
static void test_a_sample_comes_back(void **state)
{
    struct ek_domain domains[] = {domain_of(0), domain_of(1)};
    struct ek_quantity has[] = {{"network", 1250, 310.5}, {"disk", 900, NAN}};
    struct ek_quantity takes[] = {{"network", 0, 12.25}};
    struct ek_sample sample = sample_of(domains, 2, START_MS);
    struct ek_history_block *block = ek_history_block_create();
    struct ek_sample read;
    struct ek_error err;
    size_t size = 0;

    (void)state;
    sample.host.resources = (struct ek_quantities){has, 2};
    domains[1].resources = (struct ek_quantities){takes, 1};
    domains[1].paused = true;
    domains[1].incoming = true;
    sample.host.maintenance = true;
    sample.host.pressure = (struct ek_pressure){true, 0.125, 0, 1, NAN, 0.001};
    domains[1].pressure = (struct ek_pressure){true, NAN, NAN, NAN, 0.5, NAN};
    domains[1].networks.given = false;
    domains[1].networks.count = 0;
    domains[1].swap_in_mib_s = 0;
    domains[1].dirty_measured_at_ms = 0;
    add(block, &sample);
    struct ek_history_block *back = through_bytes(block, &size);
    assert_int_equal(ek_history_block_count(back), 1);
    assert_int_equal(ek_history_block_domain_samples(back), 2);
    assert_string_equal(ek_history_block_host(back), "h1");
    assert_done(ek_history_block_sample(back, 0, &read, &err), &err);
    assert_same(&read, &sample);
    assert_true(read.domains[0].swap_in_mib_s == 7.5);
    assert_int_equal(read.domains[0].dirty_measured_at_ms, START_MS - 600000);
    assert_int_equal(read.domains[1].dirty_measured_at_ms, 0);
    ek_sample_finish(&read);
    ek_history_block_destroy(back);
    ek_history_block_destroy(block);
}

/* How many columns of domains stand in the bytes of a block. */
static uint64_t written_columns(const void *bytes, size_t size)
{
    struct ek_history_texts texts = {.count = 0};
    struct ek_error err;
    uint64_t number = 0;
    struct ek_bytes_reader in = {.name = "test", .data = bytes, .size = size, .err = &err};

    for (int i = 0; i < 3; i++) { /* version, samples, time */
        assert_true(ek_bytes_get_number(&in, "any", UINT64_MAX, &number));
    }
    assert_true(ek_texts_get(&in, &texts));
    for (int i = 0; i < 2; i++) {
        assert_true(ek_bytes_get_number(&in, "any", UINT64_MAX, &number));
    }
    ek_history_texts_finish(&texts);
    return number;
}

/* As it was written before reading back from swap and the time of measuring were kept. */
static const char older[] =
    "\x01\x01\x80\xd0\xdf\xb4\xab\x33\x09\x04\x68\x31\x06\x63\x3a\x31\x0e\x6e"
    "\x65\x74\x77\x6f\x72\x6b\x16\x51\x45\x4d\x55\x20\x37\x2e\x32\x2e\x32\x32"
    "\x21\x6c\x1f\x0a\x3e\x5d\x7b\x4a\x57\x9b\x0e\x3f\x6f\x2f\x0a\x7c\x11\x0a"
    "\x77\x65\x62\x2d\x31\x08\x74\x69\x65\x72\x06\x77\x65\x62\x06\x62\x72\x30"
    "\x02\x08\x01\x16\x01\x00\x02\xb0\xea\x01\x10\x80\x80\x02\xdc\x01\x00\x01"
    "\x03\xc4\x13\x00\x00\x00\x04\x00\x01\x00\x01\x01\x15\x05\x06\x08\x80\x80"
    "\x01\x01\x00\x01\x03\x00\x01\x07\x08\x02\x09\x00\x00\x00\x00\x00\x01\x00"
    "\x01\x42\x9c\x04\x3d\x94\x8c\x1c\x00\x92\xac\x8c\x14\xe0\xa4\xdb\x85\x08"
    "\x61\x32\x0e";

/* A block of an older program is read; what it did not keep is not known. */
static void test_an_older_block_is_read(void **state)
{
    struct ek_sample read;
    struct ek_error err;
    struct ek_history_block *block = ek_history_block_read(older, sizeof(older) - 1, "older", &err);

    (void)state;
    assert_done(block != NULL, &err);
    assert_int_equal(written_columns(older, sizeof(older) - 1), 8);
    assert_done(ek_history_block_sample(block, 0, &read, &err), &err);
    assert_string_equal(read.host.name, "h1");
    assert_string_equal(read.domains[0].name, "web-1");
    assert_true(read.domains[0].swap_in_mib_s == 0);
    assert_int_equal(read.domains[0].dirty_measured_at_ms, 0);
    assert_false(read.domains[0].pressure.given);
    ek_sample_finish(&read);
    ek_history_block_destroy(block);
}

/* NUMA cells and storage pools are for people: they are not kept, and cost nothing else. */
static void test_cells_and_pools_are_left_out(void **state)
{
    struct ek_numa_cell cell = {.cpus = 32, .memory_mib = 257536, .free_mib = 1024};
    struct ek_storage_pool pool = {.name = "images", .type = "dir", .capacity_mib = 1 << 20};
    struct ek_domain domain = domain_of(0);
    struct ek_sample sample = sample_of(&domain, 1, START_MS);
    struct ek_history_block *block = ek_history_block_create();
    struct ek_sample read;
    struct ek_error err;

    (void)state;
    sample.host.numa_cells = (struct ek_numa_cells){&cell, 1};
    sample.host.storage_pools = (struct ek_storage_pools){&pool, 1};
    add(block, &sample);
    assert_done(ek_history_block_sample(block, 0, &read, &err), &err);
    sample.host.numa_cells.count = 0;
    sample.host.storage_pools.count = 0;
    assert_same(&read, &sample);
    ek_sample_finish(&read);
    ek_history_block_destroy(block);
}

/* Columns of 32 samples, in every second of which pressure is known, or in none. */
static uint64_t columns_with_pressure(bool known)
{
    struct ek_domain domain = domain_of(0);
    struct ek_history_block *block = ek_history_block_create();
    struct ek_error err;
    size_t size = 0;

    domain.swap_in_mib_s = 0; /* the columns behind those of pressure */
    domain.dirty_measured_at_ms = 0;
    for (int i = 0; i < 32; i++) {
        domain.pressure = (struct ek_pressure){known && i % 2 == 0, 0.25, 0.25, 0, 0, 0.25};
        struct ek_sample sample = sample_of(&domain, 1, START_MS + i);
        add(block, &sample);
    }
    struct ek_history_block *back = through_bytes(block, &size);
    for (size_t i = 0; i < 32; i++) {
        struct ek_sample read;
        assert_done(ek_history_block_sample(back, i, &read, &err), &err);
        assert_int_equal(read.domains[0].pressure.given, known && i % 2 == 0);
        assert_int_equal(isnan(read.domains[0].pressure.cpu_some), !known || i % 2 != 0);
        assert_false(read.host.pressure.given);
        ek_sample_finish(&read);
    }
    uint8_t *bytes = NULL;
    assert_done(ek_history_block_write(back, &bytes, &size, &err), &err);
    uint64_t columns = written_columns(bytes, size);
    free(bytes);
    ek_history_block_destroy(back);
    ek_history_block_destroy(block);
    return columns;
}

/* Pressure comes back in those samples that had it, and costs nothing where nobody sees it: then
 * its columns are not written, as an older program would not have. */
static void test_pressure_costs_only_those_who_see_it(void **state)
{
    (void)state;
    assert_int_equal(columns_with_pressure(true), columns_with_pressure(false) + 5);
    assert_int_equal(columns_with_pressure(true), ek_history_domains.column_count - 2);
}

/* What changes from sample to sample: figures, facts there and back, domains that come and go. */
static void change(struct ek_domain *domains, size_t *count, struct ek_random *random)
{
    for (size_t d = 0; d < DOMAINS; d++) {
        domains[d].cpu_used_cores =
            ek_random_below(random, 9) == 0 ? NAN : (double)ek_random_below(random, 400) / 100;
        domains[d].memory_rss_mib = 7900 + (double)ek_random_below(random, 9);
        domains[d].vcpus = ek_random_below(random, 9) == 0 ? 8 : 4;
        domains[d].paused = ek_random_below(random, 5) == 0;
    }
    *count = 1 + ek_random_below(random, DOMAINS);
}

/* Any sequence of samples comes back sample by sample, and the same block gives the same bytes. */
static void test_any_sequence_comes_back(void **state)
{
    struct ek_domain domains[DOMAINS];
    struct ek_history_block *block = ek_history_block_create();
    char *written[100];
    struct ek_random random = {7};
    size_t size = 0;
    struct ek_error err;

    (void)state;
    for (size_t d = 0; d < DOMAINS; d++) {
        domains[d] = domain_of(d);
    }
    for (size_t i = 0; i < 100; i++) {
        size_t count = 0;
        change(domains, &count, &random);
        struct ek_sample sample = sample_of(domains, count, START_MS + (int64_t)i * 15013);
        add(block, &sample);
        /* As the block gives it: domains in its own order. */
        assert_done(ek_history_block_sample(block, i, &sample, &err), &err);
        assert_int_equal(sample.domain_count, count);
        written[i] = ek_codec_write_sample(&sample);
        ek_sample_finish(&sample);
    }
    struct ek_history_block *back = through_bytes(block, &size);
    for (size_t i = 0; i < 100; i++) {
        struct ek_sample read;
        assert_done(ek_history_block_sample(back, i, &read, &err), &err);
        char *again = ek_codec_write_sample(&read);
        assert_string_equal(again, written[i]);
        free(again);
        free(written[i]);
        ek_sample_finish(&read);
    }
    ek_history_block_destroy(back);
    ek_history_block_destroy(block);
}

/* A busy day of 20 domains takes less than 4 bytes for each sample of each, and an idle one less
 * than 1: the figure that docs/history.md states. */
static double bytes_per_domain_sample(double noise)
{
    struct ek_domain domains[DOMAINS];
    struct ek_history_block *block = ek_history_block_create();
    struct ek_random random = {11};
    size_t size = 0;

    for (size_t d = 0; d < DOMAINS; d++) {
        domains[d] = domain_of(d);
    }
    for (size_t i = 0; i < 240; i++) {
        for (size_t d = 0; d < DOMAINS; d++) {
            double wave = sin((double)(i + d * 12) / 40) + 1;
            double jitter = (double)ek_random_below(&random, 1000) / 1000 - 0.5;
            domains[d].cpu_used_cores = noise * (wave + 0.2 * jitter);
            domains[d].cpu_steal = i % 4 == 0 ? noise * fabs(jitter) / 50 : domains[d].cpu_steal;
            domains[d].memory_rss_mib += floor(noise * 8 * jitter);
            domains[d].memory_used_mib =
                domains[d].memory_rss_mib - 100 + floor(noise * 8 * jitter);
            domains[d].dirty_mib_s = 0;
        }
        struct ek_sample sample =
            sample_of(domains, DOMAINS,
                      START_MS + (int64_t)i * MINUTE_MS + (int64_t)ek_random_below(&random, 40));
        sample.host.cpu_used_cores = 20 * noise + (double)ek_random_below(&random, 100) / 100;
        add(block, &sample);
    }
    ek_history_block_destroy(through_bytes(block, &size));
    ek_history_block_destroy(block);
    return (double)size / (240 * DOMAINS);
}

static void test_it_is_compact(void **state)
{
    double busy = bytes_per_domain_sample(1);
    double idle = bytes_per_domain_sample(0);

    (void)state;
    print_message("bytes per domain-sample: busy %.2f, idle %.2f\n", busy, idle);
    assert_true(busy < 4);
    assert_true(idle < 1);
}

/* A sample that cannot be added leaves the block as it was. */
static void test_what_is_refused_changes_nothing(void **state)
{
    struct ek_domain domains[] = {domain_of(0), domain_of(1), domain_of(0)};
    struct ek_sample sample = sample_of(domains, 2, START_MS);
    struct ek_history_block *block = ek_history_block_create();
    struct ek_error err;
    size_t size = 0;

    (void)state;
    add(block, &sample);
    assert_false(ek_history_block_add(block, &sample, &err)); /* the same time again */
    assert_int_equal(err.code, EK_ERR_INVALID);
    sample.taken_at_ms++;
    sample.domain_count = 3; /* one of them twice */
    assert_false(ek_history_block_add(block, &sample, &err));
    assert_non_null(strstr(err.message, "twice"));
    sample.domain_count = 2;
    domains[1].memory_mib = NAN;
    assert_false(ek_history_block_add(block, &sample, &err));
    assert_string_equal(err.message, "h1: domain.memory_mib: found nan, expected a number above 0");
    domains[1].memory_mib = 8192;
    sample.host.name = "h2";
    assert_false(ek_history_block_add(block, &sample, &err));
    struct ek_history_block *back = through_bytes(block, &size);
    assert_int_equal(ek_history_block_count(back), 1);
    assert_int_equal(ek_history_block_domain_samples(back), 2);
    ek_history_block_destroy(back);
    ek_history_block_destroy(block);
}

/* A block that was cut or changed anywhere is refused with the place, or is another good block. */
static void test_damage_is_refused(void **state)
{
    struct ek_domain domains[] = {domain_of(0), domain_of(1)};
    struct ek_history_block *block = ek_history_block_create();
    struct ek_error err;
    uint8_t *bytes = NULL;
    size_t size = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct ek_sample sample = sample_of(domains, 2, START_MS + i);
        domains[0].vcpus++;
        add(block, &sample);
    }
    assert_done(ek_history_block_write(block, &bytes, &size, &err), &err);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *some = malloc(cut + 1);
        memcpy(some, bytes, cut);
        assert_null(ek_history_block_read(some, cut, "f", &err));
        assert_memory_equal(err.message, "f: ", 3);
        assert_non_null(strstr(err.message, "expected"));
        free(some);
    }
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1U << (i % 8));
        ek_history_block_destroy(ek_history_block_read(bytes, size, "f", &err));
        bytes[i / 8] ^= (uint8_t)(1U << (i % 8));
    }
    bytes[0] = 2;
    assert_null(ek_history_block_read(bytes, size, "f", &err));
    assert_string_equal(err.message, "f: byte 0: found 2, expected version 1");
    free(bytes);
    ek_history_block_destroy(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sample_comes_back),
        cmocka_unit_test(test_an_older_block_is_read),
        cmocka_unit_test(test_cells_and_pools_are_left_out),
        cmocka_unit_test(test_pressure_costs_only_those_who_see_it),
        cmocka_unit_test(test_any_sequence_comes_back),
        cmocka_unit_test(test_it_is_compact),
        cmocka_unit_test(test_what_is_refused_changes_nothing),
        cmocka_unit_test(test_damage_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
