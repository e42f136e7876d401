/* Stories of plans that are shown before they are carried out: recommended ones, and such as wait
 * for an approval. */
#include "tests/unit/core/engine_story.h"

#include <stdio.h>
#include <string.h>

/* One move levels it: a h1->h2. */
static const char UNEVEN[] = "h1 10c; h2 10c; a@h1 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";
static const char CALM[] = "h1 10c; h2 10c; a@h1 1v 1G 1c; b@h1 1v 1G 1c; c@h1 1v 1G 0.5c";
static const char LEVEL[] = "h1 10c; h2 10c; a@h2 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 0.5c";

/* Two moves. */
static const char TWO[] =
    "h1 20c; h2 20c; a@h1 1v 1G 5c; b@h1 1v 1G 5c; c@h1 1v 1G 5c; d@h1 1v 1G 5c";

/* h3 is to be emptied, and h1 is hotter than h2. */
static const char BOTH[] = "h1 10c; h2 10c; h3 10c maintenance; a@h1 1v 1G 3c; b@h1 1v 1G 3.5c; "
                           "z@h3 1v 1G 0c";

static char plan[EK_ID_SIZE];

static void approve_mode(void)
{
    it.policy.mode = EK_MODE_APPROVE;
    ek_story_policy(&it);
}

static const struct ek_effect *reply(void)
{
    for (size_t i = 0; i < it.effects.count; i++) {
        if (it.effects.items[i].kind == EK_EFFECT_REPLY) {
            return &it.effects.items[i];
        }
    }
    fail_msg("no reply: %s", it.trace.text);
    return NULL;
}

static void command(enum ek_command_kind kind, const char *subject, enum ek_error_code code)
{
    char copy[EK_NAME_SIZE];

    (void)snprintf(copy, sizeof(copy), "%s", subject);
    ek_story_command(&it, kind, copy, "");
    assert_int_equal(reply()->u.reply.code, code);
}

static void note_plan(void)
{
    (void)snprintf(plan, sizeof(plan), "%s", ek_engine_view(it.engine).offer_id);
    assert_true(plan[0] != '\0');
}

static const char *move(int seq)
{
    static char id[EK_ID_SIZE];

    (void)snprintf(id, sizeof(id), "%.30s-%d", plan, seq);
    return id;
}

static void expect_pieces(const char *first, const char *second)
{
    const char *at = strstr(it.trace.text, first);

    if (at == NULL || strstr(at, second) == NULL) {
        fail_msg("expected \"%s\", then \"%s\" in:\n%s", first, second, it.trace.text);
    }
    ek_text_clear(&it.trace);
}

/* Nothing starts until it is approved; then it is carried out like any other plan, and verified. */
static void a_proposal_waits(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan proposed: a h1->h2 balance\n");
    assert_int_equal(ek_engine_cycle(it.engine)->end, EK_CYCLE_PROPOSED);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
    assert_int_equal(ek_engine_cycle(it.engine)->end, EK_CYCLE_STANDS);
    assert_int_equal(ek_engine_view(it.engine).offered_count, 1);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 0);
    note_plan();
    command(EK_COMMAND_APPROVE, plan, EK_ERR_NONE);
    expect_pieces("fate started\n", "start a h1->h2\n");
    assert_string_equal(ek_engine_view(it.engine).plan_id, plan);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "fate done\n");
    it.events = true;
    ek_story_settle(&it, LEVEL);
    assert_non_null(strstr(it.trace.text, "event verified: "));
}

/* One move of it starts, the rest stays offered until it lapses; what was done stays done, and is
 * not measured by the promise of the whole. */
static void one_move_is_approved(void **state)
{
    static const char after[] =
        "h1 20c; h2 20c; a@h2 1v 1G 5c; b@h1 1v 1G 1c; c@h1 1v 1G 1c; d@h1 1v 1G 1c";

    (void)state;
    approve_mode();
    ek_story_cycle(&it, TWO);
    ek_story_expect(&it, "plan proposed: a h1->h2 balance, b h1->h2 balance\n");
    note_plan();
    command(EK_COMMAND_APPROVE, move(1), EK_ERR_NONE);
    expect_pieces("fate started\n", "start a h1->h2\n");
    assert_int_equal(ek_engine_view(it.engine).offered_count, 1);
    ek_story_outcome(&it, "a", EK_MOVE_DONE);
    ek_story_expect(&it, "");
    it.events = true;
    ek_story_settle(&it, after);
    expect_pieces("fate done\n", "is done: 1 of its 2 moves done");
    ek_story_cycle(&it, after);
    assert_null(strstr(it.trace.text, "verified"));
}

/* What is left waits for its approval while the approved move is on its way, also in the moment in
 * which neither host shows it. */
static void the_rest_stands_meanwhile(void **state)
{
    static const char between[] =
        "h1 20c; h2 20c; ?@h1->h2; b@h1 1v 1G 5c; c@h1 1v 1G 5c; d@h1 1v 1G 5c";

    (void)state;
    approve_mode();
    ek_story_cycle(&it, TWO);
    note_plan();
    command(EK_COMMAND_APPROVE, move(1), EK_ERR_NONE);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, between);
    ek_story_expect(&it, "");
    assert_int_equal(ek_engine_view(it.engine).offered_count, 1);
    command(EK_COMMAND_APPROVE, move(2), EK_ERR_NONE);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
}

/* A rejected plan is not offered again, nor one of its domains, until they have rested. */
static void a_rejected_plan_stays_away(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    ek_text_clear(&it.trace);
    command(EK_COMMAND_REJECT, plan, EK_ERR_NONE);
    expect_pieces("fate rejected\n", "1 move of plan");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 6c");
    ek_story_cycle(&it, "h1 10c; h2 10c; a@h1 1v 1G 6c");
    ek_story_expect(&it, "");
    it.now_ms += it.policy.cooldown_ms;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, ""); /* the very same plan: for longer */
    it.now_ms += it.policy.approval_lapse_ms;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan proposed: a h1->h2 balance\n");
}

/* What nobody approved in time lapses, and what is found then is proposed anew. */
static void a_proposal_lapses_in_time(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    assert_int_equal(ek_engine_view(it.engine).offer_lapses_at_ms,
                     it.now_ms + it.policy.approval_lapse_ms);
    ek_text_clear(&it.trace);
    it.now_ms += it.policy.approval_lapse_ms;
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "plan proposed: a h1->h2 balance\nfate lapsed\n");
    command(EK_COMMAND_APPROVE, plan, EK_ERR_NOT_FOUND);
}

/* It lapses when it cannot be done any more, when nothing is wanted, when it would bring too
 * little.
 */
static void a_proposal_lapses_with_the_cluster(void **state)
{
    static const struct {
        const char *cluster;
        const char *why;
    } cases[] = {
        {"h1 10c; h2 10c; a@h2 1v 1G 3c; b@h1 1v 1G 3c; c@h1 1v 1G 4.5c", "a is no longer on h1"},
        {CALM, "every host is below the comfort threshold of 60 %"},
        {"h1 10c; h2 10c; a@h1 1v 1G 0.3c; b@h1 1v 1G 3.4c; c@h1 1v 1G 2.6c",
         "of what it was to bring"},
        {"h1 10c; h2 10c maintenance; a@h1 1v 1G 3c; b@h1 1v 1G 3c",
         "the hosts to be emptied have changed"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        teardown(state);
        setup(state);
        approve_mode();
        ek_story_cycle(&it, UNEVEN);
        ek_text_clear(&it.trace);
        it.events = true;
        ek_story_cycle(&it, cases[i].cluster);
        if (strstr(it.trace.text, cases[i].why) == NULL) {
            fail_msg("expected \"%s\" in:\n%s", cases[i].why, it.trace.text);
        }
        expect_pieces("fate lapsed\n", "is lapsed: 0 of its 1 move done");
    }
}

/* Another plan that the planner would find now is no reason to take the first one back. */
static void a_proposal_stands_while_figures_move(void **state)
{
    static const char other[] = "h1 10c; h2 10c; a@h1 1v 1G 2.9c; b@h1 1v 1G 3.2c; c@h1 1v 1G 0.5c";

    (void)state;
    ek_story_cycle(&it, other);
    ek_story_expect(&it, "plan started: b h1->h2 balance\nstart b h1->h2\n");
    teardown(state);
    setup(state);
    it.policy.mode = EK_MODE_RECOMMEND;
    ek_story_policy(&it);
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    ek_story_cycle(&it, other);
    ek_story_cycle(&it, UNEVEN);
    ek_story_expect(&it, "");
}

/* Who sets the key of a host has approved that it is emptied: the rest of that plan waits. */
static void an_evacuation_needs_no_approval(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, BOTH);
    assert_non_null(strstr(it.trace.text, "plan started: z h3->h2 evacuate, "));
    assert_non_null(strstr(it.trace.text, "start z h3->h2\n"));
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    assert_int_equal(ek_engine_view(it.engine).offered_count, 1);
    note_plan();
    ek_text_clear(&it.trace);
    ek_story_outcome(&it, "z", EK_MOVE_DONE);
    assert_null(strstr(it.trace.text, "fate"));
    command(EK_COMMAND_APPROVE, plan, EK_ERR_NONE);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
}

/* What cannot be approved: in another mode, what is not offered, while it holds. */
static void refusals(void **state)
{
    (void)state;
    ek_story_cycle(&it, CALM);
    command(EK_COMMAND_APPROVE, "p", EK_ERR_DENIED);
    approve_mode();
    command(EK_COMMAND_REJECT, "p", EK_ERR_NOT_FOUND);
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    command(EK_COMMAND_APPROVE, "p", EK_ERR_NOT_FOUND);
    assert_non_null(strstr(reply()->u.reply.text, plan));
    command(EK_COMMAND_APPROVE, move(2), EK_ERR_NOT_FOUND);
    ek_story_hold(&it, "somebody said so");
    command(EK_COMMAND_APPROVE, plan, EK_ERR_UNAVAILABLE);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
}

/* A move that waits for another one cannot be approved before it. */
static void what_a_move_waits_for_comes_first(void **state)
{
    /* b makes room on h2 for a. */
    static const char chain[] =
        "h1 4G; h2 4G; h3 4G; a@h1 1v 3G rule=pin+hosts=h2; b@h2 1v 2G; c@h1 1v 512M";

    (void)state;
    approve_mode();
    ek_story_cycle(&it, chain);
    ek_story_expect(&it, "plan proposed: b h2->h3 rule, a h1->h2 rule\n");
    note_plan();
    command(EK_COMMAND_APPROVE, move(2), EK_ERR_DENIED);
    assert_non_null(strstr(reply()->u.reply.text, "(b), which has to be approved before it"));
    command(EK_COMMAND_APPROVE, move(1), EK_ERR_NONE);
    command(EK_COMMAND_APPROVE, move(2), EK_ERR_NONE);
    assert_int_equal(ek_engine_view(it.engine).running_count, 1);
    assert_int_equal(ek_engine_view(it.engine).waiting_count, 1);
}

/* What a must rule keeps together is approved, and rejected, together: one move of it would tear it
 * apart. What concerns none of them may go alone. */
static void what_belongs_together_is_not_torn_apart(void **state)
{
    static const char pair[] = "h1 8G; h2 8G; h3 8G; a@h1 1v 1G rule=pin+hosts=h2 "
                               "rule=affinity+group=ab; b@h1 1v 2G rule=affinity+group=ab; "
                               "c@h1 1v 1G rule=pin+hosts=h3";

    (void)state;
    approve_mode();
    ek_story_cycle(&it, pair);
    assert_non_null(strstr(it.trace.text, "plan proposed: "));
    note_plan();
    int alone = strstr(it.trace.text, ": c h1->h3") != NULL ? 1 : 3;
    for (int seq = 1; seq <= 3; seq++) {
        if (seq != alone) {
            command(EK_COMMAND_APPROVE, move(seq), EK_ERR_DENIED);
            assert_non_null(
                strstr(reply()->u.reply.text, "keeps a, b together; `evenkeel approve"));
            command(EK_COMMAND_REJECT, move(seq), EK_ERR_DENIED);
            assert_non_null(strstr(reply()->u.reply.text, "keeps a, b together; `evenkeel reject"));
        }
    }
    assert_int_equal(ek_engine_view(it.engine).offered_count, 3);
    command(EK_COMMAND_REJECT, move(alone), EK_ERR_NONE);
    command(EK_COMMAND_APPROVE, plan, EK_ERR_NONE);
    assert_int_equal(
        ek_engine_view(it.engine).running_count + ek_engine_view(it.engine).waiting_count, 2);
}

/* A pause, a new policy and a cancellation take an offer back. */
static void offers_are_taken_back(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    ek_story_command(&it, EK_COMMAND_PAUSE, "", "");
    expect_pieces("fate lapsed\n", "reply no error");
    ek_story_command(&it, EK_COMMAND_RESUME, "", "");
    ek_story_cycle(&it, UNEVEN);
    ek_text_clear(&it.trace);
    ek_story_policy(&it);
    ek_story_expect(&it, "fate lapsed\n");
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    ek_text_clear(&it.trace);
    command(EK_COMMAND_CANCEL, plan, EK_ERR_NONE);
    expect_pieces("fate lapsed\n", "is cancelled; waiting moves dropped: 1, running");
}

/* Also before the next cycle could take it back; a clock that goes back lengthens no offer. */
static void what_has_lapsed_is_not_approved(void **state)
{
    (void)state;
    approve_mode();
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    ek_story_hold(&it, "Redis is away");
    it.now_ms += it.policy.approval_lapse_ms + 1;
    ek_story_release(&it);
    command(EK_COMMAND_APPROVE, plan, EK_ERR_DENIED);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    it.now_ms -= it.policy.approval_lapse_ms + 2000;
    command(EK_COMMAND_APPROVE, plan, EK_ERR_DENIED);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
}

/* An approval balances: not in a pause, not when a blackout has begun since the last cycle. */
static void nothing_is_approved_while_balancing_is_closed(void **state)
{
    (void)state;
    it.policy.calendar.blackouts[0] = (struct ek_blackout){
        .from_ms = 3600000, .to_ms = 7200000, .evacuations = true, .reason = "freeze"};
    it.policy.calendar.blackout_count = 1;
    approve_mode();
    it.now_ms = 3500000;
    ek_story_cycle(&it, UNEVEN);
    note_plan();
    it.now_ms = 3610000;
    ek_story_command(&it, EK_COMMAND_APPROVE, plan, "");
    assert_int_not_equal(reply()->u.reply.code, EK_ERR_NONE);
    assert_int_equal(ek_engine_view(it.engine).running_count, 0);
    assert_int_equal(ek_engine_view(it.engine).offered_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proposal_waits),
        TEST(one_move_is_approved),
        TEST(the_rest_stands_meanwhile),
        TEST(a_rejected_plan_stays_away),
        TEST(a_proposal_lapses_in_time),
        TEST(a_proposal_lapses_with_the_cluster),
        TEST(a_proposal_stands_while_figures_move),
        TEST(an_evacuation_needs_no_approval),
        TEST(refusals),
        TEST(what_a_move_waits_for_comes_first),
        TEST(what_belongs_together_is_not_torn_apart),
        TEST(offers_are_taken_back),
        TEST(what_has_lapsed_is_not_approved),
        TEST(nothing_is_approved_while_balancing_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
