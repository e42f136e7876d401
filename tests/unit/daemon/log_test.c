/* Lines of the log, read back from a file that stands for standard error. */
#include "balancer/daemon/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the log makes of that text, from the level on: "info    text\n". */
static const char *logged(const char *text)
{
    static char line[2048];
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);

    assert_non_null(file);
    assert_true(before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    ek_log(EK_LOG_INFO, "%s", text);
    (void)fflush(stderr);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
    rewind(file);
    line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
    (void)fclose(file);
    const char *from = strstr(line, "info");
    assert_non_null(from);
    return from;
}

/* Whoever may write a command to Redis forges no second line, for the journal not even one of its
 * own level, and steers no terminal. */
static void test_control_characters_become_blanks(void **state)
{
    (void)state;
    assert_string_equal(logged("by x\n<3>error   forged"), "info    by x <3>error   forged\n");
    assert_string_equal(logged("a\r\033[2Jb\tc\x7F"), "info    a  [2Jb c \n");
    assert_string_equal(logged("a\xC2\x9B"
                               "2Jb"),
                        "info    a  2Jb\n");
}

/* Text that people read stays as it is; what is no text does not: a lone 0x9B is a control, too. */
static void test_text_stays(void **state)
{
    (void)state;
    assert_string_equal(logged("K\xC3\xB6ln \xE2\x82\xAC \xF0\x9F\x98\x80\xC2\xA0."),
                        "info    K\xC3\xB6ln \xE2\x82\xAC \xF0\x9F\x98\x80\xC2\xA0.\n");
    assert_string_equal(logged("a\x9B"
                               "2J\xC0\x8A\xE2\x82"),
                        "info    a?2J????\n");
}

/* A character that the longest line cuts is no character any more. */
static void test_a_cut_line_is_still_text(void **state)
{
    char text[1200];
    size_t used = 0;

    (void)state;
    while (used + 2 < sizeof(text)) {
        text[used++] = '\xC3';
        text[used++] = '\xB6';
    }
    text[used] = '\0';
    const char *line = logged(text);
    size_t length = strlen(line);
    assert_int_equal(length, strlen("info    ") + 1023 + 1);
    assert_string_equal(line + length - 4, "\xC3\xB6?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_characters_become_blanks),
        cmocka_unit_test(test_text_stays),
        cmocka_unit_test(test_a_cut_line_is_still_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
