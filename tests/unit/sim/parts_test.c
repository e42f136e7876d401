/* The simulator's own parts: time, chance, links, rounds, samples, journal, and the judge itself.
 */
#include "story.h"

#include <math.h>

/* ---- time and chance ------------------------------------------------------------------------ */

struct seen {
    uint32_t subjects[300];
    int64_t times[300];
    size_t count;
    struct ek_sim_queue *queue;
};

static void see(void *context, uint32_t subject, uint32_t ticket)
{
    struct seen *seen = context;

    (void)ticket;
    seen->subjects[seen->count] = subject;
    seen->times[seen->count++] = seen->queue->now_ms;
}

/* Events come in the order of their time; those of one millisecond in the order of asking. */
static void test_queue_keeps_order(void **state)
{
    struct ek_sim_queue queue = {.now_ms = 0};
    struct ek_random random = ek_random_stream(7, 7);
    struct seen seen = {.queue = &queue};
    struct ek_error err = {0};

    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        ek_sim_queue_at(&queue, ek_random_between(&random, 0, 40), see, &seen, i, 0);
    }
    assert_true(ek_sim_queue_run(&queue, 100, &err));
    assert_int_equal(seen.count, 300);
    for (size_t i = 1; i < seen.count; i++) {
        assert_true(seen.times[i - 1] <= seen.times[i]);
        assert_true(seen.times[i - 1] < seen.times[i] || seen.subjects[i - 1] < seen.subjects[i]);
    }
    assert_int_equal(queue.now_ms, 100);
    ek_sim_queue_finish(&queue);
}

/* Noise has mean 0 and standard deviation 1; a range gives both of its ends. */
static void test_chance_is_fair(void **state)
{
    struct ek_random random = ek_random_stream(1, 1);
    double sum = 0;
    double squares = 0;
    int ends = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double noise = ek_random_noise(&random);
        int64_t range = ek_random_between(&random, -1, 1);
        sum += noise;
        squares += noise * noise;
        assert_true(range >= -1 && range <= 1);
        ends += range != 0 ? 1 : 0;
    }
    assert_true(fabs(sum / 20000) < 0.03);
    assert_true(fabs(squares / 20000 - 1) < 0.05);
    assert_true(ends > 13000 && ends < 13700);
}

/* ---- migrations ----------------------------------------------------------------------------- */

/* A cluster without a daemon that meddles. */
static struct ek_world *quiet_world(const char *text)
{
    struct ek_world *it = world(text);

    ek_world_crash_daemon(it);
    return it;
}

static const struct ek_sim_migration *under_way(struct ek_world *it, const char *name)
{
    return ek_sim_migration_of(ek_world_migrations(it), domain(it, name));
}

static void move(struct ek_world *it, const char *name, const char *where)
{
    assert_true(ek_world_move_by_hand(it, domain(it, name), host(it, where)));
}

/* An idle guest takes its memory over the link's rate: 4 GiB at 110 MiB/s is 37.2 s. */
static void test_duration_is_memory_over_rate(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c");

    (void)state;
    move(it, "a", "h2");
    pass(it, 37 * EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "a"), "h1");
    pass(it, EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "a"), "h2");
    assert_int_equal(ek_world_migrations(it)->completed, 1);
    ek_world_destroy(it);
}

/* Two that leave one host share its link; when one is over, the other has all of it. */
static void test_links_are_shared_while_both_run(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G 100m; h2 8c 32G 100m; h3 8c 32G 100m;"
                                      "small@h1 1v 1G 1c; large@h1 1v 4G 1c");

    (void)state;
    move(it, "small", "h2");
    move(it, "large", "h3");
    pass(it, 2 * EK_WORLD_SECOND_MS);
    assert_true(fabs(under_way(it, "small")->rate_mib_s - 50) < 1e-6);
    assert_true(fabs(under_way(it, "large")->rate_mib_s - 50) < 1e-6);
    pass(it, 21 * EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "small"), "h2");
    assert_true(fabs(under_way(it, "large")->rate_mib_s - 100) < 1e-6);
    ek_world_destroy(it);
}

/* Max-min: what a narrow link cannot take is left to the others. */
static void test_narrow_link_leaves_the_rest(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G 100m; h2 8c 32G 20m; h3 8c 32G 100m;"
                                      "a@h1 1v 4G 1c; b@h1 1v 4G 1c");

    (void)state;
    move(it, "a", "h2");
    move(it, "b", "h3");
    pass(it, 2 * EK_WORLD_SECOND_MS);
    assert_true(fabs(under_way(it, "a")->rate_mib_s - 20) < 1e-6);
    assert_true(fabs(under_way(it, "b")->rate_mib_s - 80) < 1e-6);
    ek_world_destroy(it);
}

/* A guest that dirties half of what the link carries takes about twice as long, round after round,
 * and stands still no longer than it may, but for the handover. */
static void test_dirty_rounds_converge(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c 55d");
    const struct ek_sim_cluster *cluster = ek_world_cluster(it);

    (void)state;
    move(it, "a", "h2");
    pass(it, 70 * EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "a"), "h1");
    assert_true(under_way(it, "a")->iteration >= 4);
    pass(it, 10 * EK_WORLD_SECOND_MS);
    assert_string_equal(home(it, "a"), "h2");
    assert_in_range(cluster->domains[domain(it, "a")].stopped_total_ms, 20, 560);
    ek_world_destroy(it);
}

/* A limit holds from the moment it is set, and can be lifted; another move's mark sets nothing. */
static void test_limits_are_live(void **state)
{
    const struct ek_tuning slow = {.bandwidth_mib_s = 10};
    const struct ek_tuning fast = {.bandwidth_mib_s = EK_TUNING_UNLIMITED};
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c");
    struct ek_sim_migrations *migrations = ek_world_migrations(it);

    (void)state;
    move(it, "a", "h2");
    pass(it, 2 * EK_WORLD_SECOND_MS);
    assert_false(ek_sim_migration_tune(migrations, 0, host(it, "h1"), "p-1", &slow));
    assert_true(under_way(it, "a")->rate_mib_s > 100);
    assert_true(ek_sim_migration_tune(migrations, 0, host(it, "h1"), "", &slow));
    assert_true(under_way(it, "a")->rate_mib_s == 10);
    assert_true(ek_sim_migration_tune(migrations, 0, host(it, "h1"), "", &fast));
    assert_true(under_way(it, "a")->rate_mib_s > 100);
    ek_world_destroy(it);
}

/* An abort in mid-copy leaves the domain on its source and nothing on the destination. */
static void test_abort_leaves_nothing_behind(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c");
    struct ek_sim_cluster *cluster = ek_world_cluster(it);

    (void)state;
    move(it, "a", "h2");
    pass(it, 5 * EK_WORLD_SECOND_MS);
    assert_non_null(ek_sim_cluster_copy(cluster, 0, host(it, "h2")));
    assert_false(ek_sim_migration_abort(ek_world_migrations(it), 0, host(it, "h1"), "p-1"));
    assert_true(ek_sim_migration_abort(ek_world_migrations(it), 0, host(it, "h1"), ""));
    pass(it, EK_WORLD_SECOND_MS);
    assert_null(under_way(it, "a"));
    assert_string_equal(home(it, "a"), "h1");
    assert_null(ek_sim_cluster_copy(cluster, 0, host(it, "h2")));
    assert_int_equal(ek_sim_cluster_copy(cluster, 0, 0)->run, EK_RUN_RUNNING_MIGRATION_CANCELED);
    assert_false(ek_sim_migration_abort(ek_world_migrations(it), 0, host(it, "h1"), ""));
    ek_world_destroy(it);
}

/* ---- the judge ------------------------------------------------------------------------------ */

/* A second running copy is a violation that stays on record, though it be gone the next moment. */
static void test_second_copy_is_seen(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c");
    struct ek_sim_cluster *cluster = ek_world_cluster(it);
    struct ek_error err = {0};

    (void)state;
    assert_true(ek_world_check(it, &err));
    ek_sim_cluster_bring(cluster, 0, 1)->whole = true;
    ek_sim_cluster_set(cluster, 0, 1, EK_RUN_RUNNING, EK_JOB_NONE);
    ek_sim_cluster_remove(cluster, 0, 1);
    assert_false(ek_world_check(it, &err));
    assert_string_equal(err.message, "a: two copies run, 0 ms after the beginning");
    ek_world_destroy(it);
}

/* A copy that never came whole must not run, and a domain that no host has is lost. */
static void test_orphan_and_loss_are_seen(void **state)
{
    struct ek_world *it = quiet_world("h1 8c 32G; h2 8c 32G; a@h1 2v 4G 1c; b@h1 2v 4G 1c");
    struct ek_sim_cluster *cluster = ek_world_cluster(it);
    struct ek_error err = {0};

    (void)state;
    ek_sim_cluster_remove(cluster, domain(it, "b"), 0);
    assert_false(ek_world_check(it, &err));
    assert_string_equal(err.message, "b is lost: no host can run it on");
    (void)ek_sim_cluster_bring(cluster, 0, 1);
    ek_sim_cluster_set(cluster, 0, 0, EK_RUN_PAUSED_MIGRATION, EK_JOB_NONE);
    ek_sim_cluster_set(cluster, 0, 1, EK_RUN_RUNNING, EK_JOB_NONE);
    assert_false(ek_world_check(it, &err));
    assert_string_equal(err.message,
                        "a: a copy runs that never came whole, 0 ms after the beginning");
    ek_world_destroy(it);
}

/* ---- samples -------------------------------------------------------------------------------- */

static const struct ek_domain *seen_on(struct ek_world *it, const char *host_name, const char *name)
{
    const struct ek_snapshot *snapshot = ek_engine_view(ek_world_engine(it)).snapshot;
    bool ambiguous = false;
    uint32_t index = ek_snapshot_find_domain(snapshot, name, &ambiguous);

    assert_int_not_equal(index, EK_NONE);
    assert_string_equal(snapshot->hosts[snapshot->domains[index].host].name, host_name);
    return &snapshot->domains[index];
}

/* Rates need two readings of one counter: none with the first sample, none just after arrival. */
static void test_rates_need_two_readings(void **state)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    (void)state;
    ek_world_options_defaults(&options);
    options.noise = 0;
    options.cycle_ms = 5000;
    struct ek_world *it = world_with("h1 8c 32G; h2 8c 32G; a@h1 2v 1G 1.5c", &options, &policy);
    until(it, 14 * EK_WORLD_SECOND_MS);
    assert_true(isnan(seen_on(it, "h1", "a")->cpu_used_cores));
    until(it, 20 * EK_WORLD_SECOND_MS);
    assert_true(fabs(seen_on(it, "h1", "a")->cpu_used_cores - 1.5) < 1e-9);
    move(it, "a", "h2"); /* it arrives at 30 s; h2 is sampled at 24 s, 39 s, 54 s */
    until(it, 45 * EK_WORLD_SECOND_MS);
    assert_true(isnan(seen_on(it, "h2", "a")->cpu_used_cores));
    until(it, 60 * EK_WORLD_SECOND_MS);
    assert_true(fabs(seen_on(it, "h2", "a")->cpu_used_cores - 1.5) < 1e-9);
    ek_world_destroy(it);
}

/* Cores that a host does not have are not used: they show as steal and as overload. */
static void test_lack_of_cores_is_steal(void **state)
{
    struct ek_world_options options;
    struct ek_policy policy = automatic_policy();

    (void)state;
    ek_world_options_defaults(&options);
    options.noise = 0;
    policy.mode = EK_MODE_RECOMMEND;
    struct ek_world *it = world_with("h1 4c 32G; a*4@h1 2v 1G 2c", &options, &policy);
    until(it, EK_WORLD_MINUTE_MS);
    assert_true(fabs(seen_on(it, "h1", "a1")->cpu_used_cores - 3.9 / 4) < 1e-9);
    assert_true(fabs(seen_on(it, "h1", "a1")->cpu_steal - (1 - 3.9 / 8)) < 1e-9);
    until(it, EK_WORLD_HOUR_MS);
    assert_true(ek_world_counters(it).starved_s > 3500);
    ek_world_destroy(it);
}

/* ---- journal -------------------------------------------------------------------------------- */

/* The journal takes a record only from who knows what it holds, and from the epoch in charge. */
static void test_journal_compares_and_sets(void **state)
{
    struct ek_sim_journal journal;
    struct ek_move_record first = {.order = {.id = "p-1"}, .state = EK_MOVE_CLAIMED, .epoch = 2};
    struct ek_move_record second = first;
    struct ek_error err = {0};

    (void)state;
    second.state = EK_MOVE_PRECHECK;
    ek_sim_journal_init(&journal, 1);
    journal.epoch = 2;
    assert_false(journal.port.write(&journal, &second, &first, &err));
    assert_int_equal(err.code, EK_ERR_CONFLICT);
    assert_true(journal.port.write(&journal, &first, NULL, &err));
    assert_false(journal.port.write(&journal, &first, NULL, &err));
    assert_true(journal.port.write(&journal, &second, &first, &err));
    assert_false(journal.port.write(&journal, &second, &first, &err));
    journal.epoch = 3;
    assert_false(journal.port.write(&journal, &second, &second, &err));
    assert_int_equal(err.code, EK_ERR_FENCED);
    assert_int_equal(ek_sim_journal_open(&journal), 1);
    ek_sim_journal_finish(&journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_keeps_order),
        cmocka_unit_test(test_chance_is_fair),
        cmocka_unit_test(test_duration_is_memory_over_rate),
        cmocka_unit_test(test_links_are_shared_while_both_run),
        cmocka_unit_test(test_narrow_link_leaves_the_rest),
        cmocka_unit_test(test_dirty_rounds_converge),
        cmocka_unit_test(test_limits_are_live),
        cmocka_unit_test(test_abort_leaves_nothing_behind),
        cmocka_unit_test(test_second_copy_is_seen),
        cmocka_unit_test(test_orphan_and_loss_are_seen),
        cmocka_unit_test(test_rates_need_two_readings),
        cmocka_unit_test(test_lack_of_cores_is_steal),
        cmocka_unit_test(test_journal_compares_and_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
