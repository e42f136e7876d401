/* Stories of maintenance: what the engine says of a host that is to be emptied. */
#include "tests/unit/core/engine_story.h"

#include <string.h>

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

/* So does a migration of somebody else, also of a domain that no sample shows any more; it counts
 * once, and is over when it is. */
static void somebody_elses_arrival_keeps_it_from_being_empty(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2->h1");
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nwake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2");
    ek_story_expect(&it, "maintenance h1 evacuated, 0 left\n");
}

/* In recommend mode it says what it would do, and that it does nothing. */
static void recommend_mode_is_preflight(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1; b@h1 immovable");
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

/* ---- the promise ----------------------------------------------------------------------------- */

/* Before the first move: that it can be done, how long it takes, and in which order. The times
 * count down from then on. */
static void a_promise_comes_before_the_first_move(void **state)
{
    (void)state;
    it.promises = true;
    ek_story_cycle(&it, "h1 maintenance link=100; h2 link=100; a@h1 1v 1000M dirty=1;"
                        "b@h1 1v 500M dirty=1");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate, b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 2 left; feasible, 16.1 s (12.0 to 20.2), "
                         "order a b\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance link=100; h2 link=100; a@h1 1v 1000M dirty=1;"
                        "b@h1 1v 500M dirty=1");
    ek_story_expect(&it, "maintenance h1 evacuating, 2 left; feasible, 6.2 s (2.0 to 10.2), "
                         "order a b\n"
                         "wake +10 s\n");
}

/* One domain that can go nowhere keeps all others where they are, and the least that would do is
 * said. */
static void a_host_that_cannot_be_emptied_keeps_all(void **state)
{
    (void)state;
    it.promises = true;
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2; a@h1 1v 32G; b@h1");
    ek_story_expect(&it, "maintenance h1 infeasible, 2 left; not feasible; a: h2: 32768 MiB of "
                         "memory needed, 14541 MiB may still be given (18228 MiB more have to be "
                         "free for domains on h2)\n");
    /* It is asked anew in each cycle. */
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2 64G; a@h1 1v 32G; b@h1");
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* Of an evacuation that takes longer than was predicted no time is told: "0 s" would be wrong. */
static void what_is_late_has_no_eta(void **state)
{
    static const char text[] = "h1 maintenance; h2; a@h1; b@h1";

    (void)state;
    it.promises = true;
    ek_story_cycle(&it, text);
    assert_non_null(strstr(it.trace.text, "maintenance h1 evacuating, 2 left; feasible, "));
    assert_non_null(strstr(it.trace.text, " to "));
    it.now_ms += 3600 * 1000;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, text);
    assert_non_null(strstr(it.trace.text, "2 left; feasible, order "));
}

/* Each alone would fit, but not all of them: the room is counted once. */
static void domains_that_fit_singly_do_not_count_as_fitting_together(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2 64c 16G; a@h1 1v 10G; b@h1 1v 10G");
    ek_story_expect(&it, "maintenance h1 infeasible, 2 left; b: h2: 10240 MiB of memory needed, "
                         "5325 MiB may still be given\n");
}

/* Unless the key says that a part will do. */
static void a_partial_evacuation_goes_as_far_as_it_can(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1 immovable; b@h1");
    ek_story_expect(&it, "plan started: b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 2 left; a: cannot be migrated\n"
                         "start b h1->h2\n"
                         "wake +10 s\n");
}

/* The key may say so later. */
static void what_the_key_says_may_change(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 immovable; b@h1");
    ek_story_expect(&it, "maintenance h1 infeasible, 2 left; a: cannot be migrated\n");
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1 immovable; b@h1");
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* A drain that has begun goes on, whatever one domain meets on the way. */
static void what_has_begun_goes_on(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 1v 2G; b@h1 1v 1G; c@h1 1v 512M");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    /* `b` runs now, and `c` is tied to its host meanwhile. */
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2 1v 2G; b@h1 1v 1G; c@h1 1v 512M immovable");
    ek_story_outcome(&it, "b", EK_MOVE_ROLLED_BACK);
    it.now_ms += 3600 * 1000;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2 1v 2G; b@h1 1v 1G; c@h1 1v 512M immovable");
    ek_story_expect(&it, "plan started: b h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 2 left; c: cannot be migrated\n"
                         "start b h1->h2\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2 1v 2G; b@h2 1v 1G; c@h1 1v 512M immovable");
    ek_story_expect(&it, "maintenance h1 infeasible, 1 left; c: cannot be migrated\n");
}

/* A new engine goes on as well: what has begun is kept. */
static void what_has_begun_is_kept_over_a_restart(void **state)
{
    static const char rest[] = "h1 maintenance; h2; a@h2; b@h1; c@h1 immovable";
    struct ek_engine *old = it.engine;
    struct ek_error err = {0};
    struct ek_kept kept;

    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1; c@h1");
    assert_true(ek_engine_keep(old, &kept, &err));
    assert_int_equal(kept.begun.count, 1);
    it.engine = ek_engine_create();
    ek_engine_destroy(old);
    assert_true(ek_engine_take_up(it.engine, &kept, &err));
    ek_kept_finish(&kept);
    ek_story_policy(&it);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, rest);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* When the key goes half-way, what runs ends, what waits is dropped; a new key is a new question.
 */
static void a_key_that_vanishes_ends_it(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 1v 2G; b@h1 1v 1G");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; a@h1 1v 2G; b@h1 1v 1G");
    ek_story_expect(&it, "maintenance h1 ended, 0 left\n");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2 1v 2G; b@h1 1v 1G; c@h1 immovable");
    ek_story_expect(&it, "maintenance h1 infeasible, 2 left; c: cannot be migrated\n");
}

static void tell_ended(const char *host)
{
    struct ek_error err = {0};
    struct ek_event event = {.kind = EK_EVENT_KEY_ENDED, .now_ms = it.now_ms, .u.key_ended = host};

    if (!ek_engine_step(it.engine, &event, &it.effects, &err)) {
        fail_msg("%s", err.message);
    }
}

/* Also when it comes back before anybody has looked: the domains that wait stay until the new one
 * is promised, and it is not, since one of them cannot leave any more. */
static void a_key_that_comes_back_is_promised_anew(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 1v 2G; b@h1 1v 1G; c@h1");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 2);
    tell_ended("h2"); /* of another host it says nothing */
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 2);
    tell_ended("h1");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2 1v 2G; b@h1 1v 1G; c@h1 immovable");
    ek_story_expect(&it, "maintenance h1 infeasible, 2 left; c: cannot be migrated\n");
}

/* Of two hosts the one that can be emptied is, and the other one waits for nothing. */
static void one_host_does_not_hold_up_another(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; a@h1; b@h2; c@h2 immovable");
    ek_story_expect(&it, "plan started: a h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "maintenance h2 infeasible, 2 left; c: cannot be migrated\n"
                         "start a h1->h3\n"
                         "wake +10 s\n");
}

/* Two that fit only one at a time: one is emptied, and the other one, which keeps all, is told what
 * would do. */
static void of_two_hosts_that_do_not_fit_together_one_goes(void **state)
{
    (void)state;
    it.promises = true;
    ek_story_cycle(&it, "h1 16G maintenance; h2 16G maintenance; h3 16G; a@h1 1v 8G; b@h2 1v 7G;"
                        "c@h2 1v 5G; d@h1 1v 4G; e@h1 1v 3G");
    ek_story_expect(
        &it,
        "plan started: a h1->h3 evacuate, d h1->h3 evacuate, e h1->h3 evacuate\n"
        "maintenance h1 evacuating, 3 left; feasible, 141.1 s (105.9 to 349.7), order a d e\n"
        "maintenance h2 infeasible, 2 left; not feasible; b: h1: host is in maintenance; h3: "
        "7168 MiB of memory needed, 205 MiB may still be given (maintenance of h1 has to end); "
        "c: h1: host is in maintenance; h3: 5120 MiB of memory needed, 205 MiB may still be "
        "given (maintenance of h1 has to end)\n"
        "start a h1->h3\n"
        "wake +10 s\n");
}

static void count_all_memory(void)
{
    it.promises = true;
    it.policy.memory_reserve = 0;
    it.policy.memory_overcommit = 1;
    ek_story_policy(&it);
}

/* Two that can each be emptied alone do not keep each other from it, set in one cycle as they are:
 * one goes. */
static void two_hosts_that_fit_alone_do_not_keep_each_other(void **state)
{
    (void)state;
    count_all_memory();
    ek_story_cycle(&it, "h1 16G maintenance; h2 16G maintenance; h3 6G; a@h1 1v 3G; b@h1 1v 2G;"
                        "c@h2 1v 3G; d@h2 1v 2G");
    ek_story_expect(
        &it, "plan started: a h1->h3 evacuate, b h1->h3 evacuate\n"
             "maintenance h1 evacuating, 2 left; feasible, 47.5 s (35.7 to 116.7), order a b\n"
             "maintenance h2 infeasible, 2 left; not feasible; d: h1: host is in maintenance; h3: "
             "2048 MiB of memory needed, 0 MiB may still be given (maintenance of h1 has to end)\n"
             "start a h1->h3\n"
             "wake +10 s\n");
}

/* A host that is set later takes no room that was promised to one whose evacuation has begun,
 * although its domain is larger than what is left there. */
static void a_newcomer_takes_no_promised_room(void **state)
{
    (void)state;
    count_all_memory();
    it.policy.limit_host_out = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 16G maintenance; h2 3G; h3 6G; a@h1 1v 3G; b@h1 1v 2G; c@h2 1v 3G");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 16G maintenance; h2 3G maintenance; h3 6G; a@h1->h3 1v 3G; b@h1 1v 2G;"
                        "c@h2 1v 3G");
    ek_story_expect(
        &it, "plan started: b h1->h3 evacuate\n"
             "maintenance h1 evacuating, 2 left; feasible, 19.1 s (14.3 to 46.8), order b\n"
             "maintenance h2 blocked, 1 left; not known; c: h1: host is in maintenance; h3: 3072 "
             "MiB of memory needed, 1024 MiB may still be given (maintenance of h1 has to end)\n"
             "wake +10 s\n");
}

/* Whether there is a place is not known while a host is silent: nothing begins before it is, and
 * nothing takes the room meanwhile. */
static void what_time_decides_is_waited_for(void **state)
{
    (void)state;
    it.promises = true;
    ek_story_cycle(&it, "h1 64c 64G maintenance; h2 stale 64G; h3 64c 30G; h4 4c 30G; a@h1 1v 32G;"
                        "b@h1 1v 1G; c@h4 1v 1G 1c; d@h4 1v 1G 1c; e@h4 1v 1G 1c");
    ek_story_expect(&it, "maintenance h1 blocked, 2 left; not known; a: h2: host is stale; h3: "
                         "32768 MiB of memory needed, 28160 MiB may still be given; h4: 32768 MiB "
                         "of memory needed, 26112 MiB may still be given (4608 MiB more have to be "
                         "free for domains on h3)\n"
                         "wake +10 s\n");
}

/* A domain that has to be resolved before it goes keeps its place: nothing is balanced into it. */
static void room_is_kept_for_who_has_to_wait(void **state)
{
    (void)state;
    ek_story_block(&it, "a");
    ek_story_cycle(&it, "h1 4c 32G maintenance; h2 10c 16G; h3 10c 16G; a@h1 1v 12G; b@h3 4v 5G 4c;"
                        "c@h3 4v 5G 4c");
    ek_story_expect(&it,
                    "maintenance h1 blocked, 1 left; a: has a move whose outcome is unknown: an "
                    "operator must resolve it\nwake +10 s\n");
    ek_story_cycle(&it, "h1 4c 32G maintenance; h2 10c 16G; h3 10c 16G; a@h1 1v 10G; b@h3 4v 5G 4c;"
                        "c@h3 4v 5G 4c");
    ek_story_expect(&it,
                    "plan started: b h3->h2 balance\n"
                    "maintenance h1 blocked, 1 left; a: has a move whose outcome is unknown: an "
                    "operator must resolve it\n"
                    "start b h3->h2\nwake +10 s\n");
}

/* ---- what a domain's metadata say -------------------------------------------------------------
 */

/* Those that are left to a person stay and are said, with what he has to do; the others leave, and
 * who may still be moved keeps a place. Who is to be stopped waits until they have left. */
static void what_is_left_to_a_person_stays_and_is_said(void **state)
{
    (void)state;
    it.promises = true;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 block; b@h1 shutdown; c@h1");
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_settle(&it, "h1 maintenance; h2; a@h1 block; b@h1 shutdown; c@h2");
    ek_story_expect(&it,
                    "maintenance h1 blocked, 2 left; not known, shutdown b; a: its metadata say "
                    "\"block\": that is left to a person (an operator has to move it (evenkeel "
                    "move))\nwake +10 s\n");
}

/* They are balanced like all others, and an operator may move them out of maintenance. */
static void an_operator_may_move_what_is_blocked(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 block");
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_MOVE, "a", "h2");
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* Post-copy is allowed to one that says so, when its host is emptied. */
static void postcopy_is_allowed_to_who_says_so(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 2v 2G postcopy; b@h1 1v 1G");
    struct ek_engine_view view = ek_engine_view(it.engine);
    assert_int_equal(view.running_count, 1);
    assert_true(view.running[0].post_copy);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    view = ek_engine_view(it.engine);
    assert_int_equal(view.running_count, 1);
    assert_false(view.running[0].post_copy);
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
        TEST(somebody_elses_arrival_keeps_it_from_being_empty),
        TEST(recommend_mode_is_preflight),
        TEST(a_host_without_samples_is_blocked),
        TEST(infeasible_is_for_good_blocked_for_now),
        TEST(a_failed_destination_blocks_for_now),
        TEST(two_hosts_do_not_swap),
        TEST(a_new_key_changes_the_plan),
        TEST(after_maintenance_the_host_is_used_again),
        TEST(a_promise_comes_before_the_first_move),
        TEST(a_host_that_cannot_be_emptied_keeps_all),
        TEST(what_is_late_has_no_eta),
        TEST(domains_that_fit_singly_do_not_count_as_fitting_together),
        TEST(a_partial_evacuation_goes_as_far_as_it_can),
        TEST(what_the_key_says_may_change),
        TEST(what_has_begun_goes_on),
        TEST(what_has_begun_is_kept_over_a_restart),
        TEST(a_key_that_vanishes_ends_it),
        TEST(a_key_that_comes_back_is_promised_anew),
        TEST(one_host_does_not_hold_up_another),
        TEST(of_two_hosts_that_do_not_fit_together_one_goes),
        TEST(two_hosts_that_fit_alone_do_not_keep_each_other),
        TEST(a_newcomer_takes_no_promised_room),
        TEST(what_time_decides_is_waited_for),
        TEST(room_is_kept_for_who_has_to_wait),
        TEST(what_is_left_to_a_person_stays_and_is_said),
        TEST(an_operator_may_move_what_is_blocked),
        TEST(postcopy_is_allowed_to_who_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
