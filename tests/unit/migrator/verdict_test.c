/* Laws of the decision table, over every combination of what two ends can say. */
#include "migrator/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "observations.h"

static struct ek_move_record record = {.order = {.id = "plan-7-1"}, .state = EK_MOVE_RECONCILE};

/* ---- every observation that there is ------------------------------------------------------- */

enum { TRAITS = 8 };

typedef void (*law)(const struct ek_verdict_row *row, const struct ek_observation *source,
                    const struct ek_observation *destination);

/* Every kind of attempt, one after the other. */
static void with_traits(unsigned int traits)
{
    record.two_step = (traits & EK_TRAIT_TWO_STEP) != 0;
    record.user_paused = (traits & EK_TRAIT_USER_PAUSED) != 0;
    record.post_copy_begun = (traits & EK_TRAIT_POST_COPY) != 0;
}

/* Made and decided once, since every law goes over all of them. */
static struct ek_observation ends[OBSERVATIONS];
static const struct ek_verdict_row *decided[TRAITS][OBSERVATIONS][OBSERVATIONS];

static int decide_all(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < OBSERVATIONS; i++) {
        ends[i] = observation(i);
    }
    for (unsigned int traits = 0; traits < TRAITS; traits++) {
        with_traits(traits);
        for (unsigned int i = 0; i < OBSERVATIONS; i++) {
            for (unsigned int j = 0; j < OBSERVATIONS; j++) {
                decided[traits][i][j] = ek_verdict_decide(&record, &ends[i], &ends[j]);
            }
        }
    }
    with_traits(0);
    return 0;
}

static void for_all(law holds)
{
    for (unsigned int traits = 0; traits < TRAITS; traits++) {
        with_traits(traits);
        for (unsigned int i = 0; i < OBSERVATIONS; i++) {
            for (unsigned int j = 0; j < OBSERVATIONS; j++) {
                holds(decided[traits][i][j], &ends[i], &ends[j]);
            }
        }
    }
    with_traits(0);
}

static bool seen_running(const struct ek_observation *end)
{
    return (ek_sight_of(end) & (EK_SIGHT_RUNNING | EK_SIGHT_POSTCOPY)) != 0;
}

/* ---- laws ---------------------------------------------------------------------------------- */

static void is_decided(const struct ek_verdict_row *row, const struct ek_observation *source,
                       const struct ek_observation *destination)
{
    (void)source;
    (void)destination;
    assert_non_null(row);
    assert_true((row->verdict == EK_VERDICT_REPAIR) == (row->repair != EK_REPAIR_NONE));
    assert_true(strlen(row->text) > 10);
}

/* Every pair of observations has a verdict; a repair belongs to the verdict "repair" alone. */
static void test_every_pair_is_decided(void **state)
{
    (void)state;
    for_all(is_decided);
}

/* The second step of a hand-over is ours to take, so that a copy which waits for it never ran. */
static bool never_resumed(const struct ek_observation *destination)
{
    return record.two_step && destination->presence == EK_PRESENCE_ACTIVE &&
           destination->run == EK_RUN_PAUSED_USER && destination->attempt_known &&
           (destination->job == EK_JOB_NONE || destination->job == EK_JOB_OTHER);
}

static void is_safe(const struct ek_verdict_row *row, const struct ek_observation *source,
                    const struct ek_observation *destination)
{
    switch (row->repair) {
    case EK_REPAIR_NONE:
        return;
    case EK_REPAIR_RESUME_SOURCE:
        assert_int_equal(destination->presence, EK_PRESENCE_ABSENT);
        assert_true(source->run == EK_RUN_PAUSED_MIGRATION && source->attempt_known);
        return;
    case EK_REPAIR_DESTROY_SOURCE:
        assert_true(seen_running(destination) && destination->attempt_known);
        assert_int_equal(source->run, EK_RUN_PAUSED_MIGRATION);
        return;
    case EK_REPAIR_DESTROY_DESTINATION:
        assert_int_equal(source->presence, EK_PRESENCE_ACTIVE);
        assert_true(destination->run == EK_RUN_PAUSED_MIGRATION || never_resumed(destination));
        assert_true(destination->run == EK_RUN_PAUSED_MIGRATION || source->attempt_known);
        return;
    case EK_REPAIR_RESUME_DESTINATION:
        assert_true((ek_sight_of(source) & (EK_SIGHT_ABSENT | EK_SIGHT_OFF_MIGRATED)) != 0);
        assert_true(never_resumed(destination) && !record.user_paused);
        return;
    case EK_REPAIR_RESUME_POSTCOPY:
        assert_int_equal(source->run, EK_RUN_PAUSED_POSTCOPY_FAILED);
        assert_true(record.post_copy_begun && source->attempt_known);
        assert_int_equal(destination->presence, EK_PRESENCE_ACTIVE);
    }
}

/* Only a copy that the migration itself paused is ever touched: a source is resumed only where the
 * destination verifiably has nothing, destroyed only where the destination runs with our mark; a
 * destination is destroyed only while the source verifiably has the guest, and resumed only where
 * the source is verifiably gone. */
static void test_repairs_touch_only_what_never_ran_or_runs_elsewhere(void **state)
{
    (void)state;
    for_all(is_safe);
}

static void leaves_alone(const struct ek_verdict_row *row, const struct ek_observation *source,
                         const struct ek_observation *destination)
{
    bool blind = source->presence == EK_PRESENCE_UNREACHABLE ||
                 destination->presence == EK_PRESENCE_UNREACHABLE;

    if (blind) {
        assert_int_equal(row->repair, EK_REPAIR_NONE);
        assert_true(row->verdict == EK_VERDICT_UNKNOWN || row->verdict == EK_VERDICT_UNVERIFIED ||
                    row->verdict == EK_VERDICT_IN_PROGRESS ||
                    row->verdict == EK_VERDICT_SWITCHOVER);
    }
}

/* An unreachable end leaves the outcome open, and nothing is done. */
static void test_blind_is_never_sure(void **state)
{
    (void)state;
    for_all(leaves_alone);
}

static void is_honest(const struct ek_verdict_row *row, const struct ek_observation *source,
                      const struct ek_observation *destination)
{
    if (row->verdict == EK_VERDICT_MOVED) {
        assert_int_equal(destination->presence, EK_PRESENCE_ACTIVE);
        assert_int_not_equal(source->presence, EK_PRESENCE_ACTIVE);
    }
    if (row->verdict == EK_VERDICT_ROLLED_BACK || row->verdict == EK_VERDICT_FAULTY) {
        assert_int_equal(source->presence, EK_PRESENCE_ACTIVE);
        assert_int_not_equal(destination->presence, EK_PRESENCE_ACTIVE);
        assert_true(source->job == EK_JOB_NONE || source->job == EK_JOB_OTHER);
    }
    if (seen_running(source) && seen_running(destination)) {
        assert_true(row->verdict == EK_VERDICT_UNKNOWN || source->job == EK_JOB_OUT);
    }
}

/* A home is named only where the domain was read, and two that run are never anything but unknown,
 * unless the source's migration is still under way. */
static void test_home_is_where_it_was_read(void **state)
{
    (void)state;
    for_all(is_honest);
}

/* Somebody else's migration is not adopted. */
static void test_foreign_migration_is_not_ours(void **state)
{
    struct ek_observation source = {.presence = EK_PRESENCE_ACTIVE,
                                    .run = EK_RUN_RUNNING,
                                    .job = EK_JOB_OUT,
                                    .attempt_known = true,
                                    .attempt_id = "plan-6-4"};
    struct ek_observation destination = {.presence = EK_PRESENCE_ABSENT};

    (void)state;
    assert_int_equal(ek_verdict_decide(&record, &source, &destination)->verdict,
                     EK_VERDICT_UNKNOWN);
    snprintf(source.attempt_id, sizeof(source.attempt_id), "plan-7-1");
    assert_int_equal(ek_verdict_decide(&record, &source, &destination)->verdict,
                     EK_VERDICT_IN_PROGRESS);
}

/* ---- the rows of the facts, one by one ----------------------------------------------------- */

static const struct {
    const char *name;
    struct ek_observation source;
    struct ek_observation destination;
    enum ek_verdict verdict;
    enum ek_repair repair;
    unsigned int traits;
} cases[] = {
#define AT(where, how, work)                                                        \
    {                                                                               \
        .presence = EK_PRESENCE_##where, .run = EK_RUN_##how, .job = EK_JOB_##work, \
        .persistent = true, .attempt_known = true, .attempt_id = "plan-7-1"         \
    }
    {"plain rollback", AT(ACTIVE, RUNNING_MIGRATION_CANCELED, NONE), AT(ABSENT, NONE, NONE),
     EK_VERDICT_ROLLED_BACK, EK_REPAIR_NONE, 0},
    {"in progress", AT(ACTIVE, RUNNING, OUT), AT(ACTIVE, PAUSED_MIGRATION, IN),
     EK_VERDICT_IN_PROGRESS, EK_REPAIR_NONE, 0},
    {"in progress, paused by user", AT(ACTIVE, PAUSED_USER, OUT), AT(ACTIVE, PAUSED_MIGRATION, IN),
     EK_VERDICT_IN_PROGRESS, EK_REPAIR_NONE, 0},
    {"orphan on destination", AT(ACTIVE, RUNNING, NONE), AT(ACTIVE, PAUSED_MIGRATION, NONE),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, 0},
    {"switchover", AT(ACTIVE, PAUSED_MIGRATION, OUT), AT(UNREACHABLE, NONE, NOT_KNOWN),
     EK_VERDICT_SWITCHOVER, EK_REPAIR_NONE, 0},
    {"source's clean-up lost", AT(ACTIVE, PAUSED_MIGRATION, NONE),
     AT(ACTIVE, RUNNING_MIGRATED, NONE), EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_SOURCE, 0},
    {"lost rollback", AT(ACTIVE, PAUSED_MIGRATION, NONE), AT(ABSENT, NONE, NONE), EK_VERDICT_REPAIR,
     EK_REPAIR_RESUME_SOURCE, 0},
    {"both paused", AT(ACTIVE, PAUSED_MIGRATION, NONE), AT(ACTIVE, PAUSED_MIGRATION, NONE),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, 0},
    {"source paused, destination dark", AT(ACTIVE, PAUSED_MIGRATION, NONE),
     AT(UNREACHABLE, NONE, NOT_KNOWN), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
    {"moved", AT(ABSENT, NONE, NONE), AT(ACTIVE, RUNNING_MIGRATED, NONE), EK_VERDICT_MOVED,
     EK_REPAIR_NONE, 0},
    {"moved, source still defined", AT(INACTIVE, SHUTOFF_MIGRATED, NONE),
     AT(ACTIVE, RUNNING_MIGRATED, NONE), EK_VERDICT_MOVED, EK_REPAIR_NONE, 0},
    {"moved while paused", AT(ABSENT, NONE, NONE), AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_MOVED,
     EK_REPAIR_NONE, 0},
    {"moved, then a fault", AT(ABSENT, NONE, NONE), AT(ACTIVE, PAUSED_IOERROR, NONE),
     EK_VERDICT_MOVED, EK_REPAIR_NONE, 0},
    {"moved, then shut down", AT(ABSENT, NONE, NONE), AT(INACTIVE, SHUTOFF_SHUTDOWN, NONE),
     EK_VERDICT_GUEST_OFF, EK_REPAIR_NONE, 0},
    {"guest shut down", AT(INACTIVE, SHUTOFF_SHUTDOWN, NONE), AT(ABSENT, NONE, NONE),
     EK_VERDICT_GUEST_OFF, EK_REPAIR_NONE, 0},
    {"guest crashed", AT(INACTIVE, SHUTOFF_CRASHED, NONE), AT(ABSENT, NONE, NONE),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, 0},
    {"nowhere", AT(ABSENT, NONE, NONE), AT(ABSENT, NONE, NONE), EK_VERDICT_VM_DOWN, EK_REPAIR_NONE,
     0},
    {"source dark", AT(UNREACHABLE, NONE, NOT_KNOWN), AT(ACTIVE, RUNNING_MIGRATED, NONE),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
    {"destination dark", AT(ACTIVE, RUNNING_MIGRATION_CANCELED, NONE),
     AT(UNREACHABLE, NONE, NOT_KNOWN), EK_VERDICT_UNVERIFIED, EK_REPAIR_NONE, 0},
    {"runs twice", AT(ACTIVE, RUNNING_MIGRATION_CANCELED, NONE), AT(ACTIVE, RUNNING_MIGRATED, NONE),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
    {"source running, destination suspended by an operator", AT(ACTIVE, RUNNING, NONE),
     AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
    {"moved, to be resumed", AT(ABSENT, NONE, NONE), AT(ACTIVE, PAUSED_USER, NONE),
     EK_VERDICT_REPAIR, EK_REPAIR_RESUME_DESTINATION, EK_TRAIT_TWO_STEP},
    {"moved in two steps, paused by its user", AT(ABSENT, NONE, NONE),
     AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_MOVED, EK_REPAIR_NONE,
     EK_TRAIT_TWO_STEP | EK_TRAIT_USER_PAUSED},
    {"not yet to be resumed", AT(ABSENT, NONE, NONE), AT(ACTIVE, PAUSED_USER, IN),
     EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_TRAIT_TWO_STEP},
    {"off on the source, where it may have run on", AT(INACTIVE, SHUTOFF_OTHER, NONE),
     AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_TRAIT_TWO_STEP},
    {"commit never happened", AT(ACTIVE, RUNNING_MIGRATION_CANCELED, NONE),
     AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION,
     EK_TRAIT_TWO_STEP},
    {"both paused in two steps", AT(ACTIVE, PAUSED_MIGRATION, NONE), AT(ACTIVE, PAUSED_USER, NONE),
     EK_VERDICT_REPAIR, EK_REPAIR_DESTROY_DESTINATION, EK_TRAIT_TWO_STEP},
    {"source dark, destination waits", AT(UNREACHABLE, NONE, NOT_KNOWN),
     AT(ACTIVE, PAUSED_USER, NONE), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, EK_TRAIT_TWO_STEP},
    {"post-copy, not begun by us", AT(ACTIVE, PAUSED_POSTCOPY, OUT),
     AT(ACTIVE, RUNNING_POSTCOPY, IN), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
    {"post-copy goes on", AT(ACTIVE, PAUSED_POSTCOPY, OUT), AT(ACTIVE, RUNNING_POSTCOPY, IN),
     EK_VERDICT_IN_PROGRESS, EK_REPAIR_NONE, EK_TRAIT_POST_COPY},
    {"post-copy broke off", AT(ACTIVE, PAUSED_POSTCOPY_FAILED, OUT),
     AT(ACTIVE, PAUSED_POSTCOPY_FAILED, IN), EK_VERDICT_REPAIR, EK_REPAIR_RESUME_POSTCOPY,
     EK_TRAIT_POST_COPY},
    {"post-copy, destination lost", AT(ACTIVE, PAUSED_POSTCOPY_FAILED, OUT), AT(ABSENT, NONE, NONE),
     EK_VERDICT_VM_DOWN, EK_REPAIR_NONE, EK_TRAIT_POST_COPY},
    {"post-copy failed, not begun by us", AT(ACTIVE, PAUSED_POSTCOPY_FAILED, NONE),
     AT(ACTIVE, PAUSED_POSTCOPY_FAILED, NONE), EK_VERDICT_UNKNOWN, EK_REPAIR_NONE, 0},
};

/* Each situation that libvirt is known to leave behind gets the verdict that fits it. */
static void test_known_situations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ek_verdict_row *row;

        with_traits(cases[i].traits);
        row = ek_verdict_decide(&record, &cases[i].source, &cases[i].destination);
        with_traits(0);
        print_message("%s: %s\n", cases[i].name, row->text);
        assert_string_equal(ek_verdict_name(row->verdict), ek_verdict_name(cases[i].verdict));
        assert_string_equal(ek_repair_name(row->repair), ek_repair_name(cases[i].repair));
    }
}

/* A transient domain that is paused on the source may have run and ended on the destination without
 * a trace: it is not resumed. */
static void test_transient_source_is_not_resumed(void **state)
{
    struct ek_observation source = {
        .presence = EK_PRESENCE_ACTIVE, .run = EK_RUN_PAUSED_MIGRATION, .persistent = false};
    struct ek_observation destination = {.presence = EK_PRESENCE_ABSENT};

    (void)state;
    assert_int_equal(ek_verdict_decide(&record, &source, &destination)->repair, EK_REPAIR_NONE);
}

static bool reached[64];
static const struct ek_verdict_row *first_row;

static void is_reached(const struct ek_verdict_row *row, const struct ek_observation *source,
                       const struct ek_observation *destination)
{
    (void)source;
    (void)destination;
    reached[row - first_row] = true;
}

/* Every row but those that merely word the same verdict better is reached by some pair. */
static void test_no_row_is_dead(void **state)
{
    size_t count;
    const struct ek_verdict_row *rows = ek_verdict_rows(&count);

    (void)state;
    first_row = rows;
    for_all(is_reached);
    for (size_t i = 0; i < count; i++) {
        if (!reached[i]) {
            fail_msg("no observation reaches row %zu: %s", i, rows[i].text);
        }
    }
}

/* The manual prints every row, word for word. */
static void test_manual_has_every_row(void **state)
{
    static char manual[64 * 1024];
    FILE *file = fopen(EK_SOURCE_DIR "/docs/migrator.md", "r");
    size_t count;
    const struct ek_verdict_row *rows = ek_verdict_rows(&count);

    (void)state;
    assert_non_null(file);
    manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < count; i++) {
        if (strstr(manual, rows[i].text) == NULL) {
            fail_msg("docs/migrator.md lacks: %s", rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_is_decided),
        cmocka_unit_test(test_repairs_touch_only_what_never_ran_or_runs_elsewhere),
        cmocka_unit_test(test_blind_is_never_sure),
        cmocka_unit_test(test_home_is_where_it_was_read),
        cmocka_unit_test(test_foreign_migration_is_not_ours),
        cmocka_unit_test(test_known_situations),
        cmocka_unit_test(test_transient_source_is_not_resumed),
        cmocka_unit_test(test_no_row_is_dead),
        cmocka_unit_test(test_manual_has_every_row),
    };

    return cmocka_run_group_tests(tests, decide_all, NULL);
}
