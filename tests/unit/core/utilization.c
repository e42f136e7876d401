#include "balancer/core/utilization.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <math.h>
#include <stdio.h>

static const struct ek_resources resources = {.count = EK_RESOURCE_FURTHER,
                                              .names = {"cpu", "memory"}};

static double base_of(const char *text, uint32_t host, enum ek_resource resource)
{
    struct ek_snapshot snapshot;
    double base[8 * EK_RESOURCE_FURTHER];

    ek_test_cluster(&snapshot, text);
    ek_base_load(&snapshot, &resources, base);
    ek_snapshot_finish(&snapshot);
    return base[host * EK_RESOURCE_FURTHER + resource];
}

/* What a domain takes along is its use where that is known, else its allocation. */
static void unknown_use_is_the_allocation(void **state)
{
    struct ek_domain domain = {.vcpus = 4,
                               .memory_mib = 8192,
                               .cpu_used_cores = NAN,
                               .memory_used_mib = NAN,
                               .memory_rss_mib = NAN};

    (void)state;
    assert_near(ek_demand(&domain, EK_CPU), 4, 0);
    assert_near(ek_demand(&domain, EK_MEMORY), 8192, 0);
    domain.cpu_used_cores = 0;
    assert_near(ek_demand(&domain, EK_CPU), 0, 0);
}

/* Memory demand is the larger of used and resident, whichever are known. */
static void memory_demand_is_the_larger_known(void **state)
{
    struct ek_domain domain = {.memory_mib = 8192, .memory_used_mib = 100, .memory_rss_mib = NAN};

    (void)state;
    assert_near(ek_demand(&domain, EK_MEMORY), 100, 0);
    domain.memory_rss_mib = 300;
    assert_near(ek_demand(&domain, EK_MEMORY), 300, 0);
    domain.memory_used_mib = NAN;
    assert_near(ek_demand(&domain, EK_MEMORY), 300, 0);
}

static double demand_of(const char *words)
{
    struct ek_snapshot snapshot;
    char text[100];

    (void)snprintf(text, sizeof(text), "h1; a@h1 4v 8G %s", words);
    ek_test_cluster(&snapshot, text);
    double demand = ek_demand(&snapshot.domains[0], EK_CPU);
    ek_snapshot_finish(&snapshot);
    return demand;
}

/* A domain wants what it got and what it waited for, and no more than its vCPUs; a QEMU that uses
 * more than them by itself keeps its use. */
static void steal_is_demand(void **state)
{
    (void)state;
    assert_near(demand_of("1c steal=0.25"), 2, 1e-12);
    assert_near(demand_of("3c steal=0.5"), 4, 1e-12);
    assert_near(demand_of("4.5c steal=0.5"), 4.5, 1e-12);
    assert_near(demand_of("steal=0.5"), 4, 1e-12);
}

/* An outlook counts instead of the sample, be it more or less. */
static void an_outlook_is_the_demand(void **state)
{
    (void)state;
    assert_near(demand_of("1c steal=0.25 want=3c"), 3, 1e-12);
    assert_near(demand_of("3c want=0c"), 0, 0);
    assert_near(demand_of("want=0.5c"), 0.5, 1e-12);
    assert_near(demand_of("1c noise=0.5c"), 1, 1e-12);
}

/* Base is what was seen beyond what was seen of the domains: neither steal nor outlooks change
 * it. */
static void base_is_of_what_was_seen(void **state)
{
    (void)state;
    assert_near(base_of("h1 8c 16G used=7c; a@h1 4v 8G 2c steal=0.5 want=4c; b@h1 4v 4G 4c want=1c",
                        0, EK_CPU),
                1, 1e-12);
}

/* What the host uses beyond its domains stays with it. */
static void base_is_what_the_domains_do_not_use(void **state)
{
    static const char text[] = "h1 8c 16G used=3c used=4G; a@h1 2v 2G 1c 1G; b@h1 2v 1G 1.5c 1G";

    (void)state;
    assert_near(base_of(text, 0, EK_CPU), 0.5, 1e-12);
    assert_near(base_of(text, 0, EK_MEMORY), 2048, 1e-9);
}

/* Base is never negative, and 0 where the host's use is not known. */
static void base_is_never_negative(void **state)
{
    (void)state;
    assert_near(base_of("h1 8c 16G used=1c used=1G; a@h1 2v 2G", 0, EK_CPU), 0, 0);
    assert_near(base_of("h1 8c 16G used=1c used=1G; a@h1 2v 2G", 0, EK_MEMORY), 0, 0);
    assert_near(base_of("h1 8c 16G; a@h1 2v 2G", 0, EK_CPU), 0, 0);
    assert_near(base_of("h1 8c 16G; h2 8c 16G used=2c", 1, EK_CPU), 2, 0);
}

/* When a domain is known to have gone, both hosts keep the base that they had. */
static void base_survives_a_move(void **state)
{
    struct ek_snapshot snapshot;
    double base[2 * EK_RESOURCE_FURTHER];

    (void)state;
    ek_test_cluster(&snapshot, "h1 8c 16G used=3c used=4G; h2 8c 16G used=1c; a@h1 2v 2G 1c 1G");
    ek_use_shift(&snapshot.hosts[0], &snapshot.domains[0], -1);
    ek_use_shift(&snapshot.hosts[1], &snapshot.domains[0], 1);
    snapshot.domains[0].host = 1;
    ek_base_load(&snapshot, &resources, base);
    assert_near(base[EK_CPU], 2, 1e-12);
    assert_near(base[EK_MEMORY], 3 * 1024, 1e-9);
    assert_near(base[EK_RESOURCE_FURTHER + EK_CPU], 1, 1e-12);
    assert_true(isnan(snapshot.hosts[1].memory_used_mib));
    ek_snapshot_finish(&snapshot);
}

/* So does what they use of a further resource by themselves. */
static void base_of_further_resources_survives_a_move(void **state)
{
    struct ek_quantity used[] = {{"gpu", 4, 3}, {"gpu", 4, 1}, {"gpu", 0, 2}};
    struct ek_resources further = {.count = 3, .names = {"cpu", "memory", "gpu"}};
    struct ek_snapshot snapshot;
    double base[6];

    (void)state;
    ek_test_cluster(&snapshot, "h1 8c 16G; h2 8c 16G; a@h1 2v 2G 1c 1G");
    snapshot.hosts[0].resources = (struct ek_quantities){&used[0], 1};
    snapshot.hosts[1].resources = (struct ek_quantities){&used[1], 1};
    snapshot.domains[0].resources = (struct ek_quantities){&used[2], 1};
    ek_use_shift(&snapshot.hosts[0], &snapshot.domains[0], -1);
    ek_use_shift(&snapshot.hosts[1], &snapshot.domains[0], 1);
    snapshot.domains[0].host = 1;
    ek_base_load(&snapshot, &further, base);
    assert_near(base[2], 1, 1e-12);
    assert_near(base[3 + 2], 1, 1e-12);
    ek_snapshot_finish(&snapshot);
}

/* A further resource is what the sample says, else the label that is a number; else there is none.
 */
static void named_resources_come_from_sample_or_label(void **state)
{
    struct ek_quantity net = {"net", 100, 30};
    const struct ek_label labels[] = {{"net", "7"}, {"gpu", "2.5"}, {"disk", "ssd"}};
    const struct ek_host host = {.resources = {&net, 1}, .labels = {labels, 3}};
    const struct ek_domain domain = {.labels = {labels, 3}};

    (void)state;
    assert_near(ek_capacity_of(&host, "net"), 100, 0);
    assert_near(ek_capacity_of(&host, "gpu"), 2.5, 1e-12);
    assert_near(ek_capacity_of(&host, "disk"), 0, 0);
    assert_near(ek_capacity_of(&host, "other"), 0, 0);
    assert_near(ek_demand_of(&domain, "net"), 7, 0);
}

/* CPU is counted in cores, memory in MiB. */
static void capacities_are_cores_and_mib(void **state)
{
    const struct ek_host host = {.cpu_cores = 8, .memory_mib = 1024};

    (void)state;
    assert_near(ek_capacity(&host, EK_CPU), 8, 0);
    assert_near(ek_capacity(&host, EK_MEMORY), 1024, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_use_is_the_allocation),
        cmocka_unit_test(memory_demand_is_the_larger_known),
        cmocka_unit_test(steal_is_demand),
        cmocka_unit_test(an_outlook_is_the_demand),
        cmocka_unit_test(base_is_of_what_was_seen),
        cmocka_unit_test(base_is_what_the_domains_do_not_use),
        cmocka_unit_test(base_is_never_negative),
        cmocka_unit_test(base_survives_a_move),
        cmocka_unit_test(base_of_further_resources_survives_a_move),
        cmocka_unit_test(named_resources_come_from_sample_or_label),
        cmocka_unit_test(capacities_are_cores_and_mib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
