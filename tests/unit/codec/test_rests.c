/* What the engine keeps over a restart: it reads back as it was, what an older balancer wrote is
 * read, damage is refused as a whole. */
#include "balancer/codec/rests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ek_rest rest = {.domain = "a",
                              .until_ms = 5,
                              .moved_at_ms = 3,
                              .repeats = 2,
                              .avoid = "h2",
                              .avoid_until_ms = 7,
                              .failed_until_ms = 6,
                              .failures = 4,
                              .lags_until_ms = 11};
static struct ek_circuit_entry circuit = {.destination = "h2",
                                          .other = "h1",
                                          .several = true,
                                          .failures = 3,
                                          .trips = 1,
                                          .failed_at_ms = 8,
                                          .until_ms = 9};

static bool read_back(struct ek_kept *out, const char *text)
{
    struct ek_error err = {0};

    return ek_codec_read_rests(out, text, strlen(text), "engine", &err);
}

/* What a version wrote that did not know of laggards. */
static void test_older_rests_are_read(void **state)
{
    struct ek_kept read;

    (void)state;
    assert_true(read_back(&read, "{\"version\":1,\"paused\":\"\",\"paused_all\":false,\"rests\":["
                                 "{\"domain\":\"a\",\"until_ms\":5,\"moved_at_ms\":3,\"repeats\":2,"
                                 "\"avoid\":\"h2\",\"avoid_until_ms\":7,\"failed_until_ms\":6,"
                                 "\"failures\":4}],\"circuits\":[]}"));
    assert_int_equal(read.rest_count, 1);
    assert_int_equal(read.rests[0].failures, 4);
    assert_int_equal(read.rests[0].lags_until_ms, 0);
    ek_kept_finish(&read);
}

/* Rests, circuits and the pause come back to the bit. */
static void test_round_trip(void **state)
{
    const struct ek_kept kept = {.pause = {.why = "an operator paused balancing", .all = true},
                                 .rests = &rest,
                                 .rest_count = 1,
                                 .circuits = &circuit,
                                 .circuit_count = 1};
    struct ek_kept read;
    char *text = ek_codec_write_rests(&kept);

    (void)state;
    assert_non_null(text);
    assert_true(read_back(&read, text));
    assert_string_equal(read.pause.why, kept.pause.why);
    assert_true(read.pause.all);
    assert_int_equal(read.rest_count, 1);
    assert_memory_equal(read.rests, &rest, sizeof(rest));
    assert_int_equal(read.circuit_count, 1);
    assert_memory_equal(read.circuits, &circuit, sizeof(circuit));
    ek_kept_finish(&read);
    free(text);
}

/* A balancer that knew neither circuits nor pauses is followed by one that does. */
static void test_older_document(void **state)
{
    struct ek_kept read;

    (void)state;
    assert_true(read_back(&read, "{\"version\":1,\"rests\":[]}"));
    assert_string_equal(read.pause.why, "");
    assert_int_equal(read.rest_count + read.circuit_count, 0);
    ek_kept_finish(&read);
}

/* One bad member, and nothing of it is known. */
static void test_damage_is_refused(void **state)
{
    static const char *const bad[] = {
        "{\"version\":1,\"paused\":1,\"rests\":[]}",
        "{\"version\":1,\"rests\":[{\"domain\":\"a\"}]}",
        "{\"version\":1,\"rests\":[],\"circuits\":[{\"source\":\"h1\"}]}",
        "{\"version\":1,\"rests\":[],\"circuits\":[{\"source\":\"h1\",\"destination\":\"h2\","
        "\"other\":\"\",\"several\":true,\"failures\":-1,\"trips\":0,\"failed_at_ms\":0,"
        "\"until_ms\":0}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ek_kept read;
        assert_false(read_back(&read, bad[i]));
        assert_null(read.rests);
        assert_null(read.circuits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_older_rests_are_read),
        cmocka_unit_test(test_older_document),
        cmocka_unit_test(test_damage_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
