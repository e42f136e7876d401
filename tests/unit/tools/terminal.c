/* Figures for people: bars, spans of time, points in time. */
#include "balancer/tools/terminal.h"
#include "tests/lib/cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A bar is full at 1 and empty at 0; what lies outside, or is not known, stays within it. */
static void test_bar(void **state)
{
    char bar[EK_BAR_SIZE];

    (void)state;
    assert_string_equal(ek_bar(0, 4, bar), "[....]");
    assert_string_equal(ek_bar(0.5, 4, bar), "[##..]");
    assert_string_equal(ek_bar(1, 4, bar), "[####]");
    assert_string_equal(ek_bar(7.5, 4, bar), "[####]");
    assert_string_equal(ek_bar(-1, 4, bar), "[....]");
    assert_string_equal(ek_bar(NAN, 4, bar), "[....]");
    assert_int_equal(strlen(ek_bar(1, 1000, bar)), 42);
}

/* Two units at most; nothing is ever ahead of now. */
static void test_span(void **state)
{
    char span[EK_SPAN_SIZE];

    (void)state;
    assert_string_equal(ek_span(-5, span), "0 s");
    assert_string_equal(ek_span(0, span), "0 s");
    assert_string_equal(ek_span(400, span), "0.4 s");
    assert_string_equal(ek_span(59999, span), "59 s");
    assert_string_equal(ek_span(725000, span), "12 min 5 s");
    assert_string_equal(ek_span(12000000, span), "3 h 20 min");
    assert_string_equal(ek_span(187200000, span), "2 d 4 h");
    assert_string_equal(ek_span(INT64_MAX, span), "106751991167 d 7 h");
}

/* No more digits than a prediction has; the ends of a range are rounded outwards. */
static void test_about(void **state)
{
    char span[EK_SPAN_SIZE];

    (void)state;
    assert_string_equal(ek_span_about(0, EK_ROUND_UP, span), "0 s");
    assert_string_equal(ek_span_about(1400, EK_ROUND_NEAR, span), "1 s");
    assert_string_equal(ek_span_about(47000, EK_ROUND_NEAR, span), "45 s");
    assert_string_equal(ek_span_about(62000, EK_ROUND_NEAR, span), "1 min");
    assert_string_equal(ek_span_about(187000, EK_ROUND_NEAR, span), "3 min");
    assert_string_equal(ek_span_about(187000, EK_ROUND_UP, span), "3 min 30 s");
    assert_string_equal(ek_span_about(149999, EK_ROUND_DOWN, span), "2 min");
    assert_string_equal(ek_span_about(3600000, EK_ROUND_NEAR, span), "1 h");
    assert_string_equal(ek_span_about(12345000, EK_ROUND_NEAR, span), "3 h 30 min");
}

/* Local time; a time that was never set is a dash. */
static void test_time(void **state)
{
    char text[EK_SPAN_SIZE];

    (void)state;
    assert_int_equal(setenv("TZ", "UTC-2", 1), 0);
    tzset();
    assert_string_equal(ek_time(1764000000000, text), "2025-11-24 18:00:00");
    assert_string_equal(ek_time(0, text), "-");
}

/* Line ends stay, what steers a terminal goes, UTF-8 stays. */
static void test_clean(void **state)
{
    char text[] = "a\033[2Jb\x7F\tc\n\xC3\xA4";

    (void)state;
    ek_terminal_clean(text);
    assert_string_equal(text, "a [2Jb  c\n\xC3\xA4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bar),  cmocka_unit_test(test_span),  cmocka_unit_test(test_about),
        cmocka_unit_test(test_time), cmocka_unit_test(test_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
