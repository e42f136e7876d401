/* Stories of evacuations that save and shut down: whom, when, and whom not. */
#include "tests/lib/cluster_text.h"
#include "tests/unit/core/engine_story.h"

#include <string.h>

static size_t running(enum ek_move_kind kind)
{
    struct ek_engine_view view = ek_engine_view(it.engine);
    size_t count = 0;

    for (size_t i = 0; i < view.running_count; i++) {
        count += view.running[i].kind == kind ? 1 : 0;
    }
    return count;
}

static size_t stops(void)
{
    return running(EK_MOVE_SAVE) + running(EK_MOVE_SHUTDOWN);
}

static void expect_in_trace(const char *text)
{
    if (strstr(it.trace.text, text) == NULL) {
        fail_msg("found \"%s\", expected \"%s\" in it", it.trace.text, text);
    }
    ek_text_clear(&it.trace);
}

/* Whoever migrates goes first; who is to be stopped is named from the beginning, and is no blocker.
 */
static void they_are_stopped_last(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1 shutdown; c@h1 save");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 3 left, shutdown b, save c\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(stops(), 0);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2; b@h1 shutdown; c@h1 save");
    ek_story_expect(&it, "maintenance h1 evacuating, 2 left, shutdown b, save c\n"
                         "shutdown b on h1\n"
                         "save c on h1\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_outcome(&it, "c", EK_MOVE_DONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h2");
    ek_story_expect(&it, "maintenance h1 evacuated, 0 left\n");
}

/* The orders say all that the migrator needs: no destination, no plan, the policy's time. */
static void an_order_is_complete(void **state)
{
    (void)state;
    it.policy.shutdown_timeout_ms = 77000;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(running(EK_MOVE_SHUTDOWN), 1);
    const struct ek_move_order *order = &ek_engine_view(it.engine).running[0];
    assert_string_equal(order->destination, "");
    assert_string_equal(order->source, "h1");
    assert_int_equal(order->shutdown_timeout_ms, 77000);
    assert_int_equal(order->retries, 0);
    assert_non_null(strstr(order->reason, "metadata say \"shutdown\""));
}

/* Two at a time on each host, and the next only when a newer sample shows who is left. */
static void two_at_a_time(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; a@h1 save; b@h1 save; c@h1 save;"
                        "d@h2 shutdown");
    assert_int_equal(running(EK_MOVE_SAVE), 2);
    assert_int_equal(running(EK_MOVE_SHUTDOWN), 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    assert_int_equal(running(EK_MOVE_SAVE), 1);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; b@h1 save; c@h1 save; d@h2 shutdown");
    assert_int_equal(running(EK_MOVE_SAVE), 2);
    assert_int_equal(running(EK_MOVE_SHUTDOWN), 1);
}

/* A host that cannot be emptied stops nobody: it would be for nothing. */
static void an_infeasible_host_stops_nobody(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 8c 64G maintenance; h2 8c 8G; big@h1 2v 32G; b@h1 shutdown; c@h1 save");
    expect_in_trace("maintenance h1 infeasible");
    ek_story_settle(&it,
                    "h1 8c 64G maintenance; h2 8c 8G; big@h1 2v 32G; b@h1 shutdown; c@h1 save");
    assert_int_equal(stops(), 0);
}

/* Nor is anybody stopped beside one that is left to a person, as far as the host may be emptied. */
static void whoever_stays_keeps_the_others_running(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1 block; b@h1 shutdown");
    ek_story_settle(&it, "h1 maintenance partial; h2; a@h1 block; b@h1 shutdown");
    assert_int_equal(stops(), 0);
    ek_text_clear(&it.trace);
    ek_story_settle(&it, "h1 maintenance partial; h2; a@h2 block; b@h1 shutdown");
    expect_in_trace("shutdown b on h1\n");
}

/* One that is to be stopped, and cannot be before a person has looked, is left to that person. */
static void one_to_be_resolved_keeps_the_others_running(void **state)
{
    (void)state;
    ek_story_block(&it, "b");
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1 save; b@h1 save");
    assert_int_equal(stops(), 0);
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_UNBLOCK, .u.unblock = "b"});
    ek_story_cycle(&it, "h1 maintenance partial; h2; a@h1 save; b@h1 save");
    assert_int_equal(stops(), 2);
}

/* Also when that is found half-way: what runs goes on, and nobody else begins. */
static void an_unknown_end_keeps_the_others_running(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 shutdown");
    assert_int_equal(stops(), 2);
    ek_story_outcome(&it, "b", EK_MOVE_UNKNOWN);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 shutdown");
    assert_int_equal(stops(), 1);
}

/* One that did not obey is asked again: the others need not wait for it. */
static void a_failed_stop_keeps_nobody_running(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 shutdown");
    ek_story_outcome(&it, "b", EK_MOVE_ROLLED_BACK);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 shutdown");
    assert_int_equal(stops(), 2);
}

/* A move that failed leaves its domain there: nobody is stopped meanwhile. */
static void a_failed_move_stops_nobody(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1 shutdown");
    ek_story_outcome(&it, "a", EK_MOVE_ROLLED_BACK);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1 shutdown");
    assert_int_equal(stops(), 0);
}

/* Without an own word nobody is stopped, on a host without the key neither. */
static void nobody_is_stopped_unasked(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1; h2; a@h1 save; b@h1 shutdown");
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1; b@h1 postcopy");
    assert_int_equal(stops(), 0);
}

/* A mode that only recommends stops nobody; one that asks for approval does, as it migrates: who
 * sets the key has approved it. */
static void only_in_a_mode_that_acts(void **state)
{
    (void)state;
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    ek_story_expect(&it, "maintenance h1 preflight, 1 left, shutdown b\n");
    assert_int_equal(stops(), 0);
    it.policy.mode = EK_MODE_APPROVE;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 1);
}

/* While it holds nothing of that kind begins. */
static void holding_stops_nobody(void **state)
{
    (void)state;
    ek_story_hold(&it, "Redis is away");
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 0);
    ek_story_release(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 1);
}

/* Of a host that is not up nothing is known: nobody there is stopped. */
static void a_host_that_is_not_up_stops_nobody(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance stale; h2; h3; b@h1 shutdown");
    assert_int_equal(stops(), 0);
    ek_story_cycle(&it, "h1 maintenance down; h2; h3");
    assert_int_equal(stops(), 0);
}

/* The key vanishes: what waits is not stopped, and what is being stopped is told to stay. */
static void without_the_key_nobody_is_stopped(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 save");
    assert_int_equal(stops(), 2);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; a@h1 save; b@h1 save; c@h1 save");
    assert_int_equal(stops(), 2);
    const char *first = strstr(it.trace.text, "abort ");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "abort "));
    ek_story_outcome(&it, "a", EK_MOVE_CANCELLED);
    ek_story_outcome(&it, "b", EK_MOVE_CANCELLED);
    assert_int_equal(stops(), 0);
    ek_story_settle(&it, "h1; h2; a@h1 save; b@h1 save; c@h1 save");
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    /* Set again, it is not held against them. */
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 save");
    assert_int_equal(stops(), 2);
}

/* A guest that does not shut down is a blocker that says so, and is asked again after its rest. */
static void a_guest_that_does_not_obey_rests(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    ek_story_outcome(&it, "b", EK_MOVE_ROLLED_BACK);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 0);
    expect_in_trace("maintenance h1 blocked, 1 left; b: ");
    it.now_ms += it.policy.backoff_ms;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 1);
}

/* What became of it is not known: it is left alone until an operator has looked. */
static void an_unknown_end_is_left_alone(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 save");
    ek_story_outcome(&it, "b", EK_MOVE_UNKNOWN);
    it.now_ms += 7200 * 1000;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 save");
    assert_int_equal(stops(), 0);
    expect_in_trace("an operator must resolve it");
}

/* A cycle in which that host reports the domain as its own, too. */
static void cycle_doubled(const char *cluster, const char *domain, const char *host)
{
    struct ek_snapshot snapshot;

    it.now_ms += EK_STORY_PERIOD_MS;
    ek_test_cluster(&snapshot, cluster);
    ek_test_sampled(&snapshot, it.now_ms, EK_STORY_PERIOD_MS);
    struct ek_copy copy = {ek_test_domain(&snapshot, domain), ek_test_host(&snapshot, host)};
    snapshot.domains[copy.domain].movable = false;
    snapshot.domains[copy.domain].immovable_reason = "two hosts report it as theirs";
    snapshot.copies = ek_arena_alloc(&snapshot.arena, 1, sizeof(*snapshot.copies));
    snapshot.copies[0] = copy;
    snapshot.copy_count = 1;
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_SNAPSHOT, .u.snapshot = &snapshot});
    ek_snapshot_finish(&snapshot);
}

/* Of a domain that two hosts report nobody knows which of the two is the guest that is used. */
static void a_double_is_left_alone(void **state)
{
    (void)state;
    cycle_doubled("h1 maintenance; h2; b@h1 shutdown", "b", "h2");
    assert_int_equal(stops(), 0);
    expect_in_trace("two hosts report it as theirs");
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 1);
}

/* Nor of one that two report only since the plan was made. */
static void a_late_double_is_left_alone(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1; b@h1 shutdown");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    cycle_doubled("h1 maintenance; h2; h3; a@h2; b@h1 shutdown", "b", "h3");
    assert_int_equal(stops(), 0);
}

/* Whoever arrives meanwhile leaves first. */
static void a_latecomer_leaves_before_the_next(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 save; c@h1 save");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 maintenance; h2; c@h1 save; late@h1");
    assert_int_equal(stops(), 0);
    assert_int_equal(running(EK_MOVE_EVACUATE), 1);
}

/* One of an earlier run goes on, and is not ordered twice. */
static void an_adopted_one_is_not_ordered_again(void **state)
{
    struct ek_move_order order = {
        .id = "s-1", .plan_id = "s", .seq = 1, .kind = EK_MOVE_SHUTDOWN, .domain = "b"};

    (void)state;
    memcpy(order.name, "b", 2);
    memcpy(order.source, "h1", 3);
    ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_ADOPT, .u.adopt = &order});
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    assert_int_equal(stops(), 1);
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    assert_int_equal(stops(), 0);
}

/* A host that is used again: who was stopped there is told, with the command; nobody is started. */
static void what_was_stopped_is_told_in_the_end(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, "h1 maintenance; h2; a@h1 save; b@h1 shutdown");
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 maintenance; h2");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2");
    assert_non_null(strstr(it.trace.text, "a was saved there and is not started by us: virsh "
                                          "start a"));
    expect_in_trace("b was shut down there and is not started by us: virsh start b");
    ek_story_cycle(&it, "h1; h2");
    assert_null(strstr(it.trace.text, "virsh start"));
}

/* Somebody starts one again while its host is still emptied: it is left alone, and so are the
 * others, until that person has stopped it or the key is set anew. */
static void one_that_was_started_again_is_left_alone(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 maintenance; h2");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown; c@h1 save");
    ek_story_expect(&it, "maintenance h1 blocked, 2 left, save c; b: was shut down for this "
                         "maintenance, and started again since\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; c@h1 save");
    assert_int_equal(stops(), 1);
}

/* The key is set anew, seen without it or not: that is another maintenance. */
static void another_maintenance_stops_again(void **state)
{
    (void)state;
    for (int seen = 0; seen < 2; seen++) {
        ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
        ek_story_outcome(&it, "b", EK_MOVE_DONE);
        ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
        assert_int_equal(stops(), 0);
        if (seen == 1) {
            ek_story_cycle(&it, "h1; h2; b@h1 shutdown");
        } else {
            ek_story_step(&it, (struct ek_event){.kind = EK_EVENT_KEY_ENDED, .u.key_ended = "h1"});
        }
        ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
        assert_int_equal(stops(), 1);
        ek_story_outcome(&it, "b", EK_MOVE_DONE);
        ek_story_cycle(&it, "h1; h2");
    }
}

/* On another host it was stopped by nobody. */
static void one_that_was_started_elsewhere_is_stopped_there(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; b@h1 shutdown");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; b@h2 shutdown");
    assert_int_equal(stops(), 1);
}

/* An operator's abort is passed on; of a shutdown it says what it cannot do. */
static void an_abort_says_what_it_cannot_do(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; b@h1 shutdown");
    char id[EK_ID_SIZE];
    memcpy(id, ek_engine_view(it.engine).running[0].id, sizeof(id));
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_ABORT, id, "");
    expect_in_trace("a guest that was told to shut down already will do so");
}

/* They take no place under the limits, and no link: others are moved beside them. */
static void they_take_no_place_of_a_move(void **state)
{
    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 save; b@h1 save");
    assert_int_equal(stops(), 2);
    ek_story_cycle(&it, "h1 maintenance; h2 maintenance; h3; a@h1 save; b@h1 save; c@h2");
    assert_int_equal(stops(), 2);
    assert_int_equal(running(EK_MOVE_EVACUATE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_are_stopped_last),
        TEST(an_order_is_complete),
        TEST(two_at_a_time),
        TEST(an_infeasible_host_stops_nobody),
        TEST(whoever_stays_keeps_the_others_running),
        TEST(one_to_be_resolved_keeps_the_others_running),
        TEST(an_unknown_end_keeps_the_others_running),
        TEST(a_failed_stop_keeps_nobody_running),
        TEST(a_failed_move_stops_nobody),
        TEST(nobody_is_stopped_unasked),
        TEST(only_in_a_mode_that_acts),
        TEST(holding_stops_nobody),
        TEST(a_host_that_is_not_up_stops_nobody),
        TEST(without_the_key_nobody_is_stopped),
        TEST(a_guest_that_does_not_obey_rests),
        TEST(an_unknown_end_is_left_alone),
        TEST(a_double_is_left_alone),
        TEST(a_late_double_is_left_alone),
        TEST(a_latecomer_leaves_before_the_next),
        TEST(an_adopted_one_is_not_ordered_again),
        TEST(what_was_stopped_is_told_in_the_end),
        TEST(one_that_was_started_again_is_left_alone),
        TEST(another_maintenance_stops_again),
        TEST(one_that_was_started_elsewhere_is_stopped_there),
        TEST(an_abort_says_what_it_cannot_do),
        TEST(they_take_no_place_of_a_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
