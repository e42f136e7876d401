/* The engine's memory, told as stories: what it expects, what it counted and what it learned. */
#include "balancer/core/engine/engine_memory.h"

#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/story.h"

#include <string.h>

#define UNEVEN "h1 8c; h2 8c; a@h1 2v 1G 2c; b@h1 2v 1G 2c; c@h1 2v 1G 1.8c"

static void begin(struct ek_story *story)
{
    ek_story_begin(story);
    story->policy.forecast_window_ms = 900000;
    story->policy.sustained_cycles = 3;
    ek_story_policy(story);
}

/* Another engine that is given what the story's knows, in its place. */
static void restart(struct ek_story *story)
{
    struct ek_engine_memory memory;
    struct ek_error err = {0};

    assert_true(ek_engine_remember(story->engine, &memory, &err));
    ek_engine_destroy(story->engine);
    story->engine = ek_engine_create();
    assert_non_null(story->engine);
    assert_true(ek_engine_recall(story->engine, &memory, &err));
    ek_engine_memory_finish(&memory);
    ek_story_policy(story);
}

static double demand(const struct ek_story *story, const char *name)
{
    const struct ek_snapshot *snapshot = ek_engine_view(story->engine).snapshot;

    return ek_demand(&snapshot->domains[ek_test_domain(snapshot, name)], EK_CPU);
}

/* The engine plans by what it expects: one snapshot's peak is not believed, and the snapshot that
 * is recorded says what was. */
static void demand_is_what_is_expected(void **state)
{
    struct ek_story story;

    (void)state;
    begin(&story);
    for (int i = 0; i < 60; i++) {
        ek_story_cycle(&story, "h1 8c; h2 8c; a@h1 4v 1G 1c; b@h2 4v 1G 1c");
    }
    ek_story_cycle(&story, "h1 8c; h2 8c; a@h1 4v 1G 4c; b@h2 4v 1G 1c");
    assert_true(demand(&story, "a") < 1.3);
    assert_true(ek_engine_view(story.engine).levels->imbalance[EK_CPU] < 0.05);
    ek_story_end(&story);
}

/* Cycles that were counted before a restart count on. */
static void sustained_cycles_outlive_a_restart(void **state)
{
    struct ek_story story;

    (void)state;
    begin(&story);
    ek_story_cycle(&story, UNEVEN);
    ek_story_cycle(&story, UNEVEN);
    restart(&story);
    ek_story_expect(&story, "");
    ek_story_cycle(&story, UNEVEN);
    ek_story_expect(&story, "plan started: a h1->h2 balance\nstart a h1->h2\n");
    ek_story_end(&story);
}

/* Under another policy, or long after, they do not. */
static void old_cycles_are_forgotten(void **state)
{
    struct ek_story story;

    (void)state;
    begin(&story);
    ek_story_cycle(&story, UNEVEN);
    ek_story_cycle(&story, UNEVEN);
    story.policy.trigger_imbalance = 0.09;
    restart(&story);
    ek_story_cycle(&story, UNEVEN);
    ek_story_cycle(&story, UNEVEN);
    restart(&story);
    story.now_ms += 1000000;
    ek_story_cycle(&story, UNEVEN);
    ek_story_expect(&story, "");
    ek_story_end(&story);
}

/* What was expected before a restart is expected after it. */
static void forecasts_outlive_a_restart(void **state)
{
    struct ek_story story;

    (void)state;
    begin(&story);
    for (int i = 0; i < 30; i++) {
        ek_story_cycle(&story, "h1 8c; h2 8c; a@h1 4v 1G 3c; b@h2 4v 1G 3c");
    }
    restart(&story);
    ek_story_cycle(&story, "h1 8c; h2 8c; a@h1 4v 1G 1c; b@h2 4v 1G 3c");
    assert_near(demand(&story, "a"), 3, 0.02);
    ek_story_end(&story);
}

/* A move that took less than predicted makes the domain's next ones cheaper, and nobody else's. */
static void what_a_move_took_is_remembered(void **state)
{
    struct ek_story story;

    (void)state;
    begin(&story);
    story.policy.sustained_cycles = 1;
    ek_story_policy(&story);
    ek_story_cycle(&story, UNEVEN);
    ek_story_outcome(&story, "a", EK_MOVE_DONE);
    restart(&story);
    ek_story_cycle(&story, "h1 8c; h2 8c; a@h2 2v 1G 2c; b@h1 2v 1G 2c; c@h1 2v 1G 1.8c");
    const struct ek_snapshot *snapshot = ek_engine_view(story.engine).snapshot;
    double factor = snapshot->domains[ek_test_domain(snapshot, "a")].migration_factor;
    assert_true(factor > 0.5 && factor < 0.9);
    assert_near(snapshot->domains[ek_test_domain(snapshot, "b")].migration_factor, 0, 0);
    ek_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demand_is_what_is_expected),
        cmocka_unit_test(sustained_cycles_outlive_a_restart),
        cmocka_unit_test(old_cycles_are_forgotten),
        cmocka_unit_test(forecasts_outlive_a_restart),
        cmocka_unit_test(what_a_move_took_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
