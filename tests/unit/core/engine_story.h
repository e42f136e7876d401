/* What the stories of the engine have in common: one engine, made anew for each of them. */
#ifndef EK_TESTS_ENGINE_STORY_H
#define EK_TESTS_ENGINE_STORY_H

#include "tests/lib/cmocka.h"
#include "tests/lib/story.h"

static struct ek_story it;

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
