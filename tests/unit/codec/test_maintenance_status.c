/* maintenance-status:<host>, from the engine's value to text and back. */
#include "balancer/codec/plan.h"
#include "tests/lib/cmocka.h"

#include <stdlib.h>
#include <string.h>

static struct ek_arena arena;

static int teardown(void **state)
{
    (void)state;
    ek_arena_finish(&arena);
    return 0;
}

static bool read_back(struct ek_maintenance_status *out, const char *text, struct ek_error *err)
{
    return ek_codec_read_maintenance_status(out, &arena, text, strlen(text), "status", err);
}

/* Every state comes back as it was written, with ETA and blockers. */
static void test_round_trip(void **state)
{
    const struct ek_blocker blockers[] = {
        {"u1", "db-1", "too large", "512 MiB more have to be free for domains on h2", "h2"},
        {"", "", "no lease", NULL, NULL}};
    const char *const order[] = {"web-1", "web-2"};
    const struct ek_stop_note stops[] = {{"u2", "web-3", EK_MOVE_SAVE, true},
                                         {"u3", "web-4", EK_MOVE_SHUTDOWN, false}};

    (void)state;
    for (unsigned int s = EK_MAINTENANCE_ENDED; s <= EK_MAINTENANCE_INFEASIBLE; s++) {
        const struct ek_maintenance_status status = {.state = (enum ek_maintenance_state)s,
                                                     .domains_left = 3,
                                                     .feasibility = EK_NOT_FEASIBLE,
                                                     .eta_ms = 40123,
                                                     .eta_low_ms = 30000,
                                                     .eta_high_ms = 60500,
                                                     .promised_at_ms = 1764000000000,
                                                     .deadline_ms = 1764000030000,
                                                     .slack_ms = -10500,
                                                     .pace = EK_PACE_PARALLEL,
                                                     .order = order,
                                                     .order_count = 2,
                                                     .blockers = blockers,
                                                     .blocker_count = 2,
                                                     .stops = stops,
                                                     .stop_count = 2};
        struct ek_maintenance_status read;
        struct ek_error err;
        char *text = ek_codec_write_maintenance(&status);
        assert_non_null(text);
        assert_true(read_back(&read, text, &err));
        assert_int_equal(read.state, s);
        assert_int_equal(read.domains_left, 3);
        assert_int_equal(read.eta_ms, 40123);
        assert_int_equal(read.feasibility, EK_NOT_FEASIBLE);
        assert_int_equal(read.eta_low_ms, 30000);
        assert_int_equal(read.eta_high_ms, 60500);
        assert_true(read.promised_at_ms == 1764000000000);
        assert_int_equal(read.deadline_ms, s == EK_MAINTENANCE_EVACUATED ? 0 : 1764000030000);
        assert_int_equal(read.slack_ms, s == EK_MAINTENANCE_EVACUATED ? 0 : -10500);
        assert_int_equal(read.pace,
                         s == EK_MAINTENANCE_EVACUATED ? EK_PACE_LIMITS : EK_PACE_PARALLEL);
        assert_int_equal(read.order_count, 2);
        assert_string_equal(read.order[1], "web-2");
        assert_int_equal(read.blocker_count, 2);
        assert_string_equal(read.blockers[0].relaxation_host, "h2");
        assert_null(read.blockers[1].relaxation);
        assert_string_equal(read.blockers[0].reason, "too large");
        assert_string_equal(read.blockers[1].name, "");
        assert_int_equal(read.stop_count, 2);
        assert_string_equal(read.stops[0].name, "web-3");
        assert_true(read.stops[0].kind == EK_MOVE_SAVE && read.stops[0].running);
        assert_true(read.stops[1].kind == EK_MOVE_SHUTDOWN && !read.stops[1].running);
        free(text);
    }
}

/* What is left out is not known: no ETA, no blockers. */
static void test_absent(void **state)
{
    struct ek_maintenance_status read;
    struct ek_error err;

    (void)state;
    assert_true(
        read_back(&read, "{\"version\":1,\"state\":\"evacuated\",\"domains_left\":0}", &err));
    assert_int_equal(read.eta_ms, -1);
    assert_int_equal(read.feasibility, EK_FEASIBILITY_UNKNOWN);
    assert_int_equal(read.order_count, 0);
    assert_int_equal(read.blocker_count, 0);
}

/* Of a host that nobody can look at no number is told, least of all 0. */
static void test_what_was_not_counted_is_not_told(void **state)
{
    const struct ek_maintenance_status away = {
        .host = "h1", .state = EK_MAINTENANCE_BLOCKED, .eta_ms = -1};
    struct ek_maintenance_status empty = away;
    char *text = ek_codec_write_maintenance(&away);

    (void)state;
    assert_false(ek_maintenance_counted(&away));
    assert_null(strstr(text, "domains_left"));
    free(text);
    empty.state = EK_MAINTENANCE_EVACUATED;
    text = ek_codec_write_maintenance(&empty);
    assert_non_null(strstr(text, "\"domains_left\":0"));
    free(text);
}

/* A bad document is refused with its place. */
static void test_refusals(void **state)
{
    static const char *const bad[][2] = {
        {"{\"version\":1,\"domains_left\":0}", "state"},
        {"{\"version\":1,\"state\":\"asleep\",\"domains_left\":0}", "state: found \"asleep\""},
        {"{\"version\":1,\"state\":\"blocked\",\"domains_left\":-1}", "domains_left: found -1"},
        {"{\"version\":1,\"state\":\"blocked\",\"domains_left\":0,\"eta_s\":-1}", "eta_s"},
        {"{\"version\":1,\"state\":\"blocked\",\"domains_left\":0,\"blockers\":[{}]}",
         "blockers[0]"},
        {"{\"version\":1", "status:1:"},
    };
    struct ek_maintenance_status read;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(read_back(&read, bad[i][0], &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
        if (strstr(err.message, bad[i][1]) == NULL) {
            fail_msg("\"%s\" lacks \"%s\"", err.message, bad[i][1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_what_was_not_counted_is_not_told),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
