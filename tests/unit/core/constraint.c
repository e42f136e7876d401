#include "balancer/core/constraint.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"

#include <string.h>

static struct ek_snapshot snapshot;
static struct ek_policy policy;
static struct ek_cluster cluster;
static struct ek_cooldown *cooldown;
static struct ek_error err;

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    cooldown = ek_cooldown_create();
    return cooldown == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    ek_cooldown_destroy(cooldown);
    return 0;
}

static void model(const char *text)
{
    ek_test_cluster(&snapshot, text);
    snapshot.taken_at_ms = 1000000;
    assert_true(ek_cluster_init(&cluster, &snapshot, &policy, &err));
}

/* What keeps domain "a" off that host. */
static enum ek_block pair(const char *host, enum ek_purpose purpose)
{
    return ek_constraint_pair(&cluster, cooldown, ek_test_domain(&snapshot, "a"),
                              ek_test_host(&snapshot, host), purpose);
}

static enum ek_block alone(enum ek_purpose purpose)
{
    return ek_constraint_domain(&cluster, cooldown, ek_test_domain(&snapshot, "a"), purpose);
}

/* Whatever the purpose, that is the first reason of each pair. */
static void always(const char *host, enum ek_block block)
{
    assert_int_equal(pair(host, EK_PURPOSE_BALANCE), block);
    assert_int_equal(pair(host, EK_PURPOSE_EVACUATE), block);
    assert_int_equal(pair(host, EK_PURPOSE_EVACUATE_FORCED), block);
}

/* A host that is not up, is in maintenance, or awaits an unseen arrival admits nothing. */
static void hosts_out_of_use_admit_nothing(void **state)
{
    (void)state;
    model("h1; h2 stale; h3 down; h4 maintenance; h5; h6; a@h1 1v 1G 0c; ?@h6->h5");
    always("h1", EK_BLOCK_SAME_HOST);
    always("h2", EK_BLOCK_HOST_STATE);
    always("h3", EK_BLOCK_HOST_STATE);
    always("h4", EK_BLOCK_MAINTENANCE);
    always("h5", EK_BLOCK_UNSEEN);
    always("h6", EK_BLOCK_NONE);
}

/* Networks and storages must be at hand; a list that is absent constrains nothing, an empty one
 * means none. */
static void networks_and_storages_must_be_at_hand(void **state)
{
    (void)state;
    model(
        "h1; h2 net=br0,br1 stor=ceph; h3 net=br0; h4 stor=; h5; a@h1 1v 1G 0c net=br1 stor=ceph");
    always("h2", EK_BLOCK_NONE);
    always("h3", EK_BLOCK_NETWORK);
    always("h4", EK_BLOCK_STORAGE);
    always("h5", EK_BLOCK_NONE);
}

/* Hypervisors are compared without their version, CPU models only where both are known. */
static void hypervisors_and_models_must_agree(void **state)
{
    (void)state;
    model("h1 hv=QEMU; h2 hv=QEMU cpu=Milan; h3 hv=Xen; h4 cpu=Rome; h5 cpu=Milan;"
          "a@h1 1v 1G 0c cpu=Milan");
    snapshot.hosts[0].hypervisor = "QEMU 7.2.22";
    snapshot.hosts[1].hypervisor = "QEMU 8.0.0";
    always("h2", EK_BLOCK_NONE);
    always("h3", EK_BLOCK_HYPERVISOR);
    always("h4", EK_BLOCK_CPU_MODEL);
    always("h5", EK_BLOCK_NONE);
}

/* Configured memory must fit into what the reserve leaves, to the MiB. */
static void memory_must_fit_beside_the_reserve(void **state)
{
    (void)state;
    policy.memory_reserve = 0.25;
    model("h1; h2 16G; h3 16G; a@h1 1v 4G 0c 0M; b@h2 1v 8192M 0c 0M; c@h3 1v 8193M 0c 0M");
    always("h2", EK_BLOCK_NONE);
    always("h3", EK_BLOCK_MEMORY);
}

/* vCPUs must fit into the overcommitted cores. */
static void vcpus_must_fit_the_overcommit(void **state)
{
    (void)state;
    policy.cpu_overcommit = 2;
    model("h1; h2 4c; h3 4c; a@h1 2v 1G 0c; b@h2 6v 1G 0c; c@h3 7v 1G 0c");
    always("h2", EK_BLOCK_NONE);
    always("h3", EK_BLOCK_VCPUS);
}

/* A domain in flight takes its memory on both hosts. */
static void in_flight_takes_room_on_both(void **state)
{
    (void)state;
    model("h1; h2 16G; h3 16G; a@h1 1v 8G 0c 0M; b@h2->h3 1v 8G 0c 0M");
    always("h2", EK_BLOCK_MEMORY);
    always("h3", EK_BLOCK_MEMORY);
}

/* The target binds for balance and evacuation, and gives way to a forced evacuation alone. */
static void the_target_gives_way_when_forced(void **state)
{
    (void)state;
    model("h1 10c; h2 10c; h3 10c; a@h1 1v 1G 2c; b@h2 1v 1G 5c; c@h3 1v 1G 5.1c");
    always("h2", EK_BLOCK_NONE);
    assert_int_equal(pair("h3", EK_PURPOSE_BALANCE), EK_BLOCK_TARGET);
    assert_int_equal(pair("h3", EK_PURPOSE_EVACUATE), EK_BLOCK_TARGET);
    assert_int_equal(pair("h3", EK_PURPOSE_EVACUATE_FORCED), EK_BLOCK_NONE);
}

/* A domain that is migrating, cannot move, has a host device, or is on a host that is not up stays.
 */
static void some_domains_stay(void **state)
{
    static const struct {
        const char *text;
        enum ek_block block;
    } cases[] = {{"h1; h2; a@h1->h2", EK_BLOCK_IN_FLIGHT},
                 {"h1; h2; a@h1 immovable", EK_BLOCK_IMMOVABLE},
                 {"h1; h2; a@h1 dev=pci_0", EK_BLOCK_IMMOVABLE},
                 {"h1; h2; a@h1 dev=", EK_BLOCK_NONE},
                 {"h1 stale; h2; a@h1", EK_BLOCK_SOURCE_STATE},
                 {"h1 maintenance; h2; a@h1", EK_BLOCK_NONE}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ek_cluster_finish(&cluster);
        ek_snapshot_finish(&snapshot);
        model(cases[i].text);
        assert_int_equal(alone(EK_PURPOSE_BALANCE), cases[i].block);
        assert_int_equal(alone(EK_PURPOSE_EVACUATE_FORCED), cases[i].block);
    }
}

/* Rest after a move holds balancing and never an evacuation. */
static void rest_holds_balancing_alone(void **state)
{
    (void)state;
    model("h1; h2; a@h1");
    assert_true(ek_cooldown_moved(cooldown, &policy, "a", snapshot.taken_at_ms, &err));
    assert_int_equal(alone(EK_PURPOSE_BALANCE), EK_BLOCK_RESTING);
    assert_int_equal(alone(EK_PURPOSE_EVACUATE), EK_BLOCK_NONE);
}

/* After a failure for which no host is to blame an evacuation waits, too, until the backoff ends.
 */
static void a_failure_holds_everything_for_a_while(void **state)
{
    (void)state;
    model("h1; h2; a@h1");
    assert_true(ek_cooldown_failed(cooldown, &policy, "a", NULL, snapshot.taken_at_ms, &err));
    assert_int_equal(alone(EK_PURPOSE_EVACUATE), EK_BLOCK_FAILED_LATELY);
    snapshot.taken_at_ms += policy.backoff_ms;
    assert_int_equal(alone(EK_PURPOSE_EVACUATE), EK_BLOCK_NONE);
}

/* After a failure of the destination an evacuation may try another host at once, but not that one,
 * and not one after the other for ever. */
static void another_host_may_do_at_once(void **state)
{
    (void)state;
    model("h1; h2; h3; a@h1 1v 1G 0c");
    for (int failures = 1; failures <= 4; failures++) {
        assert_true(ek_cooldown_failed(cooldown, &policy, "a", "h2", snapshot.taken_at_ms, &err));
        assert_int_equal(pair("h2", EK_PURPOSE_EVACUATE_FORCED), EK_BLOCK_AVOIDED);
        assert_int_equal(pair("h3", EK_PURPOSE_EVACUATE_FORCED), EK_BLOCK_NONE);
        assert_int_equal(alone(EK_PURPOSE_EVACUATE),
                         failures <= 3 ? EK_BLOCK_NONE : EK_BLOCK_FAILED_LATELY);
    }
}

/* When the avoided host is forgotten, a new failure without a culprit waits again. */
static void an_old_culprit_excuses_nothing(void **state)
{
    (void)state;
    model("h1; h2; a@h1");
    assert_true(ek_cooldown_failed(cooldown, &policy, "a", "h2", snapshot.taken_at_ms, &err));
    snapshot.taken_at_ms += 2 * 3600 * 1000;
    assert_true(ek_cooldown_failed(cooldown, &policy, "a", NULL, snapshot.taken_at_ms, &err));
    assert_int_equal(alone(EK_PURPOSE_EVACUATE), EK_BLOCK_FAILED_LATELY);
}

/* An outcome that is not known holds the domain until an operator frees it. */
static void an_unknown_outcome_holds_for_good(void **state)
{
    (void)state;
    model("h1; h2; a@h1");
    assert_true(ek_cooldown_block(cooldown, "a", true, &err));
    snapshot.taken_at_ms += (int64_t)365 * 86400 * 1000;
    assert_int_equal(alone(EK_PURPOSE_EVACUATE_FORCED), EK_BLOCK_UNRESOLVED);
    assert_true(ek_cooldown_block(cooldown, "a", false, &err));
    assert_int_equal(alone(EK_PURPOSE_EVACUATE_FORCED), EK_BLOCK_NONE);
}

static void explains(const char *host, enum ek_block block, const char *text)
{
    struct ek_arena arena = {0};

    assert_string_equal(
        ek_constraint_explain(&cluster, cooldown, 0, ek_test_host(&snapshot, host), block, &arena),
        text);
    ek_arena_finish(&arena);
}

/* A reason comes with its numbers. */
static void reasons_have_numbers(void **state)
{
    (void)state;
    policy.memory_reserve = 0;
    model("h1; h2 10c 4G net=br1; a@h1 4v 2G 2c net=br0; b@h2 38v 3G 6c; h3 stale");
    explains("h2", EK_BLOCK_MEMORY, "2048 MiB of memory needed, 1024 MiB may still be given");
    explains("h2", EK_BLOCK_VCPUS, "4 vCPUs needed, 2 may still be given");
    explains("h2", EK_BLOCK_NETWORK, "no network br0 there");
    explains("h2", EK_BLOCK_TARGET,
             "cpu would be 80 %, its target is 70 %, memory would be 125 %, its target is 85 %");
    explains("h3", EK_BLOCK_HOST_STATE, "host is stale");
}

/* Every reason has a sentence, and every rest says how long it lasts. */
static void every_reason_has_a_sentence(void **state)
{
    (void)state;
    model("h1; h2; a@h1 net=br0 stor=s cpu=Milan; h3 net= stor= cpu=Rome");
    assert_true(ek_cooldown_failed(cooldown, &policy, "a", "h3", snapshot.taken_at_ms, &err));
    explains("h3", EK_BLOCK_FAILED_LATELY, "waits after a failed move (for another 20 s)");
    explains("h3", EK_BLOCK_AVOIDED, "a move to that host failed lately (for another 80 s)");
    for (int block = 0; block < EK_BLOCK_COUNT; block++) {
        struct ek_arena arena = {0};
        const char *text =
            ek_constraint_explain(&cluster, cooldown, 0, 2, (enum ek_block)block, &arena);
        assert_non_null(text);
        assert_true(strlen(ek_block_text((enum ek_block)block)) > 0);
        ek_arena_finish(&arena);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Of a further resource, too, a domain in flight takes what it needs on both hosts, and a copy on
 * its own: what leaves has not left yet. */
static void further_resources_are_held_until_a_move_has_ended(void **state)
{
    (void)state;
    policy.resources.count = 3;
    memcpy(policy.resources.names[2], "gpu", sizeof("gpu"));
    policy.target_max[2] = 1;
    model("h1 8c 16G label=gpu:1; h2 8c 16G label=gpu:2; h3 8c 16G label=gpu:2;"
          "a@h3 1v 1G label=gpu:1; b@h1->h2 1v 1G label=gpu:1");
    always("h1", EK_BLOCK_RESOURCE);
    assert_int_equal(pair("h2", EK_PURPOSE_EVACUATE), EK_BLOCK_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hosts_out_of_use_admit_nothing),
        TEST(networks_and_storages_must_be_at_hand),
        TEST(hypervisors_and_models_must_agree),
        TEST(memory_must_fit_beside_the_reserve),
        TEST(vcpus_must_fit_the_overcommit),
        TEST(in_flight_takes_room_on_both),
        TEST(the_target_gives_way_when_forced),
        TEST(some_domains_stay),
        TEST(rest_holds_balancing_alone),
        TEST(a_failure_holds_everything_for_a_while),
        TEST(another_host_may_do_at_once),
        TEST(an_old_culprit_excuses_nothing),
        TEST(an_unknown_outcome_holds_for_good),
        TEST(reasons_have_numbers),
        TEST(every_reason_has_a_sentence),
        TEST(further_resources_are_held_until_a_move_has_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
