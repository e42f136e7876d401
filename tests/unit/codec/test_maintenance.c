#include "balancer/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
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
        assert_true(ek_codec_read_time(cases[i].text, &time_ms));
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
        assert_false(ek_codec_read_time(cases[i], &time_ms));
    }
}

/* A maintenance object gives its reason and its deadline; both may be absent. */
static void test_maintenance(void **state)
{
    static const char both[] =
        "{\"reason\": \"new disks\", \"deadline\": \"2026-12-01T18:00:00Z\"}";
    char reason[64] = "old";
    int64_t deadline_ms = -1;
    struct ek_error err;

    (void)state;
    assert_true(ek_codec_read_maintenance(both, strlen(both), "k", reason, sizeof(reason),
                                          &deadline_ms, &err));
    assert_string_equal(reason, "new disks");
    assert_true(deadline_ms == 1796148000000);
    assert_true(
        ek_codec_read_maintenance("{}", 2, "k", reason, sizeof(reason), &deadline_ms, &err));
    assert_string_equal(reason, "");
    assert_true(deadline_ms == 0);
}

/* Other values are refused, so that the caller takes them as a bare reason. */
static void test_bad_maintenance(void **state)
{
    static const char *const cases[] = {
        "kernel update", "", "[]", "7", "{\"deadline\": \"tomorrow\"}", "{\"reason\": 7}", "{",
    };
    char reason[64];
    int64_t deadline_ms;
    struct ek_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(ek_codec_read_maintenance(cases[i], strlen(cases[i]), "k", reason,
                                               sizeof(reason), &deadline_ms, &err));
        assert_int_equal(err.code, EK_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_maintenance),
        cmocka_unit_test(test_bad_maintenance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
