/* Domains with disks of their own: the disk goes along, and whatever fails, no file is left where
 * the domain is not, and none is missing where it is. */
#include "story.h"

#include "balancer/sim/disk.h"

#include <string.h>

static const char three_hosts[] = "h1 8c 32G; h2 8c 32G; h3 8c 32G; a*2@h1 2v 4G 1c 80d 5k";

static struct ek_world *with_disks(uint64_t seed)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    ek_world_options_defaults(&options);
    options.seed = seed;
    policy.disk_grace_ms = EK_WORLD_MINUTE_MS;
    return world_with(three_hosts, &options, &policy);
}

/* How many hosts have a file of the domain's disk. */
static size_t files_of(struct ek_world *it, const char *name)
{
    return ek_world_cluster(it)->domains[domain(it, name)].disk_count;
}

/* Each guest's file is where the guest is, and nowhere else. */
static void assert_tidy(struct ek_world *it)
{
    static const char *const names[] = {"a1", "a2"};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(files_of(it, names[i]), 1);
        assert_true(ek_sim_disk_is_on(ek_world_cluster(it), domain(it, names[i]),
                                      host(it, home(it, names[i]))));
    }
}

static void evacuate(struct ek_world *it)
{
    until(it, 2 * EK_WORLD_MINUTE_MS);
    ek_world_set_maintenance(it, host(it, "h1"), true);
}

/* The destination has the disk's file before the guest runs there; the source keeps its own until
 * the grace is over. */
static void test_disk_goes_along(void **state)
{
    struct ek_world *it = with_disks(1);

    (void)state;
    evacuate(it);
    until_state(it, EK_MOVE_DONE, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(files_of(it, "a1") + files_of(it, "a2"), 3);
    pass(it, 30 * EK_WORLD_MINUTE_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_tidy(it);
    ek_world_destroy(it);
}

/* Any one preparation fails, for the pair or for the host: what was made before it is undone. */
static void test_each_preparation_fails(void **state)
{
    static const enum ek_failure failures[] = {EK_FAILURE_SAME_PAIR, EK_FAILURE_OTHER_HOST,
                                               EK_FAILURE_LOST};

    (void)state;
    for (unsigned int nth = 0; nth < 3; nth++) {
        for (size_t i = 0; i < 3; i++) {
            struct ek_world *it = with_disks(nth + 1);

            ek_world_hypervisor(it)->faults[EK_SIM_PREPARE] =
                (struct ek_sim_fault){.after = nth, .times = 1, .failure = failures[i]};
            evacuate(it);
            pass(it, EK_WORLD_HOUR_MS);
            until_quiet(it, EK_WORLD_HOUR_MS);
            assert_int_equal(residents(it, "h1"), 0);
            assert_tidy(it);
            ek_world_destroy(it);
        }
    }
}

/* Our daemon dies at each preparation, before it is made and after: its successor leaves nothing.
 */
static void test_death_at_each_preparation(void **state)
{
    (void)state;
    for (int nth = 0; nth < 3; nth++) {
        for (int before = 0; before < 2; before++) {
            struct ek_world *it = with_disks((uint64_t)nth + 1);

            evacuate(it);
            ek_world_crash_at_preparation(it, nth, before == 1, EK_WORLD_SECOND_MS);
            pass(it, EK_WORLD_HOUR_MS);
            assert_told(it, "daemon: dies");
            until_quiet(it, EK_WORLD_HOUR_MS);
            assert_int_equal(residents(it, "h1"), 0);
            assert_tidy(it);
            ek_world_destroy(it);
        }
    }
}

/* What an attempt could not undo, try as it may, is told, and the trash removes it later. */
static void test_leftover_goes_with_the_trash(void **state)
{
    struct ek_world *it = with_disks(1);
    struct ek_sim_fault *faults = ek_world_hypervisor(it)->faults;

    (void)state;
    faults[EK_SIM_MIGRATE] = (struct ek_sim_fault){.times = 1, .failure = EK_FAILURE_OTHER_HOST};
    faults[EK_SIM_UNPREPARE] = (struct ek_sim_fault){.times = 3, .failure = EK_FAILURE_OTHER_HOST};
    evacuate(it);
    until_state(it, EK_MOVE_FAILED, 10 * EK_WORLD_MINUTE_MS);
    assert_int_equal(files_of(it, "a1") + files_of(it, "a2"), 3);
    pass(it, 2 * EK_WORLD_HOUR_MS);
    until_quiet(it, EK_WORLD_HOUR_MS);
    assert_int_equal(residents(it, "h1"), 0);
    assert_tidy(it);
    ek_world_destroy(it);
}

/* The trash outlives the daemon. */
static void test_trash_outlives_the_daemon(void **state)
{
    struct ek_world *it = with_disks(1);

    (void)state;
    evacuate(it);
    until_state(it, EK_MOVE_DONE, 30 * EK_WORLD_MINUTE_MS);
    strike(it, EK_WORLD_BALANCER_CRASH, 0, 5 * EK_WORLD_MINUTE_MS);
    pass(it, EK_WORLD_HOUR_MS);
    until_quiet(it, EK_WORLD_HOUR_MS);
    assert_tidy(it);
    ek_world_destroy(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_goes_along),
        cmocka_unit_test(test_each_preparation_fails),
        cmocka_unit_test(test_death_at_each_preparation),
        cmocka_unit_test(test_leftover_goes_with_the_trash),
        cmocka_unit_test(test_trash_outlives_the_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
