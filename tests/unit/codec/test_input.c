/* The record of a decision: what an engine was given and asked, written down, read back and made
 * into a plan again. */
#include "balancer/codec/codec.h"
#include "balancer/codec/input.h"
#include "balancer/codec/plan.h"
#include "balancer/core/schedule/pace_choice.h"
#include "policies/policy_ops.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/story.h"

#include <stdlib.h>
#include <string.h>

/* Uneven; what is in flight, and seen on neither host, counts as well. */
static const char CLUSTER[] = "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; "
                              "c@h1 1v 1G 0.5c; d@h2->h3 1v 1G; ?@h3->h2";

static const struct ek_effect *plan_of(const struct ek_story *story)
{
    for (size_t i = 0; i < story->effects.count; i++) {
        if (story->effects.items[i].kind == EK_EFFECT_RECORD_PLAN) {
            return &story->effects.items[i];
        }
    }
    fail_msg("no plan: %s", story->trace.text);
    return NULL;
}

static char *write_input(const struct ek_story *story)
{
    struct ek_kept kept;
    struct ek_error err;

    assert_true(ek_engine_keep(story->engine, &kept, &err));
    char *text = ek_codec_write_input(plan_of(story), "mode: automatic\n", &kept, "1.2.3");
    assert_non_null(text);
    ek_kept_finish(&kept);
    return text;
}

/* What comes back is planned under the same policy; the caller frees it. */
static char *plan_again(const struct ek_story *story, const struct ek_input *input)
{
    struct ek_evaluation evaluation;
    struct ek_plan plan;
    struct ek_schedule schedule;
    struct ek_pace_choice choice = {.hosts = NULL};
    struct ek_error err;
    struct ek_cooldown *cooldown = ek_cooldown_create();
    const struct ek_plan_request request = {.evaluation = &evaluation,
                                            .balance = input->balances ? &ek_policy_spread : NULL,
                                            .cooldown = cooldown,
                                            .balance_held = input->balance_held,
                                            .evacuate_only = input->evacuate_only,
                                            .prefer_held = input->prefer_held,
                                            .pace = input->pace};

    assert_true(ek_kept_apply(&input->kept, cooldown, &err));
    for (size_t i = 0; i < input->blocked.count; i++) {
        assert_true(ek_cooldown_block(cooldown, input->blocked.items[i], true, &err));
    }
    assert_true(ek_evaluate(&evaluation, &input->snapshot, &story->policy, &err));
    assert_true(input->ordered ? ek_plan_bring(&plan, &request, input->wishes, input->wish_count,
                                               input->summary, &err)
                               : ek_plan_make(&plan, &request, &err));
    assert_true(input->ordered
                    ? ek_schedule_make(&schedule, &plan, &story->policy, &err)
                    : ek_pace_choose(&choice, &schedule, &plan, &story->policy, input->pace, &err));
    ek_pace_choice_finish(&choice);
    char *text = ek_codec_write_plan(&plan, &schedule);
    ek_schedule_finish(&schedule);
    ek_plan_finish(&plan);
    ek_evaluation_finish(&evaluation);
    ek_cooldown_destroy(cooldown);
    return text;
}

static void expect_the_same(const struct ek_story *story, bool ordered)
{
    const struct ek_effect *effect = plan_of(story);
    struct ek_input input;
    struct ek_error err;
    char *text = write_input(story);
    char *recorded = ek_codec_write_plan(effect->u.plan.plan, effect->u.plan.schedule);

    assert_true(ek_codec_read_input(&input, text, strlen(text), "input", &err));
    assert_string_equal(input.version, "1.2.3");
    assert_string_equal(input.policy, "mode: automatic\n");
    assert_int_equal(input.ordered, ordered);
    char *again = plan_again(story, &input);
    assert_string_equal(recorded, again);
    free(again);
    free(recorded);
    free(text);
    ek_input_finish(&input);
}

/* A plan of the policy, beside a domain that is blocked, with one that rests and a circuit that is
 * open. */
static void a_plan_of_the_policy(void **state)
{
    static const char uneven[] =
        "h1 10c; h2 10c; h3 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c; d@h1 1v 1G 2c";
    struct ek_story story;

    (void)state;
    ek_story_begin(&story);
    story.policy.circuit_failures = 1;
    ek_story_policy(&story);
    ek_story_block(&story, "c");
    ek_story_cycle(&story, uneven);
    ek_story_fault(&story, "a", EK_MOVE_ROLLED_BACK);
    ek_story_settle(&story, uneven);
    expect_the_same(&story, false);
    ek_story_end(&story);
}

/* Of an evacuation with a deadline the pace before is part of what it was made from: the limits
 * alone would do now, but not with the reserve that a pace is lowered for. */
static void a_plan_at_a_pace(void **state)
{
#define DRAIN(deadline)                                           \
    "h1 maintenance deadline=" deadline                           \
    " link=100; h2 link=50; h3 link=50; a@h1 1v 1000M dirty=0.1;" \
    "b@h1 1v 1000M dirty=0.1; c@h1 1v 1000M dirty=0.1; d@h1 1v 1000M dirty=0.1"
    struct ek_story story;

    (void)state;
    ek_story_begin(&story);
    story.policy.aggressiveness = 1;
    ek_story_policy(&story);
    ek_story_cycle(&story, DRAIN("1090"));
    assert_int_equal(plan_of(&story)->u.plan.request->pace, EK_PACE_LIMITS);
    assert_int_equal(plan_of(&story)->u.plan.schedule->pace, EK_PACE_HALF);
    expect_the_same(&story, false);
    ek_story_cycle(&story, DRAIN("1095"));
    assert_int_equal(plan_of(&story)->u.plan.request->pace, EK_PACE_HALF);
    assert_int_equal(plan_of(&story)->u.plan.schedule->pace, EK_PACE_HALF);
    expect_the_same(&story, false);
    ek_story_end(&story);
}

/* An operator's order is made again of its wish. */
static void an_order(void **state)
{
    struct ek_story story;

    (void)state;
    ek_story_begin(&story);
    story.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&story);
    ek_story_cycle(&story, CLUSTER);
    ek_story_command(&story, EK_COMMAND_MOVE, "c", "h3");
    expect_the_same(&story, true);
    ek_story_end(&story);
}

/* What is missing or names nobody is refused, with its place. */
static void bad_inputs(void **state)
{
#define PARTS                                                         \
    "\"engine\": {\"version\": 1, \"rests\": [], \"circuits\": []}, " \
    "\"snapshot\": {\"version\": 1, \"hosts\": [], \"domains\": []}}"
#define REQUEST(more)                                                                              \
    "\"request\": {\"balances\": true, \"evacuate_only\": false, \"prefer_held\": false" more "}," \
    " "
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{\"version\": 1, \"policy\": \"\", " PARTS, "request: found nothing, expected an object"},
        {"{\"version\": 1, " REQUEST("") PARTS, "policy: found nothing"},
        {"{\"version\": 1, \"policy\": \"\", " REQUEST("") "\"engine\": {\"version\": 1}}",
         "snapshot: found nothing, expected an object"},
        {"{\"version\": 1, \"policy\": \"\", " REQUEST(
             ", \"summary\": \"\", \"wishes\": [{\"domain\": \"u\", \"destination\": \"h\"}]")
             PARTS,
         "request.wishes[0].domain: found \"u\", expected the UUID of one"},
        {"{\"version\": 1, \"policy\": \"\", " REQUEST(", \"pace\": \"hasty\"") PARTS,
         "request.pace: found \"hasty\", expected"},
        {"{\"version\": 2}", "version: found 2"},
    };
    struct ek_input input;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(
            ek_codec_read_input(&input, cases[i].text, strlen(cases[i].text), "input", &err));
        if (strstr(err.message, cases[i].message) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
        }
        assert_int_equal(err.code, EK_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_of_the_policy),
        cmocka_unit_test(a_plan_at_a_pace),
        cmocka_unit_test(an_order),
        cmocka_unit_test(bad_inputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
