/* Stories of the engine with placement rules. */
#include "tests/lib/cmocka.h"
#include "tests/lib/rules_text.h"
#include "tests/lib/story.h"

#include <string.h>

static struct ek_story it;
static struct ek_rules rules;

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
    ek_rules_finish(&rules);
    return 0;
}

static void begin(const char *text)
{
    ek_test_rules(&rules, text);
    it.policy.rules = &rules;
    ek_story_policy(&it);
    ek_story_expect(&it, "");
}

/* A rule about no domain is warned of once: when all hosts were seen for the first time. */
static void an_empty_rule_is_warned_of_once(void **state)
{
    (void)state;
    it.events = true;
    begin("x ignore web-*");
    ek_story_cycle(&it, "h1; h2; h3 down; a@h1 1v 1G 0c");
    assert_non_null(strstr(it.trace.text, "event rules: rule x: found no domain that it is about"));
    assert_null(strstr(it.trace.text, "warning"));
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; h3; a@h1 1v 1G 0c");
    assert_non_null(strstr(it.trace.text, "warning rules: rule x: found no domain"));
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; h3; a@h1 1v 1G 0c");
    assert_null(strstr(it.trace.text, "rules"));
    ek_story_policy(&it);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, "h1; h2; h3; a@h1 1v 1G 0c");
    assert_non_null(strstr(it.trace.text, "warning rules: rule x: found no domain"));
}

/* What is wrong with the rules is told once, and again when it has changed. */
static void problems_are_told_once(void **state)
{
    (void)state;
    it.events = true;
    begin("x pin b on=h9");
    ek_story_cycle(&it, "h1; h2; a@h1 1v 1G 0c");
    ek_story_expect(
        &it, "warning rules: rule x: found no host that it names, expected known ones\n"
             "warning rules: rule x: found no domain that it is about, expected at least 1\n"
             "event cycle: nothing to move: every host is below the comfort threshold of 60 %\n");
    ek_story_cycle(&it, "h1; h2; a@h1 1v 1G 0c");
    ek_story_expect(&it, "");
    ek_story_cycle(&it, "h1; h9; b@h9 1v 1G 0c; a@h1 1v 1G 0c");
    ek_story_cycle(&it, "h1; h2; a@h1 1v 1G 0c");
    ek_story_expect(&it,
                    "warning rules: rule x: found no host that it names, expected known ones\n"
                    "event rules: rule x: found no domain that it is about, expected at least 1\n");
}

/* A must rule holds up even an evacuation, by name; where it allows a host, that one is taken. */
static void must_rules_bind_evacuations(void **state)
{
    (void)state;
    begin("apart anti_affinity a,b; alone ignore c");
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c; b@h2 1v 1G 0c");
    ek_story_expect(&it, "plan started: a h1->h3 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start a h1->h3\n"
                         "wake +10 s\n");
}

/* While a running move occupies both of its hosts, nobody that it must be apart from sets out for
 * either; once it has ended, the host that it left is free. */
static void running_moves_keep_others_away(void **state)
{
    (void)state;
    begin("apart anti_affinity a,b");
    ek_story_adopt(&it, "b", "h2", "h3");
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c; b@h2 1v 1G 0c");
    ek_story_expect(&it, "maintenance h1 blocked, 1 left; a: h2: must rule apart: another of its "
                         "domains is on its way; h3: must rule apart: b is on h3\n"
                         "limit earlier-b 110\n"
                         "wake +10 s\n");
    ek_story_outcome(&it, "b", EK_MOVE_DONE);
    ek_story_expect(&it, "maintenance h1 blocked, 1 left; a: h2: must rule apart: another of its "
                         "domains is on its way; h3: must rule apart: b is on h3\n"
                         "wake +10 s\n");
    ek_story_cycle(&it, "h1 maintenance; h2; h3; a@h1 1v 1G 0c; b@h3 1v 1G 0c");
    ek_story_expect(&it, "plan started: a h1->h2 evacuate\n"
                         "maintenance h1 evacuating, 1 left\n"
                         "start a h1->h2\n"
                         "wake +10 s\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_rule_is_warned_of_once),
        TEST(problems_are_told_once),
        TEST(must_rules_bind_evacuations),
        TEST(running_moves_keep_others_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
