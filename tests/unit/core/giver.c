/* Which hosts would give domains away. */
#include "balancer/core/engine/giver.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <stdio.h>

/* The givers' names, in order, as one text. */
static const char *givers_of(const char *text, enum ek_policy_kind kind)
{
    static char names[64];
    struct ek_snapshot snapshot;
    struct ek_policy policy;
    bool givers[8];
    struct ek_error err = {0};

    ek_policy_defaults(&policy);
    policy.kind = kind;
    ek_test_cluster(&snapshot, text);
    assert_true(ek_givers(&snapshot, &policy, givers, &err));
    size_t used = 0;
    names[0] = '\0';
    for (size_t h = 0; h < snapshot.host_count; h++) {
        if (givers[h]) {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used == 0 ? "" : " ", snapshot.hosts[h].name);
        }
    }
    ek_snapshot_finish(&snapshot);
    return names;
}

/* Where nothing is to be moved nobody gives. */
static void level_cluster_gives_nothing(void **state)
{
    (void)state;
    assert_string_equal(
        givers_of("h1 4c 8G; h2 4c 8G; a@h1 1v 1G 1c; b@h2 1v 1G 1c", EK_POLICY_SPREAD), "");
}

/* Hosts above the mean give while the imbalance is above its trigger. */
static void hosts_above_the_mean_give(void **state)
{
    (void)state;
    assert_string_equal(givers_of("h1 4c 8G; h2 4c 8G; h3 4c 8G; a@h1 4v 1G 2.6c; b@h2 4v 1G 2.5c;"
                                  "c@h3 1v 1G 0.1c",
                                  EK_POLICY_SPREAD),
                        "h1 h2");
}

/* A host in maintenance gives, however idle; one that does not answer cannot. */
static void hosts_in_maintenance_give(void **state)
{
    (void)state;
    assert_string_equal(givers_of("h1 4c 8G maintenance; h2 4c 8G; h3 4c 8G stale maintenance;"
                                  "a@h1 1v 1G 0.1c; b@h3 1v 1G 0.1c",
                                  EK_POLICY_SPREAD),
                        "h1");
}

/* A host above its target gives under every policy. */
static void overloaded_hosts_give(void **state)
{
    static const char text[] = "h1 4c 8G; h2 4c 8G; a@h1 4v 1G 3c; b@h1 1v 1G 0.9c; c@h2 1v 1G 1c";

    (void)state;
    for (int kind = 0; kind < EK_POLICY_KIND_COUNT; kind++) {
        assert_string_equal(givers_of(text, (enum ek_policy_kind)kind),
                            kind == EK_POLICY_PACK ? "h1 h2" : "h1");
    }
}

/* pack takes from the hosts that are nearly empty, to free them. */
static void pack_takes_from_the_emptier(void **state)
{
    (void)state;
    assert_string_equal(
        givers_of("h1 4c 8G; h2 4c 8G; a@h1 2v 2G 2c; b@h1 1v 1G .5c; c@h2 1v 1G .1c",
                  EK_POLICY_PACK),
        "h2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_cluster_gives_nothing), cmocka_unit_test(hosts_above_the_mean_give),
        cmocka_unit_test(hosts_in_maintenance_give),   cmocka_unit_test(overloaded_hosts_give),
        cmocka_unit_test(pack_takes_from_the_emptier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
