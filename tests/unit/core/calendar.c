/* Windows and blackouts: what is closed when, and until when. */
#include "balancer/core/calendar.h"
#include "tests/lib/cmocka.h"

#include <string.h>

static struct ek_calendar calendar;

static int setup(void **state)
{
    (void)state;
    memset(&calendar, 0, sizeof(calendar));
    return 0;
}

static int64_t at(const char *time)
{
    int64_t time_ms = -1;

    assert_true(ek_time_parse(time, &time_ms));
    return time_ms;
}

static void add_window(const char *days, const char *from, const char *to)
{
    struct ek_window *it = &calendar.windows[calendar.window_count++];

    assert_true(ek_days_parse(days, &it->days));
    assert_true(ek_minute_parse(from, &it->from_min) && ek_minute_parse(to, &it->to_min));
}

/* "" is open. 2026-11-30 is a Monday. */
static void expect(const char *time, const char *why)
{
    const struct ek_closing closing = ek_calendar_at(&calendar, at(time), 60);

    assert_string_equal(closing.why, why);
    assert_int_equal(closing.balancing, why[0] != '\0');
}

static void without_windows_it_is_open(void **state)
{
    (void)state;
    expect("2026-11-30T03:00:00Z", "");
}

static void a_window_of_the_day(void **state)
{
    (void)state;
    add_window("mon-fri", "08:00", "18:30");
    expect("2026-11-30T08:00:00Z", "");
    expect("2026-11-30T18:29:59Z", "");
    expect("2026-11-30T18:30:00Z", "outside the window until Tue 08:00 UTC");
    expect("2026-11-30T07:59:59Z", "outside the window until Mon 08:00 UTC");
    expect("2026-12-05T12:00:00Z", "outside the window until Mon 08:00 UTC");
}

/* It belongs to the day on which it begins. */
static void a_window_over_midnight(void **state)
{
    (void)state;
    add_window("sun", "22:00", "06:00");
    expect("2026-11-29T23:00:00Z", "");
    expect("2026-11-30T05:59:00Z", "");
    expect("2026-11-30T06:00:00Z", "outside the window until Sun 22:00 UTC");
    expect("2026-11-29T05:00:00Z", "outside the window until Sun 22:00 UTC");
}

static void whole_days(void **state)
{
    (void)state;
    add_window("sat,sun", "00:00", "24:00");
    expect("2026-11-28T00:00:00Z", "");
    expect("2026-11-29T23:59:59Z", "");
    expect("2026-11-30T00:00:00Z", "outside the window until Sat 00:00 UTC");
}

/* Windows are of the zone; local time is what the caller says (here an hour ahead). */
static void zones(void **state)
{
    (void)state;
    add_window("mon", "00:00", "06:00");
    calendar.timezone = EK_TIMEZONE_LOCAL;
    expect("2026-11-29T23:00:00Z", "");
    expect("2026-11-30T05:00:00Z", "outside the window until Mon 00:00");
    assert_true(ek_timezone_parse("-03:30", &calendar.timezone, &calendar.offset_min));
    expect("2026-11-30T09:29:00Z", "");
    expect("2026-11-30T09:30:00Z", "outside the window until Mon 00:00 -03:30");
}

static void blackouts_go_over_windows(void **state)
{
    (void)state;
    add_window("all", "00:00", "24:00");
    calendar.blackouts[calendar.blackout_count++] =
        (struct ek_blackout){.from_ms = at("2026-12-20T00:00:00Z"),
                             .to_ms = at("2027-01-02T12:30:00Z"),
                             .evacuations = true,
                             .reason = "year end"};
    expect("2026-12-19T23:59:59Z", "");
    expect("2026-12-20T00:00:00Z", "blackout until 2027-01-02 12:30 UTC: year end");
    expect("2026-12-31T00:00:00Z", "blackout until Sat 12:30 UTC: year end");
    expect("2027-01-02T12:30:00Z", "");
    assert_false(ek_calendar_at(&calendar, at("2026-12-31T00:00:00Z"), 0).evacuations);
    /* One that holds evacuations as well is what is said. */
    calendar.blackouts[calendar.blackout_count++] = (struct ek_blackout){
        .weekly = true, .week = {1U << 3, 600, 660}, .evacuations = false, .reason = "backup"};
    expect("2026-12-31T10:00:00Z", "blackout until Thu 11:00 UTC: backup");
    assert_true(ek_calendar_at(&calendar, at("2026-12-31T10:00:00Z"), 0).evacuations);
    calendar.blackouts[1].week = (struct ek_window){(1U << EK_DAYS) - 1, 0, EK_DAY_MIN};
    expect("2026-12-31T10:00:00Z", "blackout for ever: backup");
}

static void texts_come_back(void **state)
{
    static const char *const days[] = {"all", "mon", "mon,tue,wed,thu,fri", "sat,sun"};
    static const char *const times[] = {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z",
                                        "2026-12-31T23:00:00Z", "2100-03-01T00:00:01Z"};
    char text[64];
    unsigned int set = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        assert_true(ek_days_parse(days[i], &set));
        ek_days_print(set, text, sizeof(text));
        assert_string_equal(text, days[i]);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ek_time_print(at(times[i]), text, sizeof(text));
        assert_string_equal(text, times[i]);
    }
    assert_true(ek_days_parse("fri-mon", &set));
    ek_days_print(set, text, sizeof(text));
    assert_string_equal(text, "mon,fri,sat,sun");
}

static void bad_texts(void **state)
{
    static const char *const days[] = {"", "mo", "mon-", "mon,", "mon-foo", "Mon", "monday"};
    static const char *const minutes[] = {"", "8:00", "08:60", "24:01", "25:00", "08:00 ", "0800"};
    static const char *const zones[] = {"", "CET", "+2", "+15:00", "02:00"};
    unsigned int set = 0;
    int minute = 0;
    enum ek_timezone zone;

    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        assert_false(ek_days_parse(days[i], &set));
    }
    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
        assert_false(ek_minute_parse(minutes[i], &minute));
    }
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        assert_false(ek_timezone_parse(zones[i], &zone, &minute));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_windows_it_is_open, setup),
        cmocka_unit_test_setup(a_window_of_the_day, setup),
        cmocka_unit_test_setup(a_window_over_midnight, setup),
        cmocka_unit_test_setup(whole_days, setup),
        cmocka_unit_test_setup(zones, setup),
        cmocka_unit_test_setup(blackouts_go_over_windows, setup),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(bad_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
