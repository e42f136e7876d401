/* How problems are collected. */
#include "balancer/config/problems.h"
#include "support.h"

/* Problems come in the order of the file's lines, whatever the order of finding. */
static void sorted_by_line(void **state)
{
    struct ek_config_problems problems = {0};
    struct ek_report report = {.file = "f", .problems = &problems};

    (void)state;
    (void)ek_report_add(&report, EK_ERR_INVALID, 7, "seven");
    (void)ek_report_add(&report, EK_ERR_INVALID, 3, "three");
    (void)ek_report_add(&report, EK_ERR_INVALID, 7, "seven again");
    (void)ek_report_add(&report, EK_ERR_INVALID, 0, "whole");
    assert_string_equal(joined(&problems), "f: whole\nf:3: three\nf:7: seven\nf:7: seven again\n");
}

/* More than twenty are counted, not kept; the error tells the first and how many follow. */
static void full_list_counts_on(void **state)
{
    struct ek_config_problems problems = {0};
    struct ek_report report = {.file = "f", .problems = &problems};
    struct ek_error err;

    (void)state;
    for (int line = 1; line <= 25; line++) {
        (void)ek_report_add(&report, EK_ERR_INVALID, line, "bad");
    }
    assert_false(ek_report_verdict(&report, &err));
    assert_string_equal(err.message, "f:1: bad (and 24 more)");
    assert_int_equal(problems.count, 25);
    assert_non_null(strstr(joined(&problems), "f:20: bad\n... and 5 more\n"));
}

/* A quoted text is short, ends on a whole character, and can be shown on a terminal. */
static void quotes(void **state)
{
    char out[EK_QUOTE_SIZE];

    (void)state;
    assert_string_equal(ek_quote(out, "a\x1b[1mb\n"), "\"a?[1mb?\"");
    assert_string_equal(
        ek_quote(out, "123456789 123456789 123456789 123456789 123456789 12345678\xe2\x82\xac"),
        "\"123456789 123456789 123456789 123456789 123456789 12345678...\"");
}

/* A password that stands in a URL is not repeated. */
static void passwords_are_masked(void **state)
{
    char out[EK_QUOTE_SIZE];

    (void)state;
    assert_string_equal(ek_quote(out, "redis://user:secret@h/0"), "\"redis://user:***@h/0\"");
    assert_string_equal(ek_quote(out, "redis://:se/cr:e@t@h"), "\"redis://:***@h\"");
    assert_string_equal(ek_quote(out, "redis://h:6379/0"), "\"redis://h:6379/0\"");
    assert_string_equal(ek_quote(out, "qemu+ssh://root@h:22/system"),
                        "\"qemu+ssh://root@h:22/system\"");
}

/* A broken text without line breaks never outgrows its message. */
static void long_messages_are_cut(void **state)
{
    struct ek_config_problems problems = {0};
    char file[2000];
    struct ek_report report = {.file = file, .problems = &problems};
    struct ek_error err;

    (void)state;
    memset(file, 'x', sizeof(file) - 1);
    file[sizeof(file) - 1] = '\0';
    (void)ek_report_add(&report, EK_ERR_INVALID, 1, "bad");
    (void)ek_report_add(&report, EK_ERR_INVALID, 2, "bad");
    assert_int_equal(strlen(problems.items[0].text), EK_CONFIG_PROBLEM_SIZE - 1);
    assert_false(ek_report_verdict(&report, &err));
    assert_non_null(strstr(err.message, "x (and 1 more)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_by_line),
        cmocka_unit_test(full_list_counts_on),
        cmocka_unit_test(quotes),
        cmocka_unit_test(passwords_are_masked),
        cmocka_unit_test(long_messages_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
