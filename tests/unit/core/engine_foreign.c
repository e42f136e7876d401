/* Stories of migrations that are not ours: they count while they run, and their domain rests. */
#include "tests/lib/cmocka.h"
#include "tests/lib/story.h"

#include <string.h>

static struct ek_story it;

/* Balancing would move a to h2 in the first, and a back to h1 in the second. */
static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 4c";
static const char MOVED[] = "h1 10c; h2 10c; h3 10c; a@h2 1v 1G 3c; b@h2 1v 1G 4c";

static int setup(void **state)
{
    (void)state;
    ek_story_begin(&it);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ek_story_end(&it);
    return 0;
}

/* The story's time is 1000 s when it begins and 1010 s at its first cycle; a rest is half an hour.
 */
static void a_domain_that_somebody_moved_rests(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 3c; b@h2 1v 1G 4c");
    it.events = true;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, MOVED);
    ek_story_expect(&it,
                    "event foreign: a was moved from h1 to h2 by somebody else; it rests until "
                    "1970-01-01T00:47:00Z\n"
                    "event cycle: nothing to move: waiting for fresh samples after the last "
                    "move\n");
    it.events = false;
    ek_story_settle(&it, MOVED);
    ek_story_expect(&it, "plan started: b h2->h1 balance\nstart b h2->h1\n");
}

/* Dates are those of the calendar: the last day of February of a leap year. */
static void rests_end_at_a_date(void **state)
{
    (void)state;
    it.events = true;
    it.now_ms = INT64_C(1709249400000); /* 2024-02-29T23:30:00Z, less the cycles' 20 s */
    ek_story_cycle(&it, "h1; h2; a@h1");
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; a@h2");
    assert_non_null(strstr(it.trace.text, "it rests until 2024-03-01T00:00:20Z\n"));
}

/* Who came to a host in maintenance leaves it all the same: a rest holds no evacuation. */
static void an_evacuation_takes_it_along(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1; h2; a@h1");
    ek_story_cycle(&it, "h1; h2 maintenance; a@h2");
    ek_story_expect(&it, "plan started: a h2->h1 evacuate\n"
                         "maintenance h2 evacuating, 1 left\n"
                         "start a h2->h1\n"
                         "wake +10 s\n");
}

/* A migration that is over between two samples leaves its domain out of sight for a while. */
static void out_of_sight_meanwhile_it_is_noticed(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1; h2; a@h1");
    ek_story_cycle(&it, "h1; h2");
    ek_story_cycle(&it, "h1; h2; a@h2 incoming");
    it.events = true;
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; a@h2");
    assert_ptr_equal(strstr(it.trace.text, "event foreign: a was moved from h1 to h2"),
                     it.trace.text);
}

/* What was gone for longer was shut down and started elsewhere: nobody migrated it. */
static void after_two_minutes_it_is_forgotten(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, "h1; h2; a@h1");
    ek_story_cycle(&it, "h1; h2");
    it.now_ms += 120 * 1000;
    ek_story_cycle(&it, "h1; h2; a@h2");
    assert_null(strstr(it.trace.text, "event foreign"));
}

/* A move of ours is not somebody else's: neither while samples are behind, nor when its end is not
 * known. */
static void our_own_moves_are_not_theirs(void **state)
{
    (void)state;
    it.events = true;
    ek_story_cycle(&it, UNEVEN);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h1 1v 1G 4c");
    ek_story_block(&it, "b");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h2 1v 1G 4c");
    assert_null(strstr(it.trace.text, "event foreign"));
}

/* It counts against the limits of both its hosts, and of the cluster. */
static void it_counts_against_the_limits(void **state)
{
    (void)state;
    it.policy.limit_host_in = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1; f@h3->h2; g@h2->h3");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1; f@h2; g@h3");
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nstart a h1->h2\nwake +10 s\n");
}

static void it_counts_against_the_clusters_limit(void **state)
{
    (void)state;
    it.policy.limit_cluster = 1;
    ek_story_policy(&it);
    ek_story_cycle(&it, "h1 maintenance; h2; h3; h4; a@h1; f@h3->h4");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "wake +10 s\n");
}

/* A domain that somebody moves is not moved by us, and its host waits for it. */
static void what_somebody_moves_is_left_to_him(void **state)
{
    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1->h2");
    ek_story_expect(&it, "maintenance h1 evacuating, 1 left\nwake +10 s\n");
}

/* The assembly of the next snapshot is told of it, once, and of what is ours as ours. */
static void the_next_assembly_knows_it(void **state)
{
    struct ek_known_move moves[4];

    (void)state;
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1; f@h3->h2");
    assert_int_equal(ek_engine_known_moves(it.engine, moves, 4), 2);
    assert_string_equal(moves[0].domain, "a");
    assert_false(moves[0].foreign);
    assert_string_equal(moves[1].domain, "f");
    assert_string_equal(moves[1].destination, "h2");
    assert_true(moves[1].foreign);
    assert_int_equal(ek_engine_known_moves(it.engine, NULL, 0), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_domain_that_somebody_moved_rests), TEST(rests_end_at_a_date),
        TEST(an_evacuation_takes_it_along),       TEST(out_of_sight_meanwhile_it_is_noticed),
        TEST(after_two_minutes_it_is_forgotten),  TEST(our_own_moves_are_not_theirs),
        TEST(it_counts_against_the_limits),       TEST(it_counts_against_the_clusters_limit),
        TEST(what_somebody_moves_is_left_to_him), TEST(the_next_assembly_knows_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
