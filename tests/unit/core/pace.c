/* Paces: the ladder between the limits and their ceilings, and which step a deadline needs. */
#include "balancer/core/schedule/pace_choice.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"
#include "tests/lib/text.h"

#include <string.h>

static struct ek_planning it;
static struct ek_pace_choice choice;

static int teardown(void **state)
{
    (void)state;
    ek_pace_choice_finish(&choice);
    ek_planning_end(&it);
    return 0;
}

/* Plans what the snapshot now says, and asks for the pace after that one. */
static enum ek_pace choose_after(enum ek_pace before)
{
    struct ek_error err = {0};

    ek_pace_choice_finish(&choice);
    ek_planning_run(&it, NULL);
    ek_schedule_finish(&it.schedule);
    assert_true(ek_pace_choose(&choice, &it.schedule, &it.plan, &it.policy, before, &err));
    assert_int_equal(it.schedule.pace, choice.pace);
    return choice.pace;
}

static enum ek_pace choose(void)
{
    return choose_after(EK_PACE_LIMITS);
}

/* A second counts from the snapshot on. */
static void set_deadline(const char *host, double seconds)
{
    it.snapshot.hosts[ek_test_host(&it.snapshot, host)].deadline_ms =
        it.snapshot.taken_at_ms + (int64_t)(1000 * seconds);
}

static int64_t likely_ms(const char *host, enum ek_pace pace)
{
    const struct ek_pace_host *found = ek_pace_find(&choice, ek_test_host(&it.snapshot, host));

    assert_non_null(found);
    return found->likely_ms[pace];
}

/* Two destinations that are half as fast as the source: 20.5 s each, one after the other 41 s. */
#define TWO_AT_ONCE                                                                   \
    "h1 maintenance link=100; h2 link=50; h3 link=50; a@h1 1v 1000M; b@h1 1v 1000M; " \
    "c@h2 1v 1000M; d@h3 1v 1000M"

/* ---- the ladder ------------------------------------------------------------------------------ */

/* More at once first, half-way and then all of it; bandwidth last. */
static void the_ladder_rises_from_the_limits_to_the_ceilings(void **state)
{
    struct ek_policy policy;
    struct ek_text text = {.used = 0};
    struct ek_arena arena = {.newest = NULL};

    (void)state;
    ek_policy_defaults(&policy);
    policy.bandwidth_per_host_mib_s = 50;
    policy.urgent = (struct ek_limits){9, 3, 4, 80, 0};
    for (int pace = 0; pace < EK_PACE_COUNT; pace++) {
        const struct ek_limits limits = ek_pace_limits(&policy, (enum ek_pace)pace);
        ek_text_add(&text, "%s: %s\n", ek_pace_name((enum ek_pace)pace),
                    ek_limits_text(&limits, &arena));
    }
    assert_string_equal(text.text,
                        "limits: 4 at once, 1 from a host, 1 to a host, 50 MiB/s on each link\n"
                        "half: 7 at once, 3 from a host, 2 to a host, 50 MiB/s on each link\n"
                        "parallel: 9 at once, 4 from a host, 3 to a host, 50 MiB/s on each link\n"
                        "urgent: 9 at once, 4 from a host, 3 to a host, 80 MiB/s on each link\n");
    ek_arena_finish(&arena);
}

/* What is unlimited stays so, and a ceiling below a limit lowers nothing. */
static void no_step_is_below_the_one_before(void **state)
{
    struct ek_policy policy;

    (void)state;
    ek_policy_defaults(&policy);
    policy.limit_host_out = 5;
    policy.bandwidth_cluster_mib_s = 200;
    policy.urgent.bandwidth_per_host_mib_s = 10;
    policy.urgent.bandwidth_cluster_mib_s = 100;
    const struct ek_limits limits = ek_pace_limits(&policy, EK_PACE_URGENT);
    assert_int_equal(limits.host_out, 5);
    assert_true(limits.bandwidth_per_host_mib_s == 0);
    assert_true(limits.bandwidth_cluster_mib_s == 200);
}

/* ---- the choice ------------------------------------------------------------------------------ */

/* Without a deadline the limits hold, however long it takes. */
static void without_a_deadline_the_limits_hold(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    assert_int_equal(choose(), EK_PACE_LIMITS);
    assert_int_equal(choice.host_count, 0);
    assert_true(choice.in_time);
    assert_int_equal(it.schedule.makespan_ms, 41000);
}

/* Enough is a quarter more than is likely. */
static void with_enough_slack_the_limits_hold(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    set_deadline("h1", 1.25 * 41);
    assert_int_equal(choose(), EK_PACE_LIMITS);
    assert_int_equal(ek_pace_gentler(&choice), EK_PACE_LIMITS);
    set_deadline("h1", 1.25 * 41 - .001);
    assert_int_equal(choose(), EK_PACE_HALF);
}

/* Two at once are enough, and no more than these are taken. */
static void more_at_once_comes_first(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    it.policy.urgent.host_out = 4;
    it.policy.limit_host_out = 1;
    set_deadline("h1", 40);
    assert_int_equal(choose(), EK_PACE_HALF);
    assert_true(choice.in_time);
    assert_int_equal(likely_ms("h1", EK_PACE_LIMITS), 41000);
    assert_int_equal(likely_ms("h1", EK_PACE_HALF), 20500);
    assert_int_equal(likely_ms("h1", EK_PACE_PARALLEL), -1);
    assert_int_equal(ek_pace_gentler(&choice), EK_PACE_LIMITS);
    assert_int_equal(ek_pace_slack_ms(ek_pace_worst(&choice, EK_PACE_LIMITS), EK_PACE_LIMITS),
                     -1000);
}

/* Where the links are what is scarce, bandwidth is raised; each move is then predicted with what it
 * gets: 10.5 s instead of 40.5 s. */
static void bandwidth_comes_last(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance link=100; h2 link=100; a@h1 1v 1000M; b@h1 1v 1000M");
    it.policy.bandwidth_per_host_mib_s = 25;
    it.policy.urgent = ek_pace_default_ceilings(&it.policy);
    it.policy.urgent.bandwidth_per_host_mib_s = 0;
    set_deadline("h1", 60);
    assert_int_equal(choose(), EK_PACE_URGENT);
    assert_true(choice.in_time);
    assert_int_equal(likely_ms("h1", EK_PACE_PARALLEL), 81000);
    assert_int_equal(likely_ms("h1", EK_PACE_URGENT), 21000);
    assert_int_equal(it.schedule.slots[0].duration_ms, 10500);
    assert_int_equal(it.schedule.slots[0].cost.duration_ms, 10500);
    assert_int_equal(it.plan.moves[0].cost.duration_ms, 40500);
}

/* The steepest is taken where none is enough, and the slack is below 0; one without effect is left
 * out: bandwidth is unlimited already. */
static void the_steepest_is_taken_when_none_is_enough(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    set_deadline("h1", 10);
    assert_int_equal(choose(), EK_PACE_PARALLEL);
    assert_false(choice.in_time);
    assert_int_equal(likely_ms("h1", EK_PACE_URGENT), -1);
    assert_int_equal(ek_pace_slack_ms(ek_pace_worst(&choice, choice.pace), choice.pace), -10500);
    set_deadline("h1", -10);
    assert_int_equal(choose(), EK_PACE_PARALLEL);
}

/* Where the ceilings are the limits there is no other pace. */
static void a_ladder_may_have_one_step(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    it.policy.urgent = ek_pace_limits(&it.policy, EK_PACE_LIMITS);
    set_deadline("h1", 10);
    assert_int_equal(choose(), EK_PACE_LIMITS);
    assert_false(choice.in_time);
    assert_int_equal(ek_pace_gentler(&choice), EK_PACE_LIMITS);
}

/* A host that is empty, or keeps all that it has, is not late. */
static void who_moves_nothing_needs_nothing(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance; h2 maintenance; h3; a@h1 immovable; b@h1");
    set_deadline("h1", -10);
    set_deadline("h2", -10);
    assert_int_equal(choose(), EK_PACE_LIMITS);
    assert_true(choice.in_time);
    assert_null(ek_pace_worst(&choice, EK_PACE_LIMITS));
}

/* Several hosts: the one that would be late decides, and what leaves a host without a deadline
 * keeps the limits. */
static void each_host_has_its_own_deadline(void **state)
{
    (void)state;
    ek_planning_begin(&it, "h1 maintenance link=100; h2 maintenance link=100; h3 maintenance "
                           "link=100; h4 link=50; h5 link=50; h6 link=50; h7 link=50; h8 link=50; "
                           "h9 link=50; a@h1 1v 1000M; b@h1 1v 1000M; c@h2 1v 1000M;"
                           "d@h2 1v 1000M; e@h3 1v 1000M; f@h3 1v 1000M");
    it.policy.limit_cluster = 6;
    set_deadline("h1", 1000);
    set_deadline("h2", 40);
    assert_int_equal(choose(), EK_PACE_HALF);
    assert_int_equal(choice.host_count, 2);
    assert_int_equal(likely_ms("h2", EK_PACE_HALF), 20500);
    assert_int_equal(
        ek_preflight_likely_ms(&it.schedule, &it.policy, ek_test_host(&it.snapshot, "h3")), 41000);
    set_deadline("h2", 1000);
    set_deadline("h1", 40);
    assert_int_equal(choose(), EK_PACE_HALF);
}

/* Once raised it stays until the gentler one has twice the margin. */
static void it_does_not_flap(void **state)
{
    (void)state;
    ek_planning_begin(&it, TWO_AT_ONCE);
    for (double seconds = 1.25 * 41; seconds < 1.5 * 41; seconds += 1) {
        set_deadline("h1", seconds);
        assert_int_equal(choose_after(EK_PACE_LIMITS), EK_PACE_LIMITS);
        assert_int_equal(choose_after(EK_PACE_HALF), EK_PACE_HALF);
        assert_true(choice.in_time);
    }
    set_deadline("h1", 1.5 * 41);
    assert_int_equal(choose_after(EK_PACE_HALF), EK_PACE_LIMITS);
    /* From a steeper one it may come down to any that has the reserve. */
    set_deadline("h1", 1.5 * 20.5);
    assert_int_equal(choose_after(EK_PACE_PARALLEL), EK_PACE_HALF);
}

/* What runs already comes first, at the rate that the pace gives it. */
static void what_runs_already_counts(void **state)
{
    (void)state;
    ek_planning_begin(&it,
                      "h1 maintenance link=100; h2 link=100; a@h1->h2 1v 1000M; b@h1 1v 1000M");
    it.policy.bandwidth_per_host_mib_s = 25;
    it.policy.urgent.bandwidth_per_host_mib_s = 100;
    set_deadline("h1", 40);
    it.snapshot.in_flight[0].started_at_ms = it.snapshot.taken_at_ms;
    assert_int_equal(choose(), EK_PACE_URGENT);
    assert_int_equal(likely_ms("h1", EK_PACE_LIMITS), 81000);
    assert_int_equal(likely_ms("h1", EK_PACE_URGENT), 21000);
}

#define PACE_TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ladder_rises_from_the_limits_to_the_ceilings),
        cmocka_unit_test(no_step_is_below_the_one_before),
        PACE_TEST(without_a_deadline_the_limits_hold),
        PACE_TEST(with_enough_slack_the_limits_hold),
        PACE_TEST(more_at_once_comes_first),
        PACE_TEST(bandwidth_comes_last),
        PACE_TEST(the_steepest_is_taken_when_none_is_enough),
        PACE_TEST(a_ladder_may_have_one_step),
        PACE_TEST(who_moves_nothing_needs_nothing),
        PACE_TEST(each_host_has_its_own_deadline),
        PACE_TEST(it_does_not_flap),
        PACE_TEST(what_runs_already_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
