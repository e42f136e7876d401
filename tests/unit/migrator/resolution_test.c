/* Laws of what an operator is offered, over every pair of observations and what other hosts may
 * say: whatever he chooses, no guest is lost and none is doubled. */
#include "migrator/resolution.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observations.h"

static struct ek_move_record record = {.order = {.id = "plan-7-1"}, .state = EK_MOVE_UNKNOWN};

/* Nobody else has it; one runs it; one has it off; one cannot be asked. */
static const struct ek_elsewhere others[] = {{.asked = 2},
                                             {.asked = 2, .active = 1},
                                             {.asked = 2, .inactive = 1},
                                             {.asked = 2, .unreachable = 1}};

enum { OTHERS = sizeof(others) / sizeof(others[0]) };

struct sight {
    const struct ek_observation *source;
    const struct ek_observation *destination;
    const struct ek_elsewhere *elsewhere;
    struct ek_resolution resolution;
};

static bool has(const struct sight *sight, enum ek_choice choice)
{
    return ek_resolution_offer(&sight->resolution, choice) != NULL;
}

static bool runs(const struct ek_observation *end)
{
    return (ek_sight_of(end) & (EK_SIGHT_RUNNING | EK_SIGHT_POSTCOPY)) != 0;
}

static bool is_gone(const struct ek_observation *end)
{
    return end->presence == EK_PRESENCE_ABSENT || end->presence == EK_PRESENCE_INACTIVE;
}

static bool left_paused(const struct ek_observation *end)
{
    return ek_sight_of(end) == EK_SIGHT_PAUSED_MIGRATION;
}

/* What the record says afterwards is true: the end that it names has the domain, the other has not,
 * and nobody else runs it. */
static void accepts_only_what_was_seen(const struct sight *sight)
{
    if (has(sight, EK_CHOICE_ACCEPT_SOURCE)) {
        assert_int_equal(sight->source->presence, EK_PRESENCE_ACTIVE);
        assert_true(is_gone(sight->destination) && sight->elsewhere->active == 0);
    }
    if (has(sight, EK_CHOICE_ACCEPT_DESTINATION)) {
        assert_int_equal(sight->destination->presence, EK_PRESENCE_ACTIVE);
        assert_true(is_gone(sight->source) && sight->elsewhere->active == 0);
    }
    if (has(sight, EK_CHOICE_ACCEPT_DOWN)) {
        assert_true(is_gone(sight->source) && is_gone(sight->destination));
        assert_int_equal(sight->elsewhere->active + sight->elsewhere->unreachable, 0);
    }
}

/* What the second step of the hand-over in two steps waits for: a destination that was never
 * resumed and bears the move's mark. */
static bool waits_for_second_step(const struct ek_observation *end)
{
    return record.two_step && ek_sight_of(end) == EK_SIGHT_PAUSED_USER && end->attempt_known;
}

/* Nothing is lost: destroyed is only a copy that the migration left paused, while the other end
 * verifiably has the domain. */
static void destroys_only_what_never_ran(const struct sight *sight)
{
    if (has(sight, EK_CHOICE_DESTROY_SOURCE)) {
        assert_true(left_paused(sight->source) && runs(sight->destination));
        assert_true(sight->destination->attempt_known);
    }
    if (has(sight, EK_CHOICE_DESTROY_DESTINATION)) {
        assert_true(left_paused(sight->destination) ||
                    (waits_for_second_step(sight->destination) && sight->source->attempt_known));
        assert_int_equal(sight->source->presence, EK_PRESENCE_ACTIVE);
    }
}

/* Nothing is doubled: resumed is only a copy that the migration left paused, while the other end is
 * verifiably without a running one and every other host was asked. */
static void resumes_only_the_last_copy(const struct sight *sight)
{
    const struct ek_elsewhere *elsewhere = sight->elsewhere;

    if (has(sight, EK_CHOICE_RESUME_SOURCE)) {
        assert_true(left_paused(sight->source) && is_gone(sight->destination));
        assert_int_equal(elsewhere->active + elsewhere->unreachable, 0);
    }
    if (has(sight, EK_CHOICE_RESUME_DESTINATION)) {
        assert_true(waits_for_second_step(sight->destination) && is_gone(sight->source));
        assert_int_equal(elsewhere->active + elsewhere->unreachable, 0);
    }
}

/* While it runs twice, or moves, an operator is told so and can choose nothing, not even to
 * forget. */
static void offers_nothing_while_it_runs_twice_or_moves(const struct sight *sight)
{
    unsigned int running =
        runs(sight->source) + runs(sight->destination) + sight->elsewhere->active;
    bool moves = sight->source->presence == EK_PRESENCE_ACTIVE && sight->source->job == EK_JOB_OUT;

    if (running > 1 || moves) {
        assert_int_equal(sight->resolution.count, 0);
        assert_non_null(sight->resolution.refused);
    }
}

/* An end that cannot be read leaves his own word only; there is always an answer, and a repair is
 * the one that the table asks for. */
static void is_complete(const struct sight *sight)
{
    const struct ek_resolution *resolution = &sight->resolution;
    bool blind = sight->source->presence == EK_PRESENCE_UNREACHABLE ||
                 sight->destination->presence == EK_PRESENCE_UNREACHABLE;

    assert_true((resolution->refused == NULL) == (resolution->count > 0));
    assert_true(resolution->refused != NULL || has(sight, EK_CHOICE_FORGET));
    assert_false(blind && resolution->count > 1);
    for (size_t i = 0; i < resolution->count; i++) {
        const struct ek_offer *offer = &resolution->offers[i];
        assert_true(offer->repair == EK_REPAIR_NONE || offer->repair == resolution->row->repair);
        assert_true(strlen(offer->does) > 10);
        assert_true(offer->closes_as == EK_MOVE_UNKNOWN || !ek_move_state_blocks(offer->closes_as));
    }
}

/* Made once, since every law goes over all pairs of them. */
static struct ek_observation ends[OBSERVATIONS];

/* The other end of a save. */
static const struct ek_observation nowhere = {.presence = EK_PRESENCE_ABSENT, .job = EK_JOB_NONE};

static int make_ends(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < OBSERVATIONS; i++) {
        ends[i] = observation(i);
    }
    return 0;
}

/* Each choice is offered somewhere: none is a word that can never be said. */
static bool offered[EK_CHOICE_COUNT];

static void note_offers(const struct sight *sight)
{
    for (size_t i = 0; i < sight->resolution.count; i++) {
        offered[sight->resolution.offers[i].choice] = true;
    }
}

static void hold(const struct sight *sight)
{
    accepts_only_what_was_seen(sight);
    destroys_only_what_never_ran(sight);
    resumes_only_the_last_copy(sight);
    offers_nothing_while_it_runs_twice_or_moves(sight);
    is_complete(sight);
    note_offers(sight);
}

static void for_all_sights(void)
{
    struct sight sight;

    for (unsigned int i = 0; i < OBSERVATIONS; i++) {
        sight.source = &ends[i];
        for (unsigned int j = 0; j < OBSERVATIONS; j++) {
            sight.destination = &ends[j];
            for (size_t k = 0; k < OTHERS; k++) {
                sight.elsewhere = &others[k];
                ek_resolution_judge(&record, sight.source, sight.destination, sight.elsewhere,
                                    &sight.resolution);
                hold(&sight);
            }
        }
    }
}

/* All laws in one pass over the millions of sights: making those is what takes the time, above all
 * under ThreadSanitizer. */
static void test_laws_hold_for_all_sights(void **state)
{
    (void)state;
    for (int two_step = 0; two_step < 2; two_step++) {
        record.two_step = two_step != 0;
        for_all_sights();
    }
}

static void test_each_choice_can_be_had(void **state)
{
    (void)state;
    for (unsigned int choice = 0; choice < EK_CHOICE_COUNT; choice++) {
        assert_true(offered[choice]);
        assert_int_equal(ek_choice_parse(ek_choice_name((enum ek_choice)choice)), choice);
    }
    assert_int_equal(ek_choice_parse("destroy"), EK_CHOICE_COUNT);
}

/* While a save of it runs its end is open: nothing is offered, whatever else is seen. */
static void test_nothing_while_it_is_saved(void **state)
{
    struct ek_observation source;
    struct ek_resolution resolution;

    (void)state;
    for (unsigned int i = 0; i < OBSERVATIONS; i++) {
        source = ends[i];
        if (source.presence != EK_PRESENCE_ACTIVE) {
            continue;
        }
        source.saving = true;
        ek_resolution_judge(&record, &source, &nowhere, &others[0], &resolution);
        assert_int_equal(resolution.count, 0);
        assert_non_null(resolution.refused);
        if (source.job == EK_JOB_OTHER) {
            assert_non_null(strstr(resolution.refused, "a save of it goes on"));
        }
    }
}

/* Saved is not lost: it may be called down, and it is said how it goes on. */
static void test_saved_is_said(void **state)
{
    struct ek_observation source = {.presence = EK_PRESENCE_INACTIVE, .run = EK_RUN_SHUTOFF_OTHER};
    struct ek_resolution resolution;

    (void)state;
    for (int saved = 0; saved < 2; saved++) {
        source.saved = saved != 0;
        ek_resolution_judge(&record, &source, &nowhere, &others[0], &resolution);
        assert_null(resolution.refused);
        assert_non_null(ek_resolution_offer(&resolution, EK_CHOICE_ACCEPT_DOWN));
        assert_int_equal(strstr(resolution.meaning, "saved: virsh start") != NULL, saved);
    }
}

/* What destroys, and what rests on a person's word, must be said twice. */
static void test_yes(void **state)
{
    (void)state;
    assert_true(ek_choice_needs_yes(EK_CHOICE_FORGET));
    assert_true(ek_choice_needs_yes(EK_CHOICE_DESTROY_SOURCE));
    assert_true(ek_choice_needs_yes(EK_CHOICE_DESTROY_DESTINATION));
    assert_false(ek_choice_needs_yes(EK_CHOICE_ACCEPT_SOURCE));
    assert_false(ek_choice_needs_yes(EK_CHOICE_RESUME_SOURCE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_laws_hold_for_all_sights),
        cmocka_unit_test(test_each_choice_can_be_had),
        cmocka_unit_test(test_nothing_while_it_is_saved),
        cmocka_unit_test(test_saved_is_said),
        cmocka_unit_test(test_yes),
    };

    return cmocka_run_group_tests(tests, make_ends, NULL);
}
