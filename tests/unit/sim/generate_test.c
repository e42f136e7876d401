/* Made-up clusters: the same for a seed, as large and as busy as asked for. */
#include "story.h"

#include "balancer/sim/generate.h"

#include <math.h>
#include <string.h>

static struct ek_generated made(const struct ek_generator *generator)
{
    struct ek_generated out = {.host_count = 0};
    struct ek_error err = {0};

    if (!ek_generate(&out, generator, &err)) {
        fail_msg("%s", err.message);
    }
    return out;
}

static struct ek_generator small(void)
{
    struct ek_generator generator;

    ek_generator_defaults(&generator);
    generator.hosts = 20;
    generator.domains = 400;
    return generator;
}

/* One seed, one cluster; another seed, another. */
static void test_seed_decides(void **state)
{
    struct ek_generator generator = small();
    struct ek_generated first = made(&generator);
    struct ek_generated again = made(&generator);
    generator.seed = 2;
    struct ek_generated other = made(&generator);
    int differing = 0;

    (void)state;
    assert_memory_equal(first.loads, again.loads, 400 * sizeof(*first.loads));
    assert_memory_equal(first.faults, again.faults, first.fault_count * sizeof(*first.faults));
    for (size_t d = 0; d < 400; d++) {
        assert_int_equal(first.domains[d].host, again.domains[d].host);
        differing += first.domains[d].host != other.domains[d].host ? 1 : 0;
    }
    assert_true(differing > 300);
    ek_generated_finish(&first);
    ek_generated_finish(&again);
    ek_generated_finish(&other);
}

/* Means add up to the part of all cores that was asked for. */
static void test_load_is_what_was_asked_for(void **state)
{
    struct ek_generator generator = small();
    struct ek_generated out = made(&generator);
    double mean = 0;

    (void)state;
    for (size_t d = 0; d < out.domain_count; d++) {
        mean += out.loads[d].mean_cores;
    }
    assert_true(fabs(mean - 0.35 * 20 * 32) < 1e-6);
    ek_generated_finish(&out);
}

/* No host is filled beyond what it has. */
static void test_everybody_has_room(void **state)
{
    struct ek_generator generator = small();
    double memory_mib[20] = {0};

    (void)state;
    generator.domains = 600;
    struct ek_generated out = made(&generator);
    for (size_t d = 0; d < out.domain_count; d++) {
        memory_mib[out.domains[d].host] += out.domains[d].memory_mib;
    }
    for (size_t h = 0; h < 20; h++) {
        assert_true(memory_mib[h] <= 0.95 * (256 * 1024 - 2048));
    }
    ek_generated_finish(&out);
}

/* Too many are refused, with both figures. */
static void test_too_many_are_refused(void **state)
{
    struct ek_generator generator = small();
    struct ek_generated out = {.host_count = 0};
    struct ek_error err = {0};

    (void)state;
    generator.domains = 4000;
    assert_false(ek_generate(&out, &generator, &err));
    assert_int_equal(err.code, EK_ERR_INVALID);
    assert_non_null(strstr(err.message, "of 4000 finds no host with room"));
    assert_non_null(strstr(err.message, "20 hosts offer, 4826 GiB"));
    ek_generated_finish(&out);
}

/* Domains that are given keep their size and find a place. */
static void test_given_domains_are_placed(void **state)
{
    struct ek_generator generator = small();
    struct ek_sim_domain_spec domains[] = {{.name = "a", .vcpus = 2, .memory_mib = 150 * 1024},
                                           {.name = "b", .vcpus = 2, .memory_mib = 150 * 1024}};
    struct ek_generated out = {.domains = domains, .domain_count = 2};
    struct ek_error err = {0};

    (void)state;
    assert_true(ek_generate(&out, &generator, &err));
    assert_int_equal(out.domain_count, 2);
    assert_int_not_equal(domains[0].host, domains[1].host);
    ek_generated_finish(&out);
}

/* Hosts fail and are lost as often as asked for; who is lost fails no more. */
static void test_misfortunes_are_as_many_as_asked_for(void **state)
{
    struct ek_generator generator = small();
    size_t losses = 0;

    (void)state;
    generator.hosts = 1000;
    generator.domains = 0;
    generator.duration_ms = 73 * EK_WORLD_DAY_MS; /* a fifth of a year */
    generator.failures = 5;
    generator.losses = 1;
    struct ek_generated out = made(&generator);
    for (size_t f = 0; f < out.fault_count; f++) {
        const struct ek_world_fault *fault = &out.faults[f];
        bool lost = fault->lasts_ms == 0;
        losses += lost ? 1 : 0;
        assert_true(lost || fault->lasts_ms >= 15 * EK_WORLD_MINUTE_MS);
        assert_true(fault->lasts_ms <= 2 * EK_WORLD_HOUR_MS);
        assert_true(!lost || f + 1 == out.fault_count ||
                    out.faults[f + 1].subject != fault->subject);
    }
    /* 1,000 x (1 - exp(-1/5)) are lost, each of the others fails once. */
    assert_in_range(losses, 140, 220);
    assert_in_range(out.fault_count - losses, 820, 1000);
    ek_generated_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_load_is_what_was_asked_for),
        cmocka_unit_test(test_everybody_has_room),
        cmocka_unit_test(test_too_many_are_refused),
        cmocka_unit_test(test_given_domains_are_placed),
        cmocka_unit_test(test_misfortunes_are_as_many_as_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
