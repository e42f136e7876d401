#include "balancer/codec/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ek_move_record full = {
    .order = {.id = "p1-3",
              .plan_id = "p1",
              .seq = 3,
              .kind = EK_MOVE_EVACUATE,
              .domain = "6c1f0a3e-0000-4000-8000-00000000abcd",
              .name = "web-1",
              .source = "h1",
              .destination = "h2",
              .reason = "cpu of h1 93 % -> 71 %",
              .timeout_ms = 300000,
              .progress_timeout_ms = 150000,
              .max_downtime_ms = 500,
              .backoff_ms = 20000,
              .retries = 3,
              .auto_converge = true,
              .bandwidth_mib_s = 100,
              .predicted_transfer_mib = 8300.5,
              .predicted_duration_ms = 9100,
              .predicted_downtime_ms = 120},
    .state = EK_MOVE_COMMIT_PENDING,
    .attempt = 2,
    .epoch = 7,
    .planned_at_ms = 1764000000000,
    .started_at_ms = 1764000000100,
    .updated_at_ms = 1764000000200,
    .progress = 0.1 + 0.2,
    .eta_ms = -1,
    .transferred_mib = 4150.25,
    .downtime_ms = 80,
    .discard_at_ms = 1764000600000,
    .preparation_count = 2,
    .preparations = {{.kind = EK_PREPARATION_BASE,
                      .state = EK_PREPARATION_MADE,
                      .what = "/images/base.qcow2",
                      .size_mib = 512.5},
                     {.kind = EK_PREPARATION_OVERLAY,
                      .state = EK_PREPARATION_BEGUN,
                      .what = "/images/web-1.qcow2",
                      .disk = "vda"}},
    .error = "destination said: \"no\"",
};

static struct ek_move_record through_text(const struct ek_move_record *record)
{
    struct ek_move_record read;
    struct ek_error err = {.message = ""};
    char *text = ek_codec_write_record(record);

    assert_non_null(text);
    if (!ek_codec_read_record(&read, text, strlen(text), "k", &err)) {
        fail_msg("%s", err.message);
    }
    free(text);
    return read;
}

/* Every field of a record survives: the written bytes of both are equal, and so are all that
 * matter. */
static void test_round_trip(void **state)
{
    struct ek_move_record read = through_text(&full);
    char *first = ek_codec_write_record(&full);
    char *second = ek_codec_write_record(&read);

    (void)state;
    assert_string_equal(first, second);
    assert_true(read.progress == full.progress && read.eta_ms == -1);
    assert_int_equal(read.state, full.state);
    assert_int_equal(read.order.kind, full.order.kind);
    assert_true(read.order.bandwidth_mib_s == 100 && read.order.auto_converge);
    assert_string_equal(read.order.domain, full.order.domain);
    assert_string_equal(read.error, full.error);
    assert_memory_equal(read.preparations, full.preparations, sizeof(full.preparations));
    free(first);
    free(second);
}

/* A record with more preparations than this program can undo is refused, and so is one without a
 * name. */
static void test_bad_preparations(void **state)
{
    static const char item[] =
        "{\"kind\":\"base\",\"state\":\"made\",\"what\":\"/images/base.qcow2\"";
    struct ek_move_record read;
    struct ek_error err;
    char *text = ek_codec_write_record(&full);
    char *place = strstr(text, item);
    char longer[16384];

    (void)state;
    assert_non_null(place);
    (void)snprintf(longer, sizeof(longer), "%.*s", (int)(place - text), text);
    for (int i = 0; i < EK_PREPARATION_MOST; i++) {
        (void)snprintf(longer + strlen(longer), sizeof(longer) - strlen(longer), "%s},", item);
    }
    (void)snprintf(longer + strlen(longer), sizeof(longer) - strlen(longer), "%s", place);
    assert_false(ek_codec_read_record(&read, longer, strlen(longer), "k", &err));
    assert_non_null(strstr(err.message, "at most 32 preparations"));
    memcpy(strstr(text, "/images/base.qcow2"), "\",\"x\":\"xxxxxxxxxxx", 18);
    assert_false(ek_codec_read_record(&read, text, strlen(text), "k", &err));
    free(text);
}

/* Every state and every kind has a name that is read back. */
static void test_states_and_kinds(void **state)
{
    struct ek_move_record record = full;

    (void)state;
    for (int i = 0; i < EK_MOVE_STATE_COUNT; i++) {
        record.state = (enum ek_move_state)i;
        record.order.kind = (enum ek_move_kind)(i % (EK_MOVE_MANUAL + 1));
        struct ek_move_record read = through_text(&record);
        assert_int_equal(read.state, record.state);
        assert_int_equal(read.order.kind, record.order.kind);
    }
}

/* A save and a shutdown have no destination, and no move is without one. */
static void test_stops(void **state)
{
    struct ek_move_record record = full;
    struct ek_move_record read;
    struct ek_error err;

    (void)state;
    record.order.destination[0] = '\0';
    record.order.shutdown_timeout_ms = 180000;
    for (int kind = 0; kind < EK_MOVE_KIND_COUNT; kind++) {
        record.order.kind = (enum ek_move_kind)kind;
        char *text = ek_codec_write_record(&record);
        bool done = ek_codec_read_record(&read, text, strlen(text), "k", &err);
        assert_int_equal(done, ek_move_stops(record.order.kind));
        assert_true(!done || (read.order.kind == record.order.kind &&
                              read.order.shutdown_timeout_ms == 180000));
        free(text);
    }
    record.order.destination[0] = 'x';
    char *text = ek_codec_write_record(&record);
    assert_false(ek_codec_read_record(&read, text, strlen(text), "k", &err));
    assert_non_null(strstr(err.message, "order.destination: found \"x"));
    free(text);
}

/* A record that holds what JSON cannot (an endless prediction, a message cut inside a character) is
 * written so that it can be read: an unreadable journal would be worse. */
static void test_odd_values_stay_readable(void **state)
{
    struct ek_move_record record = full;

    (void)state;
    record.order.predicted_transfer_mib = INFINITY;
    record.order.predicted_duration_ms = INT64_MAX;
    record.order.bandwidth_mib_s = UINT64_MAX;
    record.transferred_mib = NAN;
    memset(record.error, 'x', sizeof(record.error) - 1);
    record.error[sizeof(record.error) - 2] = '\xc3';
    struct ek_move_record read = through_text(&record);
    assert_true(read.order.predicted_transfer_mib == 9007199254740991.0);
    assert_true(read.order.predicted_duration_ms == 9007199254740991);
    assert_true(read.order.bandwidth_mib_s == 9007199254740991);
    assert_true(read.transferred_mib == 0);
    assert_int_equal(strlen(read.error), sizeof(record.error) - 1);
    assert_int_equal(read.error[sizeof(record.error) - 2], '?');
}

/* A record is refused for what identifies it, not for what an older version did not write. */
static void test_required_fields(void **state)
{
#define ORDER "\"order\":{\"id\":\"i\",\"domain\":\"d\",\"source\":\"a\",\"destination\":\"b\","
    static const char least[] = "{\"version\":1," ORDER "\"kind\":\"park\"},\"state\":\"done\","
                                "\"attempt\":1,\"epoch\":2}";
    static const char no_state[] = "{\"version\":1," ORDER "\"kind\":\"park\"}}";
    static const char bad_kind[] = "{\"version\":1," ORDER "\"kind\":\"shove\"}}";
    struct ek_move_record record;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_record(&record, least, strlen(least), "k", &err));
    assert_true(record.eta_ms == -1 && record.order.kind == EK_MOVE_PARK);
    assert_false(ek_codec_read_record(&record, no_state, strlen(no_state), "k", &err));
    assert_non_null(strstr(err.message, "k: state: found nothing, expected planned, claimed"));
    assert_false(ek_codec_read_record(&record, bad_kind, strlen(bad_kind), "k", &err));
    assert_string_equal(err.message, "k: order.kind: found \"shove\", expected balance, rule, "
                                     "evacuate, park, manual, save or shutdown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_preparations),
        cmocka_unit_test(test_states_and_kinds),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_odd_values_stay_readable),
        cmocka_unit_test(test_required_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
