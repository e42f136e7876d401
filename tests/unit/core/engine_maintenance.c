/* Stories of maintenance: what the engine says of a host that is to be emptied. */
#include "tests/unit/core/engine_story.h"

/* A host is evacuating while domains leave, and evacuated when a fresh sample shows none: not when
 * the last move ends, for something may have started there since the sample. */
static void evacuated_is_what_a_fresh_sample_shows(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate done\nmaintenance h1 evacuating, 0 left\nwake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2");
    ek_story_expect(&it, "maintenance h1 evacuated, 0 left\n");
}

/* Nor is a host called empty by a snapshot that has grown old: Redis may have been away meanwhile.
 */
static void an_old_snapshot_calls_nothing_evacuated(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2");
    ek_story_expect(&it, "maintenance h1 evacuated, 0 left\n");
    it.now_ms += 300 * 1000;
    ek_story_hold(&it, "Redis is away");
    ek_story_expect(&it, "maintenance h1 blocked, 0 left; : Redis is away\nwake +10 s\n");
}

/* What starts there later leaves again. */
static void latecomers_leave_again(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2");
    ek_story_expect(&it, "maintenance h1 evacuated, 0 left\n");
    ek_story_cycle(&it, "h1 maintenance; h2; late@h1");
    ek_story_expect(&it, "plan started: late h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start late h1->h2\n"
                         "wake +10 s\n");
}

/* A paused domain leaves like a running one. */
static void paused_domains_leave(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 paused");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
}

/* A domain that is on its way from the host, seen on neither, still counts: its move may fail. */
static void a_domain_out_of_sight_is_not_gone(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2");
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nwake +10 s\n");
}

/* A move that ends on the host keeps it from being empty. */
static void an_arrival_keeps_it_from_being_empty(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 4c");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 10c; h2 10c maintenance; a@h1 1v 1G 3c; b@h1 1v 1G 4c");
    ek_story_expect(&it, "maintenance h2 evacuating, 1 left\nwake +10 s\n");
}

/* In recommend mode it says what it would do, and that it does nothing. */
static void recommend_mode_is_preflight(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1 immovable");
    ek_story_expect(&it, "plan recommended: a h1->h2 evacuate\n"
                         "maintenance h1 preflight, 2 left; b: cannot be migrated\n");
}

/* A host that is not up is blocked: nothing is known of what is on it. */
static void a_host_without_samples_is_blocked(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance down; h2; h3");
    ek_story_expect(&it, "maintenance h1 blocked, 0 left; : the host has no fresh sample\n"
                         "wake +10 s\n");
}

/* What fits nowhere makes it infeasible, what time may change leaves it blocked. */
static void infeasible_is_for_good_blocked_for_now(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2; h3 maintenance; a@h1 1v 32G");
    ek_story_expect(&it, "maintenance h1 infeasible, 1 left; a: h2: 32768 MiB of memory needed, "
                         "15565 MiB may still be given; h3: host is in maintenance\n"
                         "maintenance h3 evacuated, 0 left\n");
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2 stale; h3; a@h1 1v 32G");
    ek_story_expect(&it, "maintenance h3 ended, 0 left\n"
                         "maintenance h1 blocked, 1 left; a: h2: host is stale; h3: 32768 MiB of "
                         "memory needed, 15565 MiB may still be given\n"
                         "wake +10 s\n");
}

/* The only destination failed: it is avoided for a while, which is no reason to give up. */
static void a_failed_destination_blocks_for_now(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    ek_story_fault(&it, "a", EK_MOVE_ROLLED_BACK);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    ek_story_expect(&it, "maintenance h1 blocked, 1 left; a: h2: a move to that host failed lately "
                         "(for another 70 s)\nwake +10 s\n");
    it.now_ms += 3600 * 1000;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* Two hosts to be emptied do not send their domains to each other. */
static void two_hosts_do_not_swap(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; a@h1; b@h2");
    ek_story_expect(&it, "plan started: a h1->h3 evacuate, b h2->h3 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "maintenance h2 evacuating, 1 left\n"
                         "start a h1->h3\n"
                         "wake +10 s\n");
}

/* A new maintenance key drops a plan under way: the host it names takes no more. */
static void a_new_key_changes_the_plan(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 2G; b@h1 1v 1G");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; h3 maintenance; a@h1 1v 2G; b@h1 1v 1G");
    ek_story_expect(&it, "plan started: b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 2 left\n"
                         "maintenance h3 evacuated, 0 left\n"
                         "wake +10 s\n");
}

/* When the key goes, the status ends, what has not left stays, and the host is used again. */
static void after_maintenance_the_host_is_used_again(void **state)
{
    static const char rest[] = "h1 10c; h2 10c; a@h2 1v 1G 1c; b@h1 1v 1G 0c; c@h2 1v 1G 3c;"
                               "d@h2 1v 1G 3.5c";

    (void)state;
    ek_story_cycle(&it, "h1 10c maintenance; h2 10c; a@h1 1v 1G 1c; b@h1 1v 1G 0c; c@h2 1v 1G 3c;"
                        "d@h2 1v 1G 3.5c");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, rest);
    ek_story_expect(&it, "maintenance h1 ended, 0 left\n");
    ek_story_outcome(&it, "b", EK_MOVE_CANCELLED);
    ek_story_settle(&it, rest);
    ek_story_expect(&it, "fate failed\nwake +20 s\n"
                         "plan started: d h2->h1 balance\nstart d h2->h1\n");
}

/* A domain that cannot leave does not hold up the others. */
static void a_stuck_domain_holds_up_nobody(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 immovable; b@h1");
    ek_story_expect(&it, "plan started: b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 2 left; a: cannot be migrated\n"
                         "start b h1->h2\n"
                         "wake +10 s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evacuated_is_what_a_fresh_sample_shows),
        TEST(an_old_snapshot_calls_nothing_evacuated),
        TEST(latecomers_leave_again),
        TEST(paused_domains_leave),
        TEST(a_domain_out_of_sight_is_not_gone),
        TEST(an_arrival_keeps_it_from_being_empty),
        TEST(recommend_mode_is_preflight),
        TEST(a_host_without_samples_is_blocked),
        TEST(infeasible_is_for_good_blocked_for_now),
        TEST(a_failed_destination_blocks_for_now),
        TEST(two_hosts_do_not_swap),
        TEST(a_new_key_changes_the_plan),
        TEST(after_maintenance_the_host_is_used_again),
        TEST(a_stuck_domain_holds_up_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
