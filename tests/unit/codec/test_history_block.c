/* A history block: what goes in comes out, in few bytes; damage is refused with its place. */
#include "balancer/codec/history_block.h"

#include "balancer/codec/codec.h"
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
        .local_disk_mib = 20480,
        .movable = d % 5 != 0,
        .immovable_reason = d % 5 != 0 ? NULL : "passes a PCI device through",
        .labels = {labels, 2},
        .networks = {bridges, 2, true},
        .storages = {NULL, 0, true},
        .rules = {rules, 1, true},
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
                 .networks = {bridges, 2, true},
                 .hypervisor = "QEMU 7.2.22"},
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
    domains[1].networks.given = false;
    domains[1].networks.count = 0;
    add(block, &sample);
    struct ek_history_block *back = through_bytes(block, &size);
    assert_int_equal(ek_history_block_count(back), 1);
    assert_int_equal(ek_history_block_domain_samples(back), 2);
    assert_string_equal(ek_history_block_host(back), "h1");
    assert_done(ek_history_block_sample(back, 0, &read, &err), &err);
    assert_same(&read, &sample);
    ek_sample_finish(&read);
    ek_history_block_destroy(back);
    ek_history_block_destroy(block);
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
        cmocka_unit_test(test_any_sequence_comes_back),
        cmocka_unit_test(test_it_is_compact),
        cmocka_unit_test(test_what_is_refused_changes_nothing),
        cmocka_unit_test(test_damage_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
