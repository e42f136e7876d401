#include "balancer/core/error.h"

#include "tests/lib/cmocka.h"

#include <string.h>

/* Setting an error gives code and message, and false to return. */
static void setting_gives_false(void **state)
{
    struct ek_error err = {0};

    (void)state;
    assert_false(ek_error_set(&err, EK_ERR_TIMEOUT, "no answer in %d s", 5));
    assert_int_equal(err.code, EK_ERR_TIMEOUT);
    assert_string_equal(err.message, "no answer in 5 s");
}

/* Wrapping puts the context first and keeps code and cause. */
static void wrapping_keeps_the_cause(void **state)
{
    struct ek_error err = {0};

    (void)state;
    (void)ek_error_set(&err, EK_ERR_IO, "disk full");
    assert_false(ek_error_wrap(&err, "writing %s", "plan"));
    assert_int_equal(err.code, EK_ERR_IO);
    assert_string_equal(err.message, "writing plan: disk full");
}

/* However long context and cause are, the message stays a string within its bounds. */
static void long_messages_are_cut(void **state)
{
    struct ek_error err = {0};
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)ek_error_set(&err, EK_ERR_IO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    (void)ek_error_wrap(&err, "context");
    assert_memory_equal(err.message, "context: xxx", 12);
    (void)ek_error_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

/* Every code has a text of its own, an unknown one a text, too. */
static void every_code_has_a_text(void **state)
{
    static const enum ek_error_code codes[] = {
#define X(code, text) code,
        EK_ERROR_CODES(X)
#undef X
    };

    (void)state;
    for (size_t a = 0; a < sizeof(codes) / sizeof(codes[0]); a++) {
        for (size_t b = 0; b < a; b++) {
            assert_string_not_equal(ek_error_text(codes[a]), ek_error_text(codes[b]));
        }
    }
    assert_string_equal(ek_error_text((enum ek_error_code)1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_gives_false),
        cmocka_unit_test(wrapping_keeps_the_cause),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(every_code_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
