#include "balancer/codec/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *number_text(double number)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_number(&writer, number);
    return ek_json_finish(&writer);
}

/* Numbers are written in their shortest form. */
static void test_number_forms(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-17, "-17"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1764000000000, "1764000000000"},
        {9007199254740992.0, "9007199254740992"},
        {1e15, "1000000000000000"},
        {1e-7, "1e-07"},
        {2.0 / 3, "0.6666666666666666"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = number_text(cases[i].number);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

/* parse(print(x)) is x for every finite double: 100,000 of random bits, from a fixed seed. */
static void test_numbers_survive(void **state)
{
    uint64_t bits = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double number;
        bits ^= bits << 13; /* xorshift64 */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&number, &bits, sizeof(number));
        if (!isfinite(number)) {
            continue;
        }
        char *text = number_text(number);
        cJSON *parsed = cJSON_Parse(text);
        assert_non_null(parsed);
        assert_true(parsed->valuedouble == number);
        cJSON_Delete(parsed);
        free(text);
    }
}

/* Every byte but NUL can stand in a text; UTF-8 survives, other bytes become question marks. */
static void test_texts(void **state)
{
    static const char odd[] = "a\"b\\c\n\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc3";
    struct ek_json_writer writer = {.text = NULL};

    (void)state;
    ek_json_text(&writer, odd);
    char *text = ek_json_finish(&writer);
    assert_string_equal(text,
                        "\"a\\\"b\\\\c\\n\\u0001\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80??\"");
    struct ek_error err;
    assert_true(ek_json_check_syntax(text, strlen(text), "t", &err));
    free(text);
}

/* Commas and line breaks stand between values and nowhere else. */
static void test_structure(void **state)
{
    struct ek_json_writer writer = {.text = NULL};

    (void)state;
    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "a", -1);
    ek_json_put_number(&writer, "left-out", NAN);
    ek_json_put_text(&writer, "left-out", NULL);
    ek_json_key(&writer, "b");
    ek_json_begin(&writer, '[');
    ek_json_bool(&writer, true);
    ek_json_break(&writer);
    ek_json_begin(&writer, '{');
    ek_json_end(&writer, '}');
    ek_json_end(&writer, ']');
    ek_json_put_bool(&writer, "c", false);
    ek_json_break(&writer);
    ek_json_end(&writer, '}');
    char *text = ek_json_finish(&writer);
    assert_string_equal(text, "{\"a\":-1,\"b\":[true,\n{}],\"c\":false\n}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_forms),
        cmocka_unit_test(test_numbers_survive),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_structure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
