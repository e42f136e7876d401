#include "balancer/codec/codec.h"
#include "balancer/core/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Times are those that `date -u -d TEXT +%s` gives. */
static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2026-12-01T18:00:00Z", 1796148000},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"2024-02-29T23:59:59.75Z", 1709251199},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_ms = -1;
        assert_true(ek_time_parse(cases[i].text, &time_ms));
        assert_true(time_ms == cases[i].seconds * 1000);
    }
}

/* What is not a time in UTC is refused. */
static void test_bad_times(void **state)
{
    static const char *const cases[] = {
        "",
        "2026-12-01",
        "2026-12-01T18:00:00",
        "2026-12-01T18:00:00+01:00",
        "2026-13-01T18:00:00Z",
        "2026-02-29T18:00:00Z",
        "2100-02-29T18:00:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T18:00:00Zx",
        "2026-12-01 18:00:00Z",
        "2026-12-01T18:00:00.Z",
        "1969-12-31T23:59:59Z",
        "2026-1-01T18:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_ms;
        assert_false(ek_time_parse(cases[i], &time_ms));
    }
}

/* What is written of a time is read again, over leap days and the end of a year. */
static void test_times_are_written(void **state)
{
    static const char *const times[] = {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z",
                                        "2026-12-01T18:00:00Z", "2027-01-01T00:00:00Z",
                                        "2100-03-01T12:34:56Z"};
    char text[40];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t time_ms = 0;
        assert_true(ek_time_parse(times[i], &time_ms));
        ek_time_print(time_ms + 999, text, sizeof(text));
        assert_string_equal(text, times[i]);
    }
}

/* A maintenance object gives reason, deadline, and whether a part will do; all may be absent. */
static void test_maintenance(void **state)
{
    static const char all[] =
        "{\"reason\": \"new disks\", \"deadline\": \"2026-12-01T18:00:00Z\", \"partial\": true}";
    struct ek_maintenance key = {.reason = "old", .deadline_ms = -1};
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_maintenance(all, strlen(all), "k", &key, &err));
    assert_string_equal(key.reason, "new disks");
    assert_true(key.deadline_ms == 1796148000000);
    assert_true(key.partial);
    assert_true(ek_codec_read_maintenance("{}", 2, "k", &key, &err));
    assert_string_equal(key.reason, "");
    assert_true(key.deadline_ms == 0);
    assert_false(key.partial);
}

/* What is written into a key is read as it was meant: a bare reason stays one. */
static void test_keys_are_written(void **state)
{
    const struct ek_maintenance keys[] = {
        {.reason = "new disks"},
        {.reason = ""},
        {.reason = "{odd}"},
        {.reason = "a \"quote\"", .deadline_ms = 1796148000000},
        {.reason = "", .partial = true},
    };
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct ek_maintenance read = {.wanted = true};
        char *text = ek_codec_write_maintenance_key(&keys[i]);
        assert_non_null(text);
        if (text[0] == '{') {
            assert_true(ek_codec_read_maintenance(text, strlen(text), "k", &read, &err));
            assert_string_equal(read.reason, keys[i].reason);
            assert_true(read.deadline_ms == keys[i].deadline_ms);
            assert_int_equal(read.partial, keys[i].partial);
        } else {
            assert_true(i < 2);
            assert_string_equal(text, keys[i].reason);
        }
        free(text);
    }
}

/* Other values are refused, so that the caller takes them as a bare reason. */
static void test_bad_maintenance(void **state)
{
    static const char *const cases[] = {
        "kernel update",    "",  "[]", "7", "{\"deadline\": \"tomorrow\"}", "{\"reason\": 7}",
        "{\"partial\": 1}", "{",
    };
    struct ek_maintenance key = {.wanted = true};
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(ek_codec_read_maintenance(cases[i], strlen(cases[i]), "k", &key, &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_times_are_written),
        cmocka_unit_test(test_maintenance),
        cmocka_unit_test(test_keys_are_written),
        cmocka_unit_test(test_bad_maintenance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
