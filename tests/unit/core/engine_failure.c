/* Stories of moves that fail and of what becomes of their plans; of who comes first, who gives way,
 * and how the links are shared. */
#include "tests/lib/cluster_text.h"
#include "tests/unit/core/engine_story.h"

#include <stdio.h>
#include <string.h>

/* Two moves level it, one after the other. */
static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 2c; b@h1 1v 1G 2c; c@h1 1v 1G 2c;"
                             "d@h1 1v 1G 2c";

/* Three leave h1, one after the other. */
static const char DRAIN[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c; c@h1 1v 1G 0c";

static const struct ek_move_order *running(size_t index)
{
    assert_true(index < ek_engine_view(it.engine).running_count);
    return &ek_engine_view(it.engine).running[index];
}

static size_t running_count(void)
{
    return ek_engine_view(it.engine).running_count;
}

static void on_failure(enum ek_on_plan_failure what)
{
    it.policy.on_plan_failure = what;
    ek_story_policy(&it);
}

/* The first of the plan works, the second fails. */
static void one_works_one_fails(char *first)
{
    ek_story_cycle(&it, UNEVEN);
    memcpy(first, running(0)->domain, EK_UUID_SIZE);
    ek_story_outcome(&it, first, EK_MOVE_DONE);
    assert_int_equal(running_count(), 1);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_ROLLED_BACK);
}

/* replan: what has not begun is dropped, and a snapshot is wanted at once for a new plan. */
static void a_failed_plan_is_made_anew_at_once(void **state)
{
    (void)state;
    ek_story_cycle(&it, UNEVEN);
    assert_true(ek_engine_view(it.engine).waiting_count > 0);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_ROLLED_BACK);
    ek_story_expect(&it, "fate failed\nwake +0 s\n");
    ek_story_cycle(&it, UNEVEN);
    assert_int_equal(running_count(), 1);
}

/* stop: nothing is balanced until an operator resumes, over a restart, too; evacuations go on. */
static void a_failed_plan_stops_balancing(void **state)
{
    struct ek_kept kept;
    struct ek_error err = {0};
    char first[EK_UUID_SIZE];

    (void)state;
    on_failure(EK_ON_FAILURE_STOP);
    one_works_one_fails(first);
    ek_story_settle(&it, UNEVEN);
    assert_int_equal(running_count(), 0);
    assert_non_null(strstr(ek_engine_view(it.engine).paused, "on_plan_failure is stop"));
    assert_true(ek_engine_keep(it.engine, &kept, &err));
    ek_story_end(&it);
    ek_story_begin(&it);
    assert_true(ek_engine_take_up(it.engine, &kept, &err));
    ek_kept_finish(&kept);
    ek_story_settle(&it, UNEVEN);
    assert_int_equal(running_count(), 0);
    ek_story_settle(&it, "h1 10c maintenance; h2 10c; a@h1 1v 1G 2c");
    assert_int_equal(running_count(), 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    ek_story_settle(&it, UNEVEN);
    ek_story_settle(&it, UNEVEN);
    assert_int_equal(running_count(), 1);
}

/* ... and not the failed plan alone: what waits of another is dropped with it. */
static void a_stop_drops_other_plans(void **state)
{
    (void)state;
    it.policy.limit_cluster = 1;
    on_failure(EK_ON_FAILURE_STOP);
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1->h2 1v 1G 3c; b@h1 1v 1G 3c; "
                        "c@h1 1v 1G 0.5c rule=pin+hosts=h2");
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_outcome(&it, "a", EK_MOVE_ROLLED_BACK);
    assert_non_null(ek_engine_view(it.engine).paused);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    assert_int_equal(running_count(), 0);
}

/* revert: what the plan had moved goes back, by a plan of its own. */
static void a_failed_plan_is_reverted(void **state)
{
    char first[EK_UUID_SIZE];
    char trace[256];

    (void)state;
    on_failure(EK_ON_FAILURE_REVERT);
    one_works_one_fails(first);
    (void)snprintf(trace, sizeof(trace),
                   "plan started: %s h2->h1 manual\nfate failed\nstart %s h2->h1\nwake +0 s\n",
                   first, first);
    ek_story_expect(&it, trace);
    ek_story_outcome(&it, first, EK_MOVE_DONE);
    assert_non_null(strstr(it.trace.text, "fate done\n"));
    assert_int_equal(running_count(), 0);
}

/* One of a plan's moves is done, another runs. */
static void half_done(void)
{
    on_failure(EK_ON_FAILURE_REVERT);
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_DONE);
    assert_int_equal(running_count(), 1);
}

static void expect_no_way_back(const char *why)
{
    it.events = true;
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_ROLLED_BACK);
    assert_null(strstr(it.trace.text, "start "));
    assert_non_null(strstr(it.trace.text, "what it has moved is not brought back: "));
    assert_non_null(strstr(it.trace.text, why));
    assert_int_equal(running_count(), 0);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
}

/* Nobody who only wants to be told, has paused balancing, or closed it, gets moves the other way.
 */
static void nothing_is_reverted_in_mode_recommend(void **state)
{
    (void)state;
    half_done();
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    expect_no_way_back("the mode is recommend");
}

/* Nor does who wants to be asked before: an approval was for the way there alone. */
static void nothing_is_reverted_in_mode_approve(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_APPROVE;
    on_failure(EK_ON_FAILURE_REVERT);
    ek_story_cycle(&it, UNEVEN);
    ek_story_command(&it, EK_COMMAND_APPROVE, ek_engine_view(it.engine).offer_id, "");
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_DONE);
    assert_int_equal(running_count(), 1);
    expect_no_way_back("the mode is approve, and nobody has approved it");
}

static void nothing_is_reverted_in_a_pause(void **state)
{
    (void)state;
    half_done();
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    expect_no_way_back("an operator paused balancing");
}

/* Without a cycle in between: the outcome itself finds the window closed. */
static void nothing_is_reverted_outside_the_window(void **state)
{
    (void)state;
    it.policy.calendar.windows[0] = (struct ek_window){1U << 3, 0, 60};
    it.policy.calendar.window_count = 1;
    half_done();
    it.now_ms = 3600000;
    expect_no_way_back("outside the window");
}

/* Nor while a host is emptied, whose domains need the room. */
static void nothing_is_reverted_while_a_host_is_emptied(void **state)
{
    (void)state;
    half_done();
    ek_story_cycle(&it, "h1 10c; h2 10c; h3 10c maintenance; z@h3 1v 1G 0c immovable;"
                        "a@h2 1v 1G 2c; b@h1 1v 1G 2c; c@h1 1v 1G 2c; d@h1 1v 1G 2c");
    expect_no_way_back("a host is being emptied, which needs the room");
}

/* What cannot go back stays, and is named with its reason. */
static void what_cannot_go_back_is_named(void **state)
{
    char first[EK_UUID_SIZE];

    (void)state;
    on_failure(EK_ON_FAILURE_REVERT);
    it.policy.cooldown_ms = 0;
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    memcpy(first, running(0)->domain, sizeof(first));
    ek_story_outcome(&it, first, EK_MOVE_DONE);
    ek_story_block(&it, first);
    it.events = true;
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_ROLLED_BACK);
    assert_non_null(strstr(it.trace.text, "is not brought back from h2 to h1: has a move whose "
                                          "outcome is unknown"));
    assert_non_null(strstr(it.trace.text, "brings 0 of its 1 domain back"));
    assert_int_equal(running_count(), 0);
}

/* A start that could not be recorded, since Redis went away, is no failed move: nothing is paused
 * or brought back for it, the domain does not rest, and it is planned anew one period later. */
static void a_start_without_its_record_fails_no_plan(void **state)
{
    static const enum ek_on_plan_failure what[] = {EK_ON_FAILURE_STOP, EK_ON_FAILURE_REVERT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        on_failure(what[i]);
        ek_story_settle(&it, UNEVEN);
        ek_story_outcome(&it, running(0)->domain, EK_MOVE_DONE);
        assert_int_equal(running_count(), 1);
        ek_text_clear(&it.trace);
        ek_story_refuse_start(&it, running(0)->domain);
        ek_story_expect(&it, "fate cancelled\nwake +10 s\n");
        assert_null(ek_engine_view(it.engine).paused);
        teardown(state);
        setup(state);
    }
    ek_story_cycle(&it, DRAIN);
    ek_story_refuse_start(&it, "a");
    ek_story_cycle(&it, DRAIN);
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "a");
}

/* A way back that fails is not turned round once more. */
static void a_failed_way_back_is_not_reverted(void **state)
{
    char first[EK_UUID_SIZE];

    (void)state;
    on_failure(EK_ON_FAILURE_REVERT);
    one_works_one_fails(first);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, first, EK_MOVE_ROLLED_BACK);
    assert_non_null(strstr(it.trace.text, "fate failed\n"));
    assert_null(strstr(it.trace.text, "plan started"));
    assert_int_equal(running_count(), 0);
}

/* Nobody is brought back to a host that is to be emptied: an evacuation that fails is gone on with.
 */
static void an_evacuation_is_never_reverted(void **state)
{
    (void)state;
    on_failure(EK_ON_FAILURE_REVERT);
    ek_story_cycle(&it, DRAIN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "b", EK_MOVE_ROLLED_BACK);
    ek_story_expect(&it, "maintenance h1 evacuating, 2 left\nstart c h1->h3\nwake +10 s\n");
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    assert_null(strstr(it.trace.text, "manual"));
}

/* What an operator aborted is no failure of its plan: the rest goes on, and the domain rests. */
static void an_aborted_move_fails_no_plan(void **state)
{
    char domain[EK_UUID_SIZE];

    (void)state;
    on_failure(EK_ON_FAILURE_STOP);
    ek_story_cycle(&it, UNEVEN);
    memcpy(domain, running(0)->domain, sizeof(domain));
    ek_story_command(&it, EK_COMMAND_ABORT, running(0)->id, "");
    ek_story_outcome(&it, domain, EK_MOVE_CANCELLED);
    assert_null(ek_engine_view(it.engine).paused);
    assert_int_equal(running_count(), 1);
    assert_string_not_equal(running(0)->domain, domain);
}

/* A failed move of an evacuation holds up nobody: the others go on at once. When its rest is over a
 * new plan comes, which tries it once more, behind the others. */
static void a_failed_evacuation_holds_up_nobody(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_ROLLED_BACK);
    ek_story_expect(&it, "maintenance h1 evacuating, 3 left\n"
                         "start b h1->h3\n"
                         "wake +10 s\n");
    it.now_ms += 2 * EK_STORY_PERIOD_MS;
    ek_story_cycle(&it, DRAIN);
    ek_story_expect(&it, "plan started: a h1->h2 evacuate, c h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 3 left\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_expect(&it, "fate failed\n"
                         "maintenance h1 evacuating, 2 left\n"
                         "start c h1->h3\n"
                         "wake +10 s\n");
}

/* What levels waits in its plan for the evacuation, and takes no room meanwhile of one that failed:
 * the next plan keeps that. */
static void a_failed_evacuation_comes_before_what_levels(void **state)
{
    static const char cluster[] = "h1 maintenance; h2 10c; h3 10c; z@h1 1v 3G 0c;"
                                  "a@h2 1v 1G 4c; b@h2 1v 1G 4c";

    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, cluster);
    assert_non_null(strstr(it.trace.text, "z h1->h3 evacuate, "));
    assert_non_null(strstr(it.trace.text, " h2->h3 balance"));
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
    ek_story_outcome(&it, "z", EK_MOVE_ROLLED_BACK);
    assert_int_equal(running_count(), 0);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
}

/* Where the destination was at fault another one is tried in the next cycle. */
static void another_destination_is_tried(void **state)
{
    static const char cluster[] = "h1 maintenance; h2; h3; a@h1 1v 3G 0c";

    (void)state;
    ek_story_cycle(&it, cluster);
    ek_story_fault(&it, "a", EK_MOVE_REJECTED);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, cluster);
    ek_story_expect(&it, "plan started: a h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start a h1->h3\n"
                         "wake +10 s\n");
}

/* An outcome that is not known blocks the domain, for evacuations, too, and only that domain. */
static void unknown_outcomes_block_the_domain(void **state)
{
    static const enum ek_move_state unknown[] = {EK_MOVE_UNKNOWN, EK_MOVE_UNVERIFIED};
    static const char *const next[] = {"b", "c"};

    (void)state;
    ek_story_cycle(&it, DRAIN);
    for (size_t i = 0; i < 2; i++) {
        ek_story_outcome(&it, ek_engine_view(it.engine).running[0].domain, unknown[i]);
        it.now_ms += 3600 * 1000;
        ek_story_cycle(&it, DRAIN);
        assert_int_equal(running_count(), 1);
        assert_string_equal(ek_engine_view(it.engine).running[0].domain, next[i]);
    }
}

/* A domain that is blocked by an earlier run does not move. */
static void blocked_domains_stay(void **state)
{
    (void)state;
    ek_story_block(&it, "a");
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1");
    ek_story_expect(&it,
                    "maintenance h1 blocked, 1 left; a: has a move whose outcome is unknown: an "
                    "operator must resolve it\nwake +10 s\n");
}

/* ---- priorities ------------------------------------------------------------------------------ */

/* A guest that will not converge leaves last, however large it is. */
static void a_laggard_leaves_last(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; busy@h1 1v 4G 0c dirty=500; b@h1 1v 2G 0c;"
                        "c@h1 1v 1G 0c");
    assert_string_equal(running(0)->domain, "b");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "c");
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "busy");
}

/* QEMU has sampled what the guest of a running move writes. */
static void sampled(const char *id, double dirty_mib_s)
{
    struct ek_sign sign = {.kind = EK_SIGN_SAMPLED, .dirty_mib_s = dirty_mib_s};

    memcpy(sign.id, id, sizeof(sign.id));
    ek_text_clear(&it.trace);
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_SIGN, .u.sign = &sign});
}

static bool is_told_to_stop(void)
{
    return strstr(it.trace.text, "abort ") != NULL;
}

/* What turns out to be a laggard goes behind those that wait for its place, once. */
static void a_laggard_lets_the_others_pass(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    assert_string_equal(running(0)->domain, "a");
    sampled(running(0)->id, 50); /* the link carries 110 */
    assert_false(is_told_to_stop());
    sampled(running(0)->id, 500);
    assert_true(is_told_to_stop());
    sampled(running(0)->id, 500); /* it was told already */
    assert_false(is_told_to_stop());
    ek_story_outcome(&it, "a", EK_MOVE_CANCELLED);
    ek_story_cycle(&it, DRAIN);
    assert_string_equal(running(0)->domain, "b");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "c");
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "a");
    sampled(running(0)->id, 500); /* begun as one */
    assert_false(is_told_to_stop());
}

/* Where only the link keeps the others waiting they do not get half of it, but all. */
static void a_laggard_leaves_its_link(void **state)
{
    (void)state;
    it.policy.limit_host_out = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance link=50; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c");
    assert_int_equal(running_count(), 1);
    sampled(running(0)->id, 500);
    assert_true(is_told_to_stop());
}

/* Nobody waits for its place when it is found out: then it goes on, also when others come later. */
static void a_laggard_alone_goes_on(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h2 1v 2G 0c");
    sampled(running(0)->id, 500);
    assert_false(is_told_to_stop());
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; a@h1 1v 3G 0c; b@h2 1v 2G 0c");
    sampled(running(0)->id, 500);
    assert_false(is_told_to_stop());
}

/* An adopted one may have come far. */
static void an_adopted_laggard_goes_on(void **state)
{
    (void)state;
    ek_story_adopt(&it, "a", "h1", "h2");
    ek_story_cycle(&it, DRAIN);
    assert_int_equal(running_count(), 1);
    sampled(running(0)->id, 500);
    assert_false(is_told_to_stop());
}

/* Who waits is held by something else as well: a place at its destination, another laggard that was
 * told to stop. */
static void only_who_could_go_is_let_pass(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance net=a,b; h2 maintenance net=a,b; h3 net=a; h4 net=b;"
                        "lag@h1 1v 3G 0c net=b; x@h2 1v 2G 0c net=a; late@h1 1v 1G 0c net=a");
    assert_int_equal(running_count(), 2);
    assert_string_equal(running(0)->domain, "lag");
    assert_string_equal(running(1)->domain, "x");
    sampled(running(0)->id, 500);
    assert_false(is_told_to_stop());
}

/* One that waits is let pass once, not by all that lag. */
static void one_place_is_enough(void **state)
{
    (void)state;
    it.policy.limit_cluster = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3 maintenance; h4; h5; h6;"
                        "a@h1 1v 3G 0c; b@h2 1v 3G 0c; c@h3 1v 1G 0c");
    assert_int_equal(running_count(), 2);
    sampled(running(0)->id, 500);
    assert_true(is_told_to_stop());
    sampled(running(1)->id, 500);
    assert_false(is_told_to_stop());
}

/* Nobody waits for the end of a laggard by more than the limits say. */
static void a_known_laggard_shares(void **state)
{
    (void)state;
    it.policy.limit_host_in = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance net=a; h2 net=b; h3 net=a,b;"
                        "busy@h1 1v 4G 0c dirty=500 net=a; b@h2 1v 2G 0c net=b");
    assert_string_equal(running(0)->domain, "busy");
    assert_int_equal(running_count(), 1);
    ek_story_cycle(&it, "h1 maintenance net=a; h2 maintenance net=b; h3 net=a,b;"
                        "busy@h1 1v 4G 0c dirty=500 net=a; b@h2 1v 2G 0c net=b");
    assert_int_equal(running_count(), 2);
    assert_string_equal(running(1)->domain, "b");
}

/* Measured while it waits, a dirty rate counts at once: not only plans know it. */
static void a_laggard_is_found_while_it_waits(void **state)
{
    (void)state;
    ek_story_cycle(&it, DRAIN);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 3G 0c; b@h1 1v 2G 0c dirty=500;"
                        "c@h1 1v 1G 0c");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_string_equal(running(0)->domain, "c");
}

/* A balance move that has just begun gives way to an evacuation that waits for its place. */
static void balance_gives_way_to_maintenance(void **state)
{
    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 10c; h2 10c; h3 10c; a@h1 1v 4G 3c; b@h1 1v 4G 3c; x@h3 1v 1G 0c");
    assert_int_equal(running_count(), 1);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 10c; h2 10c; h3 10c maintenance; a@h1 1v 4G 3c; b@h1 1v 4G 3c;"
                        "x@h3 1v 1G 0c");
    assert_non_null(strstr(it.trace.text, "abort "));
    ek_story_outcome(&it, running(0)->domain, EK_MOVE_CANCELLED);
    assert_string_equal(running(0)->domain, "x");
}

/* One that is nearly done ends first: what it has copied is worth more than the wait. */
static void what_is_nearly_done_ends_first(void **state)
{
    static const char keyed[] = "h1 10c; h2 10c; h3 10c maintenance; a@h1 1v 4G 3c;"
                                "b@h1 1v 4G 3c; x@h3 1v 1G 0c";

    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 10c; h2 10c; h3 10c; a@h1 1v 4G 3c; b@h1 1v 4G 3c; x@h3 1v 1G 0c");
    assert_true(running(0)->predicted_duration_ms > 35000);
    it.now_ms += 20000;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, keyed);
    assert_null(strstr(it.trace.text, "abort "));
    assert_int_equal(running_count(), 1);
}

/* ---- bandwidth ------------------------------------------------------------------------------- */

/* When one of two ends, the other is told that it may have the whole link. */
static void shares_are_divided_anew(void **state)
{
    (void)state;
    it.policy.limit_host_out = 2;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance link=90; h2 link=50; h3 link=50; a@h1 1v 3G 0c;"
                        "b@h1 1v 2G 0c");
    assert_int_equal(running_count(), 2);
    assert_true(running(0)->bandwidth_mib_s == 45 && running(1)->bandwidth_mib_s == 45);
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_non_null(strstr(it.trace.text, "limit "));
    assert_true(running(0)->bandwidth_mib_s == 50);
}

/* Somebody else's migration takes its share and its place. */
static void foreign_migrations_count(void **state)
{
    (void)state;
    struct ek_snapshot snapshot;
    struct ek_in_flight foreign = {.domain = 1, .source = 0, .destination = 2};

    ek_test_cluster(&snapshot, "h1 maintenance; h2; h3; a@h1 1v 3G 0c; f@h1 1v 1G 0c");
    ek_test_sampled(&snapshot, it.now_ms, EK_STORY_PERIOD_MS);
    snapshot.in_flight = &foreign;
    snapshot.in_flight_count = 1;
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    assert_int_equal(running_count(), 0);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 3G 0c; f@h3 1v 1G 0c");
    assert_int_equal(running_count(), 1);
}

/* ---- circuits -------------------------------------------------------------------------------- */

/* A destination that keeps failing is left out, with that reason; a source is not held by it. */
static void an_open_circuit_is_a_reason(void **state)
{
    static const char drain[] = "h1 maintenance; h2; a@h1 1v 3G 0c";

    (void)state;
    it.policy.backoff_ms = 100;
    ek_story_policy(&it);
    for (int i = 0; i < 3; i++) {
        ek_story_cycle(&it, drain);
        it.now_ms += 600000;
        ek_story_cycle(&it, drain);
        assert_int_equal(running_count(), 1);
        ek_story_fault(&it, "a", EK_MOVE_ROLLED_BACK);
    }
    it.now_ms += 120000;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, drain);
    assert_int_equal(running_count(), 0);
    assert_non_null(strstr(it.trace.text, "the circuit from h1 to h2 is open after 3 failures"));
    assert_non_null(strstr(ek_engine_view(it.engine).circuits, "from h1 to h2"));
    it.now_ms += 300000;
    ek_story_cycle(&it, drain);
    assert_int_equal(running_count(), 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_string_equal(ek_engine_view(it.engine).circuits, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_plan_is_made_anew_at_once),
        TEST(a_failed_plan_stops_balancing),
        TEST(a_failed_plan_is_reverted),
        TEST(nothing_is_reverted_while_a_host_is_emptied),
        TEST(what_cannot_go_back_is_named),
        TEST(a_start_without_its_record_fails_no_plan),
        TEST(a_failed_way_back_is_not_reverted),
        TEST(an_evacuation_is_never_reverted),
        TEST(an_aborted_move_fails_no_plan),
        TEST(a_failed_evacuation_holds_up_nobody),
        TEST(a_failed_evacuation_comes_before_what_levels),
        TEST(another_destination_is_tried),
        TEST(unknown_outcomes_block_the_domain),
        TEST(blocked_domains_stay),
        TEST(a_stop_drops_other_plans),
        TEST(nothing_is_reverted_in_mode_recommend),
        TEST(nothing_is_reverted_in_mode_approve),
        TEST(nothing_is_reverted_in_a_pause),
        TEST(nothing_is_reverted_outside_the_window),
        TEST(a_laggard_leaves_last),
        TEST(a_laggard_lets_the_others_pass),
        TEST(a_laggard_leaves_its_link),
        TEST(a_laggard_alone_goes_on),
        TEST(an_adopted_laggard_goes_on),
        TEST(only_who_could_go_is_let_pass),
        TEST(one_place_is_enough),
        TEST(a_known_laggard_shares),
        TEST(a_laggard_is_found_while_it_waits),
        TEST(balance_gives_way_to_maintenance),
        TEST(what_is_nearly_done_ends_first),
        TEST(shares_are_divided_anew),
        TEST(foreign_migrations_count),
        TEST(an_open_circuit_is_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
