#include "balancer/core/cluster.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/random.h"
#include "tests/lib/referee.h"

#include <math.h>

static struct ek_policy policy;

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    return 0;
}

static void model(struct ek_cluster *cluster, struct ek_snapshot *snapshot, const char *text)
{
    struct ek_error err = {0};

    ek_test_cluster(snapshot, text);
    assert_true(ek_cluster_init(cluster, snapshot, &policy, &err));
}

static void finish(struct ek_cluster *cluster, struct ek_snapshot *snapshot)
{
    ek_cluster_finish(cluster);
    ek_snapshot_finish(snapshot);
}

/* Imbalance is the population standard deviation of the hosts' utilization. */
static void imbalance_is_the_population_deviation(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster;

    (void)state;
    model(&cluster, &snapshot, "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 9c; b@h2 1v 1G 3c");
    /* 0.9, 0.3, 0: mean 0.4, squares 0.25 + 0.01 + 0.16, over 3 */
    assert_near(ek_cluster_imbalance(&cluster, EK_CPU), sqrt(0.42 / 3), 1e-9);
    finish(&cluster, &snapshot);
}

/* Hosts in maintenance, stale or down do not count. */
static void only_hosts_in_use_count(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster;

    (void)state;
    model(&cluster, &snapshot,
          "h1 10c; h2 10c; h3 10c maintenance; h4 10c stale; h5 10c down; a@h1 1v 1G 5c;"
          "b@h2 1v 1G 5c; c@h3 1v 1G 9c; d@h4 1v 1G 1c");
    assert_near(ek_cluster_imbalance(&cluster, EK_CPU), 0, 1e-7);
    assert_near(ek_cluster_score(&cluster).overload, 0, 1e-9);
    finish(&cluster, &snapshot);
}

/* Overload is the sum of what hosts in use stand above their targets. */
static void overload_is_what_stands_above_the_target(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster;

    (void)state;
    model(&cluster, &snapshot,
          "h1 10c 10G; h2 10c 10G; h3 10c 10G maintenance;"
          "a@h1 1v 1G 9c; b@h2 1v 9G 8c; c@h3 1v 1G 10c");
    assert_near(ek_cluster_score(&cluster).overload, 0.2 + 0.1 + 0.05, 1e-9);
    finish(&cluster, &snapshot);
}

/* A domain in flight counts on both hosts for capacity and on its destination for load. */
static void in_flight_counts_twice_for_capacity_once_for_load(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster;

    (void)state;
    model(&cluster, &snapshot, "h1 10c 16G; h2 10c 16G; a@h1->h2 2v 4G 3c 4G");
    for (uint32_t h = 0; h < 2; h++) {
        assert_near(cluster.hosts[h].memory_mib, 4096, 1e-9);
        assert_near(cluster.hosts[h].vcpus, 2, 1e-9);
        assert_near(ek_cluster_utilization(&cluster, h, EK_CPU), h == 0 ? 0 : 0.3, 1e-9);
        assert_near(ek_cluster_utilization(&cluster, h, EK_MEMORY), h == 0 ? 0 : 0.25, 1e-9);
    }
    finish(&cluster, &snapshot);
}

/* So it does when a sample of its destination shows it already. */
static void in_flight_seen_on_its_destination_counts_the_same(void **state)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster;

    (void)state;
    model(&cluster, &snapshot, "h1 10c 16G; h2 10c 16G; a@h1->h2 2v 4G 3c 4G");
    snapshot.domains[0].host = 1;
    ek_cluster_finish(&cluster);
    struct ek_error err = {0};
    assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
    assert_near(cluster.hosts[0].memory_mib, 4096, 1e-9);
    assert_near(cluster.hosts[1].memory_mib, 4096, 1e-9);
    assert_near(ek_cluster_utilization(&cluster, 1, EK_CPU), 0.3, 1e-9);
    finish(&cluster, &snapshot);
}

/* The score that is kept incrementally is the score added up anew, after any moves. */
static void incremental_score_is_the_score_from_scratch(void **state)
{
    struct ek_random random = {7};
    struct ek_error err = {0};

    (void)state;
    for (int round = 0; round < 30; round++) {
        struct ek_snapshot snapshot;
        struct ek_cluster cluster;
        ek_random_cluster(&snapshot, &random, 12);
        assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
        for (int i = 0; i < 200 && snapshot.domain_count > 0; i++) {
            uint32_t domain = ek_random_below(&random, (uint32_t)snapshot.domain_count);
            uint32_t host = ek_random_below(&random, (uint32_t)snapshot.host_count);
            if (!cluster.in_flight[domain] && cluster.host_of[domain] != host) {
                struct ek_score foretold = ek_cluster_score_after(&cluster, domain, host);
                ek_cluster_move(&cluster, domain, host);
                assert_near(ek_cluster_score(&cluster).spread, foretold.spread, 1e-7);
                assert_near(ek_cluster_score(&cluster).overload, foretold.overload, 1e-9);
            }
        }
        struct ek_referee_levels levels = ek_referee_levels(&snapshot, &policy, cluster.host_of);
        struct ek_score score = ek_cluster_score(&cluster);
        assert_near(score.spread * score.spread, levels.spread * levels.spread, 1e-9);
        assert_near(score.overload, levels.overload, 1e-9);
        finish(&cluster, &snapshot);
    }
}

/* A cluster without hosts or without domains has levels of zero, not of nothing. */
static void empty_clusters_have_a_score(void **state)
{
    static const char *const texts[] = {"", "h1 8c", "h1 8c down; h2 8c maintenance"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ek_snapshot snapshot;
        struct ek_cluster cluster;
        model(&cluster, &snapshot, texts[i]);
        assert_near(ek_cluster_score(&cluster).spread, 0, 0);
        assert_near(ek_cluster_score(&cluster).overload, 0, 0);
        finish(&cluster, &snapshot);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imbalance_is_the_population_deviation),
        cmocka_unit_test(only_hosts_in_use_count),
        cmocka_unit_test(overload_is_what_stands_above_the_target),
        cmocka_unit_test(in_flight_counts_twice_for_capacity_once_for_load),
        cmocka_unit_test(in_flight_seen_on_its_destination_counts_the_same),
        cmocka_unit_test(incremental_score_is_the_score_from_scratch),
        cmocka_unit_test(empty_clusters_have_a_score),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
